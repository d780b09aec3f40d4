/* clip_file.c - see clip_file.h; every container and codec is libavformat's and libavcodec's. */
#include "clip_file.h"
#include "testclip_draw.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#define X264_QP "10" /* nearly lossless */
#define MPEG4_QSCALE 2

/* One file: MKV has both tracks, Y4M and WAV one each. */
struct output {
    AVFormatContext *mux;
    AVStream *video, *sound;
    bool begun;
};

struct clip_file {
    struct clip_file_config cfg;
    struct output main, beside;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *pkt;
};

static bool is_y4m(const char *path)
{
    size_t n = strlen(path);
    return strcmp(path, "-") == 0 || (n > 4 && strcmp(path + n - 4, ".y4m") == 0);
}

static int open_output(struct output *o, const char *format, const char *path)
{
    const char *url = strcmp(path, "-") == 0 ? "pipe:1" : path;
    if (avformat_alloc_output_context2(&o->mux, NULL, format, url) < 0)
        return SVC_ERR_NOMEM;
    return avio_open(&o->mux->pb, url, AVIO_FLAG_WRITE) < 0 ? SVC_ERR_FILE : 0;
}

static int open_codec(struct clip_file *f, bool raw)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(raw ? "wrapped_avframe" : "libx264");
    if (!codec)
        codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    f->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!f->codec)
        return SVC_ERR_CODEC;
    f->codec->width = f->cfg.width;
    f->codec->height = f->cfg.height;
    f->codec->pix_fmt = AV_PIX_FMT_YUV420P;
    f->codec->time_base = (AVRational){ 1, (int)f->cfg.fps };
    f->codec->framerate = (AVRational){ (int)f->cfg.fps, 1 };
    f->codec->thread_count = 1;
    f->codec->gop_size = (int)f->cfg.fps;
    f->codec->flags |=
        f->main.mux->oformat->flags & AVFMT_GLOBALHEADER ? AV_CODEC_FLAG_GLOBAL_HEADER : 0;
    if (codec->id == AV_CODEC_ID_MPEG4) {
        f->codec->flags |= AV_CODEC_FLAG_QSCALE;
        f->codec->global_quality = MPEG4_QSCALE * FF_QP2LAMBDA;
    } else if (!raw) {
        av_opt_set(f->codec->priv_data, "preset", "ultrafast", 0);
        av_opt_set(f->codec->priv_data, "qp", X264_QP, 0);
    }
    return avcodec_open2(f->codec, codec, NULL) < 0 ? SVC_ERR_CODEC : 0;
}

static int add_video(struct clip_file *f)
{
    AVStream *st = f->main.video = avformat_new_stream(f->main.mux, NULL);
    if (!st || avcodec_parameters_from_context(st->codecpar, f->codec) < 0)
        return SVC_ERR_NOMEM;
    st->time_base = f->codec->time_base;
    st->avg_frame_rate = f->codec->framerate;
    return 0;
}

static int add_sound(struct output *o)
{
    AVStream *st = o->sound = avformat_new_stream(o->mux, NULL);
    if (!st)
        return SVC_ERR_NOMEM;
    st->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    st->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
    st->codecpar->sample_rate = TESTCLIP_RATE;
    st->codecpar->bits_per_coded_sample = 16;
    st->codecpar->block_align = 2;
    av_channel_layout_default(&st->codecpar->ch_layout, 1);
    st->time_base = (AVRational){ 1, TESTCLIP_RATE };
    return 0;
}

static int begin(struct output *o)
{
    if (avformat_write_header(o->mux, NULL) < 0)
        return SVC_ERR_FILE;
    o->begun = true;
    return 0;
}

static int make_frame(struct clip_file *f)
{
    f->pkt = av_packet_alloc();
    f->frame = av_frame_alloc();
    if (!f->pkt || !f->frame)
        return SVC_ERR_NOMEM;
    f->frame->format = AV_PIX_FMT_YUV420P;
    f->frame->width = f->cfg.width;
    f->frame->height = f->cfg.height;
    return av_frame_get_buffer(f->frame, 0) < 0 ? SVC_ERR_NOMEM : 0;
}

int clip_file_open(struct clip_file **out, const struct clip_file_config *cfg)
{
    struct clip_file *f = calloc(1, sizeof(*f));
    if (!f)
        return SVC_ERR_NOMEM;
    f->cfg = *cfg;
    bool y4m = is_y4m(cfg->path);
    int err = open_output(&f->main, y4m ? "yuv4mpegpipe" : "matroska", cfg->path);
    if (err == 0)
        err = open_codec(f, y4m);
    if (err == 0)
        err = add_video(f);
    if (err == 0 && y4m && cfg->wav)
        err = open_output(&f->beside, "wav", cfg->wav);
    if (err == 0 && f->beside.mux)
        err = add_sound(&f->beside);
    if (err == 0 && !y4m)
        err = add_sound(&f->main);
    if (err == 0)
        err = begin(&f->main);
    if (err == 0 && f->beside.mux)
        err = begin(&f->beside);
    if (err == 0)
        err = make_frame(f);
    if (err < 0) {
        clip_file_free(f);
        return err;
    }
    *out = f;
    return 0;
}

/* NULL frame: what the codec holds back. */
static int encode(struct clip_file *f, AVFrame *frame)
{
    if (avcodec_send_frame(f->codec, frame) < 0)
        return SVC_ERR_CODEC;
    for (;;) {
        int av = avcodec_receive_packet(f->codec, f->pkt);
        if (av == AVERROR(EAGAIN) || av == AVERROR_EOF)
            return 0;
        if (av < 0)
            return SVC_ERR_CODEC;
        f->pkt->stream_index = f->main.video->index;
        f->pkt->duration = 1;
        av_packet_rescale_ts(f->pkt, f->codec->time_base, f->main.video->time_base);
        if (av_interleaved_write_frame(f->main.mux, f->pkt) < 0)
            return SVC_ERR_FILE;
    }
}

int clip_file_picture(struct clip_file *f, const struct svc_image *img, uint64_t number)
{
    if (av_frame_make_writable(f->frame) < 0)
        return SVC_ERR_NOMEM;
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? img->height / 2 : img->height); y++)
            memcpy(f->frame->data[p] + (ptrdiff_t)y * f->frame->linesize[p],
                   img->plane[p] + y * img->stride[p], p ? img->width / 2u : img->width);
    f->frame->pts = (int64_t)number;
    return encode(f, f->frame);
}

int clip_file_sound(struct clip_file *f, const int16_t *samples, size_t n, uint64_t at)
{
    struct output *o = f->main.sound ? &f->main : &f->beside;
    if (!o->sound)
        return 0;
    AVPacket *pkt = f->pkt;
    if (av_new_packet(pkt, (int)(n * sizeof(*samples))) < 0)
        return SVC_ERR_NOMEM;
    memcpy(pkt->data, samples, n * sizeof(*samples));
    pkt->stream_index = o->sound->index;
    pkt->pts = pkt->dts = (int64_t)at;
    pkt->duration = (int64_t)n;
    pkt->flags = AV_PKT_FLAG_KEY;
    av_packet_rescale_ts(pkt, (AVRational){ 1, TESTCLIP_RATE }, o->sound->time_base);
    return av_interleaved_write_frame(o->mux, pkt) < 0 ? SVC_ERR_FILE : 0;
}

static int finish(struct output *o)
{
    if (!o->mux)
        return 0;
    int err = av_write_trailer(o->mux) < 0 ? SVC_ERR_FILE : 0;
    if (avio_closep(&o->mux->pb) < 0)
        err = SVC_ERR_FILE;
    return err;
}

int clip_file_close(struct clip_file *f)
{
    int err = encode(f, NULL);
    int err_main = finish(&f->main), err_beside = finish(&f->beside);
    return err ? err : err_main ? err_main : err_beside;
}

static void drop(struct output *o)
{
    if (!o->mux)
        return;
    avio_closep(&o->mux->pb);
    avformat_free_context(o->mux);
}

void clip_file_free(struct clip_file *f)
{
    if (!f)
        return;
    avcodec_free_context(&f->codec);
    av_frame_free(&f->frame);
    av_packet_free(&f->pkt);
    drop(&f->main);
    drop(&f->beside);
    free(f);
}
