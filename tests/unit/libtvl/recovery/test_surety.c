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

static void capacity_needs_a_queue_to_fall(void **state)
{
    struct tvl_surety s = { .loss = 0 };

    (void)state;
    tvl_surety_acked(&s, 1, 10 * MBIT, MIN, MIN);
    assert_true(s.capacity_bps == 10 * MBIT && !s.queued);
    tvl_surety_acked(&s, 1, 2 * MBIT, MIN, MIN); /* the sender had no more */
    assert_true(s.capacity_bps == 10 * MBIT && s.swing == 0);
    tvl_surety_acked(&s, 1, 20 * MBIT, MIN, MIN); /* it carries more than was known */
    assert_true(s.capacity_bps == 15 * MBIT);
    for (unsigned i = 0; i < 50; i++)
        tvl_surety_acked(&s, 1, 2 * MBIT, FULL, MIN);
    assert_true(s.queued && s.capacity_bps < 2.1 * MBIT);
    assert_true(s.swing > 0.01 && s.swing < 1);
    tvl_surety_acked(&s, 1, 0, FULL, MIN); /* no sample */
    tvl_surety_restart(&s);
    assert_true(s.capacity_bps == 0 && !s.queued);
}

static void loss_is_of_the_last_hundred(void **state)
{
    struct tvl_surety s = { .loss = 0 };

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        tvl_surety_acked(&s, 19, 0, MIN, MIN);
        tvl_surety_lost(&s);
    }
    assert_true(s.loss > 0.045 && s.loss < 0.06);
    tvl_surety_acked(&s, 1000, 0, MIN, MIN);
    assert_true(s.loss < 0.0001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_needs_a_queue_to_fall),
        cmocka_unit_test(loss_is_of_the_last_hundred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
