/* test_directory.c - namespaces are found, kept in the order in which they came, and taken once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "directory.h"

static struct broadcast *number(uintptr_t n) /* nobody looks behind it */
{
    return (struct broadcast *)n;
}

static void what_was_added_is_found(void **state)
{
    struct directory *d = directory_new();
    char ns[] = "a/b";

    (void)state;
    assert_null(directory_find(d, "a/b"));
    assert_int_equal(directory_add(d, ns, number(1)), 0);
    assert_int_equal(directory_add(d, "a", number(2)), 0);
    assert_int_equal(directory_add(d, "a/b", number(3)), -1);
    ns[0] = 'x'; /* it was copied */
    assert_ptr_equal(directory_find(d, "a/b"), number(1));
    assert_ptr_equal(directory_find(d, "a"), number(2));
    assert_null(directory_find(d, "a/"));
    assert_null(directory_find(d, ""));
    directory_remove(d, "nothing");
    directory_remove(d, "a/b");
    assert_null(directory_find(d, "a/b"));
    assert_int_equal(directory_add(d, "a/b", number(3)), 0);
    directory_free(d);
}

static void they_stand_in_order(void **state)
{
    struct directory *d = directory_new();
    char ns[16];

    (void)state;
    for (uintptr_t i = 0; i < 256; i++) {
        snprintf(ns, sizeof ns, "n%zu", (size_t)i);
        assert_int_equal(directory_add(d, ns, number(i + 1)), 0);
    }
    directory_remove(d, "n7");
    assert_int_equal(directory_count(d), 255);
    assert_ptr_equal(directory_at(d, 6), number(7));
    assert_ptr_equal(directory_at(d, 7), number(9));
    assert_ptr_equal(directory_at(d, 254), number(256));
    assert_null(directory_at(d, 255));
    directory_free(d);
    directory_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(they_stand_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
