/*
 * test_tls.c - whole handshakes between our client and our server, and what each must refuse.
 *
 * The order in which secrets and bytes appear is asserted in every handshake that completes: the
 * bridge to OpenSSL depends on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tls_pair.h"

struct pkis {
    struct test_pki ed25519, p256, large, stranger, impostor;
};

static const struct secret_seen client_order[] = {
    { TVL_LEVEL_HANDSHAKE, TVL_SECRET_READ },
    { TVL_LEVEL_HANDSHAKE, TVL_SECRET_WRITE },
    { TVL_LEVEL_APP, TVL_SECRET_READ },
    { TVL_LEVEL_APP, TVL_SECRET_WRITE },
};
static const struct secret_seen server_order[] = {
    { TVL_LEVEL_HANDSHAKE, TVL_SECRET_WRITE },
    { TVL_LEVEL_HANDSHAKE, TVL_SECRET_READ },
    { TVL_LEVEL_APP, TVL_SECRET_WRITE },
    { TVL_LEVEL_APP, TVL_SECRET_READ },
};

static void assert_order(const struct tls_side *s, const struct secret_seen *want)
{
    assert_int_equal(s->order_len, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(s->order[i].level, want[i].level);
        assert_int_equal(s->order[i].use, want[i].use);
    }
}

/* What one side writes with, the other reads with, at both levels. */
static void assert_secrets_match(const struct tls_side *writer, const struct tls_side *reader)
{
    for (int level = TVL_LEVEL_HANDSHAKE; level <= TVL_LEVEL_APP; level++) {
        size_t n = writer->secret_len[level][TVL_SECRET_WRITE];

        assert_true(n > 0);
        assert_int_equal(n, reader->secret_len[level][TVL_SECRET_READ]);
        assert_memory_equal(writer->secret[level][TVL_SECRET_WRITE],
                            reader->secret[level][TVL_SECRET_READ], n);
    }
}

static void assert_complete(const struct tls_pair *p)
{
    const struct tls_side *c = &p->client, *s = &p->server;

    assert_true(tvl_tls_conn_done(c->c) && tvl_tls_conn_done(s->c));
    assert_int_equal(c->alert_calls + s->alert_calls, 0);
    assert_string_equal(tvl_tls_conn_alpn(c->c), "moqt-18");
    assert_string_equal(tvl_tls_conn_alpn(s->c), "moqt-18");
    assert_string_equal(tvl_tls_conn_why(c->c), "");
    assert_order(c, client_order);
    assert_order(s, server_order);
    assert_secrets_match(c, s);
    assert_secrets_match(s, c);
    /* The early secret: before a single byte of the server's Handshake flight. */
    assert_int_equal(c->handshake_bytes_at_write, 0);
    assert_int_equal(c->peer_params_len, sizeof server_params);
    assert_memory_equal(c->peer_params, server_params, sizeof server_params);
    assert_int_equal(s->peer_params_len, sizeof client_params);
    assert_memory_equal(s->peer_params, client_params, sizeof client_params);
    /* RFC 9001 8.4: legacy_session_id is empty; it follows header, version and random. */
    assert_int_equal(c->out[TVL_LEVEL_INITIAL][4 + 2 + 32], 0);
    assert_int_equal(c->out_len[TVL_LEVEL_EARLY] + s->out_len[TVL_LEVEL_EARLY], 0);
    assert_int_equal(c->out_len[TVL_LEVEL_APP], 0);
    assert_true(s->out_len[TVL_LEVEL_APP] > 0); /* a ticket, which the client took */
    assert_int_equal(s->out_len[TVL_LEVEL_APP], s->out_taken[TVL_LEVEL_APP]);
}

struct good_case {
    const char *name;
    struct tls_pair_config cfg;
    enum { PKI_ED25519, PKI_P256, PKI_LARGE } pki;
    uint16_t suite;        /* [AES-128-GCM] */
    unsigned params_calls; /* [1] on the server */
};

static const struct good_case good_cases[] = {
    { .name = "Ed25519" },
    { .name = "ECDSA P-256", .pki = PKI_P256 },
    { .name = "AES-256-GCM",
      .cfg = { .suite = "TLS_AES_256_GCM_SHA384" },
      .suite = TVL_SUITE_AES_256_GCM },
    { .name = "ChaCha20-Poly1305",
      .cfg = { .suite = "TLS_CHACHA20_POLY1305_SHA256" },
      .suite = TVL_SUITE_CHACHA20_POLY1305 },
    { .name = "HelloRetryRequest", .cfg = { .server_groups = "P-384" }, .params_calls = 2 },
    { .name = "HelloRetryRequest, AES-256-GCM",
      .cfg = { .server_groups = "P-256", .suite = "TLS_AES_256_GCM_SHA384" },
      .suite = TVL_SUITE_AES_256_GCM,
      .params_calls = 2 },
    { .name = "client certificate", .cfg = { .mutual = true } },
    { .name = "client certificate, P-256", .cfg = { .mutual = true }, .pki = PKI_P256 },
    { .name = "client certificate, HelloRetryRequest",
      .cfg = { .mutual = true, .server_groups = "P-384" },
      .params_calls = 2 },
    { .name = "40 KB certificate", .pki = PKI_LARGE },
    { .name = "IPv4 literal", .cfg = { .name = "127.0.0.1" } },
    { .name = "IPv6 literal", .cfg = { .name = "::1" } },
};

static void completes(void **state)
{
    static const size_t chunks[] = { 0, 37, 1 };
    const struct pkis *pkis = *state;

    for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++)
        for (size_t j = 0; j < sizeof chunks / sizeof chunks[0]; j++) {
            const struct good_case *t = &good_cases[i];
            const struct test_pki *pki = t->pki == PKI_P256    ? &pkis->p256
                                         : t->pki == PKI_LARGE ? &pkis->large
                                                               : &pkis->ed25519;
            struct tls_pair p;

            print_message("%s, chunks of %zu\n", t->name, chunks[j]);
            pair_init(&p, pki, &t->cfg);
            assert_int_equal(pair_run(&p, chunks[j]), 0);
            assert_complete(&p);
            assert_int_equal(p.client.suite, t->suite ? t->suite : TVL_SUITE_AES_128_GCM);
            assert_int_equal(p.server.params_calls, t->params_calls ? t->params_calls : 1);
            if (t->pki == PKI_LARGE)
                assert_true(p.server.out_len[TVL_LEVEL_HANDSHAKE] > 40000);
            assert_int_equal(tvl_tls_conn_suite(p.server.c), p.client.suite);
            assert_false(tvl_tls_conn_resumed(p.client.c) || tvl_tls_conn_resumed(p.server.c));
            /* RFC 6066 3: an address is not sent as SNI. */
            assert_int_equal(memmem(p.client.out[TVL_LEVEL_INITIAL],
                                    p.client.out_len[TVL_LEVEL_INITIAL], "localhost", 9) == NULL,
                             t->cfg.name != NULL);
            pair_fini(&p);
        }
}

/* The simulator counts on it. */
static void sizes_are_the_same_each_time(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    size_t sizes[2][2][TVL_LEVELS];

    for (int run = 0; run < 2; run++) {
        struct test_pki pki;
        struct tls_pair p;
        const struct test_pki_config again = { .kind = TEST_PKI_ED25519 };

        assert_int_equal(test_pki_init(&pki, &again), 0);
        pair_init(&p, run ? &pki : &pkis->ed25519, &cfg);
        assert_int_equal(pair_run(&p, 0), 0);
        memcpy(sizes[run][0], p.client.out_len, sizeof p.client.out_len);
        memcpy(sizes[run][1], p.server.out_len, sizeof p.server.out_len);
        pair_fini(&p);
        test_pki_fini(&pki);
    }
    assert_memory_equal(sizes[0], sizes[1], sizeof sizes[0]);
}

struct bad_case {
    const char *name;
    struct tls_pair_config cfg;
    uint8_t client_alert, server_alert;
    const char *why; /* part of the text of the side that raised it */
};

static const struct bad_case bad_cases[] = {
    { .name = "untrusted authority",
      .cfg = { .client_ca = "stranger" },
      .client_alert = SSL_AD_UNKNOWN_CA,
      .why = "certificate verify failed: self-signed certificate in certificate chain" },
    { .name = "authority of the same name",
      .cfg = { .client_ca = "impostor" },
      .client_alert = SSL_AD_DECRYPT_ERROR,
      .why = "certificate verify failed: certificate signature failure" },
    { .name = "other name",
      .cfg = { .name = "example.org" },
      .client_alert = SSL_AD_BAD_CERTIFICATE,
      .why = "certificate verify failed: hostname mismatch" },
    { .name = "other address",
      .cfg = { .name = "127.0.0.2" },
      .client_alert = SSL_AD_BAD_CERTIFICATE,
      .why = "certificate verify failed: IP address mismatch" },
    { .name = "no common ALPN",
      .cfg = { .client_alpn = "h3" },
      .server_alert = SSL_AD_NO_APPLICATION_PROTOCOL,
      .why = "no application protocol" },
    { .name = "no client certificate",
      .cfg = { .mutual = true, .no_client_identity = true },
      .server_alert = SSL_AD_CERTIFICATE_REQUIRED,
      .why = "peer did not return a certificate" },
};

static void assert_failed(const struct tls_side *s, uint8_t alert, const char *why)
{
    assert_int_equal(s->alert, alert);
    assert_int_equal(s->alert_calls, 1);
    assert_int_equal(tvl_tls_conn_alert(s->c), alert);
    if (!strstr(tvl_tls_conn_why(s->c), why))
        fail_msg("\"%s\" does not say \"%s\"", tvl_tls_conn_why(s->c), why);
    assert_false(tvl_tls_conn_done(s->c));
    /* Latched, and silent from now on. */
    assert_int_equal(tvl_tls_conn_feed(s->c, TVL_LEVEL_APP, (const uint8_t *)"x", 1), TVL_ERR_TLS);
    assert_int_equal(s->alert_calls, 1);
}

static void is_refused(void **state)
{
    const struct pkis *pkis = *state;

    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        const struct bad_case *t = &bad_cases[i];
        struct tls_pair_config cfg = t->cfg;
        struct tls_pair p;

        print_message("%s\n", t->name);
        if (cfg.client_ca)
            cfg.client_ca =
                strcmp(cfg.client_ca, "stranger") ? pkis->impostor.ca : pkis->stranger.ca;
        pair_init(&p, &pkis->ed25519, &cfg);
        assert_int_equal(pair_run(&p, 0), TVL_ERR_TLS);
        if (t->client_alert)
            assert_failed(&p.client, t->client_alert, t->why);
        else
            assert_failed(&p.server, t->server_alert, t->why);
        pair_fini(&p);
    }
}

static void no_alpn_offered(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tls_pair p;

    pair_init(&p, &pkis->ed25519, &cfg);
    assert_int_equal(SSL_set_alpn_protos(p.client.c->ssl, NULL, 0), 0);
    assert_int_equal(pair_run(&p, 0), TVL_ERR_TLS);
    assert_failed(&p.server, SSL_AD_NO_APPLICATION_PROTOCOL, "application protocol");
    assert_int_equal(p.server.order_len, 0);
    pair_fini(&p);
}

/* The extension's type as it stands before our parameters in a ClientHello. */
static uint8_t *find_extension(struct tls_side *s, const uint8_t *body, size_t len)
{
    uint8_t *hello = s->out[TVL_LEVEL_INITIAL];

    for (size_t i = 4; i + len <= s->out_len[TVL_LEVEL_INITIAL]; i++)
        if (memcmp(hello + i, body, len) == 0)
            return hello + i - 4;
    fail_msg("no transport parameters in the ClientHello");
    return NULL;
}

static void server_misses_params(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tls_pair p;
    uint8_t *ext;

    pair_init(&p, &pkis->ed25519, &cfg);
    assert_int_equal(tvl_tls_conn_start(p.client.c), 0);
    ext = find_extension(&p.client, client_params, sizeof client_params);
    assert_int_equal(ext[0] << 8 | ext[1], 0x39);
    ext[0] = ext[1] = 0xfa; /* a type nobody knows */
    assert_int_equal(pair_move(&p.client, &p.server, 0), TVL_ERR_TLS);
    assert_failed(&p.server, SSL_AD_MISSING_EXTENSION, "transport parameters");
    assert_int_equal(p.server.order_len, 0);
    pair_fini(&p);
}

static void client_misses_params(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tls_pair p;

    pair_init(&p, &pkis->ed25519, &cfg);
    p.client.forget_params = true;
    assert_int_equal(pair_run(&p, 0), TVL_ERR_TLS);
    assert_failed(&p.client, SSL_AD_MISSING_EXTENSION, "transport parameters");
    assert_int_equal(p.client.out_len[TVL_LEVEL_HANDSHAKE], 0); /* no Finished for such a server */
    pair_fini(&p);
}

static void refused_params_end_it(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };

    for (int server = 0; server < 2; server++) {
        struct tls_pair p;
        struct tls_side *s = server ? &p.server : &p.client;

        pair_init(&p, &pkis->ed25519, &cfg);
        s->refuse_params = TVL_ERR_PEER;
        assert_int_equal(pair_run(&p, 0), TVL_ERR_PEER);
        assert_int_equal(s->alert_calls, 0);
        assert_int_equal(tvl_tls_conn_feed(s->c, TVL_LEVEL_INITIAL, (const uint8_t *)"x", 1),
                         TVL_ERR_PEER);
        pair_fini(&p);
    }
}

static void server_params_may_come_late(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    static const uint8_t late[] = { 0x10, 3, 'l', 'a', 't' };
    uint8_t big[TVL_TLS_PARAMS_MAX + 1] = { 0 };
    struct tls_pair p;

    pair_init(&p, &pkis->ed25519, &cfg);
    p.server.late_params = late;
    p.server.late_params_len = sizeof late;
    assert_int_equal(tvl_tls_conn_set_params(p.server.c, big, sizeof big), TVL_ERR_ARG);
    assert_int_equal(pair_run(&p, 0), 0);
    assert_int_equal(p.client.peer_params_len, sizeof late);
    assert_memory_equal(p.client.peer_params, late, sizeof late);
    assert_int_equal(tvl_tls_conn_set_params(p.server.c, late, sizeof late), TVL_ERR_STATE);
    assert_int_equal(tvl_tls_conn_set_params(p.client.c, late, sizeof late), TVL_ERR_STATE);
    assert_int_equal(tvl_tls_conn_start(p.client.c), TVL_ERR_STATE);
    pair_fini(&p);
}

struct message_case {
    const char *name;
    bool to_server, complete; /* after the whole handshake, or after the first flights */
    enum tvl_level level;
    uint8_t bytes[16];
    size_t len;
    int error;
    uint8_t alert;
};

static const struct message_case message_cases[] = {
    { "KeyUpdate to a client", false, true, TVL_LEVEL_APP, { 24, 0, 0, 1, 0 }, 5, TVL_ERR_TLS, 10 },
    { "KeyUpdate to a server", true, true, TVL_LEVEL_APP, { 24, 0, 0, 1, 0 }, 5, TVL_ERR_TLS, 10 },
    { "ticket to a server", true, true, TVL_LEVEL_APP, { 4, 0, 0, 1, 0 }, 5, TVL_ERR_TLS, 10 },
    { "CertificateRequest to a client",
      false,
      true,
      TVL_LEVEL_APP,
      { 13, 0, 0, 1, 0 },
      5,
      TVL_ERR_PEER, /* RFC 9001 4.4 */
      0 },
    { "damaged ticket", false, true, TVL_LEVEL_APP, { 4, 0, 0, 1, 0 }, 5, TVL_ERR_TLS, 50 },
    { "old level, client", false, true, TVL_LEVEL_HANDSHAKE, { 20, 0, 0, 0 }, 4, TVL_ERR_PEER, 0 },
    { "old level, server", true, true, TVL_LEVEL_INITIAL, { 20, 0, 0, 0 }, 4, TVL_ERR_PEER, 0 },
    { "coming level", true, false, TVL_LEVEL_APP, { 20, 0, 0, 0 }, 4, TVL_ERR_PEER, 0 },
    { "0-RTT level", true, false, TVL_LEVEL_EARLY, { 20, 0, 0, 0 }, 4, TVL_ERR_PEER, 0 },
    { "KeyUpdate in Handshake",
      true,
      false,
      TVL_LEVEL_HANDSHAKE,
      { 24, 0, 0, 1, 0 },
      5,
      TVL_ERR_TLS,
      10 },
    { "EndOfEarlyData", true, false, TVL_LEVEL_HANDSHAKE, { 5, 0, 0, 0 }, 4, TVL_ERR_TLS, 10 },
    { "unknown type", true, false, TVL_LEVEL_HANDSHAKE, { 99, 0, 0, 1, 0 }, 5, TVL_ERR_TLS, 10 },
};

static void stray_messages(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };

    for (size_t i = 0; i < sizeof message_cases / sizeof message_cases[0]; i++) {
        const struct message_case *t = &message_cases[i];
        struct tls_pair p;
        struct tls_side *to = t->to_server ? &p.server : &p.client;

        print_message("%s\n", t->name);
        pair_init(&p, &pkis->ed25519, &cfg);
        if (t->complete)
            assert_int_equal(pair_run(&p, 0), 0);
        else {
            assert_int_equal(tvl_tls_conn_start(p.client.c), 0);
            assert_true(pair_move(&p.client, &p.server, 0) > 0);
        }
        assert_int_equal(tvl_tls_conn_feed(to->c, t->level, t->bytes, 0), 0);
        assert_int_equal(tvl_tls_conn_feed(to->c, t->level, t->bytes, t->len), t->error);
        assert_int_equal(to->alert, t->alert);
        assert_int_equal(to->alert_calls, t->alert ? 1 : 0);
        assert_true(strlen(tvl_tls_conn_why(to->c)) > 0);
        pair_fini(&p);
    }
}

/* xorshift64: any deterministic source does. */
static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

struct resume_case {
    const char *name;
    struct tls_pair_config first, second;
    bool stranger; /* the second server is another one: it has other ticket keys */
    bool full;     /* the second handshake, too */
    bool no_ticket;
};
static const struct resume_case resume_cases[] = {
    { .name = "plain" },
    { .name = "HelloRetryRequest",
      .first = { .server_groups = "P-384" },
      .second = { .server_groups = "P-384" } },
    { .name = "AES-256-GCM",
      .first = { .suite = "TLS_AES_256_GCM_SHA384" },
      .second = { .suite = "TLS_AES_256_GCM_SHA384" } },
    { .name = "ChaCha20-Poly1305",
      .first = { .suite = "TLS_CHACHA20_POLY1305_SHA256" },
      .second = { .suite = "TLS_CHACHA20_POLY1305_SHA256" } },
    { .name = "client certificate", .first = { .mutual = true }, .second = { .mutual = true } },
    { .name = "another server", .stranger = true, .full = true },
    { .name = "server gives none",
      .first = { .no_tickets = { false, true } },
      .full = true,
      .no_ticket = true },
    { .name = "client keeps none",
      .first = { .no_tickets = { true, false } },
      .full = true,
      .no_ticket = true },
    { .name = "client uses none any more",
      .second = { .no_tickets = { true, false } },
      .stranger = true,
      .full = true },
};

/* The second handshake, which got a ticket of the first. */
static void again(const struct resume_case *t, const struct pkis *pkis,
                  const struct tls_side *first, struct tvl_tls *client, struct tvl_tls *server)
{
    struct tls_pair_config cfg = t->second;
    struct tls_pair p;

    cfg.resume = first;
    if (t->stranger)
        pair_init(&p, &pkis->ed25519, &cfg);
    else
        pair_init_shared(&p, &cfg, client, server);
    assert_int_equal(pair_run(&p, 11), 0);
    if (!cfg.no_tickets[1])
        assert_complete(&p);
    assert_true(tvl_tls_conn_done(p.client.c) && tvl_tls_conn_done(p.server.c));
    assert_int_equal(tvl_tls_conn_resumed(p.client.c), !t->full);
    assert_int_equal(tvl_tls_conn_resumed(p.server.c), !t->full);
    /* A resumed server shows no certificate. */
    assert_int_equal(p.server.out_len[TVL_LEVEL_HANDSHAKE] < 200, !t->full);
    /* Each may be used once, so a client has to get new ones. */
    assert_int_equal(p.client.tickets, cfg.no_tickets[0] || cfg.no_tickets[1] ? 0
                                       : !t->full                             ? 1
                                                                              : 2);
    pair_fini(&p);
}

static void resumes(void **state)
{
    const struct pkis *pkis = *state;

    for (size_t i = 0; i < sizeof resume_cases / sizeof resume_cases[0]; i++) {
        const struct resume_case *t = &resume_cases[i];
        struct tvl_tls *server = make_tls(&pkis->ed25519, &t->first, true);
        struct tvl_tls *client = make_tls(&pkis->ed25519, &t->first, false);
        struct tls_pair p;

        print_message("%s\n", t->name);
        pair_init_shared(&p, &t->first, client, server);
        assert_int_equal(pair_run(&p, 11), 0);
        assert_true(tvl_tls_conn_done(p.client.c) && tvl_tls_conn_done(p.server.c));
        assert_int_equal(p.client.tickets, t->no_ticket ? 0 : 2);
        if (p.client.tickets)
            again(t, pkis, &p.client, client, server);
        pair_fini(&p);
        tvl_tls_free(server);
        tvl_tls_free(client);
    }
}

/* As a peer that has 0-RTT would: a ClientHello with early_data, RFC 8446 4.2.10. */
static void offer_early_data(struct tls_side *client, const struct tls_side *first)
{
    const unsigned char *at = first->ticket;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)first->ticket_len);
    size_t n = 0;

    assert_non_null(session);
    assert_int_equal(SSL_SESSION_set_max_early_data(session, UINT32_MAX), 1);
    assert_int_equal(SSL_set_session(client->c->ssl, session), 1);
    assert_int_equal(SSL_write_early_data(client->c->ssl, "early", 5, &n), 1);
    client->c->started = true;
    SSL_SESSION_free(session);
}

static void early_data_is_declined(void **state)
{
    static const uint8_t early_data[] = { 0, 42, 0, 0 }; /* the extension, empty */
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tvl_tls *server = make_tls(&pkis->ed25519, &cfg, true);
    struct tvl_tls *client = make_tls(&pkis->ed25519, &cfg, false);
    struct tls_pair p, q;

    pair_init_shared(&p, &cfg, client, server);
    assert_int_equal(pair_run(&p, 0), 0);
    pair_init_shared(&q, &cfg, client, server);
    offer_early_data(&q.client, &p.client);
    assert_non_null(memmem(q.client.out[TVL_LEVEL_INITIAL], q.client.out_len[TVL_LEVEL_INITIAL],
                           early_data, sizeof early_data));
    while (pair_move(&q.client, &q.server, 0) > 0 || pair_move(&q.server, &q.client, 0) > 0)
        ;
    assert_complete(&q);
    assert_true(tvl_tls_conn_resumed(q.server.c));
    assert_int_equal(SSL_get_early_data_status(q.client.c->ssl), SSL_EARLY_DATA_REJECTED);
    pair_fini(&q);
    pair_fini(&p);
    tvl_tls_free(server);
    tvl_tls_free(client);
}

/* What is stored by a process of long ago, or by another program. */
static void strange_tickets(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tls_pair p;
    uint64_t x = 1181783497276652981ull;

    pair_init(&p, &pkis->ed25519, &cfg);
    assert_int_equal(pair_run(&p, 0), 0);
    assert_int_equal(tvl_tls_conn_resume(p.client.c, p.client.ticket, p.client.ticket_len),
                     TVL_ERR_ARG); /* too late */
    for (int i = 0; i < 200; i++) {
        struct tls_side damaged = p.client;
        struct tls_pair q;

        for (uint64_t n = 1 + next_random(&x) % 3; n; n--)
            damaged.ticket[next_random(&x) % damaged.ticket_len] ^=
                (uint8_t)(1 + next_random(&x) % 255);
        pair_init(&q, &pkis->ed25519, &cfg);
        if (tvl_tls_conn_resume(q.client.c, damaged.ticket, damaged.ticket_len) != 0)
            assert_int_equal(pair_run(&q, 0), 0); /* then as if there were none */
        else
            (void)pair_run(&q, 0);
        assert_false(tvl_tls_conn_resumed(q.server.c));
        pair_fini(&q);
    }
    for (size_t cut = 0; cut < p.client.ticket_len; cut += 7) {
        struct tls_pair q;

        pair_init(&q, &pkis->ed25519, &cfg);
        assert_int_equal(tvl_tls_conn_resume(q.client.c, p.client.ticket, cut), TVL_ERR_ARG);
        pair_fini(&q);
    }
    pair_fini(&p);
}

struct log_seen {
    unsigned lines, traffic;
};

static void count_line(void *user, const char *line)
{
    struct log_seen *seen = user;

    seen->lines++;
    seen->traffic += strstr(line, "TRAFFIC_SECRET") != NULL;
    assert_null(strchr(line, '\n'));
}

static void keylog_is_passed_on(void **state)
{
    const struct pkis *pkis = *state;
    struct log_seen seen = { 0 };
    const struct tls_pair_config cfg = { .keylog = count_line, .keylog_user = &seen };
    struct tls_pair p;

    pair_init(&p, &pkis->ed25519, &cfg);
    assert_int_equal(pair_run(&p, 0), 0);
    assert_complete(&p);
    assert_true(seen.lines >= 8 && seen.traffic == 8); /* four from each side */
    pair_fini(&p);
}

static void names_out_of_range(void **state)
{
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tvl_tls *server = make_tls(&pkis->ed25519, &cfg, true);
    struct tvl_tls *client = make_tls(&pkis->ed25519, &cfg, false);
    const struct tvl_tls_callbacks none = { 0 };
    struct tvl_tls_conn *c = NULL;
    char name[257];

    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_int_equal(tvl_tls_conn_new(&c, client, NULL, NULL, 0, &none, NULL), TVL_ERR_ARG);
    assert_int_equal(tvl_tls_conn_new(&c, client, "", NULL, 0, &none, NULL), TVL_ERR_ARG);
    assert_int_equal(tvl_tls_conn_new(&c, client, name, NULL, 0, &none, NULL), TVL_ERR_ARG);
    assert_int_equal(tvl_tls_conn_new(&c, server, "localhost", NULL, 0, &none, NULL), TVL_ERR_ARG);
    assert_null(c);
    assert_true(tvl_tls_is_server(server) && !tvl_tls_is_server(client));
    tvl_tls_conn_free(NULL);
    tvl_tls_free(tvl_tls_ref(client));
    tvl_tls_free(client);
    tvl_tls_free(server);
}

/* Damaged flights: an error or silence, never a crash, never two alerts. */
static void mutated_flights(void **state)
{
    enum { ROUNDS = 600 };
    const struct pkis *pkis = *state;
    const struct tls_pair_config cfg = { 0 };
    struct tvl_tls *server = make_tls(&pkis->ed25519, &cfg, true);
    struct tvl_tls *client = make_tls(&pkis->ed25519, &cfg, false);
    uint64_t x = 88172645463325252ull;

    for (int i = 0; i < ROUNDS; i++) {
        struct tls_pair p;
        struct tls_side *from;
        int level;

        pair_init_shared(&p, &cfg, client, server);
        assert_int_equal(tvl_tls_conn_start(p.client.c), 0);
        from = &p.client;
        level = TVL_LEVEL_INITIAL;
        if (i % 2) {
            assert_true(pair_move(&p.client, &p.server, 0) > 0);
            from = &p.server;
            level = i % 4 == 1 ? TVL_LEVEL_INITIAL : TVL_LEVEL_HANDSHAKE;
        }
        for (uint64_t n = 1 + next_random(&x) % 3; n; n--)
            from->out[level][next_random(&x) % from->out_len[level]] ^=
                (uint8_t)(1 + next_random(&x) % 255);
        pair_move(from, from == &p.client ? &p.server : &p.client, next_random(&x) % 64);
        assert_true(p.client.alert_calls <= 1 && p.server.alert_calls <= 1);
        if (i % 2)
            assert_false(tvl_tls_conn_done(p.client.c));
        pair_fini(&p);
    }
    tvl_tls_free(client);
    tvl_tls_free(server);
}

static int make_pkis(void **state)
{
    static const struct test_pki_config ed25519 = { .kind = TEST_PKI_ED25519 };
    static const struct test_pki_config p256 = { .kind = TEST_PKI_P256 };
    static const struct test_pki_config large = { .kind = TEST_PKI_ED25519, .extra_names = 1500 };
    static const struct test_pki_config stranger = { .authority = "Stranger" };
    struct pkis *pkis = calloc(1, sizeof *pkis);

    *state = pkis;
    return pkis && !test_pki_init(&pkis->ed25519, &ed25519) && !test_pki_init(&pkis->p256, &p256) &&
                   !test_pki_init(&pkis->large, &large) &&
                   !test_pki_init(&pkis->stranger, &stranger) &&
                   !test_pki_init(&pkis->impostor, &ed25519)
               ? 0
               : -1;
}

static int drop_pkis(void **state)
{
    struct pkis *pkis = *state;

    test_pki_fini(&pkis->ed25519);
    test_pki_fini(&pkis->p256);
    test_pki_fini(&pkis->large);
    test_pki_fini(&pkis->stranger);
    test_pki_fini(&pkis->impostor);
    free(pkis);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completes),
        cmocka_unit_test(sizes_are_the_same_each_time),
        cmocka_unit_test(is_refused),
        cmocka_unit_test(no_alpn_offered),
        cmocka_unit_test(server_misses_params),
        cmocka_unit_test(client_misses_params),
        cmocka_unit_test(refused_params_end_it),
        cmocka_unit_test(server_params_may_come_late),
        cmocka_unit_test(stray_messages),
        cmocka_unit_test(resumes),
        cmocka_unit_test(early_data_is_declined),
        cmocka_unit_test(strange_tickets),
        cmocka_unit_test(keylog_is_passed_on),
        cmocka_unit_test(names_out_of_range),
        cmocka_unit_test(mutated_flights),
    };

    return cmocka_run_group_tests(tests, make_pkis, drop_pkis);
}
