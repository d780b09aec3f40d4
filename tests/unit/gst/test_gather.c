/* test_gather.c - what comes in any order goes out in the right one, whole or in time. */
#include "gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int dropped;

static void drop(void *item)
{
    (void)item;
    dropped++;
}

/* Numbers that go at `now`, as "3 4 ", in `out`. */
static const char *going(struct gather *g, int64_t now, char out[128])
{
    struct gather_picture p;
    out[0] = '\0';
    while (gather_next(g, now, &p)) {
        const size_t len = strlen(out);
        unsigned n = 0;
        for (unsigned l = 0; l < GATHER_LAYERS_MAX; l++)
            n += p.item[l] != NULL;
        (void)snprintf(out + len, 128 - len, "%d:%u ", (int)p.number, n);
    }
    return out;
}

static void put(struct gather *g, uint64_t number, unsigned layer, enum gather_result as)
{
    static int thing;
    assert_int_equal(
        as, gather_put(g, number, layer, number == 1 && layer == 0, (int64_t)number * 100, &thing));
}

static void whole_pictures_go_in_turn(void **state)
{
    static struct gather g;
    char out[128];
    (void)state;
    gather_init(&g, 2, drop);
    put(&g, 1, 1, GATHER_TAKEN);
    assert_string_equal("", going(&g, 0, out)); /* the base has not come */
    put(&g, 1, 0, GATHER_TAKEN);
    put(&g, 3, 0, GATHER_TAKEN);
    put(&g, 3, 1, GATHER_TAKEN);
    assert_string_equal("1:2 ", going(&g, 0, out)); /* 3 is whole, but 2 may come */
    put(&g, 2, 0, GATHER_TAKEN);
    put(&g, 2, 0, GATHER_TWICE);
    put(&g, 2, 1, GATHER_TAKEN);
    assert_string_equal("2:2 3:2 ", going(&g, 0, out));
    put(&g, 3, 0, GATHER_LATE);
    assert_true(gather_due(&g) == INT64_MAX);
}

static void others_go_when_due(void **state)
{
    static struct gather g;
    char out[128];
    (void)state;
    gather_init(&g, 2, drop);
    put(&g, 5, 1, GATHER_TAKEN);
    put(&g, 4, 0, GATHER_TAKEN);
    assert_true(gather_due(&g) == 400);
    assert_string_equal("", going(&g, 399, out));
    assert_string_equal("4:1 ", going(&g, 400, out));
    assert_string_equal("5:1 ", going(&g, 1000, out));
}

static void without_layers_nothing_goes_early(void **state)
{
    static struct gather g;
    char out[128];
    (void)state;
    gather_init(&g, 0, drop);
    put(&g, 1, 0, GATHER_TAKEN);
    assert_string_equal("", going(&g, 99, out));
    assert_string_equal("1:1 ", going(&g, 100, out));
}

static void it_is_bounded_and_forgets(void **state)
{
    static struct gather g;
    static int thing;
    struct gather_picture p;
    (void)state;
    dropped = 0;
    gather_init(&g, 2, drop);
    for (uint64_t n = 0; n < GATHER_PICTURES_MAX; n++)
        assert_int_equal(GATHER_TAKEN, gather_put(&g, 1000 + n, 0, false, 1 << 30, &thing));
    assert_int_equal(GATHER_FULL, gather_put(&g, 9999, 0, false, 1 << 30, &thing));
    assert_true(gather_next(&g, 0, &p)); /* the oldest goes early */
    assert_int_equal(1000, p.number);
    assert_false(gather_next(&g, 0, &p));
    gather_reset(&g);
    assert_int_equal(GATHER_PICTURES_MAX - 1, dropped);
    assert_int_equal(GATHER_TAKEN, gather_put(&g, 1, 0, true, 0, &thing)); /* numbers begin anew */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_pictures_go_in_turn),
        cmocka_unit_test(others_go_when_due),
        cmocka_unit_test(without_layers_nothing_goes_early),
        cmocka_unit_test(it_is_bounded_and_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
