/*
 * rate.h - rate control of one spatial layer: which quantizer makes the layer meet its bit rate.
 *
 *     bits of a unit = 2^(cost - SLOPE * quantizer), the cost learnt per kind of unit
 *
 *     target per picture - what is due of loans = what a picture may spend; what was spent beyond
 *     it is the debt, to be paid back within a fifth of a second
 *
 * A key picture is a loan that its followers pay off in equal parts, up to the next one or for two
 * seconds: the quantizer moves once when it is taken, not down and up around every key picture. So
 * no window of two seconds strays far, and the quantizer stays where it is while the scene does.
 * A unit that costs twice what was expected is a scene cut: what was learnt of all kinds moves with
 * it at once. Pure: no clock, no allocation.
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
#define SVC_RATE_LONG_FINER 2   /* quantizer steps: long-term references are read for longer */

struct svc_rate {
    struct svc_rate_config cfg;
    double bits_per_picture;
    unsigned window, ahead;          /* pictures: of a loan, and in which a debt is paid */
    double due[SVC_RATE_WINDOW_MAX]; /* bits, ring by picture: parts of loans */
    double debt;                     /* bits; negative: saved */
    uint64_t pictures;
    double cost[SVC_RATE_KINDS]; /* log2 bits at quantizer 0 */
    bool learnt[SVC_RATE_KINDS];
    double quantizer; /* of temporal layer 0 */
    bool cut; /* another scene begins with the next unit that is not of an upper temporal layer */
    double rounded; /* quantizer steps that rounding has held back */
    bool started;
};

void svc_rate_init(struct svc_rate *rc, const struct svc_rate_config *cfg);
/* Quantizer [0, 63] for the next unit. */
uint8_t svc_rate_quantizer(struct svc_rate *rc, enum svc_rate_kind kind);
void svc_rate_coded(struct svc_rate *rc, enum svc_rate_kind kind, uint8_t quantizer, size_t bytes);
/* A unit that was due is left out on purpose: it is booked at its share, so that the
 * others become no finer than they were. */
void svc_rate_skipped(struct svc_rate *rc);
/* Another scene begins with the next picture. Its T0 unit, and what comes before that, is bounded
 * and paid off as a key picture is, and what was learnt of the scene before does not count any
 * more. */
void svc_rate_cut(struct svc_rate *rc);
/* Another target from the next unit on; debts stay what they are in pictures. */
void svc_rate_retarget(struct svc_rate *rc, double target_bps);
/* About what part of a spatial layer's rate its temporal layer gets, all together 1. */
double svc_rate_part(const struct svc_structure *st, unsigned temporal);
/* The cascade: the higher the temporal layer the fewer read it, and the coarser it may be. */
uint8_t svc_rate_cascade(uint8_t quantizer, enum svc_rate_kind kind);

#endif
