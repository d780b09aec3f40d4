/* test_parts.c - the small parts of links: percentiles of delays, things that wait for their time,
 * the table of a switch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "histogram.h"
#include "hold.h"
#include "macs.h"

#define S 1000000000ull

static void expect_near(uint64_t is, double should)
{
    if (fabs((double)is - should) > 0.035 * should)
        fail_msg("%.0f should be %.0f", (double)is, should);
}

static void test_percentiles(void **state)
{
    (void)state;
    struct vlink_histogram *h = calloc(1, sizeof *h);
    assert_int_equal(vlink_histogram_at(h, 0.5), 0);
    for (uint64_t us = 1; us <= 100000; us++) /* even from 1 us to 100 ms */
        vlink_histogram_add(h, S, us * 1000);
    static const double shares[] = { 0.01, 0.25, 0.5, 0.95, 0.99, 1.0 };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        expect_near(vlink_histogram_at(h, shares[i]), shares[i] * 1e8);
    /* Another delay from now on: seen at once, and what was before is gone after two turns. */
    for (unsigned i = 0; i < 1000; i++)
        vlink_histogram_add(h, 12 * S, 5000);
    expect_near(vlink_histogram_at(h, 0.99), 0.99 * 1e8);
    for (unsigned i = 0; i < 1000; i++)
        vlink_histogram_add(h, 23 * S, 7000);
    expect_near(vlink_histogram_at(h, 0.25), 5000);
    expect_near(vlink_histogram_at(h, 0.99), 7000);
    vlink_histogram_add(h, 1000 * S, UINT64_MAX); /* out of range: the last bucket */
    vlink_histogram_add(h, 1000 * S, 0);
    assert_true(vlink_histogram_at(h, 1.0) > 200 * S && vlink_histogram_at(h, 0.1) < 1100);
    free(h);
}

static void test_hold(void **state)
{
    (void)state;
    static char things[VLINK_HOLD_MAX + 1];
    struct vlink_hold h = { 0 };
    assert_true(vlink_hold_next(&h) == VLINK_NEVER && !vlink_hold_take(&h, S));
    for (size_t i = 0; i < VLINK_HOLD_MAX; i++)
        assert_true(vlink_hold_put(&h, i * 7919 % 64, &things[i]));
    assert_false(vlink_hold_put(&h, 0, &things[VLINK_HOLD_MAX]));
    vlink_time last = 0;
    size_t last_index = 0;
    for (size_t n = 0; n < VLINK_HOLD_MAX; n++) {
        vlink_time at = vlink_hold_next(&h);
        assert_null(at ? vlink_hold_take(&h, at - 1) : NULL);
        const char *thing = vlink_hold_take(&h, at);
        assert_non_null(thing);
        size_t i = (size_t)(thing - things);
        assert_true(at > last || (at == last && (n == 0 || i > last_index))); /* equal: in order */
        assert_int_equal(at, i * 7919 % 64);
        last = at;
        last_index = i;
    }
    assert_int_equal(vlink_hold_next(&h), VLINK_NEVER);
    vlink_hold_fini(&h);
}

static void mac_of(uint32_t n, uint8_t mac[6])
{
    mac[0] = 2;
    mac[1] = 0;
    for (size_t i = 0; i < 4; i++)
        mac[5 - i] = (uint8_t)(n >> 8 * i);
}

static void test_macs(void **state)
{
    (void)state;
    struct vlink_macs *m = calloc(1, sizeof *m);
    uint8_t a[6], b[6] = { 0 };
    mac_of(1, a);
    assert_int_equal(vlink_macs_find(m, a, S), -1);
    vlink_macs_learn(m, a, 3, S);
    assert_int_equal(vlink_macs_find(m, a, 2 * S), 3);
    vlink_macs_learn(m, a, 4, 2 * S);
    assert_int_equal(vlink_macs_find(m, a, 2 * S), 4);
    assert_int_equal(vlink_macs_find(m, a, 2 * S + VLINK_MACS_AGE_NS + 1), -1);
    vlink_macs_learn(m, b, 5, S); /* nobody's, and a group's, are not learnt */
    assert_int_equal(vlink_macs_find(m, b, S), -1);
    b[0] = 1;
    vlink_macs_learn(m, b, 5, S);
    assert_int_equal(vlink_macs_find(m, b, S), -1);
    /* A flood of addresses takes room, but no more than there is, and the newest are known. */
    for (uint32_t n = 0; n < 100000; n++) {
        mac_of(n, b);
        vlink_macs_learn(m, b, n % 7, 3 * S + n);
    }
    assert_int_equal(vlink_macs_find(m, b, 4 * S), 99999 % 7);
    unsigned known = 0;
    for (uint32_t n = 0; n < 100000; n++) {
        mac_of(n, b);
        int port = vlink_macs_find(m, b, 4 * S);
        assert_true(port == -1 || port == (int)(n % 7));
        known += port >= 0;
    }
    assert_true(known > 500 && known <= VLINK_MACS_SETS * VLINK_MACS_WAYS);
    vlink_macs_forget(m, 99999 % 7);
    assert_int_equal(vlink_macs_find(m, b, 4 * S), -1);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_macs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
