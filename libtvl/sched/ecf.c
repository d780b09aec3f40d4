/*
 * ecf.c - earliest completion first: a slower path is used when what waits would take the faster
 * ones longer than the slower path takes for one packet; else the packet waits for a faster one.
 *
 * Paths are taken in the order in which a packet sent now would arrive. With `before` the paths
 * faster than p, all of them full,
 *
 *     use p   if   arrival(p) <= arrival(fastest) + waiting / sum of rate(before)
 *
 * so a long transfer uses every path, its end none that would be late, and small messages take the
 * fastest path though they wait a moment for its room. Two more reasons to hold:
 *
 *     deadline  p would deliver after it
 *     credit    what p holds back of the receiver's order would stop the faster paths before p's
 *               packet has arrived and was read (BLEST, Ferlin 2016)
 *
 * After ECF (Lim, Nahum, Towsley, Gibbens: "ECF: An MPTCP Path Scheduler to Manage Heterogeneous
 * Paths", CoNEXT 2017), by rates instead of windows per round trip.
 */
#include <tvl/sched.h>

#include "all.h"

/* us until a packet that leaves now is there: half the empty path, and all of the queue. */
static tvl_time arrival(const struct tvl_sched_path *p)
{
    const tvl_time back = p->rtt_min / 2;

    return p->srtt > back ? p->srtt - back : p->srtt;
}

/* us that `bytes` take at `bps`. */
static tvl_time duration(uint64_t bytes, uint64_t bps)
{
    const double us = bps ? (double)bytes * 8e6 / (double)bps : 1e12;

    return us < 1e12 ? (tvl_time)us : (tvl_time)1e12;
}

/* The next path in order of arrival after `last` (NULL: the first); NULL: no more. */
static const struct tvl_sched_path *next(const struct tvl_sched_path *path, size_t n,
                                         const struct tvl_sched_path *last)
{
    const struct tvl_sched_path *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const struct tvl_sched_path *p = &path[i];

        if (last && (arrival(p) < arrival(last) || (arrival(p) == arrival(last) && p <= last)))
            continue;
        if (!best || arrival(p) < arrival(best))
            best = p;
    }
    return best;
}

static bool is_worth_it(const struct tvl_sched_path *p, tvl_time fastest, uint64_t before_bps,
                        const struct tvl_sched_packet *pkt, tvl_time now)
{
    const tvl_time there = arrival(p);
    /* until its packet has been read and the sender knows */
    const tvl_time round = there + fastest;

    if (pkt->deadline != TVL_TIME_NEVER && now + there + p->rttvar > pkt->deadline)
        return false;
    if (pkt->credit != UINT64_MAX && duration(pkt->credit, before_bps) < round)
        return false;
    return there <= fastest + duration(pkt->waiting, before_bps);
}

static int ecf_pick(void *s, const struct tvl_sched_path *path, size_t n,
                    const struct tvl_sched_packet *pkt, tvl_time now)
{
    const struct tvl_sched_path *p = next(path, n, NULL);
    const tvl_time fastest = arrival(p);
    uint64_t before_bps = 0;

    (void)s;
    for (; p; p = next(path, n, p)) {
        if (before_bps > 0 && !is_worth_it(p, fastest, before_bps, pkt, now))
            return TVL_SCHED_NONE; /* nor is a slower one */
        if (p->room >= pkt->bytes)
            return (int)(p - path);
        before_bps += p->rate_bps;
    }
    return TVL_SCHED_NONE;
}

const struct tvl_sched_ops tvl_sched_ecf = { .name = "ecf", .pick = ecf_pick };
