/*
 * test_ack.c - what was received, when to say so, and what an ACK holds: against a model that
 * remembers every number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include "ack.h"

#define T0 1000000u /* us */

static void receive(struct tvl_ack *a, uint64_t pn, tvl_time now)
{
    const struct tvl_ack_packet p = { .pn = pn, .ack_eliciting = true };

    assert_false(tvl_ack_is_duplicate(a, pn));
    tvl_ack_received(a, &p, now);
    assert_true(tvl_ack_is_duplicate(a, pn));
}

/* ---- when ---- */

struct due_row {
    const char *what;
    enum tvl_ack_policy policy;
    struct tvl_ack_packet packet[4]; /* 1 ms apart */
    size_t n;
    tvl_time due; /* us after T0 */
};

#define QUIET false
#define ASKS true
static const struct due_row due_rows[] = {
    { "nothing", TVL_ACK_DELAYED, { { 0, QUIET, 0, 0 } }, 0, TVL_TIME_NEVER },
    { "only packets that ask for nothing",
      TVL_ACK_DELAYED,
      { { 0, QUIET, 0, 0 }, { 5, QUIET, 0, 0 } },
      2,
      TVL_TIME_NEVER },
    { "one waits", TVL_ACK_DELAYED, { { 0, ASKS, 0, 0 } }, 1, TVL_ACK_DELAY },
    { "the second does not", TVL_ACK_DELAYED, { { 0, ASKS, 0, 0 }, { 1, ASKS, 0, 0 } }, 2, 1000 },
    { "the first sets the clock",
      TVL_ACK_DELAYED,
      { { 0, ASKS, 0, 0 }, { 1, QUIET, 0, 0 } },
      2,
      TVL_ACK_DELAY },
    { "a gap", TVL_ACK_DELAYED, { { 1, ASKS, 0, 0 } }, 1, 0 },
    { "a gap that a quiet packet left",
      TVL_ACK_DELAYED,
      { { 0, QUIET, 0, 0 }, { 2, ASKS, 0, 0 } },
      2,
      1000 },
    { "a late one",
      TVL_ACK_DELAYED,
      { { 0, QUIET, 0, 0 }, { 2, QUIET, 0, 0 }, { 1, ASKS, 0, 0 } },
      3,
      2000 },
    { "a CE mark", TVL_ACK_DELAYED, { { 0, ASKS, 3, 0 } }, 1, 0 },
    { "ECT(0) is no mark", TVL_ACK_DELAYED, { { 0, ASKS, 2, 0 } }, 1, TVL_ACK_DELAY },
    { "Initial and Handshake", TVL_ACK_AT_ONCE, { { 0, ASKS, 0, 0 } }, 1, 0 },
};

static void due_at_the_right_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof due_rows / sizeof due_rows[0]; i++) {
        const struct due_row *row = &due_rows[i];
        struct tvl_ack a;

        tvl_ack_init(&a, row->policy);
        for (size_t k = 0; k < row->n; k++)
            tvl_ack_received(&a, &row->packet[k], T0 + 1000 * k);
        const tvl_time want = row->due == TVL_TIME_NEVER ? TVL_TIME_NEVER : T0 + row->due;

        if (tvl_ack_due(&a) != want)
            fail_msg("%s: due at %llu", row->what, (unsigned long long)tvl_ack_due(&a));
        assert_int_equal(tvl_ack_pending(&a), want != TVL_TIME_NEVER);
        tvl_ack_sent(&a);
        assert_true(tvl_ack_due(&a) == TVL_TIME_NEVER);
        assert_false(tvl_ack_pending(&a));
    }
}

/* ---- what ---- */

#define NUMBERS 600u

struct model {
    bool got[NUMBERS];
};

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void check_against(const struct tvl_ack *a, const struct model *m, size_t seed)
{
    struct tvl_ack_out out;
    uint64_t above = UINT64_MAX; /* lowest number of the range before */

    if (!tvl_ack_make(a, &out, T0))
        return;
    assert_true(out.n_ranges >= 1 && out.n_ranges <= TVL_ACK_RANGES_MAX);
    assert_true(out.range[0].last == out.largest);
    for (size_t i = 0; i < out.n_ranges; i++) {
        assert_true(out.range[i].first <= out.range[i].last);
        if (above != UINT64_MAX)
            assert_true(out.range[i].last + 1 < above);
        above = out.range[i].first;
        for (uint64_t pn = out.range[i].first; pn <= out.range[i].last; pn++)
            if (!m->got[pn])
                fail_msg("seed %zu: %llu acknowledged, never received", seed,
                         (unsigned long long)pn);
    }
    for (uint64_t pn = 0; pn < NUMBERS; pn++) {
        if (pn >= a->floor)
            assert_int_equal(tvl_ack_is_duplicate(a, pn), m->got[pn]);
        else
            assert_true(tvl_ack_is_duplicate(a, pn));
    }
}

static void random_orders_agree_with_model(void **state)
{
    (void)state;
    for (size_t seed = 1; seed <= 300; seed++) {
        uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct model m = { { false } };
        struct tvl_ack a;

        tvl_ack_init(&a, TVL_ACK_DELAYED);
        for (unsigned step = 0; step < 400; step++) {
            /* Odd seeds leave many holes, more than the ranges kept. */
            const uint64_t spread = seed & 1 ? NUMBERS : 40;
            uint64_t pn = step + next_random(&x) % spread;

            pn = pn < NUMBERS ? pn : NUMBERS - 1;
            if (!tvl_ack_is_duplicate(&a, pn)) {
                const struct tvl_ack_packet p = { .pn = pn, .ack_eliciting = true };

                tvl_ack_received(&a, &p, T0 + step);
                m.got[pn] = true;
            }
            if (next_random(&x) % 50 == 0 && tvl_ack_largest_next(&a) > 20)
                tvl_ack_forget(&a, tvl_ack_largest_next(&a) - 1 - next_random(&x) % 20);
            if (step % 20 == 0)
                check_against(&a, &m, seed);
        }
        check_against(&a, &m, seed);
    }
}

static void oldest_ranges_go_first(void **state)
{
    struct tvl_ack a;
    struct tvl_ack_out out;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    for (uint64_t i = 0; i <= TVL_ACK_RANGES_MAX; i++)
        receive(&a, 10 + 2 * i, T0);
    assert_true(tvl_ack_make(&a, &out, T0));
    assert_int_equal(out.n_ranges, TVL_ACK_RANGES_MAX);
    assert_int_equal(out.largest, 10 + 2 * TVL_ACK_RANGES_MAX);
    assert_int_equal(out.range[out.n_ranges - 1].first, 12);
    assert_true(tvl_ack_is_duplicate(&a, 9)); /* too old to tell */
    assert_false(tvl_ack_is_duplicate(&a, 11));
}

static void delay_counts_from_the_largest(void **state)
{
    struct tvl_ack a;
    struct tvl_ack_out out;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    assert_false(tvl_ack_make(&a, &out, T0));
    receive(&a, 7, T0);
    receive(&a, 6, T0 + 300);
    assert_true(tvl_ack_make(&a, &out, T0 + 1000));
    assert_int_equal(out.delay, 1000);
    assert_int_equal(out.n_ranges, 1);
    assert_int_equal(out.range[0].first, 6);
}

/* It lay unread here: that is our delay, not the path's. */
static void delay_counts_from_the_coming(void **state)
{
    static const struct tvl_ack_packet p = { .pn = 0, .ack_eliciting = true, .waited = 300 };
    struct tvl_ack a;
    struct tvl_ack_out out;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    tvl_ack_received(&a, &p, T0);
    assert_true(tvl_ack_make(&a, &out, T0 + 1000));
    assert_int_equal(out.delay, 1300);
}

static void ecn_marks_are_counted(void **state)
{
    struct tvl_ack a;
    struct tvl_ack_out out;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    for (uint64_t pn = 0; pn < 10; pn++) {
        const struct tvl_ack_packet p = { .pn = pn,
                                          .ecn = pn < 1   ? 1
                                                 : pn < 3 ? 2
                                                 : pn < 6 ? 3
                                                          : 0 };

        tvl_ack_received(&a, &p, T0);
    }
    assert_true(tvl_ack_make(&a, &out, T0));
    assert_int_equal(out.ecn.ect1, 1);
    assert_int_equal(out.ecn.ect0, 2);
    assert_int_equal(out.ecn.ce, 3);
}

static void told_ranges_are_forgotten(void **state)
{
    struct tvl_ack a;
    struct tvl_ack_out out;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    for (uint64_t pn = 0; pn < 30; pn++)
        if (pn != 10 && pn != 20)
            receive(&a, pn, T0);
    tvl_ack_forget(&a, 15);
    assert_true(tvl_ack_make(&a, &out, T0));
    assert_int_equal(out.largest, 29);
    assert_true(out.range[out.n_ranges - 1].last >= 19);
    assert_true(tvl_ack_is_duplicate(&a, 3));
    assert_int_equal(tvl_ack_largest_next(&a), 30);
    tvl_ack_forget(&a, 29);
    assert_true(tvl_ack_make(&a, &out, T0));
    assert_int_equal(out.largest, 29); /* the newest is always known */
    assert_int_equal(out.n_ranges, 1);
    assert_int_equal(tvl_ack_largest_next(&a), 30);
}

static void unanswered_acks_ask_for_a_ping(void **state)
{
    struct tvl_ack a;
    unsigned sent = 0;

    (void)state;
    tvl_ack_init(&a, TVL_ACK_DELAYED);
    receive(&a, 0, T0);
    for (; sent < 100 && !tvl_ack_wants_ping(&a); sent++)
        tvl_ack_sent(&a);
    assert_in_range(sent, 2, 64);
    tvl_ack_forget(&a, 0);
    assert_false(tvl_ack_wants_ping(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_at_the_right_time),
        cmocka_unit_test(random_orders_agree_with_model),
        cmocka_unit_test(oldest_ranges_go_first),
        cmocka_unit_test(delay_counts_from_the_largest),
        cmocka_unit_test(delay_counts_from_the_coming),
        cmocka_unit_test(ecn_marks_are_counted),
        cmocka_unit_test(told_ranges_are_forgotten),
        cmocka_unit_test(unanswered_acks_ask_for_a_ping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
