/*
 * test_relay.c - what a relay passes on, and what becomes of it when one side is gone: four
 * endpoints on virtual time, with real TLS, and nothing lost between them.
 *
 *     CLIENT ── FRONT  relay  BACK ── SERVER
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "echo/relay.h"
#include "test_pki.h"

#define NEWS_MAX 64
#define STEPS_MAX 100000
#define NAME "localhost"

enum end { CLIENT, FRONT, BACK, SERVER, ENDS };

struct news { /* what one end's application has heard, as kinds and values */
    struct tvl_event ev[NEWS_MAX];
    size_t n;
};

static struct {
    struct test_pki pki;
    tvl_time now;
    struct tvl_tls *tls[ENDS];
    struct tvl_endpoint *ep[ENDS];
    struct tvl_conn *client, *server; /* the applications' connections */
    struct echo_relay relay;
    struct news client_news, server_news;
    bool deaf; /* the server hears nothing */
} w;

static struct sockaddr_storage address(enum end end)
{
    struct sockaddr_storage out = { .ss_family = AF_INET };
    struct sockaddr_in *in = (struct sockaddr_in *)&out;

    in->sin_addr.s_addr = htonl(0x0a000001u + (uint32_t)end);
    in->sin_port = htons((uint16_t)(1000 + end));
    return out;
}

static enum end end_of(const struct sockaddr_storage *a)
{
    return (enum end)(ntohs(((const struct sockaddr_in *)a)->sin_port) - 1000);
}

static int connect_to(enum end from, enum end to, struct tvl_conn **out)
{
    const struct tvl_path_config path = { .local = address(from), .remote = address(to), .tag = 1 };

    return tvl_connect(w.ep[from], &path, NAME, out, w.now);
}

static int relay_connect(void *user, struct tvl_conn **out, char *why, size_t why_size)
{
    (void)user;
    snprintf(why, why_size, "refused here");
    return connect_to(BACK, SERVER, out) == 0 ? 0 : -1;
}

static void relay_connected(void *user, struct tvl_conn *conn)
{
    (void)user;
    (void)conn;
}

static void hear(struct news *news, const struct tvl_event *ev)
{
    if (ev->type == TVL_EVENT_STREAM_ACKED || ev->type == TVL_EVENT_PATH)
        return;
    assert_true(news->n < NEWS_MAX);
    news->ev[news->n++] = *ev;
}

static bool take_events(enum end end)
{
    struct tvl_event ev;
    bool any = false;

    while (tvl_endpoint_poll(w.ep[end], &ev) == 1) {
        any = true;
        if (end == FRONT || end == BACK) {
            echo_relay_event(&w.relay, end == FRONT ? RELAY_FRONT : RELAY_BACK, &ev, w.now);
            continue;
        }
        if (end == SERVER && ev.type == TVL_EVENT_CONNECTED)
            w.server = ev.conn;
        if (ev.type == TVL_EVENT_CLOSED)
            *(end == SERVER ? &w.server : &w.client) = NULL;
        hear(end == SERVER ? &w.server_news : &w.client_news, &ev);
    }
    return any;
}

static bool send_out(enum end end)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    struct tvl_datagram d;
    bool any = false;

    while (tvl_endpoint_send(w.ep[end], &d, bytes, w.now) == 1) {
        const enum end to = end_of(&d.remote);

        any = true;
        if (to == SERVER && w.deaf)
            continue;
        d.remote = address(end);
        d.local = address(to);
        (void)tvl_endpoint_recv(w.ep[to], &d, bytes, w.now);
    }
    return any;
}

/* For `us`, or until nothing would happen any more. */
static void run(tvl_time us)
{
    const tvl_time until = w.now + us;

    for (size_t step = 0; step < STEPS_MAX; step++) {
        tvl_time next = TVL_TIME_NEVER;
        bool any = false;

        for (int e = 0; e < ENDS; e++) {
            tvl_endpoint_tick(w.ep[e], w.now);
            any = take_events((enum end)e) || any;
            any = send_out((enum end)e) || any;
            const tvl_time due = tvl_endpoint_next_tick(w.ep[e]);
            next = due < next ? due : next;
        }
        if (any)
            continue;
        if (next > until) {
            w.now = until;
            return;
        }
        w.now = next > w.now ? next : w.now + 1;
    }
    fail_msg("it does not come to rest");
}

static void make(enum end end, uint64_t streams_bidi)
{
    static const char *const alpn[] = { "x", NULL };
    const bool server = end == FRONT || end == SERVER;
    const struct tvl_tls_config tls = {
        .alpn = alpn,
        .cert_file = server ? w.pki.server : NULL,
        .key_file = server ? w.pki.server_key : NULL,
        .ca_file = server ? NULL : w.pki.ca,
        .server = server,
        .no_tickets = true,
    };
    struct tvl_config c;
    char why[200] = "";

    if (tvl_tls_new(&w.tls[end], &tls, why, sizeof why) != 0)
        fail_msg("%s", why);
    tvl_config_init(&c);
    c.tls = w.tls[end];
    c.seed[0] = 1u + (unsigned)end;
    c.idle_timeout = 5000000;
    c.handshake_timeout = 2000000;
    if (end == SERVER)
        c.streams_bidi = streams_bidi;
    assert_int_equal(tvl_endpoint_new(&w.ep[end], &c), 0);
}

static void begin(uint64_t streams_bidi)
{
    for (int e = 0; e < ENDS; e++)
        make((enum end)e, streams_bidi);
    w.relay = (struct echo_relay){ .connect = relay_connect, .connected = relay_connected };
    assert_int_equal(connect_to(CLIENT, FRONT, &w.client), 0);
    run(500000);
    if (!w.deaf)
        assert_non_null(w.server);
}

static int set_up(void **state)
{
    const struct test_pki pki = w.pki;

    (void)state;
    memset(&w, 0, sizeof w);
    w.pki = pki;
    w.now = 1000000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int e = 0; e < ENDS; e++) {
        tvl_endpoint_free(w.ep[e]);
        tvl_tls_free(w.tls[e]);
    }
    echo_relay_fini(&w.relay);
    assert_null(w.relay.pairs);
    return 0;
}

/* The last of that kind, or NULL. */
static const struct tvl_event *heard(const struct news *news, enum tvl_event_type type)
{
    for (size_t i = news->n; i > 0; i--)
        if (news->ev[i - 1].type == type)
            return &news->ev[i - 1];
    return NULL;
}

static void expect_bytes(struct tvl_conn *conn, uint64_t id, const char *text, bool end)
{
    uint8_t bytes[100];
    bool fin = false;
    const int64_t n = tvl_stream_read(conn, id, bytes, sizeof bytes, &fin);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    assert_int_equal(fin, end);
}

static void say(struct tvl_conn *conn, uint64_t id, const char *text, bool end)
{
    assert_int_equal(tvl_stream_write(conn, id, (const uint8_t *)text, strlen(text), end),
                     strlen(text));
}

static void streams_of_either_side(void **state)
{
    uint64_t id;

    (void)state;
    begin(100);
    assert_int_equal(tvl_stream_open(w.client, TVL_BIDI, &id), 0);
    say(w.client, id, "question", true);
    run(100000);
    const uint64_t there = heard(&w.server_news, TVL_EVENT_STREAM_OPENED)->stream.id;
    expect_bytes(w.server, there, "question", true);
    say(w.server, there, "answer", true);
    run(100000);
    expect_bytes(w.client, id, "answer", true);
    assert_int_equal(tvl_stream_open(w.server, TVL_UNI, &id), 0);
    say(w.server, id, "news", false);
    run(100000);
    const uint64_t here = heard(&w.client_news, TVL_EVENT_STREAM_OPENED)->stream.id;
    expect_bytes(w.client, here, "news", false);
    say(w.server, id, "", true);
    run(100000);
    expect_bytes(w.client, here, "", true);
    assert_int_equal(w.relay.streams, 2);
    assert_int_equal(w.relay.bytes, 18);
}

static void resets_and_stops(void **state)
{
    uint64_t id, other;

    (void)state;
    begin(100);
    assert_int_equal(tvl_stream_open(w.client, TVL_UNI, &id), 0);
    say(w.client, id, "half", false);
    run(100000);
    other = heard(&w.server_news, TVL_EVENT_STREAM_OPENED)->stream.id;
    assert_int_equal(tvl_stream_reset(w.client, id, 7), 0);
    run(100000);
    assert_int_equal(heard(&w.server_news, TVL_EVENT_STREAM_RESET)->stream.code, 7);
    assert_int_equal(heard(&w.server_news, TVL_EVENT_STREAM_RESET)->stream.id, other);

    assert_int_equal(tvl_stream_open(w.client, TVL_BIDI, &id), 0);
    say(w.client, id, "long", false);
    run(100000);
    other = heard(&w.server_news, TVL_EVENT_STREAM_OPENED)->stream.id;
    assert_int_equal(tvl_stream_stop(w.server, other, 9), 0); /* one way ends, */
    run(100000);
    assert_int_equal(heard(&w.client_news, TVL_EVENT_STREAM_STOPPED)->stream.code, 9);
    say(w.server, other, "and yet", true); /* the other does not */
    run(100000);
    expect_bytes(w.client, id, "and yet", true);
}

/* The server allows two streams at a time: more wait in the relay, and none is lost. */
static void streams_wait_for_the_server(void **state)
{
    uint64_t id[6];
    size_t done = 0;

    (void)state;
    begin(2);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(tvl_stream_open(w.client, TVL_BIDI, &id[i]), 0);
        say(w.client, id[i], "x", true);
    }
    for (size_t seen = 0; done < 6; seen = w.server_news.n) {
        run(200000);
        assert_true(w.server_news.n > seen);
        for (size_t i = seen; i < w.server_news.n; i++)
            if (w.server_news.ev[i].type == TVL_EVENT_STREAM_OPENED) {
                const uint64_t s = w.server_news.ev[i].stream.id;

                expect_bytes(w.server, s, "x", true);
                say(w.server, s, "y", true);
                done++;
            }
    }
    run(200000);
    for (size_t i = 0; i < 6; i++)
        expect_bytes(w.client, id[i], "y", true);
}

static void datagrams(void **state)
{
    const struct tvl_event *ev;

    (void)state;
    begin(100);
    assert_int_equal(tvl_datagram_write(w.client, (const uint8_t *)"to", 2), 0);
    assert_int_equal(tvl_datagram_write(w.server, (const uint8_t *)"fro!", 4), 0);
    run(100000);
    ev = heard(&w.server_news, TVL_EVENT_DATAGRAM);
    assert_non_null(ev);
    assert_int_equal(ev->datagram.len, 2);
    ev = heard(&w.client_news, TVL_EVENT_DATAGRAM);
    assert_non_null(ev);
    assert_int_equal(ev->datagram.len, 4);
}

static void closing_words(void **state)
{
    const struct tvl_event *ev;

    (void)state;
    begin(100);
    assert_int_equal(tvl_close(w.client, 42, "bye", w.now), 0);
    run(1000000);
    ev = heard(&w.server_news, TVL_EVENT_CLOSED);
    assert_non_null(ev);
    assert_int_equal(ev->closed.kind, TVL_CLOSED_PEER_APP);
    assert_int_equal(ev->closed.code, 42);
    assert_string_equal(ev->closed.reason, "bye");
    run(5000000);
    assert_null(w.relay.pairs); /* nothing is kept of it */
}

/* With streams that wait and streams that run. */
static void the_server_leaves(void **state)
{
    const struct tvl_event *ev;
    uint64_t id;

    (void)state;
    begin(1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tvl_stream_open(w.client, TVL_BIDI, &id), 0);
        say(w.client, id, "x", false);
    }
    run(200000);
    assert_int_equal(tvl_close(w.server, 43, "closed for today", w.now), 0);
    run(1000000);
    ev = heard(&w.client_news, TVL_EVENT_CLOSED);
    assert_non_null(ev);
    assert_int_equal(ev->closed.code, 43);
    assert_string_equal(ev->closed.reason, "closed for today");
    run(5000000);
    assert_null(w.relay.pairs);
}

static void nobody_behind_it(void **state)
{
    const struct tvl_event *ev;
    uint64_t id;

    (void)state;
    w.deaf = true;
    begin(100);
    assert_int_equal(tvl_stream_open(w.client, TVL_BIDI, &id), 0);
    say(w.client, id, "is somebody there?", false);
    run(200000);
    assert_int_equal(tvl_stream_reset(w.client, id, 1), 0); /* one that waits ends */
    run(4000000);
    ev = heard(&w.client_news, TVL_EVENT_CLOSED);
    assert_non_null(ev);
    assert_int_equal(ev->closed.kind, TVL_CLOSED_PEER_APP);
    assert_non_null(strstr(ev->closed.reason, "relay: "));
    run(5000000);
    assert_null(w.relay.pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_of_either_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resets_and_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_wait_for_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(datagrams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_server_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_behind_it, set_up, tear_down),
    };
    const struct test_pki_config pki = { .kind = TEST_PKI_P256 };

    if (test_pki_init(&w.pki, &pki) != 0)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_pki_fini(&w.pki);
    return failed;
}
