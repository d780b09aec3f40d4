/*
 * rate.h - rate control of one spatial layer: which quantizer makes the layer meet its bit rate.
 *
 *     spent in the last 1.5 s │ to be spent in the next 0.5 s     together: what the target allows
 *     ────────────────────────┼──────────────────────────────
 *                             now
 *
 * It learns per kind of unit how many bits one costs, bits = 2^(cost - SLOPE * quantizer), knows
 * which kinds come next, and picks the quantizer at which they meet what is left of the window: no
 * window of two seconds strays far, and so does no receiver's buffer. A unit that costs twice what
 * was expected is a scene cut: what was learnt of all kinds moves with it at once. Pure: no clock,
 * no allocation.
 */
#ifndef SVC_RATE_H
#define SVC_RATE_H

#include "structure.h"

enum svc_rate_kind {
    SVC_RATE_KEY,
    SVC_RATE_REFRESH, /* predicted from the layer below, or from a long-term reference, alone */
    SVC_RATE_T0,
    SVC_RATE_T1,
    SVC_RATE_T2,
    SVC_RATE_KINDS
};

struct svc_rate_config {
    double target_bps;     /* > 0 */
    double fps;            /* pictures of all temporal layers */
    uint32_t key_interval; /* pictures, 0: none after the first */
    struct svc_structure structure;
    uint32_t pixels; /* of one picture */
};

#define SVC_RATE_WINDOW_MAX 512 /* pictures; two seconds of 240 fps fit */

struct svc_rate {
    struct svc_rate_config cfg;
    double bits_per_picture;
    unsigned window, ahead;              /* pictures: all of it, and the part to come */
    uint32_t spent[SVC_RATE_WINDOW_MAX]; /* bits, ring by picture */
    uint64_t pictures, since_key;        /* the next one's */
    double cost[SVC_RATE_KINDS];         /* log2 bits at quantizer 0 */
    bool learnt[SVC_RATE_KINDS];
    double quantizer; /* of temporal layer 0 */
    bool started;
};

void svc_rate_init(struct svc_rate *rc, const struct svc_rate_config *cfg);
/* Quantizer [0, 63] for the next unit. */
uint8_t svc_rate_quantizer(struct svc_rate *rc, enum svc_rate_kind kind);
void svc_rate_coded(struct svc_rate *rc, enum svc_rate_kind kind, uint8_t quantizer, size_t bytes);
/* A unit that was due is left out on purpose: it is booked at what it would have cost, so that the
 * others become no finer than they were. */
void svc_rate_skipped(struct svc_rate *rc, enum svc_rate_kind kind);
/* Another target from the next unit on; what was spent before is forgotten. */
void svc_rate_retarget(struct svc_rate *rc, double target_bps);
/* About what part of a spatial layer's rate its temporal layer gets, all together 1. */
double svc_rate_part(const struct svc_structure *st, unsigned temporal);
/* The cascade: the higher the temporal layer the fewer read it, and the coarser it may be. */
uint8_t svc_rate_cascade(uint8_t quantizer, enum svc_rate_kind kind);

#endif
