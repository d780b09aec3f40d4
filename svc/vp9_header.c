/* vp9_header.c - see vp9.h: superframes and uncompressed headers. */
#include "bits.h"
#include "vp9.h"

#include <stdio.h>
#include <string.h>

#define FRAME_MARKER 2
#define SYNC_CODE 0x498342
#define SHOW_BIT 6 /* in a header of profile 0 to 2; one later in profile 3 */

/* ---- superframes (annex B) ---- */

int svc_vp9_split(const uint8_t *bytes, size_t len, struct svc_span frames[SVC_VP9_FRAMES_MAX])
{
    if (len < 1)
        return SVC_ERR_FORMAT;
    const uint8_t marker = bytes[len - 1];
    const size_t n = (marker & 7u) + 1, each = (marker >> 3 & 3u) + 1, index = 2 + n * each;

    frames[0] = (struct svc_span){ bytes, len };
    if ((marker & 0xe0) != 0xc0 || len < index || bytes[len - index] != marker)
        return 1;
    const uint8_t *at = bytes + len - index + 1;
    size_t from = 0;
    int found = 0;

    for (size_t i = 0; i < n; i++) {
        size_t size = 0;

        for (size_t j = 0; j < each; j++)
            size |= (size_t)*at++ << (8 * j);
        if (size > len - index - from)
            return SVC_ERR_FORMAT;
        if (size > 0)
            frames[found++] = (struct svc_span){ bytes + from, size };
        from += size;
    }
    return found > 0 && from == len - index ? found : SVC_ERR_FORMAT;
}

int svc_vp9_index(const size_t *lens, size_t n, uint8_t *out)
{
    size_t most = 0, each = 1;

    if (n < 1 || n > SVC_VP9_FRAMES_MAX)
        return SVC_ERR_ARG;
    for (size_t i = 0; i < n; i++)
        most = lens[i] > most ? lens[i] : most;
    if (most > UINT32_MAX)
        return SVC_ERR_ARG;
    while (each < 4 && most >> (8 * each))
        each++;
    const uint8_t marker = (uint8_t)(0xc0 | (each - 1) << 3 | (n - 1));
    uint8_t *at = out;

    *at++ = marker;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < each; j++)
            *at++ = (uint8_t)(lens[i] >> (8 * j));
    *at++ = marker;
    return (int)(at - out);
}

/* ---- uncompressed headers (6.2) ---- */

static bool color_config(struct svc_bits *b, unsigned profile)
{
    if (profile >= 2)
        svc_bit(b); /* ten_or_twelve_bit */
    const bool rgb = svc_bits(b, 3) == 7;

    if (!rgb) {
        svc_bit(b); /* color_range */
        if (profile == 1 || profile == 3)
            svc_bits(b, 3); /* subsampling, reserved_zero */
        return true;
    }
    if (profile != 1 && profile != 3)
        return false;
    svc_bit(b);
    return true;
}

static struct svc_vp9_size frame_size(struct svc_bits *b)
{
    const uint32_t w = svc_bits(b, 16), h = svc_bits(b, 16);

    /* 65536 does not fit, and nothing here is that wide */
    return (struct svc_vp9_size){ (uint16_t)(w + 1), (uint16_t)(h + 1) };
}

static void render_size(struct svc_bits *b)
{
    if (svc_bit(b))
        svc_bits(b, 32);
}

static void size_with_refs(struct svc_bits *b, struct svc_vp9_frame *f,
                           const struct svc_vp9_size slots[SVC_SLOTS])
{
    bool found = false;

    for (int i = 0; i < 3 && !found; i++) {
        found = svc_bit(b);
        if (found)
            f->size = slots[f->ref_slot[i]];
    }
    if (!found)
        f->size = frame_size(b);
    render_size(b);
}

static int inter_header(struct svc_bits *b, struct svc_vp9_frame *f,
                        const struct svc_vp9_size slots[SVC_SLOTS])
{
    if (f->intra_only) {
        if (svc_bits(b, 24) != SYNC_CODE || (f->profile > 0 && !color_config(b, f->profile)))
            return SVC_ERR_FORMAT;
        f->refreshes = (uint8_t)svc_bits(b, 8);
        f->size = frame_size(b);
        render_size(b);
        return 0;
    }
    f->refreshes = (uint8_t)svc_bits(b, 8);
    f->n_refs = 3;
    for (int i = 0; i < 3; i++) {
        f->ref_slot[i] = (uint8_t)svc_bits(b, 3);
        svc_bit(b); /* ref_frame_sign_bias */
    }
    size_with_refs(b, f, slots);
    svc_bit(b); /* allow_high_precision_mv */
    if (!svc_bit(b))
        svc_bits(b, 2); /* raw_interpolation_filter */
    return 0;
}

static void loop_filter_and_quantizer(struct svc_bits *b)
{
    svc_bits(b, 9); /* level, sharpness */
    if (svc_bit(b) && svc_bit(b))
        for (int i = 0; i < 6; i++)
            if (svc_bit(b))
                svc_bits(b, 7);
    svc_bits(b, 8); /* base_q_idx */
    for (int i = 0; i < 3; i++)
        if (svc_bit(b))
            svc_bits(b, 5);
}

static void segmentation(struct svc_bits *b)
{
    static const uint8_t bits[4] = { 8, 6, 2, 0 }, has_sign[4] = { 1, 1, 0, 0 };

    if (!svc_bit(b))
        return;
    if (svc_bit(b)) { /* update_map */
        for (int i = 0; i < 7; i++)
            if (svc_bit(b))
                svc_bits(b, 8);
        const bool temporal = svc_bit(b);

        for (int i = 0; temporal && i < 3; i++)
            if (svc_bit(b))
                svc_bits(b, 8);
    }
    if (!svc_bit(b)) /* update_data */
        return;
    svc_bit(b);
    for (int i = 0; i < 32; i++)
        if (svc_bit(b))
            svc_bits(b, bits[i % 4] + has_sign[i % 4]);
}

static void tile_info(struct svc_bits *b, unsigned width)
{
    const unsigned superblocks = (width + 63) / 64;
    unsigned least = 0, most = 1;

    while (64u << least < superblocks)
        least++;
    while (superblocks >> most >= 4)
        most++;
    most--;
    while (least < most && svc_bit(b))
        least++;
    if (svc_bit(b))
        svc_bit(b); /* tile_rows_log2 */
}

int svc_vp9_parse(struct svc_vp9_frame *f, const uint8_t *bytes, size_t len,
                  const struct svc_vp9_size slots[SVC_SLOTS])
{
    struct svc_bits b = { .bytes = bytes, .len = len };

    *f = (struct svc_vp9_frame){ 0 };
    if (svc_bits(&b, 2) != FRAME_MARKER)
        return SVC_ERR_FORMAT;
    f->profile = (uint8_t)svc_bit(&b);
    f->profile = (uint8_t)(f->profile | svc_bit(&b) << 1);
    if (f->profile == 3 && svc_bit(&b))
        return SVC_ERR_FORMAT;
    f->shows_existing = svc_bit(&b);
    if (f->shows_existing)
        return b.bad ? SVC_ERR_FORMAT : 0;
    f->key = !svc_bit(&b);
    f->shown = svc_bit(&b);
    f->error_resilient = svc_bit(&b);
    if (f->key) {
        if (svc_bits(&b, 24) != SYNC_CODE || !color_config(&b, f->profile))
            return SVC_ERR_FORMAT;
        f->size = frame_size(&b);
        render_size(&b);
        f->refreshes = 0xff;
    } else {
        f->intra_only = !f->shown && svc_bit(&b);
        if (!f->error_resilient)
            svc_bits(&b, 2); /* reset_frame_context */
        if (inter_header(&b, f, slots) < 0)
            return SVC_ERR_FORMAT;
    }
    if (!f->error_resilient)
        svc_bits(&b, 2); /* refresh_frame_context, frame_parallel_decoding_mode */
    svc_bits(&b, 2);     /* frame_context_idx */
    loop_filter_and_quantizer(&b);
    segmentation(&b);
    if (f->size.width) {
        tile_info(&b, f->size.width);
        svc_bits(&b, 16); /* header_size_in_bytes */
        f->header_bits = b.at;
    }
    return b.bad ? SVC_ERR_FORMAT : 0;
}

static void put_bit(uint8_t *out, size_t at, unsigned bit)
{
    if (at % 8 == 0)
        out[at / 8] = 0;
    out[at / 8] = (uint8_t)(out[at / 8] | bit << (7 - at % 8));
}

int svc_vp9_show(const uint8_t *bytes, size_t len, const struct svc_vp9_size slots[SVC_SLOTS],
                 bool shown, uint8_t *out)
{
    struct svc_vp9_frame f;
    struct svc_bits b = { .bytes = bytes, .len = len };
    size_t to = 0;

    if (svc_vp9_parse(&f, bytes, len, slots) < 0)
        return SVC_ERR_FORMAT;
    if (f.shows_existing || f.shown == shown || !f.error_resilient || !f.header_bits ||
        f.intra_only) {
        memcpy(out, bytes, len);
        return (int)len;
    }
    const size_t show_at = SHOW_BIT + (f.profile == 3);

    while (b.at < f.header_bits) {
        const bool is_show = b.at == show_at, is_intra_only = !f.key && b.at == show_at + 2;
        unsigned bit;

        if (is_intra_only && !shown)
            put_bit(out, to++, 0);
        bit = svc_bit(&b);
        if (!(is_intra_only && shown)) /* the bit of a hidden frame only */
            put_bit(out, to++, is_show ? shown : bit);
    }
    const size_t head = (f.header_bits + 7) / 8, new_head = (to + 7) / 8;

    memcpy(out + new_head, bytes + head, len - head);
    return (int)(new_head + len - head);
}

void svc_vp9_codec(uint8_t profile, uint16_t width, uint16_t height, double fps, char *out,
                   size_t size)
{
    static const struct {
        uint8_t level;
        uint32_t samples;
        uint64_t rate;
    } table[] = { { 10, 36864, 829440 },      { 11, 73728, 2764800 },
                  { 20, 122880, 4608000 },    { 21, 245760, 9216000 },
                  { 30, 552960, 20736000 },   { 31, 983040, 36864000 },
                  { 40, 2228224, 83558400 },  { 41, 2228224, 160432128 },
                  { 50, 8912896, 311951360 }, { 51, 8912896, 588251136 },
                  { 52, 8912896, 1176502272 } };
    const uint32_t samples = (uint32_t)width * height;
    unsigned level = 62;

    for (size_t i = sizeof(table) / sizeof(table[0]); i-- > 0;)
        if (samples <= table[i].samples && samples * fps <= (double)table[i].rate)
            level = table[i].level;
    snprintf(out, size, "vp09.%02u.%02u.08", profile & 3u, level);
}
