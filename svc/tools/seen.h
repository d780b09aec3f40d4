/*
 * seen.h - what a viewer of a layered file sees, picture by picture of the source: which layer, how
 * near to the source, and how often nothing new. Pure.
 */
#ifndef SEEN_H
#define SEEN_H

#include "svc/svc.h"

struct likeness { /* of luma with the source's, at the source's size */
    double ssim;  /* [-1, 1] */
    double psnr;  /* dB; 100: equal */
};

struct seen { /* zero is an empty one; seen_fini */
    struct likeness *each;
    size_t n, cap;   /* pictures of the source from the first shown to the last */
    uint64_t frozen; /* of which: the one before was still shown */
    uint64_t shown[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX]; /* of which: by the highest layer in it */
    struct likeness shown_sum[SVC_SPATIAL_MAX];
    /* Every layer that was decoded, whether a higher one was shown or not. */
    uint64_t layer[SVC_SPATIAL_MAX], layer_bytes[SVC_SPATIAL_MAX];
    struct likeness layer_sum[SVC_SPATIAL_MAX];
};

void seen_layer(struct seen *s, unsigned spatial, size_t bytes, struct likeness l);
/* 0 or SVC_ERR_NOMEM. */
int seen_shown(struct seen *s, struct svc_layer best, struct likeness l);
int seen_frozen(struct seen *s, struct likeness l);
void seen_fini(struct seen *s);

struct seen_summary {
    struct likeness mean, p5; /* 5th percentile: a picture in twenty is worse */
};
/* All zero while n is 0. */
struct seen_summary seen_summary(const struct seen *s);
/* Pictures whose highest layer is of spatial layer `spatial`, and their mean likeness. */
uint64_t seen_by_spatial(const struct seen *s, unsigned spatial, struct likeness *mean);
struct likeness seen_layer_mean(const struct seen *s, unsigned spatial);
/* SSIM in dB, [0, 100]: -10 log10(1 - ssim). */
double seen_db(double ssim);

#endif
