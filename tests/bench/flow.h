/*
 * flow.h - one endless transfer over one path by one congestion controller, measured on virtual
 * time (net.h): what it delivered, how long packets stood in the bottleneck's queue, what was lost.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include <tvl/select.h>

#include "net.h"

#define FLOW_SPAN 30000000u /* us measured by default, from the first byte */
#define FLOW_SWAPS_MAX 32
#define FLOW_MODELS 3         /* times at which the path's model is kept: */
#define FLOW_WAITS 8          /* steps of the queue's distribution, by doubling from */
#define FLOW_SETTLED 5000000u /* us after which a change of the controller is no first choice */
#define FLOW_WAIT_LEAST 5000u /* us */

struct flow_sample {               /* of the sender, now and then */
    tvl_time at;                   /* us since the first byte */
    tvl_time srtt, rtt_min, queue; /* us; how long the newest packet stood in the queue */
    uint64_t cwnd, in_flight, goodput_bps, lost; /* bytes; bits/s since the last; packets so far */
    uint64_t carried; /* bytes that have left the link so far, whatever their order */
};

struct flow_job {
    const char *cc;               /* NULL: the library's default */
    enum tvl_objective objective; /* chosen while it runs, by `knowledge` (may be NULL) */
    const struct tvl_knowledge *knowledge;
    const struct vlink_config *link; /* towards the receiver; the way back has only its delay */
    uint64_t seed;
    tvl_time span; /* us measured; 0: FLOW_SPAN */
    tvl_time skip; /* us left out at the beginning */
    tvl_time
        deadline; /* us from sending to arrival, of the objective and run_result.in_time; 0: none */
    tvl_time model_at[FLOW_MODELS]; /* us since the first byte; 0: not wanted */
    tvl_time every;                 /* us between samples; 0: none */
    void (*sample)(void *user, const struct flow_sample *s);
    void *user;
    /* change the controller at swap_at[i] (us since the first byte, rising) to swap_to[i] */
    unsigned swaps;
    tvl_time swap_at[FLOW_SWAPS_MAX];
    const char *swap_to[FLOW_SWAPS_MAX];
};

struct run_result {
    bool whole;         /* it lasted; every byte came once, and as it was sent */
    double goodput_bps; /* of stream bytes in order */
    double
        capacity_bps; /* what the link could have carried meanwhile, headers counted; 0: no end */
    double queue_mean_ms; /* in the bottleneck's queue, of a delivered or lost packet */
    double queue_p95_ms;
    double in_time; /* share of the bytes delivered whose packet was there within the deadline */
    double within[FLOW_WAITS]; /* share of them whose packet waited FLOW_WAIT_LEAST << i at most */
    double loss;               /* share of packets declared lost for good */
    double marked;             /* share marked CE */
    double cwnd_mean;          /* bytes; only with `every` */
    uint64_t swaps, swaps_later;                 /* of the selector; of them after FLOW_SETTLED */
    const char *cc;                              /* the last one in use */
    struct tvl_path_model model;                 /* what the path's own model was at the end, */
    struct tvl_path_model model_at[FLOW_MODELS]; /* and at those times; rtt_min 0: it was not */
};

/* With the defaults above. `pki` of net.h is made once and kept for the process. */
struct run_result cc_run(const char *cc, const struct vlink_config *link, uint64_t seed);
struct run_result flow_run(const struct flow_job *job);

/* NULL: it could not be made. */
const struct test_pki *flow_pki(void);

#endif
