/*
 * histogram.h - percentiles of delays of the recent past, in constant time and space.
 *
 * Log-linear buckets, VLINK_HISTOGRAM_STEPS a doubling: a percentile is right within 3 %. Two
 * halves change places every VLINK_HISTOGRAM_TURN_NS, so that what is shown is of the last one or
 * two of them. Pure.
 */
#ifndef VLINK_HISTOGRAM_H
#define VLINK_HISTOGRAM_H

#include <stdint.h>

#include "dir.h"

#define VLINK_HISTOGRAM_STEPS 16u
#define VLINK_HISTOGRAM_OCTAVES 28u /* from 1 us to 268 s */
#define VLINK_HISTOGRAM_TURN_NS 10000000000u

struct vlink_histogram { /* zero is an empty one */
    vlink_time turned;
    unsigned half; /* the one being filled */
    uint64_t n[2];
    uint32_t bucket[2][VLINK_HISTOGRAM_OCTAVES * VLINK_HISTOGRAM_STEPS];
};

void vlink_histogram_add(struct vlink_histogram *h, vlink_time now, uint64_t ns);
/* Share `q` [0, 1] of the values were at most so much, ns; 0: none was seen. */
uint64_t vlink_histogram_at(const struct vlink_histogram *h, double q);

#endif
