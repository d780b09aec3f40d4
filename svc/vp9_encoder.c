/*
 * vp9_encoder.c - the encoding half of the VP9 backend, on libvpx's real-time mode with explicit
 * references ("flexible mode").
 *
 * One encode call codes all spatial layers of a picture and gives a superframe, whose frames are
 * the units. Rules of libvpx 1.12 that are kept here: error_resilient is on, else a layer left out
 * breaks the rest; LAST is a true reference, the other two name nothing new, so a header says just
 * what is read; in three layers above 640x480 of 2:1 each, speed 8 takes the partition of upper
 * temporal layers from the layer below and writes beyond its arrays at some sizes (832x480), so
 * those pictures are coded at speed 7; a layer that is left out has a target of 0 bit/s.
 */
#include "vp9.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#define NOMINAL_KBPS 1000 /* told to libvpx: we choose the quantizer */
#define THREADS_MAX 4
#define SPEED_SAFE 7
#define SPEED_MAX 9
#define LOWRES_PARTITION_AREA (640 * 480)

struct vp9 {
    vpx_codec_ctx_t vpx;
    bool vpx_open;
    vpx_codec_enc_cfg_t cfg;
    vpx_svc_extra_cfg_t params;
    uint8_t n_spatial, n_temporal;
    uint8_t coded; /* layers that libvpx codes now */
    uint8_t speed;
    bool lowres_partition; /* libvpx would use it at speed 8 */
    uint8_t *bytes;        /* of the last superframe */
    size_t cap;
};

static bool halves(const struct svc_encoder_config *c)
{
    for (unsigned s = 0; s < c->structure.n_spatial; s++)
        if (c->ratio[s].num << (c->structure.n_spatial - 1 - s) != c->ratio[s].den)
            return false;
    return true;
}

/* Layers from `n` up get nothing. */
static void set_targets(struct vp9 *e, unsigned n)
{
    e->cfg.rc_target_bitrate = NOMINAL_KBPS * n;
    for (unsigned s = 0; s < e->n_spatial; s++) {
        e->cfg.ss_target_bitrate[s] = s < n ? NOMINAL_KBPS : 0;
        for (unsigned t = 0; t < e->n_temporal; t++)
            e->cfg.layer_target_bitrate[s * e->n_temporal + t] =
                s < n ? NOMINAL_KBPS * (t + 1) / e->n_temporal : 0;
    }
    e->coded = (uint8_t)n;
}

static void fill_config(struct vp9 *e, const struct svc_encoder_config *c)
{
    vpx_codec_enc_cfg_t *cfg = &e->cfg;

    cfg->g_w = c->width;
    cfg->g_h = c->height;
    cfg->g_timebase.num = (int)c->fps_den;
    cfg->g_timebase.den = (int)c->fps_num;
    cfg->g_threads = c->threads < THREADS_MAX ? c->threads : THREADS_MAX;
    cfg->g_lag_in_frames = 0;
    cfg->g_pass = VPX_RC_ONE_PASS;
    cfg->g_error_resilient = 1;
    cfg->rc_end_usage = VPX_CBR;
    cfg->rc_dropframe_thresh = 0;
    cfg->rc_min_quantizer = 0;
    cfg->rc_max_quantizer = 63;
    cfg->kf_mode = VPX_KF_DISABLED; /* only where we ask */
    cfg->ss_number_layers = e->n_spatial;
    cfg->ts_number_layers = e->n_temporal;
    cfg->temporal_layering_mode = VP9E_TEMPORAL_LAYERING_MODE_BYPASS;
    for (unsigned t = 0; t < e->n_temporal; t++)
        cfg->ts_rate_decimator[t] = 1u << (e->n_temporal - 1u - t);
    set_targets(e, e->n_spatial);
    for (unsigned s = 0; s < e->n_spatial; s++) {
        e->params.scaling_factor_num[s] = c->ratio[s].num;
        e->params.scaling_factor_den[s] = c->ratio[s].den;
    }
}

static int open_vpx(struct vp9 *e)
{
    const bool threaded = e->cfg.g_threads > 1;

    if (vpx_codec_enc_init(&e->vpx, vpx_codec_vp9_cx(), &e->cfg, 0))
        return SVC_ERR_CODEC;
    e->vpx_open = true;
    if (vpx_codec_control(&e->vpx, VP9E_SET_SVC, 1) ||
        vpx_codec_control(&e->vpx, VP8E_SET_CPUUSED, e->speed) ||
        vpx_codec_control(&e->vpx, VP9E_SET_AQ_MODE, 0) ||
        vpx_codec_control(&e->vpx, VP9E_SET_SVC_INTER_LAYER_PRED, 0) ||
        vpx_codec_control(&e->vpx, VP9E_SET_NOISE_SENSITIVITY, 0) ||
        vpx_codec_control(&e->vpx, VP9E_SET_TILE_COLUMNS, threaded) ||
        vpx_codec_control(&e->vpx, VP9E_SET_ROW_MT, threaded))
        return SVC_ERR_CODEC;
    return 0;
}

static void encoder_close(void *state)
{
    struct vp9 *e = state;

    if (e->vpx_open)
        vpx_codec_destroy(&e->vpx);
    free(e->bytes);
    free(e);
}

static int encoder_open(void **state, const struct svc_encoder_config *cfg,
                        struct svc_stream_info *info)
{
    struct vp9 *e = calloc(1, sizeof(*e));

    if (!e)
        return SVC_ERR_NOMEM;
    if (vpx_codec_enc_config_default(vpx_codec_vp9_cx(), &e->cfg, 0)) {
        free(e);
        return SVC_ERR_CODEC;
    }
    e->n_spatial = cfg->structure.n_spatial;
    e->n_temporal = cfg->structure.n_temporal;
    e->speed = cfg->speed < SPEED_MAX ? cfg->speed : SPEED_MAX;
    e->lowres_partition =
        e->n_spatial == 3 && cfg->width * cfg->height > LOWRES_PARTITION_AREA && halves(cfg);
    fill_config(e, cfg);
    const int err = open_vpx(e);

    if (err < 0) {
        encoder_close(e);
        return err;
    }
    svc_vp9_codec(0, cfg->width, cfg->height, (double)cfg->fps_num / cfg->fps_den, info->codec,
                  sizeof(info->codec));
    *state = e;
    return 0;
}

static void set_refs(vpx_svc_ref_frame_config_t *rf, unsigned s, const struct svc_refs *refs)
{
    const bool below = refs->below != SVC_NO_SLOT, last = refs->last != SVC_NO_SLOT;
    const int first = last ? refs->last : below ? refs->below : 0;

    rf->lst_fb_idx[s] = first;
    rf->gld_fb_idx[s] = rf->alt_fb_idx[s] = below ? refs->below : first;
    rf->reference_last[s] = 1;
    rf->reference_golden[s] = last && below;
    if (refs->keep != SVC_NO_SLOT)
        rf->update_buffer_slot[s] |= 1 << refs->keep;
    if (refs->keep_long != SVC_NO_SLOT)
        rf->update_buffer_slot[s] |= 1 << refs->keep_long;
    rf->duration[s] = 1;
}

/* What the next encode call is to do. */
static int instruct(struct vp9 *e, const struct svc_coding *coding, size_t n)
{
    const uint8_t temporal = coding[0].layer.temporal;
    const bool slower = e->lowres_partition && temporal > 0;
    vpx_svc_layer_id_t id = { .temporal_layer_id = temporal };
    vpx_svc_ref_frame_config_t rf = { 0 };

    e->speed = coding[0].speed < SPEED_MAX ? coding[0].speed : SPEED_MAX;
    for (unsigned s = 0; s < e->n_spatial; s++) {
        id.temporal_layer_id_per_spatial[s] = temporal;
        e->params.speed_per_layer[s] = slower && e->speed > SPEED_SAFE ? SPEED_SAFE : e->speed;
        for (unsigned t = 0; t < e->n_temporal; t++)
            e->params.min_quantizers[s * e->n_temporal + t] =
                e->params.max_quantizers[s * e->n_temporal + t] = coding[s < n ? s : 0].quantizer;
        if (s < n)
            set_refs(&rf, s, &coding[s].refs);
    }
    if (n != e->coded) {
        set_targets(e, (unsigned)n);
        if (vpx_codec_enc_config_set(&e->vpx, &e->cfg))
            return SVC_ERR_CODEC;
    }
    if (vpx_codec_control(&e->vpx, VP9E_SET_SVC_LAYER_ID, &id) ||
        vpx_codec_control(&e->vpx, VP9E_SET_SVC_PARAMETERS, &e->params) ||
        vpx_codec_control(&e->vpx, VP9E_SET_SVC_REF_FRAME_CONFIG, &rf))
        return SVC_ERR_CODEC;
    return 0;
}

/* The superframe's frames are the layers. */
static int take_superframe(struct vp9 *e, struct svc_coding *coding, size_t n)
{
    static const struct svc_vp9_size unknown[SVC_SLOTS];
    struct svc_span frames[SVC_VP9_FRAMES_MAX];
    vpx_codec_iter_t iter = NULL;
    const vpx_codec_cx_pkt_t *pkt;
    size_t len = 0;

    while ((pkt = vpx_codec_get_cx_data(&e->vpx, &iter))) {
        if (pkt->kind != VPX_CODEC_CX_FRAME_PKT)
            continue;
        if (len)
            return SVC_ERR_CODEC;
        len = pkt->data.frame.sz;
        if (len > e->cap) {
            uint8_t *bytes = realloc(e->bytes, len);

            if (!bytes)
                return SVC_ERR_NOMEM;
            e->bytes = bytes;
            e->cap = len;
        }
        memcpy(e->bytes, pkt->data.frame.buf, len);
    }
    if (svc_vp9_split(e->bytes, len, frames) != (int)n)
        return SVC_ERR_CODEC;
    for (size_t i = 0; i < n; i++) {
        struct svc_vp9_frame f;

        if (frames[i].len > SVC_UNIT_MAX ||
            svc_vp9_parse(&f, frames[i].bytes, frames[i].len, unknown) < 0 ||
            f.key != coding[i].refs.key)
            return SVC_ERR_CODEC;
        coding[i].bytes = frames[i].bytes;
        coding[i].len = frames[i].len;
    }
    return 0;
}

static int encode(void *state, const struct svc_image *img, uint64_t picture,
                  struct svc_coding *coding, size_t n)
{
    struct vp9 *e = state;
    vpx_image_t wrapped;

    /* The planes are set below; the address only has to be non-null. */
    vpx_img_wrap(&wrapped, VPX_IMG_FMT_I420, img->width, img->height, 1,
                 (unsigned char *)(uintptr_t)img->plane[0]);
    for (int p = 0; p < 3; p++) {
        wrapped.planes[p] = (unsigned char *)(uintptr_t)img->plane[p];
        wrapped.stride[p] = (int)img->stride[p];
    }
    const int err = instruct(e, coding, n);

    if (err < 0)
        return err;
    if (vpx_codec_encode(&e->vpx, &wrapped, (vpx_codec_pts_t)picture, 1,
                         coding[0].refs.key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME))
        return SVC_ERR_CODEC;
    return take_superframe(e, coding, n);
}

const struct svc_codec svc_codec_vp9 = {
    .name = "vp9",
    .rfc6381 = "vp09",
    .n_spatial_max = 4,
    .n_temporal_max = 3,
    .long_term = true,
    .encoder_open = encoder_open,
    .encode = encode,
    .encoder_close = encoder_close,
    .decoder_open = svc_vp9_decoder_open,
    .decode = svc_vp9_decode,
    .release = svc_vp9_release,
    .flush = svc_vp9_flush,
    .decoder_close = svc_vp9_decoder_close,
};
