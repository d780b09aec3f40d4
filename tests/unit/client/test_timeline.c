/* test_timeline.c - the media timeline as servers write it, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "timeline.h"

static void test_read(void **state)
{
    static const struct {
        const char *json;
        int result;
        size_t n;
        uint64_t first;
    } rows[] = {
        { "[]", 0, 0, 0 },
        { "[[0,[7,0],1700000000000],[2000,[8,0],1700000002000]]", 0, 2, 7 },
        { "[[0,[7,0]],[2000,[8,0]]]", 0, 2, 7 }, /* the wall clock may be missing */
        { "[[0,[7,0],1],[5,[9,0],1],[0,[12,0],1]]", 0, 1,
          12 }, /* another run: what was before is gone */
        { "[[0,[7,0],1],[5,[7,0],1]]", 0, 1, 7 },
        { "[[0,[7,0],1],[5,\"x\",1],[9,[8,0],1]]", 0, 1, 7 }, /* up to what is not understood */
        { "[[-1,[7,0],1]]", 0, 0, 0 },
        { "[[0,[-7,0],1]]", 0, 0, 0 },
        { "[[1e300,[7,0],1]]", 0, 0, 0 },
        { "{}", -1, 0, 0 },
        { "[", -1, 0, 0 },
        { "", -1, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct timeline t = { 0 };
        assert_int_equal(timeline_read(&t, rows[i].json, strlen(rows[i].json)), rows[i].result);
        assert_int_equal(t.n, rows[i].n);
        if (t.n)
            assert_int_equal(t.entry[0].group, rows[i].first);
        timeline_fini(&t);
    }
}

static void test_wrong_leaves_what_was(void **state)
{
    struct timeline t = { 0 };
    (void)state;
    assert_int_equal(timeline_read(&t, "[[0,[7,0],1]]", 13), 0);
    assert_int_equal(timeline_read(&t, "x", 1), -1);
    assert_int_equal(t.n, 1);
    timeline_fini(&t);
}

static void test_find(void **state)
{
    static const char json[] = "[[1000,[7,0],1],[3000,[8,0],1],[5000,[11,0],1]]";
    struct timeline t = { 0 };
    (void)state;
    assert_int_equal(timeline_read(&t, json, strlen(json)), 0);
    assert_int_equal(timeline_at(&t, 0), 0);
    assert_int_equal(timeline_at(&t, 1000000), 0);
    assert_int_equal(timeline_at(&t, 2999999), 0);
    assert_int_equal(timeline_at(&t, 3000000), 1);
    assert_int_equal(timeline_at(&t, INT64_MAX), 2);
    assert_int_equal(timeline_of_group(&t, 0), 0);
    assert_int_equal(timeline_of_group(&t, 8), 1);
    assert_int_equal(timeline_of_group(&t, 9), 2);
    assert_int_equal(timeline_of_group(&t, 12), 3);
    timeline_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_wrong_leaves_what_was),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
