/*
 * h264_encoder.c - the encoding half of the H.264 backend, on OpenH264: temporal layers only, since
 * its spatial layers are simulcast in disguise (no prediction between them).
 *
 * OpenH264 chooses references by itself: each picture reads the last one kept of its own or a lower
 * temporal layer, which is what structure.h says. Its quantizer is that of the highest temporal
 * layer less a cascade of its own, which is undone here.
 */
#include "h264.h"

#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

#define QP_MAX 51
#define NOMINAL_BPS 1000000 /* told to OpenH264: we choose the quantizer */
#define FPS_MAX 60.0        /* of OpenH264; only its rate control would mind */
#define SLICES_MAX 4
#define SPEED_FAST 9

struct h264 {
    ISVCEncoder *wels;
    bool inited;
    SEncParamExt params;
    uint8_t *bytes;
    size_t cap;
};

/* H.264's quantizer of the same step size as AV1's. */
static int qp_of(uint8_t quantizer)
{
    static const uint8_t table[64] = { 0,  7,  10, 12, 13, 15, 16, 17, 18, 19, 19, 20, 21,
                                       21, 22, 22, 23, 23, 24, 24, 25, 25, 25, 26, 26, 27,
                                       28, 28, 29, 29, 30, 30, 31, 31, 32, 33, 33, 34, 34,
                                       35, 36, 36, 37, 37, 38, 39, 39, 40, 41, 41, 42, 43,
                                       43, 44, 45, 45, 46, 47, 47, 48, 49, 49, 50, 51 };

    return table[quantizer & 63];
}

/* The one to be set for `qp` to be used in a picture of the layer (RcCalculateCascadingQp). */
static int before_cascade(int qp, int n_temporal, int temporal)
{
    const int stages = n_temporal - 1;
    const int set = stages == 0 ? qp : temporal == 0 ? qp + 2 + stages : qp + stages - temporal;

    return set > QP_MAX ? QP_MAX : set < 1 ? 1 : set;
}

static void fill_params(struct h264 *e, const struct svc_encoder_config *c)
{
    SEncParamExt *p = &e->params;
    SSpatialLayerConfig *l = &p->sSpatialLayers[0];
    const double fps = (double)c->fps_num / c->fps_den;

    p->iUsageType = CAMERA_VIDEO_REAL_TIME;
    p->iPicWidth = l->iVideoWidth = c->width;
    p->iPicHeight = l->iVideoHeight = c->height;
    p->iTargetBitrate = l->iSpatialBitrate = NOMINAL_BPS;
    p->iMaxBitrate = l->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
    p->iRCMode = RC_OFF_MODE;
    p->fMaxFrameRate = l->fFrameRate = (float)(fps < FPS_MAX ? fps : FPS_MAX);
    p->iTemporalLayerNum = c->structure.n_temporal;
    p->iSpatialLayerNum = 1;
    p->iComplexityMode = c->speed >= SPEED_FAST ? LOW_COMPLEXITY : MEDIUM_COMPLEXITY;
    p->uiIntraPeriod = 0; /* only where we ask */
    p->eSpsPpsIdStrategy = CONSTANT_ID;
    p->bEnableFrameSkip = false;
    p->bEnableDenoise = false;
    p->bEnableBackgroundDetection = false;
    p->bEnableAdaptiveQuant = false;
    p->bEnableSceneChangeDetect = false;
    p->bEnableFrameCroppingFlag = true;
    p->iMinQp = 0;
    p->iMaxQp = QP_MAX;
    p->iMultipleThreadIdc = c->threads < SLICES_MAX ? c->threads : SLICES_MAX;
    p->bUseLoadBalancing = false;
    l->uiProfileIdc = PRO_BASELINE;
    l->iDLayerQp = 30;
    l->sSliceArgument.uiSliceMode =
        p->iMultipleThreadIdc > 1 ? SM_FIXEDSLCNUM_SLICE : SM_SINGLE_SLICE;
    l->sSliceArgument.uiSliceNum = p->iMultipleThreadIdc;
}

static void encoder_close(void *state)
{
    struct h264 *e = state;

    if (e->inited)
        (*e->wels)->Uninitialize(e->wels);
    if (e->wels)
        WelsDestroySVCEncoder(e->wels);
    free(e->bytes);
    free(e);
}

/* The parameter sets tell profile and level. */
static int name_codec(struct h264 *e, struct svc_stream_info *info)
{
    SFrameBSInfo bs = { 0 };

    if ((*e->wels)->EncodeParameterSets(e->wels, &bs) || bs.iLayerNum < 1)
        return SVC_ERR_CODEC;
    const uint8_t *at = bs.sLayerInfo[0].pBsBuf;
    const uint8_t *end = at;
    struct svc_nal nal;
    struct svc_sps sps;

    for (int i = 0; i < bs.sLayerInfo[0].iNalCount; i++)
        end += bs.sLayerInfo[0].pNalLengthInByte[i];
    while (svc_nal_next(&at, end, &nal) == 1)
        if (nal.type == SVC_NAL_SPS && svc_sps_parse(&sps, nal.body, nal.body_len) == 0) {
            svc_sps_codec(&sps, info->codec, sizeof(info->codec));
            return 0;
        }
    return SVC_ERR_CODEC;
}

static int encoder_open(void **state, const struct svc_encoder_config *cfg,
                        struct svc_stream_info *info)
{
    struct h264 *e = calloc(1, sizeof(*e));
    int quiet = WELS_LOG_QUIET;

    if (!e)
        return SVC_ERR_NOMEM;
    int err = SVC_ERR_CODEC;
    if (WelsCreateSVCEncoder(&e->wels) || !e->wels)
        goto fail;
    (*e->wels)->SetOption(e->wels, ENCODER_OPTION_TRACE_LEVEL, &quiet);
    if ((*e->wels)->GetDefaultParams(e->wels, &e->params))
        goto fail;
    fill_params(e, cfg);
    if ((*e->wels)->InitializeExt(e->wels, &e->params))
        goto fail;
    e->inited = true;
    if ((*e->wels)->GetOption(e->wels, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, &e->params))
        goto fail;
    err = name_codec(e, info);
    if (err < 0)
        goto fail;
    *state = e;
    return 0;
fail:
    encoder_close(e);
    return err;
}

static int take_bytes(struct h264 *e, const SFrameBSInfo *bs, struct svc_coding *coding)
{
    size_t len = 0;

    for (int i = 0; i < bs->iLayerNum; i++)
        for (int j = 0; j < bs->sLayerInfo[i].iNalCount; j++)
            len += (size_t)bs->sLayerInfo[i].pNalLengthInByte[j];
    if (len < 1 || len > SVC_UNIT_MAX)
        return SVC_ERR_CODEC;
    if (len > e->cap) {
        uint8_t *bytes = realloc(e->bytes, len);

        if (!bytes)
            return SVC_ERR_NOMEM;
        e->bytes = bytes;
        e->cap = len;
    }
    coding->bytes = e->bytes;
    coding->len = len;
    len = 0;
    for (int i = 0; i < bs->iLayerNum; i++) {
        size_t part = 0;

        for (int j = 0; j < bs->sLayerInfo[i].iNalCount; j++)
            part += (size_t)bs->sLayerInfo[i].pNalLengthInByte[j];
        memcpy(e->bytes + len, bs->sLayerInfo[i].pBsBuf, part);
        len += part;
    }
    return 0;
}

static int encode(void *state, const struct svc_image *img, uint64_t picture,
                  struct svc_coding *coding, size_t n)
{
    struct h264 *e = state;
    SSpatialLayerConfig *l = &e->params.sSpatialLayers[0];
    SFrameBSInfo bs = { 0 };
    SSourcePicture src = { .iColorFormat = videoFormatI420,
                           .iPicWidth = img->width,
                           .iPicHeight = img->height,
                           .uiTimeStamp = (long long)picture };

    (void)n; /* one spatial layer */
    for (int p = 0; p < 3; p++) {
        src.pData[p] = (unsigned char *)(uintptr_t)img->plane[p];
        src.iStride[p] = (int)img->stride[p];
    }
    l->iDLayerQp = before_cascade(qp_of(coding->quantizer), e->params.iTemporalLayerNum,
                                  coding->layer.temporal);
    if ((*e->wels)->SetOption(e->wels, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, &e->params))
        return SVC_ERR_CODEC;
    if (coding->refs.key && (*e->wels)->ForceIntraFrame(e->wels, true))
        return SVC_ERR_CODEC;
    if ((*e->wels)->EncodeFrame(e->wels, &src, &bs) || bs.eFrameType == videoFrameTypeSkip ||
        bs.iLayerNum < 1)
        return SVC_ERR_CODEC;
    if ((bs.eFrameType == videoFrameTypeIDR) != coding->refs.key ||
        bs.sLayerInfo[bs.iLayerNum - 1].uiTemporalId != coding->layer.temporal)
        return SVC_ERR_CODEC; /* not the structure that was asked for */
    return take_bytes(e, &bs, coding);
}

const struct svc_codec svc_codec_h264 = {
    .name = "h264",
    .rfc6381 = "avc",
    .n_spatial_max = 1,
    .n_temporal_max = 3,
    .in_order = true,
    .encoder_open = encoder_open,
    .encode = encode,
    .encoder_close = encoder_close,
    .decoder_open = svc_h264_decoder_open,
    .decode = svc_h264_decode,
    .release = svc_h264_release,
    .flush = svc_h264_flush,
    .decoder_close = svc_h264_decoder_close,
};
