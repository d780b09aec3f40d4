/* null_crypto.c - see null_crypto.h. */
#include "null_crypto.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "tls_internal.h"

/* ---- keys ---- */

static uint64_t hash(uint64_t h, const uint8_t *bytes, size_t len)
{
    h ^= UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t secret_of(const struct tvl_keys *k)
{
    uint64_t v;

    memcpy(&v, k->secret, sizeof v);
    return v;
}

static void set_secret(struct tvl_keys *k, uint64_t secret)
{
    memset(k, 0, sizeof *k);
    k->suite = TVL_SUITE_AES_128_GCM;
    k->secret_len = 32;
    memcpy(k->secret, &secret, sizeof secret);
    /* Only "is there one" is ever asked of it, and that not here. */
    k->aead = (struct evp_cipher_ctx_st *)(void *)k->secret;
    k->mask = k->aead;
}

int __wrap_tvl_keys_initial(struct tvl_keys *client, struct tvl_keys *server, const uint8_t *dcid,
                            size_t len);
int __wrap_tvl_keys_from_secret(struct tvl_keys *k, uint16_t suite, const uint8_t *secret,
                                size_t n);
int __wrap_tvl_keys_next(struct tvl_keys *next, const struct tvl_keys *k);
void __wrap_tvl_keys_fini(struct tvl_keys *k);
int __wrap_tvl_seal(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
                    size_t header_len, uint8_t *payload, size_t len);
int __wrap_tvl_seal_parts(struct tvl_keys *k, uint32_t path_id, uint64_t pn,
                          const struct tvl_plain *p);
int __wrap_tvl_open(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
                    size_t header_len, uint8_t *payload, size_t len);
int __wrap_tvl_header_mask(struct tvl_keys *k, const uint8_t sample[TVL_SAMPLE_SIZE],
                           uint8_t mask[TVL_MASK_SIZE]);
int __wrap_tvl_header_masks(struct tvl_keys *k, uint8_t (*block)[TVL_SAMPLE_SIZE], size_t n);
int __wrap_tvl_retry_tag(uint8_t tag[TVL_TAG_SIZE], const uint8_t *odcid, size_t odcid_len,
                         const uint8_t *retry, size_t retry_len);
int __wrap_tvl_reset_token(uint8_t token[TVL_RESET_TOKEN_SIZE],
                           const uint8_t key[TVL_RESET_KEY_SIZE], const uint8_t *cid, size_t len);

int __wrap_tvl_keys_initial(struct tvl_keys *client, struct tvl_keys *server, const uint8_t *dcid,
                            size_t len)
{
    const uint64_t h = hash(1, dcid, len);

    set_secret(client, h);
    set_secret(server, ~h);
    return 0;
}

int __wrap_tvl_keys_from_secret(struct tvl_keys *k, uint16_t suite, const uint8_t *secret, size_t n)
{
    (void)suite;
    set_secret(k, hash(2, secret, n));
    return 0;
}

int __wrap_tvl_keys_next(struct tvl_keys *next, const struct tvl_keys *k)
{
    set_secret(next, hash(3, k->secret, sizeof(uint64_t)));
    return 0;
}

void __wrap_tvl_keys_fini(struct tvl_keys *k)
{
    if (k)
        memset(k, 0, sizeof *k);
}

static void make_tag(uint8_t tag[TVL_TAG_SIZE], const struct tvl_keys *k, uint32_t path_id,
                     uint64_t pn)
{
    const uint64_t words[2] = { secret_of(k), pn ^ (uint64_t)path_id << 48 };

    memcpy(tag, words, TVL_TAG_SIZE);
}

int __wrap_tvl_seal(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
                    size_t header_len, uint8_t *payload, size_t len)
{
    (void)header, (void)header_len;
    if (!k->aead)
        return TVL_ERR_ARG;
    make_tag(payload + len, k, path_id, pn);
    return (int)len + TVL_TAG_SIZE;
}

int __wrap_tvl_seal_parts(struct tvl_keys *k, uint32_t path_id, uint64_t pn,
                          const struct tvl_plain *p)
{
    if (p->tail_len)
        memcpy(p->payload + p->len, p->tail, p->tail_len);
    return __wrap_tvl_seal(k, path_id, pn, p->header, p->header_len, p->payload,
                           p->len + p->tail_len);
}

int __wrap_tvl_open(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
                    size_t header_len, uint8_t *payload, size_t len)
{
    uint8_t tag[TVL_TAG_SIZE];

    (void)header, (void)header_len;
    if (!k->aead)
        return TVL_ERR_ARG;
    if (len < TVL_TAG_SIZE)
        return TVL_ERR_PACKET;
    make_tag(tag, k, path_id, pn);
    return memcmp(tag, payload + len - TVL_TAG_SIZE, TVL_TAG_SIZE) == 0 ? (int)len - TVL_TAG_SIZE
                                                                        : TVL_ERR_PACKET;
}

int __wrap_tvl_header_mask(struct tvl_keys *k, const uint8_t sample[TVL_SAMPLE_SIZE],
                           uint8_t mask[TVL_MASK_SIZE])
{
    (void)sample;
    memset(mask, 0, TVL_MASK_SIZE);
    return k->mask ? 0 : TVL_ERR_ARG;
}

int __wrap_tvl_header_masks(struct tvl_keys *k, uint8_t (*block)[TVL_SAMPLE_SIZE], size_t n)
{
    for (size_t i = 0; i < n; i++)
        memset(block[i], 0, TVL_SAMPLE_SIZE);
    return k->mask ? 0 : TVL_ERR_ARG;
}

int __wrap_tvl_retry_tag(uint8_t tag[TVL_TAG_SIZE], const uint8_t *odcid, size_t odcid_len,
                         const uint8_t *retry, size_t retry_len)
{
    const uint64_t words[2] = { hash(4, odcid, odcid_len), hash(5, retry, retry_len) };

    memcpy(tag, words, TVL_TAG_SIZE);
    return 0;
}

int __wrap_tvl_reset_token(uint8_t token[TVL_RESET_TOKEN_SIZE],
                           const uint8_t key[TVL_RESET_KEY_SIZE], const uint8_t *cid, size_t len)
{
    const uint64_t words[2] = { hash(6, cid, len), hash(7, key, TVL_RESET_KEY_SIZE) };

    memcpy(token, words, sizeof words);
    return 0;
}

/* ---- TLS ---- */

/*
 * A message: type, two bytes of length, body.
 *
 *     client                                     server
 *     H transport parameters (Initial)     -->
 *                                          <--   S empty (Initial)
 *                                          <--   E transport parameters, F empty (Handshake)
 *     F empty (Handshake)                  -->
 *                                          <--   T ticket (1-RTT), any number
 */
struct null_conn {
    struct tvl_tls_conn base; /* zeroed: for functions that are not sent here */
    struct tvl_tls_callbacks cb;
    void *user;
    bool server, done, have_params;
    enum tvl_level level; /* what may come */
    int error;
    uint8_t alert;
    uint8_t params[TVL_TLS_PARAMS_MAX];
    size_t params_len;
    uint8_t in[3 + TVL_TLS_PARAMS_MAX];
    size_t in_len;
};

int __wrap_tvl_tls_conn_new(struct tvl_tls_conn **out, struct tvl_tls *tls, const char *server_name,
                            const uint8_t *params, size_t params_len,
                            const struct tvl_tls_callbacks *cb, void *user);
void __wrap_tvl_tls_conn_free(struct tvl_tls_conn *conn);
int __wrap_tvl_tls_conn_set_params(struct tvl_tls_conn *conn, const uint8_t *params, size_t len);
int __wrap_tvl_tls_conn_resume(struct tvl_tls_conn *conn, const uint8_t *ticket, size_t len);
int __wrap_tvl_tls_conn_start(struct tvl_tls_conn *conn);
int __wrap_tvl_tls_conn_feed(struct tvl_tls_conn *conn, enum tvl_level level, const uint8_t *bytes,
                             size_t len);
bool __wrap_tvl_tls_conn_done(const struct tvl_tls_conn *conn);
int __wrap_tvl_tls_conn_alert(const struct tvl_tls_conn *conn);
bool __wrap_tvl_tls_conn_resumed(const struct tvl_tls_conn *conn);
uint16_t __wrap_tvl_tls_conn_suite(const struct tvl_tls_conn *conn);
const char *__wrap_tvl_tls_conn_alpn(const struct tvl_tls_conn *conn);
const char *__wrap_tvl_tls_conn_why(const struct tvl_tls_conn *conn);
const char *__wrap_tvl_tls_conn_peer_subject(const struct tvl_tls_conn *conn);

static struct null_conn *of(struct tvl_tls_conn *conn)
{
    return (struct null_conn *)(void *)conn;
}

static const struct null_conn *of_const(const struct tvl_tls_conn *conn)
{
    return (const struct null_conn *)(const void *)conn;
}

struct tvl_tls *null_tls(bool server)
{
    struct tvl_tls *tls = calloc(1, sizeof *tls);

    if (!tls)
        abort();
    atomic_init(&tls->refs, 1);
    tls->server = server;
    return tls;
}

int __wrap_tvl_tls_conn_new(struct tvl_tls_conn **out, struct tvl_tls *tls, const char *server_name,
                            const uint8_t *params, size_t params_len,
                            const struct tvl_tls_callbacks *cb, void *user)
{
    struct null_conn *c = calloc(1, sizeof *c);

    (void)server_name;
    if (!c)
        return TVL_ERR_NOMEM;
    c->base.tls = tvl_tls_ref(tls);
    c->cb = *cb;
    c->user = user;
    c->server = tls->server;
    *out = &c->base;
    return params ? __wrap_tvl_tls_conn_set_params(&c->base, params, params_len) : 0;
}

void __wrap_tvl_tls_conn_free(struct tvl_tls_conn *conn)
{
    if (!conn)
        return;
    tvl_tls_free(conn->tls);
    free(of(conn));
}

int __wrap_tvl_tls_conn_set_params(struct tvl_tls_conn *conn, const uint8_t *params, size_t len)
{
    struct null_conn *c = of(conn);

    if (len > sizeof c->params)
        return TVL_ERR_ARG;
    if (len)
        memcpy(c->params, params, len);
    c->params_len = len;
    return 0;
}

int __wrap_tvl_tls_conn_resume(struct tvl_tls_conn *conn, const uint8_t *ticket, size_t len)
{
    (void)conn, (void)ticket, (void)len;
    return 0;
}

static int say(struct null_conn *c, enum tvl_level level, char type, const uint8_t *body,
               size_t len)
{
    uint8_t bytes[3 + TVL_TLS_PARAMS_MAX];

    bytes[0] = (uint8_t)type;
    bytes[1] = (uint8_t)(len >> 8);
    bytes[2] = (uint8_t)len;
    if (len)
        memcpy(bytes + 3, body, len);
    return c->cb.crypto_out(c->user, level, bytes, len + 3);
}

static int give(struct null_conn *c, enum tvl_level level, enum tvl_secret_use use)
{
    const bool client = (use == TVL_SECRET_WRITE) != c->server;
    uint8_t secret[32];

    memset(secret, (int)level * 2 + client + 1, sizeof secret);
    if (use == TVL_SECRET_READ)
        c->level = level;
    return c->cb.secret(c->user, level, use, TVL_SUITE_AES_128_GCM, secret, sizeof secret);
}

static int refuse(struct null_conn *c, uint8_t alert)
{
    c->error = TVL_ERR_TLS;
    c->alert = alert;
    c->cb.alert(c->user, alert);
    return c->error;
}

static int on_hello(struct null_conn *c, const uint8_t *body, size_t len)
{
    static const uint8_t none;
    int r = c->cb.peer_params(c->user, body, len);

    r = r ? r : say(c, TVL_LEVEL_INITIAL, 'S', &none, 0);
    r = r ? r : give(c, TVL_LEVEL_HANDSHAKE, TVL_SECRET_WRITE);
    r = r ? r : give(c, TVL_LEVEL_HANDSHAKE, TVL_SECRET_READ);
    r = r ? r : say(c, TVL_LEVEL_HANDSHAKE, 'E', c->params, c->params_len);
    r = r ? r : say(c, TVL_LEVEL_HANDSHAKE, 'F', &none, 0);
    return r ? r : give(c, TVL_LEVEL_APP, TVL_SECRET_WRITE);
}

static int on_finished(struct null_conn *c)
{
    static const uint8_t none;
    int r = 0;

    if (!c->server && !c->have_params)
        return refuse(c, 109);
    if (!c->server) {
        r = say(c, TVL_LEVEL_HANDSHAKE, 'F', &none, 0);
        r = r ? r : give(c, TVL_LEVEL_APP, TVL_SECRET_WRITE);
    }
    r = r ? r : give(c, TVL_LEVEL_APP, TVL_SECRET_READ);
    c->done = r == 0;
    return r;
}

static int on_message(struct null_conn *c, char type, const uint8_t *body, size_t len)
{
    int r;

    if (c->server && c->level == TVL_LEVEL_INITIAL && type == 'H')
        return on_hello(c, body, len);
    if (!c->server && c->level == TVL_LEVEL_INITIAL && type == 'S') {
        r = give(c, TVL_LEVEL_HANDSHAKE, TVL_SECRET_READ);
        return r ? r : give(c, TVL_LEVEL_HANDSHAKE, TVL_SECRET_WRITE);
    }
    if (!c->server && c->level == TVL_LEVEL_HANDSHAKE && type == 'E' && !c->have_params) {
        c->have_params = true;
        return c->cb.peer_params(c->user, body, len);
    }
    if (c->level == TVL_LEVEL_HANDSHAKE && type == 'F')
        return on_finished(c);
    if (!c->server && c->done && type == 'T') {
        if (c->cb.ticket)
            c->cb.ticket(c->user, body, len);
        return 0;
    }
    return refuse(c, 10);
}

int __wrap_tvl_tls_conn_start(struct tvl_tls_conn *conn)
{
    struct null_conn *c = of(conn);

    return c->server ? 0 : say(c, TVL_LEVEL_INITIAL, 'H', c->params, c->params_len);
}

int __wrap_tvl_tls_conn_feed(struct tvl_tls_conn *conn, enum tvl_level level, const uint8_t *bytes,
                             size_t len)
{
    struct null_conn *c = of(conn);

    if (!c->error && len && level != c->level)
        c->error = TVL_ERR_PEER;
    for (size_t i = 0; i < len && !c->error; i++) {
        c->in[c->in_len++] = bytes[i];
        const size_t body = c->in_len < 3 ? 0 : (size_t)c->in[1] << 8 | c->in[2];
        if (c->in_len >= 3 && body > TVL_TLS_PARAMS_MAX)
            return refuse(c, 50);
        if (c->in_len < 3 || c->in_len < 3 + body)
            continue;
        c->in_len = 0;
        if (level != c->level) /* bytes behind the message that changed the keys */
            return refuse(c, 10);
        const int r = on_message(c, (char)c->in[0], c->in + 3, body);
        if (r)
            c->error = r;
    }
    return c->error;
}

bool __wrap_tvl_tls_conn_done(const struct tvl_tls_conn *conn)
{
    return of_const(conn)->done && !of_const(conn)->error;
}

int __wrap_tvl_tls_conn_alert(const struct tvl_tls_conn *conn)
{
    return of_const(conn)->alert;
}

bool __wrap_tvl_tls_conn_resumed(const struct tvl_tls_conn *conn)
{
    (void)conn;
    return false;
}

uint16_t __wrap_tvl_tls_conn_suite(const struct tvl_tls_conn *conn)
{
    return of_const(conn)->done ? TVL_SUITE_AES_128_GCM : 0;
}

const char *__wrap_tvl_tls_conn_alpn(const struct tvl_tls_conn *conn)
{
    return of_const(conn)->done ? "fuzz" : "";
}

const char *__wrap_tvl_tls_conn_why(const struct tvl_tls_conn *conn)
{
    return of_const(conn)->error ? "refused" : "";
}

const char *__wrap_tvl_tls_conn_peer_subject(const struct tvl_tls_conn *conn)
{
    (void)conn;
    return "";
}
