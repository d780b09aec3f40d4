/*
 * h264_decoder.c - the decoding half of the H.264 backend, on libavcodec: one access unit in, its
 * picture out, nothing concealed.
 */
#include "h264.h"

#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <stdlib.h>
#include <string.h>

struct h264_decoder {
    AVCodecContext *av;
    AVPacket *pkt;
};

void svc_h264_decoder_close(void *state)
{
    struct h264_decoder *d = state;

    avcodec_free_context(&d->av);
    av_packet_free(&d->pkt);
    free(d);
}

int svc_h264_decoder_open(void **state, unsigned threads)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
    struct h264_decoder *d = calloc(1, sizeof(*d));

    if (!d)
        return SVC_ERR_NOMEM;
    d->av = codec ? avcodec_alloc_context3(codec) : NULL;
    d->pkt = av_packet_alloc();
    if (d->av) {
        d->av->flags = AV_CODEC_FLAG_LOW_DELAY;
        d->av->thread_type = FF_THREAD_SLICE;
        d->av->thread_count = (int)threads;
        d->av->log_level_offset = AV_LOG_TRACE; /* errors come back as values */
        d->av->err_recognition = AV_EF_EXPLODE | AV_EF_CAREFUL;
    }
    if (!d->av || !d->pkt || avcodec_open2(d->av, codec, NULL) < 0) {
        svc_h264_decoder_close(d);
        return SVC_ERR_CODEC;
    }
    *state = d;
    return 0;
}

static bool usable(const AVFrame *f)
{
    return (f->format == AV_PIX_FMT_YUV420P || f->format == AV_PIX_FMT_YUVJ420P ||
            f->format == AV_PIX_FMT_YUV420P10) &&
           f->decode_error_flags == 0 && !(f->flags & AV_FRAME_FLAG_CORRUPT) && f->width > 0 &&
           f->height > 0 && f->width <= UINT16_MAX && f->height <= UINT16_MAX;
}

int svc_h264_decode(void *state, const struct svc_unit *unit, struct svc_picture *out)
{
    struct h264_decoder *d = state;
    AVFrame *frame = av_frame_alloc();

    if (!frame || av_new_packet(d->pkt, (int)unit->len) < 0) {
        av_frame_free(&frame);
        return SVC_ERR_NOMEM;
    }
    memcpy(d->pkt->data, unit->bytes, unit->len);
    d->pkt->pts = (int64_t)unit->picture;
    const int sent = avcodec_send_packet(d->av, d->pkt);

    av_packet_unref(d->pkt);
    if (sent < 0 || avcodec_receive_frame(d->av, frame) < 0 || !usable(frame) ||
        frame->pts != (int64_t)unit->picture) {
        av_frame_free(&frame);
        return SVC_ERR_CODEC;
    }
    out->opaque = frame;
    out->image.width = (uint16_t)frame->width;
    out->image.height = (uint16_t)frame->height;
    out->image.depth = frame->format == AV_PIX_FMT_YUV420P10 ? 10 : 8;
    out->image.matrix = (uint8_t)svc_matrix_of_h273((unsigned)frame->colorspace);
    out->image.full_range =
        frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P;
    if (frame->sample_aspect_ratio.num > 0 && frame->sample_aspect_ratio.den > 0)
        svc_image_set_par(&out->image, (uint32_t)frame->sample_aspect_ratio.num,
                          (uint32_t)frame->sample_aspect_ratio.den);
    for (int p = 0; p < 3; p++) {
        out->image.plane[p] = frame->data[p];
        out->image.stride[p] = frame->linesize[p];
    }
    return 0;
}

void svc_h264_release(void *opaque)
{
    AVFrame *frame = opaque;

    av_frame_free(&frame);
}

void svc_h264_flush(void *state)
{
    struct h264_decoder *d = state;

    avcodec_flush_buffers(d->av);
}
