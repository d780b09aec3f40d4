/*
 * sched.h - how to write a path scheduler.
 *
 * One question, asked once per packet: on which path does this packet leave now? None means "hold
 * it"; the question then comes again for what is to be sent after it. What to send, in which order,
 * and what to send again is decided before the question is asked. A scheduler reads path views and
 * never changes a path. Suspect and unvalidated paths are not shown to it; backup paths, and paths
 * that have not proved for long that they deliver, only when there is no other.
 *
 * A scheduler that wants some data on several paths answers a second question, asked once per
 * stream frame that has left: on which other paths does a copy follow?
 */
#ifndef TVL_SCHED_H
#define TVL_SCHED_H

#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_SCHED_STATE_MAX 256 /* bytes of private state, aligned to 8, zeroed before init */
#define TVL_SCHED_NONE (-1)
#define TVL_SCHED_COPIES                                                    \
    128 /* copies of frames that may wait for one path, or be watched on it \
         */
#define TVL_SCHED_WATCH                                                              \
    (UINT64_C(1) << 63)        /* answer of also(): ask again while it is under way, \
                                */
#define TVL_SCHED_REVIEW 5000u /* us apart at least */

struct tvl_sched_path { /* read-only view of one path that may carry data */
    uint32_t id;
    tvl_time srtt, rttvar; /* us */
    tvl_time rtt_min;      /* us; 0: no sample yet */
    tvl_time rtt_last;     /* us, the newest sample; 0: none since it came up */
    double spread;         /* us by which round trips were lately longer than usual */
    uint64_t room;         /* bytes congestion control and pacing allow now; 0: none */
    uint64_t cwnd, in_flight;
    uint64_t rate_bps;     /* bits/s that the controller allows */
    uint64_t capacity_bps; /* bits/s that it was seen to deliver at most, lately; 0: not known */
    bool full;          /* packets waited in its queue meanwhile: it delivers no more than that */
    double swing;       /* mean deviation of that, as a share of it, [0, 1] */
    double loss;        /* share of packets lost, of about the last hundred, [0, 1] */
    tvl_time proof_age; /* us since something was last acknowledged */
    tvl_time unproved_age; /* us since the oldest packet left of those sent after the newest
                              acknowledged one: above srtt it is overdue. 0: there is none */
};

struct tvl_sched_packet {
    size_t bytes;      /* about how many it will have */
    uint64_t rank;     /* of its first stream, see tvl_stream_set_rank; 0: control frames */
    uint32_t flow;     /* of its first stream, see tvl_stream_set_flow: the layer of a video */
    uint64_t left;     /* bytes of its first stream that wait, these included */
    tvl_time deadline; /* of its first stream */
    tvl_time age;      /* us since it left; also() only */
    bool again;        /* it was lost before: the receiver may be waiting for it alone */
    bool rescue;       /* its flow asks for that (TVL_FLOW_RESCUE); also() only */
    uint64_t waiting;  /* bytes that wait and are no less urgent, these included */
    uint64_t credit;   /* bytes the peer takes before it must read; UINT64_MAX: it matters not */
};

struct tvl_sched_ops {
    const char *name;
    bool alone; /* is asked about a path that has no other beside it too, because it may hold */
    void (*init)(void *s, tvl_time now); /* optional */
    /* Index into `path` [0, n) of one with room, or TVL_SCHED_NONE. `n` is at least 1. */
    int (*pick)(void *s, const struct tvl_sched_path *path, size_t n,
                const struct tvl_sched_packet *pkt, tvl_time now);
    /*
     * Optional. A frame of `pkt->bytes` stream bytes has just left on path[on] (room and in_flight
     * are those after it; again, waiting, left and credit are not told): bit i set says that a copy
     * is to leave on path[i] as soon as it may. With TVL_SCHED_WATCH alone it is asked again later
     * on, with pkt->age above 0, until it is acknowledged. What is owed to a path
     * counts as in flight there. How much of what
     * is sent twice is the scheduler's business; each path is owed TVL_SCHED_COPIES frames at most.
     */
    uint64_t (*also)(void *s, const struct tvl_sched_path *path, size_t n, int on,
                     const struct tvl_sched_packet *pkt, tvl_time now);
};

extern const struct tvl_sched_ops *const tvl_sched_all[];     /* ends with NULL */
const struct tvl_sched_ops *tvl_sched_find(const char *name); /* NULL when unknown */

#ifdef __cplusplus
}
#endif
#endif
