/*
 * histogram.h - many times, kept as how many fell into each quarter of a millisecond: cheap to add
 * to, exact to merge, and good for percentiles. Pure.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BIN_US 250
#define HISTOGRAM_BINS 65536 /* 16 s */
#define HISTOGRAM_BELOW 8192 /* of them below the origin: 2 s */

struct histogram {
    int64_t origin; /* us; what is beyond either end counts at that end */
    uint64_t n;
    uint32_t bin[HISTOGRAM_BINS];
};

void histogram_add(struct histogram *h, int64_t us);
/* Both have one origin. */
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The time, us, that a share of [0, 1] of all are at or below, a bin's upper end; the origin when
 * there are none. */
int64_t histogram_share(const struct histogram *h, double share);

#endif
