/*
 * tls_pair.c - see tls_pair.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tls_pair.h"

#define ROUNDS_MAX 20

const uint8_t client_params[7] = { 0x0f, 2, 0xaa, 0xbb, 0x3e, 1, 2 };
const uint8_t server_params[8] = { 0x0f, 3, 1, 2, 3, 0x00, 1, 9 };

static int on_crypto_out(void *user, enum tvl_level level, const uint8_t *bytes, size_t len)
{
    struct tls_side *s = user;

    if (!s->out[level])
        s->out[level] = malloc(STREAM_MAX);
    assert_non_null(s->out[level]);
    assert_true(s->out_len[level] + len <= STREAM_MAX);
    memcpy(s->out[level] + s->out_len[level], bytes, len);
    s->out_len[level] += len;
    return 0;
}

static int on_secret(void *user, enum tvl_level level, enum tvl_secret_use use, uint16_t suite,
                     const uint8_t *secret, size_t len)
{
    struct tls_side *s = user;

    assert_true(len <= TVL_SECRET_MAX && s->order_len < ORDER_MAX);
    memcpy(s->secret[level][use], secret, len);
    s->secret_len[level][use] = len;
    s->order[s->order_len++] = (struct secret_seen){ level, use };
    s->suite = suite;
    if (level == TVL_LEVEL_HANDSHAKE && use == TVL_SECRET_WRITE)
        s->handshake_bytes_at_write = s->fed[TVL_LEVEL_HANDSHAKE];
    return 0;
}

static int on_peer_params(void *user, const uint8_t *bytes, size_t len)
{
    struct tls_side *s = user;

    assert_true(len <= sizeof s->peer_params);
    memcpy(s->peer_params, bytes, len);
    s->peer_params_len = len;
    s->params_calls++;
    if (s->late_params)
        assert_int_equal(tvl_tls_conn_set_params(s->c, s->late_params, s->late_params_len), 0);
    if (s->forget_params)
        s->c->have_peer_params = false;
    return s->refuse_params;
}

static void on_alert(void *user, uint8_t alert)
{
    struct tls_side *s = user;

    s->alert = alert;
    s->alert_calls++;
}

static void on_ticket(void *user, const uint8_t *bytes, size_t len)
{
    struct tls_side *s = user;

    s->tickets++;
    if (len > sizeof s->ticket)
        return; /* with the large certificate */
    memcpy(s->ticket, bytes, len);
    s->ticket_len = len;
}

static const struct tvl_tls_callbacks callbacks = { on_crypto_out, on_secret, on_peer_params,
                                                    on_alert, on_ticket };

struct tvl_tls *make_tls(const struct test_pki *pki, const struct tls_pair_config *cfg, bool server)
{
    const char *name = server ? cfg->server_alpn : cfg->client_alpn;
    const char *alpn[] = { "other", name ? name : "moqt-18", NULL };
    bool identity = server || (cfg->mutual && !cfg->no_client_identity);
    struct tvl_tls_config c = {
        .alpn = alpn + (server ? 0 : 1),
        .server = server,
        .suites = server ? cfg->suite : NULL,
        .groups = server ? cfg->server_groups : cfg->client_groups,
        .no_tickets = cfg->no_tickets[server],
        .keylog = cfg->keylog,
        .keylog_user = cfg->keylog_user,
    };
    struct tvl_tls *tls = NULL;
    char why[200] = "";

    if (identity) {
        c.cert_file = server ? pki->server : pki->client;
        c.key_file = server ? pki->server_key : pki->client_key;
    }
    if (!server)
        c.ca_file = cfg->client_ca ? cfg->client_ca : pki->ca;
    else if (cfg->mutual)
        c.ca_file = pki->ca;
    if (tvl_tls_new(&tls, &c, why, sizeof why))
        fail_msg("%s", why);
    return tls;
}

void pair_init_shared(struct tls_pair *p, const struct tls_pair_config *cfg, struct tvl_tls *client,
                      struct tvl_tls *server)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(tvl_tls_conn_new(&p->server.c, server, NULL, server_params,
                                      sizeof server_params, &callbacks, &p->server),
                     0);
    assert_int_equal(tvl_tls_conn_new(&p->client.c, client, cfg->name ? cfg->name : "localhost",
                                      client_params, sizeof client_params, &callbacks, &p->client),
                     0);
    if (cfg->resume)
        assert_int_equal(
            tvl_tls_conn_resume(p->client.c, cfg->resume->ticket, cfg->resume->ticket_len),
            cfg->no_tickets[0] ? TVL_ERR_ARG : 0);
}

void pair_init(struct tls_pair *p, const struct test_pki *pki, const struct tls_pair_config *cfg)
{
    struct tvl_tls *server = make_tls(pki, cfg, true), *client = make_tls(pki, cfg, false);

    pair_init_shared(p, cfg, client, server);
    tvl_tls_free(server); /* the connections hold their own */
    tvl_tls_free(client);
}

static void side_fini(struct tls_side *s)
{
    tvl_tls_conn_free(s->c);
    for (int i = 0; i < TVL_LEVELS; i++)
        free(s->out[i]);
}

void pair_fini(struct tls_pair *p)
{
    side_fini(&p->client);
    side_fini(&p->server);
    memset(p, 0, sizeof *p);
}

int pair_move(struct tls_side *from, struct tls_side *to, size_t chunk)
{
    int moved = 0;

    for (int level = 0; level < TVL_LEVELS; level++)
        while (from->out_taken[level] < from->out_len[level]) {
            size_t n = from->out_len[level] - from->out_taken[level];
            int err;

            if (chunk && n > chunk)
                n = chunk;
            /* A copy of exactly n bytes, so that a sanitizer sees any read beyond. */
            uint8_t *piece = malloc(n);
            assert_non_null(piece);
            memcpy(piece, from->out[level] + from->out_taken[level], n);
            from->out_taken[level] += n;
            to->fed[level] += n;
            err = tvl_tls_conn_feed(to->c, (enum tvl_level)level, piece, n);
            free(piece);
            if (err)
                return err;
            moved += (int)n;
        }
    return moved;
}

int pair_run(struct tls_pair *p, size_t chunk)
{
    int err = tvl_tls_conn_start(p->client.c);

    for (int i = 0; !err && i < ROUNDS_MAX; i++) {
        int there = pair_move(&p->client, &p->server, chunk);
        int back = there < 0 ? there : pair_move(&p->server, &p->client, chunk);

        if (back < 0)
            err = back;
        else if (!there && !back)
            return 0;
    }
    return err;
}
