/* histogram.c - see histogram.h. */
#include "histogram.h"

#include <string.h>

#define LEAST_BITS 10u /* the first octave begins at 1024 ns */
#define STEP_BITS 4u
#define BUCKETS (VLINK_HISTOGRAM_OCTAVES * VLINK_HISTOGRAM_STEPS)

static unsigned bucket_of(uint64_t ns)
{
    if (ns < 1u << LEAST_BITS)
        return 0;
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    unsigned step = (unsigned)(ns >> (top - STEP_BITS)) & (VLINK_HISTOGRAM_STEPS - 1);
    unsigned b = (top - LEAST_BITS) * VLINK_HISTOGRAM_STEPS + step;
    return b < BUCKETS ? b : BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned b)
{
    unsigned top = b / VLINK_HISTOGRAM_STEPS + LEAST_BITS;
    uint64_t step = (uint64_t)1 << (top - STEP_BITS);
    return ((uint64_t)1 << top) + b % VLINK_HISTOGRAM_STEPS * step + step / 2;
}

void vlink_histogram_add(struct vlink_histogram *h, vlink_time now, uint64_t ns)
{
    if (now - h->turned >= VLINK_HISTOGRAM_TURN_NS) {
        unsigned turns = now - h->turned >= 2 * (vlink_time)VLINK_HISTOGRAM_TURN_NS ? 2 : 1;
        h->turned = now;
        for (; turns > 0; turns--) {
            h->half ^= 1;
            h->n[h->half] = 0;
            memset(h->bucket[h->half], 0, sizeof h->bucket[h->half]);
        }
    }
    h->bucket[h->half][bucket_of(ns)]++;
    h->n[h->half]++;
}

uint64_t vlink_histogram_at(const struct vlink_histogram *h, double q)
{
    uint64_t all = h->n[0] + h->n[1];
    double wanted = q * (double)all, seen = 0;
    for (unsigned b = 0; all > 0 && b < BUCKETS; b++) {
        seen += (double)h->bucket[0][b] + (double)h->bucket[1][b];
        if (seen > 0 && seen >= wanted)
            return value_of(b);
    }
    return 0;
}
