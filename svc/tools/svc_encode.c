/*
 * svc_encode.c - svc-encode: anything that FFmpeg reads to a layered file with Opus sound.
 */
#include "options.h"
#include "source.h"

#include <libavutil/log.h>
#include <math.h>
#include <opus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OPUS_FRAME_MAX 2880 /* samples, 60 ms */
#define OPUS_PACKET_MAX 1500
#define OPUS_BPS_PER_CHANNEL 48000
#define PROGRESS_EVERY_S 0.2

enum progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct options {
    struct source_config source;
    const char *out;
    struct svc_encoder_config encoder;
    bool layers_said;
    double key_interval_s; /* 0: encoder.key_interval is in pictures */
    bool by_quantizer;
    uint32_t passes;   /* 1 or 2 */
    uint32_t sound_ms; /* of a packet: 10, 20, 40, 60 */
    enum progress progress;
};

struct job { /* one pass */
    const struct options *opt;
    uint32_t pass; /* 1 or 2, 0: the only one */
    struct source *source;
    struct svc_encoder *encoder;
    struct svc_writer *writer;
    OpusEncoder *opus;
    uint8_t channels;
    bool no_sound; /* OUT cannot carry it */
    int16_t sound[OPUS_FRAME_MAX * 2];
    size_t sound_fill, sound_frames; /* frames that are there, and of a packet */
    uint64_t sound_packets;
    uint64_t pictures;
    uint64_t bytes[SVC_SPATIAL_MAX];
    struct timespec began;
    double shown_s;
    char why[300];
};

struct first { /* what a first pass finds */
    struct svc_first_pass pass;
    uint32_t (*bytes)[SVC_SPATIAL_MAX];
    size_t cap;
};

static const char help[] =
    "Usage: svc-encode [options] IN OUT\n"
    "Encode IN (anything FFmpeg reads; \"-\": standard input) to layered video with Opus\n"
    "sound: three spatial layers (full, half and quarter size) and two temporal layers. OUT is "
    "MKV,\n"
    "or by its ending .webm, .mp4, .ivf or .obu.\n"
    "\n"
    "  -b, --bitrate S0,S1,S2    kbit/s of each layer on top of those below [300,900,2400]\n"
    "  -q, --quantizer S0,S1,S2  fixed AV1 quantizers 0..63 instead of bit rates\n"
    "  -c, --codec NAME          av1, vp9, or h264 (which has L1T1 to L1T3 only) [av1]\n"
    "  -l, --layers NAME         structure: L1T1 to L3T3, L4T1, L4T2, and with _KEY [L3T2]\n"
    "  -k, --key-interval N[s]   pictures, or seconds with an s, between key pictures [2s]\n"
    "  -s, --size WxH            scale to this size, even sides [the source's]\n"
    "  -r, --fps F               pictures per second: 30, 29.97, 30000/1001 [the source's]\n"
    "  -d, --duration S          stop after S seconds\n"
    "      --passes N            2: read IN twice, and give each picture the bits it needs, so "
    "that\n"
    "                            all are about equally good [1]\n"
    "      --sound-packet MS     10, 20, 40 or 60: longer ones cost less to send, and delay [20]\n"
    "      --speed N             libaom cpu-used, 7 (best) to 10 (fastest) [9]\n"
    "      --threads N           at most [2]\n"
    "      --progress            show progress even when standard error is no terminal\n"
    "      --quiet               show nothing but errors\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_SPEED = 256, OPT_PASSES, OPT_SOUND_PACKET, OPT_THREADS, OPT_PROGRESS, OPT_QUIET };

static const struct option long_options[] = {
    { "bitrate", required_argument, NULL, 'b' },
    { "quantizer", required_argument, NULL, 'q' },
    { "codec", required_argument, NULL, 'c' },
    { "layers", required_argument, NULL, 'l' },
    { "key-interval", required_argument, NULL, 'k' },
    { "size", required_argument, NULL, 's' },
    { "fps", required_argument, NULL, 'r' },
    { "duration", required_argument, NULL, 'd' },
    { "passes", required_argument, NULL, OPT_PASSES },
    { "sound-packet", required_argument, NULL, OPT_SOUND_PACKET },
    { "speed", required_argument, NULL, OPT_SPEED },
    { "threads", required_argument, NULL, OPT_THREADS },
    { "progress", no_argument, NULL, OPT_PROGRESS },
    { "quiet", no_argument, NULL, OPT_QUIET },
    OPTIONS_HELP_AND_VERSION,
};

static bool set_rates(struct options *o, const char *arg, bool quantizers)
{
    uint32_t v[SVC_SPATIAL_MAX];
    size_t n = quantizers ? parse_list(arg, 0, 63, v, SVC_SPATIAL_MAX)
                          : parse_list(arg, 8, 100000, v, SVC_SPATIAL_MAX);
    for (size_t i = 0; i < n; i++) {
        o->encoder.bitrate_bps[i] = quantizers ? 0 : v[i] * 1000;
        if (quantizers)
            o->encoder.quantizer[i] = (uint8_t)v[i];
    }
    for (size_t i = n; n && i < SVC_SPATIAL_MAX; i++) { /* the last one goes on upwards */
        o->encoder.bitrate_bps[i] = o->encoder.bitrate_bps[n - 1];
        o->encoder.quantizer[i] = o->encoder.quantizer[n - 1];
    }
    return n > 0;
}

static bool set_key_interval(struct options *o, const char *arg)
{
    size_t len = strlen(arg);
    char text[32];
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, arg, len + 1);
    if (text[len - 1] != 's') {
        o->key_interval_s = 0;
        return parse_uint(text, 0, 1000000, &o->encoder.key_interval);
    }
    text[len - 1] = '\0';
    return parse_seconds(text, &o->key_interval_s);
}

static bool set_layers(struct options *o, const char *arg)
{
    char name[SVC_STRUCTURE_NAME_MAX] = "";
    if (strlen(arg) == 3 && arg[1] == 'x') /* as it once was: "3x2" */
        snprintf(name, sizeof(name), "L%cT%c", arg[0], arg[2]);
    else
        snprintf(name, sizeof(name), "%s", arg);
    return svc_structure_parse(&o->encoder.structure, name) == 0;
}

static bool set_small(const char *arg, uint32_t low, uint32_t high, uint8_t *out)
{
    uint32_t v;
    if (!parse_uint(arg, low, high, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

static bool set_duration(struct options *o, const char *arg)
{
    double s;
    if (!parse_seconds(arg, &s))
        return false;
    o->source.duration = (int64_t)llround(s * 1e6);
    return true;
}

static bool take(void *user, int c, const char *arg)
{
    struct options *o = user;

    switch (c) {
    case 'b':
    case 'q':
        o->by_quantizer = c == 'q';
        return set_rates(o, arg, c == 'q');
    case 'c':
        o->encoder.codec = svc_codec_name(arg);
        return o->encoder.codec != NULL;
    case 'l':
        o->layers_said = true;
        return set_layers(o, arg);
    case 'k':
        return set_key_interval(o, arg);
    case 's':
        return parse_size(arg, &o->source.width, &o->source.height);
    case 'r':
        return parse_rate(arg, &o->source.fps_num, &o->source.fps_den);
    case 'd':
        return set_duration(o, arg);
    case OPT_PASSES:
        return parse_uint(arg, 1, 2, &o->passes);
    case OPT_SOUND_PACKET:
        return parse_uint(arg, 10, 60, &o->sound_ms) &&
               (o->sound_ms == 10 || o->sound_ms % 20 == 0);
    case OPT_SPEED:
        return set_small(arg, 7, 10, &o->encoder.speed);
    case OPT_THREADS:
        return set_small(arg, 1, 16, &o->encoder.threads);
    case OPT_PROGRESS:
        o->progress = PROGRESS_ALWAYS;
        return true;
    default:
        o->progress = PROGRESS_NEVER;
        return true;
    }
}

/* As options_parse. */
static int parse_options(struct options *o, int argc, char **argv)
{
    static const struct tool tool = {
        "svc-encode", help, "b:q:c:l:k:s:r:d:", long_options, "IN and OUT", 2, take
    };
    const int code = options_parse(&tool, o, argc, argv);

    if (code != OPTIONS_GO_ON)
        return code;
    if (!o->layers_said && strcmp(o->encoder.codec, "h264") == 0)
        set_layers(o, "L1T2"); /* it has no spatial layers */
    o->source.path = argv[optind];
    o->out = argv[optind + 1];
    if (o->passes == 2 && o->by_quantizer)
        return options_wrong(&tool, "two passes need bit rates to meet, not", "--quantizer");
    if (o->passes == 2 && strcmp(o->source.path, "-") == 0)
        return options_wrong(&tool, "two passes need a file that can be read twice, not",
                             "standard input");
    return OPTIONS_GO_ON;
}

static void show_progress(struct job *j, bool last)
{
    bool tty = isatty(STDERR_FILENO);
    if (j->opt->progress == PROGRESS_NEVER || (j->opt->progress == PROGRESS_AUTO && !tty))
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double s =
        (double)(now.tv_sec - j->began.tv_sec) + (double)(now.tv_nsec - j->began.tv_nsec) * 1e-9;
    if (!last && s - j->shown_s < PROGRESS_EVERY_S)
        return;
    j->shown_s = s;
    uint64_t total = source_info(j->source)->n_pictures;
    double part = total ? (double)j->pictures / (double)total : 0;
    int filled = (int)(24 * (part > 1 ? 1 : part));
    if (j->pass)
        fprintf(stderr, "\rpass %u of 2 ", j->pass);
    fprintf(stderr, "%s[%.*s%.*s] %3.0f %%  %llu pictures  %.1f fps%s", j->pass ? "" : "\r", filled,
            "########################", 24 - filled, "........................",
            last ? 100.0 : part * 100, (unsigned long long)j->pictures,
            s > 0 ? (double)j->pictures / s : 0, last ? "\n" : "");
}

static int put_picture(struct job *j, const struct source_item *item)
{
    const struct source_info *info = source_info(j->source);
    int64_t pts = (int64_t)(item->number * 1000000 * info->fps_den / info->fps_num);
    struct svc_unit units[SVC_SPATIAL_MAX];
    int n = svc_encoder_encode(j->encoder, &item->image, pts, false, units);
    if (n < 0) {
        snprintf(j->why, sizeof(j->why), "encoder: %s", svc_strerror(n));
        return n;
    }
    for (int s = 0; s < n; s++)
        j->bytes[s] += units[s].len;
    j->pictures++;
    int err = svc_writer_picture(j->writer, units, (size_t)n);
    if (err < 0)
        snprintf(j->why, sizeof(j->why), "%s: %s", j->opt->out, svc_strerror(err));
    return err;
}

static int put_opus(struct job *j)
{
    uint8_t packet[OPUS_PACKET_MAX];
    int64_t pts = (int64_t)j->sound_packets * j->opt->sound_ms * 1000;
    j->sound_fill = 0;
    if (j->opt->source.duration && pts >= j->opt->source.duration)
        return 0;
    int len = opus_encode(j->opus, j->sound, (int)j->sound_frames, packet, sizeof(packet));
    int err = len < 0 ? SVC_ERR_CODEC : svc_writer_audio(j->writer, packet, (size_t)len, pts);
    if (err < 0)
        snprintf(j->why, sizeof(j->why), "sound: %s", svc_strerror(err));
    j->sound_packets++;
    return err;
}

static int put_sound(struct job *j, const struct source_item *item)
{
    size_t at = j->opus ? 0 : item->n_frames;
    while (at < item->n_frames) {
        size_t n = j->sound_frames - j->sound_fill;
        if (n > item->n_frames - at)
            n = item->n_frames - at;
        memcpy(j->sound + j->sound_fill * j->channels, item->samples + at * j->channels,
               n * j->channels * sizeof(int16_t));
        j->sound_fill += n;
        at += n;
        int err = j->sound_fill == j->sound_frames ? put_opus(j) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int flush_sound(struct job *j)
{
    if (!j->opus || j->sound_fill == 0)
        return 0;
    memset(j->sound + j->sound_fill * j->channels, 0,
           (j->sound_frames - j->sound_fill) * j->channels * sizeof(int16_t));
    return put_opus(j);
}

static int open_opus(struct job *j, struct svc_stream_info *info)
{
    int err;
    j->opus = opus_encoder_create(SOURCE_RATE, j->channels, OPUS_APPLICATION_AUDIO, &err);
    if (!j->opus)
        return SVC_ERR_CODEC;
    j->sound_frames = (size_t)SOURCE_RATE / 1000 * j->opt->sound_ms;
    opus_encoder_ctl(j->opus, OPUS_SET_BITRATE(OPUS_BPS_PER_CHANNEL * j->channels));
    info->has_audio = true;
    info->audio_rate = SOURCE_RATE;
    info->audio_channels = j->channels;
    info->audio_bitrate_bps = OPUS_BPS_PER_CHANNEL * (uint32_t)j->channels;
    return 0;
}

/* Source and encoder. `first`: of two passes, what the first one finds or has found. */
static int open_encoder(struct job *j, struct first *first)
{
    int err = source_open(&j->source, &j->opt->source, j->why, sizeof(j->why));
    if (err < 0)
        return err;
    const struct source_info *from = source_info(j->source);
    struct svc_encoder_config cfg = j->opt->encoder;
    cfg.first_pass = first ? &first->pass : NULL;
    cfg.width = from->width;
    cfg.height = from->height;
    cfg.fps_num = from->fps_num;
    cfg.fps_den = from->fps_den;
    if (j->opt->key_interval_s > 0)
        cfg.key_interval = (uint32_t)ceil(j->opt->key_interval_s * from->fps_num / from->fps_den);
    if (j->pass == 1) {
        svc_encoder_config_first_pass(&cfg);
        memcpy(first->pass.quantizer, cfg.quantizer, sizeof first->pass.quantizer);
    }
    err = svc_encoder_new(&j->encoder, &cfg);
    if (err < 0) {
        snprintf(j->why, sizeof(j->why), "%s: %ux%u at %u/%u fps cannot be encoded: %s",
                 j->opt->source.path, cfg.width, cfg.height, cfg.fps_num, cfg.fps_den,
                 svc_strerror(err));
        return err;
    }
    struct svc_image_buffer place;
    if (svc_encoder_image(j->encoder, &place))
        source_write_to(j->source, &place); /* no further copy */
    return 0;
}

static int open_job(struct job *j, struct first *first)
{
    int err = open_encoder(j, first);
    if (err < 0)
        return err;
    const struct source_info *from = source_info(j->source);
    struct svc_stream_info info = *svc_encoder_info(j->encoder);
    j->no_sound = from->channels && !svc_writer_has_sound(j->opt->out);
    j->channels = j->no_sound ? 0 : from->channels;
    if (j->channels)
        err = open_opus(j, &info);
    if (err < 0)
        return err;
    return svc_writer_open(&j->writer, j->opt->out, &info, j->why, sizeof(j->why));
}

static int run(struct job *j)
{
    struct source_item item;
    int got, err = 0;
    while ((got = source_next(j->source, &item)) == 1) {
        err = item.kind == SOURCE_PICTURE ? put_picture(j, &item) : put_sound(j, &item);
        if (err < 0)
            return err;
        show_progress(j, false);
    }
    if (got < 0 || j->pictures == 0) {
        snprintf(j->why, sizeof(j->why), "%s: %s", j->opt->source.path,
                 got < 0 ? svc_strerror(got) : "contains no pictures");
        return got < 0 ? got : SVC_ERR_FORMAT;
    }
    err = flush_sound(j);
    if (err < 0)
        return err;
    err = svc_writer_close(j->writer);
    if (err < 0)
        snprintf(j->why, sizeof(j->why), "%s: %s", j->opt->out, svc_strerror(err));
    else
        show_progress(j, true);
    return err;
}

/* ---- the first pass ---- */

/* Whether it will be there a second time: a pipe or a camera will not. */
static bool readable_twice(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 || S_ISREG(st.st_mode); /* what is no file may be an address */
}

static int keep(struct first *f, const struct svc_unit *units, int n)
{
    if (f->pass.n == f->cap) {
        const size_t cap = f->cap ? 2 * f->cap : 1024;
        void *bytes = cap > SVC_FIRST_PASS_MAX ? NULL : realloc(f->bytes, cap * sizeof *f->bytes);

        if (!bytes)
            return SVC_ERR_NOMEM;
        f->bytes = bytes;
        f->cap = cap;
    }
    uint32_t *of = f->bytes[f->pass.n++];

    memset(of, 0, sizeof *f->bytes);
    for (int s = 0; s < n; s++)
        of[s] = (uint32_t)units[s].len;
    return 0;
}

static int look(struct job *j, struct first *f)
{
    struct source_item item;
    struct svc_unit units[SVC_SPATIAL_MAX];
    int got, err = 0;

    while ((got = source_next_picture(j->source, &item)) == 1) {
        int n = svc_encoder_encode(j->encoder, &item.image, 0, false, units);

        err = n < 0 ? n : keep(f, units, n);
        if (err < 0)
            return err;
        j->pictures++;
        show_progress(j, false);
    }
    if (got == 0 && j->pictures == 0) {
        snprintf(j->why, sizeof(j->why), "%s: contains no pictures", j->opt->source.path);
        return SVC_ERR_FORMAT;
    }
    if (got == 0)
        show_progress(j, true);
    return got;
}

static int first_pass(struct job *j, struct first *f)
{
    const char *path = j->opt->source.path;
    int err = SVC_ERR_FILE;

    if (readable_twice(path))
        err = open_encoder(j, f);
    else
        snprintf(j->why, sizeof(j->why), "%s: cannot be read twice, as two passes must", path);
    if (err == 0)
        err = look(j, f);
    if (err < 0 && !j->why[0])
        snprintf(j->why, sizeof(j->why), "%s: %s", path, svc_strerror(err));
    f->pass.bytes = (const uint32_t(*)[SVC_SPATIAL_MAX])f->bytes;
    return err;
}

static void report(const struct job *j)
{
    const struct source_info *info = source_info(j->source);
    double s = (double)j->pictures * info->fps_den / info->fps_num;
    if (j->opt->progress == PROGRESS_NEVER)
        return;
    fprintf(stderr, "%s: %llu pictures, %.1f s;", j->opt->out, (unsigned long long)j->pictures, s);
    for (int l = 0; l < j->opt->encoder.structure.n_spatial; l++)
        fprintf(stderr, " S%d %.0f", l, (double)j->bytes[l] * 8 / s / 1000);
    fprintf(stderr, " kbit/s%s\n", j->no_sound ? "; without sound" : "");
}

static void tell_restarts(const struct job *j)
{
    const uint64_t n = svc_encoder_restarts(j->encoder);

    if (n > 0)
        fprintf(
            stderr,
            "svc-encode: the codec's library failed %llu times and was started again; each time "
            "cost a key picture\n",
            (unsigned long long)n);
}

static void close_job(struct job *j)
{
    svc_writer_free(j->writer);
    svc_encoder_free(j->encoder);
    source_free(j->source);
    if (j->opus)
        opus_encoder_destroy(j->opus);
}

static int pass(const struct options *opt, uint32_t number, struct first *first)
{
    struct job job = { .opt = opt, .pass = number };
    int err;

    clock_gettime(CLOCK_MONOTONIC, &job.began);
    if (number == 1)
        err = first_pass(&job, first);
    else
        err = open_job(&job, number == 2 ? first : NULL);
    if (err == 0 && number != 1)
        err = run(&job);
    if (err < 0)
        fprintf(stderr, "svc-encode: %s\n", job.why[0] ? job.why : svc_strerror(err));
    else if (number != 1)
        report(&job);
    if (job.encoder)
        tell_restarts(&job);
    close_job(&job);
    return err;
}

int main(int argc, char **argv)
{
    struct options opt = {
        .key_interval_s = 2, .passes = 1, .sound_ms = 20, .source = { .threads = 1 }
    };
    svc_encoder_config_init(&opt.encoder);
    opt.encoder.bitrate_bps[3] = opt.encoder.bitrate_bps[2]; /* of L4 */
    int code = parse_options(&opt, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    av_log_set_level(AV_LOG_QUIET);
    struct first first = { 0 };
    int err = opt.passes == 2 ? pass(&opt, 1, &first) : 0;
    if (err == 0)
        err = pass(&opt, opt.passes == 2 ? 2 : 0, &first);
    free(first.bytes);
    return err < 0 ? 1 : 0;
}
