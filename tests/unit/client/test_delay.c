/* test_delay.c - where a picture's time goes: the parts sum to the whole, whatever the clocks say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delay.h"

#include <math.h>

#define MS 1000

/* A picture captured at `at`: 20 ms of coding, `queue` in the sender, 15 ms of network, 60 ms here.
 */
static struct delay_stamps picture(int64_t at, int64_t queue, int64_t clock_ahead)
{
    const int64_t arrived = at + 20 * MS + queue + 15 * MS;
    return (struct delay_stamps){ .captured = at + clock_ahead,
                                  .encode_us = 20 * MS,
                                  .arrived = arrived,
                                  .decode_began = arrived + 40 * MS,
                                  .decoded = arrived + 44 * MS,
                                  .due = arrived + 58 * MS,
                                  .shown = arrived + 60 * MS };
}

static void play(struct delay *d, int64_t clock_ahead, int64_t rtt)
{
    for (int n = 0; n < 3000; n++) {
        const int64_t queue = n % 3 == 0 ? 0 : 6 * MS;
        const struct delay_stamps s = picture(1000000000 + n * 33333ll, queue, clock_ahead);
        delay_add(d, &s, rtt);
    }
}

static bool is_near(double ms, double expected)
{
    return fabs(ms - expected) < 1.5;
}

static void check(const struct delay *d, double clock_ms)
{
    double sum = 0;
    for (int i = 0; i < DELAY_PARTS; i++)
        sum += d->part_ms[i];
    assert_true(fabs(sum - d->total_ms) < 1e-6);
    assert_true(is_near(d->part_ms[DELAY_ENCODE], 20));
    assert_true(is_near(d->part_ms[DELAY_QUEUE], 4));
    assert_true(is_near(d->part_ms[DELAY_NETWORK], 15));
    assert_true(is_near(d->part_ms[DELAY_BUFFER], 54));
    assert_true(is_near(d->part_ms[DELAY_DECODE], 4));
    assert_true(is_near(d->part_ms[DELAY_DISPLAY], 2));
    assert_true(is_near(d->clock_ms, clock_ms));
}

/* Clocks that agree, and such that are hours apart: the same parts come of it. */
static void test_clocks(void **state)
{
    (void)state;
    static const int64_t ahead_ms[] = { 0, 400, -400, 1000000, -1000000 };
    for (size_t i = 0; i < sizeof ahead_ms / sizeof ahead_ms[0]; i++) {
        struct delay d = { 0 };
        play(&d, ahead_ms[i] * MS, 30 * MS);
        assert_true(d.has_capture);
        check(&d, (double)ahead_ms[i]);
    }
}

/* Without stamps the whole is what is seen here. */
static void test_no_capture(void **state)
{
    (void)state;
    struct delay d = { 0 };
    struct delay_stamps s = picture(1000000000, 0, 0);
    s.captured = 0;
    delay_add(&d, &s, 30 * MS);
    assert_false(d.has_capture);
    assert_true(is_near(d.total_ms, 60) && d.part_ms[DELAY_ENCODE] == 0);
    s = picture(1000000000, 0, 2 * DELAY_CAPTURE_MAX_US); /* nonsense */
    delay_add(&d, &s, 30 * MS);
    assert_false(d.has_capture);
}

/* The clocks come to differ while it runs: within a minute that is known. */
static void test_clock_steps(void **state)
{
    (void)state;
    struct delay d = { 0 };
    play(&d, 0, 30 * MS);
    for (int n = 3000; n < 6000; n++) {
        const struct delay_stamps s = picture(1000000000 + n * 33333ll, 0, -700 * MS);
        delay_add(&d, &s, 30 * MS);
    }
    assert_true(is_near(d.clock_ms, -700) && is_near(d.part_ms[DELAY_QUEUE], 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_no_capture),
        cmocka_unit_test(test_clock_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
