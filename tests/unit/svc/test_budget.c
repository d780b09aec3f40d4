/*
 * test_budget.c - the second of two passes, against a made-up codec and against AV1, over a clip of
 * an easy and a hard half with a cut between them: the mean is met, no two seconds exceed their
 * peak, and the pictures are more alike in quality than those of one pass.
 */
#include "clip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "budget.h"
#include "ssim.h"

#define FPS 30
#define WINDOW (2 * FPS)

/* ---- a made-up codec ---- */

#define PICTURES 600
#define KEY_EVERY 60
#define MADE_QUANTIZER 40

struct made {
    double slope; /* octaves per quantizer step */
    double noise; /* octaves, either way */
    double off;   /* octaves: what the second pass codes otherwise than the first, */
    double late;  /* and more of that in the second half */
    double hard;  /* octaves that the second half takes more */
    double target_bps;
    double spread_max; /* quantizer steps, standard deviation over T0 */
    double peak_max;   /* times the target */
};

static enum svc_rate_kind kind_of(unsigned at)
{
    return at % KEY_EVERY == 0 ? SVC_RATE_KEY : at % 2 ? SVC_RATE_T1 : SVC_RATE_T0;
}

static double bits_of(const struct made *m, unsigned at, uint8_t quantizer, double off)
{
    static const double cost[SVC_RATE_KINDS] = { 19, 18, 16.8, 15.8, 15 };
    const unsigned seed = (at + 1) * 2654435761u;
    const double noise = m->noise * ((double)(seed >> 8) / (1u << 23) - 1);

    return exp2(cost[kind_of(at)] + (at >= PICTURES / 2 ? m->hard : 0) + noise + off -
                m->slope * quantizer);
}

static void first_look(const struct made *m, uint32_t (*bytes)[SVC_SPATIAL_MAX])
{
    for (unsigned i = 0; i < PICTURES; i++)
        bytes[i][0] =
            (uint32_t)(bits_of(m, i, svc_rate_cascade(MADE_QUANTIZER, kind_of(i)), 0) / 8);
}

static double peak_of(const double *bits, unsigned n, double target_bps)
{
    double most = 0, sum = 0;

    for (unsigned i = 0; i < n; i++) {
        sum += bits[i] - (i >= WINDOW ? bits[i - WINDOW] : 0);
        most = fmax(most, sum);
    }
    return most / (target_bps * WINDOW / FPS);
}

static double deviation(const double *v, unsigned n)
{
    double sum = 0, squares = 0;

    for (unsigned i = 0; i < n; i++) {
        sum += v[i];
        squares += v[i] * v[i];
    }
    return sqrt(fmax(0, squares / n - sum / n * (sum / n)));
}

static void made_up(void **state)
{
    static const struct made cases[] = {
        { 0.105, 0, 0, 0, 0, 120e3, 0.5, 1.1 },
        { 0.105, 0.3, 0, 0, 0, 120e3, 0.5, 1.1 },
        { 0.105, 0.3, 0.4, 0, 0, 120e3, 1.5, 1.2 }, /* another codec than the first pass's */
        { 0.105, 0.3, -0.4, 0, 0, 120e3, 1.5, 1.2 },
        { 0.13, 0.3, 0, 0, 0, 80e3, 1.5, 1.2 },
        { 0.08, 0.3, 0, 0, 0, 120e3, 1.5, 1.2 },
        { 0.105, 0.3, 0, 0, 0, 600e3, 1.5, 1.2 }, /* far from the first pass's quantizer */
        { 0.105, 0.3, 0, 0, 0.8, 120e3, 0.5, 1.4 },
        /* as much as the peak lets be spent; and nearly twice that comes of it, unforeseen */
        { 0.105, 0.3, 0.2, 0, 2, 240e3, 9, SVC_BUDGET_PEAK },
        { 0.105, 0.3, 0, 0.8, 2, 240e3, 9, 1.7 },
        { 0.105, 0.3, -0.6, 0, 0, 22e3, 1.5, 1.2 }, /* too little, as far as the first pass says */
        { 0.105, 0.3, 0, 0, 3, 400e3, 20, SVC_BUDGET_PEAK },
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        static uint32_t bytes[PICTURES][SVC_SPATIAL_MAX];
        static double bits[PICTURES], quantizer[PICTURES];
        const struct made *m = &cases[c];
        const struct svc_first_pass first = { PICTURES,
                                              (const uint32_t(*)[SVC_SPATIAL_MAX])bytes,
                                              { MADE_QUANTIZER } };
        struct svc_budget b;
        double sum = 0;
        unsigned n = 0;

        first_look(m, bytes);
        assert_int_equal(
            svc_budget_init(&b, &(struct svc_budget_config){ m->target_bps, FPS, &first, 0 }), 0);
        for (unsigned i = 0; i < PICTURES; i++) {
            const uint8_t q = svc_budget_quantizer(&b, kind_of(i));

            bits[i] = bits_of(m, i, q, m->off + (i >= PICTURES / 2 ? m->late : 0));
            svc_budget_coded(&b, (size_t)(bits[i] / 8));
            sum += bits[i];
            if (kind_of(i) == SVC_RATE_T0)
                quantizer[n++] = q;
        }
        svc_budget_fini(&b);
        const double mean = sum / (m->target_bps * PICTURES / FPS) - 1;
        const double spread = deviation(quantizer, n),
                     peak = peak_of(bits, PICTURES, m->target_bps);

        if (fabs(mean) > 0.02 || spread > m->spread_max || peak > m->peak_max)
            fail_msg("case %zu: mean %+.3f, quantizers spread by %.2f, peak %.2f", c, mean, spread,
                     peak);
    }
}

/* What is left out is given to nobody, and nothing is read beyond the plan. */
static void left_out_and_beyond(void **state)
{
    static uint32_t bytes[PICTURES][SVC_SPATIAL_MAX];
    const struct made m = { .slope = 0.105, .target_bps = 120e3 };
    const struct svc_first_pass first = { PICTURES,
                                          (const uint32_t(*)[SVC_SPATIAL_MAX])bytes,
                                          { MADE_QUANTIZER } };
    struct svc_budget b;
    uint8_t least = 63, most = 0;

    (void)state;
    first_look(&m, bytes);
    assert_int_equal(
        svc_budget_init(&b, &(struct svc_budget_config){ m.target_bps, FPS, &first, 0 }), 0);
    for (unsigned i = 0; i < PICTURES * 3 / 2; i++) {
        if (i >= 200 && i < 400 && i % 2) {
            svc_budget_skipped(&b);
            continue;
        }
        const uint8_t q = svc_budget_quantizer(&b, kind_of(i));

        svc_budget_coded(&b, (size_t)(bits_of(&m, i % (PICTURES / 2), q, 0) / 8));
        if (kind_of(i) == SVC_RATE_T0 && i < PICTURES) {
            least = q < least ? q : least;
            most = q > most ? q : most;
        }
    }
    assert_in_range(most - least, 0, 2);
    svc_budget_fini(&b);
}

/* ---- AV1 ---- */

#define WIDTH 320
#define HEIGHT 192
#define CODED 240 /* 8 s */
#define NOISE 16  /* levels */

/* The first half moves as one, the second is other noise in each picture as well. */
static struct svc_image draw(struct clip *c, unsigned n)
{
    const struct svc_image img = clip_draw(c, n);

    for (size_t i = 0; n >= CODED / 2 && i < (size_t)WIDTH * HEIGHT; i++) {
        const uint32_t seed = (uint32_t)(i / 2 + 1) * 2654435761u + n * 40503u * 65537u;

        c->bytes[i] = (uint8_t)(255 - c->bytes[i] + (seed ^ seed >> 13) % NOISE - NOISE / 2);
    }
    return img;
}

struct coded {
    double error[2]; /* of each layer's mean rate */
    double peak;     /* worst layer's */
    double ssim_spread, ssim_p5;
};

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void encode(const struct svc_encoder_config *cfg, uint32_t (*bytes)[SVC_SPATIAL_MAX],
                   double *ssim)
{
    struct svc_encoder *e;
    struct svc_decoder *d;
    struct clip c;

    clip_init(&c, WIDTH, HEIGHT);
    assert_int_equal(svc_encoder_new(&e, cfg), 0);
    assert_int_equal(svc_decoder_new(&d, cfg->codec, 1), 0);
    for (unsigned i = 0; i < CODED; i++) {
        struct svc_unit units[SVC_SPATIAL_MAX];
        struct svc_picture p;
        const struct svc_image img = draw(&c, i);
        const int n = svc_encoder_encode(e, &img, i, false, units);

        assert_int_equal(n, cfg->structure.n_spatial);
        for (int s = 0; s < n; s++)
            bytes[i][s] = (uint32_t)units[s].len;
        assert_int_equal(svc_decoder_decode(d, units, (size_t)n, &p), 1);
        ssim[i] = ssim_plane((struct plane){ p.image.plane[0], p.image.stride[0] },
                             (struct plane){ img.plane[0], img.stride[0] }, WIDTH, HEIGHT);
        svc_picture_release(d, &p);
    }
    svc_decoder_free(d);
    svc_encoder_free(e);
    clip_fini(&c);
}

static struct coded judged(const struct svc_encoder_config *cfg, uint32_t (*bytes)[SVC_SPATIAL_MAX],
                           double *ssim)
{
    struct coded out = { .ssim_spread = deviation(ssim, CODED) };

    for (unsigned s = 0; s < cfg->structure.n_spatial; s++) {
        double bits[CODED], sum = 0;

        for (unsigned i = 0; i < CODED; i++)
            sum += bits[i] = 8.0 * bytes[i][s];
        out.error[s] = fabs(sum * FPS / CODED / cfg->bitrate_bps[s] - 1);
        out.peak = fmax(out.peak, peak_of(bits, CODED, cfg->bitrate_bps[s]));
    }
    qsort(ssim, CODED, sizeof *ssim, by_size);
    out.ssim_p5 = ssim[CODED / 20];
    return out;
}

static void two_passes_are_better_than_one(void **state)
{
    static uint32_t bytes[CODED][SVC_SPATIAL_MAX];
    static double ssim[CODED];
    struct svc_encoder_config cfg, look;

    (void)state;
    svc_encoder_config_init(&cfg);
    cfg.width = WIDTH;
    cfg.height = HEIGHT;
    cfg.structure.n_spatial = 2;
    cfg.isolated = false;
    cfg.threads = 1;
    cfg.bitrate_bps[0] = 150000;
    cfg.bitrate_bps[1] = 400000;
    encode(&cfg, bytes, ssim);
    const struct coded one = judged(&cfg, bytes, ssim);

    look = cfg;
    svc_encoder_config_first_pass(&look);
    encode(&look, bytes, ssim);
    struct svc_first_pass first = { CODED, (const uint32_t(*)[SVC_SPATIAL_MAX])bytes, { 0 } };

    memcpy(first.quantizer, look.quantizer, sizeof first.quantizer);
    cfg.first_pass = &first;
    encode(&cfg, bytes, ssim);
    const struct coded two = judged(&cfg, bytes, ssim);

    print_message("mean off by %.3f %.3f, then %.3f %.3f; peak %.2f, %.2f; SSIM spread %.4f, %.4f; "
                  "5th percentile %.4f, %.4f\n",
                  one.error[0], one.error[1], two.error[0], two.error[1], one.peak, two.peak,
                  one.ssim_spread, two.ssim_spread, one.ssim_p5, two.ssim_p5);
    for (unsigned s = 0; s < 2; s++)
        assert_true(two.error[s] < 0.02);
    assert_true(two.error[0] + two.error[1] < one.error[0] + one.error[1]);
    assert_true(two.peak <= SVC_BUDGET_PEAK);
    assert_true(two.ssim_spread < one.ssim_spread * 0.8);
    assert_true(two.ssim_p5 > one.ssim_p5);
}

static void what_is_refused(void **state)
{
    static uint32_t bytes[1][SVC_SPATIAL_MAX];
    const struct svc_first_pass none = { 0, (const uint32_t(*)[SVC_SPATIAL_MAX])bytes, { 0 } },
                                one = { 1, (const uint32_t(*)[SVC_SPATIAL_MAX])bytes, { 40 } },
                                coarse = { 1, (const uint32_t(*)[SVC_SPATIAL_MAX])bytes, { 64 } };
    const uint32_t rates[SVC_SPATIAL_MAX] = { 1000, 1000, 1000 };
    struct svc_encoder_config cfg;
    struct svc_encoder *e;

    (void)state;
    svc_encoder_config_init(&cfg);
    cfg.isolated = false;
    cfg.first_pass = &none;
    assert_int_equal(svc_encoder_new(&e, &cfg), SVC_ERR_ARG);
    cfg.first_pass = &coarse;
    assert_int_equal(svc_encoder_new(&e, &cfg), SVC_ERR_ARG);
    cfg.first_pass = &one;
    cfg.library_rate = true;
    assert_int_equal(svc_encoder_new(&e, &cfg), SVC_ERR_ARG);
    cfg.library_rate = false;
    cfg.bitrate_bps[1] = 0;
    assert_int_equal(svc_encoder_new(&e, &cfg), SVC_ERR_ARG);
    cfg.bitrate_bps[1] = 900000;
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    assert_int_equal(svc_encoder_set_rates(e, rates), SVC_ERR_ARG);
    svc_encoder_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up),
        cmocka_unit_test(left_out_and_beyond),
        cmocka_unit_test(two_passes_are_better_than_one),
        cmocka_unit_test(what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
