/*
 * test_reload.c - certificates and trust read anew while handshakes and tickets are about, and whom
 * a client's certificate names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "tls_pair.h"

struct pkis {
    struct test_pki first, second; /* two authorities */
};

static const char *const alpn[] = { "moqt-18", NULL };

static struct tvl_tls_config server_files(const struct test_pki *pki)
{
    return (struct tvl_tls_config){
        .alpn = alpn, .cert_file = pki->server, .key_file = pki->server_key, .server = true
    };
}

static int reload(struct tvl_tls *tls, const struct tvl_tls_config *cfg)
{
    char why[200] = "";
    const int r = tvl_tls_reload(tls, cfg, why, sizeof why);

    assert_int_equal(r < 0, why[0] != '\0');
    return r;
}

/* One handshake with a client that trusts `pki`'s authority; whether it worked. */
static bool meets(struct tvl_tls *server, const struct test_pki *pki,
                  const struct tls_pair_config *cfg, struct tls_pair *out)
{
    struct tvl_tls *client = make_tls(pki, cfg, false);
    bool met;

    pair_init_shared(out, cfg, client, server);
    tvl_tls_free(client);
    met = pair_run(out, 0) == 0 && tvl_tls_conn_done(out->client.c) &&
          tvl_tls_conn_done(out->server.c);
    return met;
}

static bool trusts(struct tvl_tls *server, const struct test_pki *pki)
{
    const struct tls_pair_config cfg = { 0 };
    struct tls_pair p;
    const bool met = meets(server, pki, &cfg, &p);

    pair_fini(&p);
    return met;
}

static void new_connections_see_the_new_chain(void **state)
{
    const struct pkis *k = *state;
    const struct tls_pair_config plain = { 0 };
    const struct tvl_tls_config second = server_files(&k->second);
    struct tvl_tls *server = make_tls(&k->first, &plain, true);
    struct tvl_tls *client = make_tls(&k->first, &plain, false);
    struct tls_pair begun;

    assert_true(trusts(server, &k->first));
    assert_false(trusts(server, &k->second));
    pair_init_shared(&begun, &plain, client, server); /* begins with the old one */
    assert_int_equal(reload(server, &second), 0);
    assert_false(trusts(server, &k->first));
    assert_true(trusts(server, &k->second));
    assert_int_equal(pair_run(&begun, 11), 0); /* and goes on with it */
    assert_true(tvl_tls_conn_done(begun.client.c));
    pair_fini(&begun);
    tvl_tls_free(server);
    tvl_tls_free(client);
}

static void broken_files_change_nothing(void **state)
{
    const struct pkis *k = *state;
    const struct tls_pair_config plain = { 0 };
    struct tvl_tls_config rows[4];
    struct tvl_tls *server = make_tls(&k->first, &plain, true);

    for (size_t i = 0; i < 4; i++)
        rows[i] = server_files(&k->second);
    rows[0].cert_file = "/nonexistent";
    rows[1].key_file = k->first.server_key; /* of another certificate */
    rows[2].key_file = NULL;
    rows[3].server = false;
    for (size_t i = 0; i < 4; i++) {
        assert_true(reload(server, &rows[i]) < 0);
        assert_true(trusts(server, &k->first));
    }
    tvl_tls_free(server);
}

/* Whether a ticket from before a reload still resumes after it. */
static bool ticket_survives(const struct pkis *k, bool mutual)
{
    struct tls_pair_config cfg = { .mutual = mutual };
    struct tvl_tls_config same = server_files(&k->first);
    struct tvl_tls *server = make_tls(&k->first, &cfg, true);
    struct tls_pair p, q;
    bool resumed;

    same.ca_file = mutual ? k->first.ca : NULL;
    assert_true(meets(server, &k->first, &cfg, &p));
    assert_int_equal(reload(server, &same), 0);
    cfg.resume = &p.client;
    assert_true(meets(server, &k->first, &cfg, &q));
    resumed = tvl_tls_conn_resumed(q.client.c);
    pair_fini(&p);
    pair_fini(&q);
    tvl_tls_free(server);
    return resumed;
}

static void tickets(void **state)
{
    const struct pkis *k = *state;

    assert_true(ticket_survives(k, false));
    assert_false(ticket_survives(k, true)); /* who it speaks for is asked again */
}

static void clients_are_judged_by_the_new_trust(void **state)
{
    const struct pkis *k = *state;
    const struct tls_pair_config mutual = { .mutual = true };
    struct tvl_tls_config cfg = server_files(&k->first);
    struct tvl_tls *server = make_tls(&k->first, &mutual, true);
    struct tls_pair p;

    assert_true(meets(server, &k->first, &mutual, &p));
    assert_string_equal(tvl_tls_conn_peer_subject(p.server.c), "CN=viewer");
    assert_string_equal(tvl_tls_conn_peer_subject(p.client.c), "CN=localhost");
    pair_fini(&p);
    cfg.ca_file = k->second.ca;
    assert_int_equal(reload(server, &cfg), 0);
    assert_false(meets(server, &k->first, &mutual, &p));
    pair_fini(&p);
    tvl_tls_free(server);
}

static void subject_of_whom(void **state)
{
    const struct pkis *k = *state;
    const struct {
        struct tls_pair_config cfg;
        bool optional, met;
        const char *subject;
    } rows[] = {
        { { .mutual = false }, false, true, "" },
        { { .mutual = true }, false, true, "CN=viewer" },
        { { .mutual = true, .no_client_identity = true }, false, false, "" },
        { { .mutual = true }, true, true, "CN=viewer" },
        { { .mutual = true, .no_client_identity = true }, true, true, "" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_pair_config cfg = rows[i].cfg;
        struct tvl_tls_config files = server_files(&k->first);
        struct tvl_tls *server = make_tls(&k->first, &cfg, true);
        struct tls_pair p, q;

        files.ca_file = cfg.mutual ? k->first.ca : NULL;
        files.ca_optional = rows[i].optional;
        assert_int_equal(reload(server, &files), 0);
        assert_int_equal(meets(server, &k->first, &cfg, &p), rows[i].met);
        assert_string_equal(tvl_tls_conn_peer_subject(p.server.c), rows[i].subject);
        if (rows[i].met) { /* a resumed one has the same name, without showing it again */
            cfg.resume = &p.client;
            assert_true(meets(server, &k->first, &cfg, &q));
            assert_true(tvl_tls_conn_resumed(q.server.c));
            assert_string_equal(tvl_tls_conn_peer_subject(q.server.c), rows[i].subject);
            pair_fini(&q);
        }
        pair_fini(&p);
        tvl_tls_free(server);
    }
}

/* A certificate of another authority does not come in where none is needed. */
static void optional_is_not_anything(void **state)
{
    const struct pkis *k = *state;
    const struct tls_pair_config mutual = { .mutual = true };
    struct tvl_tls_config files = server_files(&k->first);
    struct tvl_tls *server = make_tls(&k->first, &mutual, true);
    struct tls_pair p;

    files.ca_file = k->second.ca;
    files.ca_optional = true;
    assert_int_equal(reload(server, &files), 0);
    assert_false(meets(server, &k->first, &mutual, &p));
    assert_string_equal(tvl_tls_conn_peer_subject(p.server.c), "");
    pair_fini(&p);
    tvl_tls_free(server);
}

struct hammer {
    struct tvl_tls *server;
    const struct test_pki *pki;
    atomic_uint met;
};

static void *meet_often(void *arg)
{
    struct hammer *h = arg;

    for (int i = 0; i < 30; i++)
        h->met += trusts(h->server, h->pki);
    return NULL;
}

static void reload_under_load(void **state)
{
    const struct pkis *k = *state;
    const struct tls_pair_config plain = { 0 };
    const struct tvl_tls_config same = server_files(&k->first);
    struct hammer h = { .server = make_tls(&k->first, &plain, true), .pki = &k->first };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meet_often, &h), 0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(reload(h.server, &same), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(h.met, 60);
    tvl_tls_free(h.server);
}

static int make_pkis(void **state)
{
    static const struct test_pki_config ed25519 = { .kind = TEST_PKI_ED25519 };
    struct pkis *k = calloc(1, sizeof *k);

    *state = k;
    return k && !test_pki_init(&k->first, &ed25519) && !test_pki_init(&k->second, &ed25519) ? 0
                                                                                            : -1;
}

static int drop_pkis(void **state)
{
    struct pkis *k = *state;

    test_pki_fini(&k->first);
    test_pki_fini(&k->second);
    free(k);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_connections_see_the_new_chain),
        cmocka_unit_test(broken_files_change_nothing),
        cmocka_unit_test(tickets),
        cmocka_unit_test(clients_are_judged_by_the_new_trust),
        cmocka_unit_test(subject_of_whom),
        cmocka_unit_test(optional_is_not_anything),
        cmocka_unit_test(reload_under_load),
    };

    return cmocka_run_group_tests(tests, make_pkis, drop_pkis);
}
