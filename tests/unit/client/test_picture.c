/* test_picture.c - the picture window and the account of layers that is kept from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layers.h"
#include "picture.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t data[64] = { 1, 2, 3 };

static struct svc_unit unit(uint64_t picture, uint8_t s, uint8_t t)
{
    return (struct svc_unit){ .bytes = data,
                              .len = 8,
                              .picture = picture,
                              .pts = (int64_t)picture * 1000,
                              .layer = { s, t } };
}

static int make(void **state)
{
    *state = calloc(1, sizeof(struct picture_window));
    return *state ? 0 : -1;
}

static int destroy(void **state)
{
    picture_window_clear(*state);
    free(*state);
    return 0;
}

static enum picture_result put(struct picture_window *w, uint64_t n, uint8_t s, uint8_t t)
{
    struct svc_unit u = unit(n, s, t);
    return picture_window_put(w, &u, (int64_t)n);
}

static void test_table(void **state)
{
    struct picture_window *w = *state;
    static const struct {
        uint64_t n;
        uint8_t s, t;
        enum picture_result result;
    } rows[] = {
        { 1000, 0, 0, PICTURE_TAKEN },
        { 1002, 1, 0, PICTURE_TAKEN }, /* upper layer first, out of order */
        { 1001, 0, 1, PICTURE_TAKEN },
        { 1000, 0, 0, PICTURE_DUPLICATE },
        { 1000, 1, 1, PICTURE_BAD }, /* another temporal layer than its base */
        { 1000, 4, 0, PICTURE_BAD },
        { 1000, 0, 4, PICTURE_BAD },
        { 1000 - PICTURE_WINDOW / 2, 0, 0, PICTURE_TAKEN },
        { 999 - PICTURE_WINDOW / 2, 0, 0, PICTURE_STALE },
        { 1000 + PICTURE_WINDOW / 2 - 1, 0, 0, PICTURE_TAKEN },
        { 1000 + PICTURE_WINDOW / 2, 0, 0, PICTURE_AHEAD },
        { UINT64_MAX, 0, 0, PICTURE_AHEAD },
        { 0, 0, 0, PICTURE_STALE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(put(w, rows[i].n, rows[i].s, rows[i].t), rows[i].result);
    assert_int_equal(picture_window_next(w, 1001)->number, 1001);
    assert_int_equal(picture_window_next(w, 1003)->number, 1000 + PICTURE_WINDOW / 2 - 1);
    assert_null(picture_window_get(w, 1003));
    assert_null(picture_window_get(w, 1000 + PICTURE_WINDOW)); /* shares a slot, is another */
}

static void test_forget(void **state)
{
    struct picture_window *w = *state;
    for (uint64_t n = 10; n < 100; n++)
        put(w, n, 0, 0);
    assert_int_equal(w->bytes, 90 * 8);
    picture_window_forget_before(w, 60);
    assert_int_equal(w->bytes, 40 * 8);
    assert_int_equal(put(w, 59, 1, 0), PICTURE_STALE);
    assert_int_equal(put(w, 60 + PICTURE_WINDOW - 1, 0, 0), PICTURE_TAKEN);
    picture_window_forget_before(w, 5); /* never back */
    assert_int_equal(w->floor, 60);
    picture_window_forget_before(w, 1000000);
    assert_int_equal(w->bytes, 0);
    assert_null(picture_window_next(w, 0));
    assert_int_equal(put(w, 1000000, 0, 0), PICTURE_TAKEN);
}

static void test_consume(void **state)
{
    struct picture_window *w = *state;
    put(w, 7, 0, 0);
    put(w, 7, 1, 0);
    struct picture *p = picture_window_get(w, 7);
    picture_window_consume(w, p, 0);
    assert_null(p->layer[0].unit.bytes);
    assert_true(p->layer[0].decoded);
    assert_int_equal(w->bytes, 8);
    assert_int_equal(put(w, 7, 0, 0), PICTURE_DUPLICATE);
}

static void test_bytes_are_bounded(void **state)
{
    struct picture_window *w = *state;
    uint8_t *large = calloc(1, SVC_UNIT_MAX);
    struct svc_unit u = unit(0, 0, 0);
    enum picture_result result = PICTURE_TAKEN;
    u.bytes = large;
    u.len = SVC_UNIT_MAX + 1;
    assert_int_equal(picture_window_put(w, &u, 0), PICTURE_BAD);
    u.len = 0;
    assert_int_equal(picture_window_put(w, &u, 0), PICTURE_BAD);
    u.len = SVC_UNIT_MAX;
    for (u.picture = 0; u.picture < 200 && result == PICTURE_TAKEN; u.picture++)
        result = picture_window_put(w, &u, 0);
    assert_int_equal(result, PICTURE_FULL);
    assert_true(w->bytes <= PICTURE_BYTES_MAX);
    free(large);
}

/* Any order of any numbers: the sum of bytes and the bounds hold. */
static void test_shuffle(void **state)
{
    struct picture_window *w = *state;
    uint32_t random = 7;
    for (int i = 0; i < 100000; i++) {
        random = random * 1664525u + 1013904223u;
        uint64_t n = (uint64_t)i / 20 + (random >> 20) % 700;
        put(w, n, (uint8_t)(random >> 8 & 3), 0);
        if (i % 1000 == 0)
            picture_window_forget_before(w, n > 300 ? n - 300 : 0);
    }
    size_t bytes = 0;
    for (struct picture *p = picture_window_next(w, 0); p;
         p = picture_window_next(w, p->number + 1))
        for (int s = 0; s < SVC_SPATIAL_MAX; s++)
            bytes += p->layer[s].unit.bytes ? p->layer[s].unit.len : 0;
    assert_int_equal(bytes, w->bytes);
}

static void test_temporal_pattern(void **state)
{
    (void)state;
    struct layers l = { .n_spatial = 1, .n_temporal = 3, .last_t0 = 8 };
    static const uint8_t expected[] = { 0, 2, 1, 2, 0, 2, 1, 2 };
    for (uint64_t n = 8; n < 16; n++)
        assert_int_equal(layers_temporal(&l, NULL, n), expected[n - 8]);
    l.n_temporal = 2;
    assert_int_equal(layers_temporal(&l, NULL, 9), 1);
    assert_int_equal(layers_temporal(&l, NULL, 10), 0);
    l.n_temporal = 1;
    assert_int_equal(layers_temporal(&l, NULL, 9), 0);
}

static void test_account(void **state)
{
    struct picture_window *w = *state;
    struct layers l = { .n_spatial = 2, .n_temporal = 2 };
    for (int s = 0; s < 2; s++)
        for (int t = 0; t < 2; t++)
            l.subscribed[s][t] = true;
    put(w, 0, 0, 0);
    put(w, 2, 0, 0);
    put(w, 2, 1, 0);
    layers_passed(&l, 0, picture_window_get(w, 0), false); /* before the first: not counted */
    layers_passed(&l, 1, NULL, false);
    layers_passed(&l, 2, picture_window_get(w, 2), true);
    layers_shown(&l, (struct svc_layer){ 1, 0 });
    layers_passed(&l, 3, NULL, false); /* nothing came: a T1 by its place */
    struct svc_unit late = unit(3, 0, 1), early = unit(1, 0, 1), next = unit(4, 0, 0);
    layers_arrived(&l, &late);
    layers_arrived(&l, &early);
    layers_arrived(&l, &next);
    assert_int_equal(l.base_lost, 1);
    assert_int_equal(l.count[0][0].expected, 1);
    assert_int_equal(l.count[0][0].in_time, 1);
    assert_int_equal(l.count[1][0].shown, 1);
    assert_int_equal(l.count[0][1].expected, 1);
    assert_int_equal(l.count[0][1].in_time, 0);
    assert_int_equal(l.count[0][1].arrived, 1);
    assert_int_equal(l.count[1][1].expected, 1);
    assert_int_equal(l.count[0][0].arrived, 1);
    layers_passed(&l, 3, picture_window_get(w, 3), true); /* a second turn counts once */
    assert_int_equal(l.count[0][1].expected, 1);
}

static void test_layers_not_asked_for(void **state)
{
    (void)state;
    struct layers l = { .n_spatial = 1, .n_temporal = 2 };
    struct picture p = { .used = true };
    l.subscribed[0][0] = true;
    p.layer[0].decoded = true;
    layers_passed(&l, 0, &p, true);
    layers_passed(&l, 1, NULL, false);
    assert_int_equal(l.base_lost, 0);
    assert_int_equal(l.count[0][1].expected, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_table),   T(test_forget),           T(test_consume), T(test_bytes_are_bounded),
        T(test_shuffle), T(test_temporal_pattern), T(test_account), T(test_layers_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
