/* test_parts.c - the pattern that bytes are known by again, percentiles, lateness. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "echo/pattern.h"
#include "echo/samples.h"
#include "echo/wake.h"

static void a_wrong_byte_is_seen(void **state)
{
    uint8_t bytes[1000];

    (void)state;
    pattern_fill(3, 70000, bytes, sizeof bytes);
    assert_int_equal(pattern_check(3, 70000, bytes, sizeof bytes), sizeof bytes);
    bytes[417] ^= 1;
    assert_int_equal(pattern_check(3, 70000, bytes, sizeof bytes), 417);
}

/* Another stream's bytes, or those of another place, are not taken for the right ones. */
static void places_differ(void **state)
{
    static const uint64_t away[] = { 1, 255, 256, 1200, 4096, 65536, UINT64_C(1) << 32 };
    uint8_t bytes[64];

    (void)state;
    pattern_fill(0, 0, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof away / sizeof away[0]; i++) {
        assert_true(pattern_check(0, away[i], bytes, sizeof bytes) < 8);
        assert_true(pattern_check(i + 1, 0, bytes, sizeof bytes) < 8);
    }
}

static void percentiles(void **state)
{
    struct samples s;

    (void)state;
    samples_init(&s);
    assert_int_equal(samples_percentile(&s, 50), 0);
    for (uint32_t i = 100; i > 0; i--)
        samples_add(&s, i);
    assert_int_equal(samples_percentile(&s, 0), 1);
    assert_int_equal(samples_percentile(&s, 50), 50);
    assert_int_equal(samples_percentile(&s, 99), 99);
    assert_int_equal(samples_percentile(&s, 99.5), 100);
    assert_int_equal(samples_percentile(&s, 100), 100);
    samples_fini(&s);
}

/* A period that was slept through is counted once, with its whole lateness. */
static void lateness(void **state)
{
    const struct echo_args args = { .interval_us = 1000, .count = 3 };
    struct echo_wake w;

    (void)state;
    echo_wake_init(&w, &args, 5000);
    assert_int_equal(w.due, 6000);
    assert_true(echo_wake_at(&w, 6100));
    assert_int_equal(w.due, 7000);
    assert_true(echo_wake_at(&w, 9500));
    assert_int_equal(w.due, 10000);
    assert_false(echo_wake_at(&w, 10000));
    assert_int_equal(samples_percentile(&w.late, 0), 0);
    assert_int_equal(samples_percentile(&w.late, 50), 100);
    assert_int_equal(samples_percentile(&w.late, 100), 2500);
    echo_wake_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_byte_is_seen),
        cmocka_unit_test(places_differ),
        cmocka_unit_test(percentiles),
        cmocka_unit_test(lateness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
