/*
 * score.h - what was on the display, judged: likeness to the source, freezes, delay, layers.
 *
 * Judged are the source's pictures from the first one shown to the last of the run. A picture that
 * is not shown leaves the last one on the display, which is compared with what should be there.
 */
#ifndef QUALITY_SCORE_H
#define QUALITY_SCORE_H

#include "likeness.h"

#include <svc/svc.h>

#define SCORE_FREEZE_INTERVALS \
    2.5 /* a longer gap between two pictures is a freeze, as in playout.h */
#define SCORE_WORST 5
#define SCORE_SECONDS_MAX 3600 /* kept by second; later ones count in all else */
#define SCORE_WORST_APART 15   /* pictures between two of the worst */

struct score_row { /* a picture went to the display */
    uint64_t picture;
    unsigned spatial;
    double at_ms;    /* any origin */
    double delay_ms; /* from the source; negative: not known */
    double
        carried_ms; /* of that, until the last unit of what is shown had come; negative: likewise */
};

struct score_worst {
    uint64_t wanted, shown;
    unsigned spatial;
    double ssim;
};

struct score {
    uint64_t pictures; /* judged */
    uint64_t shown;
    double ssim_mean, ssim_p5, ssim_db; /* dB: -10 log10(1 - mean) */
    double psnr_mean, psnr_p5;          /* dB */
    uint64_t base_lost;                 /* pictures of temporal layer 0 that were not shown */
    uint64_t freezes;
    double frozen_ms, longest_ms;
    double delay_p50_ms, delay_p95_ms, delay_p99_ms;       /* negative: not known */
    double carried_p50_ms, carried_p95_ms, carried_p99_ms; /* from the source until it had come */
    double held_p50_ms, held_p95_ms, held_p99_ms;          /* from there to the display */
    double residency[SVC_SPATIAL_MAX + 1]; /* share of pictures: not fresh, S0, S1 ... on display */
    uint64_t switches;                     /* of the spatial layer, between pictures shown */
    unsigned seconds;
    float ssim_by_second[SCORE_SECONDS_MAX]; /* means, from the first picture shown */
    unsigned n_worst;
    struct score_worst worst[SCORE_WORST]; /* the worst first */
};

/* `rows` by rising number; `end`: the first picture that is not judged. 0, or -1: no memory, or
 * nothing to judge. */
int score_rows(struct score *out, struct likeness *l, const struct score_row *rows, size_t n,
               uint64_t end);

struct json_t;
/* Owned by the caller; NULL: no memory. */
struct json_t *score_json(const struct score *s, unsigned n_spatial);

#endif
