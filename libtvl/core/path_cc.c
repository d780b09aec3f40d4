/*
 * path_cc.c - the congestion state of one path (recovery.h): what window and pacer allow now.
 */
#include "recovery.h"

#include <string.h>

#define PACING_NUM 5u /* 5/4: RFC 9002 7.7 asks for a little more than the window per round trip */
#define PACING_DEN 4u

static void begin(struct tvl_path_cc *pc, tvl_time now)
{
    memset(pc->state, 0, sizeof pc->state);
    pc->ops->init(pc->state, pc->datagram_bytes, now);
    tvl_pacer_init(&pc->pacer, pc->datagram_bytes, now);
    tvl_pacer_set_rate(&pc->pacer, tvl_path_cc_pacing_bps(pc), now);
}

void tvl_path_cc_init(struct tvl_path_cc *pc, const struct tvl_cc_ops *ops,
                      uint32_t datagram_bytes, tvl_time now)
{
    *pc = (struct tvl_path_cc){ .ops = ops, .datagram_bytes = datagram_bytes };
    begin(pc, now);
}

void tvl_path_cc_restart(struct tvl_path_cc *pc, tvl_time now)
{
    pc->pto_count = 0;
    begin(pc, now);
}

uint64_t tvl_path_cc_cwnd(const struct tvl_path_cc *pc)
{
    return pc->ops->limit(pc->state).cwnd;
}

static uint64_t per_second(uint64_t bytes, tvl_time t)
{
    return bytes * 8 * 1000000 / t;
}

uint64_t tvl_path_cc_pacing_bps(const struct tvl_path_cc *pc)
{
    const struct tvl_cc_limit limit = pc->ops->limit(pc->state);

    if (limit.pacing_bps > 0)
        return limit.pacing_bps;
    if (!tvl_rtt_known(&pc->rtt)) /* the guess is long: do not hold the handshake up for it */
        return per_second(2 * limit.cwnd, tvl_rtt_srtt(&pc->rtt));
    return per_second(limit.cwnd * PACING_NUM / PACING_DEN, pc->rtt.smoothed);
}

uint64_t tvl_path_cc_rate_bps(const struct tvl_path_cc *pc)
{
    return per_second(tvl_path_cc_cwnd(pc), tvl_rtt_srtt(&pc->rtt));
}

uint64_t tvl_path_cc_window_room(const struct tvl_path_cc *pc)
{
    const uint64_t cwnd = tvl_path_cc_cwnd(pc);

    return cwnd > pc->in_flight ? cwnd - pc->in_flight : 0;
}

uint64_t tvl_path_cc_room(const struct tvl_path_cc *pc, tvl_time now)
{
    const uint64_t window = tvl_path_cc_window_room(pc);
    const uint64_t pacer = tvl_pacer_room(&pc->pacer, now);
    const uint64_t room = window < pacer ? window : pacer;

    return room >= pc->datagram_bytes ? room : 0;
}

tvl_time tvl_path_cc_next_send(const struct tvl_path_cc *pc, tvl_time now)
{
    if (tvl_path_cc_window_room(pc) < pc->datagram_bytes)
        return TVL_TIME_NEVER;
    return tvl_pacer_next(&pc->pacer, pc->datagram_bytes, now);
}

void tvl_path_cc_app_limited(struct tvl_path_cc *pc)
{
    if (tvl_path_cc_window_room(pc) >= pc->datagram_bytes)
        tvl_rate_app_limited(&pc->rate, pc->in_flight);
}
