/*
 * test_resumption.c - TLS as whole connections show it: tickets kept per server name and used at
 * the next connect, carried to another endpoint, declined; HelloRetryRequest, suites, client
 * certificates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pair.h"

#define SECOND 1000000u

static bool both_connected(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CONNECTED] && p->seen[1][TVL_EVENT_CONNECTED];
}

static bool both_closed(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CLOSED] && p->seen[1][TVL_EVENT_CLOSED];
}

struct met { /* what one connection came to */
    struct tvl_conn_stats client, server;
};

/* A connection from handshake to its end, with time for the tickets to arrive. */
static struct met meet(struct pair *p, const struct pair_options *o)
{
    struct met m;

    memset(p->seen, 0, sizeof p->seen);
    pair_connect(p, o);
    pair_run(p, 20 * SECOND, both_connected);
    assert_true(both_connected(p));
    pair_run(p, SECOND, NULL);
    tvl_conn_get_stats(p->conn[PAIR_CLIENT], &m.client);
    tvl_conn_get_stats(p->conn[PAIR_SERVER], &m.server);
    assert_int_equal(tvl_close(p->conn[PAIR_CLIENT], 0, "", p->now), 0);
    pair_run(p, 60 * SECOND, both_closed);
    assert_true(both_closed(p));
    assert_int_equal(m.client.resumed, m.server.resumed);
    assert_int_equal(m.client.suite, m.server.suite);
    return m;
}

static void next_connection_resumes(void **state)
{
    const struct pair_options o = { .ca_file = NULL }, by_address = { .server_name = "127.0.0.1" };
    struct met first;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    first = meet(&p, &o);
    assert_false(first.client.resumed);
    assert_int_equal(first.client.suite, 0x1301);
    assert_false(meet(&p, &by_address).client.resumed); /* another name, another server */
    assert_true(meet(&p, &o).client.resumed);
    assert_true(meet(&p, &o).client.resumed); /* by the tickets of the second */
    assert_true(meet(&p, &by_address).client.resumed);
    pair_fini(&p);
}

static void no_resumption(const struct pair *p, int side, struct tvl_tls_config *tls,
                          struct tvl_config *cfg)
{
    (void)p, (void)tls;
    cfg->no_resumption = side == PAIR_CLIENT;
}

static void client_no_tickets(const struct pair *p, int side, struct tvl_tls_config *tls,
                              struct tvl_config *cfg)
{
    (void)p, (void)cfg;
    tls->no_tickets = side == PAIR_CLIENT;
}

static void server_no_tickets(const struct pair *p, int side, struct tvl_tls_config *tls,
                              struct tvl_config *cfg)
{
    (void)p, (void)cfg;
    tls->no_tickets = side == PAIR_SERVER;
}

static void declined(void **state)
{
    static const struct pair_options options[] = {
        { .adjust = no_resumption },
        { .adjust = client_no_tickets },
        { .adjust = server_no_tickets },
    };
    uint8_t bytes[TVL_SESSION_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct pair p;

        pair_init(&p, &options[i]);
        assert_false(meet(&p, &options[i]).client.resumed);
        if (i == 0) /* not even an address token */
            assert_int_equal(
                tvl_session_export(p.ep[PAIR_CLIENT], "localhost", bytes, sizeof bytes), 0);
        assert_false(meet(&p, &options[i]).client.resumed);
        pair_fini(&p);
    }
}

/* A later process, or another endpoint of the same: the bytes are all it takes. */
static void carried_over(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct tvl_endpoint *first;
    uint8_t bytes[TVL_SESSION_MAX];
    struct tvl_config cfg;
    struct pair p;
    size_t len;

    (void)state;
    pair_init(&p, &o);
    first = p.ep[PAIR_CLIENT];
    assert_int_equal(tvl_session_export(first, "localhost", bytes, sizeof bytes), 0);
    meet(&p, &o);
    assert_int_equal(tvl_session_export(first, "localhost", bytes, 10), 0); /* no room */
    len = tvl_session_export(first, "localhost", bytes, sizeof bytes);
    assert_true(len > 100);

    tvl_config_init(&cfg);
    cfg.tls = p.tls[PAIR_CLIENT];
    cfg.seed[0] = 99;
    assert_int_equal(tvl_endpoint_new(&p.ep[PAIR_CLIENT], &cfg), 0);
    tvl_endpoint_free(first);
    assert_int_equal(tvl_session_import(p.ep[PAIR_CLIENT], NULL, bytes, len), TVL_ERR_ARG);
    assert_int_equal(tvl_session_import(p.ep[PAIR_CLIENT], "", bytes, len), TVL_ERR_ARG);
    assert_int_equal(tvl_session_import(p.ep[PAIR_CLIENT], "localhost", bytes, len - 1),
                     TVL_ERR_ARG);
    assert_int_equal(tvl_session_import(p.ep[PAIR_CLIENT], "localhost", bytes, len), 0);
    assert_true(meet(&p, &o).client.resumed);
    pair_fini(&p);
}

/* A ticket of a server that has forgotten its keys, or bytes that are none: a full handshake. */
static void useless_ticket(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    static const uint8_t junk[] = { 1, 0, 5, 'j', 'u', 'n', 'k', '!', 0, 0 };
    uint8_t bytes[TVL_SESSION_MAX];
    struct pair p, q;
    size_t len;

    (void)state;
    pair_init(&p, &o);
    meet(&p, &o);
    len = tvl_session_export(p.ep[PAIR_CLIENT], "localhost", bytes, sizeof bytes);
    pair_init(&q, &o);
    assert_int_equal(tvl_session_import(q.ep[PAIR_CLIENT], "localhost", bytes, len), 0);
    assert_false(meet(&q, &o).client.resumed);
    assert_int_equal(tvl_session_import(q.ep[PAIR_CLIENT], "localhost", junk, sizeof junk), 0);
    assert_false(meet(&q, &o).client.resumed);
    assert_true(meet(&q, &o).client.resumed);
    pair_fini(&p);
    pair_fini(&q);
}

static void server_asks_again(const struct pair *p, int side, struct tvl_tls_config *tls,
                              struct tvl_config *cfg)
{
    (void)p, (void)cfg;
    tls->groups = side == PAIR_SERVER ? "P-384" : NULL;
}

static void client_likes_chacha(const struct pair *p, int side, struct tvl_tls_config *tls,
                                struct tvl_config *cfg)
{
    (void)p, (void)cfg;
    if (side == PAIR_CLIENT)
        tls->suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
}

static void server_likes_aes_256(const struct pair *p, int side, struct tvl_tls_config *tls,
                                 struct tvl_config *cfg)
{
    (void)p, (void)cfg;
    if (side == PAIR_SERVER)
        tls->suites = "TLS_AES_256_GCM_SHA384";
}

static void client_certificate(const struct pair *p, int side, struct tvl_tls_config *tls,
                               struct tvl_config *cfg)
{
    (void)cfg;
    if (side == PAIR_SERVER) {
        tls->ca_file = p->pki.ca;
    } else {
        tls->cert_file = p->pki.client;
        tls->key_file = p->pki.client_key;
    }
}

static void choices(void **state)
{
    static const struct {
        struct pair_options o;
        uint16_t suite;
    } cases[] = {
        { { .adjust = server_asks_again }, 0x1301 },
        { { .adjust = client_likes_chacha }, 0x1303 },
        { { .adjust = server_likes_aes_256 }, 0x1302 },
        { { .adjust = client_certificate }, 0x1301 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned loss = 0; loss <= 4; loss += 4) { /* each fourth datagram is lost, or none */
            struct pair p;

            print_message("case %zu, loss %u\n", i, loss);
            pair_init(&p, &cases[i].o);
            p.link[0].drop_nth = loss;
            const struct met first = meet(&p, &cases[i].o), second = meet(&p, &cases[i].o);
            assert_false(first.client.resumed);
            assert_true(second.client.resumed);
            assert_int_equal(first.client.suite, cases[i].suite);
            assert_int_equal(second.client.suite, cases[i].suite);
            pair_fini(&p);
        }
}

static void server_wants_certificate(const struct pair *p, int side, struct tvl_tls_config *tls,
                                     struct tvl_config *cfg)
{
    (void)cfg;
    if (side == PAIR_SERVER)
        tls->ca_file = p->pki.ca;
}

/* The client takes the handshake for complete before the server has judged its certificate. */
static void certificate_required(void **state)
{
    const struct pair_options o = { .adjust = server_wants_certificate };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, both_closed);
    assert_true(both_closed(&p));
    assert_int_equal(p.seen[PAIR_SERVER][TVL_EVENT_CONNECTED], 0);
    assert_int_equal(p.closed[PAIR_CLIENT].closed.kind, TVL_CLOSED_TLS);
    assert_int_equal(p.closed[PAIR_CLIENT].closed.code, 0x100 + 116);
    assert_int_equal(p.closed[PAIR_SERVER].closed.code, 0x100 + 116);
    pair_fini(&p);
}

/* A 0-RTT packet (RFC 9000 17.2.3) to where the Initial `d` goes; bytes written. */
static size_t put_early_packet(const struct pair_datagram *d, uint8_t *out)
{
    const size_t dcid = d->bytes[5], scid = d->bytes[6 + dcid];
    const size_t ids = 5 + 1 + dcid + 1 + scid;
    const size_t body = 60;

    memcpy(out, d->bytes, ids);
    out[0] = 0xd1;
    out[ids] = (uint8_t)body;
    memset(out + ids + 1, 0x5a, body);
    return ids + 1 + body;
}

/* A client that was given early data elsewhere, or guesses: alone before its Initial, behind it. */
static void early_packets_are_dropped(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct tvl_conn_stats server;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 0, NULL);
    assert_int_equal(p.n_queue, 1);
    p.queue[1] = p.queue[0];
    p.queue[0].dgram.len = put_early_packet(&p.queue[1], p.queue[0].bytes);
    p.n_queue = 2;
    p.queue[1].dgram.len += put_early_packet(&p.queue[1], p.queue[1].bytes + p.queue[1].dgram.len);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    tvl_conn_get_stats(p.conn[PAIR_SERVER], &server);
    assert_int_equal(server.packets_dropped, 1);
    assert_true(p.now < SECOND + SECOND / 2); /* no packet was sent again */
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_connection_resumes),
        cmocka_unit_test(declined),
        cmocka_unit_test(carried_over),
        cmocka_unit_test(useless_ticket),
        cmocka_unit_test(choices),
        cmocka_unit_test(certificate_required),
        cmocka_unit_test(early_packets_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
