/*
 * test_rate.c - delivery rate samples and the mean of the last 200 ms, against links of known rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include "rate.h"

#define MTU 1250u /* 10 kbit */

struct flight {
    struct tvl_rate_snapshot snap;
    tvl_time sent_at;
};

static void assert_near(uint64_t got, uint64_t want, unsigned percent)
{
    if (got * 100 < want * (100 - percent) || got * 100 > want * (100 + percent))
        fail_msg("%llu is not within %u %% of %llu", (unsigned long long)got, percent,
                 (unsigned long long)want);
}

/* A link that passes one datagram per `gap`, round trip 40 ms, window 60 datagrams. */
static uint64_t steady(struct tvl_rate *r, tvl_time gap, unsigned datagrams, tvl_time *now)
{
    enum { WINDOW = 60 };
    struct flight f[WINDOW];
    uint64_t bps = 0, in_flight = 0;
    const tvl_time start = *now;

    for (unsigned i = 0; i < datagrams; i++) {
        struct flight *slot = &f[i % WINDOW];

        if (i >= WINDOW) {
            struct tvl_rate_sample s = { .any = false };

            *now = start + 40000 + (i - WINDOW) * gap;
            tvl_rate_acked(r, &s, &slot->snap, slot->sent_at, MTU, *now);
            in_flight -= MTU;
            bps = tvl_rate_finish(r, &s, 40000);
        }
        slot->sent_at = *now;
        tvl_rate_sent(r, &slot->snap, in_flight, MTU, *now);
        in_flight += MTU;
    }
    return bps;
}

static void sample_is_the_links_rate(void **state)
{
    static const tvl_time gaps[] = { 700, 1000, 2000, 5000 };

    (void)state;
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        struct tvl_rate r = { .delivered = 0 };
        tvl_time now = 3000000;
        const uint64_t want = UINT64_C(10000) * 1000000 / gaps[i];

        assert_near(steady(&r, gaps[i], 600, &now), want, 3);
        assert_near(tvl_rate_recent_bps(&r, now), want, 8);
    }
}

static void burst_of_acks_is_not_a_fast_link(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    struct tvl_rate_sample s = { .any = false };
    struct flight f[10];

    (void)state;
    /* ten datagrams over 50 ms, acknowledged in one go: sending limits the estimate */
    for (unsigned i = 0; i < 10; i++) {
        f[i].sent_at = 1000000 + 5000 * i;
        tvl_rate_sent(&r, &f[i].snap, i * MTU, MTU, f[i].sent_at);
    }
    for (unsigned i = 0; i < 10; i++)
        tvl_rate_acked(&r, &s, &f[i].snap, f[i].sent_at, MTU, 1060000);
    assert_near(tvl_rate_finish(&r, &s, 10000), UINT64_C(10) * 10000 * 1000000 / 60000, 1);
}

/* Ten datagrams are acknowledged late and at once; the next two must not look fast for it. */
static void compressed_acks_are_not_a_fast_link(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    struct tvl_rate_sample s = { .any = false };
    struct flight f[12];

    (void)state;
    for (unsigned i = 0; i < 11; i++) {
        f[i].sent_at = 1000000 + 5000 * i;
        tvl_rate_sent(&r, &f[i].snap, i * MTU, MTU, f[i].sent_at);
    }
    for (unsigned i = 0; i < 10; i++)
        tvl_rate_acked(&r, &s, &f[i].snap, f[i].sent_at, MTU, 1200000);
    f[11].sent_at = 1201000;
    tvl_rate_sent(&r, &f[11].snap, MTU, MTU, f[11].sent_at);
    s = (struct tvl_rate_sample){ .any = false };
    tvl_rate_acked(&r, &s, &f[10].snap, f[10].sent_at, MTU, 1241000);
    tvl_rate_acked(&r, &s, &f[11].snap, f[11].sent_at, MTU, 1241000);
    /* two datagrams over the 156 ms between the sending of the 10th and the 12th */
    assert_near(tvl_rate_finish(&r, &s, 10000), UINT64_C(2) * 10000 * 1000000 / 156000, 1);
}

static void short_intervals_are_noise(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    struct tvl_rate_sample s = { .any = false };
    struct tvl_rate_snapshot snap;

    (void)state;
    tvl_rate_sent(&r, &snap, 0, MTU, 5000);
    tvl_rate_acked(&r, &s, &snap, 5000, MTU, 6000);
    assert_int_equal(tvl_rate_finish(&r, &s, 40000), 0);
    s = (struct tvl_rate_sample){ .any = false };
    assert_int_equal(tvl_rate_finish(&r, &s, 0), 0);
}

static void app_limited_until_the_window_is_past(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    struct tvl_rate_sample s = { .any = false };
    struct tvl_rate_snapshot a, b, c;

    (void)state;
    tvl_rate_sent(&r, &a, 0, MTU, 1000);
    assert_false(a.app_limited);
    tvl_rate_app_limited(&r, MTU);
    tvl_rate_sent(&r, &b, MTU, MTU, 2000);
    assert_true(b.app_limited);
    tvl_rate_acked(&r, &s, &a, 1000, MTU, 41000);
    (void)tvl_rate_finish(&r, &s, 1);
    tvl_rate_sent(&r, &c, MTU, MTU, 41000);
    assert_true(c.app_limited); /* b is still under way */
    s = (struct tvl_rate_sample){ .any = false };
    tvl_rate_acked(&r, &s, &b, 2000, MTU, 42000);
    assert_true(s.newest.app_limited);
    (void)tvl_rate_finish(&r, &s, 1);
    tvl_rate_sent(&r, &c, MTU, MTU, 42000);
    assert_false(c.app_limited);
}

/* A flight that was app-limited and is lost is past as well: what follows it fills the window. */
static void app_limited_until_its_flight_is_lost(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    struct tvl_rate_sample s = { .any = false };
    struct tvl_rate_snapshot a, b, c;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        tvl_rate_sent(&r, &a, i * MTU, MTU, 1000 + i);
    tvl_rate_app_limited(&r, UINT64_C(100) * MTU);
    r.lost = UINT64_C(100) * MTU;
    tvl_rate_sent(&r, &b, 0, MTU, 500000);
    assert_true(b.app_limited);
    tvl_rate_acked(&r, &s, &b, 500000, MTU, 540000);
    (void)tvl_rate_finish(&r, &s, 1);
    tvl_rate_sent(&r, &c, 0, MTU, 540000);
    assert_false(c.app_limited);
}

static void recent_rate_falls_with_silence(void **state)
{
    struct tvl_rate r = { .delivered = 0 };
    tvl_time now = 3000000;

    (void)state;
    assert_int_equal(tvl_rate_recent_bps(&r, now), 0);
    (void)steady(&r, 1000, 600, &now);
    const uint64_t full = tvl_rate_recent_bps(&r, now);

    assert_near(tvl_rate_recent_bps(&r, now + 100000), full / 2, 20);
    assert_int_equal(tvl_rate_recent_bps(&r, now + TVL_RATE_WINDOW + 20000), 0);
    assert_int_equal(tvl_rate_recent_bps(&r, now + 3600000000u), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_is_the_links_rate),
        cmocka_unit_test(burst_of_acks_is_not_a_fast_link),
        cmocka_unit_test(compressed_acks_are_not_a_fast_link),
        cmocka_unit_test(short_intervals_are_noise),
        cmocka_unit_test(app_limited_until_the_window_is_past),
        cmocka_unit_test(app_limited_until_its_flight_is_lost),
        cmocka_unit_test(recent_rate_falls_with_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
