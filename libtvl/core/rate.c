/* rate.c - delivery rate samples and a short mean. Contract in rate.h. */
#include "rate.h"

#include <string.h>

#define SLOT_TIME (TVL_RATE_WINDOW / TVL_RATE_SLOTS)

void tvl_rate_sent(struct tvl_rate *r, struct tvl_rate_snapshot *out, uint64_t in_flight,
                   uint64_t bytes, tvl_time now)
{
    if (in_flight == 0) /* a new flight: idle time does not count */
        r->first_sent_at = r->delivered_at = now;
    *out = (struct tvl_rate_snapshot){ .delivered = r->delivered,
                                       .delivered_at = r->delivered_at,
                                       .first_sent_at = r->first_sent_at,
                                       .lost = r->lost,
                                       .in_flight = (uint32_t)(in_flight + bytes),
                                       .app_limited = r->app_limited_to != 0 };
}

static void roll(struct tvl_rate *r, tvl_time now)
{
    const uint64_t index = now / SLOT_TIME;

    if (index - r->slot_now >= TVL_RATE_SLOTS) {
        memset(r->slot, 0, sizeof r->slot);
    } else {
        for (uint64_t i = r->slot_now + 1; i <= index; i++)
            r->slot[i % TVL_RATE_SLOTS] = 0;
    }
    r->slot_now = index;
}

void tvl_rate_acked(struct tvl_rate *r, struct tvl_rate_sample *s,
                    const struct tvl_rate_snapshot *snap, tvl_time sent_at, uint64_t bytes,
                    tvl_time now)
{
    r->delivered += bytes;
    r->delivered_at = now;
    if (r->began_at == 0)
        r->began_at = now;
    roll(r, now);
    r->slot[r->slot_now % TVL_RATE_SLOTS] += bytes;
    if (r->app_limited_to != 0 && r->delivered + r->lost > r->app_limited_to)
        r->app_limited_to = 0;
    if (!s->any || sent_at >= s->newest_sent_at) {
        s->any = true;
        s->newest = *snap;
        s->newest_sent_at = sent_at;
        r->first_sent_at = sent_at;
    }
}

uint64_t tvl_rate_finish(struct tvl_rate *r, const struct tvl_rate_sample *s, tvl_time rtt_min)
{
    if (!s->any)
        return 0;
    const tvl_time sending = s->newest_sent_at - s->newest.first_sent_at;
    const tvl_time acking = r->delivered_at - s->newest.delivered_at;
    const tvl_time interval = sending > acking ? sending : acking;

    if (interval == 0 || interval < rtt_min)
        return 0;
    return (r->delivered - s->newest.delivered) * 8 * 1000000 / interval;
}

void tvl_rate_app_limited(struct tvl_rate *r, uint64_t in_flight)
{
    const uint64_t to = r->delivered + r->lost + in_flight;

    r->app_limited_to = to ? to : 1;
}

uint64_t tvl_rate_recent_bps(const struct tvl_rate *r, tvl_time now)
{
    const uint64_t index = now / SLOT_TIME;
    uint64_t bytes = 0;

    if (r->began_at == 0)
        return 0;
    for (uint64_t i = 0; i < TVL_RATE_SLOTS; i++) {
        const uint64_t at = r->slot_now - i; /* absolute index of a remembered slot */

        if (r->slot_now >= i && index - at < TVL_RATE_SLOTS)
            bytes += r->slot[at % TVL_RATE_SLOTS];
    }
    /* All slots but the newest are whole; a path younger than that is judged by its age. */
    tvl_time span = (TVL_RATE_SLOTS - 1) * SLOT_TIME + now % SLOT_TIME;

    if (now - r->began_at < span)
        span = now - r->began_at;
    return bytes * 8 * 1000000 / (span > SLOT_TIME ? span : SLOT_TIME);
}
