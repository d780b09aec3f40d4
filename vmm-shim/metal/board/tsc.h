/*
 * tsc.h - ticks of the time-stamp counter as microseconds, without division: us = ticks * factor
 * >> 52. Pure.
 */
#ifndef METAL_TSC_H
#define METAL_TSC_H

#include <stdint.h>

__extension__ typedef unsigned __int128 tsc_wide;

struct tsc {
    uint64_t origin; /* counter at time 0 */
    uint64_t factor; /* us per tick, 52 bits after the point */
};

/* `khz` [1000, 10^7]. Rounded down: at 4 GHz a microsecond is lost in twelve days. */
static inline struct tsc tsc_make(uint64_t origin, uint64_t khz)
{
    return (struct tsc){ origin, (UINT64_C(1000) << 52) / khz };
}

/* us from the origin to `ticks`; a counter before the origin counts as time 0. */
static inline uint64_t tsc_us(const struct tsc *t, uint64_t ticks)
{
    if (ticks < t->origin)
        return 0;
    return (uint64_t)(((tsc_wide)(ticks - t->origin) * t->factor) >> 52);
}

#endif
