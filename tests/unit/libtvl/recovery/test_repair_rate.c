/* test_repair_rate.c - how many symbols, against the binomial and against a simulated channel. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "repair_rate.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Probability that of `n` independent packets more than `most` are lost. */
static double beyond(unsigned n, unsigned most, double loss)
{
    double p = 0;

    for (unsigned k = 0; k <= most; k++)
        p += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(loss) +
                 (n - k) * log(1 - loss));
    return 1 - p;
}

static void as_few_as_the_binomial_asks_for(void **state)
{
    static const double losses[] = { 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2 };
    static const unsigned blocks[] = { 1, 2, 5, 10, 20, 40, 64 };

    (void)state;
    for (size_t i = 0; i < COUNT(losses); i++)
        for (size_t j = 0; j < COUNT(blocks); j++) {
            const struct tvl_repair_leg leg = { blocks[j], losses[i], 1 / (1 - losses[i]) };
            const unsigned n = tvl_repair_symbols(&leg, 1, 0, 32);

            assert_true(n == 32 || beyond(blocks[j] + n, n, losses[i]) <= TVL_REPAIR_TARGET);
            assert_true(n == 0 || beyond(blocks[j] + n - 1, n - 1, losses[i]) > TVL_REPAIR_TARGET);
        }
}

struct channel {
    double loss, burst;
    bool bad;
    uint64_t seed;
};

static double dice(struct channel *c)
{
    c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(c->seed >> 11) / (double)(UINT64_C(1) << 53);
}

static bool loses(struct channel *c)
{
    const double leave = 1 / c->burst, enter = c->loss * leave / (1 - c->loss);

    c->bad = c->bad ? dice(c) >= leave : dice(c) < enter;
    return c->bad;
}

/* Blocks over a channel that loses in bursts: as many fail as was aimed at, or fewer. */
static void bursts(void **state)
{
    static const double burst[] = { 1.5, 3, 6 };
    unsigned before = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(burst); i++) {
        const struct tvl_repair_leg leg = { 30, 0.02, burst[i] };
        const unsigned n = tvl_repair_symbols(&leg, 1, 0, 32);
        struct channel c = { leg.loss, leg.burst, false, 7 };
        unsigned failed = 0;

        for (unsigned round = 0; round < 50000; round++) {
            unsigned lost = 0;

            for (unsigned k = 0; k < 30 + n; k++)
                lost += loses(&c);
            failed += lost > n;
            for (unsigned k = 0; k < 100; k++) /* blocks do not share bursts */
                (void)loses(&c);
        }
        assert_true(failed < 50000 * TVL_REPAIR_TARGET * 1.5);
        assert_true(n > before); /* longer bursts want more */
        before = n;
    }
}

/* Symbols on a path that loses nothing are better than on the one that loses. */
static void another_path(void **state)
{
    const struct tvl_repair_leg leg[2] = { { 20, 0.05, 4 }, { 0, 1e-4, 1 } };
    const unsigned same = tvl_repair_symbols(leg, 2, 0, 32),
                   other = tvl_repair_symbols(leg, 2, 1, 32);

    (void)state;
    assert_true(other < same);
    assert_int_equal(tvl_repair_symbols(leg, 2, 0, 3), 3);
}

static void what_is_not_known(void **state)
{
    struct tvl_repair_leg leg = { 20, tvl_repair_loss(0, 0), 1 };

    (void)state;
    assert_in_range(tvl_repair_symbols(&leg, 1, 0, 10), 1, 2);
    leg.loss = tvl_repair_loss(1000, 0);
    assert_int_equal(tvl_repair_symbols(&leg, 1, 0, 10), 1);
    leg.loss = tvl_repair_loss(1000, 1);
    assert_int_equal(tvl_repair_symbols(&leg, 1, 0, 10), 1);
    leg.loss = tvl_repair_loss(3000, 0);
    assert_int_equal(tvl_repair_symbols(&leg, 1, 0, 10), 0);
    leg.loss = 1;
    assert_int_equal(tvl_repair_symbols(&leg, 1, 0, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_few_as_the_binomial_asks_for),
        cmocka_unit_test(bursts),
        cmocka_unit_test(another_path),
        cmocka_unit_test(what_is_not_known),
    };
    return cmocka_run_group_tests_name("repair_rate", tests, NULL, NULL);
}
