/*
 * live_speed.c - how fast live encoding and decoding are, alone with nothing sent.
 *
 *     live_speed encode [--size WxH] [--pictures N] [--layers L3T2] [--bitrate S0,S1,S2]
 *                       [--speed N] [--threads N] [--codec NAME] CLIP
 *     live_speed decode [--threads N] LAYERED
 *
 * encode does what svc-server --live does for each picture, as fast as it can: the input (decoded,
 * scaled into the encoder's memory), the isolated encoder, the sound to Opus. decode reads a
 * layered file into memory and decodes every layer of every picture, with one thread if nothing
 * else is said, which is one core at a time. The last line is a JSON object: pictures per second of
 * wall time, CPU time per picture, all processes together.
 */
#include <getopt.h>
#include <math.h>
#include <opus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "../../server/live_input.h"
#include "options.h"

#define OPUS_FRAME (LIVE_RATE / 50)
#define OPUS_BPS 96000
#define PICTURES_MAX 4096

struct job {
    struct live_input_config in;
    struct svc_encoder_config enc;
    uint32_t pictures, threads;
    /* results */
    unsigned n;
    double wall_s, cpu_s, took_ms[PICTURES_MAX];
    uint64_t bytes, copies;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double of_timeval(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

/* Of this process and of the children that have ended. */
static double cpu_seconds(void)
{
    double sum = 0;

    for (int who = 0; who < 2; who++) {
        struct rusage u;

        getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &u);
        sum += of_timeval(u.ru_utime) + of_timeval(u.ru_stime);
    }
    return sum;
}

static void hear(struct live_input *in, OpusEncoder *opus, uint64_t *heard, double until_s)
{
    int16_t samples[OPUS_FRAME * 2];
    uint8_t bytes[1500];

    while (opus && (double)(*heard + 1) * OPUS_FRAME <= until_s * LIVE_RATE) {
        const size_t channels = live_input_info(in)->channels;
        const size_t got = live_input_sound(in, 0, samples, OPUS_FRAME);

        memset(samples + got * channels, 0, (OPUS_FRAME - got) * channels * sizeof *samples);
        if (opus_encode(opus, samples, OPUS_FRAME, bytes, sizeof bytes) < 0)
            return;
        ++*heard;
    }
}

static int encode_all(struct job *j, struct live_input *in, struct svc_encoder *e,
                      OpusEncoder *opus)
{
    const struct live_input_info *info = live_input_info(in);
    struct svc_image_buffer to;
    uint64_t heard = 0;
    int got = 1;

    (void)svc_encoder_image(e, &to);
    const struct svc_image img = { .width = to.width,
                                   .height = to.height,
                                   .plane = { to.plane[0], to.plane[1], to.plane[2] },
                                   .stride = { to.stride[0], to.stride[1], to.stride[2] } };

    while (j->n < j->pictures) {
        struct svc_unit units[SVC_SPATIAL_MAX];
        const double from = seconds();

        hear(in, opus, &heard, (double)j->n * info->fps_den / info->fps_num);
        got = live_input_picture(in, &to);
        if (got != 1)
            break;
        const int n = svc_encoder_encode(e, &img, j->n, false, units);
        if (n < 0)
            return n;
        for (int s = 0; s < n; s++)
            j->bytes += units[s].len;
        j->took_ms[j->n++] = (seconds() - from) * 1e3;
    }
    j->copies = svc_encoder_copies(e);
    return got < 0 ? SVC_ERR_FORMAT : 0;
}

static int encode(struct job *j, char *why, size_t size)
{
    struct live_input *in = NULL;
    struct svc_encoder *e = NULL;
    OpusEncoder *opus = NULL;
    int err;

    if (live_input_open(&in, &j->in, why, size) < 0)
        return -1;
    const struct live_input_info *info = live_input_info(in);

    j->enc.width = info->width;
    j->enc.height = info->height;
    j->enc.fps_num = info->fps_num;
    j->enc.fps_den = info->fps_den;
    j->enc.key_interval = (uint32_t)ceil(2.0 * info->fps_num / info->fps_den);
    if (info->channels)
        opus = opus_encoder_create(LIVE_RATE, info->channels, OPUS_APPLICATION_AUDIO, &err);
    if (opus)
        opus_encoder_ctl(opus, OPUS_SET_BITRATE(OPUS_BPS));
    err = svc_encoder_new(&e, &j->enc);
    const double wall = seconds(), cpu = cpu_seconds();

    if (err == 0)
        err = encode_all(j, in, e, opus);
    j->wall_s = seconds() - wall;
    svc_encoder_free(e); /* from now on its process counts */
    live_input_free(in);
    j->cpu_s = cpu_seconds() - cpu;
    if (opus)
        opus_encoder_destroy(opus);
    if (err < 0)
        snprintf(why, size, "%s: %s", j->in.path, svc_strerror(err));
    return err;
}

/* ---- decoding ---- */

struct kept { /* the units of one picture, bytes ours */
    struct svc_unit unit[SVC_SPATIAL_MAX];
    size_t n;
};

static int keep(struct kept *k, struct svc_reader *r, unsigned *n)
{
    struct svc_packet p;
    int got = 1;

    while (*n < PICTURES_MAX && (got = svc_reader_next(r, &p)) == 1) {
        struct kept *at = &k[*n];

        if (p.kind != SVC_VIDEO || at->n == SVC_SPATIAL_MAX)
            continue;
        uint8_t *bytes = malloc(p.unit.len);
        if (!bytes)
            return SVC_ERR_NOMEM;
        memcpy(bytes, p.unit.bytes, p.unit.len);
        at->unit[at->n] = p.unit;
        at->unit[at->n++].bytes = bytes;
        *n += p.end_of_picture;
    }
    return got < 0 ? got : 0;
}

static int decode_all(struct job *j, const struct kept *k, unsigned n, const char *codec)
{
    struct svc_decoder *d;
    int err = svc_decoder_new(&d, codec, j->threads);
    const double wall = seconds(), cpu = cpu_seconds();

    for (unsigned i = 0; err == 0 && i < n && i < j->pictures; i++) {
        struct svc_picture pic;
        const double from = seconds();
        const int got = svc_decoder_decode(d, k[i].unit, k[i].n, &pic);

        if (got != 1) {
            err = got < 0 ? got : SVC_ERR_MISSING;
            break;
        }
        svc_picture_release(d, &pic);
        j->took_ms[j->n++] = (seconds() - from) * 1e3;
    }
    j->wall_s = seconds() - wall;
    j->cpu_s = cpu_seconds() - cpu;
    svc_decoder_free(d);
    return err;
}

static int decode(struct job *j, char *why, size_t size)
{
    static struct kept kept[PICTURES_MAX + 1];
    struct svc_reader *r;
    unsigned n = 0;
    int err = svc_reader_open(&r, j->in.path, why, size);

    if (err < 0)
        return err;
    err = keep(kept, r, &n);
    if (err == 0)
        err = decode_all(j, kept, n, svc_reader_info(r)->codec);
    if (err < 0)
        snprintf(why, size, "%s: %s", j->in.path, svc_strerror(err));
    for (unsigned i = 0; i <= n; i++)
        for (size_t s = 0; s < kept[i].n; s++)
            free((void *)(uintptr_t)kept[i].unit[s].bytes);
    svc_reader_free(r);
    return err;
}

/* ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void show(struct job *j)
{
    qsort(j->took_ms, j->n, sizeof j->took_ms[0], by_size);
    printf("{\"pictures\": %u, \"fps\": %.2f, \"cpu_ms\": %.3f, \"took_p50_ms\": %.2f, "
           "\"took_p95_ms\": %.2f, \"took_max_ms\": %.2f, \"copies\": %llu, \"bytes\": %llu}\n",
           j->n, j->n / j->wall_s, j->cpu_s * 1e3 / j->n, j->took_ms[j->n / 2],
           j->took_ms[j->n * 95 / 100], j->took_ms[j->n - 1], (unsigned long long)j->copies,
           (unsigned long long)j->bytes);
}

static bool take_small(const char *arg, uint8_t *out)
{
    uint32_t v;

    if (!parse_uint(arg, 1, 16, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

static bool take(struct job *j, int c, const char *arg)
{
    uint32_t v[SVC_SPATIAL_MAX];
    size_t n;

    switch (c) {
    case 's':
        return parse_size(arg, &j->in.width, &j->in.height);
    case 'p':
        return parse_uint(arg, 1, PICTURES_MAX, &j->pictures);
    case 'l':
        return svc_structure_parse(&j->enc.structure, arg) == 0;
    case 'c':
        j->enc.codec = arg;
        return true;
    case 'e':
        return take_small(arg, &j->enc.speed);
    case 't':
        return take_small(arg, &j->enc.threads) && parse_uint(arg, 1, 16, &j->threads);
    case 'b':
        n = parse_list(arg, 8, 100000, v, SVC_SPATIAL_MAX);
        for (size_t s = 0; n && s < SVC_SPATIAL_MAX; s++)
            j->enc.bitrate_bps[s] = v[s < n ? s : n - 1] * 1000;
        return n > 0;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "size", required_argument, NULL, 's' },    { "pictures", required_argument, NULL, 'p' },
        { "layers", required_argument, NULL, 'l' },  { "codec", required_argument, NULL, 'c' },
        { "speed", required_argument, NULL, 'e' },   { "threads", required_argument, NULL, 't' },
        { "bitrate", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 },
    };
    static struct job j = { .in = { .kind = LIVE_FILE, .repeat = true },
                            .pictures = PICTURES_MAX,
                            .threads = 1 };
    char why[300] = "";
    int c;

    svc_encoder_config_init(&j.enc);
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (!take(&j, c, optarg)) {
            fprintf(stderr, "live_speed: a wrong option or value\n");
            return EXIT_USAGE;
        }
    if (optind != argc - 2) {
        fprintf(stderr, "usage: live_speed encode|decode [option]... FILE\n");
        return EXIT_USAGE;
    }
    j.in.path = argv[optind + 1];
    const bool decoding = strcmp(argv[optind], "decode") == 0;
    if ((decoding ? decode(&j, why, sizeof why) : encode(&j, why, sizeof why)) < 0 || j.n == 0) {
        fprintf(stderr, "live_speed: %s\n", why);
        return 1;
    }
    show(&j);
    return 0;
}
