/*
 * sched.h - how to write a path scheduler.
 *
 * One question, asked once per packet: on which path does this packet leave now? None means "hold
 * it"; the question then comes again for what is to be sent after it. What to send, in which order,
 * and what to send again is decided before the question is asked. A scheduler reads path views and
 * never changes a path. Suspect and unvalidated paths are not shown to it; backup paths, and paths
 * that have not proved for long that they deliver, only when there is no other.
 */
#ifndef TVL_SCHED_H
#define TVL_SCHED_H

#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_SCHED_STATE_MAX 256 /* bytes of private state, aligned to 8, zeroed before init */
#define TVL_SCHED_NONE (-1)

struct tvl_sched_path { /* read-only view of one path that may carry data */
    uint32_t id;
    tvl_time srtt, rttvar; /* us */
    tvl_time rtt_min;      /* us; 0: no sample yet */
    uint64_t room;         /* bytes congestion control and pacing allow now; 0: none */
    uint64_t cwnd, in_flight;
    uint64_t rate_bps; /* bits/s */
};

struct tvl_sched_packet {
    size_t bytes;      /* about how many it will have */
    uint64_t rank;     /* of its first stream, see tvl_stream_set_rank */
    tvl_time deadline; /* of its first stream */
    bool again;        /* it was lost before: the receiver may be waiting for it alone */
    uint64_t waiting;  /* bytes that wait and are no less urgent, these included */
    uint64_t credit;   /* bytes the peer takes before it must read; UINT64_MAX: it matters not */
};

struct tvl_sched_ops {
    const char *name;
    void (*init)(void *s, tvl_time now); /* optional */
    /* Index into `path` [0, n) of one with room, or TVL_SCHED_NONE. `n` is at least 1. */
    int (*pick)(void *s, const struct tvl_sched_path *path, size_t n,
                const struct tvl_sched_packet *pkt, tvl_time now);
};

extern const struct tvl_sched_ops *const tvl_sched_all[];     /* ends with NULL */
const struct tvl_sched_ops *tvl_sched_find(const char *name); /* NULL when unknown */

#ifdef __cplusplus
}
#endif
#endif
