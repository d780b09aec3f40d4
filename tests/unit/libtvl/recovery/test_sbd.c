/*
 * test_sbd.c - shared bottleneck detection on made-up delays: a queue that fills and drains like
 * TCP's, seen by one path or by several, and delays without a queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sbd.h"

#define SAMPLE 10000u /* us between two */
#define START 1000000u

struct queue { /* fills for most of a period, then drains at once: skewed to the full side */
    tvl_time period, depth, phase;
};

/* The window grows fast at first and slowly near the top, as CUBIC's does. */
static tvl_time depth_at(const struct queue *q, tvl_time t)
{
    const double x = (double)((t + q->phase) % q->period) / (double)q->period;

    return (tvl_time)((double)q->depth * (1 - (1 - x) * (1 - x) * (1 - x)));
}

static uint32_t noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 22; /* [0, 1023] us */
}

struct made {                  /* one path of a run */
    const struct queue *queue; /* NULL: none */
    tvl_time base;
    unsigned lose_nth; /* packets; 0: none */
};

static void run(struct tvl_sbd *s, const struct made *m, size_t n, tvl_time span)
{
    uint32_t state = 1;

    for (tvl_time t = START; t < START + span; t += SAMPLE)
        for (size_t i = 0; i < n; i++) {
            const tvl_time queued = m[i].queue ? depth_at(m[i].queue, t) : 0;
            const uint64_t number = t / SAMPLE;

            tvl_sbd_sample(&s[i], m[i].base + queued + noise(&state), t);
            tvl_sbd_packets(&s[i], 1, m[i].lose_nth && number % m[i].lose_nth == 0, t);
        }
}

static void groups_of(const struct tvl_sbd *s, size_t n, unsigned *group)
{
    const struct tvl_sbd *path[TVL_PATHS_MAX];

    for (size_t i = 0; i < n; i++)
        path[i] = &s[i];
    tvl_sbd_group(path, n, group);
}

static const struct queue wide = { 2300000, 40000, 0 };
static const struct queue twin = { 2300000, 40000, 1150000 }; /* the same on another link */
static const struct queue slow = { 5100000, 150000, 0 };

static void shared_is_found(void **state)
{
    const struct made m[] = { { &wide, 30000, 0 }, { &wide, 80000, 0 } };
    struct tvl_sbd s[2] = { { .number = 0 } };
    unsigned group[2];

    (void)state;
    run(s, m, 2, 20000000);
    groups_of(s, 2, group);
    assert_true(tvl_sbd_summary(&s[0]).bottleneck);
    assert_true(tvl_sbd_summary(&s[0]).skew < 0.1);
    assert_true(tvl_sbd_correlation(&s[0], &s[1]) > 0.9);
    assert_int_equal(group[0], 1);
    assert_int_equal(group[1], 1);
}

static void separate_ones_stay_apart(void **state)
{
    const struct made m[] = { { &wide, 30000, 0 }, { &slow, 30000, 0 } };
    struct tvl_sbd s[2] = { { .number = 0 } };
    unsigned group[2];

    (void)state;
    run(s, m, 2, 20000000);
    groups_of(s, 2, group);
    assert_true(tvl_sbd_summary(&s[0]).bottleneck && tvl_sbd_summary(&s[1]).bottleneck);
    assert_int_equal(group[0], 0);
    assert_int_equal(group[1], 0);
}

/* Alike in every statistic of the RFC; only their time is another. */
static void twins_stay_apart(void **state)
{
    const struct made m[] = { { &wide, 30000, 0 }, { &twin, 30000, 0 } };
    struct tvl_sbd s[2] = { { .number = 0 } };
    unsigned group[2];

    (void)state;
    run(s, m, 2, 20000000);
    groups_of(s, 2, group);
    const struct tvl_sbd_summary a = tvl_sbd_summary(&s[0]), b = tvl_sbd_summary(&s[1]);

    assert_true(a.skew - b.skew < 0.15 && b.skew - a.skew < 0.15);
    assert_true(a.spread < 1.1 * b.spread && b.spread < 1.1 * a.spread);
    assert_true(tvl_sbd_correlation(&s[0], &s[1]) < 0.5);
    assert_int_equal(group[0], 0);
    assert_int_equal(group[1], 0);
}

static void no_queue_is_no_bottleneck(void **state)
{
    const struct made m[] = { { NULL, 30000, 0 }, { NULL, 30000, 0 } };
    struct tvl_sbd s[2] = { { .number = 0 } };
    unsigned group[2];

    (void)state;
    run(s, m, 2, 20000000);
    groups_of(s, 2, group);
    assert_int_equal(group[0], 0);
    assert_int_equal(group[1], 0);
}

/* Two of four share; the third has its own, the fourth none. */
static void four_paths(void **state)
{
    const struct made m[] = {
        { &slow, 20000, 0 }, { &wide, 30000, 0 }, { NULL, 50000, 0 }, { &slow, 60000, 0 }
    };
    struct tvl_sbd s[4] = { { .number = 0 } };
    unsigned group[4];

    (void)state;
    run(s, m, 4, 20000000);
    groups_of(s, 4, group);
    assert_int_equal(group[0], 1);
    assert_int_equal(group[1], 0);
    assert_int_equal(group[2], 0);
    assert_int_equal(group[3], 1);
}

static void loss_parts_and_is_a_bottleneck(void **state)
{
    const struct made m[] = { { &wide, 30000, 4 }, { &wide, 30000, 12 } };
    struct tvl_sbd s[2] = { { .number = 0 } };
    unsigned group[2];

    (void)state;
    run(s, m, 2, 20000000);
    groups_of(s, 2, group);
    assert_true(tvl_sbd_summary(&s[0]).loss > 0.15 && tvl_sbd_summary(&s[1]).loss > 0.05);
    assert_int_equal(group[0], 0);
}

static void little_is_not_judged_and_old_is_forgotten(void **state)
{
    const struct made m[] = { { &wide, 30000, 0 }, { &wide, 80000, 0 } };
    struct tvl_sbd s[2] = { { .number = 0 } };

    (void)state;
    run(s, m, 2, (TVL_SBD_F - 1) * TVL_SBD_T);
    assert_false(tvl_sbd_summary(&s[0]).bottleneck);
    run(s, m, 2, 20000000);
    assert_true(tvl_sbd_summary(&s[0]).bottleneck);
    assert_true(tvl_sbd_roll(&s[0], START + 20000000 + 60 * TVL_SBD_T));
    assert_false(tvl_sbd_summary(&s[0]).bottleneck);
    assert_int_equal(s[0].count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_is_found),
        cmocka_unit_test(separate_ones_stay_apart),
        cmocka_unit_test(twins_stay_apart),
        cmocka_unit_test(no_queue_is_no_bottleneck),
        cmocka_unit_test(four_paths),
        cmocka_unit_test(loss_parts_and_is_a_bottleneck),
        cmocka_unit_test(little_is_not_judged_and_old_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
