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
    *s = (struct tvl_ecn_space){ .marked = 0 };
    tvl_ecn_init(e, true);
    for (unsigned i = 0; i < n; i++) {
        tvl_ecn_latch(e);
        assert_true(e->on);
        tvl_ecn_sent(e, s);
    }
}

static void reports(void **state)
{
    static const struct {
        const char *what;
        struct tvl_ecn_ack first, second; /* second.marked UINT64_MAX: there is none */
        enum tvl_ecn_state then;
        unsigned ce_told;
    } rows[] = {
#define NO_MORE { .marked = UINT64_MAX }
        { "all marks arrive", { true, { 5, 0, 0 }, 5 }, NO_MORE, TVL_ECN_CAPABLE, 0 },
        { "one is CE", { true, { 4, 0, 1 }, 5 }, NO_MORE, TVL_ECN_CAPABLE, 1 },
        { "all are CE", { true, { 0, 0, 5 }, 5 }, NO_MORE, TVL_ECN_CAPABLE, 1 },
        { "a peer that does not look", { false, { 0, 0, 0 }, 5 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "marks are cleared", { true, { 2, 0, 0 }, 5 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "marks become ECT(1)", { true, { 0, 5, 0 }, 5 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "more than was sent", { true, { 11, 0, 0 }, 5 }, NO_MORE, TVL_ECN_FAILED, 0 },
        { "the ACK before was lost", { true, { 8, 0, 0 }, 5 }, NO_MORE, TVL_ECN_CAPABLE, 0 },
        { "it goes on well",
          { true, { 5, 0, 0 }, 5 },
          { true, { 8, 0, 2 }, 5 },
          TVL_ECN_CAPABLE,
          1 },
        { "the same CE count is no news",
          { true, { 4, 0, 1 }, 5 },
          { true, { 9, 0, 1 }, 5 },
          TVL_ECN_CAPABLE,
          1 },
        { "counts stop", { true, { 5, 0, 0 }, 5 }, { false, { 0, 0, 0 }, 5 }, TVL_ECN_FAILED, 0 },
        { "counts fall", { true, { 5, 0, 0 }, 5 }, { true, { 4, 0, 9 }, 0 }, TVL_ECN_FAILED, 0 },
        { "nothing marked, nothing counted",
          { false, { 0, 0, 0 }, 0 },
          NO_MORE,
          TVL_ECN_WAITING,
          0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tvl_ecn_space s;
        struct tvl_ecn e;
        unsigned ce;

        begin(&e, &s, 10);
        ce = tvl_ecn_on_ack(&e, &s, &rows[i].first);
        if (rows[i].second.marked != UINT64_MAX)
            ce += tvl_ecn_on_ack(&e, &s, &rows[i].second);
        if (e.state != rows[i].then || ce != rows[i].ce_told)
            fail_msg("%s: %s, %u", rows[i].what, tvl_ecn_name(e.state), ce);
        tvl_ecn_latch(&e);
        assert_int_equal(e.on, rows[i].then == TVL_ECN_CAPABLE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),
        cmocka_unit_test(the_test_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
