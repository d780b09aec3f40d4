/*
 * coding.c - one clip coded by one structure: its bits, how well targets were met, how it looks.
 *
 *     coding [--size WxH] [--pictures N] [--structure L3T2] [--quantizer S0,S1,S2 | --bitrate ...]
 *            [--library-rate] [--codec NAME] [--key N] [--speed N] [--threads N] CLIP
 *
 * Every picture is decoded and compared with the source at the top layer. The last line is a JSON
 * object. Windows of two seconds, one beginning with every picture after the first two seconds, are
 * what targets are held against. coding.py makes tables of it.
 */
#include <getopt.h>
#include <libavutil/log.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "source.h"
#include "ssim.h"

#define PICTURES_MAX 4096
#define WINDOW_S 2

struct job {
    struct source_config from;
    struct svc_encoder_config cfg;
    uint32_t pictures;
    /* results */
    uint64_t bits[SVC_SPATIAL_MAX];
    uint32_t of_picture[SVC_SPATIAL_MAX][PICTURES_MAX];
    unsigned n;
    double ssim, ssim_db, psnr, encode_s, decode_s;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int look(struct job *j, struct svc_decoder *d, const struct svc_image *img,
                const struct svc_unit *units, int n)
{
    struct svc_picture pic;
    const double from = seconds();
    const int got = svc_decoder_decode(d, units, (size_t)n, &pic);

    j->decode_s += seconds() - from;
    if (got != 1 || pic.image.width != img->width || pic.image.height != img->height)
        return -1;
    const struct plane a = { img->plane[0], img->stride[0] };
    const struct plane b = { pic.image.plane[0], pic.image.stride[0] };
    const double s = ssim_plane(a, b, img->width, img->height);

    j->ssim += s;
    j->ssim_db += -10 * log10(1 - s < 1e-6 ? 1e-6 : 1 - s);
    j->psnr += psnr_plane(a, b, img->width, img->height);
    svc_picture_release(d, &pic);
    return 0;
}

static int one(struct job *j, struct svc_encoder *e, struct svc_decoder *d,
               const struct svc_image *img)
{
    struct svc_unit units[SVC_SPATIAL_MAX];
    const double from = seconds();
    const int n = svc_encoder_encode(e, img, (int64_t)j->n * 40000, false, units);

    j->encode_s += seconds() - from;
    if (n < 0)
        return n;
    for (int s = 0; s < n; s++) {
        j->bits[s] += 8 * units[s].len;
        j->of_picture[s][j->n] = (uint32_t)(8 * units[s].len);
    }
    j->n++;
    return look(j, d, img, units, n);
}

static int run(struct job *j, char *why, size_t why_size)
{
    struct source *src = NULL;
    struct svc_encoder *e = NULL;
    struct svc_decoder *d = NULL;
    struct source_item item;
    int err = source_open(&src, &j->from, why, why_size), got = 0;

    if (err < 0)
        return err;
    const struct source_info *info = source_info(src);

    j->cfg.width = info->width;
    j->cfg.height = info->height;
    j->cfg.fps_num = info->fps_num;
    j->cfg.fps_den = info->fps_den;
    err = svc_encoder_new(&e, &j->cfg);
    if (err == 0)
        err = svc_decoder_new(&d, j->cfg.codec, 1);
    while (err == 0 && j->n < j->pictures && (got = source_next(src, &item)) == 1)
        if (item.kind == SOURCE_PICTURE)
            err = one(j, e, d, &item.image);
    if (err == 0 && got < 0)
        err = got;
    if (err < 0)
        snprintf(why, why_size, "%s: %s", j->from.path, svc_strerror(err));
    svc_encoder_free(e);
    svc_decoder_free(d);
    source_free(src);
    return err;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* |bits / target - 1| of the windows of a layer, sorted; how many. */
static unsigned errors_of(const struct job *j, unsigned s, double *out)
{
    const double fps = (double)j->cfg.fps_num / j->cfg.fps_den;
    const unsigned window = (unsigned)lround(fps * WINDOW_S);
    const double target = (double)j->cfg.bitrate_bps[s] * window / fps;
    unsigned n = 0;

    for (unsigned at = window; at + window <= j->n; at++) {
        double bits = 0;

        for (unsigned i = at; i < at + window; i++)
            bits += j->of_picture[s][i];
        out[n++] = fabs(bits / target - 1);
    }
    qsort(out, n, sizeof *out, by_size);
    return n;
}

static void show(const struct job *j)
{
    static double error[PICTURES_MAX];
    const unsigned layers = j->cfg.structure.n_spatial;
    const double fps = (double)j->cfg.fps_num / j->cfg.fps_den;
    char name[SVC_STRUCTURE_NAME_MAX];

    svc_structure_name(&j->cfg.structure, name);
    printf(
        "{\"structure\": \"%s\", \"pictures\": %u, \"fps\": %.3f, \"width\": %u, \"height\": %u, "
        "\"kbps\": [",
        name, j->n, fps, j->cfg.width, j->cfg.height);
    for (unsigned s = 0; s < layers; s++)
        printf("%s%.2f", s ? ", " : "", (double)j->bits[s] * fps / j->n / 1e3);
    printf("], \"ssim\": %.6f, \"ssim_db\": %.4f, \"psnr\": %.4f, \"encode_fps\": %.1f, "
           "\"decode_fps\": %.1f",
           j->ssim / j->n, j->ssim_db / j->n, j->psnr / j->n, j->n / j->encode_s,
           j->n / j->decode_s);
    for (int which = 0; j->cfg.bitrate_bps[0] && which < 2; which++) {
        printf(", \"%s\": [", which ? "error_p95" : "error_median");
        for (unsigned s = 0; s < layers; s++) {
            const unsigned n = errors_of(j, s, error);

            printf("%s%.4f", s ? ", " : "", n ? error[which ? n * 95 / 100 : n / 2] : -1);
        }
        printf("]");
    }
    printf("}\n");
}

static bool numbers(const char *text, uint32_t out[SVC_SPATIAL_MAX], uint32_t most)
{
    const size_t n = parse_list(text, 0, most, out, SVC_SPATIAL_MAX);

    for (size_t i = n; n && i < SVC_SPATIAL_MAX; i++)
        out[i] = out[n - 1];
    return n > 0;
}

static bool take(struct job *j, int c, const char *arg)
{
    uint32_t v[SVC_SPATIAL_MAX], one_value = 0;

    switch (c) {
    case 's':
        return parse_size(arg, &j->from.width, &j->from.height);
    case 'p':
        return parse_uint(arg, 1, PICTURES_MAX, &j->pictures);
    case 'l':
        return svc_structure_parse(&j->cfg.structure, arg) == 0;
    case 'c':
        j->cfg.codec = arg;
        return true;
    case 'k':
        return parse_uint(arg, 0, 100000, &j->cfg.key_interval);
    case 'e':
    case 't':
        if (!parse_uint(arg, 1, 16, &one_value))
            return false;
        *(c == 'e' ? &j->cfg.speed : &j->cfg.threads) = (uint8_t)one_value;
        return true;
    case 'r':
        j->cfg.library_rate = true;
        return true;
    case 'q':
        if (!numbers(arg, v, 63))
            return false;
        for (int s = 0; s < SVC_SPATIAL_MAX; s++) {
            j->cfg.bitrate_bps[s] = 0;
            j->cfg.quantizer[s] = (uint8_t)v[s];
        }
        return true;
    case 'b':
        if (!numbers(arg, v, 1000000))
            return false;
        for (int s = 0; s < SVC_SPATIAL_MAX; s++)
            j->cfg.bitrate_bps[s] = v[s] * 1000;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "size", required_argument, NULL, 's' },
        { "pictures", required_argument, NULL, 'p' },
        { "structure", required_argument, NULL, 'l' },
        { "codec", required_argument, NULL, 'c' },
        { "key", required_argument, NULL, 'k' },
        { "speed", required_argument, NULL, 'e' },
        { "threads", required_argument, NULL, 't' },
        { "quantizer", required_argument, NULL, 'q' },
        { "bitrate", required_argument, NULL, 'b' },
        { "library-rate", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    static struct job j;
    char why[300] = "";
    int c;

    av_log_set_level(AV_LOG_ERROR - 1);
    svc_encoder_config_init(&j.cfg);
    j.cfg.threads = 1;
    j.cfg.isolated = false;
    j.from.threads = 1;
    j.pictures = PICTURES_MAX;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (!take(&j, c, optarg)) {
            fprintf(stderr, "coding: a wrong option or value\n");
            return EXIT_USAGE;
        }
    if (optind != argc - 1) {
        fprintf(stderr, "usage: coding [option]... CLIP\n");
        return EXIT_USAGE;
    }
    j.from.path = argv[optind];
    if (run(&j, why, sizeof why) < 0 || j.n == 0) {
        fprintf(stderr, "coding: %s\n", why);
        return 1;
    }
    show(&j);
    return 0;
}
