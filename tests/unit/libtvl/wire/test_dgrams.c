/* test_dgrams.c - the queues of unreliable datagrams: order, bounds, expiry, counts. */
#include "unit.h"

#include "dgrams.h"

static int put(struct tvl_dgrams *d, uint8_t name, tvl_time deadline)
{
    return tvl_dgrams_write(d, &name, 1, deadline);
}

static uint8_t take(struct tvl_dgrams *d)
{
    const struct tvl_dgram *g = tvl_dgrams_first(d);
    const uint8_t name = g ? g->bytes[0] : 0;

    if (g)
        tvl_dgrams_left(d);
    return name;
}

static void the_earliest_deadline_leaves_first(void **state)
{
    (void)state;
    struct tvl_dgrams d = { .sent = 0 };
    static const char order[] = "efbcgadh";

    put(&d, 'a', TVL_TIME_NEVER);
    put(&d, 'b', 50);
    put(&d, 'c', 50);
    put(&d, 'd', TVL_TIME_NEVER);
    put(&d, 'e', 10);
    put(&d, 'f', 20);
    put(&d, 'g', 60);
    put(&d, 'h', TVL_TIME_NEVER);
    assert_int_equal(tvl_dgrams_next_deadline(&d), 10);
    for (const char *c = order; *c; c++)
        assert_int_equal(take(&d), *c);
    assert_null(tvl_dgrams_first(&d));
    assert_int_equal(d.sent, 8);
    put(&d, 'i', 5); /* the queue is usable after it was empty */
    put(&d, 'j', TVL_TIME_NEVER);
    assert_int_equal(take(&d), 'i');
    assert_int_equal(take(&d), 'j');
    tvl_dgrams_fini(&d);
}

static void what_is_late_is_dropped_and_counted(void **state)
{
    (void)state;
    struct tvl_dgrams d = { .sent = 0 };

    put(&d, 'a', 100);
    put(&d, 'b', 200);
    put(&d, 'c', TVL_TIME_NEVER);
    tvl_dgrams_tick(&d, 99);
    assert_int_equal(d.expired, 0);
    tvl_dgrams_tick(&d, 100);
    assert_int_equal(d.expired, 1);
    assert_int_equal(tvl_dgrams_next_deadline(&d), 200);
    tvl_dgrams_tick(&d, 1000);
    assert_int_equal(d.expired, 2);
    assert_int_equal(tvl_dgrams_next_deadline(&d), TVL_TIME_NEVER);
    assert_int_equal(take(&d), 'c');
    tvl_dgrams_fini(&d);
}

static void both_queues_are_bounded(void **state)
{
    (void)state;
    static uint8_t big[TVL_DGRAMS_BYTES_MAX];
    struct tvl_dgrams d = { .sent = 0 };

    for (unsigned i = 0; i < TVL_DGRAMS_MAX; i++)
        assert_int_equal(put(&d, 1, 5), 0);
    assert_int_equal(put(&d, 1, 5), TVL_ERR_FULL);
    tvl_dgrams_tick(&d, 5);
    assert_int_equal(d.expired, TVL_DGRAMS_MAX);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(tvl_dgrams_write(&d, big, sizeof big / 4, 5), 0);
    assert_int_equal(put(&d, 1, 5), TVL_ERR_FULL);
    assert_int_equal(d.out.bytes, sizeof big);

    for (unsigned i = 0; i < TVL_DGRAMS_MAX + 3; i++)
        tvl_dgrams_take(&d, (const uint8_t[]){ (uint8_t)i }, 1);
    assert_int_equal(d.received, TVL_DGRAMS_MAX + 3);
    assert_int_equal(d.dropped, 3);
    assert_int_equal(tvl_dgrams_poll(&d)->bytes[0], 3); /* the oldest are gone */
    tvl_dgrams_take(&d, big, sizeof big);               /* one fits in any case */
    assert_int_equal(d.in.count, 1);
    assert_int_equal(tvl_dgrams_poll(&d)->len, sizeof big);
    assert_null(tvl_dgrams_poll(&d));
    tvl_dgrams_fini(&d);
}

static void their_fate_is_counted_once(void **state)
{
    (void)state;
    struct tvl_dgrams d = { .sent = 0 };

    for (unsigned i = 0; i < 4; i++)
        put(&d, 1, TVL_TIME_NEVER);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(&d), 1);
    tvl_dgrams_unfit(&d);
    tvl_dgrams_on_acked(&d, false);
    tvl_dgrams_on_lost(&d);
    tvl_dgrams_on_lost(&d);
    tvl_dgrams_on_acked(&d, true); /* one of the lost was not */
    assert_int_equal(d.sent, 3);
    assert_int_equal(d.acked, 2);
    assert_int_equal(d.lost, 2);
    tvl_dgrams_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_deadline_leaves_first),
        cmocka_unit_test(what_is_late_is_dropped_and_counted),
        cmocka_unit_test(both_queues_are_bounded),
        cmocka_unit_test(their_fate_is_counted_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
