/*
 * test_couple.c - what couplings owe their paths (loops over tvl_couple_all), and each against its
 * formula.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>
#include <tvl/cc.h>

#define KB 1000u

static void assert_near(double is, double wanted)
{
    if (fabs(is - wanted) > 1e-9)
        fail_msg("%g instead of %g", is, wanted);
}

static struct tvl_couple_path path(uint64_t cwnd, tvl_time rtt, uint64_t between)
{
    return (struct tvl_couple_path){ .cwnd = cwnd, .rtt = rtt, .between = between };
}

/* n equal paths grow by 1/n^2 each: by NewReno's law n windows of 1/n. */
static void equal_paths_take_one_share(void **state)
{
    (void)state;
    for (size_t i = 0; tvl_couple_all[i]; i++)
        for (size_t n = 2; n <= TVL_PATHS_MAX; n++) {
            struct tvl_couple_path p[TVL_PATHS_MAX];

            for (size_t k = 0; k < n; k++)
                p[k] = path(50 * KB, 40000, 900 * KB);
            tvl_couple_all[i]->couple(p, n);
            for (size_t k = 0; k < n; k++) {
                assert_near(p[k].growth, 1.0 / (double)(n * n));
                assert_near(p[k].harsher, 0);
            }
        }
}

static void factors_stay_in_range(void **state)
{
    static const uint64_t windows[] = { 1, 2400, 100 * KB, 10000 * KB };
    static const tvl_time rtts[] = { 1, 10000, 600000 };

    (void)state;
    for (size_t i = 0; tvl_couple_all[i]; i++)
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 3; b++)
                for (size_t l = 0; l < 2; l++) {
                    struct tvl_couple_path p[] = { path(windows[a], rtts[b], l * 5000 * KB),
                                                   path(30 * KB, 50000, 200 * KB) };

                    tvl_couple_all[i]->couple(p, 2);
                    for (size_t k = 0; k < 2; k++) {
                        assert_true(p[k].growth >= 0 && p[k].growth <= 1);
                        assert_true(p[k].harsher >= 0 && p[k].harsher <= 0.5);
                    }
                }
}

static void formulas(void **state)
{
    struct tvl_couple_path p[] = { path(60 * KB, 20000, 10), path(40 * KB, 40000, 10) };
    const double x0 = 3, x1 = 1, sum = x0 + x1; /* bytes/us */

    (void)state;
    tvl_couple_find("lia")->couple(p, 2);
    assert_near(p[0].growth, 60000 * (60000 / 4e8) / (sum * sum));
    assert_near(p[1].growth, 40000 * (60000 / 4e8) / (sum * sum));
    tvl_couple_find("olia")->couple(p, 2);
    assert_near(p[0].growth, 9 / 16.0);
    assert_near(p[1].growth, 1 / 16.0);
    tvl_couple_find("balia")->couple(p, 2);
    assert_near(p[0].growth, 9 / 16.0);
    assert_near(p[0].harsher, 0);
    assert_near(p[1].growth, 1 / 16.0 * (1 + 3) / 2 * (4 + 3) / 5);
    assert_near(p[1].harsher, 0.5);
    assert_null(tvl_couple_find("reno"));
}

/* The smaller window loses more rarely: traffic moves there. */
static void olia_moves_to_the_best(void **state)
{
    struct tvl_couple_path p[] = { path(60 * KB, 20000, 100 * KB), path(40 * KB, 20000, 50 * KB) };

    (void)state;
    p[1].since = 900 * KB;
    tvl_couple_find("olia")->couple(p, 2);
    assert_near(p[0].growth, 0); /* 0.36 - 1/2 */
    assert_near(p[1].growth, 0.16 + 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_paths_take_one_share),
        cmocka_unit_test(factors_stay_in_range),
        cmocka_unit_test(formulas),
        cmocka_unit_test(olia_moves_to_the_best),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
