/* judge.c - see judge.h. */
#include "judge.h"

#include <aom/aom_decoder.h>
#include <aom/aomdx.h>
#include <libavcodec/avcodec.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

struct judge {
    const struct kind *kind;
    aom_codec_ctx_t aom; /* AV1 */
    bool aom_open;
    AVCodecContext *av; /* VP9 */
    AVPacket *pkt;
    AVFrame *frame;
    ISVCDecoder *wels; /* H.264 */
};

struct kind {
    const char *codec, *name;
    int (*open)(struct judge *j);
    int (*decode)(struct judge *j, const struct svc_unit *unit, struct svc_image *out);
};

/* 0, or SVC_ERR_CODEC: sides that no image has. */
static int fill(struct svc_image *out, unsigned width, unsigned height, uint8_t *const plane[3],
                const int stride[3])
{
    if (width < 1 || height < 1 || width > UINT16_MAX || height > UINT16_MAX)
        return SVC_ERR_CODEC;
    *out = (struct svc_image){ .width = (uint16_t)width, .height = (uint16_t)height };
    for (int p = 0; p < 3; p++) {
        out->plane[p] = plane[p];
        out->stride[p] = stride[p];
    }
    return 0;
}

static int open_aom(struct judge *j)
{
    aom_codec_dec_cfg_t cfg = { .threads = 1, .allow_lowbitdepth = 1 };

    if (aom_codec_dec_init(&j->aom, aom_codec_av1_dx(), &cfg, 0))
        return SVC_ERR_CODEC;
    j->aom_open = true;
    return aom_codec_control(&j->aom, AV1D_SET_OPERATING_POINT, 0) ||
                   aom_codec_control(&j->aom, AV1D_SET_OUTPUT_ALL_LAYERS, 1)
               ? SVC_ERR_CODEC
               : 0;
}

static int decode_aom(struct judge *j, const struct svc_unit *unit, struct svc_image *out)
{
    aom_codec_iter_t iter = NULL;
    const aom_image_t *img = NULL, *next;

    if (aom_codec_decode(&j->aom, unit->bytes, unit->len, NULL))
        return SVC_ERR_CODEC;
    while ((next = aom_codec_get_frame(&j->aom, &iter)))
        img = next;
    return img && img->fmt == AOM_IMG_FMT_I420
               ? fill(out, img->d_w, img->d_h, img->planes, img->stride)
               : SVC_ERR_CODEC;
}

static int open_av(struct judge *j)
{
    const AVCodec *vp9 = avcodec_find_decoder_by_name("vp9");

    j->av = vp9 ? avcodec_alloc_context3(vp9) : NULL;
    j->pkt = av_packet_alloc();
    j->frame = av_frame_alloc();
    if (!j->av || !j->pkt || !j->frame)
        return SVC_ERR_NOMEM;
    j->av->thread_count = 1;
    return avcodec_open2(j->av, vp9, NULL) < 0 ? SVC_ERR_CODEC : 0;
}

static int decode_av(struct judge *j, const struct svc_unit *unit, struct svc_image *out)
{
    if (av_new_packet(j->pkt, (int)unit->len) < 0)
        return SVC_ERR_NOMEM;
    memcpy(j->pkt->data, unit->bytes, unit->len);
    const int sent = avcodec_send_packet(j->av, j->pkt);

    av_packet_unref(j->pkt);
    if (sent < 0 || avcodec_receive_frame(j->av, j->frame) < 0 ||
        j->frame->format != AV_PIX_FMT_YUV420P)
        return SVC_ERR_CODEC;
    return fill(out, (unsigned)j->frame->width, (unsigned)j->frame->height, j->frame->data,
                j->frame->linesize);
}

static int open_wels(struct judge *j)
{
    SDecodingParam param = { .uiTargetDqLayer = UCHAR_MAX,
                             .eEcActiveIdc = ERROR_CON_DISABLE,
                             .sVideoProperty = { .eVideoBsType = VIDEO_BITSTREAM_AVC } };
    int quiet = WELS_LOG_QUIET;

    if (WelsCreateDecoder(&j->wels) != 0)
        return SVC_ERR_NOMEM;
    (*j->wels)->SetOption(j->wels, DECODER_OPTION_TRACE_LEVEL, &quiet);
    return (*j->wels)->Initialize(j->wels, &param) != 0 ? SVC_ERR_CODEC : 0;
}

static int decode_wels(struct judge *j, const struct svc_unit *unit, struct svc_image *out)
{
    uint8_t *planes[3] = { NULL };
    SBufferInfo info = { 0 };

    if ((*j->wels)->DecodeFrameNoDelay(j->wels, unit->bytes, (int)unit->len, planes, &info) != 0 ||
        info.iBufferStatus != 1)
        return SVC_ERR_CODEC;
    const SSysMEMBuffer *b = &info.UsrData.sSystemBuffer;
    const int stride[3] = { b->iStride[0], b->iStride[1], b->iStride[1] };

    return fill(out, (unsigned)b->iWidth, (unsigned)b->iHeight, planes, stride);
}

static const struct kind kinds[] = {
    { "av1", "libaom", open_aom, decode_aom },
    { "vp9", "libavcodec", open_av, decode_av },
    { "h264", "OpenH264", open_wels, decode_wels },
};

int judge_new(struct judge **out, const char *codec)
{
    const char *name = svc_codec_name(codec);
    const struct kind *k = kinds, *const end = kinds + sizeof(kinds) / sizeof(kinds[0]);

    while (k < end && (!name || strcmp(k->codec, name) != 0))
        k++;
    if (k == end)
        return SVC_ERR_ARG;
    struct judge *j = calloc(1, sizeof(*j));
    int err = j ? k->open(j) : SVC_ERR_NOMEM;

    if (err < 0) {
        judge_free(j);
        return err;
    }
    j->kind = k;
    *out = j;
    return 0;
}

const char *judge_name(const struct judge *j)
{
    return j->kind->name;
}

int judge_decode(struct judge *j, const struct svc_unit *unit, struct svc_image *out)
{
    return j->kind->decode(j, unit, out);
}

void judge_free(struct judge *j)
{
    if (!j)
        return;
    if (j->aom_open)
        aom_codec_destroy(&j->aom);
    avcodec_free_context(&j->av);
    av_packet_free(&j->pkt);
    av_frame_free(&j->frame);
    if (j->wels) {
        (*j->wels)->Uninitialize(j->wels);
        WelsDestroyDecoder(j->wels);
    }
    free(j);
}
