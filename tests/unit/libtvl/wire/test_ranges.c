/* test_ranges.c - the range set against a naive bitmap, its bounds; the heap against sorting. */
#include "unit.h"

#include <tvl/tvl.h>

#include "heap.h"
#include "ranges.h"

#define SPACE 300

static void assert_matches(const struct tvl_ranges *r, const bool *model)
{
    uint64_t total = 0;
    for (uint64_t n = 0; n < SPACE; n++) {
        total += model[n];
        assert_int_equal(tvl_ranges_contains(r, n), model[n]);
    }
    assert_int_equal(r->total, total);
    for (uint32_t i = 0; i < r->count; i++) {
        assert_true(r->v[i].from < r->v[i].to);
        if (i > 0)
            assert_true(r->v[i - 1].to < r->v[i].from);
    }
}

static void agrees_with_a_bitmap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t dice = seed;
        bool model[SPACE] = { false };
        struct tvl_ranges r;
        tvl_ranges_init(&r, SPACE, TVL_RANGES_REFUSE);
        for (unsigned step = 0; step < 500; step++) {
            uint64_t from = seeded_below(&dice, SPACE);
            uint64_t to = from + seeded_below(&dice, 20);
            uint64_t what = seeded_below(&dice, 20);
            if (to > SPACE)
                to = SPACE;
            if (what == 0) {
                tvl_ranges_forget_below(&r, from / 4);
                memset(model, 0, (size_t)(from / 4));
            } else if (what < 10) {
                assert_int_equal(tvl_ranges_remove(&r, from, to), 0);
                memset(model + from, 0, (size_t)(to - from));
            } else {
                assert_int_equal(tvl_ranges_add(&r, from, to), 0);
                memset(model + from, 1, (size_t)(to - from));
            }
            assert_matches(&r, model);
        }
        tvl_ranges_fini(&r);
    }
}

static void a_full_set_refuses_or_forgets(void **state)
{
    (void)state;
    struct tvl_ranges r;
    tvl_ranges_init(&r, 3, TVL_RANGES_REFUSE);
    for (uint64_t n = 10; n <= 30; n += 10)
        assert_int_equal(tvl_ranges_add(&r, n, n + 5), 0);
    assert_int_equal(tvl_ranges_add(&r, 40, 41), TVL_ERR_FULL);
    assert_int_equal(tvl_ranges_remove(&r, 11, 12), TVL_ERR_FULL);
    assert_int_equal(r.total, 15);
    assert_true(tvl_ranges_contains(&r, 11));
    assert_int_equal(tvl_ranges_add(&r, 35, 36), 0); /* touching needs no new range */
    tvl_ranges_fini(&r);

    tvl_ranges_init(&r, 3, TVL_RANGES_DROP_LOWEST);
    for (uint64_t n = 10; n <= 50; n += 10)
        assert_int_equal(tvl_ranges_add(&r, n, n + 5), 0);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.v[0].from, 30);
    assert_int_equal(r.total, 15);
    assert_int_equal(tvl_ranges_largest(&r), 54);
    assert_int_equal(tvl_ranges_add(&r, 1, 2), 0); /* lower than all: forgotten at once */
    assert_int_equal(r.v[0].from, 30);
    tvl_ranges_fini(&r);
}

static void looks_upwards(void **state)
{
    (void)state;
    struct tvl_ranges r;
    tvl_ranges_init(&r, 8, TVL_RANGES_REFUSE);
    assert_null(tvl_ranges_at_or_above(&r, 0));
    tvl_ranges_add(&r, 5, 10);
    tvl_ranges_add(&r, 20, 30);
    assert_int_equal(tvl_ranges_at_or_above(&r, 0)->from, 5);
    assert_int_equal(tvl_ranges_at_or_above(&r, 9)->from, 5);
    assert_int_equal(tvl_ranges_at_or_above(&r, 10)->from, 20);
    assert_null(tvl_ranges_at_or_above(&r, 30));
    tvl_ranges_fini(&r);
}

static bool is_above(const struct tvl_heap_node *n, uint64_t key, uint64_t tie)
{
    return n->key > key || (n->key == key && n->tie > tie);
}

static void heap_gives_the_next(void **state)
{
    (void)state;
    uint64_t dice = 11;
    struct tvl_heap h = { 0 };
    struct tvl_heap_node nodes[40] = { { 0 } };
    assert_int_equal(tvl_heap_reserve(&h, COUNT(nodes)), 0);
    assert_null(tvl_heap_after(&h, 0, 0, 0));
    for (unsigned step = 0; step < 20000; step++) {
        struct tvl_heap_node *n = &nodes[seeded_below(&dice, COUNT(nodes))];
        const uint64_t key = seeded_below(&dice, 11), tie = seeded_below(&dice, COUNT(nodes));
        if (n->pos != 0) {
            tvl_heap_remove(&h, n);
        } else {
            n->key = seeded_below(&dice, 10);
            n->tie = (uint64_t)(n - nodes);
            tvl_heap_push(&h, n);
        }
        const struct tvl_heap_node *best = NULL;
        for (size_t i = 0; i < COUNT(nodes); i++)
            if (nodes[i].pos != 0 && is_above(&nodes[i], key, tie) &&
                (best == NULL || is_above(best, nodes[i].key, nodes[i].tie)))
                best = &nodes[i];
        assert_ptr_equal(tvl_heap_after(&h, key, 0, tie), best);
    }
    tvl_heap_fini(&h);
}

static void heap_gives_the_smallest(void **state)
{
    (void)state;
    uint64_t dice = 9;
    struct tvl_heap h = { 0 };
    struct tvl_heap_node nodes[200] = { { 0 } };
    assert_int_equal(tvl_heap_reserve(&h, COUNT(nodes)), 0);
    for (unsigned step = 0; step < 20000; step++) {
        struct tvl_heap_node *n = &nodes[seeded_below(&dice, COUNT(nodes))];
        if (n->pos != 0) {
            tvl_heap_remove(&h, n);
        } else {
            n->key = seeded_below(&dice, 10);
            n->tie = (uint64_t)(n - nodes);
            tvl_heap_push(&h, n);
        }
        const struct tvl_heap_node *best = NULL;
        for (size_t i = 0; i < COUNT(nodes); i++)
            if (nodes[i].pos != 0 && (best == NULL || nodes[i].key < best->key))
                best = &nodes[i];
        assert_ptr_equal(tvl_heap_first(&h), best);
    }
    tvl_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_bitmap), cmocka_unit_test(a_full_set_refuses_or_forgets),
        cmocka_unit_test(looks_upwards),        cmocka_unit_test(heap_gives_the_smallest),
        cmocka_unit_test(heap_gives_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
