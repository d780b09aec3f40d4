/* test_pace.c - the pace controller against made-up machines: what pictures cost is an input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "svc/pace.h"

#define PERIOD_US 33333u
#define LATE_MAX (3 * PERIOD_US) /* a live source leaves out what is later */
#define SECOND 1000000u

static const struct svc_pace_config config = {
    .period_us = PERIOD_US, .best = { .speed = 8, .n_temporal = 2, .n_spatial = 3 }, .speed_max = 10
};

/* A machine and what it is given; a picture of all layers at speed 8 costs `load` periods. */
struct world {
    struct svc_pace pace;
    double load;
    unsigned key_interval; /* 0: none */
    double key_cost;       /* times a common picture */
    unsigned noise;        /* per cent up and down */
    uint32_t seed;
    uint64_t now, due, free_at; /* free_at: when the encoder is done */
    uint64_t n, late_max;
    unsigned left_out, changes;
};

static void begin(struct world *w, double load)
{
    *w = (struct world){ .load = load, .seed = 1, .now = SECOND, .due = SECOND };
    assert_true(svc_pace_init(&w->pace, &config));
}

/* What the picture costs under the orders given, us. */
static uint64_t cost(struct world *w, struct svc_pace_orders o)
{
    static const double speed[] = { [8] = 1, [9] = 0.87, [10] = 0.8 };
    static const double layers[] = { 0, 0.12, 0.35, 1 };
    double c = w->load * PERIOD_US * speed[o.speed] * layers[o.n_spatial];

    if (o.n_temporal == 1 && w->n % 2)
        return 0;
    if (w->key_interval && w->n % w->key_interval == 0)
        c *= w->key_cost;
    w->seed = w->seed * 1664525u + 1013904223u;
    c *= 1 + w->noise / 100.0 * (((w->seed >> 8) % 2001) / 1000.0 - 1);
    return (uint64_t)c;
}

static void step(struct world *w)
{
    const uint64_t start = w->free_at > w->due ? w->free_at : w->due, late = start - w->due;

    w->due += PERIOD_US;
    if (late > LATE_MAX) {
        w->left_out++;
        w->n++;
        return;
    }
    const uint64_t busy = cost(w, svc_pace_orders(&w->pace));

    w->n++;
    w->late_max = late > w->late_max ? late : w->late_max;
    w->free_at = w->now = start + busy;
    w->changes += svc_pace_picture(&w->pace, w->now, busy, late);
}

static void run(struct world *w, unsigned seconds)
{
    w->late_max = w->left_out = w->changes = 0;
    for (unsigned i = 0; i < seconds * SECOND / PERIOD_US; i++)
        step(w);
}

static void what_fits_is_left_alone(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 0.6);
    w.noise = 30;
    w.key_interval = 60;
    w.key_cost = 3;
    run(&w, 600);
    assert_int_equal(w.changes, 0);
    assert_int_equal(w.left_out, 0);
}

static void too_much_goes_down_at_once(void **state)
{
    static const struct row {
        double load;
        struct svc_pace_orders end;
    } rows[] = {
        { 0.95, { 9, 2, 3 } }, { 1.02, { 10, 2, 3 } }, { 1.5, { 10, 1, 3 } },
        { 3.0, { 10, 1, 2 } }, { 9.0, { 10, 1, 1 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        begin(&w, rows[i].load);
        run(&w, 3);
        const struct svc_pace_orders o = svc_pace_orders(&w.pace);

        if (o.speed != rows[i].end.speed || o.n_temporal != rows[i].end.n_temporal ||
            o.n_spatial != rows[i].end.n_spatial)
            fail_msg("load %.2f: speed %u, %u temporal, %u spatial", rows[i].load, o.speed,
                     o.n_temporal, o.n_spatial);
        if (rows[i].load < 1)
            assert_int_equal(w.left_out, 0); /* before it falls behind */
        run(&w, 1);
        assert_true(svc_pace_load(&w.pace) <= 0.85);
    }
}

static void it_does_not_swing(void **state)
{
    (void)state;
    for (unsigned load = 50; load <= 900; load += 7) {
        struct world w;
        begin(&w, load / 100.0);
        w.noise = 20;
        w.key_interval = 60;
        w.key_cost = 2.5;
        run(&w, 10);
        run(&w, 600); /* ascents that fail come 2, 4 ... 64 s apart, each with its descent */
        if (w.changes > 16)
            fail_msg("load %u %%: %u changes in ten minutes", load, w.changes);
        if (w.left_out > 20)
            fail_msg("load %u %%: %u pictures of 18000 left out", load, w.left_out);
    }
}

static void it_comes_back_after_proof(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 0.6);
    run(&w, 10);
    w.load = 4; /* something else needs the machine */
    run(&w, 20);
    assert_int_equal(svc_pace_orders(&w.pace).n_spatial, 2);
    w.load = 0.6;
    run(&w, 1);
    assert_int_equal(w.changes, 0); /* not at once */
    run(&w, 25);
    const struct svc_pace_orders o = svc_pace_orders(&w.pace);

    assert_int_equal(o.speed, 8);
    assert_int_equal(o.n_temporal, 2);
    assert_int_equal(o.n_spatial, 3);
    assert_int_equal(w.left_out, 0);
    assert_int_equal(w.pace.downs, w.pace.ups);
}

/* A bad start, as on a full machine, is not taken for the price of the levels. */
static void a_bad_start_is_soon_forgotten(void **state)
{
    (void)state;
    for (unsigned load = 125; load < 600; load += 25) {
        struct world w;
        begin(&w, load / 100.0);
        for (int i = 0; i < 20; i++)
            step(&w);
        assert_true(w.pace.level > 1);
        w.load = 0.5;
        run(&w, 9); /* two or three levels, two seconds of proof for each */
        assert_int_equal(w.pace.level, 0);
    }
}

static void an_outlier_is_no_reason(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 0.5);
    run(&w, 2);
    for (int i = 0; i < 20; i++) { /* the machine stands still for 60 ms */
        w.free_at = w.due + 60000;
        run(&w, 2);
        assert_int_equal(w.changes, 0);
    }
}

static void ranges(void **state)
{
    struct svc_pace p;
    struct svc_pace_config c = config;

    (void)state;
    c.period_us = 999;
    assert_false(svc_pace_init(&p, &c));
    c = config;
    c.speed_max = 7;
    assert_false(svc_pace_init(&p, &c));
    c = config;
    c.best.n_spatial = 0;
    assert_false(svc_pace_init(&p, &c));
    c = config;
    c.best = (struct svc_pace_orders){ 9, 1, 1 }; /* nothing can be left out */
    c.speed_max = 9;
    assert_true(svc_pace_init(&p, &c));
    for (int i = 0; i < 100; i++)
        assert_false(svc_pace_picture(&p, (uint64_t)(i + 1) * PERIOD_US, PERIOD_US * 2,
                                      (uint64_t)i * PERIOD_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_left_alone),
        cmocka_unit_test(too_much_goes_down_at_once),
        cmocka_unit_test(it_does_not_swing),
        cmocka_unit_test(it_comes_back_after_proof),
        cmocka_unit_test(an_outlier_is_no_reason),
        cmocka_unit_test(ranges),
        cmocka_unit_test(a_bad_start_is_soon_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
