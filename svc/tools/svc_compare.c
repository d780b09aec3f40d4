/*
 * svc_compare.c - svc-compare: what a reference decoder (libaom's, not the one the player uses)
 * makes of every spatial layer of every picture, as fingerprints, and how near that is to the
 * source.
 */
#include "options.h"
#include "source.h"
#include "ssim.h"

#include <aom/aom_decoder.h>
#include <aom/aomdx.h>
#include <getopt.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: svc-compare LAYERED.mkv SOURCE --json OUT\n"
    "Decode LAYERED completely with libaom and compare every spatial layer of every picture with\n"
    "the picture of the same number of SOURCE (anything FFmpeg reads; \"-\": standard input).\n"
    "\n"
    "  -j, --json OUT    one object a picture: number, pts_us, temporal, and per spatial layer\n"
    "                    width, height, bytes, crc, ssim_y, psnr_y; \"-\": standard output\n"
    "      --quiet       no summary\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Lower layers are enlarged (bicubic) to the source's size before they are compared.\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_QUIET = 256 };

static const struct option long_options[] = {
    { "json", required_argument, NULL, 'j' },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { 0 },
};

struct options {
    const char *layered, *source, *json;
    bool quiet;
};

struct score {
    double ssim, psnr;
    uint64_t n;
};

struct compare {
    const struct options *opt;
    struct svc_reader *reader;
    struct source *source;
    aom_codec_ctx_t aom;
    bool aom_open;
    FILE *json;
    struct SwsContext *enlarge[SVC_SPATIAL_MAX];
    uint8_t *large[4];
    int large_stride[4];
    struct score score[SVC_SPATIAL_MAX];
    uint64_t pictures;
    char why[300];
};

static int usage(const char *what, const char *arg)
{
    fprintf(stderr, "svc-compare: %s %s (try --help)\n", what, arg);
    return EXIT_USAGE;
}

/* -1: go on; else the exit code. */
static int parse_options(struct options *o, int argc, char **argv)
{
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":j:hV", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (c == 'V') {
            puts("svc-compare " SVC_VERSION);
            return 0;
        }
        if (c == ':')
            return usage("a value is missing behind", argv[optind - 1]);
        if (c == '?')
            return usage("unknown option", argv[optind - 1]);
        if (c == 'j')
            o->json = optarg;
        else
            o->quiet = true;
    }
    if (argc - optind != 2)
        return usage("expected LAYERED and SOURCE, got",
                     argc - optind < 2 ? "too few" : argv[optind + 2]);
    if (!o->json)
        return usage("missing:", "--json OUT");
    o->layered = argv[optind];
    o->source = argv[optind + 1];
    return -1;
}

static int open_aom(struct compare *c)
{
    aom_codec_dec_cfg_t cfg = { .threads = 1, .allow_lowbitdepth = 1 };
    if (aom_codec_dec_init(&c->aom, aom_codec_av1_dx(), &cfg, 0))
        return SVC_ERR_CODEC;
    c->aom_open = true;
    if (aom_codec_control(&c->aom, AV1D_SET_OPERATING_POINT, 0) ||
        aom_codec_control(&c->aom, AV1D_SET_OUTPUT_ALL_LAYERS, 1))
        return SVC_ERR_CODEC;
    return 0;
}

static int open_all(struct compare *c)
{
    int err = svc_reader_open(&c->reader, c->opt->layered, c->why, sizeof(c->why));
    if (err < 0)
        return err;
    const struct svc_stream_info *info = svc_reader_info(c->reader);
    if (strncmp(info->codec, "av01", 4) != 0) {
        snprintf(c->why, sizeof(c->why), "%s: %s; only AV1 can be compared", c->opt->layered,
                 info->codec);
        return SVC_ERR_FORMAT;
    }
    struct source_config cfg = { .path = c->opt->source,
                                 .width = info->width,
                                 .height = info->height,
                                 .fps_num = info->fps_num,
                                 .fps_den = info->fps_den,
                                 .threads = 1 };
    err = source_open(&c->source, &cfg, c->why, sizeof(c->why));
    if (err == 0)
        err = open_aom(c);
    if (err == 0 && av_image_alloc(c->large, c->large_stride, info->width, info->height,
                                   AV_PIX_FMT_GRAY8, 32) < 0)
        err = SVC_ERR_NOMEM;
    if (err < 0)
        return err;
    bool out = strcmp(c->opt->json, "-") == 0;
    c->json = out ? stdout : fopen(c->opt->json, "w");
    if (!c->json) {
        snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->opt->json);
        return SVC_ERR_FILE;
    }
    return 0;
}

/* The next picture of the source; 1, or 0 at its end. */
static int next_source(struct compare *c, struct source_item *item)
{
    int got;
    do
        got = source_next(c->source, item);
    while (got == 1 && item->kind != SOURCE_PICTURE);
    return got;
}

static int decode(struct compare *c, const struct svc_unit *unit, struct svc_image *out)
{
    aom_codec_iter_t iter = NULL;
    const aom_image_t *img = NULL, *next;
    if (aom_codec_decode(&c->aom, unit->bytes, unit->len, NULL))
        return SVC_ERR_CODEC;
    while ((next = aom_codec_get_frame(&c->aom, &iter)))
        img = next;
    if (!img || img->fmt != AOM_IMG_FMT_I420 || img->d_w > UINT16_MAX || img->d_h > UINT16_MAX)
        return SVC_ERR_CODEC;
    *out = (struct svc_image){ .width = (uint16_t)img->d_w, .height = (uint16_t)img->d_h };
    for (int p = 0; p < 3; p++) {
        out->plane[p] = img->planes[p];
        out->stride[p] = img->stride[p];
    }
    return 0;
}

/* Luma at the source's size. */
static int enlarge(struct compare *c, const struct svc_image *img, unsigned spatial,
                   struct plane *out)
{
    const struct source_info *to = source_info(c->source);
    if (img->width == to->width && img->height == to->height) {
        *out = (struct plane){ img->plane[0], img->stride[0] };
        return 0;
    }
    c->enlarge[spatial] = sws_getCachedContext(c->enlarge[spatial], img->width, img->height,
                                               AV_PIX_FMT_GRAY8, to->width, to->height,
                                               AV_PIX_FMT_GRAY8, SWS_BICUBIC, NULL, NULL, NULL);
    if (!c->enlarge[spatial])
        return SVC_ERR_NOMEM;
    const uint8_t *planes[4] = { img->plane[0] };
    const int strides[4] = { (int)img->stride[0] };
    sws_scale(c->enlarge[spatial], planes, strides, 0, img->height, c->large, c->large_stride);
    *out = (struct plane){ c->large[0], c->large_stride[0] };
    return 0;
}

static int put_layer(struct compare *c, const struct svc_unit *unit, const struct svc_image *img,
                     const struct svc_image *source)
{
    struct plane shown;
    struct plane wanted = { source->plane[0], source->stride[0] };
    unsigned s = unit->layer.spatial;
    int err = enlarge(c, img, s, &shown);
    if (err < 0)
        return err;
    double ssim = ssim_plane(shown, wanted, source->width, source->height);
    double psnr = psnr_plane(shown, wanted, source->width, source->height);
    c->score[s].ssim += ssim;
    c->score[s].psnr += psnr;
    c->score[s].n++;
    fprintf(c->json,
            "%s{\"spatial\":%u,\"width\":%u,\"height\":%u,\"bytes\":%zu,\"crc\":\"%08x\","
            "\"ssim_y\":%.5f,\"psnr_y\":%.3f}",
            s ? "," : "", s, img->width, img->height, unit->len, svc_image_crc(img), ssim, psnr);
    return 0;
}

static int put_unit(struct compare *c, const struct svc_packet *p, const struct svc_image *source)
{
    const struct svc_unit *u = &p->unit;
    struct svc_image img;
    int err = decode(c, u, &img);
    if (err < 0) {
        snprintf(c->why, sizeof(c->why), "%s: picture %llu, layer S%u: libaom: %s", c->opt->layered,
                 (unsigned long long)u->picture, u->layer.spatial, aom_codec_error(&c->aom));
        return err;
    }
    if (u->layer.spatial == 0)
        fprintf(c->json, "%s\n{\"number\":%llu,\"pts_us\":%lld,\"temporal\":%u,\"layers\":[",
                c->pictures ? "," : "", (unsigned long long)u->picture, (long long)u->pts,
                u->layer.temporal);
    err = put_layer(c, u, &img, source);
    if (p->end_of_picture) {
        fputs("]}", c->json);
        c->pictures++;
    }
    return err;
}

static int run(struct compare *c)
{
    struct svc_packet p;
    struct source_item item = { 0 };
    int got;
    fputc('[', c->json);
    while ((got = svc_reader_next(c->reader, &p)) == 1) {
        if (p.kind != SVC_VIDEO)
            continue;
        if (p.unit.layer.spatial == 0 && next_source(c, &item) != 1) {
            snprintf(c->why, sizeof(c->why), "%s: ends before picture %llu", c->opt->source,
                     (unsigned long long)p.unit.picture);
            return SVC_ERR_FORMAT;
        }
        int err = put_unit(c, &p, &item.image);
        if (err < 0)
            return err;
    }
    fputs("\n]\n", c->json);
    if (fflush(c->json) != 0 || ferror(c->json)) {
        snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->opt->json);
        return SVC_ERR_FILE;
    }
    return got;
}

static void report(const struct compare *c)
{
    if (c->opt->quiet)
        return;
    fprintf(stderr, "%s: %llu pictures;", c->opt->layered, (unsigned long long)c->pictures);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        if (c->score[s].n)
            fprintf(stderr, " S%d SSIM %.4f PSNR %.2f dB", s,
                    c->score[s].ssim / (double)c->score[s].n,
                    c->score[s].psnr / (double)c->score[s].n);
    fputc('\n', stderr);
}

static void close_all(struct compare *c)
{
    if (c->json && c->json != stdout)
        fclose(c->json);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        sws_freeContext(c->enlarge[s]);
    av_freep(&c->large[0]);
    if (c->aom_open)
        aom_codec_destroy(&c->aom);
    source_free(c->source);
    svc_reader_free(c->reader);
}

int main(int argc, char **argv)
{
    struct options opt = { 0 };
    int code = parse_options(&opt, argc, argv);
    if (code >= 0)
        return code;
    av_log_set_level(AV_LOG_QUIET);
    struct compare c = { .opt = &opt };
    int err = open_all(&c);
    if (err == 0)
        err = run(&c);
    if (err < 0)
        fprintf(stderr, "svc-compare: %s\n", c.why[0] ? c.why : svc_strerror(err));
    else
        report(&c);
    close_all(&c);
    return err < 0 ? 1 : 0;
}
