/* test_deps.c - dependencies as bytes, the tracker's table, the reference structure's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "obu.h"
#include "structure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void deps_go_and_come_back(void **state)
{
    (void)state;
    static const struct {
        uint64_t picture;
        struct svc_deps deps;
        uint8_t bytes[16];
        int len;
    } table[] = {
        { 0, { .refreshes = 0xff }, { 0xff, 0 }, 2 },
        { 9, { .refreshes = 2, .n_reads = 1, .reads = { { 7, 3, 9 } } }, { 2, 1, 0xf8 }, 3 },
        { 9, { .n_reads = 1, .reads = { { 1, 1, 3 } } }, { 0, 1, 0x2e }, 3 },
        { 9, { .n_reads = 1, .reads = { { 1, 1, 2 } } }, { 0, 1, 0x2f, 0 }, 4 },
        { 1000,
          { .n_reads = 2, .reads = { { 0, 0, 998 }, { 4, 2, 0 } } },
          { 0, 2, 0x02, 0x97, 0xe1, 0x07 },
          6 },
        { UINT64_C(1) << 33,
          { .n_reads = 1, .reads = { { 0, 0, (UINT64_C(1) << 33) - UINT32_MAX } } },
          { 0, 1, 0x07, 0xf8, 0xff, 0xff, 0xff, 0x0f },
          8 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t out[SVC_DEPS_MAX_BYTES];
        struct svc_deps back;
        assert_int_equal(svc_deps_encode(&table[i].deps, table[i].picture, out, sizeof(out)),
                         table[i].len);
        assert_memory_equal(out, table[i].bytes, (size_t)table[i].len);
        assert_int_equal(svc_deps_decode(&back, table[i].picture, out, (size_t)table[i].len), 0);
        assert_memory_equal(&back, &table[i].deps, sizeof(back));
        for (int cap = 0; cap < table[i].len; cap++) {
            assert_int_equal(svc_deps_encode(&table[i].deps, table[i].picture, out, (size_t)cap),
                             SVC_ERR_ARG);
            assert_int_equal(svc_deps_decode(&back, table[i].picture, out, (size_t)cap),
                             SVC_ERR_FORMAT);
        }
    }
}

static void the_longest_deps_fit(void **state)
{
    (void)state;
    struct svc_deps deps = { .refreshes = 0xff, .n_reads = SVC_SLOTS };
    uint8_t out[SVC_DEPS_MAX_BYTES];
    for (uint8_t i = 0; i < SVC_SLOTS; i++)
        deps.reads[i] = (struct svc_read){ i, 3, 1 };
    assert_true(svc_deps_encode(&deps, UINT32_MAX, out, sizeof(out)) > 0);
    assert_int_equal(svc_deps_encode(&deps, UINT64_C(1) << 40, out, sizeof(out)), SVC_ERR_ARG);
}

static void wrong_deps_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[8];
        size_t len;
    } table[] = {
        { "empty", { 0 }, 0 },
        { "nine reads", { 0, 9 }, 2 },
        { "one byte too many", { 0, 0, 0 }, 3 },
        { "a slot twice", { 0, 2, 0x20, 0x21 }, 4 },
        { "before picture 0", { 0, 1, 0x06 }, 3 },
        { "overlong number", { 0, 1, 0x07, 0x80, 0x00 }, 5 },
        { "endless number", { 0, 1, 0x07, 0x80, 0x80, 0x80, 0x80, 0x80 }, 8 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct svc_deps deps = { .refreshes = 0x5a };
        assert_int_equal(svc_deps_decode(&deps, 5, table[i].bytes, table[i].len), SVC_ERR_FORMAT);
        assert_int_equal(deps.refreshes, 0x5a); /* nothing changed */
    }
    struct svc_deps future = { .n_reads = 1, .reads = { { 0, 0, 6 } } };
    uint8_t out[8];
    assert_int_equal(svc_deps_encode(&future, 5, out, sizeof(out)), SVC_ERR_ARG);
}

static void mutated_bytes_never_crash(void **state)
{
    (void)state;
    /* A key unit's shape: sequence header, note, frame; then the same with an extension. */
    static const uint8_t seed[] = {
        0x0a, 0x0b, 0x00, 0x00, 0x00, 0x2c, 0xef, 0xbf, 0xe1, 0xbd, 0xda, 0xf9, 0x08, 0x2a,
        0x0c, 0x04, 0xff, 0xff, 'S',  'V',  'C',  'D',  0x00, 0xff, 0x01, 0x21, 0x80, 0x32,
        0x04, 0x10, 0x22, 0x33, 0x44, 0x36, 0x08, 0x04, 0x30, 0x10, 0x20, 0x40, 0x12, 0x00,
    };
    uint32_t rng = 1;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[sizeof(seed)];
        memcpy(bytes, seed, sizeof(seed));
        for (unsigned j = 0; j < 1 + i % 5; j++) {
            rng = rng * 1664525u + 1013904223u;
            bytes[(rng >> 16) % sizeof(bytes)] ^= (uint8_t)(1u << (rng >> 9 & 7));
        }
        rng = rng * 1664525u + 1013904223u;
        size_t len = i % 2 ? sizeof(bytes) : (rng >> 16) % sizeof(bytes);
        size_t from = i % 3 ? 0 : (rng >> 8) % (len + 1);
        LLVMFuzzerTestOneInput(bytes + from, len - from);
    }
}

static void tracker_table(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct svc_unit unit;
        bool decodable;
    } table[] = {
        { "nothing without a key", { .picture = 0, .deps = { 1, 1, { { 0, 0, 0 } } } }, false },
        { "key", { .picture = 4, .key = true, .deps = { .refreshes = 0xff } }, true },
        { "S1 on S0 of the same picture",
          { .picture = 4, .layer = { 1, 0 }, .deps = { 2, 1, { { 0, 0, 4 } } } },
          true },
        { "T1 on T0",
          { .picture = 5, .layer = { 0, 1 }, .deps = { 8, 1, { { 0, 0, 4 } } } },
          true },
        { "S1 expects S1 of another picture",
          { .picture = 6, .layer = { 1, 0 }, .deps = { 2, 1, { { 1, 1, 2 } } } },
          false },
        { "S1 expects S0 where S1 is",
          { .picture = 6, .layer = { 1, 0 }, .deps = { 2, 1, { { 1, 0, 4 } } } },
          false },
        { "one of two reads is missing",
          { .picture = 6, .layer = { 1, 0 }, .deps = { 2, 2, { { 1, 1, 4 }, { 0, 0, 6 } } } },
          false },
        { "S0", { .picture = 6, .deps = { 1, 1, { { 0, 0, 4 } } } }, true },
        { "both reads are there",
          { .picture = 6, .layer = { 1, 0 }, .deps = { 2, 2, { { 1, 1, 4 }, { 0, 0, 6 } } } },
          true },
        { "late T1 whose reference is gone",
          { .picture = 5, .layer = { 0, 1 }, .deps = { 8, 1, { { 0, 0, 4 } } } },
          false },
        { "next key", { .picture = 8, .key = true, .deps = { .refreshes = 0x01 } }, true },
        { "a key clears what it does not fill",
          { .picture = 9, .layer = { 1, 0 }, .deps = { 2, 1, { { 1, 1, 6 } } } },
          false },
    };
    struct svc_tracker t = { 0 };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        bool ok = svc_tracker_decodable(&t, &table[i].unit);
        if (ok != table[i].decodable)
            fail_msg("%s", table[i].what);
        if (ok)
            svc_tracker_decoded(&t, &table[i].unit);
    }
}

#define NO SVC_NO_SLOT

static void structure_table(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned spatial;
        uint64_t since_key;
        bool key;
        enum svc_from from;
        bool keep_long;
        struct svc_refs refs;
    } table[] = {
        { "L1T1", 0, 0, true, 0, false, { true, NO, NO, 0, NO } },
        { "L1T1", 0, 1, false, 0, false, { false, 0, NO, 0, NO } },
        { "L1T2", 0, 1, false, 0, false, { false, 0, NO, NO, NO } },
        { "L1T3", 0, 1, false, 0, false, { false, 0, NO, NO, NO } },
        { "L1T3", 0, 2, false, 0, false, { false, 0, NO, 1, NO } },
        { "L1T3", 0, 3, false, 0, false, { false, 1, NO, NO, NO } },
        { "L2T1", 1, 0, true, 0, false, { false, NO, 0, 1, NO } },
        { "L2T1", 1, 1, false, 0, false, { false, 1, 0, 1, NO } },
        { "L2T2", 0, 1, false, 0, false, { false, 0, NO, 2, NO } },
        { "L2T2", 1, 1, false, 0, false, { false, 1, 2, NO, NO } },
        { "L3T1", 2, 1, false, 0, false, { false, 2, 1, 2, NO } },
        { "L3T1", 2, 1, false, 0, true, { false, 2, 1, 2, 5 } },
        { "L3T2", 0, 0, true, 0, true, { true, NO, NO, 0, NO } },
        { "L3T2", 1, 0, true, 0, true, { false, NO, 0, 1, 6 } },
        { "L3T2", 2, 0, true, 0, true, { false, NO, 1, 2, 7 } },
        { "L3T2", 2, 2, false, 0, false, { false, 2, 1, 2, NO } },
        { "L3T2", 0, 1, false, 0, false, { false, 0, NO, 3, NO } },
        { "L3T2", 1, 1, false, 0, false, { false, 1, 3, 4, NO } },
        { "L3T2", 2, 1, false, 0, false, { false, 2, 4, NO, NO } },
        { "L3T2", 2, 2, false, SVC_FROM_BELOW, false, { false, NO, 1, 2, NO } },
        { "L3T2", 2, 2, false, SVC_FROM_LONG_TERM, false, { false, 7, 1, 2, NO } },
        { "L3T2", 0, 2, false, SVC_FROM_LONG_TERM, true, { false, 5, NO, 0, 5 } },
        { "L3T3", 2, 1, false, 0, false, { false, 2, 7, NO, NO } },
        { "L3T3", 1, 2, false, 0, false, { false, 1, 3, 4, NO } },
        { "L3T3", 2, 3, false, 0, false, { false, 5, 7, NO, NO } },
        { "L3T3", 2, 4, false, SVC_FROM_LONG_TERM, true, { false, NO, 1, 2, NO } },
        { "L3T3_KEY", 2, 0, true, 0, false, { false, NO, 1, 2, NO } },
        { "L3T3_KEY", 2, 4, false, 0, false, { false, 2, NO, 2, NO } },
        { "L3T3_KEY", 2, 4, false, SVC_FROM_BELOW, false, { false, NO, 1, 2, NO } },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct svc_plan plan = { .key = table[i].key, .since_key = table[i].since_key };
        struct svc_structure st;
        char name[SVC_STRUCTURE_NAME_MAX];
        plan.from[table[i].spatial] = table[i].from;
        plan.keep_long[table[i].spatial] = table[i].keep_long;
        assert_int_equal(svc_structure_parse(&st, table[i].name), 0);
        svc_structure_name(&st, name);
        assert_string_equal(name, table[i].name);
        struct svc_refs r = svc_structure_refs(&st, table[i].spatial, &plan);
        if (memcmp(&r, &table[i].refs, sizeof r) != 0)
            fail_msg("%s, layer %u, picture %u: reads %u and %u, keeps in %u and %u", table[i].name,
                     table[i].spatial, (unsigned)table[i].since_key, r.last, r.below, r.keep,
                     r.keep_long);
    }
}

static void structures_that_are_none(void **state)
{
    static const char *const bad[] = { "",     "L3",    "L3T",     "L0T1",     "L5T1",
                                       "L1T0", "L1T4",  "L4T3",    "l3t2",     "L3T2_",
                                       "3x2",  "L3T2 ", "L3T2_KE", "L3T2_KEYS" };
    struct svc_structure st;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(svc_structure_parse(&st, bad[i]), SVC_ERR_ARG);
    assert_int_equal(svc_structure_parse(&st, "L3T3"), 0);
    assert_true(svc_structure_share(&st, 0) == 0.25 && svc_structure_share(&st, 1) == 0.25 &&
                svc_structure_share(&st, 2) == 0.5);
    assert_int_equal(svc_structure_long_term(&st, 0), SVC_NO_SLOT);
    static const uint8_t temporal[] = { 0, 2, 1, 2, 0, 2, 1, 2 };
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(svc_structure_temporal(&st, i), temporal[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deps_go_and_come_back),
        cmocka_unit_test(the_longest_deps_fit),
        cmocka_unit_test(wrong_deps_are_refused),
        cmocka_unit_test(mutated_bytes_never_crash),
        cmocka_unit_test(tracker_table),
        cmocka_unit_test(structure_table),
        cmocka_unit_test(structures_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
