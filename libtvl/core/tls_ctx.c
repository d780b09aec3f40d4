/*
 * tls_ctx.c - struct tvl_tls: an SSL_CTX made from files, and what QUIC asks of it (RFC 9001 4).
 *
 * TLS 1.3 only, three cipher suites, no compatibility mode, no early data. A client always verifies
 * the server; a server asks for a client certificate only when it has a ca_file to verify it with.
 * The only place of the core that reads files, and only inside tvl_tls_new() and tvl_tls_reload().
 */
#include "tls_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define TICKET_KEYS_MAX 256 /* bytes; OpenSSL 3.0 has 80 */

struct why {
    char *text;
    size_t size;
};

/* Returns `error`, so that it ends a function. */
static int say(const struct why *why, int error, const char *subject, const char *text)
{
    if (why->text && why->size)
        snprintf(why->text, why->size, "%s: %s", subject, text);
    return error;
}

static int say_queue(const struct why *why, int error, const char *subject)
{
    char text[TVL_TLS_WHY_MAX];

    tvl_tls_queue_text(text, sizeof text);
    return say(why, error, subject, text);
}

static int alpn_pack(struct tvl_tls *tls, const char *const *names, const struct why *why)
{
    size_t n = 0;

    if (!names || !names[0])
        return say(why, TVL_ERR_ARG, "ALPN", "no protocol name is given");
    for (; *names; names++) {
        size_t len = strlen(*names);

        if (len == 0 || len > sizeof tls->alpn - 1 || n + 1 + len > sizeof tls->alpn)
            return say(why, TVL_ERR_ARG, "ALPN", "a name is empty, or the list is too long");
        tls->alpn[n++] = (uint8_t)len;
        memcpy(tls->alpn + n, *names, len);
        n += len;
    }
    tls->alpn_len = (unsigned)n;
    return 0;
}

static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    const struct tvl_tls *tls = arg;
    unsigned char *chosen = NULL;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, tls->alpn, tls->alpn_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase is refused; OpenSSL would ask for it on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    bool *asked = arg;

    (void)buf, (void)size, (void)writing;
    if (asked)
        *asked = true;
    return -1;
}

static int set_protocol(SSL_CTX *ctx)
{
    SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT); /* RFC 9001 8.4 */
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_max_cert_list(ctx, TVL_TLS_MESSAGE_MAX);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_max_early_data(ctx, 0) == 1
               ? tvl_tls_install_hooks(ctx)
               : TVL_ERR_TLS;
}

/* OpenSSL knows suites that have no keys in protect.c. */
static bool suites_usable(const SSL_CTX *ctx)
{
    const STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(ctx);
    int usable = 0;

    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);
        const uint16_t suite = SSL_CIPHER_get_protocol_id(cipher);

        if (strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") != 0)
            continue; /* never offered: the version is fixed */
        if (suite != TVL_SUITE_AES_128_GCM && suite != TVL_SUITE_AES_256_GCM &&
            suite != TVL_SUITE_CHACHA20_POLY1305)
            return false;
        usable++;
    }
    return usable > 0;
}

static int set_choices(SSL_CTX *ctx, const struct tvl_tls_config *cfg, const struct why *why)
{
    const char *suites = cfg->suites ? cfg->suites : SUITES;
    const char *groups = cfg->groups ? cfg->groups : GROUPS;

    if (SSL_CTX_set_ciphersuites(ctx, suites) != 1 || !suites_usable(ctx))
        return say(why, TVL_ERR_ARG, suites, "not cipher suites of QUIC");
    if (SSL_CTX_set1_groups_list(ctx, groups) != 1)
        return say(why, TVL_ERR_ARG, groups, "not key exchange groups");
    return 0;
}

/* A server's tickets carry the whole session: it needs no memory of ours (RFC 8446 4.6.1). */
static int set_tickets(const struct tvl_tls *tls, SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (tls->server) {
        if (!tls->tickets)
            SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ctx, tls->tickets ? TVL_TLS_TICKETS : 0) == 1 ? 0
                                                                                     : TVL_ERR_TLS;
    }
    if (tls->tickets) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, tvl_tls_on_session);
    }
    return 0;
}

/* OpenSSL's own words for a file that holds no usable key name decoders, not the trouble. */
static int say_key(const struct why *why, const char *file, bool locked)
{
    unsigned long code = ERR_peek_error();

    if (ERR_GET_LIB(code) == ERR_LIB_X509) /* readable, but not the certificate's */
        return say_queue(why, TVL_ERR_TLS, file);
    if (ERR_SYSTEM_ERROR(code))
        return say_queue(why, TVL_ERR_FILE, file);
    ERR_clear_error();
    return say(why, TVL_ERR_FILE, file,
               locked ? "the key has a passphrase; give it without" : "no PEM private key in it");
}

static int load_identity(SSL_CTX *ctx, const struct tvl_tls_config *cfg, const struct why *why)
{
    bool locked = false;
    int ok;

    if (!cfg->cert_file)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->cert_file) != 1)
        return say_queue(why, TVL_ERR_FILE, cfg->cert_file);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &locked);
    ok = SSL_CTX_use_PrivateKey_file(ctx, cfg->key_file, SSL_FILETYPE_PEM) == 1 &&
         SSL_CTX_check_private_key(ctx) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    return ok ? 0 : say_key(why, cfg->key_file, locked);
}

static int load_trust(SSL_CTX *ctx, const struct tvl_tls_config *cfg, const struct why *why)
{
    static const unsigned char session_context[] = "tvl";

    if (cfg->ca_file && SSL_CTX_load_verify_file(ctx, cfg->ca_file) != 1)
        return say_queue(why, TVL_ERR_FILE, cfg->ca_file);
    if (!cfg->server) {
        if (!cfg->ca_file && SSL_CTX_set_default_verify_paths(ctx) != 1)
            return say_queue(why, TVL_ERR_FILE, "system certificates");
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        return 0;
    }
    if (SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1) != 1)
        return say_queue(why, TVL_ERR_TLS, "session context");
    if (cfg->ca_file)
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | (cfg->ca_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
    return 0;
}

static bool asks_clients(const SSL_CTX *ctx)
{
    return SSL_CTX_get_verify_mode(ctx) != SSL_VERIFY_NONE;
}

static int check_config(const struct tvl_tls_config *cfg, const struct why *why)
{
    if (!cfg->cert_file != !cfg->key_file)
        return say(why, TVL_ERR_ARG, cfg->cert_file ? cfg->cert_file : cfg->key_file,
                   "a certificate and a key go together");
    if (cfg->server && !cfg->cert_file)
        return say(why, TVL_ERR_ARG, "certificate", "a server needs one");
    return 0;
}

/* A context by the files of `cfg`, or NULL and the reason. */
static SSL_CTX *make_ctx(struct tvl_tls *tls, const struct tvl_tls_config *cfg,
                         const struct why *why, int *err)
{
    SSL_CTX *ctx = SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());

    if (!ctx || set_protocol(ctx) || set_tickets(tls, ctx)) {
        *err = say_queue(why, TVL_ERR_TLS, "TLS 1.3");
        goto free_ctx;
    }
    SSL_CTX_set_app_data(ctx, tls);
    *err = set_choices(ctx, cfg, why);
    if (!*err)
        *err = load_identity(ctx, cfg, why);
    if (!*err)
        *err = load_trust(ctx, cfg, why);
    if (*err)
        goto free_ctx;
    if (tls->server)
        SSL_CTX_set_alpn_select_cb(ctx, alpn_select, tls);
    else if (SSL_CTX_set_alpn_protos(ctx, tls->alpn, tls->alpn_len)) {
        *err = say(why, TVL_ERR_NOMEM, "TLS", "out of memory");
        goto free_ctx;
    }
    return ctx;

free_ctx:
    SSL_CTX_free(ctx);
    return NULL;
}

int tvl_tls_new(struct tvl_tls **out, const struct tvl_tls_config *cfg, char *text, size_t size)
{
    const struct why why = { text, size };
    struct tvl_tls *tls;
    int err = check_config(cfg, &why);

    if (err)
        return err;
    ERR_clear_error();
    tls = calloc(1, sizeof *tls);
    if (!tls)
        return say(&why, TVL_ERR_NOMEM, "TLS", "out of memory");
    atomic_init(&tls->refs, 1);
    tls->server = cfg->server;
    tls->tickets = !cfg->no_tickets;
    tls->keylog = cfg->keylog;
    tls->keylog_user = cfg->keylog_user;
    tls->lock = CRYPTO_THREAD_lock_new();
    err = tls->lock ? alpn_pack(tls, cfg->alpn, &why)
                    : say(&why, TVL_ERR_NOMEM, "TLS", "out of memory");
    if (!err)
        tls->ctx = make_ctx(tls, cfg, &why, &err);
    if (err) {
        tvl_tls_free(tls);
        return err;
    }
    *out = tls;
    return 0;
}

/* What was sealed for a client goes on to be taken. A ticket also says who the client is, as the
 * trust anchors of then saw it: such ones end with them. */
static bool keep_tickets(SSL_CTX *to, SSL_CTX *from)
{
    unsigned char keys[TICKET_KEYS_MAX];
    const long len = SSL_CTX_get_tlsext_ticket_keys(from, NULL, 0);
    bool ok = len > 0 && len <= (long)sizeof keys &&
              SSL_CTX_get_tlsext_ticket_keys(from, keys, len) == 1 &&
              SSL_CTX_set_tlsext_ticket_keys(to, keys, len) == 1;

    OPENSSL_cleanse(keys, sizeof keys);
    return ok;
}

int tvl_tls_reload(struct tvl_tls *tls, const struct tvl_tls_config *cfg, char *text, size_t size)
{
    const struct why why = { text, size };
    SSL_CTX *ctx, *old;
    int err = check_config(cfg, &why);

    if (!err && cfg->server != tls->server)
        err = say(&why, TVL_ERR_ARG, "TLS", "a server stays a server");
    if (err)
        return err;
    ERR_clear_error();
    ctx = make_ctx(tls, cfg, &why, &err);
    if (!ctx)
        return err;
    if (!CRYPTO_THREAD_write_lock(tls->lock)) {
        SSL_CTX_free(ctx);
        return say(&why, TVL_ERR_TLS, "TLS", "cannot be locked");
    }
    old = tls->ctx;
    if (tls->server && !asks_clients(ctx) && !asks_clients(old) && !keep_tickets(ctx, old))
        err = say_queue(&why, TVL_ERR_TLS, "ticket keys");
    if (!err)
        tls->ctx = ctx;
    CRYPTO_THREAD_unlock(tls->lock);
    SSL_CTX_free(err ? ctx : old);
    return err;
}

SSL *tvl_tls_new_ssl(struct tvl_tls *tls)
{
    SSL *ssl;

    if (!CRYPTO_THREAD_read_lock(tls->lock))
        return NULL;
    ssl = SSL_new(tls->ctx);
    CRYPTO_THREAD_unlock(tls->lock);
    return ssl;
}

struct tvl_tls *tvl_tls_ref(struct tvl_tls *tls)
{
    unsigned before = atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
    return tls;
}

void tvl_tls_free(struct tvl_tls *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(tls->ctx);
    CRYPTO_THREAD_lock_free(tls->lock);
    free(tls);
}

bool tvl_tls_is_server(const struct tvl_tls *tls)
{
    return tls->server;
}
