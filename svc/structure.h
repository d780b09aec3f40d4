/*
 * structure.h - the reference structure of LxTy: which slots a unit of a layer reads and writes.
 *
 * Slot s holds the last unit of spatial layer s at temporal layer 0; slot n_spatial + s that at
 * temporal layer 1, whose top spatial layer is read by nobody and so is not kept. Pure functions.
 */
#ifndef SVC_STRUCTURE_H
#define SVC_STRUCTURE_H

#include "svc/svc.h"

#define SVC_NO_SLOT 0xff

struct svc_structure {
    uint8_t n_spatial;  /* [1, 3] */
    uint8_t n_temporal; /* [1, 2] */
};

struct svc_refs {
    bool key;      /* fills every slot */
    uint8_t last;  /* slot of the same spatial layer's prediction in time, or SVC_NO_SLOT */
    uint8_t below; /* slot of the spatial layer below in the same picture, or SVC_NO_SLOT */
    uint8_t keep;  /* slot that is refreshed, or SVC_NO_SLOT */
};

/* Temporal layer of the picture `since_key` pictures after the key picture. */
uint8_t svc_structure_temporal(const struct svc_structure *st, uint64_t since_key);
struct svc_refs svc_structure_refs(const struct svc_structure *st, struct svc_layer layer,
                                   bool key_picture);

#endif
