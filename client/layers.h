/*
 * layers.h - the account of layers: per layer how many units were expected, came, came in time and
 * were shown, counted as each picture's playout time passes. Pure.
 */
#ifndef CLIENT_LAYERS_H
#define CLIENT_LAYERS_H

#include "picture.h"

struct layers_count {
    uint64_t expected; /* units of pictures whose playout time passed, from the first shown on */
    uint64_t arrived;  /* of those, that came at all */
    uint64_t in_time;  /* of those, that were there when their picture was decoded */
    uint64_t shown;    /* pictures shown that include the layer */
    uint64_t received; /* units that came, counted as they came */
    uint64_t best;     /* pictures shown of which it was the best layer */
};

struct layers {
    uint8_t n_spatial, n_temporal;
    bool subscribed[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    struct layers_count count[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    bool counting;      /* the first picture to show was decoded */
    uint64_t first;     /* that one */
    uint64_t passed;    /* pictures below were passed */
    uint64_t last_t0;   /* last picture known to be of temporal layer 0 */
    uint64_t base_lost; /* pictures passed without anything to show */
};

/* Temporal layer of picture `number`: `p`'s own, or by the dyadic pattern since the last T0. */
uint8_t layers_temporal(const struct layers *l, const struct picture *p, uint64_t number);
/* A unit was taken into the window. */
void layers_arrived(struct layers *l, const struct svc_unit *unit);
/* The turn of `number` came; `p` is what was there of it or NULL, `decoded` whether that makes a
 * picture to show. A turn that comes a second time after a rebuffering is not counted again. */
void layers_passed(struct layers *l, uint64_t number, const struct picture *p, bool decoded);
/* A picture whose best layer is `best` went to the screen. */
void layers_shown(struct layers *l, struct svc_layer best);

#endif
