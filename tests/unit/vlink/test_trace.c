/* test_trace.c - Mahimahi traces: good and bad texts, the loop, the first opportunity after a time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "trace.h"

#define MS 1000000ull

static const struct row {
    const char *text;
    int n;           /* lines expected, -1: refused */
    const char *why; /* a part of the line */
} rows[] = {
    { "1\n2\n3\n", 3, NULL },
    { "0\n0\n5", 3, NULL },
    { "  7 \r\n\n9\n", 2, NULL },
    { "4294967295\n", 1, NULL },
    { "", -1, "no delivery" },
    { "0\n0\n", -1, "no delivery" },
    { "\n\n", -1, "no delivery" },
    { "3\n2\n", -1, "line 2 goes back" },
    { "1\nx\n", -1, "line 2 is not" },
    { "-1\n", -1, "line 1 is not" },
    { "1 2\n", -1, "line 1 is not" },
    { "1.5\n", -1, "line 1 is not" },
    { "4294967296\n", -1, "line 1 is not" },
    { "99999999999999999999999999\n", -1, "line 1 is not" },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vlink_trace t = { 0 };
        char why[128] = "";
        int result = vlink_trace_parse(&t, rows[i].text, strlen(rows[i].text), why, sizeof why);
        assert_int_equal(result, rows[i].n < 0 ? -1 : 0);
        assert_int_equal(t.n, rows[i].n < 0 ? 0 : rows[i].n);
        if (rows[i].why)
            assert_non_null(strstr(why, rows[i].why));
        vlink_trace_fini(&t);
    }
}

static void test_mutated_texts(void **state)
{
    (void)state;
    static const char seed_text[] = "0\n1\n1\n3\n10\n250\n1000\n";
    struct vlink_rng rng;
    vlink_rng_init(&rng, 1, 0);
    for (int round = 0; round < 20000; round++) {
        size_t len = vlink_rng_below(&rng, sizeof seed_text);
        char *text = malloc(len + 1); /* exact size: the sanitizer sees a byte too many */
        memcpy(text, seed_text, len);
        for (uint64_t k = vlink_rng_below(&rng, 4); k > 0 && len > 0; k--)
            text[vlink_rng_below(&rng, len)] = (char)vlink_rng_next(&rng);
        struct vlink_trace t = { 0 };
        char why[128];
        if (vlink_trace_parse(&t, text, len, why, sizeof why) == 0) {
            assert_true(t.n > 0 && t.ms[t.n - 1] > 0);
            for (size_t i = 1; i < t.n; i++)
                assert_true(t.ms[i] >= t.ms[i - 1]);
        }
        vlink_trace_fini(&t);
        free(text);
    }
}

static void test_loop(void **state)
{
    (void)state;
    uint32_t ms[] = { 0, 3, 3, 10 };
    struct vlink_trace t = { .ms = ms, .n = 4 };
    static const uint32_t at_ms[] = { 0, 3, 3, 10, 10, 13, 13, 20, 20, 23 };
    for (uint64_t k = 0; k < 10; k++)
        assert_int_equal(vlink_trace_at(&t, k), at_ms[k] * (uint64_t)MS);
    static const struct {
        uint64_t ns, k;
    } after[] = { { 0, 1 },       { 3 * MS - 1, 1 }, { 3 * MS, 3 },  { 10 * MS - 1, 3 },
                  { 10 * MS, 5 }, { 12 * MS, 5 },    { 13 * MS, 7 }, { 20 * MS, 9 } };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        assert_int_equal(vlink_trace_after(&t, after[i].ns), after[i].k);
    assert_int_equal(vlink_trace_mean_bps(&t), 4 * 1500 * 8 * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_mutated_texts),
        cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
