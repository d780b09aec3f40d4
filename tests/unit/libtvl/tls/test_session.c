/* test_session.c - the table of tickets and tokens: replaced, given once, bounded, carried over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>
#include "session.h"

static void put(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                const char *text)
{
    tvl_sessions_put(s, name, part, (const uint8_t *)text, strlen(text));
}

static void assert_taken(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                         const char *text)
{
    uint8_t got[64] = { 0 };

    assert_int_equal(tvl_sessions_take(s, name, part, got, sizeof got), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void given_once(void **state)
{
    struct tvl_sessions s;
    uint8_t got[64];

    (void)state;
    tvl_sessions_init(&s);
    assert_taken(&s, "a", TVL_SESSION_TICKET, "");
    put(&s, "a", TVL_SESSION_TICKET, "old");
    put(&s, "a", TVL_SESSION_TICKET, "new");
    put(&s, "a", TVL_SESSION_TOKEN, "token");
    assert_int_equal(tvl_sessions_take(&s, "a", TVL_SESSION_TICKET, got, 2), 0); /* no room */
    assert_taken(&s, "b", TVL_SESSION_TICKET, "");
    assert_taken(&s, "a", TVL_SESSION_TICKET, "new");
    assert_taken(&s, "a", TVL_SESSION_TICKET, "");
    assert_taken(&s, "a", TVL_SESSION_TOKEN, "token");
    assert_taken(&s, "a", TVL_SESSION_TOKEN, "");
    tvl_sessions_fini(&s);
}

static void oldest_name_goes(void **state)
{
    struct tvl_sessions s;
    char name[8];

    (void)state;
    tvl_sessions_init(&s);
    for (unsigned i = 0; i < TVL_SESSIONS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        put(&s, name, TVL_SESSION_TICKET, name);
    }
    put(&s, "n0", TVL_SESSION_TOKEN, "again"); /* makes n1 the oldest */
    put(&s, "more", TVL_SESSION_TOKEN, "more");
    assert_taken(&s, "n1", TVL_SESSION_TICKET, "");
    assert_taken(&s, "n0", TVL_SESSION_TICKET, "n0");
    assert_taken(&s, "n2", TVL_SESSION_TICKET, "n2");
    assert_taken(&s, "more", TVL_SESSION_TICKET, "");
    assert_taken(&s, "more", TVL_SESSION_TOKEN, "more");
    tvl_sessions_fini(&s);
}

static void too_long_is_not_kept(void **state)
{
    static uint8_t big[TVL_SESSION_TICKET_MAX + 1];
    struct tvl_sessions s;
    uint8_t out[TVL_SESSION_MAX];

    (void)state;
    tvl_sessions_init(&s);
    tvl_sessions_put(&s, "a", TVL_SESSION_TICKET, big, sizeof big);
    tvl_sessions_put(&s, "a", TVL_SESSION_TOKEN, big, TVL_SESSION_TOKEN_MAX + 1);
    assert_int_equal(tvl_sessions_export(&s, "a", out, sizeof out), 0);
    tvl_sessions_put(&s, "a", TVL_SESSION_TICKET, big, sizeof big - 1);
    tvl_sessions_put(&s, "a", TVL_SESSION_TOKEN, big, TVL_SESSION_TOKEN_MAX);
    assert_true(tvl_sessions_export(&s, "a", out, sizeof out) > TVL_SESSION_TICKET_MAX);
    tvl_sessions_fini(&s);
}

static void carried_over(void **state)
{
    struct tvl_sessions s, t;
    uint8_t out[64];
    size_t len;

    (void)state;
    tvl_sessions_init(&s);
    tvl_sessions_init(&t);
    put(&s, "a", TVL_SESSION_TICKET, "ticket");
    put(&s, "a", TVL_SESSION_TOKEN, "token");
    assert_int_equal(tvl_sessions_export(&s, "b", out, sizeof out), 0);
    len = tvl_sessions_export(&s, "a", out, sizeof out);
    assert_int_equal(len, 1 + 2 + 6 + 2 + 5);
    assert_int_equal(tvl_sessions_export(&s, "a", out, len - 1), 0);
    assert_int_equal(tvl_sessions_export(&s, "a", out, len), len); /* it takes nothing away */
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(tvl_sessions_import(&t, "c", out, cut), TVL_ERR_ARG);
    assert_int_equal(tvl_sessions_import(&t, "c", out, len + 1), TVL_ERR_ARG);
    assert_taken(&t, "c", TVL_SESSION_TICKET, "");
    assert_int_equal(tvl_sessions_import(&t, "c", out, len), 0);
    assert_taken(&t, "c", TVL_SESSION_TICKET, "ticket");
    assert_taken(&t, "c", TVL_SESSION_TOKEN, "token");
    out[0]++;
    assert_int_equal(tvl_sessions_import(&t, "c", out, len), TVL_ERR_ARG);
    tvl_sessions_fini(&s);
    tvl_sessions_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_once),
        cmocka_unit_test(oldest_name_goes),
        cmocka_unit_test(too_long_is_not_kept),
        cmocka_unit_test(carried_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
