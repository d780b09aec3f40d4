/* test_credential.c - a token out of a file or off the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void taken(void **state)
{
    static const struct {
        const char *file, *text, *token; /* file: its contents; token NULL: refused */
    } rows[] = {
        { NULL, "aA0.b-_.c", "aA0.b-_.c" },
        { NULL, "a.b.", "a.b." },
        { NULL, "a.b", NULL },
        { NULL, "a..c", NULL },
        { NULL, "a.b.c.d", NULL },
        { NULL, "/nowhere/a.b.c", NULL },
        { NULL, "a b.c.d", NULL },
        { "a.b.c", NULL, "a.b.c" },
        { "\n a.b.c \r\n\n", NULL, "a.b.c" },
        { "", NULL, NULL },
        { " \n", NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/credential-XXXXXX", out[CREDENTIAL_TOKEN_MAX + 1], why[200] = "";
        if (rows[i].file) {
            const int fd = mkstemp(path);
            assert_int_equal(write(fd, rows[i].file, strlen(rows[i].file)), strlen(rows[i].file));
            close(fd);
        }
        const int n = credential_token(rows[i].file ? path : rows[i].text, out, why, sizeof why);
        if (rows[i].token) {
            assert_int_equal(n, strlen(rows[i].token));
            assert_string_equal(out, rows[i].token);
        } else {
            assert_int_equal(n, -1);
            assert_true(*why && !strchr(why, '\n'));
        }
        if (rows[i].file)
            unlink(path);
    }
}

static void too_long(void **state)
{
    char text[CREDENTIAL_TOKEN_MAX + 10], out[CREDENTIAL_TOKEN_MAX + 1], why[5000] = "";
    (void)state;
    memset(text, 'a', sizeof text);
    text[1] = text[3] = '.';
    text[CREDENTIAL_TOKEN_MAX + 1] = 0;
    assert_int_equal(credential_token(text, out, why, sizeof why), -1);
    assert_null(strstr(why, "aaaa")); /* it is secret */
    text[CREDENTIAL_TOKEN_MAX] = 0;
    assert_int_equal(credential_token(text, out, why, sizeof why), CREDENTIAL_TOKEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(taken), cmocka_unit_test(too_long) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
