/*
 * parse_h264.c - H.264 of files: NAL units behind lengths or start codes become a byte stream with
 * parameter sets in front of each key picture. Without the project's SEI message every picture
 * counts as reading the last one that is kept, which stands for all before it.
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#define AVCC_HEAD 6

static const uint8_t start_code[4] = { 0, 0, 0, 1 };

static int keep_parameters(struct svc_parser *p, const uint8_t *nal, size_t len)
{
    uint8_t *more = realloc(p->parameters, p->parameters_len + len + sizeof(start_code));

    if (!more)
        return SVC_ERR_NOMEM;
    memcpy(more + p->parameters_len, start_code, sizeof(start_code));
    memcpy(more + p->parameters_len + sizeof(start_code), nal, len);
    p->parameters = more;
    p->parameters_len += len + sizeof(start_code);
    return 0;
}

/* AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), or a byte stream, or nothing. */
static int h264_begin(struct svc_parser *p, const uint8_t *extradata, size_t len)
{
    const uint8_t *at = extradata + AVCC_HEAD, *end = extradata + len;

    if (len < AVCC_HEAD + 1 || extradata[0] != 1)
        return 0;
    p->nal_length = (uint8_t)((extradata[4] & 3) + 1);
    unsigned n = extradata[5] & 31u;

    for (int sets = 0; sets < 2; sets++) {
        for (; n > 0; n--) {
            if (end - at < 2)
                return SVC_ERR_FORMAT;
            const size_t size = (size_t)at[0] << 8 | at[1];

            at += 2;
            if (size < 1 || size > (size_t)(end - at))
                return SVC_ERR_FORMAT;
            const int err = keep_parameters(p, at, size);

            if (err < 0)
                return err;
            at += size;
        }
        if (sets == 0) {
            if (at == end)
                return SVC_ERR_FORMAT;
            n = *at++;
        }
    }
    return 0;
}

/* The next NAL unit without what is in front of it; 1, 0: the end, or SVC_ERR_FORMAT. */
static int next_nal(const struct svc_parser *p, const uint8_t **at, const uint8_t *end,
                    struct svc_nal *nal)
{
    size_t size = 0;

    if (p->nal_length == 0)
        return svc_nal_next(at, end, nal);
    if (*at == end)
        return 0;
    if (end - *at < p->nal_length)
        return SVC_ERR_FORMAT;
    for (unsigned i = 0; i < p->nal_length; i++)
        size = size << 8 | *(*at)++;
    if (size < 1 || size > (size_t)(end - *at))
        return SVC_ERR_FORMAT;
    *nal = (struct svc_nal){
        .type = **at & 31, .ref_idc = **at >> 5 & 3, .body = *at, .body_len = size
    };
    *at += size;
    return 1;
}

struct seen { /* in one access unit */
    bool slice, idr, sps, noted;
    uint8_t ref_idc;
};

static int take_nal(struct svc_parser *p, const struct svc_nal *nal, uint64_t picture,
                    struct svc_parsed *out, struct seen *seen)
{
    if (svc_sei_read(nal, picture, &out->layer, &out->deps)) {
        seen->noted = true;
        return 0;
    }
    if (nal->type == SVC_NAL_DELIMITER)
        return 0;
    if (nal->type == SVC_NAL_SPS) {
        if (svc_sps_parse(&p->sps, nal->body, nal->body_len) < 0)
            return SVC_ERR_FORMAT;
        seen->sps = true;
    }
    if (nal->type == SVC_NAL_SLICE || nal->type == SVC_NAL_IDR) {
        if (seen->slice && seen->idr != (nal->type == SVC_NAL_IDR))
            return SVC_ERR_FORMAT;
        seen->slice = true;
        seen->idr = nal->type == SVC_NAL_IDR;
        seen->ref_idc = nal->ref_idc;
    }
    return 1;
}

static int h264_picture(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture,
                        struct svc_parsed out[SVC_SPATIAL_MAX])
{
    const uint8_t *at = bytes;
    struct svc_nal nal;
    struct seen seen = { 0 };
    struct svc_parsed *part = &out[0];
    size_t n = p->parameters_len; /* room for them in front */
    int more;

    *part = (struct svc_parsed){ 0 };
    while ((more = next_nal(p, &at, bytes + len, &nal)) == 1) {
        const int keep = take_nal(p, &nal, picture, part, &seen);
        /* at least one byte was in front of the NAL unit, often four */
        const size_t need = nal.body_len + sizeof(start_code);

        if (keep < 0)
            return keep;
        if (keep == 0)
            continue;
        if (n + need > p->cap) {
            uint8_t *larger = realloc(p->bytes, n + need + len);

            if (!larger)
                return SVC_ERR_NOMEM;
            p->bytes = larger;
            p->cap = n + need + len;
        }
        memcpy(p->bytes + n, start_code, sizeof(start_code));
        memcpy(p->bytes + n + sizeof(start_code), nal.body, nal.body_len);
        n += need;
    }
    if (more < 0 || !seen.slice)
        return SVC_ERR_FORMAT;
    part->at = p->parameters_len;
    if (seen.idr && !seen.sps && p->parameters_len > 0) {
        memcpy(p->bytes, p->parameters, p->parameters_len);
        part->at = 0;
        struct svc_nal sps;
        const uint8_t *set = p->parameters;

        while (svc_nal_next(&set, p->parameters + p->parameters_len, &sps) == 1)
            if (sps.type == SVC_NAL_SPS && svc_sps_parse(&p->sps, sps.body, sps.body_len) < 0)
                return SVC_ERR_FORMAT;
    }
    part->len = n - part->at;
    part->key = seen.idr;
    part->width = p->sps.width;
    part->height = p->sps.height;
    if (!seen.noted) {
        static const uint8_t slot[1] = { 0 };

        part->layer.temporal = seen.ref_idc == 0;
        part->deps = svc_parser_derive(p, seen.idr ? 0xff : seen.ref_idc ? 1 : 0, slot, !seen.idr);
    }
    svc_parser_settle(p, part, part->deps.refreshes, picture);
    return 1;
}

static void h264_codec(const struct svc_parser *p, const struct svc_stream_info *info, char *out,
                       size_t size)
{
    (void)info;
    svc_sps_codec(&p->sps, out, size);
}

const struct svc_parser_ops svc_parser_h264 = {
    .id = AV_CODEC_ID_H264,
    .begin = h264_begin,
    .picture = h264_picture,
    .codec = h264_codec,
};
