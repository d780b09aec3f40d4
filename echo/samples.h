/* samples.h - durations, and what share of them was how long. Pure. */
#ifndef ECHO_SAMPLES_H
#define ECHO_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 100000u /* those that come later are not kept */

struct samples {
    uint32_t *us;
    size_t n, cap;
};

void samples_init(struct samples *s);
void samples_fini(struct samples *s);
/* One more; when there is no memory or room it is left out. */
void samples_add(struct samples *s, uint64_t us);
/* The sample that `percent` [0, 100] of them do not exceed, in us; 0 where there is none. Sorts. */
uint32_t samples_percentile(struct samples *s, double percent);

#endif
