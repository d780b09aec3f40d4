/* test_mtu.c - the search for the largest datagram: paths of every size, black holes, raising. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include "mtu.h"

#define T0 1000000u      /* us */
#define PATIENCE 300000u /* us */

/* Send what is wanted over a path that carries `passes` bytes; how many probes it took. */
static unsigned run(struct tvl_mtu *m, uint32_t passes, tvl_time *now)
{
    unsigned probes = 0;
    uint32_t size;

    while ((size = tvl_mtu_probe(m, *now)) > 0) {
        assert_true(size > m->current && size <= m->max);
        assert_true(++probes < 64);
        tvl_mtu_sent(m, size, *now, PATIENCE);
        assert_int_equal(tvl_mtu_probe(m, *now), 0); /* one at a time */
        if (size <= passes) {
            *now += 20000;
            assert_true(tvl_mtu_acked(m, size, *now));
        } else {
            *now = tvl_mtu_next(m);
            tvl_mtu_tick(m, *now);
        }
    }
    return probes;
}

static void search_ends_below_what_passes(void **state)
{
    static const struct {
        uint32_t max, passes;
        unsigned probes_most;
    } rows[] = {
        { 1472, 1472, 1 }, { 1472, 9000, 1 },  { 1472, 1471, 30 }, { 1472, 1300, 30 },
        { 1452, 1452, 1 }, { 1472, 1200, 30 }, { 1200, 1472, 0 },  { 1000, 1472, 0 },
        { 1210, 1472, 1 }, { 1472, 1216, 30 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t best = rows[i].passes < rows[i].max ? rows[i].passes : rows[i].max;
        struct tvl_mtu m;
        tvl_time now = T0;

        tvl_mtu_init(&m, rows[i].max);
        const unsigned probes = run(&m, rows[i].passes, &now);
        assert_true(probes <= rows[i].probes_most);
        assert_true(m.current >= TVL_MTU_BASE && m.current <= (best > 1200 ? best : 1200));
        assert_true(best <= 1200 || best - m.current <= TVL_MTU_STEP);
        assert_true(tvl_mtu_next(&m) == (m.current == m.max ? TVL_TIME_NEVER : m.raise_at));
    }
}

/* One lost probe is chance; the third says that the size does not pass. */
static void a_lost_probe_is_tried_again(void **state)
{
    struct tvl_mtu m;

    (void)state;
    tvl_mtu_init(&m, 1472);
    for (unsigned i = 0; i < TVL_MTU_TRIES; i++) {
        assert_int_equal(tvl_mtu_probe(&m, T0), 1472);
        tvl_mtu_sent(&m, 1472, T0, PATIENCE);
        tvl_mtu_lost(&m, 1300, T0); /* some other */
        assert_int_equal(tvl_mtu_probe(&m, T0), 0);
        tvl_mtu_lost(&m, 1472, T0);
    }
    assert_int_equal(tvl_mtu_probe(&m, T0), 1336);
    assert_true(tvl_mtu_acked(&m, 1472, T0)); /* it was only late */
    assert_int_equal(m.current, 1472);
    assert_int_equal(m.state, TVL_MTU_COMPLETE);
}

static void raised_again_after_ten_minutes(void **state)
{
    struct tvl_mtu m;
    tvl_time now = T0;

    (void)state;
    tvl_mtu_init(&m, 1472);
    (void)run(&m, 1300, &now);
    const tvl_time at = tvl_mtu_next(&m);
    assert_int_equal(at, now + TVL_MTU_RAISE_TIME);
    tvl_mtu_tick(&m, at - 1);
    assert_int_equal(tvl_mtu_probe(&m, at - 1), 0);
    tvl_mtu_tick(&m, at);
    now = at;
    assert_int_equal(run(&m, 1472, &now), 1);
    assert_int_equal(m.current, 1472);
}

static void a_black_hole_is_left(void **state)
{
    struct tvl_mtu m;
    tvl_time now = T0;

    (void)state;
    tvl_mtu_init(&m, 1472);
    (void)run(&m, 1472, &now);
    tvl_mtu_hole(&m, now);
    assert_int_equal(m.current, TVL_MTU_BASE);
    (void)run(&m, 1400, &now);
    assert_in_range(m.current, 1400 - TVL_MTU_STEP, 1400);
    tvl_mtu_set_max(&m, 1300); /* the path has moved */
    assert_int_equal(m.current, 1300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_ends_below_what_passes),
        cmocka_unit_test(a_lost_probe_is_tried_again),
        cmocka_unit_test(raised_again_after_ten_minutes),
        cmocka_unit_test(a_black_hole_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
