/* test_predict.c - the formulas of tvl_predict() against values computed by hand from the papers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <tvl/select.h>

#include "predict.h"

#define DATAGRAM 1250u /* 10,000 bits */

static void expect_near(double is, double should, double share)
{
    if (!(fabs(is - should) <= share * should))
        fail_msg("%.6g, not %.6g", is, should);
}

/* Each W worked out with a pocket calculator from the equation named in predict.c. */
static void response_functions(void **state)
{
    static const struct row {
        const char *cc;
        double p;
        tvl_time rtt, rtt_min;
        double window;
    } rows[] = {
        /* 1 / (sqrt(0.02 / 3) + 12 sqrt(0.00375) 0.01 (1 + 0.0032)) = 1 / (0.08165 + 0.00737) */
        { "newreno", 0.01, 100000, 100000, 11.233 },
        { "newreno", 0.0001, 600000, 600000, 122.36 },
        /* 1.054 (0.1 / 0.0001)^0.75 = 1.054 * 177.83; Reno's 122.36 adds 5 % */
        { "cubic", 0.0001, 100000, 100000, 196.45 },
        /* 1.054 (0.6 / 0.00001)^0.75 = 1.054 * 3833.7 */
        { "cubic", 0.00001, 600000, 600000, 4040.8 },
        /* peak (0.125 * 1.25 * 10000 / (1 - 2^-1.25))^0.8 = 562.7; (1 - 2^-0.25) 4.870 / 0.03125 =
         * 24.80 round trips for 10000 packets */
        { "compound", 0.0001, 50000, 50000, 403.3 },
        { "compound", 0.01, 50000, 50000, 11.233 },
        /* sqrt(0.999 * 0.1 / (0.001 * 0.01)) */
        { "westwood", 0.001, 100000, 90000, 99.95 },
        /* sqrt(4500); with 30 of them queued sqrt(750) */
        { "veno", 0.001, 50000, 50000, 67.08 },
        { "veno", 0.001, 90000, 50000, 27.39 },
        /* 24 times NewReno's */
        { "hybla", 0.0001, 600000, 600000, 24 * 122.36 },
        { "hybla", 0.0001, 20000, 20000, 122.36 },
        { "prague", 0.0001, 50000, 50000, 122.36 },
        /* 2 / p over 1 - exp(-2.23): a round trip without a mark has no cut */
        { "prague-marks", 0.01, 50000, 50000, 200 / 0.8925 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tvl_response_path path = { rows[i].p, rows[i].rtt, rows[i].rtt_min };

        expect_near(tvl_response_window(rows[i].cc, &path), rows[i].window, 0.01);
    }
    const struct tvl_response_path path = { 0.01, 50000, 50000 };

    assert_true(isinf(tvl_response_window("bbr", &path)));
    assert_true(isinf(tvl_response_window("copa", &path)));
    assert_true(tvl_response_window("reno-vegas", &path) < 0);
}

static struct tvl_prediction predict(const char *cc, const struct tvl_path_model *m)
{
    struct tvl_prediction p;

    assert_int_equal(tvl_predict(cc, m, DATAGRAM, &p), 0);
    assert_non_null(p.formula);
    assert_true(p.rate_bps <= m->capacity_bps);
    return p;
}

/* Appenzeller et al.: a halved window fills 3/4 of a path without a buffer, all of it with one of a
 * round trip; then the queue is between none and full. */
static void drop_tail(void **state)
{
    struct tvl_path_model m = { .capacity_bps = 20000000, .rtt_min = 40000, .rtt = 40000 };

    (void)state;
    m.buffer = 1;
    expect_near((double)predict("newreno", &m).rate_bps, 0.75 * 20e6, 0.01);
    /* cubic's mean window: 1 - 0.3 / 4 of its peak */
    expect_near((double)predict("cubic", &m).rate_bps, 0.925 * 20e6, 0.01);
    /* Westwood+ leaves what was delivered, not a half */
    expect_near((double)predict("westwood", &m).rate_bps, 20e6, 0.01);
    m.buffer = m.rtt_min;
    expect_near((double)predict("newreno", &m).rate_bps, 20e6, 0.01);
    /* from 1 to 2 in proportion to the round trip: (8/3 - 2 - 1/3 + 1/2) / (3/2) = 5/9 */
    expect_near((double)predict("newreno", &m).queue, 40000 * 5.0 / 9, 0.02);
    assert_true(predict("cubic", &m).queue > predict("newreno", &m).queue);
}

static void random_losses(void **state)
{
    struct tvl_path_model m = { .capacity_bps = 100000000,
                                .rtt_min = 100000,
                                .rtt = 100000,
                                .buffer = 50000,
                                .loss = 0.01,
                                .loss_congestive = 0 };

    (void)state;
    /* 11.23 datagrams of 10,000 bits in 0.1 s */
    expect_near((double)predict("newreno", &m).rate_bps, 1123300 * 0.99, 0.01);
    assert_int_equal(predict("newreno", &m).queue, 0);
    expect_near((double)predict("bbr", &m).rate_bps, 99e6, 0.001);
    expect_near((double)predict("copa", &m).rate_bps, 99e6, 0.001);
    m.loss = 0.04; /* in fours: as many events */
    m.loss_burst = 4;
    expect_near((double)predict("newreno", &m).rate_bps, 1123300 * 0.99, 0.03);
    m.loss = 0.01;
    m.loss_burst = 1;
    m.loss_congestive = 1; /* those of a full buffer come with the filling, not from the path */
    assert_true(predict("newreno", &m).rate_bps > 90000000);
    m.loss_congestive = 0;
    m.loss = 0.05;
    assert_true(predict("bbr", &m).rate_bps < 50000000);
}

static void models(void **state)
{
    struct tvl_path_model m = {
        .capacity_bps = 20000000, .rtt_min = 40000, .rtt = 40000, .buffer = 500000
    };

    (void)state;
    /* 2.5 datagrams of 0.5 ms */
    expect_near((double)predict("copa", &m).queue, 1250, 0.01);
    assert_in_range(predict("scream", &m).queue, 20000, 30000);
    assert_true(predict("cubic", &m).queue > 200000);
    m.marked = 0.01;
    m.ecn = true;
    assert_int_equal(predict("prague", &m).queue, 1000);
    assert_int_equal(predict("prague", &m).rate_bps, 20000000);
}

static void errors(void **state)
{
    struct tvl_path_model m = { .capacity_bps = 1 };
    struct tvl_prediction p;

    (void)state;
    assert_int_equal(tvl_predict("cubic", &m, DATAGRAM, &p), TVL_ERR_STATE);
    m.rtt_min = 1;
    assert_int_equal(tvl_predict("reno-vegas", &m, DATAGRAM, &p), TVL_ERR_ARG);
    assert_int_equal(tvl_predict("prague-marks", &m, DATAGRAM, &p), TVL_ERR_ARG);
}

/* Every controller, on models from one end to the other: finite, and within the capacity. */
static void everything_is_finite(void **state)
{
    static const uint64_t rates[] = { 1000, 30000, 1000000, 1000000000000 };
    static const tvl_time times[] = { 1, 1000, 100000, 10000000 };
    static const double shares[] = { 0, 1e-7, 0.01, 0.5, 1 };

    (void)state;
    for (size_t c = 0; tvl_cc_all[c]; c++)
        for (size_t i = 0; i < 4 * 4 * 4 * 5 * 5; i++) {
            const struct tvl_path_model m = { .capacity_bps = rates[i % 4],
                                              .rtt_min = times[i / 4 % 4],
                                              .buffer = times[i / 16 % 4] - 1,
                                              .jitter = times[(i + 1) / 4 % 4],
                                              .loss = shares[i / 64 % 5],
                                              .loss_congestive = shares[i / 320] };

            assert_true(predict(tvl_cc_all[c]->name, &m).queue < 3600000000u);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_functions),
        cmocka_unit_test(drop_tail),
        cmocka_unit_test(random_losses),
        cmocka_unit_test(models),
        cmocka_unit_test(errors),
        cmocka_unit_test(everything_is_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
