/* parse.c - see parse.h: what is common, and AV1. */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

static const struct svc_parser_ops *const all[] = { &svc_parser_av1, &svc_parser_vp9,
                                                    &svc_parser_h264 };

int svc_parser_init(struct svc_parser *p, enum AVCodecID id, const uint8_t *extradata, size_t len)
{
    *p = (struct svc_parser){ 0 };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->id == id)
            p->ops = all[i];
    if (!p->ops)
        return SVC_ERR_FORMAT;
    return p->ops->begin ? p->ops->begin(p, extradata, len) : 0;
}

int svc_parse(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
              struct svc_parsed out[SVC_SPATIAL_MAX])
{
    const size_t room = len + p->parameters_len + SVC_PARSE_MORE;

    if (len < 1 || len > SVC_SPATIAL_MAX * SVC_UNIT_MAX)
        return SVC_ERR_FORMAT;
    if (room > p->cap) {
        uint8_t *more = realloc(p->bytes, room);

        if (!more)
            return SVC_ERR_NOMEM;
        p->bytes = more;
        p->cap = room;
    }
    const int n = p->ops->picture(p, bytes, len, picture, out);

    for (int i = 0; i < n; i++)
        if (out[i].len < 1 || out[i].len > SVC_UNIT_MAX)
            return SVC_ERR_FORMAT;
    return n;
}

void svc_parser_rewind(struct svc_parser *p)
{
    p->slots = (struct svc_tracker){ 0 };
}

void svc_parser_fini(struct svc_parser *p)
{
    free(p->bytes);
    free(p->parameters);
    *p = (struct svc_parser){ 0 };
}

struct svc_deps svc_parser_derive(const struct svc_parser *p, uint8_t refreshes,
                                  const uint8_t *slots, size_t n)
{
    struct svc_deps deps = { .refreshes = refreshes };
    uint8_t seen = 0;

    for (size_t i = 0; i < n; i++) {
        const uint8_t slot = slots[i];

        if (seen >> slot & 1 || !p->slots.slot[slot].valid)
            continue;
        seen = (uint8_t)(seen | 1u << slot);
        deps.reads[deps.n_reads++] = (struct svc_read){
            .slot = slot,
            .spatial = p->slots.slot[slot].spatial,
            .picture = p->slots.slot[slot].picture,
        };
    }
    return deps;
}

void svc_parser_settle(struct svc_parser *p, const struct svc_parsed *part, uint8_t refreshes,
                       uint64_t picture)
{
    const struct svc_unit unit = {
        .picture = picture, .layer = part->layer, .key = part->key, .deps.refreshes = refreshes
    };

    svc_tracker_decoded(&p->slots, &unit);
    for (int s = 0; s < SVC_SLOTS; s++)
        if (refreshes >> s & 1)
            p->sizes[s] = (struct svc_vp9_size){ part->width, part->height };
}

/* ---- AV1 ---- */

static int take_sequence(struct svc_parser *p, const uint8_t *bytes, size_t len)
{
    const uint8_t *at = bytes;
    struct svc_obu obu;

    while (svc_obu_next(&at, bytes + len, &obu) == 1) {
        if (obu.type != SVC_OBU_SEQUENCE)
            continue;
        const int err = svc_sequence_parse(&p->sequence, obu.payload, obu.payload_len);

        p->has_sequence = err == 0;
        return err;
    }
    return SVC_ERR_FORMAT;
}

static int av1_part(struct svc_parser *p, const struct svc_part *part, uint64_t picture,
                    struct svc_parsed *out)
{
    struct svc_frame f;

    if (part->has_sequence && take_sequence(p, p->bytes + part->at, part->len) < 0)
        return SVC_ERR_FORMAT;
    if (!p->has_sequence || svc_frame_parse(&f, &p->sequence, part->frame, part->frame_len) < 0 ||
        f.shows_existing)
        return SVC_ERR_FORMAT;
    *out = (struct svc_parsed){
        .layer = part->layer,
        .key = part->key_frame && part->has_sequence && part->layer.spatial == 0,
        .at = part->at,
        .len = part->len,
        .width = f.width ? f.width : p->sizes[f.size_slot].width,
        .height = f.width ? f.height : p->sizes[f.size_slot].height,
    };
    if (part->has_note && part->note.fps_num) {
        p->fps_num = part->note.fps_num;
        p->fps_den = part->note.fps_den;
    }
    if (!part->has_note)
        out->deps = svc_parser_derive(p, f.refreshes, f.ref_slot, f.n_refs);
    else if (svc_deps_decode(&out->deps, picture, part->note.deps, part->note.deps_len) < 0)
        return SVC_ERR_FORMAT;
    svc_parser_settle(p, out, f.refreshes, picture);
    return 0;
}

static int av1_picture(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
                       struct svc_parsed out[SVC_SPATIAL_MAX])
{
    struct svc_part parts[SVC_SPATIAL_MAX];
    const int n = svc_obu_split(bytes, len, p->bytes, parts);

    for (int i = 0; i < n; i++) {
        const int err = av1_part(p, &parts[i], picture, &out[i]);

        if (err < 0)
            return err;
    }
    return n;
}

static void av1_codec(const struct svc_parser *p, const struct svc_stream_info *info, char *out,
                      size_t size)
{
    (void)info;
    svc_sequence_codec(&p->sequence, out, size);
}

const struct svc_parser_ops svc_parser_av1 = {
    .id = AV_CODEC_ID_AV1,
    .picture = av1_picture,
    .codec = av1_codec,
};
