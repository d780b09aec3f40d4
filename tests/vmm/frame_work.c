/*
 * frame_work.c - work that has to be done every so often, and work that never ends: what the tests
 * and figures of real time run, in guests and beside them.
 *
 *     frame_work calibrate MS             how many turns of work take MS of this CPU; prints the
 * number frame_work frames PERIOD_US TURNS N N periods: wake up, do TURNS, be done before the next;
 * prints JSON: lateness of waking, when done, misses, periods skipped frame_work spin [SECONDS]
 * never sleeps (or for so long); prints the CPU time it got, s
 *
 * `fifo PRIORITY` at the end of frames or spin: itself under SCHED_FIFO, memory locked.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define FRAMES_MAX 100000
#define SPIN_TURNS 20000 /* between two looks at the clock */

static volatile uint64_t sink;

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void work(long turns)
{
    uint64_t x = sink;
    for (long i = 0; i < turns; i++) {
        x = x * 6364136223846793005ull + 1;
        __asm__ volatile("" : "+r"(x)); /* not to be worked out beforehand */
    }
    sink = x;
}

/* Turns that take `ms`: the fastest of several tries, as others may have had the CPU meanwhile. */
static long calibrate(double ms)
{
    const long turns = 200000;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t began = now_ns(CLOCK_MONOTONIC);
        work(turns);
        int64_t took = now_ns(CLOCK_MONOTONIC) - began;
        best = took < best ? took : best;
    }
    return (long)(ms * 1e6 * (double)turns / (double)best);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_row(const char *name, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, ascending);
    printf("\"%s_p50_ms\": %.3f, \"%s_p95_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f",
           name, ms[n / 2], name, ms[n * 95 / 100], name, ms[n * 99 / 100], name, ms[n - 1]);
}

static int frames(int64_t period, long turns, int n)
{
    double *wake = calloc((size_t)n, sizeof *wake), *done = calloc((size_t)n, sizeof *done);
    int misses = 0, skipped = 0;
    if (!wake || !done)
        return EXIT_FAILURE;
    int64_t next = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < n; i++) {
        next += period;
        struct timespec at = { .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000 };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        wake[i] = (double)(now_ns(CLOCK_MONOTONIC) - next) / 1e6;
        work(turns);
        int64_t late = now_ns(CLOCK_MONOTONIC) - next;
        done[i] = (double)late / 1e6;
        misses += late > period;
        for (; late > period; late -= period, next += period)
            skipped++;
    }
    printf("{\"frames\": %d, \"misses\": %d, \"skipped\": %d, ", n, misses, skipped);
    print_row("wake", wake, n);
    printf(", ");
    print_row("done", done, n);
    printf("}\n");
    free(wake);
    free(done);
    return EXIT_SUCCESS;
}

static int spin(double seconds)
{
    int64_t end = now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    do
        work(SPIN_TURNS);
    while (seconds <= 0 || now_ns(CLOCK_MONOTONIC) < end);
    printf("%.4f\n", (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
    return EXIT_SUCCESS;
}

/* `fifo PRIORITY`, where that is what the last two words say. */
static int take_policy(int *argc, char **argv)
{
    if (*argc < 4 || strcmp(argv[*argc - 2], "fifo") != 0)
        return 0;
    struct sched_param p = { .sched_priority = atoi(argv[*argc - 1]) };
    *argc -= 2;
    mlockall(MCL_CURRENT | MCL_FUTURE);
    if (sched_setscheduler(0, SCHED_FIFO, &p) < 0) {
        perror("SCHED_FIFO");
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (take_policy(&argc, argv) < 0)
        return EXIT_FAILURE;
    if (argc == 3 && strcmp(argv[1], "calibrate") == 0)
        return printf("%ld\n", calibrate(atof(argv[2]))) < 0;
    if (argc >= 2 && strcmp(argv[1], "spin") == 0)
        return spin(argc > 2 ? atof(argv[2]) : 0);
    if (argc == 5 && strcmp(argv[1], "frames") == 0 && atoi(argv[4]) > 0 &&
        atoi(argv[4]) <= FRAMES_MAX)
        return frames(atoll(argv[2]) * 1000, atol(argv[3]), atoi(argv[4]));
    fputs("usage: frame_work calibrate MS | frames PERIOD_US TURNS N | spin [SECONDS] [fifo "
          "PRIORITY]\n",
          stderr);
    return 64;
}
