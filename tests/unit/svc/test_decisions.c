/* test_decisions.c - what is logged is decided again, and what would be decided otherwise is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "svc/decisions.h"
#include "svc/svc.h"

struct in {
    uint64_t u64;
    int64_t i64;
    uint32_t u32[2][2];
    int32_t i32;
    uint8_t u8;
    bool flag;
};
struct out {
    int64_t sum;
    bool grown;
};

static const struct decision_field in_fields[] = {
    DECISION_FIELD(struct in, u64, DECISION_U64),
    DECISION_FIELD(struct in, i64, DECISION_I64),
    DECISION_FIELD(struct in, u32, DECISION_U32),
    DECISION_FIELD(struct in, i32, DECISION_I32),
    DECISION_FIELD(struct in, u8, DECISION_U8),
    DECISION_FIELD(struct in, flag, DECISION_BOOL),
    { 0 },
};
static const struct decision_field out_fields[] = {
    DECISION_FIELD(struct out, sum, DECISION_I64),
    DECISION_FIELD(struct out, grown, DECISION_BOOL),
    { 0 },
};

/* Everything of the input counts, and what was before. */
static void add(void *state, const void *in, void *out)
{
    int64_t *sum = state, before = *sum;
    const struct in *i = in;
    struct out *o = out;

    *sum += (int64_t)i->u64 % 1000 + i->i64 + i->u32[0][0] + i->u32[0][1] + i->u32[1][0] +
            i->u32[1][1] + i->i32 + i->u8 + i->flag;
    *o = (struct out){ *sum, *sum > before };
}

static void add_otherwise(void *state, const void *in, void *out)
{
    add(state, in, out);
    if (((const struct in *)in)->u8 == 7)
        ((struct out *)out)->sum++;
}

static const struct decision honest[] = {
    { "add", in_fields, out_fields, sizeof(struct in), sizeof(struct out), add },
    { 0 },
};
static const struct decision altered[] = {
    { "add", in_fields, out_fields, sizeof(struct in), sizeof(struct out), add_otherwise },
    { 0 },
};

static void record(FILE *log)
{
    int64_t sum[2] = { 0 };

    for (unsigned i = 0; i < 20; i++) {
        const struct in in = { .u64 = UINT64_MAX - i,
                               .i64 = -(INT64_C(1) << 55) - i,
                               .u32 = { { UINT32_MAX, i }, { 0, 1 } },
                               .i32 = INT32_MIN,
                               .u8 = (uint8_t)(i % 9),
                               .flag = i % 2 };
        struct out out;

        decision_make(log, honest, i % 2 ? UINT32_MAX : 0, &sum[i % 2], &in, &out);
    }
    rewind(log);
}

static struct decision_verdict replay(const struct decision *table)
{
    FILE *log = tmpfile();
    const struct decision_policy policy = { table, sizeof(int64_t) };
    struct decision_verdict v;

    record(log);
    assert_int_equal(decision_replay(log, &policy, &v), 0);
    assert_int_equal(v.made, 20);
    fclose(log);
    return v;
}

static void what_is_recorded_is_decided_again(void **state)
{
    const struct decision_verdict v = replay(honest);

    (void)state;
    assert_int_equal(v.differed, 0);
    assert_int_equal(v.line, 0);
}

static void an_altered_policy_differs(void **state)
{
    const struct decision_verdict v = replay(altered);

    (void)state;
    assert_int_equal(v.differed, 2);
    assert_int_equal(v.line, 8);
    assert_non_null(strstr(v.what, "add: sum was"));
}

static void what_is_no_decision_is_refused(void **state)
{
#define IN "\"u64\":1,\"i64\":1,\"u32\":[1,2,3,4],\"i32\":1,\"u8\":1,\"flag\":1"
#define OUT "\"out\":{\"sum\":15,\"grown\":1}"
    static const struct {
        const char *text;
        int result;
    } rows[] = {
        { "{\"who\":0,\"decision\":\"add\",\"in\":{" IN "}," OUT "}\n", 0 },
        { "{\"who\":0,\"decision\":\"other\",\"in\":{" IN "}," OUT "}\n", SVC_ERR_FORMAT },
        { "{\"decision\":\"add\",\"in\":{" IN "}," OUT "}\n", SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\",\"in\":{" IN "}}\n", SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\",\"in\":{}," OUT "}\n", SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\",\"in\":{" IN ",\"u8\":256}," OUT "}\n", SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\",\"in\":{" IN ",\"i32\":1.5}," OUT "}\n",
          SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\",\"in\":{" IN ",\"u32\":[1,2,3]}," OUT "}\n",
          SVC_ERR_FORMAT },
        { "{\"who\":0,\"decision\":\"add\"", SVC_ERR_FORMAT },
        { "\n", SVC_ERR_FORMAT },
        { "", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct decision_policy policy = { honest, sizeof(int64_t) };
        struct decision_verdict v;
        FILE *log = tmpfile();

        fputs(rows[i].text, log);
        rewind(log);
        assert_int_equal(decision_replay(log, &policy, &v), rows[i].result);
        assert_int_equal(v.differed, 0);
        assert_int_equal(v.line, rows[i].result ? 1 : 0);
        fclose(log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_recorded_is_decided_again),
        cmocka_unit_test(an_altered_policy_differs),
        cmocka_unit_test(what_is_no_decision_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
