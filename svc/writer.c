/*
 * writer.c - layered files: whole temporal units with the dependencies inside, sound as Opus.
 *
 * The file's header needs what the first key picture says, so it is written with that; sound that
 * comes before is held back. How a unit goes into the file is pack.c's business.
 */
#include "container.h"
#include "pack.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX 512 /* sound packets before the first picture: about 10 s */

struct svc_writer {
    AVFormatContext *av;
    AVStream *video, *audio;
    struct svc_stream_info info;
    enum svc_container container;
    struct svc_packer packer;
    bool begun; /* header written */
    AVPacket *held[HELD_MAX];
    size_t n_held;
};

static void say(char *why, size_t size, const char *path, const char *what)
{
    if (why && size)
        snprintf(why, size, "%s: %s", path, what);
}

/* IVF counts pictures, MP4 parts of one that add up. */
static AVRational video_clock(const struct svc_writer *w)
{
    const uint32_t num = w->info.fps_num, den = w->info.fps_den;

    if (w->container == SVC_IVF)
        return (AVRational){ (int)den, (int)num };
    if (w->container == SVC_MP4)
        return (AVRational){ 1, (int)(num < 1000 ? num * 1000 : num) };
    return svc_us;
}

static int add_video(struct svc_writer *w)
{
    w->video = avformat_new_stream(w->av, NULL);
    if (!w->video)
        return SVC_ERR_NOMEM;
    AVCodecParameters *par = w->video->codecpar;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = w->packer.ops->id;
    par->width = w->info.width;
    par->height = w->info.height;
    par->format = 0;  /* yuv420p */
    par->profile = 0; /* of VP9; the others' is in their extradata */
    w->video->avg_frame_rate = (AVRational){ (int)w->info.fps_num, (int)w->info.fps_den };
    w->video->time_base = video_clock(w);
    return 0;
}

/* RFC 7845, section 5.1 */
static void opus_head(uint8_t *out, uint8_t channels)
{
    memcpy(out, "OpusHead", 8);
    out[8] = 1;
    out[9] = channels;
    out[10] = SVC_OPUS_PRE_SKIP & 0xff;
    out[11] = SVC_OPUS_PRE_SKIP >> 8;
    out[12] = SVC_OPUS_RATE & 0xff;
    out[13] = SVC_OPUS_RATE >> 8;
    memset(out + 14, 0, 5);
}

static int add_audio(struct svc_writer *w)
{
    w->audio = avformat_new_stream(w->av, NULL);
    if (!w->audio)
        return SVC_ERR_NOMEM;
    AVCodecParameters *par = w->audio->codecpar;
    par->extradata = av_mallocz(SVC_OPUS_HEAD_BYTES + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return SVC_ERR_NOMEM;
    par->extradata_size = SVC_OPUS_HEAD_BYTES;
    opus_head(par->extradata, w->info.audio_channels);
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = AV_CODEC_ID_OPUS;
    par->sample_rate = SVC_OPUS_RATE;
    par->initial_padding = SVC_OPUS_PRE_SKIP;
    par->bit_rate = w->info.audio_bitrate_bps;
    av_channel_layout_default(&par->ch_layout, w->info.audio_channels);
    w->audio->time_base = svc_us;
    return 0;
}

bool svc_writer_has_sound(const char *path)
{
    return svc_container_has_sound(svc_container_of_path(path));
}

int svc_writer_check(const char *path, const struct svc_stream_info *info, char *why,
                     size_t why_size)
{
    bool channels_ok = info->audio_channels == 1 || info->audio_channels == 2;
    if (!info->width || !info->height || !info->fps_num || !info->fps_den ||
        (info->has_audio && !channels_ok)) {
        say(why, why_size, path, "stream description out of range");
        return SVC_ERR_ARG;
    }
    const char *lacks =
        svc_container_lacks(svc_container_of_path(path), info->codec, info->has_audio);

    if (!lacks)
        return 0;
    say(why, why_size, path, lacks);
    return SVC_ERR_ARG;
}

int svc_writer_open(struct svc_writer **out, const char *path, const struct svc_stream_info *info,
                    char *why, size_t why_size)
{
    const enum svc_container container = svc_container_of_path(path);
    if (svc_writer_check(path, info, why, why_size) < 0)
        return SVC_ERR_ARG;
    struct svc_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return SVC_ERR_NOMEM;
    w->info = *info;
    w->container = container;
    int err = svc_packer_init(&w->packer, &w->info, container);
    if (err < 0)
        goto fail;
    err = SVC_ERR_NOMEM;
    if (avformat_alloc_output_context2(&w->av, NULL, svc_container_muxer(container), path) < 0)
        goto fail;
    /* equal streams make equal files */
    w->av->flags |= AVFMT_FLAG_BITEXACT;
    /* Opus in MP4 */
    w->av->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    err = add_video(w);
    if (err == 0 && info->has_audio)
        err = add_audio(w);
    if (err < 0)
        goto fail;
    int av = avio_open(&w->av->pb, path, AVIO_FLAG_WRITE);
    if (av < 0) {
        say(why, why_size, path, av_err2str(av));
        err = SVC_ERR_FILE;
        goto fail;
    }
    *out = w;
    return 0;
fail:
    svc_writer_free(w);
    return err;
}

/* The sequence header OBU of the key unit goes to CodecPrivate. */
static int set_extradata(struct svc_writer *w, const struct svc_unit *unit)
{
    AVCodecParameters *par = w->video->codecpar;
    uint8_t head[SVC_HEAD_MAX_BYTES];
    const int n = w->packer.ops->head ? w->packer.ops->head(unit, head) : 0;

    if (n <= 0)
        return n;
    par->extradata = av_mallocz((size_t)n + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return SVC_ERR_NOMEM;
    memcpy(par->extradata, head, (size_t)n);
    par->extradata_size = n;
    return 0;
}

static int put(struct svc_writer *w, AVPacket *pkt, AVStream *stream)
{
    av_packet_rescale_ts(pkt, svc_us, stream->time_base);
    if (av_interleaved_write_frame(w->av, pkt) < 0)
        return SVC_ERR_FILE;
    return w->av->pb->error < 0 ? SVC_ERR_FILE : 0; /* the muxers do not look */
}

static int begin(struct svc_writer *w, const struct svc_unit *first)
{
    if (!first->key)
        return SVC_ERR_ARG;
    int err = set_extradata(w, first);
    if (err < 0)
        return err;
    if (avformat_write_header(w->av, NULL) < 0)
        return SVC_ERR_FILE;
    w->begun = true;
    for (size_t i = 0; i < w->n_held; i++) {
        if (err == 0)
            err = put(w, w->held[i], w->audio);
        av_packet_free(&w->held[i]);
    }
    w->n_held = 0;
    return err;
}

int svc_writer_picture(struct svc_writer *w, const struct svc_unit *units, size_t n)
{
    if (n < 1 || n > SVC_SPATIAL_MAX)
        return SVC_ERR_ARG;
    size_t room = 0;
    for (size_t i = 0; i < n; i++) {
        if (units[i].len < 1 || units[i].len > SVC_UNIT_MAX)
            return SVC_ERR_ARG;
        room += units[i].len + SVC_PACK_MORE;
    }
    room += SVC_PACK_MORE;
    int err = w->begun ? 0 : begin(w, &units[0]);
    if (err < 0)
        return err;
    AVPacket *pkt = av_packet_alloc();
    if (!pkt || av_new_packet(pkt, (int)room) < 0) {
        av_packet_free(&pkt);
        return SVC_ERR_NOMEM;
    }
    const int len = w->packer.ops->pack(&w->packer, units, n, pkt->data);
    err = len < 0 ? len : 0;
    if (err == 0) {
        av_shrink_packet(pkt, len);
        pkt->pts = pkt->dts = units[0].pts;
        pkt->duration = av_rescale(1000000, w->info.fps_den, w->info.fps_num);
        pkt->flags = units[0].key ? AV_PKT_FLAG_KEY : 0;
        pkt->stream_index = w->video->index;
        err = put(w, pkt, w->video);
    }
    av_packet_free(&pkt);
    return err;
}

int svc_writer_audio(struct svc_writer *w, const uint8_t *opus, size_t len, int64_t pts)
{
    if (!w->audio || len < 1 || len > SVC_UNIT_MAX || (!w->begun && w->n_held == HELD_MAX))
        return SVC_ERR_ARG;
    AVPacket *pkt = av_packet_alloc();
    if (!pkt || av_new_packet(pkt, (int)len) < 0) {
        av_packet_free(&pkt);
        return SVC_ERR_NOMEM;
    }
    memcpy(pkt->data, opus, len);
    pkt->pts = pkt->dts = pts;
    pkt->flags = AV_PKT_FLAG_KEY;
    pkt->stream_index = w->audio->index;
    if (!w->begun) {
        w->held[w->n_held++] = pkt;
        return 0;
    }
    int err = put(w, pkt, w->audio);
    av_packet_free(&pkt);
    return err;
}

int svc_writer_close(struct svc_writer *w)
{
    if (!w->begun)
        return SVC_ERR_ARG;   /* no picture: there is no file to finish */
    if (w->av->pb->error < 0) /* a head that names a size would make it worse */
        return SVC_ERR_FILE;
    if (av_write_trailer(w->av) < 0)
        return SVC_ERR_FILE;
    return avio_closep(&w->av->pb) < 0 ? SVC_ERR_FILE : 0;
}

void svc_writer_free(struct svc_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_held; i++)
        av_packet_free(&w->held[i]);
    if (w->av)
        avio_closep(&w->av->pb);
    avformat_free_context(w->av);
    free(w);
}
