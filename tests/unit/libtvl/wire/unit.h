/*
 * unit.h - what the tests of this folder share: cmocka's includes in their order, and numbers from
 * a seed (splitmix64), so that a failing run can be run again.
 */
#ifndef WIRE_UNIT_H
#define WIRE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t seeded(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t seeded_below(uint64_t *seed, uint64_t n)
{
    return seeded(seed) % n;
}

/* Damage some bytes, sometimes cut the end off; the result's length. */
static inline size_t mutate(uint64_t *seed, uint8_t *bytes, size_t len)
{
    for (uint64_t n = 1 + seeded_below(seed, 4); n > 0 && len > 0; n--) {
        uint8_t *at = &bytes[seeded_below(seed, len)];
        uint64_t how = seeded_below(seed, 3);
        *at = (uint8_t)(how == 0 ? seeded(seed) : how == 1 ? 0xff : *at ^ 1u << (n & 7));
    }
    return seeded_below(seed, 3) == 0 ? (size_t)seeded_below(seed, len + 1) : len;
}

#endif
