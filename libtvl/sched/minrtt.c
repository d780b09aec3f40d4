/*
 * minrtt.c - the path with the smallest smoothed round trip among those that have room for the
 * packet; none has: hold it. What MPTCP does by default (Linux net/mptcp, RFC 8684's companion
 * literature: Paasch et al., "Experimental Evaluation of Multipath TCP Schedulers", 2014).
 * Equal round trips: the path with more room, so that twins share the load.
 */
#include <tvl/sched.h>

static int minrtt_pick(void *s, const struct tvl_sched_path *path, size_t n,
                       const struct tvl_sched_packet *pkt, tvl_time now)
{
    int best = TVL_SCHED_NONE;

    (void)s;
    (void)now;
    for (size_t i = 0; i < n; i++) {
        if (path[i].room < pkt->bytes || path[i].room == 0)
            continue;
        if (best == TVL_SCHED_NONE || path[i].srtt < path[best].srtt ||
            (path[i].srtt == path[best].srtt && path[i].room > path[best].room))
            best = (int)i;
    }
    return best;
}

extern const struct tvl_sched_ops tvl_sched_minrtt;
const struct tvl_sched_ops tvl_sched_minrtt = {
    .name = "minrtt",
    .pick = minrtt_pick,
};
