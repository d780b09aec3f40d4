/*
 * rate.c - see rate.h.
 */
#include "rate.h"

#include <string.h>

#define SLOT_TIME (TVL_RATE_WINDOW / TVL_RATE_SLOTS)

static uint64_t bps(uint64_t bytes, tvl_time t)
{
    if (t == 0)
        return 0;
    /* 8 * 10^6 * bytes overflows above 2 TB; no flight is that large. */
    return bytes * 8 > UINT64_MAX / 1000000 ? UINT64_MAX : bytes * 8 * 1000000 / t;
}

void tvl_rate_sent(struct tvl_rate *r, struct tvl_rate_snapshot *out, uint64_t in_flight,
                   tvl_time now)
{
    if (in_flight == 0)
        r->first_sent_at = r->delivered_at = now;
    *out = (struct tvl_rate_snapshot){
        .delivered = r->delivered,
        .delivered_at = r->delivered_at,
        .first_sent_at = r->first_sent_at,
        .app_limited = r->app_limited_to != 0,
    };
}

static void slot_add(struct tvl_rate *r, uint64_t bytes, tvl_time now)
{
    const uint64_t index = now / SLOT_TIME;

    if (index >= r->slot_now + TVL_RATE_SLOTS) {
        memset(r->slot, 0, sizeof r->slot);
        r->slot_now = index;
    }
    while (r->slot_now < index)
        r->slot[++r->slot_now % TVL_RATE_SLOTS] = 0;
    r->slot[index % TVL_RATE_SLOTS] += bytes;
    if (r->began_at == 0)
        r->began_at = now;
}

void tvl_rate_acked(struct tvl_rate *r, struct tvl_rate_sample *s,
                    const struct tvl_rate_snapshot *snap, tvl_time sent_at, uint64_t bytes,
                    tvl_time now)
{
    r->delivered += bytes;
    r->delivered_at = now;
    slot_add(r, bytes, now);
    if (s->any && (snap->delivered < s->newest.delivered ||
                   (snap->delivered == s->newest.delivered && sent_at < s->newest_sent_at)))
        return;
    s->any = true;
    s->newest = *snap;
    s->newest_sent_at = sent_at;
    r->first_sent_at = sent_at;
}

uint64_t tvl_rate_finish(struct tvl_rate *r, const struct tvl_rate_sample *s, tvl_time rtt_min)
{
    if (r->app_limited_to != 0 && r->delivered > r->app_limited_to)
        r->app_limited_to = 0;
    if (!s->any)
        return 0;
    const tvl_time send_time = s->newest_sent_at - s->newest.first_sent_at;
    const tvl_time ack_time = r->delivered_at - s->newest.delivered_at;
    const tvl_time t = send_time > ack_time ? send_time : ack_time;

    if (t == 0 || t < rtt_min)
        return 0;
    return bps(r->delivered - s->newest.delivered, t);
}

void tvl_rate_app_limited(struct tvl_rate *r, uint64_t in_flight)
{
    r->app_limited_to = r->delivered + in_flight > 0 ? r->delivered + in_flight : 1;
}

uint64_t tvl_rate_recent_bps(const struct tvl_rate *r, tvl_time now)
{
    const uint64_t index = now / SLOT_TIME;
    uint64_t sum = 0;

    if (r->began_at == 0)
        return 0;
    for (uint64_t back = 0; back < TVL_RATE_SLOTS && back <= index; back++) {
        const uint64_t i = index - back;

        if (i <= r->slot_now && i + TVL_RATE_SLOTS > r->slot_now)
            sum += r->slot[i % TVL_RATE_SLOTS];
    }
    /* Nine whole slots and the one that is running, or less while the path is young. */
    tvl_time span = (TVL_RATE_SLOTS - 1) * SLOT_TIME + now % SLOT_TIME;

    if (now >= r->began_at && now - r->began_at < span)
        span = now - r->began_at;
    return bps(sum, span > SLOT_TIME ? span : SLOT_TIME);
}
