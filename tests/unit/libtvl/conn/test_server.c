/*
 * test_server.c - a server towards clients it does not know yet or no longer: Retry, tokens,
 * refusals, stateless resets, version negotiation, floods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pair.h"

#define SECOND 1000000u
#define REFUSED 0x02       /* CONNECTION_REFUSED, RFC 9000 20.1 */
#define INVALID_TOKEN 0x0b /* the same */

static bool both_connected(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CONNECTED] && p->seen[1][TVL_EVENT_CONNECTED];
}

static bool both_closed(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CLOSED] && p->seen[1][TVL_EVENT_CLOSED];
}

static bool client_closed(struct pair *p)
{
    return p->seen[PAIR_CLIENT][TVL_EVENT_CLOSED];
}

static struct tvl_endpoint_stats stats_of(const struct pair *p)
{
    struct tvl_endpoint_stats s;

    tvl_endpoint_get_stats(p->ep[PAIR_SERVER], &s);
    return s;
}

static void connect_over(struct pair *p, unsigned link)
{
    const struct tvl_path_config path = pair_path(p, link);

    memset(p->seen, 0, sizeof p->seen);
    assert_int_equal(
        tvl_connect(p->ep[PAIR_CLIENT], &path, "localhost", &p->conn[PAIR_CLIENT], p->now), 0);
}

/* A connection over `link` from handshake to its end, with time for a NEW_TOKEN to arrive. */
static void meet(struct pair *p, unsigned link)
{
    connect_over(p, link);
    pair_run(p, 20 * SECOND, both_connected);
    assert_true(both_connected(p));
    pair_run(p, SECOND, NULL);
    assert_int_equal(tvl_close(p->conn[PAIR_CLIENT], 0, "", p->now), 0);
    pair_run(p, 60 * SECOND, both_closed);
    assert_true(both_closed(p));
    pair_run(p, 10 * SECOND, NULL);
}

/* ---- address validation, RFC 9000 8.1 ---- */

static void always_retry(const struct pair *p, int side, struct tvl_tls_config *tls,
                         struct tvl_config *cfg)
{
    (void)p, (void)tls;
    memset(cfg->secret, 7, sizeof cfg->secret);
    if (side == PAIR_SERVER)
        cfg->retry = TVL_RETRY_ALWAYS;
}

static void retry_then_token(void **state)
{
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        const struct pair_options o = { .adjust = always_retry, .ipv6 = ipv6 };
        struct pair p;

        (void)state;
        pair_init(&p, &o);
        meet(&p, 0);
        assert_int_equal(stats_of(&p).retries_sent, 1);
        assert_int_equal(stats_of(&p).tokens_bad, 0);
        meet(&p, 0); /* with the token of the first: no round trip for a Retry */
        assert_int_equal(stats_of(&p).retries_sent, 1);
        assert_int_equal(stats_of(&p).accepted, 2);
        meet(&p, 1); /* from elsewhere the token proves nothing */
        assert_int_equal(stats_of(&p).retries_sent, 2);
        assert_int_equal(stats_of(&p).tokens_bad, 1);
        assert_int_equal(stats_of(&p).conns, 0);
        pair_fini(&p);
    }
}

static void retry_with_loss(void **state)
{
    (void)state;
    for (unsigned nth = 2; nth < 6; nth++) {
        const struct pair_options o = { .adjust = always_retry };
        struct pair p;

        pair_init(&p, &o);
        p.link[0].drop_nth = nth;
        meet(&p, 0);
        pair_fini(&p);
    }
}

/* The server is started again: what it gave out before still means something to it. */
static void restart(struct pair *p, uint8_t secret)
{
    struct tvl_config cfg;

    tvl_endpoint_free(p->ep[PAIR_SERVER]);
    p->conn[PAIR_SERVER] = NULL;
    tvl_config_init(&cfg);
    cfg.tls = p->tls[PAIR_SERVER];
    cfg.seed[0] = 99;
    cfg.retry = TVL_RETRY_ALWAYS;
    memset(cfg.secret, secret, sizeof cfg.secret);
    assert_int_equal(tvl_endpoint_new(&p->ep[PAIR_SERVER], &cfg), 0);
}

static void token_outlives_the_server(void **state)
{
    const struct pair_options o = { .adjust = always_retry };
    static const struct {
        uint8_t secret;
        unsigned retries;
    } rows[] = { { 7, 0 }, { 8, 1 } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair p;

        pair_init(&p, &o);
        meet(&p, 0);
        restart(&p, rows[i].secret);
        meet(&p, 0);
        assert_int_equal(stats_of(&p).retries_sent, rows[i].retries);
        pair_fini(&p);
    }
}

/* Changes the token within the client's Initial on its way: its first byte says it is a Retry's. */
static void bad_retry_token_is_refused(void **state)
{
    const struct pair_options o = { .adjust = always_retry };
    uint8_t session[TVL_SESSION_MAX];
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    meet(&p, 0);
    const size_t len = tvl_session_export(p.ep[PAIR_CLIENT], "localhost", session, sizeof session);
    const size_t ticket_len = (size_t)session[1] << 8 | session[2]; /* see core/session.c */
    uint8_t *token = session + 1 + 2 + ticket_len + 2;
    assert_true(token < session + len && token[0] == 0x2e);
    token[0] = 0xb1; /* see core/token.h */
    assert_int_equal(tvl_session_import(p.ep[PAIR_CLIENT], "localhost", session, len), 0);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, client_closed);
    assert_int_equal(p.closed[PAIR_CLIENT].closed.kind, TVL_CLOSED_PEER);
    assert_int_equal(p.closed[PAIR_CLIENT].closed.code, INVALID_TOKEN);
    pair_fini(&p);
}

/* A copy of the client's Initial with a Retry's token, one bit of it flipped, is there first. */
static void run_ahead_damaged(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                              const uint8_t *bytes)
{
    const size_t scid_at = 6u + bytes[5];
    const size_t token_at = scid_at + 1 + bytes[scid_at]; /* its length, of one byte or two */
    struct pair_datagram *q = &p->queue[p->n_queue];

    (void)link;
    if (from != PAIR_CLIENT || (bytes[0] & 0xf0) != 0xc0 || bytes[token_at] == 0)
        return;
    q->at = p->now + p->link[0].delay;
    q->to = PAIR_SERVER;
    q->dgram = *d;
    q->dgram.local = d->remote;
    q->dgram.remote = d->local;
    q->dgram.tag = 0;
    memcpy(q->bytes, bytes, d->len);
    q->bytes[token_at + 10] ^= 1;
    p->n_queue++;
}

static void damaged_retry_token_is_ignored(void **state)
{
    const struct pair_options o = { .adjust = always_retry };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.on_datagram = run_ahead_damaged;
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    assert_true(stats_of(&p).tokens_bad > 0);
    pair_fini(&p);
}

/* ---- configuration ---- */

static char names[3][16];

static void borrowed_names(const struct pair *p, int side, struct tvl_tls_config *tls,
                           struct tvl_config *cfg)
{
    (void)p, (void)tls, (void)side;
    strcpy(names[0], "cubic");
    strcpy(names[1], "ecf");
    strcpy(names[2], "lia");
    cfg->cc = names[0];
    cfg->sched = names[1];
    cfg->coupling = names[2];
}

/* Whoever configures a server may forget the words: as one does who reads his file again. */
static void names_are_not_needed_later(void **state)
{
    const struct pair_options o = { .adjust = borrowed_names };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    memset(names, 'x', sizeof names - 1);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    pair_fini(&p);
}

/* ---- refusals ---- */

static void one_at_a_time(const struct pair *p, int side, struct tvl_tls_config *tls,
                          struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_SERVER)
        cfg->conns_max = 1;
}

static void one_per_host(const struct pair *p, int side, struct tvl_tls_config *tls,
                         struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_SERVER)
        cfg->conns_per_host = 1;
}

/* Who has not proved its address shall; link 0 is welcome then, the others are not. */
static enum tvl_knock on_knock(void *user, const struct sockaddr_storage *remote, bool proved,
                               tvl_time now)
{
    const uint8_t *b =
        (const uint8_t *)&((const struct sockaddr_in *)(const void *)remote)->sin_addr;

    (void)user, (void)now;
    return !proved ? TVL_KNOCK_PROVE : b[2] == 0 ? TVL_KNOCK_ADMIT : TVL_KNOCK_REFUSE;
}

static void only_the_proved_of_link_0(const struct pair *p, int side, struct tvl_tls_config *tls,
                                      struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_SERVER)
        cfg->on_knock = on_knock;
}

static void assert_refused(struct pair *p, unsigned link)
{
    connect_over(p, link);
    pair_run(p, 5 * SECOND, client_closed);
    assert_int_equal(p->closed[PAIR_CLIENT].closed.kind, TVL_CLOSED_PEER);
    assert_int_equal(p->closed[PAIR_CLIENT].closed.code, REFUSED);
    assert_int_equal(p->seen[PAIR_SERVER][TVL_EVENT_ACCEPTED], 0);
}

static void limits_refuse(void **state)
{
    const struct pair_options conns = { .adjust = one_at_a_time },
                              host = { .adjust = one_per_host };
    struct tvl_conn *first;
    struct pair p;

    (void)state;
    pair_init(&p, &conns);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    first = p.conn[PAIR_CLIENT];
    assert_refused(&p, 1);
    assert_int_equal(stats_of(&p).refused_conns_max, 1);
    assert_int_equal(tvl_close(first, 0, "", p.now), 0); /* makes room */
    pair_run(&p, 10 * SECOND, NULL);
    meet(&p, 1);
    pair_fini(&p);

    pair_init(&p, &host);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_refused(&p, 0);
    assert_int_equal(stats_of(&p).refused_host, 1);
    connect_over(&p, 1); /* another host */
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    assert_int_equal(stats_of(&p).conns, 2);
    pair_fini(&p);
}

static void the_application_refuses(void **state)
{
    const struct pair_options o = { .adjust = only_the_proved_of_link_0 };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    assert_int_equal(stats_of(&p).retries_sent, 1);
    assert_string_equal(tvl_conn_peer_subject(p.conn[PAIR_SERVER]), "");
    assert_string_equal(tvl_conn_peer_subject(p.conn[PAIR_CLIENT]), "CN=localhost");
    assert_refused(&p, 1);
    assert_int_equal(stats_of(&p).refused_knock, 1);
    assert_int_equal(stats_of(&p).conns, 1);
    pair_fini(&p);
}

static void draining_refuses_the_new_only(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct tvl_conn *first;
    struct pair p;
    uint64_t id;

    (void)state;
    pair_init(&p, &o);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    first = p.conn[PAIR_CLIENT];
    tvl_endpoint_refuse(p.ep[PAIR_SERVER], true);
    assert_refused(&p, 1);
    assert_int_equal(stats_of(&p).refused_draining, 1);
    assert_int_equal(tvl_stream_open(first, TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_write(first, id, (const uint8_t *)"still here", 10, true), 10);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(p.seen[PAIR_SERVER][TVL_EVENT_STREAM_OPENED], 1);
    tvl_endpoint_refuse(p.ep[PAIR_SERVER], false);
    connect_over(&p, 1);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    pair_fini(&p);
}

/* ---- stateless reset, RFC 9000 10.3 ---- */

static void forgotten_connection_is_reset(void **state)
{
    const struct pair_options o = { .adjust = always_retry };
    static const struct {
        uint8_t secret;
        bool reset;
    } rows[] = { { 7, true }, { 8, false } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        uint64_t id;

        pair_init(&p, &o);
        connect_over(&p, 0);
        pair_run(&p, 5 * SECOND, both_connected);
        pair_run(&p, SECOND, NULL);
        restart(&p, rows[i].secret);
        assert_int_equal(tvl_stream_open(p.conn[PAIR_CLIENT], TVL_UNI, &id), 0);
        assert_int_equal(tvl_stream_write(p.conn[PAIR_CLIENT], id,
                                          (const uint8_t *)"is anybody still there?", 23, false),
                         23);
        pair_run(&p, 5 * SECOND, client_closed);
        assert_int_equal(client_closed(&p), rows[i].reset);
        if (rows[i].reset)
            assert_int_equal(p.closed[PAIR_CLIENT].closed.kind, TVL_CLOSED_RESET);
        assert_true(stats_of(&p).resets_sent > 0);
        pair_fini(&p);
    }
}

/* One datagram to the server from nowhere in particular; the length of its answer, or 0. */
static size_t ask(struct pair *p, const uint8_t *bytes, size_t len)
{
    const struct tvl_path_config path = pair_path(p, 2);
    const struct tvl_datagram in = { .local = path.remote, .remote = path.local, .len = len };
    uint8_t copy[TVL_DATAGRAM_MAX], answer[TVL_DATAGRAM_MAX];
    struct tvl_datagram out;

    memcpy(copy, bytes, len);
    assert_int_equal(tvl_endpoint_recv(p->ep[PAIR_SERVER], &in, copy, p->now), TVL_ERR_PACKET);
    if (tvl_endpoint_send(p->ep[PAIR_SERVER], &out, answer, p->now) != 1)
        return 0;
    assert_int_equal(tvl_endpoint_send(p->ep[PAIR_SERVER], &out, answer, p->now), 0);
    return out.len;
}

static void resets_are_small_and_few(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    uint8_t bytes[TVL_DATAGRAM_MAX] = { 0x40 };
    unsigned answers = 0;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    for (size_t len = 1; len < 43; len++)
        assert_int_equal(ask(&p, bytes, len), 0);
    for (size_t len = 43; len < 200; len++) {
        const size_t n = ask(&p, bytes, len);

        assert_true(n >= 21 && n < len);
    }
    for (unsigned i = 0; i < 5000; i++)
        answers += ask(&p, bytes, 100) > 0;
    assert_true(answers < 1000); /* TVL_RESETS_PER_S, of which some are used already */
    p.now += SECOND;
    assert_true(ask(&p, bytes, 100) > 0);
    pair_fini(&p);
}

/* ---- version negotiation, RFC 9000 6 ---- */

static void versions_are_offered_to_full_datagrams(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    uint8_t bytes[TVL_DATAGRAM_MAX] = {
        0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0
    };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    assert_int_equal(ask(&p, bytes, 1199), 0);
    assert_int_equal(ask(&p, bytes, 1200), 1 + 4 + 1 + 1 + 8 + 4 + 4); /* one is reserved */
    assert_int_equal(stats_of(&p).versions_sent, 1);
    memset(bytes + 1, 0, 4); /* a Version Negotiation itself is not answered */
    assert_int_equal(ask(&p, bytes, 1200), 0);
    pair_fini(&p);
}

static void reserved_version(const struct pair *p, int side, struct tvl_tls_config *tls,
                             struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_CLIENT)
        cfg->first_version = 0x1a2a3a4a;
    else
        cfg->retry = TVL_RETRY_ALWAYS;
}

static unsigned reserved_seen;

static void count_reserved(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                           const uint8_t *bytes)
{
    (void)p, (void)link, (void)d;
    reserved_seen += from == PAIR_CLIENT && memcmp(bytes + 1, "\x1a\x2a\x3a\x4a", 4) == 0;
}

/* A client that begins with a version nobody speaks is told better, and goes on; even to a Retry.
 */
static void versions_are_negotiated(void **state)
{
    const struct pair_options o = { .adjust = reserved_version };
    struct pair p;

    (void)state;
    reserved_seen = 0;
    pair_init(&p, &o);
    p.on_datagram = count_reserved;
    meet(&p, 0);
    assert_int_equal(reserved_seen, stats_of(&p).versions_sent);
    assert_true(reserved_seen >= 1);
    assert_int_equal(stats_of(&p).retries_sent, 1);
    pair_fini(&p);
}

/* ---- floods ---- */

static void few_handshakes(const struct pair *p, int side, struct tvl_tls_config *tls,
                           struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_SERVER)
        cfg->handshakes_max = 20;
    else
        cfg->no_resumption = true;
}

/* A client's first datagram, from an address that `n` makes up. */
static void first_flight(struct pair *p, unsigned n, struct tvl_datagram *d, uint8_t *bytes)
{
    struct tvl_path_config path = pair_path(p, 2);
    struct sockaddr_in *local = (void *)&path.local;
    struct tvl_conn *conn;

    local->sin_addr.s_addr += htonl(n << 16);
    local->sin_port = htons((uint16_t)(1024 + n));
    assert_int_equal(tvl_connect(p->ep[PAIR_CLIENT], &path, "localhost", &conn, p->now), 0);
    assert_int_equal(tvl_endpoint_send(p->ep[PAIR_CLIENT], d, bytes, p->now), 1);
    const struct sockaddr_storage from = d->local;
    d->local = d->remote;
    d->remote = from;
    d->tag = 0;
}

/*
 * Initials from addresses that never answer: half of the handshakes are given to them, the others
 * are asked to prove where they are; nobody gets more than three times what he sent.
 */
static void spoofed_initials(void **state)
{
    enum { N = 300 };
    const struct pair_options o = { .adjust = few_handshakes };
    uint64_t sent_in = 0, sent_out = 0;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    connect_over(&p, 0);
    pair_run(&p, 5 * SECOND, both_connected);
    struct tvl_conn *friend = p.conn[PAIR_CLIENT];
    for (unsigned i = 0; i < N; i++) {
        uint8_t bytes[TVL_DATAGRAM_MAX], answer[TVL_DATAGRAM_MAX];
        struct tvl_datagram d, out;
        uint64_t to_this = 0;

        first_flight(&p, i, &d, bytes);
        const size_t len = d.len;
        (void)tvl_endpoint_recv(p.ep[PAIR_SERVER], &d, bytes, p.now);
        while (tvl_endpoint_send(p.ep[PAIR_SERVER], &out, answer, p.now) == 1)
            to_this += out.len;
        assert_true(to_this <= 3 * len);
        sent_in += len;
        sent_out += to_this;
    }
    const struct tvl_endpoint_stats s = stats_of(&p);
    assert_int_equal(s.handshakes, 10);
    assert_int_equal(s.conns, 11);
    assert_int_equal(s.retries_sent, N - 10);
    assert_true(sent_out < sent_in);
    /* the established connection goes on, and a new one gets in by way of a Retry */
    uint64_t id;
    assert_int_equal(tvl_stream_open(friend, TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_write(friend, id, (const uint8_t *)"unharmed", 8, true), 8);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(p.seen[PAIR_SERVER][TVL_EVENT_STREAM_OPENED], 1);
    connect_over(&p, 1);
    pair_run(&p, 5 * SECOND, both_connected);
    assert_true(both_connected(&p));
    assert_true(stats_of(&p).retries_sent > N - 10);
    pair_run(&p, 30 * SECOND, NULL); /* the spoofed ones are given up */
    assert_int_equal(stats_of(&p).handshakes, 0);
    pair_fini(&p);
}

/* What looks like an Initial but is none leaves nothing behind. */
static void junk_initials(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t bytes[1200];

        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(k * 7 + i);
        memcpy(bytes, (const uint8_t[]){ 0xc0, 0, 0, 0, 1, 8 }, 6);
        bytes[14] = 0;                       /* no source ID */
        bytes[15] = 0;                       /* no token */
        bytes[16] = 0x40 | (1200 - 18) >> 8; /* the length fills the datagram */
        bytes[17] = (uint8_t)(1200 - 18);
        assert_int_equal(ask(&p, bytes, sizeof bytes), 0);
    }
    assert_int_equal(stats_of(&p).accepted, 0);
    assert_int_equal(stats_of(&p).datagrams_unroutable, 300);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_then_token),
        cmocka_unit_test(retry_with_loss),
        cmocka_unit_test(token_outlives_the_server),
        cmocka_unit_test(bad_retry_token_is_refused),
        cmocka_unit_test(damaged_retry_token_is_ignored),
        cmocka_unit_test(names_are_not_needed_later),
        cmocka_unit_test(limits_refuse),
        cmocka_unit_test(the_application_refuses),
        cmocka_unit_test(draining_refuses_the_new_only),
        cmocka_unit_test(forgotten_connection_is_reset),
        cmocka_unit_test(resets_are_small_and_few),
        cmocka_unit_test(versions_are_offered_to_full_datagrams),
        cmocka_unit_test(versions_are_negotiated),
        cmocka_unit_test(spoofed_initials),
        cmocka_unit_test(junk_initials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
