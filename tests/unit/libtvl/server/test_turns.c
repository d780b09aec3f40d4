/* test_turns.c - the queues of an endpoint: nobody is forgotten, nobody idle is looked at. */
#include "../wire/unit.h"

#include "turns.h"

static void touched_is_in_all_lists_once(void **state)
{
    struct tvl_turns t;
    struct tvl_turn a = { .timer = { .key = 0 } }, b = { .timer = { .key = 0 } };

    (void)state;
    tvl_turns_init(&t);
    assert_int_equal(tvl_turns_add(&t, &a, 1), 0);
    assert_int_equal(tvl_turns_add(&t, &b, 2), 0);
    tvl_turns_touch(&t, &a);
    assert_ptr_equal(tvl_turns_sender(&t), &a);
    tvl_turns_sent_one(&t, &a);
    assert_ptr_equal(tvl_turns_sender(&t), &b);
    tvl_turns_sent_all(&t, &b);
    assert_ptr_equal(tvl_turns_sender(&t), &a);
    tvl_turns_sent_all(&t, &a);
    assert_null(tvl_turns_sender(&t));
    assert_ptr_equal(tvl_turns_teller(&t), &a);
    tvl_turns_told_all(&t, &a);
    assert_ptr_equal(tvl_turns_teller(&t), &b);
    assert_ptr_equal(tvl_turns_stale(&t), &a);
    assert_ptr_equal(tvl_turns_stale_after(&t, &a), &b);
    assert_null(tvl_turns_stale_after(&t, &b));
    tvl_turns_remove(&t, &a);
    tvl_turns_remove(&t, &b);
    assert_null(tvl_turns_any(&t));
    tvl_turns_fini(&t);
}

/* Thousands that sleep: waking looks at those that are due, in order of time, and at no other. */
static void only_the_due_are_woken(void **state)
{
    enum { N = 5000 };
    struct tvl_turn *v = calloc(N, sizeof *v);
    struct tvl_turns t;
    uint64_t seed = 3, due = 0;

    (void)state;
    assert_non_null(v);
    tvl_turns_init(&t);
    for (uint64_t i = 0; i < N; i++) {
        const tvl_time at = 1000 + seeded_below(&seed, 1000000);

        assert_int_equal(tvl_turns_add(&t, &v[i], i), 0);
        tvl_turns_sent_all(&t, &v[i]);
        tvl_turns_told_all(&t, &v[i]);
        tvl_turns_wake_at(&t, &v[i], i % 10 == 0 ? TVL_TIME_NEVER : at);
        due += i % 10 != 0 && at <= 5000;
    }
    assert_null(tvl_turns_sender(&t));
    assert_null(tvl_turns_teller(&t));
    assert_null(tvl_turns_stale(&t));
    assert_true(due > 0 && tvl_turns_next(&t) <= 5000);
    tvl_turns_wake(&t, tvl_turns_next(&t)); /* not one too late */
    assert_non_null(tvl_turns_stale(&t));
    tvl_turns_wake(&t, 5000);
    assert_true(tvl_turns_next(&t) > 5000);
    uint64_t woken = 0;
    for (struct tvl_turn *x = tvl_turns_stale(&t); x; x = tvl_turns_stale_after(&t, x))
        woken++;
    assert_int_equal(woken, due);
    for (size_t i = 0; i < N; i++)
        tvl_turns_remove(&t, &v[i]);
    assert_int_equal(tvl_turns_next(&t), TVL_TIME_NEVER);
    tvl_turns_fini(&t);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(touched_is_in_all_lists_once),
        cmocka_unit_test(only_the_due_are_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
