/*
 * supplier.h - from viewers to the live encoder: gathers what is known of the best viewer, has it
 * decided what is coded at which rates (supply.h), and orders that. On the event loop.
 *
 * The best viewer: who has the highest spatial layer going well, of these who has the highest rate;
 * one is kept until another is clearly better. Its faults are what counts; so nobody's bad paths
 * touch what another one sees.
 */
#ifndef SERVER_SUPPLIER_H
#define SERVER_SUPPLIER_H

#include "encoder_orders.h"
#include "sender.h"
#include "viewer.h"

#define SUPPLIER_BETTER_PERCENT 125u /* rate that makes another viewer the best */
#define SUPPLIER_YOUNG_US 1000000    /* nothing is known of a viewer that has just come */

struct supplier_told { /* a spatial layer's own rate, bits/s, 0 while it was left out */
    uint32_t now_bps, min_bps;
    uint64_t sum, us; /* over the time in which somebody took the layer: bps x us, us */
};

struct supplier {
    struct encoder_orders *orders; /* NULL: nothing is encoded, all calls do nothing */
    const struct svc_stream_info *info;
    struct tracks *tracks;
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

/* `info` and `tracks` for the supplier's life; the needs of the tracks are kept true to what the
 * encoder is told. `bitrate_bps`: as configured, of each spatial layer. */
void supplier_init(struct supplier *s, struct encoder_orders *orders,
                   const struct svc_stream_info *info, struct tracks *tracks,
                   const uint32_t bitrate_bps[SVC_SPATIAL_MAX], uint64_t latency_us);
/* Every 50 ms or so; decides when it is time. */
void supplier_tick(struct supplier *s, struct viewer *const *viewers, size_t n, tvl_time now);
/* Decides now: somebody has asked for a layer. */
void supplier_decide(struct supplier *s, struct viewer *const *viewers, size_t n, tvl_time now);

#endif
