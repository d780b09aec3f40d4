/* test_request.c - what the agent of a guest takes from the host, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "agent/request.h"

static int read_line(struct request *r, const char *line, int64_t *id, char why[256])
{
    why[0] = '\0';
    return request_read(r, line, strlen(line), id, why, 256);
}

static void good_ones(void **state)
{
    struct request r;
    int64_t id;
    char why[256];
    (void)state;
    assert_int_equal(
        read_line(&r,
                  "{\"id\":7,\"do\":\"exec\",\"argv\":[\"a\",\"b\"],\"env\":{\"X\":\"1\"},"
                  "\"stdin\":true,\"name\":\"n\",\"sched\":\"fifo\",\"priority\":50}",
                  &id, why),
        0);
    assert_int_equal(r.kind, REQUEST_EXEC);
    assert_int_equal(id, 7);
    assert_string_equal(r.argv[1], "b");
    assert_null(r.argv[2]);
    assert_int_equal(r.n_env, 1);
    assert_string_equal(r.env_name[0], "X");
    assert_true(r.takes_input);
    assert_int_equal(r.sched, SCHED_AS_FIFO);
    assert_int_equal(r.priority, 50);
    request_fini(&r);
    request_fini(&r);
    assert_int_equal(read_line(&r, "{\"id\":7,\"in64\":\"AAH/\",\"eof\":true}", &id, why), 0);
    assert_int_equal(r.kind, REQUEST_INPUT);
    assert_int_equal(r.in_len, 3);
    assert_memory_equal(r.in, "\0\1\377", 3);
    assert_true(r.eof);
    request_fini(&r);
    assert_int_equal(read_line(&r, "{\"id\":1,\"do\":\"kill\",\"of\":7,\"signal\":9}", &id, why),
                     0);
    assert_int_equal(r.of, 7);
    assert_int_equal(r.signal, 9);
    request_fini(&r);
    assert_int_equal(read_line(&r, "{\"id\":1,\"do\":\"kill\",\"name\":\"x\"}", &id, why), 0);
    assert_int_equal(r.signal, 15);
    request_fini(&r);
    assert_int_equal(read_line(&r,
                               "{\"id\":1,\"do\":\"exec\",\"argv\":[\"a\"],\"sched\":\"deadline\","
                               "\"budget_ns\":5,\"period_ns\":10}",
                               &id, why),
                     0);
    assert_int_equal(r.budget_ns, 5);
    request_fini(&r);
}

static void bad_ones(void **state)
{
    static const struct {
        const char *line, *why;
        int id;
    } rows[] = {
        { "", "no JSON", -1 },
        { "[1]", "another value", -1 },
        { "{\"do\":\"ping\"}", "has an id", -1 },
        { "{\"id\":3,\"do\":\"address\",\"mac\":\"52:54:00:00:02\",\"address\":\"1.2.3.4\"}",
          "needs the mac", 3 },
        { "{\"id\":3,\"do\":\"address\",\"mac\":\"52:54:00:00:02:81\",\"address\":\"1.2.3\"}",
          "needs an IPv4", 3 },
        { "{\"id\":-1,\"do\":\"ping\"}", "has an id", -1 },
        { "{\"id\":1,\"id\":2,\"do\":\"ping\"}", "no JSON", -1 },
        { "{\"id\":3,\"do\":\"fly\"}", "do is exec", 3 },
        { "{\"id\":3,\"do\":4}", "do is a string", 3 },
        { "{\"id\":3}", "'do', or 'in'", 3 },
        { "{\"id\":3,\"in64\":\"A\"}", "base64", 3 },
        { "{\"id\":3,\"in64\":\"A===\"}", "base64", 3 },
        { "{\"id\":3,\"in64\":\"AA==AAAA\"}", "base64", 3 },
        { "{\"id\":3,\"do\":\"exec\"}", "1 to 128 words", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[]}", "1 to 128 words", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[1]}", "is a string", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"\"]}", "empty", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"env\":[]}", "env is an object", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"env\":{\"A=B\":\"\"}}", "'='", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"sched\":\"best\"}", "sched is", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"sched\":\"fifo\"}", "1 to 99", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"sched\":\"nice\",\"priority\":20}",
          "-20 to 19", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"sched\":\"deadline\",\"budget_ns\":9,"
          "\"period_ns\":5}",
          "at most", 3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"stdin\":true,\"detach\":true}", "no stdin",
          3 },
        { "{\"id\":3,\"do\":\"exec\",\"argv\":[\"a\"],\"name\":"
          "\"abcdefghijklmnopqrstuvwxyz0123456789\"}",
          "31 bytes", 3 },
        { "{\"id\":3,\"do\":\"kill\"}", "needs the name", 3 },
        { "{\"id\":3,\"do\":\"kill\",\"name\":\"x\",\"signal\":1000}", "no such signal", 3 },
        { "{\"id\":3,\"do\":\"hold\"}", "needs the name", 3 },
        { "{\"id\":3,\"do\":\"time\"}", "needs ns", 3 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct request r;
        int64_t id;
        char why[256];
        assert_int_equal(read_line(&r, rows[i].line, &id, why), -1);
        assert_non_null(strstr(why, rows[i].why));
        assert_int_equal(id, rows[i].id);
        request_fini(&r);
    }
}

static void base64_both_ways(void **state)
{
    uint8_t bytes[20], back[20];
    char text[40];
    (void)state;
    for (size_t n = 0; n < sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        base64_encode(bytes, n, text);
        assert_int_equal(base64_decode(text, strlen(text), back), n);
        assert_memory_equal(bytes, back, n);
    }
    base64_encode((const uint8_t *)"Man", 2, text);
    assert_string_equal(text, "TWE="); /* RFC 4648 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(bad_ones),
        cmocka_unit_test(base64_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
