/* test_model.c - the path model on made-up histories of which the truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model.h"

#define SECOND 1000000u
#define BYTES 1250u /* 10,000 bits */

struct history {
    struct tvl_model m;
    tvl_time now;
    uint64_t number, x;
};

static uint64_t draw(struct history *h, uint64_t below)
{
    h->x ^= h->x << 13;
    h->x ^= h->x >> 7;
    h->x ^= h->x << 17;
    return (h->x >> 16) % below;
}

static void begin(struct history *h)
{
    *h = (struct history){ .now = 100 * SECOND, .x = 88172645463325252u };
}

/* One datagram acknowledged after `rtt`. */
static void ack(struct history *h, tvl_time rtt, uint64_t bps)
{
    const struct tvl_cc_ack a = { .now = h->now,
                                  .rtt = rtt,
                                  .srtt = rtt,
                                  .bytes = BYTES,
                                  .delivery_bps = bps,
                                  .sent_at = h->now - rtt };

    h->number++;
    tvl_model_acked(&h->m, &a, 1, rtt);
}

static void lose(struct history *h, unsigned in_a_row, tvl_time rtt)
{
    for (unsigned i = 0; i < in_a_row; i++) {
        const struct tvl_cc_packet p = { .now = h->now, .number = h->number++, .bytes = BYTES };

        tvl_model_packet_lost(&h->m, &p);
    }
    const struct tvl_cc_loss l = { .now = h->now,
                                   .sent_at = h->now - rtt,
                                   .bytes = in_a_row * BYTES };

    tvl_model_lost(&h->m, &l, rtt);
}

static struct tvl_path_model get(const struct history *h)
{
    struct tvl_path_model m;

    tvl_model_get(&h->m, h->now, &m);
    return m;
}

static void expect_near(double is, double should, double off)
{
    if (!(fabs(is - should) <= off))
        fail_msg("%g, not %g", is, should);
}

static void nothing_is_known(void **state)
{
    const struct tvl_path_model none = { .rtt_min = 0 };
    struct tvl_path_model m;
    struct history h;

    (void)state;
    begin(&h);
    m = get(&h);
    assert_memory_equal(&m, &none, sizeof m);
}

/* A buffer of 50 ms that fills in a second and then loses three in a row. */
static void full_buffer(void **state)
{
    struct history h;

    (void)state;
    begin(&h);
    for (unsigned i = 0; i < 10000; i++) {
        const tvl_time rtt = 40000 + (i % 1000) * 50;

        h.now += 1000;
        ack(&h, rtt, 10000000);
        if (i % 1000 == 999)
            lose(&h, 3, rtt);
    }
    const struct tvl_path_model m = get(&h);

    assert_int_equal(m.capacity_bps, 10000000);
    assert_int_equal(m.rtt_min, 40000);
    assert_in_range(m.buffer, 49000, 50000);
    expect_near(m.loss, 0.003, 0.0005);
    expect_near(m.loss_burst, 3, 0.01);
    expect_near(m.loss_congestive, 1, 0);
    assert_in_range(m.aggregation, 990, 1010);
    expect_near(m.change, 0, 0.01);
}

/* The same queue, but one packet in fifty is lost whatever its length. */
static void random_losses(void **state)
{
    struct history h;

    (void)state;
    begin(&h);
    for (unsigned i = 0; i < 10000; i++) {
        const tvl_time rtt = 40000 + (i % 1000) * 50;

        h.now += 1000;
        if (draw(&h, 50) == 0)
            lose(&h, 1, rtt);
        else
            ack(&h, rtt, 10000000);
    }
    const struct tvl_path_model m = get(&h);

    expect_near(m.loss, 0.02, 0.005);
    assert_true(m.loss_burst < 1.1);
    expect_near(m.loss_congestive, 0.3, 0.15); /* the queue is longer than 0.7 of 50 ms as often */
}

/* No queue at all, noise of 2 ms: nothing is congestion. */
static void jitter(void **state)
{
    struct history h;

    (void)state;
    begin(&h);
    for (unsigned i = 0; i < 10000; i++) {
        const tvl_time rtt = 30000 + draw(&h, 2001);

        h.now += 1000;
        if (draw(&h, 100) == 0)
            lose(&h, 1, rtt);
        else
            ack(&h, rtt, 10000000);
    }
    const struct tvl_path_model m = get(&h);

    /* the mean distance of two even draws is a third of their range */
    expect_near((double)m.jitter, 2000.0 / 3, 250);
    assert_true(m.loss_congestive < 0.5);
}

/* Twenty acknowledgements at once every 8 ms, as an aggregating radio gives them. */
static void aggregation(void **state)
{
    struct history h;

    (void)state;
    begin(&h);
    for (unsigned i = 0; i < 1000; i++) {
        h.now += 8000 - 20;
        for (unsigned k = 0; k < 20; k++) {
            h.now++;
            ack(&h, 30000, 20000000);
        }
    }
    expect_near((double)get(&h).aggregation, 8000, 100);
}

/* Seconds of 1000 and of 500 packets in turn, then what is old is gone. */
static void change_and_age(void **state)
{
    struct history h;

    (void)state;
    begin(&h);
    for (unsigned s = 0; s < 20; s++)
        for (unsigned i = 0; i < (s % 2 ? 500 : 1000); i++) {
            ack(&h, 40000, s % 2 ? 5000000 : 10000000);
            h.now += s % 2 ? 2000 : 1000;
        }
    lose(&h, 1, 40000);
    expect_near(get(&h).change, 0.5, 0.05);
    assert_int_equal(get(&h).capacity_bps, 10000000);
    for (unsigned i = 0; i < 11000; i++) {
        h.now += 1000;
        ack(&h, 60000, 2000000);
    }
    assert_int_equal(get(&h).capacity_bps, 2000000);
    expect_near(get(&h).loss, 0, 0);
    assert_int_equal(get(&h).rtt_min, 40000); /* a queue may stand as long */
    h.now += 3600 * (tvl_time)SECOND;
    assert_int_equal(get(&h).capacity_bps, 0);
    ack(&h, 60000, 2000000);
    assert_int_equal(get(&h).rtt_min, 60000);
}

static void spurious_losses_are_taken_back(void **state)
{
    const struct tvl_cc_packet p = { .now = 100 * SECOND, .number = 7, .bytes = BYTES };
    struct history h;

    (void)state;
    begin(&h);
    ack(&h, 40000, 1000000);
    tvl_model_packet_lost(&h.m, &p);
    assert_true(get(&h).loss > 0);
    tvl_model_packet_spurious(&h.m, &p);
    expect_near(get(&h).loss, 0, 0);
    tvl_model_packet_spurious(&h.m, &p);
    expect_near(get(&h).loss, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known),
        cmocka_unit_test(full_buffer),
        cmocka_unit_test(random_losses),
        cmocka_unit_test(jitter),
        cmocka_unit_test(aggregation),
        cmocka_unit_test(change_and_age),
        cmocka_unit_test(spurious_losses_are_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
