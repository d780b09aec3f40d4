/* delay.c - see delay.h. */
#include "delay.h"

#define WEIGHT 16.0 /* of the mean against the newest */

const char *delay_part_name(enum delay_part p)
{
    static const char *const names[DELAY_PARTS] = { "encode", "server queue", "network",
                                                    "buffer", "decode",       "display" };
    return p < DELAY_PARTS ? names[p] : "";
}

/* The least way of the last half to whole minute. */
static int64_t fastest(struct delay *d, int64_t way_us, int64_t now)
{
    if (!d->has_fastest[0] || now - d->half_began_us >= DELAY_HALF_US) {
        d->fastest_us[1] = d->fastest_us[0];
        d->has_fastest[1] = d->has_fastest[0];
        d->fastest_us[0] = way_us;
        d->has_fastest[0] = true;
        d->half_began_us = now;
    }
    if (way_us < d->fastest_us[0])
        d->fastest_us[0] = way_us;
    return d->has_fastest[1] && d->fastest_us[1] < d->fastest_us[0] ? d->fastest_us[1]
                                                                    : d->fastest_us[0];
}

/* How long it was on its way, sender's queue and network together. */
static int64_t way(struct delay *d, const struct delay_stamps *s, int64_t rtt_us)
{
    const int64_t seen = s->arrived - s->captured - s->encode_us;
    const int64_t least = fastest(d, seen, s->arrived);
    const bool agree = least >= 0 && least <= rtt_us / 2 + DELAY_SAME_CLOCK_US;
    const int64_t ahead = agree ? 0 : rtt_us / 2 - least;
    d->clock_ms = (double)ahead / 1e3;
    return seen + ahead > 0 ? seen + ahead : 0;
}

void delay_add(struct delay *d, const struct delay_stamps *s, int64_t rtt_us)
{
    int64_t us[DELAY_PARTS] = { 0 };
    const int64_t off = s->arrived - s->captured;

    d->has_capture = s->captured != 0 && off > -DELAY_CAPTURE_MAX_US && off < DELAY_CAPTURE_MAX_US;
    if (d->has_capture) {
        const int64_t both = way(d, s, rtt_us);
        us[DELAY_ENCODE] = s->encode_us;
        us[DELAY_NETWORK] = both < rtt_us / 2 ? both : rtt_us / 2;
        us[DELAY_QUEUE] = both - us[DELAY_NETWORK];
    }
    us[DELAY_DECODE] = s->decoded - s->decode_began;
    us[DELAY_DISPLAY] = s->shown - s->due;
    us[DELAY_BUFFER] = s->shown - s->arrived - us[DELAY_DECODE] - us[DELAY_DISPLAY];
    d->total_ms = 0;
    for (int i = 0; i < DELAY_PARTS; i++) {
        const double ms = (double)us[i] / 1e3;
        d->part_ms[i] = d->any ? d->part_ms[i] + (ms - d->part_ms[i]) / WEIGHT : ms;
        d->total_ms += d->part_ms[i];
    }
    d->any = true;
}
