/*
 * parse_vp9.c - VP9 of files: a superframe's frames are the layers, which the file hides but for
 * the last (vp9.h). Layers are told by the references: a frame that reads a frame of its own
 * picture is of the layer above that, another of the layer that it reads.
 */
#include "parse.h"

#include <string.h>

/* ---- temporal layers ---- */

static uint8_t temporal_of(unsigned n_temporal, uint64_t since_key)
{
    const struct svc_structure st = { .n_spatial = 1, .n_temporal = (uint8_t)n_temporal };

    return svc_structure_temporal(&st, since_key);
}

/* A pattern fits if pictures read lower temporal layers only, or T0 reads T0. */
static void note_pattern(struct svc_pattern *t, uint64_t picture, const struct svc_parsed *part)
{
    const uint64_t since = picture - t->key;

    if (since > t->longest)
        t->longest = since;
    for (size_t i = 0; i < part->deps.n_reads; i++) {
        const struct svc_read *r = &part->deps.reads[i];

        if (r->picture == picture)
            continue;
        for (unsigned n = 2; n <= 3; n++) {
            const unsigned from = r->picture < t->key ? 9 : temporal_of(n, r->picture - t->key);
            const unsigned own = temporal_of(n, since);

            if (from > own || (from == own && own > 0))
                t->misfit[n] = true;
        }
    }
}

static uint8_t settled(const struct svc_pattern *t)
{
    return t->longest >= 4 && !t->misfit[3] ? 3 : t->longest >= 2 && !t->misfit[2] ? 2 : 1;
}

/* ---- layers ---- */

static uint8_t spatial_of(const struct svc_deps *deps, uint64_t picture)
{
    uint8_t own = 0;

    for (size_t i = 0; i < deps->n_reads; i++)
        if (deps->reads[i].picture == picture)
            return deps->reads[i].spatial + 1;
    for (size_t i = 0; i < deps->n_reads; i++)
        own = deps->reads[i].spatial > own ? deps->reads[i].spatial : own;
    return own;
}

static int vp9_layer(struct svc_parser *p, const struct svc_span *frame, uint64_t picture,
                     struct svc_parsed *out, size_t at)
{
    struct svc_vp9_frame f;

    if (svc_vp9_parse(&f, frame->bytes, frame->len, p->sizes) < 0 || f.shows_existing)
        return SVC_ERR_FORMAT;
    const int len = svc_vp9_show(frame->bytes, frame->len, p->sizes, true, p->bytes + at);

    if (len < 0)
        return len;
    if (f.key) {
        p->pattern.key = picture;
        p->profile = f.profile;
    }
    *out = (struct svc_parsed){ .key = f.key,
                                .at = at,
                                .len = (size_t)len,
                                .width = f.size.width,
                                .height = f.size.height,
                                .deps = svc_parser_derive(p, f.refreshes, f.ref_slot, f.n_refs) };
    out->layer.spatial = f.key ? 0 : spatial_of(&out->deps, picture);
    if (out->layer.spatial >= SVC_SPATIAL_MAX)
        return SVC_ERR_FORMAT;
    if (p->pattern.n_temporal)
        out->layer.temporal = temporal_of(p->pattern.n_temporal, picture - p->pattern.key);
    else
        note_pattern(&p->pattern, picture, out);
    svc_parser_settle(p, out, f.refreshes, picture);
    return 0;
}

/* Of an encoder without layers: hidden frames and the one shown go together. */
static int vp9_whole(struct svc_parser *p, const struct svc_span *frames, int n, const uint8_t *all,
                     size_t len, uint64_t picture, struct svc_parsed *out)
{
    uint8_t reads[SVC_SLOTS], refreshes = 0;
    size_t n_reads = 0;
    bool key = false;

    *out = (struct svc_parsed){ .len = len };
    for (int i = 0; i < n; i++) {
        struct svc_vp9_frame f;

        if (svc_vp9_parse(&f, frames[i].bytes, frames[i].len, p->sizes) < 0)
            return SVC_ERR_FORMAT;
        for (int r = 0; r < f.n_refs; r++)
            if (!(refreshes >> f.ref_slot[r] & 1) && n_reads < SVC_SLOTS)
                reads[n_reads++] = f.ref_slot[r];
        refreshes |= f.refreshes;
        key |= i == 0 && f.key;
        if (f.shows_existing)
            continue;
        out->width = f.size.width;
        out->height = f.size.height;
        for (int s = 0; s < SVC_SLOTS; s++)
            if (f.refreshes >> s & 1)
                p->sizes[s] = f.size;
    }
    memcpy(p->bytes, all, len);
    out->key = key;
    out->deps = svc_parser_derive(p, refreshes, reads, key ? 0 : n_reads);
    p->pattern.misfit[2] = p->pattern.misfit[3] = true;
    svc_parser_settle(p, out, refreshes, picture);
    return 1;
}

/* Whether each frame can be taken for a layer: resilient, and not smaller than the one before. */
static bool layered(const struct svc_parser *p, const struct svc_span *frames, int n)
{
    for (int i = 0; i < n; i++) {
        struct svc_vp9_frame f;

        if (svc_vp9_parse(&f, frames[i].bytes, frames[i].len, p->sizes) < 0 || f.shows_existing ||
            !f.error_resilient || (i > 0 && f.key))
            return false;
    }
    return n <= SVC_SPATIAL_MAX;
}

static int vp9_picture(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
                       struct svc_parsed out[SVC_SPATIAL_MAX])
{
    struct svc_span frames[SVC_VP9_FRAMES_MAX];
    const int n = svc_vp9_split(bytes, len, frames);
    size_t at = 0;

    if (n < 0)
        return n;
    if (!layered(p, frames, n))
        return vp9_whole(p, frames, n, bytes, len, picture, out);
    for (int i = 0; i < n; i++) {
        const int err = vp9_layer(p, &frames[i], picture, &out[i], at);

        if (err < 0)
            return err;
        if (i > 0 && out[i].layer.spatial <= out[i - 1].layer.spatial)
            return SVC_ERR_FORMAT;
        at += out[i].len;
    }
    return n;
}

static void vp9_codec(const struct svc_parser *p, const struct svc_stream_info *info, char *out,
                      size_t size)
{
    svc_vp9_codec(p->profile, info->width, info->height,
                  info->fps_den ? (double)info->fps_num / info->fps_den : 0, out, size);
}

/* After a whole pass: the temporal layers are known from now on. */
void svc_parser_settle_pattern(struct svc_parser *p)
{
    if (p->ops == &svc_parser_vp9 && !p->pattern.n_temporal)
        p->pattern.n_temporal = settled(&p->pattern);
}

const struct svc_parser_ops svc_parser_vp9 = {
    .id = AV_CODEC_ID_VP9,
    .picture = vp9_picture,
    .codec = vp9_codec,
};
