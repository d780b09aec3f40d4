/* test_surety.c - what a path is known to carry, and how sure that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "surety.h"

#define MIN 20000u /* us */
#define FULL (MIN + TVL_SURETY_QUEUED + 1)
#define MBIT 1000000u

static void acked(struct tvl_surety *s, uint64_t packets, uint64_t bps, tvl_time rtt)
{
    const struct tvl_surety_news news = { .now = s->rtt_at + MIN,
                                          .packets = packets,
                                          .sample_bps = bps,
                                          .rtt = rtt,
                                          .rtt_min = MIN,
                                          .flight = 20000 };

    tvl_surety_acked(s, &news);
}

static void capacity_needs_a_queue_to_fall(void **state)
{
    struct tvl_surety s = { .loss = 0 };

    (void)state;
    acked(&s, 1, 10 * MBIT, MIN);
    assert_true(s.capacity_bps == 10 * MBIT && !s.queued);
    acked(&s, 1, 2 * MBIT, MIN); /* the sender had no more */
    assert_true(s.capacity_bps == 10 * MBIT && s.swing == 0);
    acked(&s, 1, 20 * MBIT, MIN); /* it carries more than was known */
    assert_true(s.capacity_bps == 15 * MBIT);
    for (unsigned i = 0; i < 50; i++)
        acked(&s, 1, 2 * MBIT, FULL);
    assert_true(s.queued && s.capacity_bps < 2.1 * MBIT);
    assert_true(s.swing > 0.01 && s.swing < 1);
    acked(&s, 1, 0, FULL); /* no sample */
    tvl_surety_restart(&s);
    assert_true(s.capacity_bps == 0 && !s.queued);
}

static void loss_is_of_the_last_hundred(void **state)
{
    struct tvl_surety s = { .loss = 0 };

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        acked(&s, 19, 0, MIN);
        tvl_surety_lost(&s);
    }
    assert_true(s.loss > 0.045 && s.loss < 0.06);
    acked(&s, 1000, 0, MIN);
    assert_true(s.loss < 0.0001);
}

/* One packet on a slow link: its own length is no queue. */
static void a_lone_packet_is_no_measure(void **state)
{
    struct tvl_surety s = { .loss = 0 };
    const struct tvl_surety_news news = { .now = 100000,
                                          .packets = 1,
                                          .sample_bps = MBIT / 10,
                                          .rtt = FULL,
                                          .rtt_min = MIN,
                                          .flight = 1472 };

    (void)state;
    acked(&s, 1, MBIT, FULL);
    assert_true(s.queued);
    tvl_surety_acked(&s, &news);
    assert_true(s.capacity_bps == MBIT && !s.queued);
}

/* One surprise is forgotten in the same time, however often the path is asked. */
static void spread_fades_with_time(void **state)
{
    static const tvl_time every[] = { 2000, 110000 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tvl_surety s = { .loss = 0 };
        struct tvl_surety_news news = { .now = 1000000, .packets = 1, .rtt = MIN, .rtt_min = MIN };

        tvl_surety_acked(&s, &news);
        assert_true(s.spread == 0);
        news.now += 2000;
        news.rtt = 5 * MIN;
        tvl_surety_acked(&s, &news);
        assert_true(s.spread >= MIN && s.usual < 1.1 * MIN && s.rtt == 5 * MIN);
        const double surprise = s.spread;

        news.rtt = MIN;
        for (tvl_time end = news.now + 660000; news.now < end;) {
            news.now += every[i];
            tvl_surety_acked(&s, &news);
        }
        assert_true(s.spread < 0.1 * surprise && s.usual == MIN);
    }
}

/* What waited through an outage comes late, once: the next is the usual one. */
static void shorter_is_usual_at_once(void **state)
{
    struct tvl_surety s = { .loss = 0 };

    (void)state;
    acked(&s, 1, MBIT, 200 * MIN);
    acked(&s, 1, MBIT, MIN);
    assert_true(s.usual == MIN && s.spread == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_needs_a_queue_to_fall),
        cmocka_unit_test(a_lone_packet_is_no_measure),
        cmocka_unit_test(spread_fades_with_time),
        cmocka_unit_test(shorter_is_usual_at_once),
        cmocka_unit_test(loss_is_of_the_last_hundred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
