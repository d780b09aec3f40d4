/* test_shed.c - what is left out at which age, and how it comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "shed.h"

#define BUDGET 400000u
#define NOW UINT64_C(5000000)

static const struct svc_unit key = { .key = true }, base = { .layer = { 0, 0 } };
static const struct svc_unit t1 = { .layer = { 0, 1 } }, s1 = { .layer = { 1, 0 } };

static void test_ages(void **state)
{
    (void)state;
    static const struct {
        uint64_t age_us;
        bool sound, base, t1, s1; /* are left out */
    } table[] = {
        { 0, false, false, false, false },
        { BUDGET / 4, false, false, false, false },
        { BUDGET / 4 + 1, false, false, true, false },
        { BUDGET / 2 + 1, false, false, true, true },
        { BUDGET, false, false, true, true },
        { BUDGET + 1, true, true, true, true },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct {
            const struct svc_unit *unit;
            bool out;
        } row[] = { { NULL, table[i].sound },
                    { &base, table[i].base },
                    { &t1, table[i].t1 },
                    { &s1, table[i].s1 } };
        for (size_t j = 0; j < sizeof row / sizeof *row; j++) {
            struct shed s = { 0 };
            assert_int_equal(shed_leaves_out(&s, row[j].unit, table[i].age_us, BUDGET, NOW),
                             row[j].out);
        }
    }
}

static void test_skips_to_a_key_picture(void **state)
{
    (void)state;
    struct shed s = { 0 };
    assert_true(shed_leaves_out(&s, &base, BUDGET + 1, BUDGET, NOW));
    assert_false(shed_wants_key(&s, BUDGET + 1, BUDGET));
    assert_true(shed_leaves_out(&s, &base, 0, BUDGET, NOW)); /* leans on what is missing */
    assert_true(shed_wants_key(&s, 0, BUDGET));
    assert_false(shed_leaves_out(&s, NULL, 0, BUDGET, NOW));             /* sound does not */
    assert_true(shed_leaves_out(&s, &key, BUDGET / 2 + 1, BUDGET, NOW)); /* soon late again */
    assert_true(shed_leaves_out(&s, &s1, 0, BUDGET, NOW));
    assert_false(shed_leaves_out(&s, &key, BUDGET / 2, BUDGET, NOW));
    assert_false(shed_wants_key(&s, 0, BUDGET));
    assert_false(shed_leaves_out(&s, &base, 0, BUDGET, NOW));
    assert_false(shed_leaves_out(&s, &s1, 0, BUDGET, NOW));
}

/* Late sound is no reason to stop pictures. */
static void test_sound_alone(void **state)
{
    (void)state;
    struct shed s = { 0 };
    assert_true(shed_leaves_out(&s, NULL, BUDGET + 1, BUDGET, NOW));
    assert_false(shed_leaves_out(&s, &base, BUDGET, BUDGET, NOW));
}

static void test_saturated(void **state)
{
    (void)state;
    struct shed s = { 0 };
    uint64_t now = NOW;
    assert_false(shed_is_saturated(&s, now));
    for (; now < NOW + SHED_SATURATED_US; now += SHED_CALM_US) {
        assert_true(shed_leaves_out(&s, &t1, BUDGET / 2, BUDGET, now));
        assert_false(shed_is_saturated(&s, now));
    }
    assert_true(shed_leaves_out(&s, &t1, BUDGET / 2, BUDGET, now));
    assert_true(shed_is_saturated(&s, now));
    assert_true(shed_is_saturated(&s, now + SHED_CALM_US));
    assert_false(shed_is_saturated(&s, now + SHED_CALM_US + 1));
    now += SHED_CALM_US + 1; /* it begins anew */
    assert_true(shed_leaves_out(&s, &t1, BUDGET / 2, BUDGET, now));
    assert_int_equal(s.began, now);
    assert_false(shed_is_saturated(&s, now));
}

static void test_budget(void **state)
{
    (void)state;
    assert_int_equal(shed_budget(0, BUDGET), BUDGET);
    assert_int_equal(shed_budget(100, BUDGET), BUDGET - 100);
    assert_int_equal(shed_budget(2 * BUDGET, BUDGET), BUDGET / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ages),        cmocka_unit_test(test_skips_to_a_key_picture),
        cmocka_unit_test(test_sound_alone), cmocka_unit_test(test_saturated),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
