/*
 * pacer.c - see pacer.h.
 */
#include "pacer.h"

#define MICRO 1000000

static int64_t to_tokens(uint64_t bytes)
{
    return (int64_t)(bytes * 8) * MICRO;
}

uint64_t tvl_pacer_burst(const struct tvl_pacer *p)
{
    const uint64_t by_count = (uint64_t)TVL_PACER_BURST_DATAGRAMS * p->datagram;
    const uint64_t by_time = p->rate_bps * TVL_PACER_BURST_TIME / 8 / MICRO;

    return by_count > by_time ? by_count : by_time;
}

static int64_t tokens_at(const struct tvl_pacer *p, tvl_time now)
{
    const int64_t full = to_tokens(tvl_pacer_burst(p));

    if (p->rate_bps == 0)
        return full;
    const tvl_time dt = now > p->at ? now - p->at : 0;

    if (p->tokens >= full)
        return full;
    if (dt >= (uint64_t)(full - p->tokens) / p->rate_bps + 1)
        return full;
    return p->tokens + (int64_t)(dt * p->rate_bps);
}

void tvl_pacer_init(struct tvl_pacer *p, uint32_t datagram_bytes, tvl_time now)
{
    *p = (struct tvl_pacer){ .datagram = datagram_bytes, .at = now };
    p->tokens = to_tokens(tvl_pacer_burst(p));
}

void tvl_pacer_set_rate(struct tvl_pacer *p, uint64_t rate_bps, tvl_time now)
{
    p->tokens = tokens_at(p, now);
    p->at = now;
    p->rate_bps = rate_bps < TVL_PACER_RATE_MAX ? rate_bps : TVL_PACER_RATE_MAX;
    const int64_t full = to_tokens(tvl_pacer_burst(p));

    if (p->tokens > full)
        p->tokens = full;
}

tvl_time tvl_pacer_next(const struct tvl_pacer *p, uint64_t bytes, tvl_time now)
{
    const uint64_t burst = tvl_pacer_burst(p);
    const int64_t want = to_tokens(bytes < burst ? bytes : burst);
    const int64_t have = tokens_at(p, now);

    if (p->rate_bps == 0 || have >= want)
        return now;
    return now + ((uint64_t)(want - have) + p->rate_bps - 1) / p->rate_bps;
}

uint64_t tvl_pacer_room(const struct tvl_pacer *p, tvl_time now)
{
    if (p->rate_bps == 0)
        return UINT64_MAX;
    const int64_t have = tokens_at(p, now);

    return have > 0 ? (uint64_t)have / 8 / MICRO : 0;
}

void tvl_pacer_sent(struct tvl_pacer *p, uint64_t bytes, tvl_time now)
{
    const int64_t debt_max = -to_tokens(tvl_pacer_burst(p));

    p->tokens = tokens_at(p, now) - to_tokens(bytes);
    if (p->tokens < debt_max)
        p->tokens = debt_max;
    p->at = now;
}
