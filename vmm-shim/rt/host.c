/*
 * host.c - facts of this host, by /proc.
 */
#include "rt/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long read_number(const char *path, long long otherwise)
{
    long long n = otherwise;
    FILE *f = fopen(path, "re");
    if (!f)
        return otherwise;
    if (fscanf(f, "%lld", &n) != 1)
        n = otherwise;
    fclose(f);
    return n;
}

static void look_at_memory(struct vmm_host *h)
{
    char line[128];
    unsigned long long kib;
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "MemTotal: %llu kB", &kib) == 1)
            h->memory_bytes = kib * 1024;
        else if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            h->available_bytes = kib * 1024;
    }
    fclose(f);
}

void vmm_host_look(struct vmm_host *h)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    h->cpus = cpus < 1 ? 1 : cpus > VMM_CPUS_MAX ? VMM_CPUS_MAX : (unsigned)cpus;
    long long period = read_number("/proc/sys/kernel/sched_rt_period_us", 1000000),
              runtime = read_number("/proc/sys/kernel/sched_rt_runtime_us", 950000);
    if (runtime < 0 || runtime > period || period <= 0) /* no reserve: ours is kept all the same */
        runtime = period > 0 ? period : 1;
    uint64_t ppm = (uint64_t)runtime * VMM_PPM / (uint64_t)(period > 0 ? period : 1);
    if (ppm > VMM_PPM - VMM_HOST_RESERVE_PPM)
        ppm = VMM_PPM - VMM_HOST_RESERVE_PPM;
    h->real_time_ppm = ppm > VMM_HOST_RESERVE_PPM ? (uint32_t)ppm - VMM_HOST_RESERVE_PPM : 0;
    look_at_memory(h);
}

uint64_t vmm_host_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
