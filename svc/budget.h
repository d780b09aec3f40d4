/*
 * budget.h - rate control of one spatial layer of a file coded in two passes: which quantizer each
 * picture gets, so that all are about equally good and the file meets the layer's rate.
 *
 *     bits of a picture = those of the first pass * 2^(steps(its quantizer) - steps(now))
 *
 * One quantizer for all pictures is sought with which the file has its bits. Where two seconds
 * would then take more than PEAK times the target, or one picture more than LUMP_S of it, those are
 * coarser and the others finer, until both hold. While the second pass runs the quantizers of what
 * is to come are moved together: by what bits turned out against what was expected of late, and by
 * what was spent too much or too little, to be made up for until the end of the file. Pure but for
 * the memory of the plan.
 */
#ifndef SVC_BUDGET_H
#define SVC_BUDGET_H

#include "rate.h"

#define SVC_BUDGET_PEAK 1.5 /* times the target, over any two seconds */

struct svc_budget_config {
    double target_bps; /* > 0 */
    double fps;
    const struct svc_first_pass *first; /* borrowed for the call */
    unsigned spatial;
};

struct svc_budget_picture {
    double bits;      /* of the first pass */
    double quantizer; /* of temporal layer 0, planned */
    double want;      /* bits expected at it */
};

struct svc_budget { /* zero: not made */
    struct svc_budget_picture *plan;
    size_t n, at;       /* pictures; the next one */
    unsigned window;    /* pictures of two seconds */
    double bits_second; /* of the target */
    double fps;
    double first_quantizer;
    double left, debt; /* bits: planned for what is to come; spent beyond plan, or saved < 0 */
    double expected, turned; /* bits of late: by the first pass, and as coded */
    double keep;             /* weight of the past in these two, per picture */
    double moved;            /* quantizer steps, all pictures by now */
    double chosen;           /* quantizer of the picture at hand, its place in the cascade apart */
    double rounded;          /* quantizer steps that rounding has held back */
    double spent[SVC_RATE_WINDOW_MAX]; /* bits, ring by picture */
};

/* Quantizer of a first pass before a second that has this target: the nearer it is to those of the
 * second, the better that one's bits are foretold. */
uint8_t svc_budget_first_quantizer(double target_bps, double fps, uint32_t pixels);

/* 0 or SVC_ERR_NOMEM. */
int svc_budget_init(struct svc_budget *b, const struct svc_budget_config *cfg);
void svc_budget_fini(struct svc_budget *b);
/* Quantizer [0, 63] for the next picture's unit. Pictures beyond the plan are as its last one. */
uint8_t svc_budget_quantizer(struct svc_budget *b, enum svc_rate_kind kind);
/* That unit has so many bytes. */
void svc_budget_coded(struct svc_budget *b, size_t bytes);
/* The layer is left out of the next picture: its bits are not given to others. */
void svc_budget_skipped(struct svc_budget *b);

#endif
