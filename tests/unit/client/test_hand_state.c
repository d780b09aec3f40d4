/* test_hand_state.c - what moves with a session that is handed over: round trip, bounds, codes,
 * places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hand_code.h"
#include "hand_state.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct hand_message full = {
    .kind = HAND_STATE,
    .state = { .uri = "moqt://[2001:db8::1]:4433/studio/one",
               .token = "aaa.bbb.ccc",
               .pts_us = 123456789,
               .at_us = 987654321,
               .paused = true,
               .limited = true,
               .limit = { 1, 2 },
               .asked = { 2, 1 },
               .latency_ms = 20,
               .latency_max_ms = 400,
               .latency_low = true,
               .volume = 42.5,
               .muted = true,
               .sound = true,
               .page = 3,
               .path = { { "wlan0", true, false }, { "wwan0", false, true } },
               .n_paths = 2 },
};

/* `m` written and read again. */
static struct hand_message round_trip(const struct hand_message *m)
{
    struct hand_message out;
    char why[200] = "", *line = hand_message_write(m);

    assert_non_null(line);
    assert_null(strchr(line, '\n'));
    if (hand_message_read(&out, line, strlen(line), why, sizeof why) != 0)
        fail_msg("%s: %s", line, why);
    free(line);
    return out;
}

static void state_round_trip(void **state)
{
    const struct hand_message out = round_trip(&full);
    const struct hand_state *a = &full.state, *b = &out.state;

    (void)state;
    assert_int_equal(out.kind, HAND_STATE);
    assert_string_equal(a->uri, b->uri);
    assert_string_equal(a->token, b->token);
    assert_int_equal(a->pts_us, b->pts_us);
    assert_int_equal(a->at_us, b->at_us);
    assert_true(b->paused && b->limited && b->latency_low && b->muted && b->sound);
    assert_memory_equal(&a->limit, &b->limit, sizeof a->limit);
    assert_memory_equal(&a->asked, &b->asked, sizeof a->asked);
    assert_int_equal(b->latency_ms, 20);
    assert_int_equal(b->latency_max_ms, 400);
    assert_true(b->volume > 42.4 && b->volume < 42.6);
    assert_int_equal(b->page, 3);
    assert_int_equal(b->n_paths, 2);
    assert_string_equal(b->path[0].name, "wlan0");
    assert_true(b->path[0].off && !b->path[0].backup && !b->path[1].off && b->path[1].backup);
}

static void without_what_may_be_missing(void **state)
{
    struct hand_message m = full;

    (void)state;
    m.state.token[0] = '\0';
    m.state.limited = false;
    m.state.n_paths = 0;
    const struct hand_message out = round_trip(&m);
    assert_false(out.state.limited);
    assert_string_equal(out.state.token, "");
    assert_int_equal(out.state.n_paths, 0);
}

static void other_messages(void **state)
{
    static const struct hand_message rows[] = {
        { .kind = HAND_TIME, .sent_us = 5 },
        { .kind = HAND_TIME, .sent_us = 5, .here_us = 7 },
        { .kind = HAND_ACCEPTED },
        { .kind = HAND_REFUSED, .reason = "no room" },
        { .kind = HAND_SHOWING, .moment = { .picture = 1, .pts_us = 2, .at_us = 3 } },
        { .kind = HAND_YOURS },
        { .kind = HAND_MINE },
        { .kind = HAND_STOPPED, .moment = { 1, 2, 3, 4 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct hand_message out = round_trip(&rows[i]);
        assert_int_equal(out.kind, rows[i].kind);
        assert_int_equal(out.sent_us, rows[i].sent_us);
        assert_int_equal(out.here_us, rows[i].here_us);
        assert_string_equal(out.reason, rows[i].reason);
        assert_memory_equal(&out.moment, &rows[i].moment, sizeof out.moment);
    }
}

/* The full state with one member replaced (`value` is JSON; NULL: taken away). */
static char *with(const char *object, const char *member, const char *value)
{
    json_t *root = hand_state_json(&full.state);
    json_t *at = object ? json_object_get(root, object) : root;

    if (value)
        json_object_set_new(at, member, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(at, member);
    json_t *message = json_pack("{s:o}", "state", root);
    char *line = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    return line;
}

static void refusals(void **state)
{
    static const struct {
        const char *object, *member, *value;
    } rows[] = {
        { NULL, "version", "2" },
        { NULL, "version", "\"1\"" },
        { NULL, "version", NULL },
        { NULL, "uri", "\"http://example.org/x\"" },
        { NULL, "uri", "\"moqt://example.org/a b\"" },
        { NULL, "uri", "7" },
        { NULL, "uri", NULL },
        { NULL, "token", "\"\"" },
        { NULL, "token", "\"a b\"" },
        { NULL, "token", "\"a\\nb\"" },
        { NULL, "token", "[]" },
        { NULL, "place", NULL },
        { "place", "pts_us", "-1" },
        { "place", "pts_us", "9007199254740993" },
        { "place", "pts_us", "1.5" },
        { "place", "at_us", "true" },
        { "place", "paused", "0" },
        { "layers", "asked", "\"s4t0\"" },
        { "layers", "asked", "\"s0t4\"" },
        { "layers", "asked", NULL },
        { "layers", "limit", "\"all\"" },
        { "latency", "min_ms", "10001" },
        { "latency", "max_ms", "19" },
        { "latency", "low", NULL },
        { "sound", "volume", "130.5" },
        { "sound", "volume", "-1" },
        { "sound", "volume", NULL },
        { "sound", "muted", NULL },
        { NULL, "statistics", "5" },
        { NULL, "paths", "{}" },
        { NULL, "paths", "[1]" },
        { NULL, "paths", "[{\"name\":\"\",\"off\":true,\"backup\":false}]" },
        { NULL, "paths", "[{\"name\":\"a_name_that_is_too_long\",\"off\":true,\"backup\":false}]" },
        { NULL, "paths", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hand_message m;
        char why[200] = "", *line = with(rows[i].object, rows[i].member, rows[i].value);

        if (hand_message_read(&m, line, strlen(line), why, sizeof why) != -1)
            fail_msg("row %zu is taken", i);
        assert_true(*why && !strchr(why, '\n'));
        assert_null(strstr(why, full.state.token)); /* a token is not repeated */
        free(line);
    }
}

static void what_is_not_known_is_skipped(void **state)
{
    struct hand_message m;
    char why[200], *line = with(NULL, "mood", "\"good\"");

    (void)state;
    assert_int_equal(hand_message_read(&m, line, strlen(line), why, sizeof why), 0);
    free(line);
}

static void no_messages(void **state)
{
    static const char *const rows[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"state\":1}",
        "{\"yours\":false}",
        "{\"mine\":1}",
        "{\"showing\":{\"picture\":-1,\"pts_us\":0,\"at_us\":0}}",
        "{\"stopped\":{\"picture\":1,\"pts_us\":0,\"at_us\":0}}",
        "{\"refused\":3}",
        "{\"time\":{}}",
        "{\"unheard\":true}",
        "{\"yours\":true,\"yours\":true}",
    };
    struct hand_message m;
    char why[200], *big = malloc(HAND_LINE_MAX + 32);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *why = '\0';
        assert_int_equal(hand_message_read(&m, rows[i], strlen(rows[i]), why, sizeof why), -1);
        assert_true(*why);
    }
    memset(big, ' ', HAND_LINE_MAX + 32);
    memcpy(big, "{\"yours\":true}", 14);
    assert_int_equal(hand_message_read(&m, big, HAND_LINE_MAX, why, sizeof why), 0);
    assert_int_equal(hand_message_read(&m, big, HAND_LINE_MAX + 1, why, sizeof why), -1);
    free(big);
}

static void a_reason_is_printable(void **state)
{
    static const char line[] = "{\"refused\":\"a\\u001b[31m\\nb\\u00e4\"}";
    struct hand_message m;
    char why[200];

    (void)state;
    assert_int_equal(hand_message_read(&m, line, strlen(line), why, sizeof why), 0);
    assert_string_equal(m.reason, "a?[31m?b??");
}

static void codes(void **state)
{
    char a[HAND_CODE_MAX], b[HAND_CODE_MAX];
    uint8_t key[HAND_KEY_LEN], other[HAND_KEY_LEN];

    (void)state;
    assert_int_equal(hand_code_new(a), 0);
    assert_int_equal(hand_code_new(b), 0);
    assert_int_equal(strlen(a), HAND_CODE_MAX - 1);
    assert_string_not_equal(a, b);
    assert_int_equal(hand_code_read(b, a), 0);
    assert_string_equal(a, b);
    assert_int_equal(hand_code_read(a, " k7qx m2p4-9fta\n"), 0);
    assert_string_equal(a, "K7QX-M2P4-9FTA");
    assert_int_equal(hand_code_read(a, "oil000000000"), 0);
    assert_string_equal(a, "0110-0000-0000");
    assert_int_equal(hand_code_read(a, "K7QX-M2P4-9FT"), -1);
    assert_int_equal(hand_code_read(a, "K7QX-M2P4-9FTAA"), -1);
    assert_int_equal(hand_code_read(a, "K7QX-M2P4-9FTU"), -1); /* no letter of Crockford's */
    assert_int_equal(hand_code_key(key, "K7QX-M2P4-9FTA"), 0);
    assert_int_equal(hand_code_key(other, "K7QX-M2P4-9FTB"), 0);
    assert_memory_not_equal(key, other, sizeof key);
}

static void targets(void **state)
{
    static const struct {
        const char *text, *host, *code; /* host NULL: refused */
        uint16_t port;
    } rows[] = {
        { "192.0.2.7:4455#k7qxm2p49fta", "192.0.2.7", "K7QX-M2P4-9FTA", 4455 },
        { "[2001:db8::7]:4455#K7QX-M2P4-9FTA", "2001:db8::7", "K7QX-M2P4-9FTA", 4455 },
        { "tv.local:1", "tv.local", "", 1 },
        { "192.0.2.7#K7QX-M2P4-9FTA", NULL, NULL, 0 },
        { "192.0.2.7:0#K7QX-M2P4-9FTA", NULL, NULL, 0 },
        { "192.0.2.7:65536", NULL, NULL, 0 },
        { "2001:db8::7:4455", NULL, NULL, 0 },
        { "[2001:db8::7:4455", NULL, NULL, 0 },
        { ":4455", NULL, NULL, 0 },
        { "a b:4455", NULL, NULL, 0 },
        { "192.0.2.7:4455#", NULL, NULL, 0 },
        { "192.0.2.7:4455#SECRET", NULL, NULL, 0 },
        { "", NULL, NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hand_target t;
        char why[200] = "", again[HAND_TARGET_MAX];
        const int result = hand_target_read(&t, rows[i].text, why, sizeof why);

        assert_int_equal(result, rows[i].host ? 0 : -1);
        if (result != 0) {
            assert_true(*why && !strstr(why, "SECRET"));
            continue;
        }
        assert_string_equal(t.host, rows[i].host);
        assert_string_equal(t.code, rows[i].code);
        assert_int_equal(t.port, rows[i].port);
        struct hand_target same;
        assert_int_equal(
            hand_target_read(&same, hand_target_text(&t, again, sizeof again), why, sizeof why), 0);
        assert_string_equal(same.host, t.host);
    }
}

static void listening(void **state)
{
    struct hand_target t;
    char why[200];

    (void)state;
    assert_int_equal(hand_listen_read(&t, "0", why, sizeof why), 0);
    assert_true(t.port == 0 && !t.host[0]);
    assert_int_equal(hand_listen_read(&t, ":4455", why, sizeof why), 0);
    assert_true(t.port == 4455 && !t.host[0]);
    assert_int_equal(hand_listen_read(&t, "[::1]:0", why, sizeof why), 0);
    assert_string_equal(t.host, "::1");
    assert_int_equal(hand_listen_read(&t, "70000", why, sizeof why), -1);
    assert_int_equal(hand_listen_read(&t, "tv", why, sizeof why), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_round_trip),
        cmocka_unit_test(without_what_may_be_missing),
        cmocka_unit_test(other_messages),
        cmocka_unit_test(refusals),
        cmocka_unit_test(what_is_not_known_is_skipped),
        cmocka_unit_test(no_messages),
        cmocka_unit_test(a_reason_is_printable),
        cmocka_unit_test(codes),
        cmocka_unit_test(targets),
        cmocka_unit_test(listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
