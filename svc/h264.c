/* h264.c - see h264.h: walk over NAL units, read parameter sets, write and read the SEI message. */
#include "h264.h"
#include "bits.h"

#include <stdio.h>
#include <string.h>

#define SPS_MAX_BYTES 256
#define USER_DATA_UNREGISTERED 5
#define UUID_BYTES 16
#define UE_MAX_ZEROS 31
#define SIDE_MAX 16384

static const uint8_t uuid[UUID_BYTES] = { 0x53, 0x56, 0x43, 0x44, 0x8a, 0x1e, 0x4b, 0x0f,
                                          0x9d, 0x52, 0x64, 0x65, 0x70, 0x73, 0x00, 0x01 };

/* Where the next 00 00 01 begins, or `end`. */
static const uint8_t *find_code(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 3; p++)
        if (p[0] == 0 && p[1] == 0 && p[2] == 1)
            return p;
    return end;
}

int svc_nal_next(const uint8_t **at, const uint8_t *end, struct svc_nal *out)
{
    const uint8_t *start = *at, *code = find_code(start, end);

    if (start == end)
        return 0;
    if (end - code < 4)
        return SVC_ERR_FORMAT;
    for (const uint8_t *p = start; p < code; p++)
        if (*p)
            return SVC_ERR_FORMAT;
    const uint8_t *body = code + 3, *next = find_code(body, end);

    if (next != end && next > body && next[-1] == 0)
        next--; /* zero_byte of the next one */
    const uint8_t *last = next;

    while (last > body && last[-1] == 0)
        last--; /* trailing_zero_8bits */
    if (last == body || (body[0] & 0x80))
        return SVC_ERR_FORMAT;
    *out = (struct svc_nal){ .type = body[0] & 31,
                             .ref_idc = body[0] >> 5 & 3,
                             .start = start,
                             .len = (size_t)(next - start),
                             .body = body,
                             .body_len = (size_t)(last - body) };
    *at = next;
    return 1;
}

/* Without emulation_prevention_three_byte; how many. */
static size_t unescape(uint8_t *out, size_t cap, const uint8_t *body, size_t len)
{
    size_t n = 0, zeros = 0;

    for (size_t i = 0; i < len && n < cap; i++) {
        const bool emulation = zeros >= 2 && body[i] == 3;

        zeros = body[i] == 0 ? zeros + 1 : 0;
        if (!emulation)
            out[n++] = body[i];
    }
    return n;
}

static size_t escape(uint8_t *out, const uint8_t *raw, size_t len)
{
    size_t n = 0, zeros = 0;

    for (size_t i = 0; i < len; i++) {
        if (zeros >= 2 && raw[i] <= 3) {
            out[n++] = 3;
            zeros = 0;
        }
        zeros = raw[i] == 0 ? zeros + 1 : 0;
        out[n++] = raw[i];
    }
    return n;
}

/* ---- the sequence parameter set (7.3.2.1.1) ---- */

static uint32_t get_ue(struct svc_bits *b)
{
    unsigned zeros = 0;

    while (!svc_bit(b))
        if (b->bad || ++zeros > UE_MAX_ZEROS) {
            b->bad = true;
            return 0;
        }
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + svc_bits(b, zeros));
}

static void skip_scaling_list(struct svc_bits *b, unsigned n)
{
    uint32_t last = 8, next = 8;

    for (unsigned i = 0; i < n && !b->bad; i++) {
        if (next != 0) {
            const uint32_t code = get_ue(b);
            const uint32_t delta = code & 1 ? (code + 1) / 2 : 0u - code / 2;

            next = (last + delta) & 255;
        }
        last = next ? next : last;
    }
}

/* What only the high profiles have. False: not 4:2:0 of 8 bits. */
static bool high_profile(struct svc_bits *b)
{
    const uint32_t chroma = get_ue(b), luma_depth = get_ue(b), chroma_depth = get_ue(b);

    svc_bit(b);
    for (unsigned i = 0; svc_bit(b) && i < 1; i++)
        for (unsigned list = 0; list < 8; list++)
            if (svc_bit(b))
                skip_scaling_list(b, list < 6 ? 16 : 64);
    return chroma == 1 && luma_depth == 0 && chroma_depth == 0;
}

static void skip_order_count(struct svc_bits *b)
{
    const uint32_t type = get_ue(b);

    if (type == 0)
        get_ue(b);
    if (type != 1)
        return;
    svc_bit(b);
    get_ue(b);
    get_ue(b);
    const uint32_t n = get_ue(b);

    for (uint32_t i = 0; i < n && i < 256; i++)
        get_ue(b);
}

int svc_sps_parse(struct svc_sps *out, const uint8_t *body, size_t len)
{
    uint8_t raw[SPS_MAX_BYTES];
    struct svc_bits b = { .bytes = raw, .len = unescape(raw, sizeof(raw), body, len) };
    struct svc_sps sps = { 0 };
    uint32_t crop[4] = { 0 };

    svc_bits(&b, 8);
    sps.profile = (uint8_t)svc_bits(&b, 8);
    sps.constraints = (uint8_t)svc_bits(&b, 8);
    sps.level = (uint8_t)svc_bits(&b, 8);
    get_ue(&b);
    if (sps.profile >= 100 && !high_profile(&b))
        return SVC_ERR_FORMAT;
    get_ue(&b); /* log2_max_frame_num */
    skip_order_count(&b);
    get_ue(&b); /* max_num_ref_frames */
    svc_bit(&b);
    const uint32_t columns = get_ue(&b), rows = get_ue(&b);
    const bool frames_only = svc_bit(&b);

    if (!frames_only)
        svc_bit(&b);
    svc_bit(&b); /* direct_8x8_inference_flag */
    if (svc_bit(&b))
        for (int i = 0; i < 4; i++)
            crop[i] = get_ue(&b);
    if (b.bad || columns >= SIDE_MAX / 16 || rows >= SIDE_MAX / 32)
        return SVC_ERR_FORMAT;
    const uint32_t fields = frames_only ? 1 : 2;
    const uint32_t width = (columns + 1) * 16, height = (rows + 1) * 16 * fields;

    for (int i = 0; i < 4; i++)
        if (crop[i] > SIDE_MAX)
            return SVC_ERR_FORMAT;
    if (2 * (crop[0] + crop[1]) >= width || 2 * fields * (crop[2] + crop[3]) >= height)
        return SVC_ERR_FORMAT;
    sps.width = (uint16_t)(width - 2 * (crop[0] + crop[1]));
    sps.height = (uint16_t)(height - 2 * fields * (crop[2] + crop[3]));
    *out = sps;
    return 0;
}

void svc_sps_codec(const struct svc_sps *sps, char *out, size_t size)
{
    snprintf(out, size, "avc3.%02X%02X%02X", sps->profile, sps->constraints, sps->level);
}

/* ---- dependencies as user data (D.1.7) ---- */

int svc_sei_write(const struct svc_unit *unit, uint8_t *out, size_t cap)
{
    uint8_t raw[UUID_BYTES + SVC_DEPS_MAX_BYTES + 8] = { USER_DATA_UNREGISTERED };
    size_t n = 2;

    memcpy(raw + n, uuid, sizeof(uuid));
    n += sizeof(uuid);
    raw[n++] = (uint8_t)(unit->layer.temporal << 5 | unit->layer.spatial << 3);
    const int deps = svc_deps_encode(&unit->deps, unit->picture, raw + n, SVC_DEPS_MAX_BYTES);

    if (deps < 0 || cap < SVC_SEI_MAX_BYTES)
        return SVC_ERR_ARG;
    n += (size_t)deps;
    raw[1] = (uint8_t)(n - 2);
    raw[n++] = 0x80; /* rbsp_trailing_bits */
    memcpy(out, "\0\0\0\1\6", 5);
    return (int)(5 + escape(out + 5, raw, n));
}

bool svc_sei_read(const struct svc_nal *nal, uint64_t picture, struct svc_layer *layer,
                  struct svc_deps *deps)
{
    uint8_t raw[SVC_SEI_MAX_BYTES];

    if (nal->type != SVC_NAL_SEI || nal->body_len > sizeof(raw))
        return false;
    const size_t n = unescape(raw, sizeof(raw), nal->body + 1, nal->body_len - 1);

    if (n < 2 + UUID_BYTES + 2 || raw[0] != USER_DATA_UNREGISTERED || raw[1] + 3u != n ||
        raw[n - 1] != 0x80 || memcmp(raw + 2, uuid, sizeof(uuid)) != 0)
        return false;
    const uint8_t at = raw[2 + UUID_BYTES];

    layer->temporal = at >> 5;
    layer->spatial = at >> 3 & 3;
    return (at & 7) == 0 && layer->temporal < SVC_TEMPORAL_MAX &&
           svc_deps_decode(deps, picture, raw + 3 + UUID_BYTES, n - 4 - UUID_BYTES) == 0;
}
