/* test_ecn.c - which reports of the peer make a path fit for ECN, and which end it: RFC
 * 9000 13.4.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ecn.h"

/* A path on which `n` marked packets have left. */
static void begin(struct tvl_ecn *e, struct tvl_ecn_space *s, unsigned n)
{
    *s = (struct tvl_ecn_space){ .ect0 = 0 };
    tvl_ecn_init(e, true);
    for (unsigned i = 0; i < n; i++) {
        tvl_ecn_latch(e);
        assert_true(e->on);
        tvl_ecn_sent(e, s, TVL_ECN_ECT0);
    }
}

static void reports(void **state)
{
    static const struct {
        const char *what;
        struct tvl_ecn_ack first, second; /* second.ect0 UINT64_MAX: there is none */
        enum tvl_ecn_state then;
        unsigned ce_told;
    } rows[] = {
#define NO_MORE { .ect0 = UINT64_MAX }
        { "all marks arrive", { true, { 5, 0, 0 }, 5, 0 }, NO_MORE, TVL_ECN_CAPABLE, 0 },
        { "one is CE", { true, { 4, 0, 1 }, 5, 0 }, NO_MORE, TVL_ECN_CAPABLE, 1 },
        { "all are CE", { true, { 0, 0, 5 }, 5, 0 }, NO_MORE, TVL_ECN_CAPABLE, 5 },
        { "a peer that does not look", { false, { 0, 0, 0 }, 5, 0 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "marks are cleared", { true, { 2, 0, 0 }, 5, 0 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "marks become ECT(1)", { true, { 0, 5, 0 }, 5, 0 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "more than was sent", { true, { 11, 0, 0 }, 5, 0 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "the ACK before was lost", { true, { 8, 0, 0 }, 5, 0 }, NO_MORE, TVL_ECN_CAPABLE, 0 },
        { "it goes on well",
          { true, { 5, 0, 0 }, 5, 0 },
          { true, { 8, 0, 2 }, 5, 0 },
          TVL_ECN_CAPABLE,
          2 },
        { "the same CE count is no news",
          { true, { 4, 0, 1 }, 5, 0 },
          { true, { 9, 0, 1 }, 5, 0 },
          TVL_ECN_CAPABLE,
          1 },
        { "counts stop",
          { true, { 5, 0, 0 }, 5, 0 },
          { false, { 0, 0, 0 }, 5, 0 },
          TVL_ECN_FAILED,
          0 },
        { "counts fall",
          { true, { 5, 0, 0 }, 5, 0 },
          { true, { 4, 0, 9 }, 0, 0 },
          TVL_ECN_FAILED,
          0 },
        { "nothing marked, nothing counted",
          { false, { 0, 0, 0 }, 0, 0 },
          NO_MORE,
          TVL_ECN_WAITING,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tvl_ecn_space s;
        struct tvl_ecn e;
        uint64_t ce;

        begin(&e, &s, 10);
        ce = tvl_ecn_on_ack(&e, &s, &rows[i].first);
        if (rows[i].second.ect0 != UINT64_MAX)
            ce += tvl_ecn_on_ack(&e, &s, &rows[i].second);
        if (e.state != rows[i].then || ce != rows[i].ce_told)
            fail_msg("%s: %s, %u", rows[i].what, tvl_ecn_name(e.state), (unsigned)ce);
        tvl_ecn_latch(&e);
        assert_int_equal(e.on, rows[i].then == TVL_ECN_CAPABLE ? TVL_ECN_ECT0 : 0);
    }
}

static void the_test_is_short(void **state)
{
    struct tvl_ecn_space s;
    struct tvl_ecn e;

    (void)state;
    begin(&e, &s, TVL_ECN_TEST_PACKETS);
    tvl_ecn_latch(&e);
    assert_false(e.on);
    for (unsigned i = 0; i < TVL_ECN_TEST_PACKETS; i++) {
        assert_int_equal(e.state, TVL_ECN_WAITING);
        tvl_ecn_lost(&e);
    }
    assert_int_equal(e.state, TVL_ECN_FAILED); /* marked packets do not arrive */

    begin(&e, &s, 3);
    tvl_ecn_on_pto(&e, 1);
    assert_int_equal(e.state, TVL_ECN_TESTING);
    tvl_ecn_on_pto(&e, TVL_ECN_DOUBT_PTO); /* a probe without a mark may get through */
    tvl_ecn_latch(&e);
    assert_false(e.on);

    tvl_ecn_init(&e, false);
    tvl_ecn_latch(&e);
    assert_false(e.on);
}

/* A controller of L4S takes over: ECT(1) is tested anew, while acknowledgements of what was sent
 * before still come in. */
static void another_code(void **state)
{
    const struct tvl_ecn_ack before = { true, { 3, 0, 0 }, 3, 0 };
    const struct tvl_ecn_ack both = { true, { 5, 4, 1 }, 2, 5 };
    const struct tvl_ecn_ack bleached = { true, { 10, 4, 1 }, 0, 3 };
    struct tvl_ecn_space s;
    struct tvl_ecn e;

    (void)state;
    begin(&e, &s, 5);
    assert_int_equal(tvl_ecn_on_ack(&e, &s, &before), 0);
    tvl_ecn_use(&e, TVL_ECN_ECT1);
    assert_int_equal(e.state, TVL_ECN_TESTING);
    tvl_ecn_latch(&e);
    assert_int_equal(e.on, TVL_ECN_ECT1);
    for (unsigned i = 0; i < TVL_ECN_TEST_PACKETS; i++)
        tvl_ecn_sent(&e, &s, TVL_ECN_ECT1);
    assert_int_equal(tvl_ecn_on_ack(&e, &s, &both), 1);
    assert_int_equal(e.state, TVL_ECN_CAPABLE);
    assert_int_equal(tvl_ecn_on_ack(&e, &s, &bleached), 0);
    assert_int_equal(e.state, TVL_ECN_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),
        cmocka_unit_test(the_test_is_short),
        cmocka_unit_test(another_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
