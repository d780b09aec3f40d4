/*
 * rng.h - the emulator's only randomness: xoshiro256** (Blackman, Vigna 2018), seeded by
 * splitmix64.
 *
 * One generator per purpose (loss, jitter, ...), so that asking for jitter does not change which
 * packets a seed loses. Pure: the same seed and stream number give the same numbers everywhere.
 */
#ifndef VLINK_RNG_H
#define VLINK_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct vlink_rng {
    uint64_t s[4];
};

/* `stream` keeps generators of one seed apart. */
void vlink_rng_init(struct vlink_rng *r, uint64_t seed, uint64_t stream);
uint64_t vlink_rng_next(struct vlink_rng *r);
/* [0, bound), bound at least 1; the bias is below 2^-32 for bounds below 2^32. */
uint64_t vlink_rng_below(struct vlink_rng *r, uint64_t bound);
/* True with a chance of `ppm` in a million [0, 1000000]; draws nothing at 0. */
bool vlink_rng_chance(struct vlink_rng *r, uint32_t ppm);

#endif
