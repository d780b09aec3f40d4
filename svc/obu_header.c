/*
 * obu_header.c - the parts of AV1's sequence and frame headers that tell size, level and references
 * (AV1 specification 5.5 and 5.9.2). What lies behind them is not read.
 */
#include "bits.h"
#include "obu.h"

#include <stdio.h>

#define NUM_REF_FRAMES 8

/* timing_info and decoder_model_info: the number of bits of a buffer delay, 0 without a model. */
static unsigned skip_timing(struct svc_bits *b)
{
    svc_bits(b, 32);
    svc_bits(b, 32);
    if (svc_bits(b, 1)) { /* equal_picture_interval: uvlc */
        unsigned zeros = 0;
        while (!b->bad && zeros < 32 && !svc_bits(b, 1))
            zeros++;
        svc_bits(b, zeros < 32 ? zeros : 0);
    }
    if (!svc_bits(b, 1))
        return 0;
    unsigned delay_bits = svc_bits(b, 5) + 1;
    svc_bits(b, 32);
    svc_bits(b, 10);
    return delay_bits;
}

static void get_operating_points(struct svc_bits *b, struct svc_sequence *seq)
{
    unsigned delay_bits = svc_bits(b, 1) ? skip_timing(b) : 0;
    bool display_delay = svc_bits(b, 1);
    unsigned count = svc_bits(b, 5) + 1;
    for (unsigned i = 0; i < count && !b->bad; i++) {
        uint16_t idc = (uint16_t)svc_bits(b, 12);
        uint8_t level = (uint8_t)svc_bits(b, 5);
        uint8_t tier = level > 7 ? (uint8_t)svc_bits(b, 1) : 0;
        if (delay_bits && svc_bits(b, 1)) {
            svc_bits(b, delay_bits);
            svc_bits(b, delay_bits);
            svc_bits(b, 1);
        }
        if (display_delay && svc_bits(b, 1))
            svc_bits(b, 4);
        if (i == 0) {
            seq->operating_point_idc = idc;
            seq->level = level;
            seq->tier = tier;
        }
    }
}

static void get_tools(struct svc_bits *b, struct svc_sequence *seq)
{
    svc_bits(b, 3); /* 128x128 superblocks, filter intra, intra edge filter */
    seq->screen_content = 2;
    seq->integer_mv = 2;
    if (seq->reduced)
        return;
    svc_bits(b, 4); /* interintra, masked compound, warped motion, dual filter */
    bool order_hint = svc_bits(b, 1);
    if (order_hint)
        svc_bits(b, 2);
    seq->screen_content = svc_bits(b, 1) ? 2 : (uint8_t)svc_bits(b, 1);
    if (seq->screen_content > 0)
        seq->integer_mv = svc_bits(b, 1) ? 2 : (uint8_t)svc_bits(b, 1);
    if (order_hint)
        seq->order_hint_bits = (uint8_t)(svc_bits(b, 3) + 1);
}

int svc_sequence_parse(struct svc_sequence *out, const uint8_t *payload, size_t len)
{
    struct svc_bits b = { .bytes = payload, .len = len };
    struct svc_sequence seq = { 0 };
    seq.profile = (uint8_t)svc_bits(&b, 3);
    svc_bits(&b, 1);
    seq.reduced = svc_bits(&b, 1);
    if (seq.reduced)
        seq.level = (uint8_t)svc_bits(&b, 5);
    else
        get_operating_points(&b, &seq);
    seq.width_bits = (uint8_t)(svc_bits(&b, 4) + 1);
    seq.height_bits = (uint8_t)(svc_bits(&b, 4) + 1);
    uint32_t width = svc_bits(&b, seq.width_bits) + 1;
    uint32_t height = svc_bits(&b, seq.height_bits) + 1;
    if (!seq.reduced && svc_bits(&b, 1)) {
        seq.delta_id_bits = (uint8_t)(svc_bits(&b, 4) + 2);
        seq.id_bits = (uint8_t)(svc_bits(&b, 3) + seq.delta_id_bits + 1u);
    }
    get_tools(&b, &seq);
    if (b.bad || width > UINT16_MAX || height > UINT16_MAX)
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

static void get_size(struct svc_bits *b, const struct svc_sequence *seq, bool override,
                     struct svc_frame *f)
{
    f->width = override ? (uint16_t)(svc_bits(b, seq->width_bits) + 1) : seq->width;
    f->height = override ? (uint16_t)(svc_bits(b, seq->height_bits) + 1) : seq->height;
}

/* From ref_order_hint on: refresh flags are known, what remains are references and the size. */
static void get_references(struct svc_bits *b, const struct svc_sequence *seq, struct svc_frame *f,
                           bool override, bool resilient)
{
    bool short_signaling = seq->order_hint_bits ? svc_bits(b, 1) : false;
    if (short_signaling) {
        b->bad = true; /* set_frame_refs derives the rest from order hints: not followed here */
        return;
    }
    f->n_refs = 7;
    for (int i = 0; i < 7; i++) {
        f->ref_slot[i] = (uint8_t)svc_bits(b, 3);
        if (seq->id_bits)
            svc_bits(b, seq->delta_id_bits);
    }
    if (override && !resilient) {
        for (int i = 0; i < 7; i++) {
            if (svc_bits(b, 1)) { /* found_ref */
                f->size_slot = f->ref_slot[i];
                return;
            }
        }
    }
    get_size(b, seq, override, f);
}

static void get_frame(struct svc_bits *b, const struct svc_sequence *seq, struct svc_frame *f)
{
    enum frame_type type = (enum frame_type)svc_bits(b, 2);
    bool show = svc_bits(b, 1);
    if (!show)
        svc_bits(b, 1); /* showable_frame; the decoder model is not in use where this is called */
    bool resilient = type == SWITCH_FRAME || (type == KEY_FRAME && show) || svc_bits(b, 1);
    svc_bits(b, 1); /* disable_cdf_update */
    bool screen = seq->screen_content == 2 ? svc_bits(b, 1) : seq->screen_content;
    if (screen && seq->integer_mv == 2)
        svc_bits(b, 1);
    if (seq->id_bits)
        svc_bits(b, seq->id_bits);
    bool override = type == SWITCH_FRAME || svc_bits(b, 1);
    svc_bits(b, seq->order_hint_bits);
    bool intra = type == KEY_FRAME || type == INTRA_ONLY_FRAME;
    if (!intra && !resilient)
        svc_bits(b, 3); /* primary_ref_frame */
    f->key = type == KEY_FRAME && show;
    f->refreshes = type == SWITCH_FRAME || f->key ? 0xff : (uint8_t)svc_bits(b, 8);
    if ((!intra || f->refreshes != 0xff) && resilient && seq->order_hint_bits)
        svc_bits(b, NUM_REF_FRAMES * (unsigned)seq->order_hint_bits); /* ref_order_hint */
    if (intra)
        get_size(b, seq, override, f);
    else
        get_references(b, seq, f, override, resilient);
}

int svc_frame_parse(struct svc_frame *frame, const struct svc_sequence *seq, const uint8_t *payload,
                    size_t len)
{
    struct svc_bits b = { .bytes = payload, .len = len };
    struct svc_frame f = { 0 };
    if (seq->reduced)
        return SVC_ERR_FORMAT;
    f.shows_existing = svc_bits(&b, 1);
    if (!f.shows_existing)
        get_frame(&b, seq, &f);
    if (b.bad)
        return SVC_ERR_FORMAT;
    *frame = f;
    return 0;
}
