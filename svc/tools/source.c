/* source.c - see source.h: libavformat, libavcodec, libswscale and libswresample put in a row. */
#include "source.h"

#include "turn.h"

#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/fifo.h>
#include <libavutil/imgutils.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 4096
#define FPS_MAX 240
#define SILENCE_MAX (SOURCE_RATE * 10) /* samples put in front of sound that starts late */
#define US 1000000

struct track {
    int index; /* -1: none */
    AVCodecContext *codec;
    AVFifo *waiting; /* AVPacket *, read while the other track was wanted */
};

struct source {
    struct source_config cfg;
    struct source_info info;
    AVFormatContext *file;
    AVPacket *pkt;
    struct track video, sound;
    bool packets_over, video_over, sound_over;

    AVFrame *held, *ahead; /* the picture that is shown now, and the one after it */
    bool have_held, have_ahead, scaled, turned; /* turned: the held one is, if it has to be */
    struct turn *turn;                          /* NULL: pictures are upright */
    uint8_t *fitted[4];                         /* of the plane, where the picture goes */
    int fitted_width, fitted_height;
    int64_t held_us, ahead_us, first_us; /* relative to the file; first_us once have_first */
    bool have_first;
    uint64_t number;
    struct SwsContext *sws;
    uint8_t *own;      /* pixels where source_write_to was not called */
    uint8_t *plane[4]; /* where pictures go */
    int stride[4];

    AVFrame *heard;
    SwrContext *swr;
    int16_t *samples;
    size_t samples_cap; /* frames */
    bool sound_begun;
    int64_t heard_us;     /* of the last piece, by the source's clock */
    uint64_t sound_given; /* frames */
};

static int refuse(const struct source *s, int err, const char *what, char *why, size_t size)
{
    if (why && size)
        snprintf(why, size, "%s: %s", s->cfg.path, what);
    return err;
}

static int open_track(struct source *s, struct track *t, enum AVMediaType type)
{
    const AVCodec *codec = NULL;
    t->index = av_find_best_stream(s->file, type, -1, -1, &codec, 0);
    if (t->index < 0)
        return SVC_ERR_FORMAT;
    t->codec = avcodec_alloc_context3(codec);
    t->waiting = av_fifo_alloc2(0, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
    if (!t->codec || !t->waiting ||
        avcodec_parameters_to_context(t->codec, s->file->streams[t->index]->codecpar) < 0)
        return SVC_ERR_NOMEM;
    t->codec->thread_count = (int)s->cfg.threads;
    if (s->cfg.realtime) {
        t->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
        t->codec->thread_type = FF_THREAD_SLICE; /* threads by frames hold frames back */
    }
    t->codec->pkt_timebase = s->file->streams[t->index]->time_base;
    return avcodec_open2(t->codec, codec, NULL) < 0 ? SVC_ERR_CODEC : 0;
}

static void choose_rate(struct source *s)
{
    AVStream *st = s->file->streams[s->video.index];
    AVRational rate = av_guess_frame_rate(s->file, st, NULL);
    if (rate.num <= 0 || rate.den <= 0 || av_q2d(rate) > FPS_MAX)
        rate = (AVRational){ 30, 1 };
    s->info.fps_num = s->cfg.fps_num ? s->cfg.fps_num : (uint32_t)rate.num;
    s->info.fps_den = s->cfg.fps_num ? s->cfg.fps_den : (uint32_t)rate.den;
    int64_t duration = s->file->duration > 0 ? s->file->duration : 0;
    if (s->cfg.duration && (duration == 0 || s->cfg.duration < duration))
        duration = s->cfg.duration;
    s->info.n_pictures =
        (uint64_t)av_rescale(duration, s->info.fps_num, (int64_t)s->info.fps_den * US);
}

static int choose_size(struct source *s)
{
    const AVCodecParameters *par = s->file->streams[s->video.index]->codecpar;
    const unsigned quarters = turn_of(s->file->streams[s->video.index]);
    const bool sideways = (quarters & 1) != 0;
    int w = s->cfg.width ? s->cfg.width : (sideways ? par->height : par->width) & ~1;
    int h = s->cfg.height ? s->cfg.height : (sideways ? par->width : par->height) & ~1;
    if (quarters > 0 && !(s->turn = turn_new(quarters)))
        return SVC_ERR_NOMEM;
    if (w < 2 || h < 2 || w > SIDE_MAX || h > SIDE_MAX)
        return SVC_ERR_FORMAT;
    s->info.width = (uint16_t)w;
    s->info.height = (uint16_t)h;
    if (av_image_alloc(s->plane, s->stride, w, h, AV_PIX_FMT_YUV420P, 32) < 0)
        return SVC_ERR_NOMEM;
    s->own = s->plane[0];
    return 0;
}

static int open_video(struct source *s)
{
    int err = open_track(s, &s->video, AVMEDIA_TYPE_VIDEO);
    if (err < 0)
        return err;
    choose_rate(s);
    return choose_size(s);
}

void source_write_to(struct source *s, const struct svc_image_buffer *to)
{
    for (int p = 0; p < 3; p++) {
        s->plane[p] = to->plane[p];
        s->stride[p] = (int)to->stride[p];
    }
    s->scaled = false;
    s->fitted_width = 0;
}

static int open_sound(struct source *s)
{
    if (open_track(s, &s->sound, AVMEDIA_TYPE_AUDIO) < 0) {
        s->sound.index = -1; /* no sound, or one that nobody can decode: pictures still go */
        s->sound_over = true;
        return 0;
    }
    AVCodecContext *c = s->sound.codec;
    if (c->ch_layout.nb_channels < 1 || c->sample_rate < 1) {
        s->sound.index = -1;
        s->sound_over = true;
        return 0;
    }
    s->info.channels = s->cfg.channels ? s->cfg.channels : c->ch_layout.nb_channels == 1 ? 1 : 2;
    AVChannelLayout to;
    av_channel_layout_default(&to, s->info.channels);
    AVChannelLayout from = c->ch_layout;
    if (from.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&from, c->ch_layout.nb_channels);
    if (swr_alloc_set_opts2(&s->swr, &to, AV_SAMPLE_FMT_S16, SOURCE_RATE, &from, c->sample_fmt,
                            c->sample_rate, 0, NULL) < 0)
        return SVC_ERR_NOMEM;
    return swr_init(s->swr) < 0 ? SVC_ERR_CODEC : 0;
}

/* ---- opening ---- */

static const struct device {
    const char *prefix, *format; /* of FFmpeg */
} devices[] = {
    { "v4l2:", "video4linux2,v4l2" },
    { "x11:", "x11grab" },
    { "alsa:", "alsa" },
    { "pulse:", "pulse" },
};

static const struct device *find_device(const char *path)
{
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (strncmp(path, devices[i].prefix, strlen(devices[i].prefix)) == 0)
            return &devices[i];
    return NULL;
}

bool source_is_device(const char *path)
{
    return find_device(path) != NULL;
}

bool source_is_realtime(const char *path)
{
    static const char *const schemes[] = { "srt:",   "rist:", "rtmp:", "rtmps:", "rtsp:",
                                           "rtsps:", "rtp:",  "udp:",  "tcp:" };
    const size_t len = strcspn(path, "#");

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(path, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return source_is_device(path) || (len > 4 && strncmp(path + len - 4, ".sdp", 4) == 0);
}

static int set_options(const struct source *s, AVDictionary **to, const char *text)
{
    if (text && av_dict_parse_string(to, text, "=", "&", 0) < 0)
        return -1;
    if (!s->cfg.realtime)
        return 0;
    av_dict_set(to, "fflags", "nobuffer", AV_DICT_DONT_OVERWRITE);
    av_dict_set(to, "probesize", "200000", AV_DICT_DONT_OVERWRITE);
    av_dict_set(to, "analyzeduration", "1000000", AV_DICT_DONT_OVERWRITE); /* us */
    return 0;
}

/* An error of FFmpeg's, or 0. */
static int open_input(struct source *s)
{
    const struct device *d = find_device(s->cfg.path);
    char *url = av_strdup(d ? s->cfg.path + strlen(d->prefix) : s->cfg.path);
    char *options = url && (d || source_is_realtime(url)) ? strchr(url, '#') : NULL;
    AVDictionary *dict = NULL;
    int av = AVERROR(ENOMEM);

    if (!url)
        return av;
    if (options)
        *options++ = 0;
    s->file = avformat_alloc_context();
    if (!s->file)
        goto out;
    s->file->interrupt_callback = (AVIOInterruptCB){ s->cfg.stop, s->cfg.stop_user };
    av = AVERROR(EINVAL);
    if (set_options(s, &dict, options) < 0)
        goto out;
    if (!d && source_is_realtime(s->cfg.path) && strstr(url, ".sdp"))
        av_dict_set(&dict, "protocol_whitelist", "file,udp,rtp", AV_DICT_DONT_OVERWRITE);
    if (d)
        avdevice_register_all();
    av = avformat_open_input(&s->file, strcmp(url, "-") == 0 ? "pipe:0" : url,
                             d ? av_find_input_format(d->format) : NULL, &dict);
    if (av >= 0 && av_dict_count(dict) > 0) /* nobody has taken it */
        av = AVERROR_OPTION_NOT_FOUND;
out:
    av_dict_free(&dict);
    av_free(url);
    return av < 0 ? av : 0;
}

int source_open(struct source **out, const struct source_config *cfg, char *why, size_t size)
{
    struct source *s = calloc(1, sizeof(*s));
    if (!s)
        return SVC_ERR_NOMEM;
    s->cfg = *cfg;
    s->video.index = s->sound.index = -1;
    int err = SVC_ERR_NOMEM;
    s->pkt = av_packet_alloc();
    s->held = av_frame_alloc();
    s->ahead = av_frame_alloc();
    s->heard = av_frame_alloc();
    if (!s->pkt || !s->held || !s->ahead || !s->heard)
        goto fail;
    int av = open_input(s);
    if (av < 0) {
        err = refuse(s, SVC_ERR_FILE, av_err2str(av), why, size);
        goto fail;
    }
    s->video_over = cfg->sound_only;
    av = avformat_find_stream_info(s->file, NULL);
    if (av >= 0 && !cfg->sound_only)
        av = open_video(s);
    if (av < 0) {
        err = refuse(s, SVC_ERR_FORMAT, "no video in it that can be decoded", why, size);
        goto fail;
    }
    err = open_sound(s);
    if (err == 0 && cfg->sound_only && s->sound.index < 0) {
        err = refuse(s, SVC_ERR_FORMAT, "no sound in it that can be decoded", why, size);
        goto fail;
    }
    if (err < 0) {
        refuse(s, err, svc_strerror(err), why, size);
        goto fail;
    }
    *out = s;
    return 0;
fail:
    source_free(s);
    return err;
}

const struct source_info *source_info(const struct source *s)
{
    return &s->info;
}

static int64_t to_us(const struct source *s, int index, int64_t pts)
{
    if (pts == AV_NOPTS_VALUE)
        return pts;
    return av_rescale_q(pts, s->file->streams[index]->time_base, (AVRational){ 1, US });
}

static int64_t source_period(const struct source *s)
{
    AVRational r = av_guess_frame_rate(s->file, s->file->streams[s->video.index], NULL);
    return r.num > 0 && r.den > 0 ? av_rescale(US, r.den, r.num) : US / 30;
}

/* 1: a picture is ahead. 0: packets are needed. Sets video_over at the end. */
static int pull_video(struct source *s)
{
    int av = avcodec_receive_frame(s->video.codec, s->ahead);
    if (av == AVERROR_EOF)
        s->video_over = true;
    if (av < 0)
        return 0;
    int64_t us = to_us(s, s->video.index, s->ahead->best_effort_timestamp);
    if (us == AV_NOPTS_VALUE)
        us = s->have_held ? s->held_us + s->first_us + source_period(s) : 0;
    if (!s->have_first) {
        s->first_us = us;
        s->have_first = true;
    }
    s->ahead_us = us - s->first_us;
    s->have_ahead = true;
    return 1;
}

static int grow_samples(struct source *s, size_t frames)
{
    if (frames <= s->samples_cap)
        return 0;
    int16_t *p = realloc(s->samples, frames * s->info.channels * sizeof(*p));
    if (!p)
        return SVC_ERR_NOMEM;
    s->samples = p;
    s->samples_cap = frames;
    return 0;
}

/* Silence in front, where sound begins after the first picture. */
static size_t lead_silence(struct source *s)
{
    s->sound_begun = true;
    int64_t us = to_us(s, s->sound.index, s->heard->best_effort_timestamp);
    if (us == AV_NOPTS_VALUE || !s->have_first || us <= s->first_us)
        return 0;
    int64_t frames = av_rescale(us - s->first_us, SOURCE_RATE, US);
    return (size_t)(frames > SILENCE_MAX ? SILENCE_MAX : frames);
}

/* 1: *out has sound. 0: packets are needed. */
static int pull_sound(struct source *s, struct source_item *out)
{
    int av = avcodec_receive_frame(s->sound.codec, s->heard);
    if (av == AVERROR_EOF)
        s->sound_over = true;
    if (av < 0)
        return 0;
    s->heard_us = to_us(s, s->sound.index, s->heard->best_effort_timestamp);
    size_t lead = s->sound_begun ? 0 : lead_silence(s);
    int most = swr_get_out_samples(s->swr, s->heard->nb_samples);
    if (most < 0 || grow_samples(s, lead + (size_t)most) < 0)
        return SVC_ERR_NOMEM;
    memset(s->samples, 0, lead * s->info.channels * sizeof(int16_t));
    uint8_t *to = (uint8_t *)(s->samples + lead * s->info.channels);
    int n = swr_convert(s->swr, &to, most, (const uint8_t **)s->heard->extended_data,
                        s->heard->nb_samples);
    av_frame_unref(s->heard);
    if (n < 0)
        return SVC_ERR_CODEC;
    *out = (struct source_item){ .kind = SOURCE_SOUND,
                                 .samples = s->samples,
                                 .n_frames = lead + (size_t)n };
    s->sound_given += out->n_frames;
    return out->n_frames > 0;
}

/* Where the held picture goes, as large as its shape allows; black beside it. */
static void fit_held(struct source *s)
{
    const AVFrame *f = s->held;
    int w = s->info.width, h = s->info.height;

    if (s->cfg.fit) {
        const AVRational sar =
            f->sample_aspect_ratio.num > 0 ? f->sample_aspect_ratio : (AVRational){ 1, 1 };
        const int64_t wide = (int64_t)f->width * sar.num, high = (int64_t)f->height * sar.den;
        if (wide * h > high * w)
            h = (int)(high * w / wide) & ~1;
        else
            w = (int)(wide * h / high) & ~1;
        w = w < 2 ? 2 : w;
        h = h < 2 ? 2 : h;
    }
    if (w == s->fitted_width && h == s->fitted_height)
        return;
    s->fitted_width = w;
    s->fitted_height = h;
    for (int p = 0; p < 3; p++) {
        const int shift = p > 0, rows = s->info.height >> shift;
        const int left = ((s->info.width - w) / 2 & ~1) >> shift;
        const int top = ((s->info.height - h) / 2 & ~1) >> shift;
        s->fitted[p] = s->plane[p] + top * s->stride[p] + left;
        for (int y = 0; y < rows && (w < s->info.width || h < s->info.height); y++)
            memset(s->plane[p] + y * s->stride[p], p ? 128 : 16, s->info.width >> shift);
    }
}

static int scale_held(struct source *s)
{
    if (s->scaled)
        return 0;
    if (s->turn && !s->turned && turn_frame(s->turn, s->held) < 0)
        return SVC_ERR_NOMEM;
    s->turned = true;
    fit_held(s);
    s->sws = sws_getCachedContext(
        s->sws, s->held->width, s->held->height, (enum AVPixelFormat)s->held->format,
        s->fitted_width, s->fitted_height, AV_PIX_FMT_YUV420P,
        s->cfg.quick ? SWS_BILINEAR : SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!s->sws)
        return SVC_ERR_CODEC;
    sws_scale(s->sws, (const uint8_t *const *)s->held->data, s->held->linesize, 0, s->held->height,
              s->fitted, s->stride);
    s->scaled = true;
    return 0;
}

/* `out` NULL: it is not wanted. */
static int give_picture(struct source *s, struct source_item *out)
{
    const uint64_t number = s->number++;
    if (!out)
        return 1;
    int err = scale_held(s);
    if (err < 0)
        return err;
    *out = (struct source_item){ .kind = SOURCE_PICTURE, .number = number };
    out->image.width = s->info.width;
    out->image.height = s->info.height;
    for (int p = 0; p < 3; p++) {
        out->image.plane[p] = s->plane[p];
        out->image.stride[p] = s->stride[p];
    }
    return 1;
}

/* Whether picture `number` is nearer to the held picture than to one at `us`. */
static bool due_before(const struct source *s, int64_t us)
{
    int64_t half = av_rescale((int64_t)(2 * s->number + 1) * US, s->info.fps_den,
                              2 * (int64_t)s->info.fps_num);
    return half <= us + 1000; /* time stamps in ms round */
}

/* 1: *out is a picture. 0: another source picture is needed. */
static int next_picture(struct source *s, struct source_item *out)
{
    if (s->have_held && s->have_ahead) {
        if (due_before(s, s->ahead_us))
            return give_picture(s, out);
    } else if (s->have_held && s->video_over) {
        if (due_before(s, s->held_us + source_period(s)))
            return give_picture(s, out);
        s->have_held = false;
    }
    if (s->have_ahead) {
        av_frame_unref(s->held);
        av_frame_move_ref(s->held, s->ahead);
        s->held_us = s->ahead_us;
        s->have_held = true;
        s->have_ahead = s->scaled = s->turned = false;
    }
    return 0;
}

static void put_aside(struct track *t, AVPacket *pkt)
{
    AVPacket *kept = NULL;
    if (av_fifo_can_read(t->waiting) >= SOURCE_WAITING_MAX) {
        av_fifo_read(t->waiting, &kept, 1);
        av_packet_free(&kept);
    }
    kept = av_packet_alloc();
    if (!kept)
        return;
    av_packet_move_ref(kept, pkt);
    if (av_fifo_write(t->waiting, &kept, 1) < 0)
        av_packet_free(&kept);
}

/* The track's next packet into s->pkt; false: there is none. */
static bool next_packet(struct source *s, struct track *t)
{
    struct track *other = t == &s->video ? &s->sound : &s->video;
    AVPacket *kept;
    av_packet_unref(s->pkt);
    if (av_fifo_read(t->waiting, &kept, 1) >= 0) {
        av_packet_move_ref(s->pkt, kept);
        av_packet_free(&kept);
        return true;
    }
    while (!s->packets_over) {
        if (av_read_frame(s->file, s->pkt) < 0) {
            s->packets_over = true;
            break;
        }
        if (s->pkt->stream_index == t->index)
            return true;
        if (other->index >= 0 && s->pkt->stream_index == other->index)
            put_aside(other, s->pkt);
        av_packet_unref(s->pkt);
    }
    return false;
}

/* One packet to its decoder, or the word that none follows. A damaged packet is passed over. */
static void feed(struct source *s, struct track *t)
{
    avcodec_send_packet(t->codec, next_packet(s, t) ? s->pkt : NULL);
}

static bool long_enough(const struct source *s)
{
    int64_t at = av_rescale((int64_t)s->number * US, s->info.fps_den, s->info.fps_num);
    return s->cfg.duration && at >= s->cfg.duration;
}

static int advance(struct source *s, struct source_item *out)
{
    for (;;) {
        if (long_enough(s))
            return 0;
        int got = next_picture(s, out);
        if (got != 0)
            return got;
        if (s->have_ahead || (!s->video_over && pull_video(s)))
            continue;
        if (!s->video_over)
            feed(s, &s->video);
        else if (!s->have_held)
            return 0;
    }
}

int source_next_picture(struct source *s, struct source_item *out)
{
    return advance(s, out);
}

int source_skip_picture(struct source *s)
{
    return advance(s, NULL);
}

int source_next_sound(struct source *s, struct source_item *out)
{
    while (!s->have_first && !s->video_over) /* sound is placed relative to it */
        if (!pull_video(s))
            feed(s, &s->video);
    while (!s->sound_over) {
        int got = pull_sound(s, out);
        if (got != 0)
            return got;
        if (!s->sound_over)
            feed(s, &s->sound);
    }
    return 0;
}

int source_next(struct source *s, struct source_item *out)
{
    const double picture_s = (double)s->number * s->info.fps_den / s->info.fps_num;
    int got = 0;
    if ((double)s->sound_given / SOURCE_RATE < picture_s)
        got = source_next_sound(s, out);
    if (got == 0)
        got = source_next_picture(s, out);
    if (got == 0 && !long_enough(s))
        got = source_next_sound(s, out);
    return got;
}

/* ---- as it comes ---- */

/* 1: *out is the next picture. 0: packets are needed. */
static int read_picture(struct source *s, struct source_item *out)
{
    if (s->video.index < 0 || !pull_video(s))
        return 0;
    av_frame_unref(s->held);
    av_frame_move_ref(s->held, s->ahead);
    s->have_ahead = s->scaled = s->turned = false;
    s->held_us = s->ahead_us;
    s->have_held = true;
    const int got = give_picture(s, out);
    out->pts = s->first_us + s->held_us;
    return got;
}

static int read_sound(struct source *s, struct source_item *out)
{
    s->sound_begun = true; /* no silence in front: its time says where it belongs */
    const int got = s->sound.index < 0 ? 0 : pull_sound(s, out);
    if (got == 1)
        out->pts = s->heard_us;
    return got;
}

int source_read(struct source *s, struct source_item *out)
{
    for (;;) {
        int got = read_picture(s, out);
        if (got == 0)
            got = read_sound(s, out);
        if (got != 0)
            return got;
        av_packet_unref(s->pkt);
        if (av_read_frame(s->file, s->pkt) < 0)
            return 0;
        struct track *t = s->pkt->stream_index == s->video.index   ? &s->video
                          : s->pkt->stream_index == s->sound.index ? &s->sound
                                                                   : NULL;
        if (t)
            avcodec_send_packet(t->codec, s->pkt);
    }
}

void source_stretch_sound(struct source *s, int frames, int over)
{
    if (s->swr)
        swr_set_compensation(s->swr, frames, over);
}

static void forget_waiting(struct track *t)
{
    AVPacket *pkt;
    while (t->waiting && av_fifo_read(t->waiting, &pkt, 1) >= 0)
        av_packet_free(&pkt);
}

int source_rewind(struct source *s)
{
    const int64_t begin = s->file->start_time == AV_NOPTS_VALUE ? 0 : s->file->start_time;
    if (avformat_seek_file(s->file, -1, INT64_MIN, begin, begin, 0) < 0)
        return SVC_ERR_FILE;
    forget_waiting(&s->video);
    avcodec_flush_buffers(s->video.codec);
    if (s->sound.index >= 0) {
        forget_waiting(&s->sound);
        avcodec_flush_buffers(s->sound.codec);
    }
    s->packets_over = s->video_over = s->have_held = s->have_ahead = s->have_first = false;
    s->sound_over = s->sound.index < 0;
    s->scaled = s->sound_begun = false;
    s->number = s->sound_given = 0;
    return 0;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    forget_waiting(&s->video);
    forget_waiting(&s->sound);
    av_fifo_freep2(&s->video.waiting);
    av_fifo_freep2(&s->sound.waiting);
    avcodec_free_context(&s->video.codec);
    avcodec_free_context(&s->sound.codec);
    avformat_close_input(&s->file);
    av_packet_free(&s->pkt);
    turn_free(s->turn);
    av_frame_free(&s->held);
    av_frame_free(&s->ahead);
    av_frame_free(&s->heard);
    sws_freeContext(s->sws);
    swr_free(&s->swr);
    av_freep(&s->own);
    free(s->samples);
    free(s);
}
