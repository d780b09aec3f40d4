/* test_session.c - what the session's parts decide without a network: waits, words, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "keys.h"
#include "retry.h"
#include "session.h"

static void test_waits_grow_within_bounds(void **state)
{
    static const double want[] = { 0, 0.5, 1, 2, 4, 5, 5, 5 };
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct retry r = { .seed = seed };
        for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
            double wait = retry_wait(&r);
            assert_true(wait >= want[i] * (1 - RETRY_JITTER));
            assert_true(wait <= want[i] * (1 + RETRY_JITTER));
        }
        retry_reset(&r);
        assert_true(retry_wait(&r) == 0);
    }
}

static void test_waits_differ_between_players(void **state)
{
    struct retry a = { .seed = 1 }, b = { .seed = 2 };
    (void)state;
    retry_wait(&a);
    retry_wait(&b);
    assert_true(retry_wait(&a) != retry_wait(&b));
}

static void test_status_in_words(void **state)
{
    static const struct {
        struct session_status status;
        const char *text;
    } rows[] = {
        { { .state = SESSION_CONNECTING, .attempt = 1, .paths = "wlan0, wwan0" },
          "connecting by wlan0, wwan0…" },
        { { .state = SESSION_CONNECTING, .attempt = 2, .paths = "wlan0", .resuming = true },
          "connecting again by wlan0… 2nd try" },
        { { .state = SESSION_CONNECTING, .attempt = 3, .paths = "wlan0", .reason = "no answer" },
          "connecting by wlan0… 3rd try; no answer" },
        { { .state = SESSION_JOINING, .attempt = 1, .paths = "wlan0" },
          "connected by wlan0, waiting for the first picture" },
        { { .state = SESSION_WAITING,
            .attempt = 4,
            .reason = "no answer from h:1",
            .retry_in_s = 2.6 },
          "no answer from h:1; next try in 3 s, 4th try" },
        { { .state = SESSION_WAITING, .attempt = 11, .reason = "no answer" },
          "no answer; next try in 0 s, 11th try" },
        { { .state = SESSION_SILENT, .attempt = 1, .resuming = true },
          "nothing comes; connecting again…" },
        { { .state = SESSION_PLAYING }, "" },
        { { .state = SESSION_PLAYING, .paused = true }, "paused" },
        { { .state = SESSION_OVER, .reason = "no such track" }, "no such track" },
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(session_status_text(&rows[i].status, text, sizeof text), rows[i].text);
    for (int s = SESSION_CONNECTING; s <= SESSION_OVER; s++)
        assert_true(strlen(session_state_word((enum session_state)s)) > 0);
}

static void test_keys_are_found(void **state)
{
    (void)state;
    assert_int_equal(keys_find("q", false)->command, COMMAND_QUIT);
    assert_int_equal(keys_find("Escape", true)->command, COMMAND_QUIT);
    assert_int_equal(keys_find("i", false)->command, COMMAND_STATISTICS);
    assert_int_equal(keys_find("I", true)->command, COMMAND_STATISTICS_PAGE);
    assert_int_equal(keys_find("3", false)->value, 3);
    assert_null(keys_find("F1", false));
    assert_null(keys_find("", false));
}

/* No key twice, each with its words; the lines for a person name every one of them. */
static void test_key_table(void **state)
{
    char lines[4096] = "", shown[64];
    const char *text;
    size_t at = 0, n = 0;
    (void)state;
    while (keys_line(&at, shown, sizeof shown, &text)) {
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), " %s\n", shown);
        assert_true(strlen(text) > 3 && strlen(text) < 40);
        n++;
    }
    assert_true(n > 10);
    for (const struct key *k = keys; k->name; k++) {
        assert_true(k->command != COMMAND_NONE);
        if (k->command != COMMAND_PATH || k->value == 1)
            assert_non_null(strstr(lines, k->shown));
        for (const struct key *other = keys; other < k; other++)
            assert_false(strcmp(other->name, k->name) == 0 && other->shift == k->shift);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_grow_within_bounds),
        cmocka_unit_test(test_waits_differ_between_players),
        cmocka_unit_test(test_status_in_words),
        cmocka_unit_test(test_keys_are_found),
        cmocka_unit_test(test_key_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
