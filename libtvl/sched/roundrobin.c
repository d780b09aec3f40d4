/*
 * roundrobin.c - every path in turn: the next one by ID after the last that has room.
 *
 * Each path carries as many packets as its window lets it, whatever its delay: a fair baseline over
 * like paths, and over unlike ones the measure of what order costs. The "roundrobin" of Linux MPTCP
 * (Paasch, Ferlin, Alay, Bonaventure: "Experimental Evaluation of Multipath TCP Schedulers", CSWS
 * 2014), one packet a turn.
 */
#include <tvl/sched.h>

#include "all.h"

struct turn {
    uint64_t next; /* the lowest path ID whose turn it is */
};

static int roundrobin_pick(void *s, const struct tvl_sched_path *path, size_t n,
                           const struct tvl_sched_packet *pkt, tvl_time now)
{
    struct turn *t = s;
    int first = TVL_SCHED_NONE, next = TVL_SCHED_NONE;

    (void)now;
    for (size_t i = 0; i < n; i++) {
        if (path[i].room < pkt->bytes)
            continue;
        if (first < 0 || path[i].id < path[first].id)
            first = (int)i;
        if (path[i].id >= t->next && (next < 0 || path[i].id < path[next].id))
            next = (int)i;
    }
    next = next < 0 ? first : next;
    if (next >= 0)
        t->next = (uint64_t)path[next].id + 1;
    return next;
}

const struct tvl_sched_ops tvl_sched_roundrobin = { .name = "roundrobin", .pick = roundrobin_pick };
