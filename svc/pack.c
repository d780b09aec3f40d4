/* pack.c - see pack.h. */
#include "pack.h"

#include <assert.h>
#include <string.h>

static_assert(SVC_PACK_MORE >= SVC_VP9_INDEX_MAX + 1, "VP9's index fits");

/* ---- AV1 ---- */

static int av1_head(const struct svc_unit *key, uint8_t out[SVC_HEAD_MAX_BYTES])
{
    const uint8_t *at = key->bytes;
    struct svc_obu obu;

    while (svc_obu_next(&at, key->bytes + key->len, &obu) == 1) {
        if (obu.type != SVC_OBU_SEQUENCE || obu.len > SVC_HEAD_MAX_BYTES)
            continue;
        memcpy(out, obu.start, obu.len);
        return (int)obu.len;
    }
    return SVC_ERR_ARG;
}

static int av1_note(const struct svc_packer *p, const struct svc_unit *unit, uint8_t *out)
{
    uint8_t deps[SVC_DEPS_MAX_BYTES];
    const int n = svc_deps_encode(&unit->deps, unit->picture, deps, sizeof(deps));
    const size_t i = (size_t)unit->layer.temporal * p->info->n_spatial + unit->layer.spatial;
    struct svc_note note = { .deps = deps, .deps_len = n < 0 ? 0 : (size_t)n };

    if (n < 0)
        return n;
    if (unit->layer.temporal == 0 && i < p->info->n_layers) {
        note.width = p->info->layers[i].width;
        note.height = p->info->layers[i].height;
    }
    if (unit->key && p->container == SVC_OBU_FILE) {
        note.fps_num = p->info->fps_num;
        note.fps_den = p->info->fps_den;
    }
    return svc_note_write(&note, unit->layer, out, SVC_NOTE_MAX_BYTES);
}

/* Sequence header first, then our note. */
static int av1_unit(const struct svc_packer *p, const struct svc_unit *unit, uint8_t *out)
{
    const uint8_t *at = unit->bytes, *end = unit->bytes + unit->len;
    struct svc_obu obu;
    size_t head = 0;

    while (svc_obu_next(&at, end, &obu) == 1 && obu.type == SVC_OBU_SEQUENCE)
        head += obu.len;
    memcpy(out, unit->bytes, head);
    const int n = av1_note(p, unit, out + head);

    if (n < 0)
        return n;
    memcpy(out + head + n, unit->bytes + head, unit->len - head);
    return (int)unit->len + n;
}

static int av1_pack(struct svc_packer *p, const struct svc_unit *units, size_t n, uint8_t *out)
{
    int len = 0;

    if (p->container == SVC_IVF || p->container == SVC_OBU_FILE) {
        out[len++] = SVC_OBU_DELIMITER << 3 | 2; /* MKV and MP4 go without */
        out[len++] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        const int put = av1_unit(p, &units[i], out + len);

        if (put < 0)
            return put;
        len += put;
    }
    return len;
}

/* ---- VP9 ---- */

static int vp9_pack(struct svc_packer *p, const struct svc_unit *units, size_t n, uint8_t *out)
{
    size_t lens[SVC_SPATIAL_MAX];
    int len = 0;

    for (size_t i = 0; i < n; i++) {
        struct svc_vp9_frame f;

        if (svc_vp9_parse(&f, units[i].bytes, units[i].len, p->sizes) < 0)
            return SVC_ERR_ARG;
        const int put = svc_vp9_show(units[i].bytes, units[i].len, p->sizes, i + 1 == n, out + len);

        if (put < 0)
            return put;
        for (int s = 0; s < SVC_SLOTS; s++)
            if (f.refreshes >> s & 1)
                p->sizes[s] = f.size;
        lens[i] = (size_t)put;
        len += put;
    }
    if (n == 1)
        return len;
    const int index = svc_vp9_index(lens, n, out + len);

    return index < 0 ? index : len + index;
}

/* ---- H.264 ---- */

static int h264_head(const struct svc_unit *key, uint8_t out[SVC_HEAD_MAX_BYTES])
{
    const uint8_t *at = key->bytes;
    struct svc_nal nal;
    size_t n = 0;

    while (svc_nal_next(&at, key->bytes + key->len, &nal) == 1) {
        if ((nal.type != SVC_NAL_SPS && nal.type != SVC_NAL_PPS) ||
            n + nal.body_len + 4 > SVC_HEAD_MAX_BYTES)
            continue;
        memcpy(out + n, "\0\0\0\1", 4);
        memcpy(out + n + 4, nal.body, nal.body_len);
        n += nal.body_len + 4;
    }
    return n > 0 ? (int)n : SVC_ERR_ARG;
}

/* Our SEI message goes in front of the first slice. */
static int h264_pack(struct svc_packer *p, const struct svc_unit *units, size_t n, uint8_t *out)
{
    const uint8_t *at = units->bytes;
    struct svc_nal nal;
    size_t head = 0;

    (void)p;
    if (n != 1)
        return SVC_ERR_ARG;
    while (svc_nal_next(&at, units->bytes + units->len, &nal) == 1 && nal.type != SVC_NAL_SLICE &&
           nal.type != SVC_NAL_IDR)
        head += nal.len;
    memcpy(out, units->bytes, head);
    const int sei = svc_sei_write(units, out + head, SVC_SEI_MAX_BYTES);

    if (sei < 0)
        return sei;
    memcpy(out + head + sei, units->bytes + head, units->len - head);
    return (int)units->len + sei;
}

static const struct svc_packer_ops all[] = {
    { "av01", AV_CODEC_ID_AV1, av1_head, av1_pack },
    { "vp09", AV_CODEC_ID_VP9, NULL, vp9_pack },
    { "avc", AV_CODEC_ID_H264, h264_head, h264_pack },
};

int svc_packer_init(struct svc_packer *p, const struct svc_stream_info *info,
                    enum svc_container container)
{
    *p = (struct svc_packer){ .info = info, .container = container };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strncmp(info->codec, all[i].rfc6381, strlen(all[i].rfc6381)) == 0)
            p->ops = &all[i];
    return p->ops ? 0 : SVC_ERR_ARG;
}
