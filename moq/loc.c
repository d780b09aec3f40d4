/* loc.c - see <moq/loc.h>. Video frame marking is RFC 9626's long form: S E I D B TID(3), then the
 * layer ID, then TL0PICIDX, which we neither have nor need and leave out. */
#include <moq/loc.h>

#include <string.h>

#include "kvp.h"

#define LOC_TIMESTAMP_OLD 0x06 /* LOC -02 */

enum {
    MARK_START = 0x80,
    MARK_END = 0x40,
    MARK_INDEPENDENT = 0x20,
    MARK_DISCARDABLE = 0x10,
    MARK_BASE_SYNC = 0x08,
    MARK_TEMPORAL = 0x07
};

static void write_number(struct moq_writer *w, uint64_t *last, uint64_t type, uint64_t value)
{
    moq_kvp_write(w, last, &(struct moq_kvp){ .type = type, .value = value });
}

static void write_blob(struct moq_writer *w, uint64_t *last, uint64_t type, struct moq_bytes b)
{
    moq_kvp_write(w, last, &(struct moq_kvp){ .type = type, .bytes = b });
}

int loc_properties_encode(const struct loc_properties *p, uint8_t *out, size_t cap)
{
    if (p->temporal_id > MARK_TEMPORAL || p->dependencies_len > LOC_DEPENDENCIES_MAX)
        return MOQ_ERR_ARG;
    struct moq_writer w = moq_writer_of(out, cap);
    uint64_t last = 0;
    if (p->timescale != 0)
        write_number(&w, &last, LOC_TIMESCALE, p->timescale);
    if (p->has_marking) {
        uint8_t mark[2] = { MARK_START | MARK_END, p->layer_id }; /* one object is one frame */
        mark[0] = (uint8_t)(mark[0] | (p->independent ? MARK_INDEPENDENT : 0) |
                            (p->discardable ? MARK_DISCARDABLE : 0) |
                            (p->base_sync ? MARK_BASE_SYNC : 0) | p->temporal_id);
        write_blob(&w, &last, LOC_VIDEO_FRAME_MARKING,
                   (struct moq_bytes){ .bytes = mark, .len = sizeof mark });
    }
    if (p->has_timestamp)
        write_number(&w, &last, LOC_TIMESTAMP, p->timestamp);
    if (p->has_picture)
        write_number(&w, &last, LOC_TVL_PICTURE, p->picture);
    if (p->dependencies_len > 0)
        write_blob(&w, &last, LOC_TVL_DEPENDENCIES,
                   (struct moq_bytes){ .bytes = p->dependencies, .len = p->dependencies_len });
    if (p->captured > 0)
        write_number(&w, &last, LOC_TVL_CAPTURED, p->captured);
    if (p->encode_us > 0)
        write_number(&w, &last, LOC_TVL_ENCODE_TIME, p->encode_us);
    return w.failed ? MOQ_ERR_ARG : (int)moq_writer_len(&w);
}

static int take_marking(struct loc_properties *p, struct moq_bytes b)
{
    if (b.len < 1 || b.len > 4)
        return MOQ_ERR_WIRE;
    uint8_t mark = b.bytes[0];
    p->has_marking = true;
    p->independent = (mark & MARK_INDEPENDENT) != 0;
    p->discardable = (mark & MARK_DISCARDABLE) != 0;
    if (b.len >= 2) { /* the short form has zeros where B and TID are */
        p->base_sync = (mark & MARK_BASE_SYNC) != 0;
        p->temporal_id = mark & MARK_TEMPORAL;
        p->layer_id = b.bytes[1];
    }
    return 0;
}

static int take_pair(struct loc_properties *p, const struct moq_kvp *kvp)
{
    switch (kvp->type) {
    case LOC_TIMESTAMP_OLD:
    case LOC_TIMESTAMP:
        p->has_timestamp = true;
        p->timestamp = kvp->value;
        return 0;
    case LOC_TIMESCALE:
        p->timescale = kvp->value;
        return 0;
    case LOC_VIDEO_FRAME_MARKING:
        return take_marking(p, kvp->bytes);
    case LOC_TVL_PICTURE:
        p->has_picture = true;
        p->picture = kvp->value;
        return 0;
    case LOC_TVL_CAPTURED:
        p->captured = kvp->value;
        return 0;
    case LOC_TVL_ENCODE_TIME:
        p->encode_us = kvp->value;
        return 0;
    case LOC_TVL_DEPENDENCIES:
        if (kvp->bytes.len > LOC_DEPENDENCIES_MAX)
            return MOQ_ERR_WIRE;
        if (kvp->bytes.len > 0)
            memcpy(p->dependencies, kvp->bytes.bytes, kvp->bytes.len);
        p->dependencies_len = kvp->bytes.len;
        return 0;
    default:
        return 0;
    }
}

int loc_properties_decode(struct loc_properties *p, const uint8_t *bytes, size_t len)
{
    struct loc_properties got = { 0 };
    struct moq_reader r = moq_reader_of(bytes, len);
    struct moq_kvp kvp = { 0 };
    int rc;
    while ((rc = moq_kvp_read(&r, &kvp)) > 0)
        if (take_pair(&got, &kvp) < 0)
            return MOQ_ERR_WIRE;
    if (rc == 0)
        *p = got;
    return rc;
}

bool loc_media_time(const struct loc_properties *p, int64_t *pts_us)
{
    uint64_t scale = p->timescale ? p->timescale : 1000000;
    if (!p->has_timestamp || p->timestamp / scale > UINT64_MAX / 8 / 1000000)
        return false;
    uint64_t whole = p->timestamp / scale, rest = p->timestamp % scale;
    double fraction = (double)rest * 1e6 / (double)scale;
    *pts_us = (int64_t)(whole * 1000000 + (scale == 1000000 ? rest : (uint64_t)(fraction + 0.5)));
    return true;
}
