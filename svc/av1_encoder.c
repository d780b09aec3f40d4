/*
 * av1_encoder.c - svc_encoder on libaom's real-time mode with explicit references.
 *
 * Per picture and spatial layer: LAYER_ID, SVC_PARAMS (this unit's quantizer), REF_FRAME_CONFIG,
 * encode of the full-size picture; one packet comes back. Rules of libaom 3.6 that are kept here:
 * a refreshed slot must occur in ref_idx; all seven ref_idx are written to the header, so each
 * names a slot that exists and is not larger than twice the layer; the unit's probabilities come
 * from LAST if that slot holds the same spatial layer, so LAST is either a true reference or the
 * layer below; more threads than whole rows of superblocks in the base layer can corrupt the heap.
 */
#include "obu.h"
#include "rate.h"
#include "structure.h"

#include <aom/aom_encoder.h>
#include <aom/aomcx.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERBLOCK 64
#define THREADS_BORNE 4 /* 5 were seen to crash at 1080p, whose base layer has 4.2 rows */
#define SIDE_MIN 128
#define SIDE_MAX 4096
#define FPS_MAX 240
#define NOMINAL_BPS 1000000u /* told to libaom where we choose the quantizer */
#define REF_LAST 0
#define REF_OWN 1   /* LAST2: names the slot to be refreshed, never predicted from */
#define REF_BELOW 3 /* GOLDEN */

struct layer_buffer {
    uint8_t *bytes;
    size_t cap;
};

struct svc_encoder {
    struct svc_encoder_config cfg;
    struct svc_stream_info info;
    struct svc_structure structure;
    aom_codec_ctx_t aom;
    bool aom_open;
    aom_svc_params_t params;
    struct svc_rate rate[SVC_SPATIAL_MAX];
    struct svc_tracker slots; /* what the encoder's own slots hold */
    struct layer_buffer out[SVC_SPATIAL_MAX];
    uint64_t picture, since_key;
};

void svc_encoder_config_init(struct svc_encoder_config *cfg)
{
    *cfg = (struct svc_encoder_config){
        .width = 1280,
        .height = 720,
        .fps_num = 30,
        .fps_den = 1,
        .n_spatial = 3,
        .n_temporal = 2,
        .bitrate_bps = { 300000, 900000, 2400000 },
        .quantizer = { 36, 36, 36 },
        .key_interval = 60,
        .speed = 9,
        .threads = 2,
    };
}

static bool config_valid(const struct svc_encoder_config *c)
{
    if (c->n_spatial < 1 || c->n_spatial > 3 || c->n_temporal < 1 || c->n_temporal > 2)
        return false;
    if (c->width < SIDE_MIN || c->width > SIDE_MAX || c->height < SIDE_MIN ||
        c->height > SIDE_MAX || c->width % 2 || c->height % 2)
        return false;
    if (c->fps_num == 0 || c->fps_den == 0 || c->fps_num / c->fps_den > FPS_MAX)
        return false;
    for (unsigned s = 0; s < c->n_spatial; s++)
        if (c->quantizer[s] > 63)
            return false;
    return c->speed >= 7 && c->speed <= 10 && c->threads >= 1 && c->threads <= 16;
}

/* As libaom rounds when it scales by 1 / 2^n: down, then up to even. */
static uint16_t layer_side(uint16_t top, unsigned halvings)
{
    unsigned side = top >> halvings;
    return (uint16_t)(side + side % 2);
}

static unsigned threads_borne(const struct svc_encoder_config *c)
{
    unsigned rows = layer_side(c->height, c->n_spatial - 1u) / SUPERBLOCK; /* whole ones */
    unsigned columns = layer_side(c->width, c->n_spatial - 1u) / SUPERBLOCK;
    unsigned most = rows < THREADS_BORNE ? rows : THREADS_BORNE;
    unsigned threads = c->threads < most ? c->threads : most;
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

static void fill_info(struct svc_encoder *e)
{
    const struct svc_encoder_config *c = &e->cfg;
    struct svc_stream_info *i = &e->info;
    i->n_spatial = c->n_spatial;
    i->n_temporal = c->n_temporal;
    i->width = c->width;
    i->height = c->height;
    i->fps_num = c->fps_num;
    i->fps_den = c->fps_den;
    i->n_layers = (size_t)c->n_spatial * c->n_temporal;
    struct svc_sequence seq = { .level = level_for(c) };
    svc_sequence_codec(&seq, i->codec, sizeof(i->codec));
    for (uint8_t t = 0; t < c->n_temporal; t++) {
        for (uint8_t s = 0; s < c->n_spatial; s++) {
            struct svc_layer_info *l = &i->layers[t * c->n_spatial + s];
            l->layer = (struct svc_layer){ .spatial = s, .temporal = t };
            l->width = layer_side(c->width, c->n_spatial - 1u - s);
            l->height = layer_side(c->height, c->n_spatial - 1u - s);
            uint64_t percent = c->n_temporal == 1 ? 100 : t == 0 ? 65 : 35;
            l->bitrate_bps = (uint32_t)(c->bitrate_bps[s] * percent / 100);
            l->bitrate_max_bps = l->bitrate_bps * 2;
        }
    }
}

static void fill_params(struct svc_encoder *e)
{
    const struct svc_encoder_config *c = &e->cfg;
    aom_svc_params_t *p = &e->params;
    p->number_spatial_layers = c->n_spatial;
    /* One layer alone would switch libaom's own reference choice on: say two and use the first. */
    bool alone = c->n_spatial * c->n_temporal == 1;
    p->number_temporal_layers = alone ? 2 : c->n_temporal;
    for (int s = 0; s < c->n_spatial; s++) {
        p->scaling_factor_num[s] = 1;
        p->scaling_factor_den[s] = 1 << (c->n_spatial - 1 - s);
        uint32_t bps = c->bitrate_bps[s] ? c->bitrate_bps[s] : NOMINAL_BPS;
        for (int t = 0; t < p->number_temporal_layers; t++) {
            int l = s * p->number_temporal_layers + t;
            p->layer_target_bitrate[l] = (int)(bps / 1000);
            p->min_quantizers[l] = c->quantizer[s];
            p->max_quantizers[l] = c->quantizer[s];
        }
    }
    for (int t = 0; t < p->number_temporal_layers; t++)
        p->framerate_factor[t] = 1 << (p->number_temporal_layers - 1 - t);
}

static int set_controls(struct svc_encoder *e)
{
    bool threaded = threads_borne(&e->cfg) > 1;
    const struct {
        int id;
        int value;
    } table[] = {
        { AOME_SET_CPUUSED, e->cfg.speed },
        { AV1E_SET_SUPERBLOCK_SIZE, AOM_SUPERBLOCK_SIZE_64X64 },
        { AV1E_SET_AQ_MODE, 0 },
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

static int open_aom(struct svc_encoder *e)
{
    aom_codec_enc_cfg_t cfg;
    aom_codec_iface_t *iface = aom_codec_av1_cx();
    if (aom_codec_enc_config_default(iface, &cfg, AOM_USAGE_REALTIME))
        return SVC_ERR_CODEC;
    cfg.g_usage = AOM_USAGE_REALTIME;
    cfg.g_w = e->cfg.width;
    cfg.g_h = e->cfg.height;
    cfg.g_timebase.num = (int)e->cfg.fps_den;
    cfg.g_timebase.den = (int)e->cfg.fps_num;
    cfg.g_threads = threads_borne(&e->cfg);
    cfg.g_lag_in_frames = 0;
    cfg.rc_end_usage = AOM_CBR;
    cfg.rc_dropframe_thresh = 0;
    cfg.rc_min_quantizer = 2;
    cfg.rc_max_quantizer = 63;
    cfg.rc_target_bitrate = 0;
    for (int s = 0; s < e->cfg.n_spatial; s++)
        cfg.rc_target_bitrate +=
            (unsigned)e->params.layer_target_bitrate[s * e->params.number_temporal_layers];
    cfg.kf_mode = AOM_KF_DISABLED; /* only where we ask: all layers must agree */
    if (aom_codec_enc_init(&e->aom, iface, &cfg, 0))
        return SVC_ERR_CODEC;
    e->aom_open = true;
    return set_controls(e);
}

int svc_encoder_new(struct svc_encoder **out, const struct svc_encoder_config *cfg)
{
    if (!config_valid(cfg))
        return SVC_ERR_ARG;
    struct svc_encoder *e = calloc(1, sizeof(*e));
    if (!e)
        return SVC_ERR_NOMEM;
    e->cfg = *cfg;
    e->structure = (struct svc_structure){ cfg->n_spatial, cfg->n_temporal };
    fill_info(e);
    fill_params(e);
    for (unsigned s = 0; s < cfg->n_spatial; s++) {
        const struct svc_layer_info *l = &e->info.layers[s];
        if (cfg->bitrate_bps[s])
            svc_rate_init(&e->rate[s], &(struct svc_rate_config){
                                           .target_bps = cfg->bitrate_bps[s],
                                           .fps = (double)cfg->fps_num / cfg->fps_den,
                                           .key_interval = cfg->key_interval,
                                           .n_temporal = cfg->n_temporal,
                                           .pixels = (uint32_t)l->width * l->height,
                                       });
    }
    int err = open_aom(e);
    if (err < 0) {
        svc_encoder_free(e);
        return err;
    }
    *out = e;
    return 0;
}

const struct svc_stream_info *svc_encoder_info(const struct svc_encoder *e)
{
    return &e->info;
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
    return rf;
}

static void add_read(const struct svc_encoder *e, struct svc_deps *deps, uint8_t slot)
{
    assert(e->slots.slot[slot].valid);
    deps->reads[deps->n_reads++] = (struct svc_read){
        .slot = slot,
        .spatial = e->slots.slot[slot].spatial,
        .picture = e->slots.slot[slot].picture,
    };
}

static struct svc_deps deps_of(const struct svc_encoder *e, const struct svc_refs *refs)
{
    struct svc_deps deps = { 0 };
    if (refs->key) {
        deps.refreshes = 0xff;
        return deps;
    }
    if (refs->keep != SVC_NO_SLOT)
        deps.refreshes = (uint8_t)(1u << refs->keep);
    if (refs->last != SVC_NO_SLOT)
        add_read(e, &deps, refs->last);
    if (refs->below != SVC_NO_SLOT)
        add_read(e, &deps, refs->below);
    return deps;
}

/* libaom's packets without temporal delimiter, into the layer's buffer. */
static int take_packet(struct svc_encoder *e, struct svc_unit *unit)
{
    struct layer_buffer *buf = &e->out[unit->layer.spatial];
    aom_codec_iter_t iter = NULL;
    const aom_codec_cx_pkt_t *pkt;
    struct svc_part parts[SVC_SPATIAL_MAX];
    unit->len = 0;
    while ((pkt = aom_codec_get_cx_data(&e->aom, &iter))) {
        if (pkt->kind != AOM_CODEC_CX_FRAME_PKT)
            continue;
        size_t len = pkt->data.frame.sz;
        if (unit->len || len > SVC_UNIT_MAX)
            return SVC_ERR_CODEC;
        if (len > buf->cap) {
            uint8_t *bytes = realloc(buf->bytes, len);
            if (!bytes)
                return SVC_ERR_NOMEM;
            buf->bytes = bytes;
            buf->cap = len;
        }
        int n = svc_obu_split(pkt->data.frame.buf, len, buf->bytes, parts);
        if (n != 1 || parts[0].layer.spatial != unit->layer.spatial ||
            parts[0].key_frame != unit->key)
            return SVC_ERR_CODEC;
        unit->bytes = buf->bytes + parts[0].at;
        unit->len = parts[0].len;
    }
    return unit->len ? 0 : SVC_ERR_CODEC;
}

static uint8_t quantizer_for(struct svc_encoder *e, unsigned s, enum svc_rate_kind kind)
{
    if (e->cfg.bitrate_bps[s])
        return svc_rate_quantizer(&e->rate[s], kind);
    return svc_rate_cascade(e->cfg.quantizer[s], kind);
}

static int encode_layer(struct svc_encoder *e, aom_image_t *img, bool key_picture,
                        struct svc_unit *unit)
{
    unsigned s = unit->layer.spatial;
    struct svc_refs refs = svc_structure_refs(&e->structure, unit->layer, key_picture);
    enum svc_rate_kind kind = key_picture            ? SVC_RATE_KEY
                              : unit->layer.temporal ? SVC_RATE_T1
                                                     : SVC_RATE_T0;
    uint8_t q = quantizer_for(e, s, kind);
    int at = (int)s * e->params.number_temporal_layers + unit->layer.temporal;
    e->params.min_quantizers[at] = q;
    e->params.max_quantizers[at] = q;
    aom_svc_layer_id_t id = { (int)s, unit->layer.temporal };
    aom_svc_ref_frame_config_t rf = ref_config(&refs);
    if (aom_codec_control(&e->aom, AV1E_SET_SVC_LAYER_ID, &id) ||
        aom_codec_control(&e->aom, AV1E_SET_SVC_PARAMS, &e->params) ||
        aom_codec_control(&e->aom, AV1E_SET_SVC_REF_FRAME_CONFIG, &rf))
        return SVC_ERR_CODEC;
    unit->key = refs.key;
    unit->deps = deps_of(e, &refs);
    if (aom_codec_encode(&e->aom, img, (aom_codec_pts_t)e->picture, 1,
                         refs.key ? AOM_EFLAG_FORCE_KF : 0))
        return SVC_ERR_CODEC;
    int err = take_packet(e, unit);
    if (err < 0)
        return err;
    if (e->cfg.bitrate_bps[s])
        svc_rate_coded(&e->rate[s], kind, q, unit->len);
    svc_tracker_decoded(&e->slots, unit);
    return 0;
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

int svc_encoder_encode(struct svc_encoder *e, const struct svc_image *img, int64_t pts,
                       bool force_key, struct svc_unit *units)
{
    if (img->width != e->cfg.width || img->height != e->cfg.height)
        return SVC_ERR_ARG;
    uint32_t interval = e->cfg.key_interval;
    bool key = e->picture == 0 || force_key || (interval && e->since_key >= interval);
    if (key)
        e->since_key = 0;
    uint8_t temporal = svc_structure_temporal(&e->structure, e->since_key);
    aom_image_t wrapped;
    wrap_image(&wrapped, img);
    for (uint8_t s = 0; s < e->cfg.n_spatial; s++) {
        units[s] = (struct svc_unit){ .picture = e->picture,
                                      .pts = pts,
                                      .layer = { .spatial = s, .temporal = temporal } };
        int err = encode_layer(e, &wrapped, key, &units[s]);
        if (err < 0)
            return err;
    }
    e->picture++;
    e->since_key++;
    return e->cfg.n_spatial;
}

void svc_encoder_free(struct svc_encoder *e)
{
    if (!e)
        return;
    if (e->aom_open)
        aom_codec_destroy(&e->aom);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        free(e->out[s].bytes);
    free(e);
}
