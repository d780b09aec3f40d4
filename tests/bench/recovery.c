/*
 * recovery.c - ./run bench-svc, part recovery: what it costs to go on after units were lost.
 *
 *     recovery [--size WxH] [--pictures N] [--quantizer Q] [--loss PERCENT] [--feedback MS] [--seed
 * N] CLIP
 *
 * A live encoder of L3T2 at fixed quantizers; every unit above the base layer is lost with the same
 * chance. The encoder hears 100 ms later what the receiver then held and which layer it could not
 * decode, and goes on by svc_encoder_recover() (by long-term reference where that is held), or by a
 * key picture, or from the layer below. What is shown is scaled to the top layer's size and
 * compared with the source. One JSON line a way.
 */
#include <getopt.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "source.h"
#include "ssim.h"

#define FEEDBACK_MAX 64 /* pictures on the way back */
#define PICTURES_MAX 4096
#define COARSER 6 /* quantizer steps per spatial layer, as coding.py */

enum way { WAY_NO_LOSS, WAY_LONG_TERM, WAY_BELOW, WAY_KEY, WAYS };
static const char *const way_names[WAYS] = { "no_loss", "long_term", "below", "key" };

struct report { /* of one picture, as the receiver saw it */
    int lost;   /* lowest layer that later ones miss, or -1 */
    struct svc_tracker held;
};

struct trial {
    struct source_config from;
    struct svc_encoder_config cfg;
    enum way way;
    uint32_t pictures, loss_percent, feedback_ms, seed;

    struct svc_encoder *encoder;
    struct svc_decoder *decoder;
    struct SwsContext *scaler[SVC_SPATIAL_MAX];
    uint8_t *shown; /* luma of the top layer's size; the last picture stays */
    struct report reports[FEEDBACK_MAX];
    uint64_t recovered_at[SVC_SPATIAL_MAX]; /* picture from which on a report counts again */
    bool force_key;
    uint32_t n, lost, recoveries, incomplete;
    double bits, psnr, ssim_db;
    double whole_lost; /* PSNR lost against no loss, sum over the pictures shown with every layer */
    double *no_loss;   /* PSNR of each picture, shared */
};

static bool chance(struct trial *t, unsigned percent)
{
    t->seed = t->seed * 1664525u + 1013904223u;
    return (t->seed >> 8) % 100 < percent;
}

/* What the encoder hears of the picture that is `feedback_ms` old. */
static void hear(struct trial *t)
{
    const uint64_t ago = (uint64_t)t->feedback_ms * t->cfg.fps_num / t->cfg.fps_den / 1000;

    if (t->n < ago || t->way == WAY_NO_LOSS)
        return;
    const uint64_t of = t->n - ago;
    const struct report *r = &t->reports[of % FEEDBACK_MAX];

    if (r->lost < 0 || of < t->recovered_at[r->lost])
        return;
    t->recoveries++;
    for (int s = r->lost; s < SVC_SPATIAL_MAX; s++)
        t->recovered_at[s] = t->n;
    t->force_key = t->way == WAY_KEY;
    if (t->way != WAY_KEY)
        (void)svc_encoder_recover(t->encoder, (unsigned)r->lost,
                                  t->way == WAY_LONG_TERM ? &r->held : NULL);
}

static void show(struct trial *t, const struct svc_picture *pic)
{
    const struct svc_image *img = &pic->image;
    struct SwsContext **sws = &t->scaler[pic->layer.spatial];
    uint8_t *to[1] = { t->shown };
    const int stride[1] = { t->cfg.width };
    const uint8_t *planes[1] = { img->plane[0] };
    const int strides[1] = { (int)img->stride[0] };

    *sws = sws_getCachedContext(*sws, img->width, img->height, AV_PIX_FMT_GRAY8, t->cfg.width,
                                t->cfg.height, AV_PIX_FMT_GRAY8, SWS_BICUBIC, NULL, NULL, NULL);
    if (*sws)
        sws_scale(*sws, planes, strides, 0, img->height, to, stride);
}

/* Decodes what came, shows it, and notes what the encoder will hear. */
static int receive(struct trial *t, const struct svc_image *source, struct svc_unit *units, int n)
{
    struct svc_unit came[SVC_SPATIAL_MAX];
    struct svc_picture pic;
    struct report *r = &t->reports[t->n % FEEDBACK_MAX];
    size_t n_came = 0;

    for (int s = 0; s < n; s++) {
        t->bits += 8.0 * (double)units[s].len;
        if (t->way != WAY_NO_LOSS && s > 0 && chance(t, t->loss_percent))
            t->lost++;
        else
            came[n_came++] = units[s];
    }
    const int got = svc_decoder_decode(t->decoder, came, n_came, &pic);

    if (got < 0)
        return got;
    const int top = got ? pic.layer.spatial : -1;

    if (got) {
        show(t, &pic);
        svc_picture_release(t->decoder, &pic);
    }
    t->incomplete += top + 1 < n;
    *r = (struct report){ .lost = units[0].layer.temporal == 0 && top + 1 < n ? top + 1 : -1,
                          .held = *svc_decoder_tracker(t->decoder) };
    const struct plane a = { source->plane[0], source->stride[0] };
    const struct plane b = { t->shown, t->cfg.width };
    const double s = ssim_plane(a, b, t->cfg.width, t->cfg.height);

    const double psnr = psnr_plane(a, b, t->cfg.width, t->cfg.height);

    if (t->way == WAY_NO_LOSS)
        t->no_loss[t->n] = psnr;
    if (top + 1 == n)
        t->whole_lost += t->no_loss[t->n] - psnr;
    t->psnr += psnr;
    t->ssim_db += -10 * log10(1 - s < 1e-6 ? 1e-6 : 1 - s);
    return 0;
}

static int one(struct trial *t, const struct svc_image *img)
{
    struct svc_unit units[SVC_SPATIAL_MAX];

    hear(t);
    const int n = svc_encoder_encode(t->encoder, img, (int64_t)t->n * 33333, t->force_key, units);

    t->force_key = false;
    if (n < 0)
        return n;
    const int err = receive(t, img, units, n);

    t->n++;
    return err;
}

static int run(struct trial *t, char *why, size_t why_size)
{
    struct source *src = NULL;
    struct source_item item;
    int err = source_open(&src, &t->from, why, why_size), got = 0;

    if (err < 0)
        return err;
    const struct source_info *info = source_info(src);

    t->cfg.width = info->width;
    t->cfg.height = info->height;
    t->cfg.fps_num = info->fps_num;
    t->cfg.fps_den = info->fps_den;
    t->shown = calloc(info->width, info->height);
    err = t->shown ? svc_encoder_new(&t->encoder, &t->cfg) : SVC_ERR_NOMEM;
    if (err == 0)
        err = svc_decoder_new(&t->decoder, t->cfg.codec, 1);
    while (err == 0 && t->n < t->pictures && (got = source_next(src, &item)) == 1)
        if (item.kind == SOURCE_PICTURE)
            err = one(t, &item.image);
    if (err == 0 && (got < 0 || t->n == 0))
        err = got < 0 ? got : SVC_ERR_FILE;
    if (err < 0)
        snprintf(why, why_size, "%s: %s", t->from.path, svc_strerror(err));
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        sws_freeContext(t->scaler[s]);
    free(t->shown);
    svc_encoder_free(t->encoder);
    svc_decoder_free(t->decoder);
    source_free(src);
    return err;
}

static bool take(struct trial *t, int c, const char *arg)
{
    uint32_t q;

    switch (c) {
    case 's':
        return parse_size(arg, &t->from.width, &t->from.height);
    case 'p':
        return parse_uint(arg, 1, PICTURES_MAX, &t->pictures);
    case 'l':
        return parse_uint(arg, 0, 100, &t->loss_percent);
    case 'f':
        return parse_uint(arg, 0, 500, &t->feedback_ms);
    case 'r':
        return parse_uint(arg, 1, UINT32_MAX, &t->seed);
    case 'q':
        if (!parse_uint(arg, 0, 63 - 2 * COARSER, &q))
            return false;
        for (unsigned s = 0; s < 3; s++)
            t->cfg.quantizer[s] = (uint8_t)(q + COARSER * (2 - s));
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
        { "quantizer", required_argument, NULL, 'q' },
        { "loss", required_argument, NULL, 'l' },
        { "feedback", required_argument, NULL, 'f' },
        { "seed", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    static double no_loss[PICTURES_MAX];
    struct trial options = {
        .no_loss = no_loss, .pictures = 150, .loss_percent = 5, .feedback_ms = 100, .seed = 1
    };
    char why[300] = "";
    int c;

    av_log_set_level(AV_LOG_QUIET);
    svc_encoder_config_init(&options.cfg);
    options.cfg.threads = 1;
    options.cfg.isolated = false;
    options.cfg.key_interval = 0;
    memset(options.cfg.bitrate_bps, 0, sizeof options.cfg.bitrate_bps);
    options.from.threads = 1;
    (void)take(&options, 'q', "36");
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
        if (!take(&options, c, optarg))
            return fprintf(stderr, "recovery: a wrong option or value\n"), EXIT_USAGE;
    if (optind != argc - 1)
        return fprintf(stderr, "usage: recovery [option]... CLIP\n"), EXIT_USAGE;
    options.from.path = argv[optind];
    for (int way = 0; way < WAYS; way++) {
        struct trial t = options;

        t.way = (enum way)way;
        if (run(&t, why, sizeof why) < 0)
            return fprintf(stderr, "recovery: %s\n", why), 1;
        printf("{\"way\": \"%s\", \"pictures\": %u, \"kbps\": %.2f, \"psnr\": %.3f, "
               "\"ssim_db\": %.4f, \"whole_psnr_lost\": %.3f, \"lost\": %u, \"incomplete\": %u, "
               "\"recoveries\": %u}\n",
               way_names[way], t.n, t.bits * t.cfg.fps_num / t.cfg.fps_den / t.n / 1e3,
               t.psnr / t.n, t.ssim_db / t.n,
               t.n > t.incomplete ? t.whole_lost / (t.n - t.incomplete) : 0, t.lost, t.incomplete,
               t.recoveries);
    }
    return 0;
}
