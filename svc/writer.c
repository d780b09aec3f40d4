/*
 * writer.c - layered MKV files: whole temporal units with the dependencies inside, sound as Opus.
 *
 * The file's header needs the sequence header, so it is written with the first picture; sound that
 * comes before is held back.
 */
#include "mkv.h"
#include "obu.h"

#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX 512 /* sound packets before the first picture: about 10 s */

struct svc_writer {
    AVFormatContext *mkv;
    AVStream *video, *audio;
    struct svc_stream_info info;
    bool begun; /* header written */
    AVPacket *held[HELD_MAX];
    size_t n_held;
};

static void say(char *why, size_t size, const char *path, const char *what)
{
    if (why && size)
        snprintf(why, size, "%s: %s", path, what);
}

static int add_video(struct svc_writer *w)
{
    w->video = avformat_new_stream(w->mkv, NULL);
    if (!w->video)
        return SVC_ERR_NOMEM;
    AVCodecParameters *par = w->video->codecpar;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_AV1;
    par->width = w->info.width;
    par->height = w->info.height;
    par->format = 0; /* yuv420p */
    w->video->avg_frame_rate = (AVRational){ (int)w->info.fps_num, (int)w->info.fps_den };
    w->video->time_base = svc_us;
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
    w->audio = avformat_new_stream(w->mkv, NULL);
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

int svc_writer_open(struct svc_writer **out, const char *path, const struct svc_stream_info *info,
                    char *why, size_t why_size)
{
    bool channels_ok = info->audio_channels == 1 || info->audio_channels == 2;
    if (!info->width || !info->height || !info->fps_num || !info->fps_den ||
        (info->has_audio && !channels_ok)) {
        say(why, why_size, path, "stream description out of range");
        return SVC_ERR_ARG;
    }
    struct svc_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return SVC_ERR_NOMEM;
    w->info = *info;
    int err = SVC_ERR_NOMEM;
    if (avformat_alloc_output_context2(&w->mkv, NULL, "matroska", path) < 0)
        goto fail;
    err = add_video(w);
    if (err == 0 && info->has_audio)
        err = add_audio(w);
    if (err < 0)
        goto fail;
    int av = avio_open(&w->mkv->pb, path, AVIO_FLAG_WRITE);
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
    const uint8_t *at = unit->bytes;
    struct svc_obu obu;
    while (svc_obu_next(&at, unit->bytes + unit->len, &obu) == 1) {
        if (obu.type != SVC_OBU_SEQUENCE)
            continue;
        AVCodecParameters *par = w->video->codecpar;
        par->extradata = av_mallocz(obu.len + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!par->extradata)
            return SVC_ERR_NOMEM;
        memcpy(par->extradata, obu.start, obu.len);
        par->extradata_size = (int)obu.len;
        return 0;
    }
    return SVC_ERR_ARG;
}

static int put(struct svc_writer *w, AVPacket *pkt, AVStream *stream)
{
    av_packet_rescale_ts(pkt, svc_us, stream->time_base);
    return av_interleaved_write_frame(w->mkv, pkt) < 0 ? SVC_ERR_FILE : 0;
}

static int begin(struct svc_writer *w, const struct svc_unit *first)
{
    if (!first->key)
        return SVC_ERR_ARG;
    int err = set_extradata(w, first);
    if (err < 0)
        return err;
    if (avformat_write_header(w->mkv, NULL) < 0)
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

static int note_for(const struct svc_writer *w, const struct svc_unit *unit, uint8_t *out)
{
    uint8_t deps[SVC_DEPS_MAX_BYTES];
    int n = svc_deps_encode(&unit->deps, unit->picture, deps, sizeof(deps));
    if (n < 0)
        return n;
    struct svc_note note = { .deps = deps, .deps_len = (size_t)n };
    size_t i = (size_t)unit->layer.temporal * w->info.n_spatial + unit->layer.spatial;
    if (unit->layer.temporal == 0 && i < w->info.n_layers) {
        note.width = w->info.layers[i].width;
        note.height = w->info.layers[i].height;
    }
    return svc_note_write(&note, unit->layer, out, SVC_NOTE_MAX_BYTES);
}

/* `out` has room for unit->len + SVC_NOTE_MAX_BYTES: sequence header first, then our note. */
static int put_unit(const struct svc_writer *w, const struct svc_unit *unit, uint8_t *out)
{
    const uint8_t *at = unit->bytes, *end = unit->bytes + unit->len;
    struct svc_obu obu;
    size_t head = 0;
    while (svc_obu_next(&at, end, &obu) == 1 && obu.type == SVC_OBU_SEQUENCE)
        head += obu.len;
    memcpy(out, unit->bytes, head);
    int n = note_for(w, unit, out + head);
    if (n < 0)
        return n;
    memcpy(out + head + n, unit->bytes + head, unit->len - head);
    return (int)unit->len + n;
}

int svc_writer_picture(struct svc_writer *w, const struct svc_unit *units, size_t n)
{
    if (n < 1 || n > SVC_SPATIAL_MAX)
        return SVC_ERR_ARG;
    size_t room = 0;
    for (size_t i = 0; i < n; i++) {
        if (units[i].len < 1 || units[i].len > SVC_UNIT_MAX)
            return SVC_ERR_ARG;
        room += units[i].len + SVC_NOTE_MAX_BYTES;
    }
    int err = w->begun ? 0 : begin(w, &units[0]);
    if (err < 0)
        return err;
    AVPacket *pkt = av_packet_alloc();
    if (!pkt || av_new_packet(pkt, (int)room) < 0) {
        av_packet_free(&pkt);
        return SVC_ERR_NOMEM;
    }
    int len = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        int put_bytes = put_unit(w, &units[i], pkt->data + len);
        err = put_bytes < 0 ? put_bytes : 0;
        len += put_bytes;
    }
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
        return SVC_ERR_ARG; /* no picture: there is no file to finish */
    if (av_write_trailer(w->mkv) < 0)
        return SVC_ERR_FILE;
    return avio_closep(&w->mkv->pb) < 0 ? SVC_ERR_FILE : 0;
}

void svc_writer_free(struct svc_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_held; i++)
        av_packet_free(&w->held[i]);
    if (w->mkv)
        avio_closep(&w->mkv->pb);
    avformat_free_context(w->mkv);
    free(w);
}
