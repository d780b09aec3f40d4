/*
 * supplier.h - from viewers to the live encoder: takes what workers say of the best viewer each has
 * (struct supplier_viewer), has it decided what is coded at which rates (supply.h), and orders
 * that. On the main loop.
 *
 * The best viewer: who has the highest spatial layer going well, of these who has the highest rate;
 * one is kept until another is clearly better. Its faults are what counts; so nobody's bad paths
 * touch what another one sees.
 */
#ifndef SERVER_SUPPLIER_H
#define SERVER_SUPPLIER_H

#include <tvl/tvl.h>

#include "encoder_orders.h"
#include "sender.h"
#include "tracks.h"

#define SUPPLIER_BETTER_PERCENT 125u /* rate that makes another viewer the best */
#define SUPPLIER_YOUNG_US 1000000    /* nothing is known of a viewer that has just come */

struct supplier_viewer { /* what a worker says of one viewer */
    uint64_t id;
    uint8_t takes; /* lowest spatial layers that it takes; 0: there is no such viewer */
    int top;       /* highest spatial layer going well, -1: none */
    uint64_t age_us;
    uint64_t rate_bps; /* that all live paths are sure to carry */
    uint64_t delivered_bps;
    uint32_t paths;          /* that are up */
    uint32_t queue_us;       /* that what is queued for it takes at that rate */
    struct supply_input sum; /* its counts of units, from its beginning; the rest is zero */
};
/* Whether it is better, by `percent` of the rate where both have the same layers. */
bool supplier_is_better(const struct supplier_viewer *v, const struct supplier_viewer *than,
                        unsigned percent);
/* Of `n`, some perhaps without a viewer, the best; the one with ID `kept` (0: none) unless another
 * is clearly better. NULL: nobody takes anything. */
const struct supplier_viewer *supplier_choose(const struct supplier_viewer *v, size_t n,
                                              uint64_t kept);

struct supplier_told { /* a spatial layer's own rate, bits/s, 0 while it was left out */
    uint32_t now_bps, min_bps;
    uint64_t sum, us; /* over the time in which somebody took the layer: bps x us, us */
};

struct supplier {
    struct encoder_orders *orders; /* NULL: nothing is encoded, all calls do nothing */
    const struct svc_stream_info *info;
    struct sender sender;     /* its supply */
    FILE *log;                /* of decisions; NULL: none */
    struct supply_input next; /* what is constant, and the least queue so far */
    struct supply_decision now;
    uint8_t wanted;      /* layers that somebody took when that was decided */
    tvl_time decided_at; /* 0: not yet */
    bool has_best;
    uint64_t best;            /* its ID */
    struct supply_input base; /* its counts at the last decision, as totals */
    struct supplier_told told[SVC_SPATIAL_MAX];
};

/* `info` for the supplier's life. `bitrate_bps`: as configured, of each spatial layer. */
void supplier_init(struct supplier *s, struct encoder_orders *orders,
                   const struct svc_stream_info *info, const uint32_t bitrate_bps[SVC_SPATIAL_MAX],
                   uint64_t latency_us);
/* A worker has said how its best viewer is: for each. */
void supplier_hear(struct supplier *s, const struct supplier_viewer *v);
/* `v`: the best of each worker; `wanted`: so many lowest layers are taken by somebody. Decides if
 * it is time. True: the rates of the layers are others than before, see supplier.now. */
bool supplier_tick(struct supplier *s, const struct supplier_viewer *v, size_t n, uint8_t wanted,
                   tvl_time now);
/* Decides now: somebody has asked for a layer. As supplier_tick. */
bool supplier_decide(struct supplier *s, const struct supplier_viewer *v, size_t n, uint8_t wanted,
                     tvl_time now);

#endif
