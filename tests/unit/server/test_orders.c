/* test_orders.c - the letter-box: orders merge, refreshes are rationed, a key picture serves all.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "encoder_orders.h"

#define NOW UINT64_C(5000000)

static void nothing_is_ordered(void **state)
{
    struct encoder_orders o;

    (void)state;
    assert_int_equal(encoder_orders_init(&o, 3), 0);
    const struct encoder_order got = encoder_orders_take(&o, NOW);
    assert_int_equal(got.refresh, -1);
    assert_int_equal(got.n_spatial, 3);
    assert_false(got.rates_changed);
    encoder_orders_fini(&o);
}

static void rates_and_layers(void **state)
{
    struct encoder_orders o;

    (void)state;
    encoder_orders_init(&o, 3);
    encoder_orders_rates(&o, (uint32_t[SVC_SPATIAL_MAX]){ 100, 200, 0, 7 });
    encoder_orders_rates(&o, (uint32_t[SVC_SPATIAL_MAX]){ 0, 300 });
    encoder_orders_top(&o, 0); /* one is the least */
    struct encoder_order got = encoder_orders_take(&o, NOW);
    assert_true(got.rates_changed);
    assert_int_equal(got.bitrate_bps[0], 100);
    assert_int_equal(got.bitrate_bps[1], 300);
    assert_int_equal(got.bitrate_bps[2], 0);
    assert_int_equal(got.bitrate_bps[3], 0); /* there is no such layer */
    assert_int_equal(got.n_spatial, 1);
    encoder_orders_top(&o, 9);
    got = encoder_orders_take(&o, NOW);
    assert_false(got.rates_changed);
    assert_int_equal(got.n_spatial, 3);
    encoder_orders_fini(&o);
}

static void refreshes_are_rationed(void **state)
{
    struct encoder_orders o;

    (void)state;
    encoder_orders_init(&o, 3);
    encoder_orders_refresh(&o, 3, NULL); /* there is none */
    assert_int_equal(encoder_orders_take(&o, NOW).refresh, -1);
    encoder_orders_refresh(&o, 2, NULL);
    encoder_orders_refresh(&o, 1, NULL);
    encoder_orders_refresh(&o, 2, NULL);
    assert_int_equal(encoder_orders_take(&o, NOW).refresh, 1);
    assert_int_equal(encoder_orders_take(&o, NOW).refresh, -1);
    encoder_orders_refresh(&o, 2, NULL); /* layer 2 was refreshed with layer 1: wait */
    assert_int_equal(encoder_orders_take(&o, NOW + ENCODER_REFRESH_APART_US - 1).refresh, -1);
    assert_int_equal(encoder_orders_take(&o, NOW + ENCODER_REFRESH_APART_US).refresh, 2);
    encoder_orders_refresh(&o, 0, NULL); /* another layer's wait is not its own */
    assert_int_equal(encoder_orders_take(&o, NOW + ENCODER_REFRESH_APART_US).refresh, 0);
    for (unsigned i = 0; i < 100; i++)
        encoder_orders_refresh(&o, 0, NULL);
    const uint64_t key = NOW + ENCODER_REFRESH_APART_US;
    assert_int_equal(encoder_orders_take(&o, key + ENCODER_KEY_APART_US - 1).refresh, -1);
    assert_int_equal(encoder_orders_take(&o, key + ENCODER_KEY_APART_US).refresh, 0);
    encoder_orders_fini(&o);
}

static void a_key_picture_serves_all(void **state)
{
    struct encoder_orders o;

    (void)state;
    encoder_orders_init(&o, 3);
    encoder_orders_keyed(&o, NOW);
    encoder_orders_refresh(&o, 0, NULL);
    assert_int_equal(encoder_orders_take(&o, NOW + 1000).refresh, -1);
    encoder_orders_keyed(&o, NOW + 2000);
    assert_int_equal(encoder_orders_take(&o, NOW + 20 * ENCODER_KEY_APART_US).refresh, -1);
    /* Soon after one that nobody asked for there may be another, and then none for longer. */
    const uint64_t own = NOW + 20 * ENCODER_KEY_APART_US;
    encoder_orders_keyed(&o, own);
    encoder_orders_refresh(&o, 0, NULL);
    assert_int_equal(encoder_orders_take(&o, own + ENCODER_KEY_AFTER_US - 1).refresh, -1);
    assert_int_equal(encoder_orders_take(&o, own + ENCODER_KEY_AFTER_US).refresh, 0);
    encoder_orders_keyed(&o, own + ENCODER_KEY_AFTER_US);
    encoder_orders_refresh(&o, 0, NULL);
    assert_int_equal(encoder_orders_take(&o, own + ENCODER_KEY_APART_US).refresh, -1);
    assert_int_equal(
        encoder_orders_take(&o, own + ENCODER_KEY_AFTER_US + ENCODER_KEY_APART_US).refresh, 0);
    encoder_orders_fini(&o);
}

static void what_is_held_is_what_all_hold(void **state)
{
    struct svc_tracker a = { .slot = { [5] = { true, 0, 40 }, [7] = { true, 2, 40 } } };
    struct svc_tracker b = a;
    struct encoder_orders o;

    (void)state;
    b.slot[7].picture = 48;
    encoder_orders_init(&o, 3);
    encoder_orders_refresh(&o, 2, &a);
    encoder_orders_refresh(&o, 2, &b);
    struct encoder_order got = encoder_orders_take(&o, NOW);
    assert_true(got.has_held);
    assert_true(got.held.slot[5].valid);
    assert_false(got.held.slot[7].valid);
    encoder_orders_refresh(&o, 2, &a);
    encoder_orders_refresh(&o, 2, NULL);
    got = encoder_orders_take(&o, 2 * NOW);
    assert_int_equal(got.refresh, 2);
    assert_false(got.has_held);
    encoder_orders_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_ordered),
        cmocka_unit_test(rates_and_layers),
        cmocka_unit_test(refreshes_are_rationed),
        cmocka_unit_test(a_key_picture_serves_all),
        cmocka_unit_test(what_is_held_is_what_all_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
