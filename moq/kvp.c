/* kvp.c - see kvp.h. */
#include "kvp.h"

#include <assert.h>

#define DYNAMIC_GROUPS 0x30 /* track property */

int moq_kvp_read(struct moq_reader *r, struct moq_kvp *kvp)
{
    if (!r->failed && moq_reader_left(r) == 0)
        return 0;
    uint64_t delta = moq_read_vi64(r);
    if (r->failed || delta > UINT64_MAX - kvp->type)
        return MOQ_ERR_WIRE;
    kvp->type += delta;
    kvp->value = 0;
    kvp->bytes = (struct moq_bytes){ 0 };
    if (kvp->type % 2 == 0)
        kvp->value = moq_read_vi64(r);
    else
        kvp->bytes = moq_read_prefixed(r, MOQ_KVP_VALUE_MAX);
    return r->failed ? MOQ_ERR_WIRE : 1;
}

void moq_kvp_write(struct moq_writer *w, uint64_t *last, const struct moq_kvp *kvp)
{
    assert(kvp->type >= *last);
    moq_write_vi64(w, kvp->type - *last);
    if (kvp->type % 2 == 0)
        moq_write_vi64(w, kvp->value);
    else
        moq_write_prefixed(w, kvp->bytes);
    *last = kvp->type;
}

bool moq_kvp_valid(struct moq_bytes b)
{
    struct moq_reader r = moq_reader_of(b.bytes, b.len);
    struct moq_kvp kvp = { 0 };
    int got;
    while ((got = moq_kvp_read(&r, &kvp)) > 0)
        ;
    return got == 0;
}

bool moq_kvp_has_mandatory(struct moq_bytes b)
{
    struct moq_reader r = moq_reader_of(b.bytes, b.len);
    struct moq_kvp kvp = { 0 };
    while (moq_kvp_read(&r, &kvp) > 0)
        if (kvp.type >= MOQ_MANDATORY_FIRST && kvp.type <= MOQ_MANDATORY_LAST)
            return true;
    return false;
}

bool moq_has_dynamic_groups(struct moq_bytes track_properties)
{
    struct moq_reader r = moq_reader_of(track_properties.bytes, track_properties.len);
    struct moq_kvp pair = { 0 };
    while (moq_kvp_read(&r, &pair) == 1)
        if (pair.type == DYNAMIC_GROUPS)
            return pair.value == 1;
    return false;
}
