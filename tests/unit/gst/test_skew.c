/* test_skew.c - the offset follows clocks and ways, slowly, and jumps where nothing else helps: a
 * sender's 50 units a second, their clock and their way made up. */
#include "skew.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define EVERY_US 20000
#define BASE_US 5000000 /* running time when media time was 0 */
#define BOUND_US 300000
#define S 1000000
#define MIN_DELAY_US 20000

struct world {
    struct skew skew;
    uint64_t seed;
    double ppm;            /* our clock is quicker than the sender's by */
    int64_t delay;         /* least of the way */
    int64_t jitter;        /* mean, exponential */
    int64_t sent, free_at; /* on the sender's clock; nothing arrives before free_at, ours */
    int64_t last_arrival;
    double last_offset, quickest; /* largest change of the offset a us of arrivals */
    int resyncs, jumps;
};

static double draw(struct world *w) /* (0, 1] */
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(w->seed >> 11) + 1) / 9007199254740992.0;
}

static void begin(struct world *w, double ppm, int64_t jitter)
{
    *w = (struct world){ .seed = 7, .ppm = ppm, .delay = MIN_DELAY_US, .jitter = jitter };
    skew_init(&w->skew, BOUND_US);
}

static int64_t ours(const struct world *w, int64_t sent)
{
    return BASE_US + sent + (int64_t)((double)sent * w->ppm / 1e6);
}

static void unit(struct world *w)
{
    int64_t at = ours(w, w->sent) + w->delay + (int64_t)(-log(draw(w)) * (double)w->jitter);
    at = at < w->free_at ? w->free_at : at;
    at = at < w->last_arrival ? w->last_arrival : at; /* as one connection gives them out */
    const bool settled = w->skew.settled;
    const enum skew_result r = skew_put(&w->skew, at, w->sent);
    w->resyncs += r == SKEW_RESYNCED;
    w->jumps += r == SKEW_JUMPED;
    if (settled && r == SKEW_FOLLOWED) {
        const double moved = fabs(w->skew.offset - w->last_offset);
        const double rate = moved / (double)(at - w->last_arrival > 0 ? at - w->last_arrival : 1);
        w->quickest = moved > 0.5 && rate > w->quickest ? rate : w->quickest;
    }
    w->last_offset = w->skew.offset;
    w->last_arrival = at;
    w->sent += EVERY_US;
}

static void run(struct world *w, int64_t us)
{
    for (const int64_t until = w->sent + us; w->sent < until;)
        unit(w);
}

/* How far the offset is from that of a unit that waited for nothing, ms. */
static double off_ms(const struct world *w)
{
    return (double)(skew_offset(&w->skew) - (ours(w, w->sent) - w->sent + w->delay)) / 1e3;
}

static void is_near(const struct world *w, double ms)
{
    if (fabs(off_ms(w)) > ms)
        fail_msg("off by %.1f ms", off_ms(w));
}

static void is_smooth(const struct world *w)
{
    assert_int_equal(0, w->resyncs + w->jumps);
    if (w->quickest > SKEW_SLEW_MAX + 1e-6)
        fail_msg("moved by %.4f", w->quickest);
}

static void clocks_that_drift_are_followed(void **state)
{
    static const double ppm[] = { -200, -50, 0, 50, 200 };
    (void)state;
    for (size_t i = 0; i < sizeof ppm / sizeof ppm[0]; i++) {
        struct world w;
        begin(&w, ppm[i], 8000);
        for (int minute = 0; minute < 240; minute++) {
            run(&w, (int64_t)60 * S);
            is_near(&w, 5);
        }
        is_smooth(&w);
    }
}

static void a_longer_way_is_followed_slowly(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 50, 3000);
    run(&w, 30 * S);
    w.delay += 120000;
    run(&w, 2 * S);
    assert_true(off_ms(&w) < -100); /* nothing was jumped to */
    run(&w, 28 * S);
    is_near(&w, 5);
    is_smooth(&w);
}

static void a_shorter_way_is_followed_slowly(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 50, 3000);
    w.delay += 120000;
    run(&w, 30 * S);
    w.delay -= 120000;
    run(&w, 2 * S);
    assert_true(off_ms(&w) > 90);
    run(&w, 28 * S);
    is_near(&w, 5);
    is_smooth(&w);
}

/* Beyond the bound all would be late: that is set right once a window is sure of it. */
static void a_way_much_longer_is_a_resync(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 50, 3000);
    run(&w, 30 * S);
    w.delay += 800000;
    run(&w, 1 * S);
    assert_int_equal(0, w.resyncs);
    run(&w, 4 * S);
    assert_int_equal(1, w.resyncs);
    is_near(&w, 20);
    w.delay -= 800000;
    w.last_arrival = 0; /* overtaking */
    run(&w, 1 * S);
    assert_int_equal(2, w.resyncs); /* nothing is quicker by chance */
    is_near(&w, 20);
    run(&w, 30 * S);
    assert_int_equal(2, w.resyncs);
    is_near(&w, 5);
}

/* All that was sent in a second or so comes at once, again and again: it was the way's, not the
 * clock's. */
static void bursts_change_nothing(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 50, 3000);
    run(&w, 10 * S);
    for (int i = 0; i < 100; i++) {
        w.free_at = ours(&w, w.sent) + 1300000;
        run(&w, 5 * S);
        is_near(&w, 10);
    }
    is_smooth(&w);
}

static void after_an_interruption_it_is_what_it_was(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 50, 3000);
    run(&w, 60 * S);
    w.sent += (int64_t)30 * S; /* nobody kept that */
    w.free_at = ours(&w, w.sent) + 1500000;
    run(&w, 1 * S);
    is_near(&w, 5);
    run(&w, 60 * S);
    is_near(&w, 5);
    is_smooth(&w);
}

/* The first that come may be old: the quickest of the first SKEW_SETTLE_US counts. */
static void a_window_at_the_beginning_is_no_latency(void **state)
{
    struct skew s;
    int64_t rest;
    (void)state;
    skew_init(&s, BOUND_US);
    assert_false(skew_is_settled(&s, 0, &rest));
    for (int i = 0; i < 100; i++) /* two seconds within 100 ms */
        assert_int_equal(SKEW_FOLLOWED, skew_put(&s, 3 * S + i * 1000, (int64_t)i * EVERY_US));
    assert_int_equal(3 * S + 99000 - 99 * EVERY_US, skew_offset(&s));
    assert_false(skew_is_settled(&s, 3 * S + 100000, &rest));
    assert_int_equal(50000, rest);
    assert_true(skew_is_settled(&s, 3 * S + 150000, &rest));
}

static void another_media_time_is_said(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 0, 0);
    run(&w, 30 * S);
    assert_int_equal(SKEW_JUMPED, skew_put(&w.skew, w.last_arrival, 0));
    is_near(&w, 1);
    skew_reset(&w.skew);
    assert_int_equal(SKEW_FOLLOWED, skew_put(&w.skew, w.last_arrival, 0));
    assert_int_equal(w.last_arrival, skew_offset(&w.skew));
    assert_int_equal(BOUND_US, w.skew.bound_us);
}

/* The pipeline got another base time: a little, then much. */
static void a_clock_that_is_set_is_followed(void **state)
{
    struct skew s;
    int resyncs = 0;
    (void)state;
    skew_init(&s, BOUND_US);
    for (int i = 0; i < 500; i++)
        skew_put(&s, BASE_US + (int64_t)i * EVERY_US, (int64_t)i * EVERY_US);
    for (int i = 500; i < 505; i++)
        resyncs += skew_put(&s, (int64_t)i * EVERY_US, (int64_t)i * EVERY_US) == SKEW_RESYNCED;
    assert_int_equal(1, resyncs); /* at once */
    assert_true(llabs(skew_offset(&s)) < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_that_drift_are_followed),
        cmocka_unit_test(a_longer_way_is_followed_slowly),
        cmocka_unit_test(a_shorter_way_is_followed_slowly),
        cmocka_unit_test(a_way_much_longer_is_a_resync),
        cmocka_unit_test(bursts_change_nothing),
        cmocka_unit_test(after_an_interruption_it_is_what_it_was),
        cmocka_unit_test(a_window_at_the_beginning_is_no_latency),
        cmocka_unit_test(another_media_time_is_said),
        cmocka_unit_test(a_clock_that_is_set_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
