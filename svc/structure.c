/* structure.c - the table of structure.h as functions; every entry is in the unit test. */
#include "structure.h"

uint8_t svc_structure_temporal(const struct svc_structure *st, uint64_t since_key)
{
    return st->n_temporal == 2 ? (uint8_t)(since_key & 1) : 0;
}

static uint8_t slot_of(const struct svc_structure *st, unsigned spatial, unsigned temporal)
{
    if (temporal > 0 && spatial + 1u == st->n_spatial)
        return SVC_NO_SLOT;
    return (uint8_t)(temporal * st->n_spatial + spatial);
}

struct svc_refs svc_structure_refs(const struct svc_structure *st, struct svc_layer layer,
                                   bool key_picture)
{
    struct svc_refs refs = { .key = key_picture && layer.spatial == 0 };
    /* Both temporal layers predict from temporal layer 0: losing T1 hurts nothing else. */
    refs.last = key_picture ? SVC_NO_SLOT : slot_of(st, layer.spatial, 0);
    refs.below = layer.spatial > 0 ? slot_of(st, layer.spatial - 1u, layer.temporal) : SVC_NO_SLOT;
    refs.keep = slot_of(st, layer.spatial, layer.temporal);
    return refs;
}
