/* test_window.c - what was put is read as it was, until it is too old or overwritten; one thread
 * writes while others read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "window.h"

#define SPAN_US 10000000
#define PERIOD_US 100000
#define GROUP 5 /* objects */
#define OBJECT_MAX 70000

static struct window *make(uint64_t bytes, const char *folder)
{
    const struct window_config cfg = { .folder = folder, .span_us = SPAN_US, .bytes_max = bytes };
    struct window *w;
    char why[200];

    assert_int_equal(window_new(&w, &cfg, why, sizeof why), 0);
    return w;
}

static size_t length_of(uint64_t n)
{
    return (size_t)(n * 7919 % OBJECT_MAX);
}

static uint8_t byte_of(size_t track, uint64_t n)
{
    return (uint8_t)(n * 31 + track * 7 + 1);
}

static int put(struct window *w, size_t track, uint64_t n)
{
    static uint8_t payload[2][OBJECT_MAX];
    uint8_t props[3];

    memset(props, (int)n, sizeof props);
    memset(payload[track], byte_of(track, n), length_of(n));
    const struct moq_object obj = { .group = 100 + n / GROUP,
                                    .object = n % GROUP,
                                    .subgroup = n % GROUP,
                                    .priority = (uint8_t)(track + 3),
                                    .properties = { props, sizeof props },
                                    .payload = { payload[track], length_of(n) } };
    return window_put(w, track, &obj, (int64_t)n * PERIOD_US, 5000000 + n * PERIOD_US, 1000 + n);
}

/* It is what was put, in all its bytes. */
static bool as_put(size_t track, const struct window_object *o)
{
    const uint64_t n = (o->moq.group - 100) * GROUP + o->moq.object;

    if (o->moq.payload.len != length_of(n) || o->pts != (int64_t)n * PERIOD_US ||
        o->moq.priority != track + 3 || o->moq.properties.len != 3 ||
        o->moq.properties.bytes[2] != (uint8_t)n)
        return false;
    for (size_t i = 0; i < o->moq.payload.len; i++)
        if (o->moq.payload.bytes[i] != byte_of(track, n))
            return false;
    return true;
}

static struct moq_location place(uint64_t n)
{
    return (struct moq_location){ 100 + n / GROUP, n % GROUP };
}

static void read_as_it_was_put(void **state)
{
    struct window *w = make(8u << 20, NULL);
    struct window_object o = { 0 };
    struct moq_location first, last;

    (void)state;
    assert_false(window_range(w, 1, &first, &last));
    assert_int_equal(window_read(w, 1, place(0), &o), 0);
    for (uint64_t n = 0; n < 20; n++)
        assert_int_equal(put(w, 1, n), 0);
    for (uint64_t n = 0; n < 20; n++) {
        assert_int_equal(window_read(w, 1, place(n), &o), 1);
        assert_true(as_put(1, &o));
        assert_int_equal(o.moq.object, n % GROUP);
    }
    /* between two groups: the next one */
    assert_int_equal(window_read(w, 1, (struct moq_location){ 100, 77 }, &o), 1);
    assert_int_equal(o.moq.group, 101);
    assert_int_equal(window_read(w, 1, place(20), &o), 0);
    assert_int_equal(window_read(w, 0, place(0), &o), 0);
    assert_true(window_range(w, 1, &first, &last));
    assert_int_equal(first.group, 100);
    assert_int_equal(last.group, 103);
    assert_int_equal(last.object, 4);
    assert_int_equal(put(w, 1, 19), -1); /* not in order */
    assert_int_equal(errno, EINVAL);
    window_object_fini(&o);
    window_unref(w);
}

static void what_is_too_old_goes(void **state)
{
    struct window *w = make(64u << 20, "/tmp");
    struct moq_location first, last;
    struct window_time t[100];

    (void)state;
    for (uint64_t n = 0; n < 333; n++)
        assert_int_equal(put(w, 0, n), 0);
    assert_true(window_range(w, 0, &first, &last));
    assert_int_equal(first.object, 0);
    assert_int_equal(first.group, 147); /* 332 - 100 = 232, the next group begins at 235 */
    assert_in_range(window_span_us(w), SPAN_US - PERIOD_US, SPAN_US);
    const size_t n = window_groups(w, 0, t, 100);
    assert_int_equal(n, 20);
    assert_int_equal(t[0].group, 147);
    assert_int_equal(t[0].pts, 235 * PERIOD_US);
    assert_int_equal(t[0].wall_ms, 1235);
    assert_int_equal(window_groups(w, 0, t, 3), 3); /* the newest */
    assert_int_equal(t[2].group, 166);
    window_unref(w);
}

/* 1 MiB for objects of 35 kB: some thirty are there at a time, whole, of two tracks. */
static void what_is_overwritten_goes(void **state)
{
    struct window *w = make(WINDOW_BYTES_MIN, NULL);
    struct window_object o = { 0 };

    (void)state;
    for (uint64_t n = 0; n < 300; n++) {
        assert_int_equal(put(w, n & 1, n), 0);
        unsigned there = 0;
        for (size_t track = 0; track < 2; track++) {
            struct moq_location from = { 0, 0 };
            while (window_read(w, track, from, &o) == 1) {
                assert_true(as_put(track, &o));
                from = (struct moq_location){ o.moq.group, o.moq.object + 1 };
                there++;
            }
        }
        assert_true(there > (n < 15 ? n : 15) && there < 60);
    }
    window_object_fini(&o);
    window_unref(w);
}

static struct window *shared;
static _Atomic bool over;

static void *reader(void *arg)
{
    struct window_object o = { 0 };
    uintptr_t wrong = 0;

    (void)arg;
    while (!over) {
        struct moq_location from = { 0, 0 };
        while (window_read(shared, 0, from, &o) == 1) {
            wrong += !as_put(0, &o);
            from = (struct moq_location){ o.moq.group, o.moq.object + 1 };
        }
    }
    window_object_fini(&o);
    return (void *)wrong; /* NOLINT: a count */
}

static void readers_see_whole_objects(void **state)
{
    pthread_t t[2];
    void *wrong;

    (void)state;
    shared = make(WINDOW_BYTES_MIN, NULL);
    over = false;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, reader, NULL), 0);
    for (uint64_t n = 0; n < 2000; n++)
        assert_int_equal(put(shared, 0, n), 0);
    over = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    window_unref(shared);
}

static void no_room_is_said(void **state)
{
    const struct window_config none = { "/nonexistent/folder", SPAN_US, WINDOW_BYTES_MIN };
    const struct window_config much = { "/tmp", SPAN_US, WINDOW_BYTES_MAX };
    struct window *w;
    char why[200];

    (void)state;
    assert_int_equal(window_new(&w, &none, why, sizeof why), -1);
    assert_non_null(strstr(why, "/nonexistent/folder: no room for a window"));
    assert_int_equal(window_new(&w, &much, why, sizeof why), -1);
    assert_non_null(strstr(why, "/tmp: no room"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_as_it_was_put),       cmocka_unit_test(what_is_too_old_goes),
        cmocka_unit_test(what_is_overwritten_goes), cmocka_unit_test(readers_see_whole_objects),
        cmocka_unit_test(no_room_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
