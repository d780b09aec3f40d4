/*
 * clock.c - time by the time-stamp counter. Its rate is what the command line says
 * (tsc_early_khz=, as for Linux), else what the hypervisor says, else measured by the interval
 * timer. The time of day is the command line's (epoch_ns=), else the CMOS clock's.
 */
#include "cpu.h"
#include "inside.h"
#include "tsc.h"

#define PIT_HZ 1193182u
#define PIT_TICKS 11932u  /* 10 ms */
#define KHZ_LEAST 100000u /* of a believable counter */
#define KHZ_MOST 10000000u
#define CMOS_TRIES 100000u

static struct tsc tsc;
static uint64_t wall_offset; /* us that make board_now() the time since 1970 */

/* Leaf 0x40000010 of hypervisors, as VMware began it: kHz of the counter. 0: not told. */
static uint64_t khz_of_hypervisor(void)
{
    uint32_t r[4];

    cpu_cpuid(1, r);
    if (!(r[2] >> 31))
        return 0;
    cpu_cpuid(0x40000000, r);
    if (r[0] < 0x40000010)
        return 0;
    cpu_cpuid(0x40000010, r);
    return r[0];
}

/* Channel 2 of the interval timer counts down once; its output shows in port 0x61. */
static uint64_t khz_by_timer(void)
{
    uint64_t from;

    cpu_out8(0x61, (uint8_t)((cpu_in8(0x61) & ~2u) | 1));
    cpu_out8(0x43, 0xb0); /* channel 2, both bytes, mode 0 */
    cpu_out8(0x42, PIT_TICKS & 0xff);
    cpu_out8(0x42, PIT_TICKS >> 8);
    from = cpu_rdtsc();
    while (!(cpu_in8(0x61) & 0x20))
        if (cpu_rdtsc() - from > UINT64_C(10000000000))
            return 0; /* there is no such timer */
    return (cpu_rdtsc() - from) * PIT_HZ / PIT_TICKS / 1000;
}

/* ---- CMOS clock: MC146818, registers by ports 0x70 and 0x71 ---- */

static unsigned cmos(uint8_t at)
{
    cpu_out8(0x70, at);
    return cpu_in8(0x71);
}

/* Days from 1970-01-01 in the Gregorian calendar; `month` [1, 12], `day` [1, 31]. */
static uint64_t days_from_1970(unsigned year, unsigned month, unsigned day)
{
    const unsigned y = year - (month <= 2); /* years begin in March: leap days are last */
    const unsigned in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

static uint64_t cmos_seconds(void)
{
    static const uint8_t at[6] = { 0, 2, 4, 7, 8, 9 }; /* s, min, h, day, month, year */
    unsigned v[6];

    for (unsigned k = 0; cmos(10) & 0x80; k++) /* is being advanced */
        if (k == CMOS_TRIES)
            return 0; /* there is none: all bits read as ones */
    const bool binary = cmos(11) & 4;
    for (unsigned i = 0; i < 6; i++) {
        v[i] = cmos(at[i]);
        if (!binary)
            v[i] = (v[i] >> 4) * 10 + (v[i] & 15);
    }
    if (v[3] < 1 || v[3] > 31 || v[4] < 1 || v[4] > 12 || v[5] > 99)
        return 0;
    return days_from_1970(2000 + v[5], v[4], v[3]) * 86400 + v[2] * 3600 + v[1] * 60 + v[0];
}

void board_clock_start(void)
{
    const uint64_t origin = cpu_rdtsc();
    uint64_t khz = board_option("tsc_early_khz", 0);
    uint64_t wall_us;

    if (khz == 0)
        khz = khz_of_hypervisor();
    if (khz == 0)
        khz = khz_by_timer();
    if (khz < KHZ_LEAST || khz > KHZ_MOST)
        board_panic("the rate of the time-stamp counter is not known: say tsc_early_khz=");
    tsc = tsc_make(origin, khz);
    wall_us = board_option("epoch_ns", 0) / 1000;
    board_set_wall_us(wall_us ? wall_us : cmos_seconds() * 1000000);
}

uint64_t board_now(void)
{
    return tsc_us(&tsc, cpu_rdtsc());
}

uint64_t board_wall_us(void)
{
    return board_now() + wall_offset;
}

void board_set_wall_us(uint64_t now_us)
{
    wall_offset = now_us - board_now();
}
