/*
 * redundant.c - everything on every path: what arrives first counts.
 *
 * The packet leaves on the fastest path with room, and a copy of its data on each of the others as
 * soon as that has room, before anything new; what has been acknowledged meanwhile is left out, so
 * a slow path carries what it can. The delay is that of the best path at every moment and no single
 * loss is felt, at the price of the sum of the links: all together carry what one of them does. The
 * "redundant" of Linux MPTCP (Froemmgen, Erbshaeusser, Buchmann, Zimmermann, Wehrle: "ReMP TCP: Low
 * Latency Multipath TCP", ICC 2016). For little that matters much.
 */
#include <tvl/sched.h>

#include "all.h"

static uint64_t redundant_also(void *s, const struct tvl_sched_path *path, size_t n, int on,
                               const struct tvl_sched_packet *pkt, tvl_time now)
{
    (void)s;
    (void)path;
    (void)pkt;
    (void)now;
    return ((UINT64_C(1) << n) - 1) & ~(UINT64_C(1) << on);
}

static int redundant_pick(void *s, const struct tvl_sched_path *path, size_t n,
                          const struct tvl_sched_packet *pkt, tvl_time now)
{
    return tvl_sched_minrtt.pick(s, path, n, pkt, now);
}

const struct tvl_sched_ops tvl_sched_redundant = { .name = "redundant",
                                                   .pick = redundant_pick,
                                                   .also = redundant_also };
