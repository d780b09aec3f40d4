/*
 * blest.c - a slower path is used unless what it holds back would fill the receiver's window before
 * it arrives: blocking estimation.
 *
 * While a packet on the slow path S is under way, the fast path F goes through srtt(S) / srtt(F)
 * rounds, each with a datagram more in its window, and would send
 *
 *     X = (cwnd(F) + datagram * (rounds - 1) / 2) * rounds
 *
 * All of that waits at the receiver behind S's packet. S is used when it fits beside that packet:
 *
 *     lambda * X  <=  credit - datagram
 *
 * lambda in [1, 1.3] rises by 0.01 whenever the window was met after all, and falls by as much once
 * a round of F, as in Linux. Ferlin, Alay, Mehani, Boreli: "BLEST: Blocking Estimation-based MPTCP
 * Scheduler for Heterogeneous Networks", IFIP Networking 2016. For one ordered stream over unlike
 * paths and small receive windows; deadlines and many streams are nothing to it.
 */
#include <tvl/sched.h>

#include "all.h"

#define STEP 0.01
#define MOST 0.3

struct blest {
    double more; /* lambda - 1 */
    tvl_time changed_at;
};

static const struct tvl_sched_path *fastest(const struct tvl_sched_path *path, size_t n,
                                            uint64_t room)
{
    const struct tvl_sched_path *best = NULL;

    for (size_t i = 0; i < n; i++)
        if (path[i].room >= room && (!best || path[i].srtt < best->srtt))
            best = &path[i];
    return best;
}

/* Bytes that the fast path would send while a packet is under way on the slow one. */
static double meanwhile(const struct tvl_sched_path *fast, const struct tvl_sched_path *slow,
                        size_t datagram)
{
    const double rounds = (double)slow->srtt / (double)(fast->srtt ? fast->srtt : 1);

    return ((double)fast->cwnd + (double)datagram * (rounds - 1) / 2) * rounds;
}

static void learn(struct blest *b, const struct tvl_sched_path *fast,
                  const struct tvl_sched_packet *pkt, tvl_time now)
{
    const bool blocked = pkt->credit < pkt->bytes;

    if (now < b->changed_at + fast->srtt)
        return;
    b->changed_at = now;
    b->more += blocked ? STEP : -STEP;
    b->more = b->more < 0 ? 0 : b->more > MOST ? MOST : b->more;
}

static int blest_pick(void *s, const struct tvl_sched_path *path, size_t n,
                      const struct tvl_sched_packet *pkt, tvl_time now)
{
    struct blest *b = s;
    const struct tvl_sched_path *fast = fastest(path, n, 0);
    const struct tvl_sched_path *p = fastest(path, n, pkt->bytes);

    learn(b, fast, pkt, now);
    if (!p)
        return TVL_SCHED_NONE;
    if (p->srtt > fast->srtt && pkt->credit != UINT64_MAX &&
        (1 + b->more) * meanwhile(fast, p, pkt->bytes) + (double)pkt->bytes > (double)pkt->credit)
        return TVL_SCHED_NONE;
    return (int)(p - path);
}

const struct tvl_sched_ops tvl_sched_blest = { .name = "blest", .pick = blest_pick };
