/* test_recovery.c - a layer is predicted anew from what all hold who follow it, wherever they are,
 * and not before all have said. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "recovery.h"

#define NOW UINT64_C(5000000)

/* A viewer of `worker` that holds `picture` in slot 0, and, if `both`, 9 in slot 1. */
static struct letter missed(unsigned worker, uint8_t spatial, uint64_t picture, bool both)
{
    struct letter l = { .kind = LETTER_MISSED, .worker = worker };

    l.spatial = spatial;
    l.has_held = true;
    l.held.slot[0].valid = true;
    l.held.slot[0].picture = picture;
    l.held.slot[1].valid = both;
    l.held.slot[1].picture = 9;
    return l;
}

static struct letter held(unsigned worker, uint8_t asked, uint64_t picture, bool both)
{
    struct letter l = missed(worker, asked, picture, both);

    l.kind = LETTER_HELD;
    l.code = asked;
    return l;
}

static struct encoder_order order_of(struct recovery *r)
{
    struct encoder_orders o;

    encoder_orders_init(&o, 3);
    recovery_order(r, &o);
    const struct encoder_order got = encoder_orders_take(&o, NOW);
    encoder_orders_fini(&o);
    return got;
}

static void one_worker_needs_nobody(void **state)
{
    const struct letter l = missed(0, 1, 4, true);
    struct recovery r;

    (void)state;
    recovery_init(&r);
    assert_false(recovery_is_complete(&r));
    assert_int_equal(recovery_missed(&r, &l, 1, NOW), 0);
    assert_true(recovery_is_complete(&r));
    const struct encoder_order got = order_of(&r);
    assert_int_equal(got.refresh, 1);
    assert_true(got.has_held && got.held.slot[0].valid && got.held.slot[1].valid);
    assert_false(recovery_is_complete(&r));
}

static void the_others_are_asked_first(void **state)
{
    const struct letter l = missed(1, 1, 4, true), same = held(0, 1, 4, false),
                        older = held(2, 1, 3, true);
    struct recovery r;

    (void)state;
    recovery_init(&r);
    assert_int_equal(recovery_missed(&r, &l, 7, NOW), 5);
    recovery_heard(&r, &same);
    assert_false(recovery_is_complete(&r));
    recovery_heard(&r, &older);
    assert_true(recovery_is_complete(&r));
    const struct encoder_order got = order_of(&r);
    assert_true(got.has_held);
    assert_false(got.held.slot[0].valid); /* one holds another picture there */
    assert_false(got.held.slot[1].valid); /* one holds nothing there */
}

static void who_has_not_the_layer_has_no_say(void **state)
{
    const struct letter l = missed(0, 2, 4, true);
    struct letter nobody = held(1, 2, 0, false);
    struct recovery r;

    (void)state;
    nobody.spatial = SVC_SPATIAL_MAX;
    recovery_init(&r);
    assert_int_equal(recovery_missed(&r, &l, 3, NOW), 2);
    recovery_heard(&r, &nobody);
    assert_true(recovery_is_complete(&r));
    assert_true(order_of(&r).held.slot[0].valid);
}

static void a_lower_layer_is_asked_anew(void **state)
{
    const struct letter high = missed(0, 2, 4, true), low = missed(1, 1, 4, true);
    const struct letter late = held(1, 2, 4, true), asked = held(0, 1, 4, false);
    struct recovery r;

    (void)state;
    recovery_init(&r);
    assert_int_equal(recovery_missed(&r, &high, 3, NOW), 2);
    assert_int_equal(recovery_missed(&r, &low, 3, NOW), 1); /* the others of worker 1 */
    recovery_heard(&r, &late);                              /* about the layer above */
    assert_false(recovery_is_complete(&r));
    recovery_heard(&r, &asked);
    assert_true(recovery_is_complete(&r));
    const struct encoder_order got = order_of(&r);
    assert_int_equal(got.refresh, 1);
    assert_true(got.held.slot[0].valid);
    assert_false(got.held.slot[1].valid);
}

static void who_leaves_is_not_waited_for(void **state)
{
    const struct letter l = missed(0, 1, 4, true);
    struct recovery r;

    (void)state;
    recovery_init(&r);
    assert_int_equal(recovery_missed(&r, &l, 6, NOW), 6);
    recovery_left(&r, 1);
    assert_false(recovery_is_complete(&r));
    /* Worker 2 never answers: the next who lacks it gets it. */
    assert_int_equal(recovery_missed(&r, &l, 6, NOW + RECOVERY_PATIENCE_US), 0);
    assert_false(recovery_is_complete(&r));
    assert_int_equal(recovery_missed(&r, &l, 6, NOW + RECOVERY_PATIENCE_US + 1), 0);
    assert_true(recovery_is_complete(&r));
}

static void what_is_not_known_is_not_leant_on(void **state)
{
    const struct letter l = missed(0, 1, 4, true);
    struct letter unknown = held(1, 1, 4, true);
    struct recovery r;

    (void)state;
    unknown.has_held = false;
    recovery_init(&r);
    (void)recovery_missed(&r, &l, 3, NOW);
    recovery_heard(&r, &unknown);
    assert_false(order_of(&r).has_held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_needs_nobody),
        cmocka_unit_test(the_others_are_asked_first),
        cmocka_unit_test(who_has_not_the_layer_has_no_say),
        cmocka_unit_test(a_lower_layer_is_asked_anew),
        cmocka_unit_test(who_leaves_is_not_waited_for),
        cmocka_unit_test(what_is_not_known_is_not_leant_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
