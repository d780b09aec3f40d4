/* test_track_counts.c - what a publisher knows of each track, over connections that come and go. */
#include "track_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The transport's: flow f has f objects in time and 2f expired, none of those above 62. */
int tvl_flow_get_stats(const struct tvl_conn *conn, uint32_t flow, struct tvl_flow_stats *out)
{
    (void)conn;
    if (flow > 62)
        return TVL_ERR_ARG;
    *out = (struct tvl_flow_stats){ .in_time = flow, .expired = 2 * flow };
    return 0;
}

static void a_track_keeps_its_flow(void **state)
{
    struct track_counts c = { .n = 0 };
    (void)state;
    assert_int_equal(1, track_counts_flow(&c, "catalog", false));
    assert_int_equal(2, track_counts_flow(&c, "d0", false));
    assert_int_equal(0, track_counts_flow(&c, "s0t0", true)); /* comes later: its place was free */
    assert_int_equal(3, track_counts_flow(&c, "s1t0", false));
    assert_int_equal(2, track_counts_flow(&c, "d0", false)); /* of a later edition */
    assert_int_equal(4, c.n);
    assert_string_equal("s0t0", c.of[0].name);
}

static void what_is_gone_counts(void **state)
{
    struct track_counts c = { .n = 0 };
    (void)state;
    track_counts_flow(&c, "a", false);
    track_counts_flow(&c, "b", false);
    track_counts_add(&c, NULL);
    track_counts_add(&c, NULL);
    assert_int_equal(2, c.of[1].in_time);
    assert_int_equal(4, c.of[1].expired);
    assert_int_equal(8, c.of[2].expired);
}

static void too_many_share_the_last(void **state)
{
    struct track_counts c = { .n = 0 };
    (void)state;
    for (unsigned i = 1; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%u", i);
        assert_int_equal(i < 63 ? i : 63, track_counts_flow(&c, name, false));
    }
    assert_int_equal(TVL_FLOWS_MAX, c.n);
    track_counts_add(&c, NULL); /* the transport's refusal is none of ours */
    assert_int_equal(62, c.of[62].in_time);
    assert_int_equal(0, c.of[63].in_time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_track_keeps_its_flow),
        cmocka_unit_test(what_is_gone_counts),
        cmocka_unit_test(too_many_share_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
