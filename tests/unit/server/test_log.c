/* test_log.c - a message is one line, whatever is in it; as JSON it is JSON. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define LINE_SIZE 4096

/* What log_line writes about `text` to standard error. */
static void said(const char *text, char out[LINE_SIZE])
{
    FILE *to = tmpfile();
    assert_non_null(to);
    const int was = dup(STDERR_FILENO);
    assert_true(was >= 0 && dup2(fileno(to), STDERR_FILENO) >= 0);
    log_line(LOG_WARN, "%s", text);
    fflush(stderr);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    close(was);
    rewind(to);
    const size_t n = fread(out, 1, LINE_SIZE - 1, to);
    out[n] = '\0';
    fclose(to);
}

static const struct row {
    const char *text, *clean;
} rows[] = {
    { "plain", "plain" },
    { "a\nb\tc\x1b[2J\x7f", "a?b?c?[2J?" },
    { "quote \" and \\", "quote \" and \\" },
    { "Grüße, 世界", "Grüße, 世界" },
    { "bad \xff\xc3x\xe4\xb8", "bad ??x??" },
    { "steers \xc2\x9b"
      "2J",
      "steers ??2J" },
};

static void test_text(void **state)
{
    char line[LINE_SIZE], want[LINE_SIZE];
    (void)state;
    log_set_json(false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        said(rows[i].text, line);
        snprintf(want, sizeof want, "svc-server: %s\n", rows[i].clean);
        assert_string_equal(line, want);
    }
}

static void test_json(void **state)
{
    char line[LINE_SIZE];
    (void)state;
    log_set_json(true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_error_t error;
        said(rows[i].text, line);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        json_t *got = json_loads(line, 0, &error);
        if (!got)
            fail_msg("row %zu: %s: %s", i, error.text, line);
        assert_string_equal(json_string_value(json_object_get(got, "message")), rows[i].clean);
        assert_string_equal(json_string_value(json_object_get(got, "level")), "warn");
        assert_int_equal(strlen(json_string_value(json_object_get(got, "time"))),
                         strlen("2026-01-31T23:59:59.999Z"));
        json_decref(got);
    }
    log_set_json(false);
}

static void test_long(void **state)
{
    static char text[3000];
    char line[LINE_SIZE];
    (void)state;
    memset(text, '"', sizeof text - 1);
    log_set_json(true);
    said(text, line);
    json_t *got = json_loads(line, 0, NULL);
    assert_non_null(got);
    json_decref(got);
    log_set_json(false);
}

static void test_level(void **state)
{
    char line[LINE_SIZE];
    (void)state;
    log_set_level(LOG_ERROR);
    said("too light", line);
    assert_string_equal(line, "");
    log_set_level(LOG_WARN);
}

/* The journal hears how grave it is. */
static void test_journal(void **state)
{
    char line[LINE_SIZE], stream[64];
    struct stat st;
    FILE *to = tmpfile();
    (void)state;
    assert_non_null(to);
    const int was = dup(STDERR_FILENO);
    assert_true(dup2(fileno(to), STDERR_FILENO) >= 0 && fstat(STDERR_FILENO, &st) == 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_line(LOG_WARN, "x");
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_line(LOG_WARN, "y");
    unsetenv("JOURNAL_STREAM");
    fflush(stderr);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    close(was);
    rewind(to);
    line[fread(line, 1, sizeof line - 1, to)] = '\0';
    fclose(to);
    assert_string_equal(line, "<4>svc-server: x\nsvc-server: y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),  cmocka_unit_test(test_json),    cmocka_unit_test(test_long),
        cmocka_unit_test(test_level), cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
