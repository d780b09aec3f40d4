/* pacer.c - token bucket in bits times microseconds. Contract in pacer.h. */
#include "pacer.h"

#define MICRO 1000000

void tvl_pacer_init(struct tvl_pacer *p, uint32_t datagram_bytes, tvl_time now)
{
    *p = (struct tvl_pacer){ .datagram = datagram_bytes, .at = now };
    p->tokens = (int64_t)tvl_pacer_burst(p) * 8 * MICRO;
}

uint64_t tvl_pacer_burst(const struct tvl_pacer *p)
{
    const uint64_t few = (uint64_t)TVL_PACER_BURST_DATAGRAMS * p->datagram;
    const uint64_t timed = p->rate_bps / 8 * TVL_PACER_BURST_TIME / MICRO;

    return few > timed ? few : timed;
}

/* Bits times 10^6 in the bucket at `now`. */
static int64_t tokens_at(const struct tvl_pacer *p, tvl_time now)
{
    const int64_t full = (int64_t)tvl_pacer_burst(p) * 8 * MICRO;

    if (p->rate_bps == 0 || p->tokens >= full)
        return full;
    /* Compare before multiplying: a long pause times the rate would not fit. */
    if (now - p->at > (uint64_t)(full - p->tokens) / p->rate_bps)
        return full;
    return p->tokens + (int64_t)((now - p->at) * p->rate_bps);
}

void tvl_pacer_set_rate(struct tvl_pacer *p, uint64_t rate_bps, tvl_time now)
{
    p->tokens = tokens_at(p, now);
    p->at = now;
    p->rate_bps = rate_bps < TVL_PACER_RATE_MAX ? rate_bps : TVL_PACER_RATE_MAX;
}

tvl_time tvl_pacer_next(const struct tvl_pacer *p, uint64_t bytes, tvl_time now)
{
    const int64_t need = (int64_t)bytes * 8 * MICRO;
    const int64_t have = tokens_at(p, now);

    if (p->rate_bps == 0 || have >= need)
        return now;
    return now + ((uint64_t)(need - have) + p->rate_bps - 1) / p->rate_bps;
}

uint64_t tvl_pacer_room(const struct tvl_pacer *p, tvl_time now)
{
    const int64_t have = tokens_at(p, now);

    if (p->rate_bps == 0)
        return UINT64_MAX;
    return have > 0 ? (uint64_t)have / (8 * MICRO) : 0;
}

void tvl_pacer_sent(struct tvl_pacer *p, uint64_t bytes, tvl_time now)
{
    const int64_t debt = -(int64_t)tvl_pacer_burst(p) * 8 * MICRO;

    p->tokens = tokens_at(p, now) - (int64_t)bytes * 8 * MICRO;
    p->at = now;
    if (p->tokens < debt)
        p->tokens = debt;
}
