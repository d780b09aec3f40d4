/* wake.c - see wake.h. */
#include "wake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void echo_wake_init(struct echo_wake *w, const struct echo_args *args, uint64_t now_us)
{
    memset(w, 0, sizeof *w);
    w->args = args;
    w->due = now_us + args->interval_us;
    samples_init(&w->late);
}

void echo_wake_fini(struct echo_wake *w)
{
    if (w)
        samples_fini(&w->late);
}

bool echo_wake_at(struct echo_wake *w, uint64_t now_us)
{
    const uint64_t late = now_us > w->due ? now_us - w->due : 0;

    samples_add(&w->late, late);
    w->n++;
    /* Periods that were slept through are not waited for again: their lateness is in this one. */
    w->due += (late / w->args->interval_us + 1) * w->args->interval_us;
    return w->n < w->args->count;
}

char *echo_wake_report(struct echo_wake *w)
{
    const uint32_t p50 = samples_percentile(&w->late, 50), p99 = samples_percentile(&w->late, 99),
                   max = samples_percentile(&w->late, 100);
    char line[256];

    if (w->args->json)
        snprintf(
            line, sizeof line,
            "{\"period_us\": %llu, \"wake_ups\": %u, \"late_us_p50\": %u, \"late_us_p99\": %u, "
            "\"late_us_max\": %u}\n",
            (unsigned long long)w->args->interval_us, w->n, p50, p99, max);
    else
        snprintf(line, sizeof line, "late by p50 %.3f  p99 %.3f  max %.3f ms (%u, each %.3f ms)\n",
                 p50 / 1e3, p99 / 1e3, max / 1e3, w->n, (double)w->args->interval_us / 1e3);
    return strdup(line);
}
