/*
 * av1_encoder.c - the encoding half of the AV1 backend, on libaom's real-time mode with explicit
 * references.
 *
 * Per picture and spatial layer: LAYER_ID, SVC_PARAMS (this unit's quantizer), REF_FRAME_CONFIG,
 * encode of the full-size picture; one packet comes back. Rules of libaom 3.6 that are kept here:
 * a refreshed slot must occur in ref_idx; all seven ref_idx are written to the header, so each
 * names a slot that exists and is not larger than twice the layer; the unit's probabilities come
 * from LAST if that slot holds the same spatial layer, so LAST is either a true reference or the
 * layer below; more threads than whole rows of superblocks in the base layer can corrupt the heap.
 */
#include "av1.h"
#include "obu.h"
#include "rate.h"

#include <aom/aom_encoder.h>
#include <aom/aomcx.h>
#include <stdlib.h>
#include <string.h>

#define SUPERBLOCK 64
#define THREADS_BORNE 4 /* 5 were seen to crash at 1080p, whose base layer has 4.2 rows */
#define QUANTIZER_MIN 2
#define QUANTIZER_MAX 63
/* libaom is told next to no rate, so that it always takes the coarsest quantizer it may. Ours. */
#define STARVED_BPS 1000u
#define REFRESH_FINER 30 /* quantizer steps that cyclic refresh may go below it */
#define REF_LAST 0
#define REF_OWN 1   /* LAST2: names the slot to be refreshed, never predicted from */
#define REF_LONG 2  /* LAST3: likewise the long-term one */
#define REF_BELOW 3 /* GOLDEN */

struct layer_buffer {
    uint8_t *bytes;
    size_t cap;
};

struct av1 {
    aom_codec_ctx_t aom;
    bool aom_open;
    uint8_t n_spatial, speed;
    bool library_rate;
    unsigned threads;
    aom_svc_params_t params;
    struct layer_buffer out[SVC_SPATIAL_MAX];
};

static unsigned threads_borne(unsigned wish, const struct svc_layer_info *base)
{
    unsigned rows = base->height / SUPERBLOCK; /* whole ones */
    unsigned columns = base->width / SUPERBLOCK;
    unsigned most = rows < THREADS_BORNE ? rows : THREADS_BORNE;
    unsigned threads = wish < most ? wish : most;
    return columns < 2 || threads < 1 ? 1 : threads;
}

/* Lowest level that bears the size and rate (AV1 specification, annex A.3). */
static uint8_t level_for(const struct svc_encoder_config *c)
{
    static const struct {
        uint8_t level;
        uint32_t samples, display_rate;
    } table[] = { { 0, 147456, 4423680 },     { 1, 278784, 8363520 },    { 4, 665856, 19975680 },
                  { 5, 1065024, 31950720 },   { 8, 2359296, 70778880 },  { 9, 2359296, 141557760 },
                  { 12, 8912896, 267386880 }, { 13, 8912896, 534773760 } };
    uint32_t samples = (uint32_t)c->width * c->height;
    uint64_t rate = (uint64_t)samples * c->fps_num / c->fps_den;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (samples <= table[i].samples && rate <= table[i].display_rate)
            return table[i].level;
    return 16;
}

/* libaom wants the rate of a temporal layer with all below it, as a share of the spatial layer's.
 */
static double library_share(const struct svc_structure *st, int temporal)
{
    double share = 0;
    for (int t = 0; t <= temporal && t < st->n_temporal; t++)
        share += svc_rate_part(st, (unsigned)t);
    return share;
}

static void set_target(aom_svc_params_t *p, int at, double bps)
{
    p->layer_target_bitrate[at] = (int)(bps / 1000);
    p->min_quantizers[at] = QUANTIZER_MIN; /* until a quantizer is chosen */
    p->max_quantizers[at] = QUANTIZER_MAX;
}

static void fill_params(struct av1 *e, const struct svc_encoder_config *c)
{
    const struct svc_structure *st = &c->structure;
    aom_svc_params_t *p = &e->params;
    p->number_spatial_layers = st->n_spatial;
    /* One layer alone would switch libaom's own reference choice on: say two and use the first. */
    bool alone = st->n_spatial * st->n_temporal == 1;
    p->number_temporal_layers = alone ? 2 : st->n_temporal;
    for (int s = 0; s < st->n_spatial; s++) {
        p->scaling_factor_num[s] = c->ratio[s].num;
        p->scaling_factor_den[s] = c->ratio[s].den;
        for (int t = 0; t < p->number_temporal_layers; t++)
            set_target(p, s * p->number_temporal_layers + t,
                       c->library_rate ? c->bitrate_bps[s] * library_share(st, t) : STARVED_BPS);
    }
    for (int t = 0; t < p->number_temporal_layers; t++)
        p->framerate_factor[t] = 1 << (p->number_temporal_layers - 1 - t);
}

static int set_controls(struct av1 *e)
{
    bool threaded = e->threads > 1;
    const struct {
        int id;
        int value;
    } table[] = {
        { AOME_SET_CPUUSED, e->speed },
        { AV1E_SET_SUPERBLOCK_SIZE, AOM_SUPERBLOCK_SIZE_64X64 },
        { AV1E_SET_AQ_MODE, 3 },                        /* cyclic refresh; */
        { AV1E_SET_RTC_EXTERNAL_RC, !e->library_rate }, /* of every block, however it moves */
        { AV1E_SET_GF_CBR_BOOST_PCT, 0 },
        { AV1E_SET_ENABLE_CDEF, 1 },
        { AV1E_SET_ENABLE_WARPED_MOTION, 0 },
        { AV1E_SET_ENABLE_OBMC, 0 },
        { AV1E_SET_ENABLE_GLOBAL_MOTION, 0 },
        { AV1E_SET_ENABLE_ORDER_HINT, 0 },
        { AV1E_SET_ENABLE_TPL_MODEL, 0 },
        { AV1E_SET_DELTAQ_MODE, 0 },
        { AV1E_SET_COEFF_COST_UPD_FREQ, 3 },
        { AV1E_SET_MODE_COST_UPD_FREQ, 3 },
        { AV1E_SET_MV_COST_UPD_FREQ, 3 },
        { AV1E_SET_DV_COST_UPD_FREQ, 3 },
        { AV1E_SET_CDF_UPDATE_MODE, 1 },
        { AV1E_SET_ENABLE_CFL_INTRA, 0 },
        { AV1E_SET_ENABLE_SMOOTH_INTRA, 0 },
        { AV1E_SET_ENABLE_ANGLE_DELTA, 0 },
        { AV1E_SET_ENABLE_FILTER_INTRA, 0 },
        { AV1E_SET_INTRA_DEFAULT_TX_ONLY, 1 },
        { AV1E_SET_ENABLE_PALETTE, 0 },
        { AV1E_SET_TILE_COLUMNS, threaded },
        { AV1E_SET_ROW_MT, threaded },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (aom_codec_control(&e->aom, table[i].id, table[i].value))
            return SVC_ERR_CODEC;
    if (aom_codec_control(&e->aom, AV1E_SET_SVC_PARAMS, &e->params))
        return SVC_ERR_CODEC;
    return 0;
}

static int open_aom(struct av1 *e, const struct svc_encoder_config *c)
{
    aom_codec_enc_cfg_t cfg;
    aom_codec_iface_t *iface = aom_codec_av1_cx();
    if (aom_codec_enc_config_default(iface, &cfg, AOM_USAGE_REALTIME))
        return SVC_ERR_CODEC;
    cfg.g_usage = AOM_USAGE_REALTIME;
    cfg.g_w = c->width;
    cfg.g_h = c->height;
    cfg.g_timebase.num = (int)c->fps_den;
    cfg.g_timebase.den = (int)c->fps_num;
    cfg.g_threads = e->threads;
    cfg.g_lag_in_frames = 0;
    cfg.rc_end_usage = AOM_CBR;
    cfg.rc_dropframe_thresh = 0;
    cfg.rc_min_quantizer = QUANTIZER_MIN;
    cfg.rc_max_quantizer = QUANTIZER_MAX;
    cfg.rc_target_bitrate = 0;
    for (int s = 0; s < c->structure.n_spatial; s++)
        cfg.rc_target_bitrate += c->library_rate ? c->bitrate_bps[s] / 1000 : STARVED_BPS / 1000;
    cfg.rc_buf_initial_sz = cfg.rc_buf_optimal_sz = 600; /* ms */
    cfg.rc_buf_sz = 1000;
    cfg.kf_mode = AOM_KF_DISABLED; /* only where we ask: all layers must agree */
    if (aom_codec_enc_init(&e->aom, iface, &cfg, 0))
        return SVC_ERR_CODEC;
    e->aom_open = true;
    return set_controls(e);
}

static void encoder_close(void *state)
{
    struct av1 *e = state;
    if (e->aom_open)
        aom_codec_destroy(&e->aom);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        free(e->out[s].bytes);
    free(e);
}

static int encoder_open(void **state, const struct svc_encoder_config *cfg,
                        struct svc_stream_info *info)
{
    struct av1 *e = calloc(1, sizeof(*e));
    if (!e)
        return SVC_ERR_NOMEM;
    e->n_spatial = cfg->structure.n_spatial;
    e->speed = cfg->speed;
    e->library_rate = cfg->library_rate;
    e->threads = threads_borne(cfg->threads, &info->layers[0]);
    fill_params(e, cfg);
    int err = open_aom(e, cfg);
    if (err < 0) {
        encoder_close(e);
        return err;
    }
    struct svc_sequence seq = { .level = level_for(cfg) };
    svc_sequence_codec(&seq, info->codec, sizeof(info->codec));
    *state = e;
    return 0;
}

static aom_svc_ref_frame_config_t ref_config(const struct svc_refs *refs)
{
    aom_svc_ref_frame_config_t rf = { 0 };
    bool below = refs->below != SVC_NO_SLOT;
    bool last = refs->last != SVC_NO_SLOT;
    int fill = below ? refs->below : last ? refs->last : 0;
    for (int i = 0; i < 7; i++)
        rf.ref_idx[i] = fill;
    if (last) {
        rf.ref_idx[REF_LAST] = refs->last;
        rf.reference[REF_LAST] = 1;
    }
    if (below)
        rf.reference[REF_BELOW] = 1;
    if (refs->keep != SVC_NO_SLOT) {
        rf.refresh[refs->keep] = 1;
        if (refs->keep != rf.ref_idx[REF_LAST])
            rf.ref_idx[REF_OWN] = refs->keep;
    }
    if (refs->keep_long != SVC_NO_SLOT) {
        rf.refresh[refs->keep_long] = 1;
        if (refs->keep_long != rf.ref_idx[REF_LAST])
            rf.ref_idx[REF_LONG] = refs->keep_long;
    }
    return rf;
}

/* libaom's packets without temporal delimiter, into the layer's buffer. */
static int take_packet(struct av1 *e, struct svc_coding *coding)
{
    struct layer_buffer *buf = &e->out[coding->layer.spatial];
    aom_codec_iter_t iter = NULL;
    const aom_codec_cx_pkt_t *pkt;
    struct svc_part parts[SVC_SPATIAL_MAX];
    coding->len = 0;
    while ((pkt = aom_codec_get_cx_data(&e->aom, &iter))) {
        if (pkt->kind != AOM_CODEC_CX_FRAME_PKT)
            continue;
        size_t len = pkt->data.frame.sz;
        if (coding->len || len > SVC_UNIT_MAX)
            return SVC_ERR_CODEC;
        if (len > buf->cap) {
            uint8_t *bytes = realloc(buf->bytes, len);
            if (!bytes)
                return SVC_ERR_NOMEM;
            buf->bytes = bytes;
            buf->cap = len;
        }
        int n = svc_obu_split(pkt->data.frame.buf, len, buf->bytes, parts);
        if (n != 1 || parts[0].layer.spatial != coding->layer.spatial ||
            parts[0].key_frame != coding->refs.key)
            return SVC_ERR_CODEC;
        coding->bytes = buf->bytes + parts[0].at;
        coding->len = parts[0].len;
    }
    return coding->len ? 0 : SVC_ERR_CODEC;
}

/*
 * The unit's quantizer, and how much finer the part of the blocks may be that cyclic refresh takes
 * its turn at: up to 15 % of a unit of T0. It is worth 13 % of the bits of one layer at equal SSIM.
 */
static void set_quantizer(aom_svc_params_t *p, int at, const struct svc_coding *coding)
{
    const int q = coding->quantizer;
    const bool refreshes = coding->layer.temporal == 0 && coding->refs.last != SVC_NO_SLOT;

    p->max_quantizers[at] = q;
    p->min_quantizers[at] = !refreshes                          ? q
                            : q > QUANTIZER_MIN + REFRESH_FINER ? q - REFRESH_FINER
                                                                : QUANTIZER_MIN;
    if (p->min_quantizers[at] > q)
        p->min_quantizers[at] = q;
}

static int encode_layer(struct av1 *e, aom_image_t *img, uint64_t picture,
                        struct svc_coding *coding)
{
    const int at =
        coding->layer.spatial * e->params.number_temporal_layers + coding->layer.temporal;
    aom_svc_layer_id_t id = { coding->layer.spatial, coding->layer.temporal };
    aom_svc_ref_frame_config_t rf = ref_config(&coding->refs);

    if (coding->speed != e->speed) {
        if (aom_codec_control(&e->aom, AOME_SET_CPUUSED, coding->speed))
            return SVC_ERR_CODEC;
        e->speed = coding->speed;
    }
    if (!e->library_rate)
        set_quantizer(&e->params, at, coding);
    if (aom_codec_control(&e->aom, AV1E_SET_SVC_LAYER_ID, &id) ||
        aom_codec_control(&e->aom, AV1E_SET_SVC_PARAMS, &e->params) ||
        aom_codec_control(&e->aom, AV1E_SET_SVC_REF_FRAME_CONFIG, &rf))
        return SVC_ERR_CODEC;
    if (aom_codec_encode(&e->aom, img, (aom_codec_pts_t)picture, 1,
                         coding->refs.key ? AOM_EFLAG_FORCE_KF : 0))
        return SVC_ERR_CODEC;
    return take_packet(e, coding);
}

static void wrap_image(aom_image_t *out, const struct svc_image *img)
{
    /* The planes are set below; the address only has to be non-null. */
    aom_img_wrap(out, AOM_IMG_FMT_I420, img->width, img->height, 1,
                 (unsigned char *)(uintptr_t)img->plane[0]);
    for (int p = 0; p < 3; p++) {
        out->planes[p] = (unsigned char *)(uintptr_t)img->plane[p];
        out->stride[p] = (int)img->stride[p];
    }
}

static int encode(void *state, const struct svc_image *img, uint64_t picture,
                  struct svc_coding *coding, size_t n)
{
    aom_image_t wrapped;

    wrap_image(&wrapped, img);
    for (size_t i = 0; i < n; i++) {
        int err = encode_layer(state, &wrapped, picture, &coding[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

const struct svc_codec svc_codec_av1 = {
    .name = "av1",
    .rfc6381 = "av01",
    .n_spatial_max = 4,
    .n_temporal_max = 3,
    .long_term = true,
    .encoder_open = encoder_open,
    .encode = encode,
    .encoder_close = encoder_close,
    .decoder_open = svc_av1_decoder_open,
    .decode = svc_av1_decode,
    .release = svc_av1_release,
    .flush = svc_av1_flush,
    .decoder_close = svc_av1_decoder_close,
};
