/*
 * test_rate.c - rate control against a made-up codec whose units cost 2^(cost - slope q) bits, more
 * or less: the windows of two seconds meet the target, also after cuts and new targets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>
#include <cmocka.h>

#include "rate.h"

#define PICTURES 900
#define FPS 30
#define WINDOW (2 * FPS)

struct codec {
    double slope; /* octaves per quantizer step; the controller believes 0.11 */
    double noise; /* octaves, either way */
    uint32_t key_interval;
    unsigned cut_at; /* the scene costs three times as much from there on; 0: never */
    unsigned retarget_at;
    double retarget_bps;
    unsigned seed;
};

static double noise_of(struct codec *c)
{
    c->seed = c->seed * 1664525u + 1013904223u;
    return c->noise * ((double)(c->seed >> 8) / (1u << 23) - 1);
}

static double bits_of(struct codec *c, enum svc_rate_kind kind, unsigned at, uint8_t q)
{
    static const double cost[SVC_RATE_KINDS] = { 19.5, 18, 17, 15.8, 15 };
    const double cut = c->cut_at && at >= c->cut_at ? 1.6 : 0;

    return exp2(cost[kind] + cut - c->slope * q + noise_of(c));
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorted errors of all windows that no cut and no new target is in; how many. */
static unsigned run(struct codec *c, double target, double *error)
{
    static double bits[PICTURES], wanted[PICTURES];
    struct svc_rate_config cfg = { .target_bps = target,
                                   .fps = FPS,
                                   .key_interval = c->key_interval,
                                   .structure = { .n_spatial = 3, .n_temporal = 2 },
                                   .pixels = 640 * 360 };
    struct svc_rate rc;
    unsigned n = 0;

    svc_rate_init(&rc, &cfg);
    for (unsigned i = 0; i < PICTURES; i++) {
        const uint64_t since = c->key_interval ? i % c->key_interval : i;
        const enum svc_rate_kind kind =
            since == 0
                ? SVC_RATE_KEY
                : (enum svc_rate_kind)(SVC_RATE_T0 + svc_structure_temporal(&cfg.structure, since));

        if (c->retarget_at && i == c->retarget_at)
            svc_rate_retarget(&rc, target = c->retarget_bps);
        const uint8_t q = svc_rate_quantizer(&rc, kind);

        assert_in_range(q, 1, 63);
        bits[i] = bits_of(c, kind, i, q);
        wanted[i] = target / FPS;
        svc_rate_coded(&rc, kind, q, (size_t)(bits[i] / 8));
    }
    for (unsigned at = WINDOW; at + WINDOW <= PICTURES; at++) {
        double sum = 0, want = 0;

        for (unsigned i = at; i < at + WINDOW; i++) {
            sum += bits[i];
            want += wanted[i];
        }
        if ((c->cut_at && at < c->cut_at + WINDOW && at + WINDOW > c->cut_at) ||
            (c->retarget_at && at < c->retarget_at + WINDOW && at + WINDOW > c->retarget_at))
            continue;
        error[n++] = fabs(sum / want - 1);
    }
    qsort(error, n, sizeof *error, by_size);
    return n;
}

static void windows_meet_the_target(void **state)
{
    static const struct {
        struct codec c;
        double target, median, p95;
    } cases[] = {
        { { 0.11, 0, 60, 0, 0, 0, 1 }, 500e3, 0.02, 0.05 },
        { { 0.11, 0.3, 60, 0, 0, 0, 2 }, 500e3, 0.02, 0.05 },
        { { 0.11, 0.3, 0, 0, 0, 0, 3 }, 200e3, 0.02, 0.05 },
        { { 0.11, 0.3, 45, 0, 0, 0, 4 }, 800e3, 0.07, 0.13 }, /* keys out of step with the window */
        { { 0.15, 0.3, 60, 0, 0, 0, 5 }, 300e3, 0.03, 0.08 },
        { { 0.08, 0.3, 60, 0, 0, 0, 6 }, 500e3, 0.03, 0.08 },
        { { 0.11, 0.3, 60, 400, 0, 0, 7 }, 500e3, 0.02, 0.07 },
        { { 0.11, 0.3, 60, 0, 420, 250e3, 8 }, 700e3, 0.02, 0.07 },
        { { 0.11, 0.3, 60, 0, 420, 900e3, 9 }, 300e3, 0.02, 0.06 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static double error[PICTURES];
        struct codec c = cases[i].c;
        const unsigned n = run(&c, cases[i].target, error);

        if (error[n / 2] > cases[i].median || error[n * 95 / 100] > cases[i].p95)
            fail_msg("case %zu: median %.3f, 95th percentile %.3f", i, error[n / 2],
                     error[n * 95 / 100]);
    }
}

/* Units that are left out take their bits with them: the others are as fine as before. */
static void what_is_left_out_is_not_spent(void **state)
{
    struct codec c = { 0.11, 0.2, 0, 0, 0, 0, 10 };
    struct svc_rate_config cfg = { .target_bps = 500e3,
                                   .fps = FPS,
                                   .structure = { .n_spatial = 3, .n_temporal = 2 },
                                   .pixels = 640 * 360 };
    double mean[2] = { 0 };
    struct svc_rate rc;

    (void)state;
    svc_rate_init(&rc, &cfg);
    for (unsigned i = 0; i < PICTURES; i++) {
        const enum svc_rate_kind kind = i == 0 ? SVC_RATE_KEY : i % 2 ? SVC_RATE_T1 : SVC_RATE_T0;

        if (i >= PICTURES / 2 && i % 2) {
            svc_rate_skipped(&rc);
            continue;
        }
        const uint8_t q = svc_rate_quantizer(&rc, kind);

        svc_rate_coded(&rc, kind, q, (size_t)(bits_of(&c, kind, i, q) / 8));
        if (kind == SVC_RATE_T0 && i % (PICTURES / 2) >= PICTURES / 4)
            mean[i / (PICTURES / 2)] += q / (PICTURES / 8.0);
    }
    if (fabs(mean[0] - mean[1]) > 1)
        fail_msg("quantizer %.1f with all units, %.1f without T1", mean[0], mean[1]);
}

/* A key picture is paid off by its followers: none of them is coded coarser for being next to it.
 */
static void the_quantizer_stays(void **state)
{
    struct svc_rate_config cfg = { .target_bps = 500e3,
                                   .fps = FPS,
                                   .key_interval = 60,
                                   .structure = { .n_spatial = 1, .n_temporal = 1 },
                                   .pixels = 640 * 360 };
    struct codec c = { .slope = 0.11 };
    struct svc_rate rc;
    int low = 63, high = 0;

    (void)state;
    svc_rate_init(&rc, &cfg);
    for (unsigned i = 0; i < PICTURES; i++) {
        const enum svc_rate_kind kind = i % cfg.key_interval ? SVC_RATE_T0 : SVC_RATE_KEY;
        const uint8_t q = svc_rate_quantizer(&rc, kind);

        svc_rate_coded(&rc, kind, q, (size_t)(bits_of(&c, kind, i, q) / 8));
        if (i < 3 * WINDOW || kind == SVC_RATE_KEY)
            continue;
        low = q < low ? q : low;
        high = q > high ? q : high;
    }
    assert_true(high - low <= 2);
}

/* Pictures of next to no bits teach nothing: what follows them is not coded at any cost. */
static void black_pictures_at_the_beginning(void **state)
{
    struct svc_rate_config cfg = { .target_bps = 500e3,
                                   .fps = FPS,
                                   .structure = { .n_spatial = 1, .n_temporal = 2 },
                                   .pixels = 640 * 360 };
    struct codec c = { .slope = 0.11 };
    struct svc_rate rc;
    double most = 0;

    (void)state;
    svc_rate_init(&rc, &cfg);
    for (unsigned i = 0; i < WINDOW; i++) {
        const enum svc_rate_kind kind =
            i ? (enum svc_rate_kind)(SVC_RATE_T0 + i % 2) : SVC_RATE_KEY;
        const uint8_t q = svc_rate_quantizer(&rc, kind);
        const double bits = i < 2 ? 200 : bits_of(&c, kind, i, q);

        svc_rate_coded(&rc, kind, q, (size_t)(bits / 8));
        most = bits > most ? bits : most;
    }
    assert_true(most < 4 * cfg.target_bps / FPS);
}

/* What begins a scene costs as much as a key picture and is paid off as one: the others hardly
 * lose. */
static void a_cut_is_paid_off(void **state)
{
    struct svc_rate_config cfg = { .target_bps = 500e3,
                                   .fps = FPS,
                                   .structure = { .n_spatial = 1, .n_temporal = 2 },
                                   .pixels = 640 * 360 };
    struct codec c = { .slope = 0.11 };
    const unsigned at = 241; /* of T1: its T0 picture is the one after */
    struct svc_rate rc;
    uint8_t before = 0, most = 0;
    double sum = 0;

    (void)state;
    svc_rate_init(&rc, &cfg);
    for (unsigned i = 0; i < at + WINDOW; i++) {
        const enum svc_rate_kind kind =
            i ? (enum svc_rate_kind)(SVC_RATE_T0 + i % 2) : SVC_RATE_KEY;

        if (i == at)
            svc_rate_cut(&rc);
        const uint8_t q = svc_rate_quantizer(&rc, kind);
        const bool anew = i == at || i == at + 1;
        const double bits = bits_of(&c, anew ? SVC_RATE_KEY : kind, i, q);

        svc_rate_coded(&rc, kind, q, (size_t)(bits / 8));
        if (kind == SVC_RATE_T0 && i < at)
            before = q;
        else if (kind == SVC_RATE_T0 && q > most)
            most = q;
        sum += i >= at ? bits : 0;
    }
    assert_true(fabs(sum / (cfg.target_bps * WINDOW / FPS) - 1) < 0.05);
    assert_in_range(most, before, before + 6);
}

static void parts_of_the_rate(void **state)
{
    (void)state;
    for (uint8_t t = 1; t <= 3; t++) {
        const struct svc_structure st = { .n_spatial = 1, .n_temporal = t };
        double sum = 0;

        for (unsigned i = 0; i < t; i++)
            sum += svc_rate_part(&st, i);
        assert_true(fabs(sum - 1) < 1e-9);
    }
    assert_int_equal(svc_rate_cascade(40, SVC_RATE_T0), 40);
    assert_int_equal(svc_rate_cascade(40, SVC_RATE_T2), 48);
    assert_int_equal(svc_rate_cascade(62, SVC_RATE_T2), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_meet_the_target),
        cmocka_unit_test(what_is_left_out_is_not_spent),
        cmocka_unit_test(the_quantizer_stays),
        cmocka_unit_test(black_pictures_at_the_beginning),
        cmocka_unit_test(a_cut_is_paid_off),
        cmocka_unit_test(parts_of_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
