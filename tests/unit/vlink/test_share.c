/* test_share.c - the fair queue: shares by weight, delays that a flood does not move, bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "share.h"

static char packets[8]; /* their addresses are what is queued */

static bool push(struct vlink_share *s, unsigned tenant, uint32_t bytes)
{
    const struct vlink_share_item item = { .packet = &packets[tenant],
                                           .bytes = bytes,
                                           .tenant = tenant };
    return vlink_share_push(s, &item);
}

/* Serves `n` packets while everybody in `sizes` (0: absent) always has one more; bytes of each. */
static void serve_backlogged(struct vlink_share *s, const uint32_t *sizes, size_t n_tenants,
                             unsigned n, uint64_t *served)
{
    for (unsigned i = 0; i < n; i++) {
        struct vlink_share_item out;
        for (unsigned t = 0; t < n_tenants; t++)
            while (sizes[t] && vlink_share_packets(s, t) < 4)
                assert_true(push(s, t, sizes[t]));
        assert_true(vlink_share_pop(s, &out));
        assert_ptr_equal(out.packet, &packets[out.tenant]);
        served[out.tenant] += out.bytes;
    }
}

static void test_weights(void **state)
{
    (void)state;
    static const struct {
        uint32_t weight[3], bytes[3];
    } cases[] = {
        { { 1, 1, 1 }, { 1500, 1500, 1500 } },
        { { 3, 1, 2 }, { 1500, 1500, 1500 } },
        { { 3, 1, 2 }, { 60, 9000, 700 } }, /* sizes do not matter */
        { { 1000, 1, 10 }, { 1500, 1500, 64 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vlink_share *s = vlink_share_new();
        uint64_t served[3] = { 0 }, all = 0, weights = 0;
        for (size_t t = 0; t < 3; t++) {
            assert_int_equal(vlink_share_join(s, cases[i].weight[t]), t);
            weights += cases[i].weight[t];
        }
        serve_backlogged(s, cases[i].bytes, 3, 200000, served);
        for (size_t t = 0; t < 3; t++)
            all += served[t];
        for (size_t t = 0; t < 3; t++) {
            double share = (double)served[t] / (double)all;
            double fair = (double)cases[i].weight[t] / (double)weights;
            assert_true(share > fair * 0.99 - 1e-4 && share < fair * 1.01 + 1e-4);
        }
        vlink_share_free(s);
    }
}

/* Whoever sends less than its share is served after at most the packet in service and one of each
 * other tenant, whatever they have queued. */
static void test_a_flood_does_not_delay(void **state)
{
    (void)state;
    struct vlink_share *s = vlink_share_new();
    for (unsigned t = 0; t < 4; t++)
        assert_int_equal(vlink_share_join(s, 1), t);
    for (unsigned t = 1; t < 4; t++)
        for (unsigned i = 0; i < 5000; i++)
            assert_true(push(s, t, 1500));
    struct vlink_share_item out;
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 11 + round % 7; i++)
            assert_true(vlink_share_pop(s, &out));
        assert_true(push(s, 0, 200));
        unsigned others = 0;
        for (out.tenant = 9; out.tenant != 0; others += out.tenant != 0)
            assert_true(vlink_share_pop(s, &out));
        assert_true(others <= 3);
    }
    vlink_share_free(s);
}

/* Having been silent earns nothing. */
static void test_no_credit_for_silence(void **state)
{
    (void)state;
    struct vlink_share *s = vlink_share_new();
    uint64_t served[2] = { 0 };
    const uint32_t first[] = { 1000, 0 }, both[] = { 1000, 1000 };
    vlink_share_join(s, 1);
    vlink_share_join(s, 1);
    serve_backlogged(s, first, 2, 10000, served);
    served[0] = served[1] = 0;
    serve_backlogged(s, both, 2, 1000, served);
    assert_true(served[1] >= 499 * 1000 && served[1] <= 502 * 1000);
    vlink_share_free(s);
}

static void test_order_within_a_tenant(void **state)
{
    (void)state;
    struct vlink_share *s = vlink_share_new();
    vlink_share_join(s, 2);
    for (uint32_t i = 1; i <= 100; i++)
        assert_true(push(s, 0, i));
    for (uint32_t i = 1; i <= 100; i++) {
        struct vlink_share_item out;
        assert_true(vlink_share_pop(s, &out));
        assert_int_equal(out.bytes, i);
    }
    vlink_share_free(s);
}

static void test_bounds(void **state)
{
    (void)state;
    struct vlink_share *s = vlink_share_new();
    for (unsigned t = 0; t < VLINK_TENANTS_MAX; t++)
        assert_int_equal(vlink_share_join(s, 1), t);
    assert_int_equal(vlink_share_join(s, 1), -1);
    for (unsigned i = 0; i < VLINK_SHARE_PACKETS_MAX; i++)
        assert_true(push(s, 3, 1));
    assert_false(push(s, 3, 1));
    assert_true(push(s, 4, 1)); /* one that is full is full for itself */
    assert_int_equal(vlink_share_packets(s, 3), VLINK_SHARE_PACKETS_MAX);
    assert_int_equal(vlink_share_bytes_all(s), VLINK_SHARE_PACKETS_MAX + 1);
    struct vlink_share_item out;
    while (vlink_share_pop_of(s, 3, &out))
        assert_int_equal(out.tenant, 3);
    vlink_share_leave(s, 3);
    assert_int_equal(vlink_share_packets_all(s), 1);
    assert_int_equal(vlink_share_join(s, 5), 3);
    assert_true(vlink_share_pop(s, &out) && out.tenant == 4);
    assert_false(vlink_share_pop(s, &out));
    vlink_share_free(s);
}

static void test_what_is_ahead(void **state)
{
    (void)state;
    struct vlink_share *s = vlink_share_new();
    vlink_share_join(s, 1);
    vlink_share_join(s, 3);
    for (unsigned i = 0; i < 100; i++)
        push(s, 1, 1000);
    assert_int_equal(vlink_share_ahead(s, 0), 0); /* a flood of another is not */
    push(s, 0, 1000);
    assert_int_equal(vlink_share_ahead(s, 0), 4000); /* 1000 own, 3000 of the heavier meanwhile */
    for (unsigned i = 0; i < 33; i++)
        push(s, 0, 3000);
    assert_int_equal(vlink_share_ahead(s, 0), 200000); /* no more than it has */
    vlink_share_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_a_flood_does_not_delay),
        cmocka_unit_test(test_no_credit_for_silence),
        cmocka_unit_test(test_order_within_a_tenant),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_what_is_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
