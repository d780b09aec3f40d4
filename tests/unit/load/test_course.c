/* test_course.c - what is missing is found, what only overtook is not; and lateness by shares. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tally.h"

#define GROUPS 20
#define OBJECTS 6 /* of each group */

static struct board board;
static struct course course;
static struct course_count count;

static int begin_again(void **state)
{
    (void)state;
    board = (struct board){ .seen = { { 0, 0 } } };
    course = (struct course){ 0 };
    count = (struct course_count){ 0 };
    return 0;
}

static void comes(uint64_t group, uint64_t object)
{
    board_note(&board, group, object);
    course_object(&course, &board, group, object, &count);
}

static void somebody_else_gets(uint64_t group, uint64_t object)
{
    board_note(&board, group, object);
}

static void nothing_is_missing_of_what_came(void **state)
{
    (void)state;
    for (uint64_t g = 100; g < 100 + GROUPS; g++)
        for (uint64_t o = 0; o < OBJECTS; o++)
            comes(g, o);
    assert_int_equal(count.objects, GROUPS * OBJECTS);
    assert_int_equal(count.missing, 0);
    assert_int_equal(count.stale, 0);
}

static void overtaking_is_not_missing(void **state)
{
    (void)state;
    comes(101, 0);
    for (uint64_t g = 101; g < 101 + GROUPS; g++) {
        comes(g + 1, 0);
        for (uint64_t o = OBJECTS; o-- > 1;)
            comes(g, o);
    }
    assert_int_equal(count.missing, 0);
    assert_int_equal(count.stale, 0);
}

static void a_hole_is_missing_once_its_group_is_over(void **state)
{
    (void)state;
    for (uint64_t g = 100; g < 100 + GROUPS; g++)
        for (uint64_t o = 0; o < OBJECTS; o++) {
            if (g == 103 && (o == 2 || o == 3))
                continue;
            comes(g, o);
            if (g < 103 + COURSE_GROUPS)
                assert_int_equal(count.missing, 0);
        }
    assert_int_equal(count.missing, 2);
}

static void the_end_of_a_group_is_known_from_others(void **state)
{
    (void)state;
    for (uint64_t g = 100; g < 100 + GROUPS; g++)
        for (uint64_t o = 0; o < OBJECTS; o++) {
            if (g == 104 && o >= 4)
                somebody_else_gets(g, o);
            else
                comes(g, o);
        }
    assert_int_equal(count.missing, 2);
}

static void whole_groups_are_missing(void **state)
{
    (void)state;
    for (uint64_t g = 100; g < 100 + 2 * GROUPS; g++)
        for (uint64_t o = 0; o < OBJECTS; o++) {
            if (g >= 103 && g < 115)
                somebody_else_gets(g, o);
            else
                comes(g, o);
        }
    assert_int_equal(count.missing, 12 * OBJECTS);
}

static void what_came_before_the_beginning_is_not_missing(void **state)
{
    (void)state;
    for (uint64_t o = 0; o < 3; o++)
        somebody_else_gets(100, o);
    for (uint64_t o = 3; o < OBJECTS; o++)
        comes(100, o);
    for (uint64_t g = 101; g < 100 + GROUPS; g++)
        comes(g, 0);
    assert_int_equal(count.missing, 0);
}

static void what_comes_after_its_group_is_stale(void **state)
{
    (void)state;
    comes(100, 0);
    somebody_else_gets(100, 1);
    for (uint64_t g = 101; g < 101 + COURSE_GROUPS; g++)
        comes(g, 0);
    assert_int_equal(count.missing, 1);
    comes(100, 1);
    assert_int_equal(count.stale, 1);
}

static void a_leap_ends(void **state)
{
    (void)state;
    comes(1, 0);
    comes(UINT64_MAX / 2, 0); /* as from a publisher that began again; must not take for ever */
    comes(UINT64_MAX / 2 + 1, 0);
    assert_int_equal(count.objects, 3);
    assert_int_equal(count.missing, 0);
}

static void lateness_counts_from_the_least_of_all_threads(void **state)
{
    struct tally *a = malloc(sizeof *a), *b = malloc(sizeof *b), *sum = malloc(sizeof *sum);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(sum);
    tally_init(a);
    tally_init(b);
    tally_init(sum);
    tally_set_origin(a, 1000000000);
    tally_set_origin(b, 1000000000);
    tally_late(a, 1000000000 - 5000); /* before it counts, but it is the least */
    tally_restart(a);
    for (int i = 0; i < 98; i++)
        tally_late(a, 1000000000 + 5000);
    tally_late(b, 1000000000 + 95000);
    tally_late(b, 1000000000 + INT64_C(60000000)); /* above all bins */
    tally_merge(sum, a);
    tally_merge(sum, b);
    assert_in_range(tally_late_share(sum, 0.5), 10000, 10000 + HISTOGRAM_BIN_US);
    assert_in_range(tally_late_share(sum, 0.98), 10000, 10000 + HISTOGRAM_BIN_US);
    assert_in_range(tally_late_share(sum, 0.99), 100000, 100000 + HISTOGRAM_BIN_US);
    assert_true(tally_late_share(sum, 1) > 14000000);
    free(a);
    free(b);
    free(sum);
}

static void tracks_and_reasons_add_up(void **state)
{
    struct tally *a = malloc(sizeof *a), *sum = malloc(sizeof *sum);
    struct course one = { 0 };
    uint64_t bytes, given_up;

    (void)state;
    assert_non_null(a);
    assert_non_null(sum);
    tally_init(a);
    tally_init(sum);
    assert_int_equal(tally_track(a, "x"), 0);
    assert_int_equal(tally_track(a, "y"), 1);
    assert_int_equal(tally_track(a, "x"), 0);
    tally_object(a, 1, &one, 7, 0, 30);
    for (int i = 0; i < 20; i++)
        tally_fail(a, i % 2 ? "this" : "that");
    tally_track(sum, "z");
    tally_merge(sum, a);
    tally_merge(sum, a);
    assert_int_equal(tally_objects(sum, &bytes, &given_up).objects, 2);
    assert_int_equal(bytes, 60);
    assert_string_equal(sum->track[2].name, "y");
    assert_int_equal(sum->track[2].count.objects, 2);
    assert_int_equal(sum->failed, 40);
    assert_int_equal(sum->reason[1].n, 20);
    assert_int_equal(sum->reason[2].n, 0);
    free(a);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_missing_of_what_came, begin_again),
        cmocka_unit_test_setup(overtaking_is_not_missing, begin_again),
        cmocka_unit_test_setup(a_hole_is_missing_once_its_group_is_over, begin_again),
        cmocka_unit_test_setup(the_end_of_a_group_is_known_from_others, begin_again),
        cmocka_unit_test_setup(whole_groups_are_missing, begin_again),
        cmocka_unit_test_setup(what_came_before_the_beginning_is_not_missing, begin_again),
        cmocka_unit_test_setup(what_comes_after_its_group_is_stale, begin_again),
        cmocka_unit_test_setup(a_leap_ends, begin_again),
        cmocka_unit_test(lateness_counts_from_the_least_of_all_threads),
        cmocka_unit_test(tracks_and_reasons_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
