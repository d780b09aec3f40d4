/*
 * test_cc.c - what every controller owes its path (loops over tvl_cc_all), what those owe that
 * answer each loss with a smaller window, and what NewReno and CUBIC do in particular, against
 * their formulas. BBR, which models the path instead, has test_bbr.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include <math.h>
#include <tvl/cc.h>

#define MTU 1200u
#define RTT 50000u  /* us */
#define T0 1000000u /* us */

struct flow { /* a controller and the clock it lives by */
    const struct tvl_cc_ops *ops;
    _Alignas(8) unsigned char state[TVL_CC_STATE_MAX];
    tvl_time now, rtt;
    uint64_t delivered;
};

static void begin(struct flow *f, const struct tvl_cc_ops *ops)
{
    memset(f, 0, sizeof *f);
    f->ops = ops;
    f->now = T0;
    f->rtt = RTT;
    ops->init(f->state, MTU, f->now);
}

static uint64_t cwnd(const struct flow *f)
{
    return f->ops->limit(f->state).cwnd;
}

static void ack(struct flow *f, uint64_t bytes, tvl_time sent_at, bool app_limited)
{
    const struct tvl_cc_ack a = { .now = f->now,
                                  .rtt = f->rtt,
                                  .srtt = f->rtt,
                                  .rtt_min = RTT,
                                  .bytes = bytes,
                                  .in_flight = cwnd(f),
                                  .in_flight_after = cwnd(f) - bytes,
                                  .delivered = f->delivered + bytes,
                                  .sent_delivered =
                                      f->delivered > cwnd(f) ? f->delivered - cwnd(f) : 0,
                                  .sent_in_flight = cwnd(f),
                                  .delivery_bps = cwnd(f) * 8 * 1000000 / f->rtt,
                                  .sent_at = sent_at,
                                  .growth = 1,
                                  .app_limited = app_limited };

    f->delivered += bytes;
    f->ops->on_ack(f->state, &a);
}

static void lose(struct flow *f, tvl_time sent_at, bool persistent)
{
    const struct tvl_cc_loss l = { .now = f->now,
                                   .sent_at = sent_at,
                                   .bytes = MTU,
                                   .in_flight = cwnd(f),
                                   .persistent = persistent };

    f->ops->on_loss(f->state, &l);
}

/* One round trip with a full window, acknowledged two datagrams at a time. */
static void full_round(struct flow *f)
{
    const uint64_t window = cwnd(f);
    const tvl_time start = f->now;

    for (uint64_t done = 0; done < window; done += 2 * MTU) {
        f->now = start + f->rtt * (done + 2 * MTU) / (window + 2 * MTU);
        ack(f, window - done < 2 * MTU ? window - done : 2 * MTU, f->now - f->rtt, false);
    }
    f->now = start + f->rtt;
}

/* ---- every controller ---- */

static void each(void (*check)(const struct tvl_cc_ops *ops))
{
    for (size_t i = 0; tvl_cc_all[i] != NULL; i++)
        check(tvl_cc_all[i]);
}

/* Those whose window is their only model: it falls with a loss and grows without. */
static bool by_loss(const struct tvl_cc_ops *ops)
{
    static const char *const by_model[] = { "bbr", "copa", "scream" };

    for (size_t i = 0; i < sizeof by_model / sizeof by_model[0]; i++)
        if (strcmp(ops->name, by_model[i]) == 0)
            return false;
    return true;
}

static bool is(const struct tvl_cc_ops *ops, const char *name)
{
    return strcmp(ops->name, name) == 0;
}

static void each_by_loss(void (*check)(const struct tvl_cc_ops *ops))
{
    for (size_t i = 0; tvl_cc_all[i] != NULL; i++)
        if (by_loss(tvl_cc_all[i]))
            check(tvl_cc_all[i]);
}

static void check_start(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    assert_ptr_equal(tvl_cc_find(ops->name), ops);
    assert_in_range(cwnd(&f), 2 * MTU, 14720); /* RFC 9002 7.2 */
    for (unsigned i = 0; i < 3; i++)
        full_round(&f);
    assert_true(cwnd(&f) >= 40 * MTU); /* slow start */
}

static void check_one_reduction_per_round_trip(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 4; i++)
        full_round(&f);
    const uint64_t before = cwnd(&f);

    for (unsigned i = 0; i < 20; i++) /* twenty losses, all sent before the first was noticed */
        lose(&f, f.now - RTT + i, false);
    const uint64_t after = cwnd(&f);

    assert_true(after < before);
    /* Westwood+ goes to what the path delivered, which lags behind slow start, and stays there */
    assert_true(after >= before / 2 || is(ops, "westwood"));
    f.now += RTT / 2;
    lose(&f, f.now - RTT, false);
    assert_true(cwnd(&f) == after);
    f.now += 3 * RTT;
    lose(&f, f.now - RTT, false); /* sent after: a new event */
    assert_true(cwnd(&f) < after || is(ops, "westwood"));
}

static void check_recovery_does_not_grow(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 4; i++)
        full_round(&f);
    lose(&f, f.now - RTT, false);
    const uint64_t after = cwnd(&f);
    const tvl_time noticed = f.now;

    for (unsigned i = 1; i < 40; i++) {
        f.now = noticed + i * 1000;
        ack(&f, MTU, f.now - RTT, false); /* sent before the loss was noticed */
    }
    assert_true(cwnd(&f) == after);
}

static void check_app_limited_does_not_grow(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    const uint64_t before = cwnd(&f);

    for (unsigned i = 0; i < 1000; i++) {
        f.now += 10000;
        ack(&f, MTU, f.now - RTT, true);
    }
    assert_true(cwnd(&f) == before);
    full_round(&f);
    lose(&f, f.now - RTT, false);
    f.now += 2 * RTT;
    full_round(&f);
    const uint64_t reduced = cwnd(&f);

    for (unsigned i = 0; i < 1000; i++) { /* ten seconds */
        f.now += 10000;
        ack(&f, MTU, f.now - RTT, true);
    }
    assert_true(cwnd(&f) == reduced);
    full_round(&f); /* and the time without demand was not saved up */
    assert_true(cwnd(&f) <= reduced + 5 * MTU);
}

static void check_never_below_two_datagrams(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 100; i++) {
        f.now += 2 * RTT;
        lose(&f, f.now - RTT / 2, i % 10 == 9);
        assert_true(cwnd(&f) >= 2 * MTU);
    }
    assert_true(cwnd(&f) == 2 * MTU);
    f.now += RTT;
    for (unsigned i = 0; i < 200; i++)
        full_round(&f);
    assert_true(cwnd(&f) > 10 * MTU); /* it recovers */
}

static void check_persistent_congestion(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 6; i++)
        full_round(&f);
    const uint64_t before = cwnd(&f);

    lose(&f, f.now - RTT, false);
    f.now += RTT / 2;
    lose(&f, f.now - RTT, true); /* within the same round trip: it counts all the same */
    assert_true(cwnd(&f) == 2 * MTU);
    for (unsigned i = 0; i < 3; i++) {
        f.now += f.rtt;
        full_round(&f);
    }
    assert_true(cwnd(&f) >= 12 * MTU); /* slow start up to the half or so of what it had */
    assert_true(cwnd(&f) < before);
}

/* What is found lost later of the same outage does not count again. */
static void check_outage_counts_once(const struct tvl_cc_ops *ops)
{
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 6; i++)
        full_round(&f);
    const tvl_time sent_at = f.now - RTT;

    f.now += 10 * RTT;
    lose(&f, sent_at, true);
    for (unsigned i = 0; i < 2; i++)
        full_round(&f);
    const uint64_t before = cwnd(&f);

    lose(&f, sent_at - 1000, true);
    lose(&f, sent_at - 2000, false);
    assert_true(cwnd(&f) == before);
    for (unsigned i = 0; i < 3; i++)
        full_round(&f);
    assert_true(cwnd(&f) >= 30 * MTU); /* still slow start */
}

static void check_random_life(const struct tvl_cc_ops *ops)
{
    uint64_t x = 2463534242u;
    struct flow f;

    begin(&f, ops);
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        f.now += x % 20000;
        f.rtt = 1 + x % 400000;
        const tvl_time sent_at = f.now > f.rtt ? f.now - f.rtt : 0;
        const uint64_t before = cwnd(&f);

        if (x % 97 == 0) {
            lose(&f, sent_at, x % 3 == 0);
            assert_true(cwnd(&f) <= before || !by_loss(ops));
        } else {
            ack(&f, 1 + x % (10 * MTU), sent_at, x % 5 == 0);
            /* Compound gives its delay window back when a queue grows */
            assert_true(cwnd(&f) >= before || before < 2 * MTU || !by_loss(ops) ||
                        is(ops, "compound"));
            /* a model may take back a window it had given up for a probe, at once */
            assert_true(cwnd(&f) <= before + (is(ops, "hybla") ? 80 : 10) * MTU + before / 2 ||
                        !by_loss(ops));
        }
        assert_true(cwnd(&f) >= 2 * MTU);
    }
}

static void start(void **state)
{
    (void)state;
    each(check_start);
    assert_null(tvl_cc_find("reno-vegas"));
}

static void one_reduction_per_round_trip(void **state)
{
    (void)state;
    each_by_loss(check_one_reduction_per_round_trip);
}

static void recovery_does_not_grow(void **state)
{
    (void)state;
    each_by_loss(check_recovery_does_not_grow);
}

static void app_limited_does_not_grow(void **state)
{
    (void)state;
    each_by_loss(check_app_limited_does_not_grow);
}

static void never_below_two_datagrams(void **state)
{
    (void)state;
    each_by_loss(check_never_below_two_datagrams);
}

static void persistent_congestion(void **state)
{
    (void)state;
    each_by_loss(check_persistent_congestion);
}

static void outage_counts_once(void **state)
{
    (void)state;
    each_by_loss(check_outage_counts_once);
}

static void random_life(void **state)
{
    (void)state;
    each(check_random_life);
}

/* ---- NewReno ---- */

static void newreno_halves_and_adds(void **state)
{
    struct flow f;

    (void)state;
    begin(&f, tvl_cc_find("newreno"));
    for (unsigned i = 0; i < 4; i++)
        full_round(&f);
    const uint64_t before = cwnd(&f);

    lose(&f, f.now - RTT, false);
    assert_int_equal(cwnd(&f), before / 2);
    f.now += RTT + 1;
    const uint64_t halved = cwnd(&f);

    for (unsigned i = 0; i < 20; i++) {
        f.now += 1;
        full_round(&f);
    }
    assert_in_range(cwnd(&f), halved + 18 * MTU, halved + 21 * MTU);
}

/* ---- CUBIC ---- */

/* A flow that lost at `segments` and is through with recovery; t = 0 is its next acknowledgement.
 */
static void cubic_after_loss(struct flow *f, uint64_t segments)
{
    begin(f, tvl_cc_find("cubic"));
    while (cwnd(f) < segments * MTU)
        ack(f, MTU, f->now - RTT, false);
    f->now += 2 * RTT;
    lose(f, f->now - RTT, false);
    f->now += RTT + 1;
}

static void cubic_follows_the_formula(void **state)
{
    enum { SEGMENTS = 1000 };
    struct flow f;

    (void)state;
    cubic_after_loss(&f, SEGMENTS);
    assert_true(fabs((double)cwnd(&f) / MTU - 0.7 * SEGMENTS) < 2);
    const double w_max = SEGMENTS, k = cbrt(w_max * 0.3 / 0.4); /* RFC 9438 4.2: 9.09 s */
    const tvl_time epoch = f.now;

    for (unsigned i = 0; i < 400; i++) {
        full_round(&f);
        const double t = (double)(f.now - epoch) / 1e6;
        const double want = 0.4 * pow(t - k, 3) + w_max; /* datagrams */
        const double got = (double)cwnd(&f) / MTU;

        if (t > 0.5 && fabs(got - want) > 0.02 * want)
            fail_msg("%.2f s: window %.1f, formula %.1f", t, got, want);
    }
    assert_true(f.now - epoch > 18000000);
    assert_true(cwnd(&f) > SEGMENTS * MTU); /* past the plateau */
}

static void cubic_is_no_slower_than_reno(void **state)
{
    enum { SEGMENTS = 20 };
    struct flow f;

    (void)state;
    cubic_after_loss(&f, SEGMENTS); /* a small window and a short RTT: Reno's region */
    f.rtt = 5000;
    double reno = 0.7 * SEGMENTS;

    for (unsigned i = 0; i < 100; i++) {
        reno += reno < SEGMENTS ? 3 * 0.3 / 1.7 : 1;
        full_round(&f);
    }
    const double got = (double)cwnd(&f) / MTU;

    if (got < 0.9 * reno || got > 1.15 * reno)
        fail_msg("window %.1f, Reno's %.1f", got, reno);
}

static void cubic_converges_fast(void **state)
{
    struct flow f;

    (void)state;
    cubic_after_loss(&f, 1000);
    /* it loses again below its maximum: the next one is 0.85 of where it was, not all of it */
    lose(&f, f.now, false);
    const uint64_t w = cwnd(&f);
    const double k_slow = cbrt(700 * 0.3 / 0.4), k_fast = cbrt((700 * 0.85 - 490) / 0.4);

    assert_true(fabs((double)w / MTU - 490) < 2);
    f.now += RTT + 1;
    const tvl_time epoch = f.now;

    while (f.now < epoch + 6000000)
        full_round(&f);
    const double t = (double)(f.now - epoch) / 1e6;
    const double want = 0.4 * pow(t - k_fast, 3) + 700 * 0.85;

    assert_true(k_fast < k_slow);
    assert_true(fabs((double)cwnd(&f) / MTU - want) < 0.03 * want);
}

static void hystart_leaves_slow_start_before_loss(void **state)
{
    struct flow f;
    uint64_t left_at = 0;

    (void)state;
    begin(&f, tvl_cc_find("cubic"));
    for (unsigned i = 0; i < 30; i++) {
        const uint64_t before = cwnd(&f);

        /* a link that holds 100 datagrams per 50 ms: above that the queue grows */
        f.rtt = before > 100 * MTU ? RTT * before / (100 * MTU) : RTT;
        full_round(&f);
        if (left_at == 0 && cwnd(&f) < before + before / 8)
            left_at = before;
    }
    assert_in_range(left_at, 100 * MTU, 1000 * MTU);
    /* five rounds at a quarter: about 1.25^5 above where the delay was seen, then cubic */
    assert_true(cwnd(&f) < 2500 * MTU);
}

static void hystart_ignores_jitter(void **state)
{
    struct flow f;

    (void)state;
    begin(&f, tvl_cc_find("cubic"));
    for (unsigned i = 0; i < 6; i++) {
        f.rtt = i == 3 ? RTT + RTT / 2 : RTT; /* one round is slow */
        full_round(&f);
    }
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t before = cwnd(&f);

        full_round(&f);
        assert_true(cwnd(&f) >= before + 3 * before / 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start),
        cmocka_unit_test(one_reduction_per_round_trip),
        cmocka_unit_test(recovery_does_not_grow),
        cmocka_unit_test(app_limited_does_not_grow),
        cmocka_unit_test(never_below_two_datagrams),
        cmocka_unit_test(persistent_congestion),
        cmocka_unit_test(outage_counts_once),
        cmocka_unit_test(random_life),
        cmocka_unit_test(newreno_halves_and_adds),
        cmocka_unit_test(cubic_follows_the_formula),
        cmocka_unit_test(cubic_is_no_slower_than_reno),
        cmocka_unit_test(cubic_converges_fast),
        cmocka_unit_test(hystart_leaves_slow_start_before_loss),
        cmocka_unit_test(hystart_ignores_jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
