/* test_recvbuf.c - any order, any overlap under seeds; sizes and limits with their errors. */
#include "unit.h"

#include "recvbuf.h"

#define TOTAL 200000

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 37 + (offset >> 9));
}

/* Window of the reader; pieces anywhere in it, overlapping; the reader takes odd amounts. */
static void any_order_comes_out_right(void **state)
{
    (void)state;
    enum { WINDOW = 30000 };
    uint8_t *all = malloc(TOTAL);
    for (uint64_t i = 0; i < TOTAL; i++)
        all[i] = byte_at(i);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t dice = seed;
        uint64_t read = 0, risen = 0;
        struct tvl_recvbuf b;
        tvl_recvbuf_init(&b);
        for (unsigned step = 0; read < TOTAL; step++) {
            assert_true(step < 1000000);
            uint64_t at = seeded_below(&dice, 3) == 0 ? read : read + seeded_below(&dice, WINDOW);
            if (at > 500 && seeded_below(&dice, 4) == 0)
                at -= 500;
            uint64_t len = seeded_below(&dice, 1500);
            uint64_t limit = read + WINDOW < TOTAL ? read + WINDOW : TOTAL;
            if (at > limit)
                at = limit;
            if (len > limit - at)
                len = limit - at;
            int64_t rise = tvl_recvbuf_take(&b, at, all + at, (size_t)len, limit);
            assert_true(rise >= 0);
            risen += (uint64_t)rise;
            assert_int_equal(risen, b.highest);
            if (at + len == TOTAL)
                assert_int_equal(tvl_recvbuf_finish(&b, TOTAL), 0);
            uint8_t out[4000];
            size_t n = tvl_recvbuf_read(&b, out, (size_t)seeded_below(&dice, sizeof(out)));
            for (size_t i = 0; i < n; i++)
                assert_int_equal(out[i], byte_at(read + i));
            read += n;
            assert_true(b.cap <= 2 * WINDOW + 4096);
        }
        assert_true(tvl_recvbuf_complete(&b) || b.final_size == TVL_SIZE_UNKNOWN);
        tvl_recvbuf_fini(&b);
    }
    free(all);
}

/* What was read stays to be looked at, as much as was asked for, whatever else the ring has to do.
 */
static void what_was_read_is_kept(void **state)
{
    (void)state;
    enum { WINDOW = 30000, KEEP = 7000 };
    uint8_t *all = malloc(TOTAL), out[4000];
    for (uint64_t i = 0; i < TOTAL; i++)
        all[i] = byte_at(i);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t dice = seed, read = 0, first = UINT64_MAX;
        const uint64_t since = seeded_below(&dice, 3) * 40000;
        struct tvl_recvbuf b;
        tvl_recvbuf_init(&b);
        while (read < TOTAL - 1) { /* not to the end: there the ring goes */
            if (read >= since && first == UINT64_MAX) {
                tvl_recvbuf_keep(&b, KEEP);
                first = read;
            }
            const uint64_t limit = read + WINDOW < TOTAL ? read + WINDOW : TOTAL;
            const uint64_t at =
                seeded_below(&dice, 2) ? read : read + seeded_below(&dice, limit - read);
            const uint64_t want = seeded_below(&dice, 3000);
            const uint64_t len = want < limit - at ? want : limit - at;
            assert_true(tvl_recvbuf_take(&b, at, all + at, (size_t)len, limit) >= 0);
            const uint64_t most = TOTAL - 1 - read;
            const uint64_t cap = seeded_below(&dice, 1 + (most < sizeof(out) ? most : sizeof(out)));
            read += tvl_recvbuf_read(&b, out, (size_t)cap);
            if (seeded_below(&dice, 8) == 0)
                tvl_recvbuf_trim(&b);
            const uint64_t least = read > KEEP ? read - KEEP : 0;
            const uint64_t from = first > least ? first : least;
            assert_true(b.base - b.kept <= KEEP);
            if (from >= read)
                continue;
            const uint64_t place = from + seeded_below(&dice, read - from);
            const size_t n = (size_t)seeded_below(&dice, read - place + 1) % sizeof(out);
            assert_true(tvl_recvbuf_has(&b, place, n));
            tvl_recvbuf_copy(&b, place, n, out);
            assert_memory_equal(out, all + place, n);
            assert_false(b.kept > 0 && tvl_recvbuf_has(&b, b.kept - 1, 1));
        }
        tvl_recvbuf_fini(&b);
    }
    free(all);
}

static void the_first_copy_of_a_byte_counts(void **state)
{
    (void)state;
    struct tvl_recvbuf b;
    uint8_t out[10];
    size_t len;
    tvl_recvbuf_init(&b);
    assert_int_equal(tvl_recvbuf_take(&b, 2, (const uint8_t *)"cd", 2, 100), 4);
    assert_null(tvl_recvbuf_peek(&b, &len));
    assert_int_equal(tvl_recvbuf_take(&b, 0, (const uint8_t *)"abXXef", 6, 100), 2);
    assert_non_null(tvl_recvbuf_peek(&b, &len));
    assert_int_equal(len, 6);
    assert_int_equal(tvl_recvbuf_read(&b, out, sizeof(out)), 6);
    assert_memory_equal(out, "abcdef", 6);
    assert_int_equal(tvl_recvbuf_take(&b, 0, (const uint8_t *)"zzzz", 4, 100), 0);
    assert_int_equal(tvl_recvbuf_readable(&b), 0);
    tvl_recvbuf_fini(&b);
}

static void sizes_and_limits(void **state)
{
    (void)state;
    struct tvl_recvbuf b;
    static const uint8_t zeroes[100];
    tvl_recvbuf_init(&b);
    assert_int_equal(tvl_recvbuf_take(&b, 90, zeroes, 11, 100), -TVL_WIRE_FLOW_CONTROL_ERROR);
    assert_int_equal(tvl_recvbuf_take(&b, 0, zeroes, 50, 100), 50);
    assert_int_equal(tvl_recvbuf_finish(&b, 49), -TVL_WIRE_FINAL_SIZE_ERROR);
    assert_int_equal(tvl_recvbuf_finish(&b, 60), 0);
    assert_int_equal(tvl_recvbuf_finish(&b, 60), 0);
    assert_int_equal(tvl_recvbuf_finish(&b, 61), -TVL_WIRE_FINAL_SIZE_ERROR);
    assert_int_equal(tvl_recvbuf_take(&b, 50, zeroes, 11, 100), -TVL_WIRE_FINAL_SIZE_ERROR);
    assert_false(tvl_recvbuf_complete(&b));
    assert_int_equal(tvl_recvbuf_take(&b, 50, zeroes, 10, 100), 10);
    assert_true(tvl_recvbuf_complete(&b));
    tvl_recvbuf_skip(&b, 60);
    assert_true(tvl_recvbuf_at_end(&b));
    tvl_recvbuf_fini(&b);

    tvl_recvbuf_init(&b);
    tvl_recvbuf_drop(&b);
    assert_int_equal(tvl_recvbuf_take(&b, 10, zeroes, 10, 100), 20);
    assert_null(b.ring);
    tvl_recvbuf_fini(&b);
}

static void crumbs_without_end_are_an_abuse(void **state)
{
    (void)state;
    struct tvl_recvbuf b;
    int64_t res = 0;
    tvl_recvbuf_init(&b);
    for (uint64_t i = 0; res >= 0; i++) {
        assert_true(i <= TVL_RECVBUF_RANGES_MAX);
        res = tvl_recvbuf_take(&b, 2 * i + 1, (const uint8_t *)"x", 1, UINT64_MAX);
    }
    assert_int_equal(res, -TVL_WIRE_INTERNAL_ERROR);
    tvl_recvbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_comes_out_right),       cmocka_unit_test(what_was_read_is_kept),
        cmocka_unit_test(the_first_copy_of_a_byte_counts), cmocka_unit_test(sizes_and_limits),
        cmocka_unit_test(crumbs_without_end_are_an_abuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
