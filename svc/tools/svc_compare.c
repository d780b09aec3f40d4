/*
 * svc_compare.c - svc-compare: what a decoder that is not the player's makes of every layer of
 * every picture, how near that is to the source, and what a viewer of the file would see.
 *
 *     layered file --units--> judge --picture--> enlarge --\
 *     source --the picture of that time-------------------> SSIM, PSNR --> seen
 */
#include "judge.h"
#include "options.h"
#include "seen.h"
#include "source.h"
#include "ssim.h"

#include <jansson.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_MAX 10000

static const char help[] =
    "Usage: svc-compare [options] LAYERED SOURCE\n"
    "Decode the layered file LAYERED with a decoder that is not the player's, compare every layer "
    "of\n"
    "every picture with SOURCE's picture of the same time (SOURCE: anything FFmpeg reads; \"-\":\n"
    "standard input), and say what a viewer of LAYERED sees: which layer, how often, how well.\n"
    "\n"
    "  -j, --json OUT    one object a picture: number, pts_us, temporal, and per spatial layer\n"
    "                    width, height, bytes, crc, ssim_y, psnr_y; \"-\": standard output\n"
    "      --summary OUT the table as one JSON object; \"-\": standard output\n"
    "      --fps F       pictures per second that are due [SOURCE's]\n"
    "      --align N     LAYERED may begin up to N pictures after SOURCE: find out [0]\n"
    "      --quiet       no table\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Lower layers are enlarged (bicubic) to the top layer's size before they are compared.\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_QUIET = 256, OPT_SUMMARY, OPT_FPS, OPT_ALIGN };

static const struct option long_options[] = {
    { "json", required_argument, NULL, 'j' },
    { "summary", required_argument, NULL, OPT_SUMMARY },
    { "fps", required_argument, NULL, OPT_FPS },
    { "align", required_argument, NULL, OPT_ALIGN },
    { "quiet", no_argument, NULL, OPT_QUIET },
    OPTIONS_HELP_AND_VERSION,
};

struct options {
    const char *layered, *source, *json, *summary;
    uint32_t fps_num, fps_den; /* 0: the source's */
    uint32_t align;
    bool quiet;
};

struct compare {
    const struct options *opt;
    struct svc_reader *reader;
    struct svc_tracker tracker;
    struct judge *judge;
    struct source *source;
    struct svc_image wanted; /* the source's picture `at` */
    uint64_t at, next;       /* pictures of the source: the one held, and to be read next */
    uint64_t begin;          /* of the source, at the file's time 0 */
    FILE *json;
    struct SwsContext *enlarge[SVC_SPATIAL_MAX];
    uint8_t *large[4], *last[4]; /* luma of the source's size: enlarged; what is shown */
    int large_stride[4], last_stride[4];
    struct seen seen;
    struct plane best; /* of the present picture: its highest layer */
    struct likeness best_likeness;
    struct svc_layer best_layer;
    size_t n_layers; /* of the present picture, decoded */
    uint64_t pictures, undecodable;
    char why[300];
};

static bool take(void *user, int c, const char *arg)
{
    struct options *o = user;

    switch (c) {
    case 'j':
        o->json = arg;
        return true;
    case OPT_SUMMARY:
        o->summary = arg;
        return true;
    case OPT_FPS:
        return parse_rate(arg, &o->fps_num, &o->fps_den);
    case OPT_ALIGN:
        return parse_uint(arg, 0, ALIGN_MAX, &o->align);
    default:
        o->quiet = true;
        return true;
    }
}

/* ---- opening ---- */

static int open_source(struct compare *c)
{
    const struct svc_stream_info *info = svc_reader_info(c->reader);
    const struct source_config cfg = { .path = c->opt->source,
                                       .width = info->width,
                                       .height = info->height,
                                       .fps_num = c->opt->fps_num,
                                       .fps_den = c->opt->fps_den,
                                       .threads = 1 };

    c->next = 0;
    return source_open(&c->source, &cfg, c->why, sizeof(c->why));
}

static int open_all(struct compare *c)
{
    int err = svc_reader_open(&c->reader, c->opt->layered, c->why, sizeof(c->why));

    if (err < 0)
        return err;
    const struct svc_stream_info *info = svc_reader_info(c->reader);

    err = open_source(c);
    if (err == 0)
        err = judge_new(&c->judge, info->codec);
    if (err == 0 && (av_image_alloc(c->large, c->large_stride, info->width, info->height,
                                    AV_PIX_FMT_GRAY8, 32) < 0 ||
                     av_image_alloc(c->last, c->last_stride, info->width, info->height,
                                    AV_PIX_FMT_GRAY8, 32) < 0))
        err = SVC_ERR_NOMEM;
    if (err < 0 || !c->opt->json)
        return err;
    c->json = strcmp(c->opt->json, "-") == 0 ? stdout : fopen(c->opt->json, "w");
    if (!c->json) {
        snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->opt->json);
        return SVC_ERR_FILE;
    }
    return 0;
}

/* ---- a picture and its likeness ---- */

/* Up to the source's picture `number`. 1, or 0 at its end. */
static int read_source(struct compare *c, uint64_t number)
{
    while (c->next <= number) {
        struct source_item item;
        const int got = source_next(c->source, &item);

        if (got != 1)
            return got;
        if (item.kind != SOURCE_PICTURE)
            continue;
        c->wanted = item.image;
        c->at = c->next++;
    }
    return 1;
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

static struct likeness compare_planes(const struct compare *c, struct plane shown)
{
    const struct plane wanted = { c->wanted.plane[0], c->wanted.stride[0] };

    return (struct likeness){
        ssim_plane(shown, wanted, c->wanted.width, c->wanted.height),
        psnr_plane(shown, wanted, c->wanted.width, c->wanted.height),
    };
}

static int decode(struct compare *c, const struct svc_unit *u, struct svc_image *img)
{
    const int err = judge_decode(c->judge, u, img);

    if (err < 0)
        snprintf(c->why, sizeof(c->why), "%s: picture %llu, layer S%u: %s: %s", c->opt->layered,
                 (unsigned long long)u->picture, u->layer.spatial, judge_name(c->judge),
                 svc_strerror(err));
    return err;
}

/* ---- where the file begins in the source ---- */

/* The source's picture that is most like the file's first one. */
static int find_begin(struct compare *c)
{
    struct svc_packet p = { 0 };
    struct svc_image img;
    struct plane shown;
    double most = -1;
    int got;

    while ((got = svc_reader_next(c->reader, &p)) == 1 && p.kind != SVC_VIDEO) {
    }
    int err = got == 1 ? decode(c, &p.unit, &img) : SVC_ERR_FORMAT;

    if (err == 0)
        err = enlarge(c, &img, 0, &shown);
    for (uint64_t n = 0; err == 0 && n <= c->opt->align && read_source(c, n) == 1; n++) {
        const double psnr = compare_planes(c, shown).psnr;

        c->begin = psnr > most ? n : c->begin;
        most = psnr > most ? psnr : most;
    }
    judge_free(c->judge);
    source_free(c->source);
    svc_reader_free(c->reader);
    c->judge = NULL;
    c->source = NULL;
    c->reader = NULL;
    if (err == 0)
        err = svc_reader_open(&c->reader, c->opt->layered, c->why, sizeof(c->why));
    if (err == 0)
        err = open_source(c);
    return err < 0 ? err : judge_new(&c->judge, svc_reader_info(c->reader)->codec);
}

/* ---- picture by picture ---- */

/* The source's picture that was to be seen at `pts`; those passed over show what was before. */
static int go_to(struct compare *c, int64_t pts)
{
    const struct source_info *i = source_info(c->source);
    const uint64_t number =
        c->begin + (uint64_t)((double)pts * i->fps_num / i->fps_den / 1e6 + 0.5);
    const uint64_t first = c->pictures ? c->at + 1 : number;
    int err = 0;

    for (uint64_t n = first; err == 0 && n <= number; n++) {
        if (read_source(c, n) != 1) {
            snprintf(c->why, sizeof(c->why), "%s: ends before picture %llu of %s", c->opt->source,
                     (unsigned long long)c->pictures, c->opt->layered);
            return SVC_ERR_FORMAT;
        }
        if (n < number)
            err = seen_frozen(&c->seen,
                              compare_planes(c, (struct plane){ c->last[0], c->last_stride[0] }));
    }
    return err;
}

static int take_unit(struct compare *c, const struct svc_unit *u)
{
    struct svc_image img;
    int err = decode(c, u, &img);

    if (err == 0)
        err = enlarge(c, &img, u->layer.spatial, &c->best);
    if (err < 0)
        return err;
    svc_tracker_decoded(&c->tracker, u);
    c->best_likeness = compare_planes(c, c->best);
    c->best_layer = u->layer;
    seen_layer(&c->seen, u->layer.spatial, u->len, c->best_likeness);
    if (!c->json)
        return 0;
    if (c->n_layers == 0)
        fprintf(c->json, "%s\n{\"number\":%llu,\"pts_us\":%lld,\"temporal\":%u,\"layers\":[",
                c->pictures ? "," : "", (unsigned long long)u->picture, (long long)u->pts,
                u->layer.temporal);
    fprintf(c->json,
            "%s{\"spatial\":%u,\"width\":%u,\"height\":%u,\"bytes\":%zu,\"crc\":\"%08x\","
            "\"ssim_y\":%.5f,\"psnr_y\":%.3f}",
            c->n_layers ? "," : "", u->layer.spatial, img.width, img.height, u->len,
            svc_image_crc(&img), c->best_likeness.ssim, c->best_likeness.psnr);
    return 0;
}

static int end_picture(struct compare *c)
{
    if (c->n_layers == 0)
        return 0;
    if (c->json)
        fputs("]}", c->json);
    c->pictures++;
    c->n_layers = 0;
    const struct source_info *i = source_info(c->source);

    av_image_copy_plane(c->last[0], c->last_stride[0], c->best.at, (int)c->best.stride, i->width,
                        i->height);
    return seen_shown(&c->seen, c->best_layer, c->best_likeness);
}

static int run(struct compare *c)
{
    struct svc_packet p;
    int got, err = c->opt->align ? find_begin(c) : 0;

    if (err < 0)
        return err;
    if (c->json)
        fputc('[', c->json);
    while ((got = svc_reader_next(c->reader, &p)) == 1) {
        if (p.kind != SVC_VIDEO)
            continue;
        const bool decodable = svc_tracker_decodable(&c->tracker, &p.unit);

        c->undecodable += !decodable;
        if (decodable && c->n_layers == 0)
            err = go_to(c, p.unit.pts);
        if (err == 0 && decodable)
            err = take_unit(c, &p.unit);
        c->n_layers += decodable;
        if (err == 0 && p.end_of_picture)
            err = end_picture(c);
        if (err < 0)
            return err;
    }
    if (!c->json)
        return got;
    fputs("\n]\n", c->json);
    if (fflush(c->json) != 0 || ferror(c->json)) {
        snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->opt->json);
        return SVC_ERR_FILE;
    }
    return got;
}

/* ---- results ---- */

static double share(const struct compare *c, uint64_t n)
{
    return c->seen.n ? (double)n / (double)c->seen.n : 0;
}

static void put_table(const struct compare *c, const struct seen_summary *all)
{
    const struct svc_stream_info *i = svc_reader_info(c->reader);
    FILE *out = c->json == stdout || (c->opt->summary && strcmp(c->opt->summary, "-") == 0)
                    ? stderr
                    : stdout;

    fprintf(out, "%s: %s, L%uT%u, by %s against %s\n", c->opt->layered, i->codec, i->n_spatial,
            i->n_temporal, judge_name(c->judge), c->opt->source);
    fprintf(out, "%zu pictures due, %llu shown, %llu frozen, %llu units not decodable\n\n",
            c->seen.n, (unsigned long long)c->pictures, (unsigned long long)c->seen.frozen,
            (unsigned long long)c->undecodable);
    fputs("layer      size   decoded    SSIM     dB   PSNR   shown as best   SSIM\n", out);
    for (unsigned s = 0; s < i->n_spatial; s++) {
        const struct likeness l = seen_layer_mean(&c->seen, s);
        struct likeness best;
        const uint64_t n = seen_by_spatial(&c->seen, s, &best);

        fprintf(out, "S%u    %5ux%-5u %7llu  %.4f  %5.2f  %5.2f  %7llu %5.1f %%", s,
                i->layers[s].width, i->layers[s].height, (unsigned long long)c->seen.layer[s],
                l.ssim, seen_db(l.ssim), l.psnr, (unsigned long long)n, 100 * share(c, n));
        if (n > 0)
            fprintf(out, "  %.4f", best.ssim);
        fputc('\n', out);
    }
    fprintf(out, "frozen                                            %7llu %5.1f %%\n",
            (unsigned long long)c->seen.frozen, 100 * share(c, c->seen.frozen));
    fprintf(out, "\nseen: SSIM %.4f (%.2f dB), PSNR %.2f dB; 5 %% below SSIM %.4f, PSNR %.2f dB\n",
            all->mean.ssim, seen_db(all->mean.ssim), all->mean.psnr, all->p5.ssim, all->p5.psnr);
}

/* A mean of `n` values, null of none. */
static json_t *of_some(uint64_t n, double mean)
{
    return n ? json_real(mean) : json_null();
}

static json_t *layers_json(const struct compare *c)
{
    const struct svc_stream_info *i = svc_reader_info(c->reader);
    json_t *layers = json_array();

    for (unsigned s = 0; s < i->n_spatial; s++) {
        const struct likeness l = seen_layer_mean(&c->seen, s);
        struct likeness best;
        const uint64_t n = seen_by_spatial(&c->seen, s, &best);
        json_t *temporal = json_array();

        for (unsigned t = 0; t < i->n_temporal; t++)
            json_array_append_new(temporal, json_integer((json_int_t)c->seen.shown[s][t]));
        json_array_append_new(
            layers, json_pack("{s:i,s:i,s:i,s:I,s:I,s:f,s:f,s:f,s:I,s:f,s:o,s:o,s:o}", "spatial",
                              (int)s, "width", i->layers[s].width, "height", i->layers[s].height,
                              "decoded", (json_int_t)c->seen.layer[s], "bytes",
                              (json_int_t)c->seen.layer_bytes[s], "ssim_y", l.ssim, "ssim_db",
                              seen_db(l.ssim), "psnr_y", l.psnr, "shown", (json_int_t)n,
                              "shown_share", share(c, n), "shown_ssim_y", of_some(n, best.ssim),
                              "shown_psnr_y", of_some(n, best.psnr), "shown_temporal", temporal));
    }
    return layers;
}

static int put_summary(struct compare *c, const struct seen_summary *all)
{
    const struct svc_stream_info *i = svc_reader_info(c->reader);
    json_t *o = json_pack(
        "{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:f,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:o}", "file",
        c->opt->layered, "source", c->opt->source, "codec", i->codec, "judge", judge_name(c->judge),
        "n_spatial", i->n_spatial, "n_temporal", i->n_temporal, "due", (json_int_t)c->seen.n,
        "shown", (json_int_t)c->pictures, "frozen", (json_int_t)c->seen.frozen, "frozen_share",
        share(c, c->seen.frozen), "undecodable_units", (json_int_t)c->undecodable, "begin",
        (json_int_t)c->begin, "ssim_y", all->mean.ssim, "ssim_db", seen_db(all->mean.ssim),
        "psnr_y", all->mean.psnr, "ssim_y_p5", all->p5.ssim, "psnr_y_p5", all->p5.psnr, "layers",
        layers_json(c));
    const bool piped = strcmp(c->opt->summary, "-") == 0;
    FILE *out = piped ? stdout : fopen(c->opt->summary, "w");
    /* no `o`: a name that is not UTF-8 */
    bool good = o && out && json_dumpf(o, out, JSON_INDENT(1) | JSON_REAL_PRECISION(7)) == 0 &&
                fputc('\n', out) != EOF && fflush(out) == 0;

    json_decref(o);
    if (out && !piped && fclose(out) != 0)
        good = false;
    if (!good)
        snprintf(c->why, sizeof(c->why), "%s: cannot be written", c->opt->summary);
    return good ? 0 : SVC_ERR_FILE;
}

static int report(struct compare *c)
{
    const struct seen_summary all = seen_summary(&c->seen);

    if (!c->opt->quiet)
        put_table(c, &all);
    return c->opt->summary ? put_summary(c, &all) : 0;
}

static void close_all(struct compare *c)
{
    if (c->json && c->json != stdout)
        fclose(c->json);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        sws_freeContext(c->enlarge[s]);
    av_freep(&c->large[0]);
    av_freep(&c->last[0]);
    seen_fini(&c->seen);
    judge_free(c->judge);
    source_free(c->source);
    svc_reader_free(c->reader);
}

int main(int argc, char **argv)
{
    static const struct tool tool = { "svc-compare",        help, "j:", long_options,
                                      "LAYERED and SOURCE", 2,    take };
    struct options opt = { 0 };
    const int code = options_parse(&tool, &opt, argc, argv);

    if (code != OPTIONS_GO_ON)
        return code;
    opt.layered = argv[optind];
    opt.source = argv[optind + 1];
    if (opt.align && strcmp(opt.source, "-") == 0)
        return options_wrong(&tool, "cannot be read twice, as --align wants:", "-");
    av_log_set_level(AV_LOG_QUIET);
    struct compare c = { .opt = &opt };
    int err = open_all(&c);

    if (err == 0)
        err = run(&c);
    if (err == 0)
        err = report(&c);
    if (err < 0)
        fprintf(stderr, "svc-compare: %s\n", c.why[0] ? c.why : svc_strerror(err));
    close_all(&c);
    return err < 0 ? 1 : 0;
}
