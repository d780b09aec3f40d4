/*
 * minrtt.c - the fastest path that has room. The default of MPTCP, and the baseline every other
 * scheduler must beat.
 */
#include <tvl/sched.h>

#include "all.h"

static int minrtt_pick(void *s, const struct tvl_sched_path *path, size_t n,
                       const struct tvl_sched_packet *pkt, tvl_time now)
{
    int best = TVL_SCHED_NONE;

    (void)s;
    (void)now;
    for (size_t i = 0; i < n; i++)
        if (path[i].room >= pkt->bytes && (best < 0 || path[i].srtt < path[best].srtt))
            best = (int)i;
    return best;
}

const struct tvl_sched_ops tvl_sched_minrtt = { .name = "minrtt", .pick = minrtt_pick };
