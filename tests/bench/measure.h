/* measure.h - what the speed benchmarks share: a core for each side, and the CPU time it used. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MEASURE_SENDER_CORE, MEASURE_RECEIVER_CORE };

/* One core per side where the machine has two; on one core both share it. */
static inline void measure_pin(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)(core % (int)sysconf(_SC_NPROCESSORS_ONLN)), &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* Seconds of CPU, user and system, of this process. */
static inline double measure_cpu(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

#endif
