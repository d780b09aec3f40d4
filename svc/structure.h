/*
 * structure.h - the reference structure of a layered stream: which slots a unit reads and writes.
 *
 *     T1   every picture                 T0 T0 T0 T0
 *     T2   every other one               T0 T1 T0 T1
 *     T3   every other, every fourth     T0 T2 T1 T2
 *
 * A unit is predicted from the unit of its own spatial layer that precedes it in a lower temporal
 * layer (T0 from T0), and from the spatial layer below in the same picture; in an L..._KEY
 * structure (k-SVC) from the one below only where nothing else is to be had. The units of the
 * highest temporal layer in the top spatial layer are read by nobody and kept nowhere.
 *
 * Slots: t * n_spatial + s holds the last unit of spatial layer s, temporal layer t. Where room is
 * left, the n_spatial slots after those hold long-term references, renewed by T0 pictures only
 * while the receiver has what is there: from them a lost layer recovers at little cost.
 *
 * Pure functions of the table below; every structure is in the unit test.
 */
#ifndef SVC_STRUCTURE_H
#define SVC_STRUCTURE_H

#include "svc/svc.h"

#define SVC_NO_SLOT 0xff
#define SVC_PERIOD_MAX 4 /* pictures after which a structure repeats */

/* How one spatial layer of a picture is predicted. */
enum svc_from {
    SVC_FROM_LAST,      /* as the structure says */
    SVC_FROM_BELOW,     /* a refresh: nothing older than the picture (base layer: a key frame) */
    SVC_FROM_LONG_TERM, /* a recovery: its long-term reference instead of the last unit */
};

struct svc_plan { /* of one picture */
    bool key;
    uint64_t since_key; /* pictures */
    enum svc_from from[SVC_SPATIAL_MAX];
    bool keep_long[SVC_SPATIAL_MAX]; /* T0 only: renew the long-term reference too */
};

struct svc_refs {
    bool key;          /* fills every slot */
    uint8_t last;      /* slot of the same spatial layer that is read, or SVC_NO_SLOT */
    uint8_t below;     /* slot of the spatial layer below, read, or SVC_NO_SLOT */
    uint8_t keep;      /* slot that is refreshed, or SVC_NO_SLOT */
    uint8_t keep_long; /* likewise, of the long-term references */
};

/* True: the slots suffice (8), and every range above holds. */
bool svc_structure_valid(const struct svc_structure *st);
/* Slot of the layer's long-term reference, or SVC_NO_SLOT: there are none. */
uint8_t svc_structure_long_term(const struct svc_structure *st, unsigned spatial);
/* Temporal layer of the picture `since_key` pictures after the key picture. */
uint8_t svc_structure_temporal(const struct svc_structure *st, uint64_t since_key);
/* Share of the pictures that are of the temporal layer, in (0, 1]. */
double svc_structure_share(const struct svc_structure *st, unsigned temporal);
/* A plan with SVC_FROM_LONG_TERM where there is none means SVC_FROM_BELOW. */
struct svc_refs svc_structure_refs(const struct svc_structure *st, unsigned spatial,
                                   const struct svc_plan *plan);

#endif
