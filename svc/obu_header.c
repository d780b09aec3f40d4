/*
 * obu_header.c - the parts of AV1's sequence and frame headers that tell size, level and references
 * (AV1 specification 5.5 and 5.9.2). What lies behind them is not read.
 */
#include "obu.h"

#include <stdio.h>

#define NUM_REF_FRAMES 8

struct bits {
    const uint8_t *bytes;
    size_t len, at; /* bits */
    bool over;      /* read behind the end; the values were 0 */
};

static uint32_t get(struct bits *b, unsigned n)
{
    uint32_t v = 0;
    while (n--) {
        uint32_t bit = 0;
        if (b->at < b->len * 8)
            bit = b->bytes[b->at >> 3] >> (7 - (b->at & 7)) & 1u;
        else
            b->over = true;
        v = v << 1 | bit;
        b->at++;
    }
    return v;
}

/* timing_info and decoder_model_info: the number of bits of a buffer delay, 0 without a model. */
static unsigned skip_timing(struct bits *b)
{
    get(b, 32);
    get(b, 32);
    if (get(b, 1)) { /* equal_picture_interval: uvlc */
        unsigned zeros = 0;
        while (!b->over && zeros < 32 && !get(b, 1))
            zeros++;
        get(b, zeros < 32 ? zeros : 0);
    }
    if (!get(b, 1))
        return 0;
    unsigned delay_bits = get(b, 5) + 1;
    get(b, 32);
    get(b, 10);
    return delay_bits;
}

static void get_operating_points(struct bits *b, struct svc_sequence *seq)
{
    unsigned delay_bits = get(b, 1) ? skip_timing(b) : 0;
    bool display_delay = get(b, 1);
    unsigned count = get(b, 5) + 1;
    for (unsigned i = 0; i < count && !b->over; i++) {
        uint16_t idc = (uint16_t)get(b, 12);
        uint8_t level = (uint8_t)get(b, 5);
        uint8_t tier = level > 7 ? (uint8_t)get(b, 1) : 0;
        if (delay_bits && get(b, 1)) {
            get(b, delay_bits);
            get(b, delay_bits);
            get(b, 1);
        }
        if (display_delay && get(b, 1))
            get(b, 4);
        if (i == 0) {
            seq->operating_point_idc = idc;
            seq->level = level;
            seq->tier = tier;
        }
    }
}

static void get_tools(struct bits *b, struct svc_sequence *seq)
{
    get(b, 3); /* 128x128 superblocks, filter intra, intra edge filter */
    seq->screen_content = 2;
    seq->integer_mv = 2;
    if (seq->reduced)
        return;
    get(b, 4); /* interintra, masked compound, warped motion, dual filter */
    bool order_hint = get(b, 1);
    if (order_hint)
        get(b, 2);
    seq->screen_content = get(b, 1) ? 2 : (uint8_t)get(b, 1);
    if (seq->screen_content > 0)
        seq->integer_mv = get(b, 1) ? 2 : (uint8_t)get(b, 1);
    if (order_hint)
        seq->order_hint_bits = (uint8_t)(get(b, 3) + 1);
}

int svc_sequence_parse(struct svc_sequence *out, const uint8_t *payload, size_t len)
{
    struct bits b = { .bytes = payload, .len = len };
    struct svc_sequence seq = { 0 };
    seq.profile = (uint8_t)get(&b, 3);
    get(&b, 1);
    seq.reduced = get(&b, 1);
    if (seq.reduced)
        seq.level = (uint8_t)get(&b, 5);
    else
        get_operating_points(&b, &seq);
    seq.width_bits = (uint8_t)(get(&b, 4) + 1);
    seq.height_bits = (uint8_t)(get(&b, 4) + 1);
    uint32_t width = get(&b, seq.width_bits) + 1;
    uint32_t height = get(&b, seq.height_bits) + 1;
    if (!seq.reduced && get(&b, 1)) {
        seq.delta_id_bits = (uint8_t)(get(&b, 4) + 2);
        seq.id_bits = (uint8_t)(get(&b, 3) + seq.delta_id_bits + 1u);
    }
    get_tools(&b, &seq);
    if (b.over || width > UINT16_MAX || height > UINT16_MAX)
        return SVC_ERR_FORMAT;
    seq.width = (uint16_t)width;
    seq.height = (uint16_t)height;
    *out = seq;
    return 0;
}

void svc_sequence_codec(const struct svc_sequence *seq, char *out, size_t size)
{
    snprintf(out, size, "av01.%u.%02u%c.08", seq->profile, seq->level, seq->tier ? 'H' : 'M');
}

enum frame_type { KEY_FRAME = 0, INTER_FRAME = 1, INTRA_ONLY_FRAME = 2, SWITCH_FRAME = 3 };

static void get_size(struct bits *b, const struct svc_sequence *seq, bool override,
                     struct svc_frame *f)
{
    f->width = override ? (uint16_t)(get(b, seq->width_bits) + 1) : seq->width;
    f->height = override ? (uint16_t)(get(b, seq->height_bits) + 1) : seq->height;
}

/* From ref_order_hint on: refresh flags are known, what remains are references and the size. */
static void get_references(struct bits *b, const struct svc_sequence *seq, struct svc_frame *f,
                           bool override, bool resilient)
{
    bool short_signaling = seq->order_hint_bits ? get(b, 1) : false;
    if (short_signaling) {
        b->over = true; /* set_frame_refs derives the rest from order hints: not followed here */
        return;
    }
    f->n_refs = 7;
    for (int i = 0; i < 7; i++) {
        f->ref_slot[i] = (uint8_t)get(b, 3);
        if (seq->id_bits)
            get(b, seq->delta_id_bits);
    }
    if (override && !resilient) {
        for (int i = 0; i < 7; i++) {
            if (get(b, 1)) { /* found_ref */
                f->size_slot = f->ref_slot[i];
                return;
            }
        }
    }
    get_size(b, seq, override, f);
}

static void get_frame(struct bits *b, const struct svc_sequence *seq, struct svc_frame *f)
{
    enum frame_type type = (enum frame_type)get(b, 2);
    bool show = get(b, 1);
    if (!show)
        get(b, 1); /* showable_frame; the decoder model is not in use where this is called */
    bool resilient = type == SWITCH_FRAME || (type == KEY_FRAME && show) || get(b, 1);
    get(b, 1); /* disable_cdf_update */
    bool screen = seq->screen_content == 2 ? get(b, 1) : seq->screen_content;
    if (screen && seq->integer_mv == 2)
        get(b, 1);
    if (seq->id_bits)
        get(b, seq->id_bits);
    bool override = type == SWITCH_FRAME || get(b, 1);
    get(b, seq->order_hint_bits);
    bool intra = type == KEY_FRAME || type == INTRA_ONLY_FRAME;
    if (!intra && !resilient)
        get(b, 3); /* primary_ref_frame */
    f->key = type == KEY_FRAME && show;
    f->refreshes = type == SWITCH_FRAME || f->key ? 0xff : (uint8_t)get(b, 8);
    if ((!intra || f->refreshes != 0xff) && resilient && seq->order_hint_bits)
        get(b, NUM_REF_FRAMES * (unsigned)seq->order_hint_bits); /* ref_order_hint */
    if (intra)
        get_size(b, seq, override, f);
    else
        get_references(b, seq, f, override, resilient);
}

int svc_frame_parse(struct svc_frame *frame, const struct svc_sequence *seq, const uint8_t *payload,
                    size_t len)
{
    struct bits b = { .bytes = payload, .len = len };
    struct svc_frame f = { 0 };
    if (seq->reduced)
        return SVC_ERR_FORMAT;
    f.shows_existing = get(&b, 1);
    if (!f.shows_existing)
        get_frame(&b, seq, &f);
    if (b.over)
        return SVC_ERR_FORMAT;
    *frame = f;
    return 0;
}
