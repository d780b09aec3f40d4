/* test_rounds.c - places that are tried in rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rounds.h"

static void a_round_has_each_once(void **state)
{
    struct rounds t = { 0 };
    (void)state;
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(rounds_take(&t, 3), i);
            assert_int_equal(rounds_left(&t), i < 2);
        }
}

/* Whoever answers and then refuses is no reason to go on at once: it would be called for ever. */
static void who_answers_ends_the_round(void **state)
{
    struct rounds t = { 0 };
    (void)state;
    (void)rounds_take(&t, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rounds_take(&t, 2), 1);
        rounds_stay(&t);
        assert_false(rounds_left(&t));
    }
    assert_int_equal(rounds_take(&t, 2), 1);
    assert_true(rounds_left(&t));
    assert_int_equal(rounds_take(&t, 2), 0);
    assert_false(rounds_left(&t));
}

static void places_that_go(void **state)
{
    struct rounds t = { 0 };
    (void)state;
    (void)rounds_take(&t, 4);
    assert_true(rounds_take(&t, 2) < 2);
    assert_true(rounds_left(&t));
    assert_int_equal(rounds_take(&t, 1), 0);
    assert_false(rounds_left(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_has_each_once),
        cmocka_unit_test(who_answers_ends_the_round),
        cmocka_unit_test(places_that_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
