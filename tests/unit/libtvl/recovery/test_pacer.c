/*
 * test_pacer.c - the pacer's contract is one inequality; this measures it over every interval:
 * bytes(t1, t2) <= rate * (t2 - t1) + burst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include "pacer.h"

#define MTU 1200u
#define PACKETS 400

static const uint64_t rates[] = { 100,     800,       9600,       64000,       1000000,
                                  7654321, 100000000, 2500000000, 40000000000, TVL_PACER_RATE_MAX };

struct run {
    tvl_time at[PACKETS];
    uint64_t bytes[PACKETS];
    size_t n;
};

static void check_inequality(const struct run *r, uint64_t rate_bps, uint64_t burst)
{
    for (size_t i = 0; i < r->n; i++) {
        uint64_t sum = 0;

        for (size_t k = i; k < r->n; k++) {
            sum += r->bytes[k];
            /* one byte: sending and refilling round down separately */
            const double most =
                (double)rate_bps / 8e6 * (double)(r->at[k] - r->at[i]) + (double)burst + 1;

            if ((double)sum > most)
                fail_msg("%llu bytes in %llu us at %llu bits/s, burst %llu",
                         (unsigned long long)sum, (unsigned long long)(r->at[k] - r->at[i]),
                         (unsigned long long)rate_bps, (unsigned long long)burst);
        }
    }
}

static void greedy_sender_keeps_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct tvl_pacer p;
        struct run r = { .n = PACKETS };
        tvl_time now = 5000000;

        tvl_pacer_init(&p, MTU, now);
        tvl_pacer_set_rate(&p, rates[i], now);
        for (size_t k = 0; k < PACKETS; k++) {
            const uint64_t bytes = k % 3 == 0 ? 200 : MTU;
            const tvl_time next = tvl_pacer_next(&p, bytes, now);

            assert_true(next >= now);
            assert_true(next - now < (uint64_t)MTU * 8 * 1000000 / rates[i] + 2);
            assert_true(tvl_pacer_next(&p, bytes, next) == next); /* what it promised holds */
            assert_true(tvl_pacer_room(&p, next) + 1 >= bytes);
            now = next;
            tvl_pacer_sent(&p, bytes, now);
            r.at[k] = now;
            r.bytes[k] = bytes;
        }
        check_inequality(&r, rates[i], tvl_pacer_burst(&p));
        /* and it is not slower than it must be: burst aside, the rate is used */
        const double sent_bits =
            8.0 * (PACKETS / 3 + 1) * 200 + 8.0 * (PACKETS - PACKETS / 3 - 1) * MTU;
        const double took = (double)(now - 5000000) * (double)rates[i] / 1e6;

        assert_true(took <= sent_bits * 1.01 + (double)PACKETS * (double)rates[i] / 1e6);
    }
}

static void idling_saves_up_one_burst(void **state)
{
    struct tvl_pacer p;
    tvl_time now = 1;
    unsigned sent = 0;

    (void)state;
    tvl_pacer_init(&p, MTU, now);
    tvl_pacer_set_rate(&p, 1000000, now);
    for (; tvl_pacer_next(&p, MTU, now) == now; sent++)
        tvl_pacer_sent(&p, MTU, now);
    assert_int_equal(sent, TVL_PACER_BURST_DATAGRAMS);
    now += UINT64_C(100) * 365 * 24 * 3600 * 1000000; /* a century */
    assert_int_equal(tvl_pacer_room(&p, now), TVL_PACER_BURST_DATAGRAMS * MTU);
    for (sent = 0; tvl_pacer_next(&p, MTU, now) == now; sent++)
        tvl_pacer_sent(&p, MTU, now);
    assert_int_equal(sent, TVL_PACER_BURST_DATAGRAMS);
}

static void debt_is_bounded_and_paid(void **state)
{
    struct tvl_pacer p;
    const tvl_time now = 1000;

    (void)state;
    tvl_pacer_init(&p, MTU, now);
    tvl_pacer_set_rate(&p, 9600000, now); /* a datagram per ms */
    for (unsigned i = 0; i < 1000; i++)
        tvl_pacer_sent(&p, MTU, now); /* probes do not ask */
    assert_int_equal(tvl_pacer_room(&p, now), 0);
    const tvl_time next = tvl_pacer_next(&p, MTU, now);

    assert_int_equal(next - now, (TVL_PACER_BURST_DATAGRAMS + 1) * 1000);
}

static void without_a_rate_nothing_waits(void **state)
{
    struct tvl_pacer p;

    (void)state;
    tvl_pacer_init(&p, MTU, 7);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(tvl_pacer_next(&p, MTU, 7) == 7);
        assert_true(tvl_pacer_room(&p, 7) >= MTU);
        tvl_pacer_sent(&p, MTU, 7);
    }
}

static void changing_the_rate_makes_no_bytes(void **state)
{
    struct tvl_pacer p;
    struct run r = { .n = PACKETS };
    tvl_time now = 99;
    uint64_t burst = 0;

    (void)state;
    tvl_pacer_init(&p, MTU, now);
    for (size_t k = 0; k < PACKETS; k++) {
        tvl_pacer_set_rate(&p, k % 7 == 0 ? 20000000 : 3000000 + 1000 * k, now);
        burst = tvl_pacer_burst(&p) > burst ? tvl_pacer_burst(&p) : burst;
        now = tvl_pacer_next(&p, MTU, now);
        tvl_pacer_sent(&p, MTU, now);
        r.at[k] = now;
        r.bytes[k] = MTU;
    }
    check_inequality(&r, 20000000, burst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_sender_keeps_the_contract),
        cmocka_unit_test(idling_saves_up_one_burst),
        cmocka_unit_test(debt_is_bounded_and_paid),
        cmocka_unit_test(without_a_rate_nothing_waits),
        cmocka_unit_test(changing_the_rate_makes_no_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
