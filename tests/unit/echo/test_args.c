/* test_args.c - the command line of tvl-echo: what is taken, and what is refused with which word.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "echo/args.h"

#define WORDS_MAX 12

struct row {
    const char *word[WORDS_MAX];
    enum echo_verb verb;
    const char *why; /* in the line, ECHO_WRONG */
};

static const struct row rows[] = {
    { { "serve", "--cert", "c", "--key", "k" }, ECHO_SERVE, NULL },
    { { "serve", "--cert=c", "--key=k", "--listen=[::1]:1", "--client-ca=a" }, ECHO_SERVE, NULL },
    { { "send", "h:1" }, ECHO_SEND, NULL },
    { { "send", "--bytes", "5M", "--path", "lo", "--json", "[::1]:1" }, ECHO_SEND, NULL },
    { { "relay", "h:1", "--cert", "c", "--key", "k", "--ca", "a", "--client-ca", "b" },
      ECHO_RELAY,
      NULL },
    { { "relay", "h:1" }, ECHO_WRONG, "--cert and --key" },
    { { "relay", "--cert", "c", "--key", "k" }, ECHO_WRONG, "HOST:PORT" },
    { { "relay", "h:1", "--cert", "c", "--key", "k", "--bytes", "1" }, ECHO_WRONG, "unknown" },
    { { "wake", "--period", "1.5ms", "--count", "3" }, ECHO_WAKE, NULL },
    { { "--help" }, ECHO_HELP, NULL },
    { { "send", "--help" }, ECHO_HELP, NULL },
    { { "--version" }, ECHO_VERSION, NULL },
    { { NULL }, ECHO_WRONG, "comes first" },
    { { "receive" }, ECHO_WRONG, "comes first" },
    { { "serve" }, ECHO_WRONG, "--cert and --key" },
    { { "serve", "--cert", "c" }, ECHO_WRONG, "--cert and --key" },
    { { "serve", "--cert", "c", "--key", "k", "--bytes", "1" }, ECHO_WRONG, "unknown option" },
    { { "send" }, ECHO_WRONG, "HOST:PORT" },
    { { "send", "host" }, ECHO_WRONG, "not HOST:PORT" },
    { { "send", ":1" }, ECHO_WRONG, "not HOST:PORT" },
    { { "send", "h:1", "i:2" }, ECHO_WRONG, "unknown option" },
    { { "send", "h:1", "--cert", "c" }, ECHO_WRONG, "go together" },
    { { "send", "h:1", "--bytes", "-1" }, ECHO_WRONG, "whole number" },
    { { "send", "h:1", "--bytes", "1T" }, ECHO_WRONG, "whole number" },
    { { "send", "h:1", "--bytes", "99999G" }, ECHO_WRONG, "whole number" },
    { { "send", "h:1", "--streams", "0" }, ECHO_WRONG, "--streams" },
    { { "send", "h:1", "--streams", "65" }, ECHO_WRONG, "--streams" },
    { { "send", "h:1", "--interval", "5" }, ECHO_WRONG, "--interval" },
    { { "send", "h:1", "--limit", "-1s" }, ECHO_WRONG, "--limit" },
    { { "send", "h:1", "--path", "a,,b" }, ECHO_WRONG, "--path" },
    { { "send", "h:1", "--ca" }, ECHO_WRONG, "needs a value" },
    { { "send", "h:1", "--ca=" }, ECHO_WRONG, "empty" },
    { { "wake", "--period", "0ms" }, ECHO_WRONG, "--period" },
    { { "wake", "--count", "0" }, ECHO_WRONG, "--count" },
};

static enum echo_verb parse(struct echo_args *a, const struct row *row, char *why, size_t size)
{
    char text[WORDS_MAX][64], *argv[WORDS_MAX + 1] = { (char[]){ "tvl-echo" } };
    int argc = 1;

    for (int i = 0; i < WORDS_MAX && row->word[i]; i++) {
        snprintf(text[i], sizeof text[i], "%s", row->word[i]);
        argv[argc++] = text[i];
    }
    return echo_args_parse(a, argc, argv, why, size);
}

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct echo_args a;
        char why[ECHO_WHY_MAX] = "";

        print_message("row %zu\n", i);
        assert_int_equal(parse(&a, &rows[i], why, sizeof why), rows[i].verb);
        if (rows[i].why && !strstr(why, rows[i].why))
            fail_msg("\"%s\" does not say \"%s\"", why, rows[i].why);
    }
}

static void values(void **state)
{
    const struct row row = { { "send", "[2001:db8::1]:99", "--bytes", "3k", "--interval", "250us",
                               "--path", "local=10.0.0.1,backup", "--path", "eth1" },
                             ECHO_SEND,
                             NULL };
    struct echo_args a;
    char why[ECHO_WHY_MAX];

    (void)state;
    assert_int_equal(parse(&a, &row, why, sizeof why), ECHO_SEND);
    assert_string_equal(a.name, "2001:db8::1"); /* without brackets, as a certificate has it */
    assert_string_equal(a.server, "[2001:db8::1]:99");
    assert_int_equal(a.bytes, 3000);
    assert_int_equal(a.interval_us, 250);
    assert_int_equal(a.n_paths, 2);
    assert_true(a.path[0].backup);
    assert_string_equal(a.path[1].interface, "eth1");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_row), cmocka_unit_test(values) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
