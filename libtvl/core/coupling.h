/*
 * coupling.h - paths that share a bottleneck are coupled, others are not.
 *
 *     acknowledgements ─► sbd.h: statistics of each path ─► every 350 ms: who is in a group
 *                                                                │
 *     cc.growth, cc.harsher of its paths ◄── struct tvl_couple_ops (<tvl/cc.h>)
 *
 * Slow start is not slowed (RFC 6356 3: only congestion avoidance is linked). A group is believed
 * once TVL_COUPLING_SURE more intervals have found it than have not, so that one odd interval
 * neither makes nor ends it.
 *
 * Memory: nothing for a connection of one path, or without coupling; else about 2 KiB per path.
 */
#ifndef TVL_CORE_COUPLING_H
#define TVL_CORE_COUPLING_H

#include "conn.h"
#include "path.h"
#include "sbd.h"

#define TVL_COUPLING_SURE 4  /* intervals */
#define TVL_COUPLING_MOST 12 /* intervals: a belief ends after MOST - SURE others */

struct tvl_shared { /* what is known of one path */
    struct tvl_sbd sbd;
    unsigned group;                /* 0: shares with none */
    uint8_t votes[TVL_PATH_SLOTS]; /* by slot of the connection, of lower ones only */
    uint64_t lost_seen;            /* packets */
    uint64_t mark, between;        /* bytes delivered at the last loss, and before it */
    tvl_time lost_at;
};

/* Packets of the path were acknowledged. */
void tvl_coupling_heard(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now);
/* A path comes or goes: slots have moved. */
void tvl_coupling_forget(struct tvl_conn *conn);
unsigned tvl_coupling_group(const struct tvl_path *p);

#endif
