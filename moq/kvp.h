/* kvp.h - Key-Value-Pairs (draft-18 "Key-Value-Pair Structure"): Setup Options and Properties.
 * Types are coded as differences; an even type has one vi64, an odd type a length and bytes. */
#ifndef MOQ_KVP_H
#define MOQ_KVP_H

#include "wire.h"

#define MOQ_KVP_VALUE_MAX 65535    /* bytes of an odd type's value */
#define MOQ_MANDATORY_FIRST 0x4000 /* Mandatory Track Properties: not understood, not processed */
#define MOQ_MANDATORY_LAST 0x7fff

struct moq_kvp {
    uint64_t type;
    uint64_t value;         /* even types */
    struct moq_bytes bytes; /* odd types */
};

/* 1: one pair read; 0: the input is over; MOQ_ERR_WIRE. Set `kvp->type` to 0 before the first. */
int moq_kvp_read(struct moq_reader *r, struct moq_kvp *kvp);
/* `*last` is the type written before, 0 at first; types must not descend. */
void moq_kvp_write(struct moq_writer *w, uint64_t *last, const struct moq_kvp *kvp);
/* Whether all of `b` reads as pairs. */
bool moq_kvp_valid(struct moq_bytes b);
/* Whether a type of the mandatory range occurs; we understand none of them. */
bool moq_kvp_has_mandatory(struct moq_bytes b);

#endif
