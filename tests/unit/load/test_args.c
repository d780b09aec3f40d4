/* test_args.c - the command line of svc-load: what is taken, and what is refused with which word.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "args.h"

#define WORDS_MAX 8

struct row {
    const char *word[WORDS_MAX];
    enum args_result result;
    const char *why; /* in the line, ARGS_WRONG */
};

static const struct row rows[] = {
    { { "moqt://h/x" }, ARGS_RUN, NULL },
    { { "-n", "1", "--rate", "0.5", "moqt://h/x" }, ARGS_RUN, NULL },
    { { "--path", "127.0.0.1", "--path", "local=127.0.0.2", "moqt://h/x" }, ARGS_RUN, NULL },
    { { "--layers", "s1t0", "-q", "moqt://h/x" }, ARGS_RUN, NULL },
    { { "--help" }, ARGS_HELP, NULL },
    { { "-V" }, ARGS_VERSION, NULL },
    { { NULL }, ARGS_WRONG, "which broadcast" },
    { { "moqt://h/x", "moqt://h/y" }, ARGS_WRONG, "which broadcast" },
    { { "http://h/x" }, ARGS_WRONG, "moqt" },
    { { "-n", "0", "moqt://h/x" }, ARGS_WRONG, "--subscribers" },
    { { "-n", "1.5", "moqt://h/x" }, ARGS_WRONG, "whole number" },
    { { "-n", "65537", "moqt://h/x" }, ARGS_WRONG, "--subscribers" },
    { { "--rate", "0", "moqt://h/x" }, ARGS_WRONG, "--rate" },
    { { "--rate", "nan", "moqt://h/x" }, ARGS_WRONG, "--rate" },
    { { "--duration", "3x", "moqt://h/x" }, ARGS_WRONG, "--duration" },
    { { "--churn", "-1", "moqt://h/x" }, ARGS_WRONG, "--churn" },
    { { "--layers", "s4t0", "moqt://h/x" }, ARGS_WRONG, "--layers" },
    { { "--json", "", "moqt://h/x" }, ARGS_WRONG, "--json" },
    { { "--json" }, ARGS_WRONG, "needs a value" },
    { { "--frob", "moqt://h/x" }, ARGS_WRONG, "--frob" },
};

static enum args_result parse(struct args *a, const struct row *row, char *why, size_t size)
{
    char text[WORDS_MAX][64], *argv[WORDS_MAX + 2] = { (char[]){ "svc-load" } };
    int argc = 1;

    for (int i = 0; i < WORDS_MAX && row->word[i]; i++) {
        snprintf(text[i], sizeof text[i], "%s", row->word[i]);
        argv[argc++] = text[i];
    }
    return args_parse(a, argc, argv, why, size);
}

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct args a;
        char why[512] = "";

        assert_int_equal(parse(&a, &rows[i], why, sizeof why), rows[i].result);
        if (rows[i].why)
            assert_non_null(strstr(why, rows[i].why));
    }
}

static void values_arrive(void **state)
{
    static const struct row row = { { "-n", "2000", "--churn", "2.5", "--path", "127.0.0.3",
                                      "--layers=s2t1", "moqt://h:5/a/b" },
                                    ARGS_RUN,
                                    NULL };
    struct args a;
    char why[512];

    (void)state;
    assert_int_equal(parse(&a, &row, why, sizeof why), ARGS_RUN);
    assert_int_equal(a.subscribers, 2000);
    assert_true(a.churn == 2.5);
    assert_int_equal(a.n_paths, 1);
    assert_string_equal(a.path[0].local, "127.0.0.3");
    assert_int_equal(a.max_spatial, 2);
    assert_int_equal(a.max_temporal, 1);
    assert_string_equal(a.uri.ns, "a/b");
    assert_int_equal(a.threads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_row),
                                        cmocka_unit_test(values_arrive) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
