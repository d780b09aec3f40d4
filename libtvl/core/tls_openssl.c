/*
 * tls_openssl.c - one QUIC handshake on OpenSSL 3.0, which has no interface for it. See tls.h.
 *
 *  out   SSL writes its records to a null BIO. The message callback shows every whole handshake
 *        message in plaintext before that: those are the CRYPTO bytes.
 *  keys  The key log callback is called at the moment a traffic key is installed, so it gives the
 *        secret and says when a level begins. A message is shown before the key change after it.
 *  in    CRYPTO bytes are wrapped in TLS records: plain ones at the Initial level, later ones
 * sealed with the peer's secret just logged, so that OpenSSL opens what we sealed. 0x39  Transport
 * parameters are a custom extension (RFC 9001 8.2).
 *
 * This leans on the order of callbacks, which OpenSSL does not promise; tests/unit/libtvl/tls pins
 * it. What OpenSSL allows and QUIC forbids is checked here: KeyUpdate and other late messages, a
 * missing ALPN, missing transport parameters.
 */
#include "tls_internal.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "hkdf.h"

#define PARAMS_EXTENSION 0x39 /* quic_transport_parameters, RFC 9001 8.2 */
#define RECORD_HEADER 5       /* RFC 8446 5.1 */
#define RECORD_MAX 16384      /* plaintext bytes of one record, RFC 8446 5.1 */
#define RECORD_TYPE_HANDSHAKE 22
#define RECORD_TYPE_SEALED 23
#define SERVER_NAME_MAX 255 /* RFC 6066 3 and the DNS */

/* ---- failing ---- */

void tvl_tls_queue_text(char *out, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *text = NULL;

    if (ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    else if (code)
        text = ERR_reason_error_string(code);
    snprintf(out, size, "%s", text ? text : "unknown reason");
    ERR_clear_error();
}

static void fail(struct tvl_tls_conn *c, int error, const char *why)
{
    if (c->error)
        return;
    c->error = error;
    snprintf(c->why, sizeof c->why, "%s", why);
}

/* The text is filled in by describe(), when OpenSSL has said all it has to say. */
static void raise_alert(struct tvl_tls_conn *c, uint8_t alert)
{
    if (c->error)
        return;
    c->error = TVL_ERR_TLS;
    c->alert = alert;
    c->cb.alert(c->user, alert);
}

static void describe(struct tvl_tls_conn *c)
{
    long verify = SSL_get_verify_result(c->ssl);
    char reason[TVL_TLS_WHY_MAX / 2];

    if (c->why[0])
        return;
    if (verify != X509_V_OK) {
        snprintf(c->why, sizeof c->why, "certificate verify failed: %s",
                 X509_verify_cert_error_string(verify));
        return;
    }
    if (!ERR_peek_error()) {
        snprintf(c->why, sizeof c->why, "%s", SSL_alert_desc_string_long(c->alert));
        return;
    }
    tvl_tls_queue_text(reason, sizeof reason);
    snprintf(c->why, sizeof c->why, "%s: %s", SSL_alert_desc_string_long(c->alert), reason);
}

/* ---- what OpenSSL calls ---- */

static struct tvl_tls_conn *conn_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* OpenSSL insists on neither, QUIC on both (RFC 9001 8.1, 8.2). */
static void check_extensions(struct tvl_tls_conn *c)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(c->ssl, &name, &len);
    if (!c->have_peer_params) {
        raise_alert(c, SSL_AD_MISSING_EXTENSION);
        snprintf(c->why, sizeof c->why, "the peer sent no transport parameters");
    } else if (!len) {
        raise_alert(c, SSL_AD_NO_APPLICATION_PROTOCOL);
        snprintf(c->why, sizeof c->why, "the peer named no application protocol");
    } else {
        assert(len <= TVL_TLS_ALPN_MAX);
        memcpy(c->alpn, name, len);
        c->alpn[len] = '\0';
    }
}

static void give_secret(struct tvl_tls_conn *c, enum tvl_level level, enum tvl_secret_use use,
                        uint16_t suite, struct tvl_slice secret)
{
    int err;

    if (c->error)
        return;
    err = c->cb.secret(c->user, level, use, suite, secret.bytes, secret.len);
    if (err)
        fail(c, err, "the connection refused a secret");
}

static void on_write_secret(struct tvl_tls_conn *c, enum tvl_level level, uint16_t suite,
                            struct tvl_slice secret)
{
    if (c->tls->server && level == TVL_LEVEL_HANDSHAKE)
        check_extensions(c);
    c->write_level = level;
    if (level == TVL_LEVEL_HANDSHAKE && c->handshake_write_given)
        return;
    give_secret(c, level, TVL_SECRET_WRITE, suite, secret);
}

static void give_early_write_secret(struct tvl_tls_conn *c, uint16_t suite, struct tvl_slice server)
{
    uint8_t early[TVL_SECRET_MAX];

    if (server.len <= sizeof early &&
        tvl_tls_early_secret(c->ssl, &c->transcript, server.bytes, server.len, early)) {
        c->handshake_write_given = true;
        c->write_level = TVL_LEVEL_HANDSHAKE;
        give_secret(c, TVL_LEVEL_HANDSHAKE, TVL_SECRET_WRITE, suite,
                    (struct tvl_slice){ early, server.len });
    }
    OPENSSL_cleanse(early, sizeof early);
    tvl_transcript_fini(&c->transcript);
}

static void on_read_secret(struct tvl_tls_conn *c, enum tvl_level level, uint16_t suite,
                           struct tvl_slice secret)
{
    int err;

    if (!c->tls->server && level == TVL_LEVEL_APP)
        check_extensions(c);
    c->read_level = level;
    tvl_keys_fini(&c->record);
    c->record_number = 0;
    err = tvl_keys_for_records(&c->record, suite, secret.bytes, secret.len);
    if (err) {
        fail(c, err, "no keys for the next level");
        return;
    }
    give_secret(c, level, TVL_SECRET_READ, suite, secret);
    if (!c->tls->server && level == TVL_LEVEL_HANDSHAKE)
        give_early_write_secret(c, suite, secret);
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

/* Bytes written, at most `cap`; stops at the first character that is not hexadecimal. */
static size_t hex_decode(const char *text, uint8_t *out, size_t cap)
{
    size_t n = 0;

    for (; n < cap && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0; text += 2)
        out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
    return n;
}

struct secret_label {
    const char *text;
    enum tvl_level level;
    bool server; /* the server writes with it */
};
static const struct secret_label secret_labels[] = {
    { "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", TVL_LEVEL_HANDSHAKE, false },
    { "SERVER_HANDSHAKE_TRAFFIC_SECRET ", TVL_LEVEL_HANDSHAKE, true },
    { "CLIENT_TRAFFIC_SECRET_0 ", TVL_LEVEL_APP, false },
    { "SERVER_TRAFFIC_SECRET_0 ", TVL_LEVEL_APP, true },
};

static const struct secret_label *find_label(const char *line)
{
    for (size_t i = 0; i < sizeof secret_labels / sizeof secret_labels[0]; i++)
        if (strncmp(line, secret_labels[i].text, strlen(secret_labels[i].text)) == 0)
            return &secret_labels[i];
    return NULL;
}

/* `line` is "LABEL client-random secret", both in hexadecimal. */
static void on_secret_line(struct tvl_tls_conn *c, const char *line)
{
    const struct secret_label *label = find_label(line);
    const char *hex = label ? strchr(line + strlen(label->text), ' ') : NULL;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
    uint8_t bytes[TVL_SECRET_MAX];
    struct tvl_slice secret = { bytes, 0 };
    uint16_t suite;

    if (!hex || c->error)
        return;
    if (!cipher)
        cipher = SSL_get_pending_cipher(c->ssl);
    if (!cipher) {
        fail(c, TVL_ERR_TLS, "a secret without a cipher suite");
        return;
    }
    suite = c->suite = SSL_CIPHER_get_protocol_id(cipher);
    secret.len = hex_decode(hex + 1, bytes, sizeof bytes);
    if (label->server == c->tls->server)
        on_write_secret(c, label->level, suite, secret);
    else
        on_read_secret(c, label->level, suite, secret);
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static void on_keylog(const SSL *ssl, const char *line)
{
    struct tvl_tls_conn *c = conn_of(ssl);

    if (!c)
        return;
    if (c->tls->keylog)
        c->tls->keylog(c->tls->keylog_user, line);
    on_secret_line(c, line);
}

/* RFC 9001 8.4: no compatibility mode. The session ID follows version and random. */
static void check_hello(struct tvl_tls_conn *c, const uint8_t *message, size_t len)
{
    const size_t at = 4 + 2 + SSL3_RANDOM_SIZE;

    if (len > at && message[0] == SSL3_MT_CLIENT_HELLO && message[at] != 0)
        fail(c, TVL_ERR_PEER, "a ClientHello with a legacy session ID");
}

static void on_message(int writing, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *arg)
{
    struct tvl_tls_conn *c = conn_of(ssl);
    int err;

    (void)version, (void)arg;
    if (!c)
        return;
    if (type == SSL3_RT_HANDSHAKE && !c->tls->server)
        tvl_transcript_add(&c->transcript, bytes, len);
    if (!writing && type == SSL3_RT_HANDSHAKE && c->tls->server)
        check_hello(c, bytes, len);
    if (!writing || c->error)
        return;
    if (type == SSL3_RT_ALERT && len >= 2) {
        uint8_t alert = ((const uint8_t *)bytes)[1];

        if (alert != SSL_AD_CLOSE_NOTIFY)
            raise_alert(c, alert);
    } else if (type == SSL3_RT_HANDSHAKE) {
        err = c->cb.crypto_out(c->user, c->write_level, bytes, len);
        if (err)
            fail(c, err, "the connection took no more handshake bytes");
    }
}

static int on_params_add(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
                         size_t *len, X509 *cert, size_t chain_index, int *alert, void *arg)
{
    struct tvl_tls_conn *c = conn_of(ssl);

    (void)type, (void)context, (void)cert, (void)chain_index, (void)arg;
    if (!c || !c->have_params) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return -1;
    }
    c->params_sent = true;
    *out = c->params;
    *len = c->params_len;
    return 1;
}

static int on_params_parse(SSL *ssl, unsigned type, unsigned context, const unsigned char *in,
                           size_t len, X509 *cert, size_t chain_index, int *alert, void *arg)
{
    struct tvl_tls_conn *c = conn_of(ssl);
    int err;

    (void)type, (void)context, (void)cert, (void)chain_index, (void)arg;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (!c || c->error)
        return 0;
    c->have_peer_params = true;
    err = c->cb.peer_params(c->user, in, len);
    if (err)
        fail(c, err, "the peer's transport parameters are not acceptable");
    return !err;
}

/* Result: 1 would take the reference to `session`. */
int tvl_tls_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tvl_tls_conn *c = conn_of(ssl);
    uint8_t *bytes = NULL;
    int len;

    if (!c || c->error || !c->cb.ticket || !SSL_SESSION_is_resumable(session))
        return 0;
    if (SSL_SESSION_get_max_early_data(session) != 0 &&
        SSL_SESSION_get_max_early_data(session) != UINT32_MAX) {
        fail(c, TVL_ERR_PEER, "a ticket that limits early data"); /* RFC 9001 4.6.1 */
        return 0;
    }
    len = i2d_SSL_SESSION(session, &bytes);
    if (len > 0) {
        c->cb.ticket(c->user, bytes, (size_t)len);
        OPENSSL_clear_free(bytes, (size_t)len);
    }
    return 0;
}

int tvl_tls_install_hooks(SSL_CTX *ctx)
{
    SSL_CTX_set_keylog_callback(ctx, on_keylog);
    SSL_CTX_set_msg_callback(ctx, on_message);
    return SSL_CTX_add_custom_ext(ctx, PARAMS_EXTENSION,
                                  SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                  on_params_add, NULL, NULL, on_params_parse, NULL) == 1
               ? 0
               : TVL_ERR_TLS;
}

/* ---- life ---- */

static bool plausible_name(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len <= SERVER_NAME_MAX;
}

/* What the certificate must name. An address is never sent as SNI (RFC 6066 3). */
static int set_server_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *verify = SSL_get0_param(ssl);
    bool ok;

    if (X509_VERIFY_PARAM_set1_ip_asc(verify, name) == 1)
        return 0;
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ok = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    ERR_clear_error();
    return ok ? 0 : TVL_ERR_NOMEM;
}

static int make_ssl(struct tvl_tls_conn *c, const char *server_name)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_null());

    c->ssl = tvl_tls_new_ssl(c->tls);
    if (!c->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return TVL_ERR_NOMEM;
    }
    SSL_set_bio(c->ssl, in, out);
    SSL_set_app_data(c->ssl, c);
    if (c->tls->server) {
        SSL_set_accept_state(c->ssl);
        return 0;
    }
    SSL_set_connect_state(c->ssl);
    return set_server_name(c->ssl, server_name);
}

int tvl_tls_conn_new(struct tvl_tls_conn **out, struct tvl_tls *tls, const char *server_name,
                     const uint8_t *params, size_t params_len, const struct tvl_tls_callbacks *cb,
                     void *user)
{
    struct tvl_tls_conn *c;
    int err;

    if (tls->server ? server_name != NULL : !plausible_name(server_name))
        return TVL_ERR_ARG;
    if (params_len > TVL_TLS_PARAMS_MAX || (!params && params_len))
        return TVL_ERR_ARG;
    c = calloc(1, sizeof *c);
    if (!c)
        return TVL_ERR_NOMEM;
    c->tls = tvl_tls_ref(tls);
    c->cb = *cb;
    c->user = user;
    c->read_level = c->write_level = TVL_LEVEL_INITIAL;
    err = params ? tvl_tls_conn_set_params(c, params, params_len) : 0;
    if (!err)
        err = make_ssl(c, server_name);
    if (err) {
        tvl_tls_conn_free(c);
        return err;
    }
    *out = c;
    return 0;
}

static void drop_ssl(struct tvl_tls_conn *c)
{
    /* Without this, SSL_free takes the session for broken off and its ticket for spent. */
    if (c->ssl && c->done && !c->error)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    c->ssl = NULL;
}

void tvl_tls_conn_free(struct tvl_tls_conn *c)
{
    if (!c)
        return;
    drop_ssl(c);
    tvl_keys_fini(&c->record);
    tvl_transcript_fini(&c->transcript);
    free(c->subject);
    tvl_tls_free(c->tls);
    free(c);
}

int tvl_tls_conn_set_params(struct tvl_tls_conn *c, const uint8_t *params, size_t params_len)
{
    if (params_len > sizeof c->params)
        return TVL_ERR_ARG;
    if (c->params_sent)
        return TVL_ERR_STATE;
    if (params_len)
        memcpy(c->params, params, params_len);
    c->params_len = params_len;
    c->have_params = true;
    return 0;
}

int tvl_tls_conn_resume(struct tvl_tls_conn *c, const uint8_t *ticket, size_t len)
{
    const unsigned char *at = ticket;
    SSL_SESSION *session;
    bool ok;

    if (c->tls->server || c->started || !c->tls->tickets || len > LONG_MAX)
        return TVL_ERR_ARG;
    session = d2i_SSL_SESSION(NULL, &at, (long)len);
    ok = session && at == ticket + len &&
         SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION &&
         SSL_set_session(c->ssl, session) == 1;
    SSL_SESSION_free(session);
    ERR_clear_error();
    return ok ? 0 : TVL_ERR_ARG;
}

/* ---- driving ---- */

/* A resumed session has the certificate that it began with. */
static void note_subject(struct tvl_tls_conn *c)
{
    X509 *cert = SSL_get0_peer_certificate(c->ssl);
    char text[TVL_SUBJECT_MAX];
    BIO *out;
    int len = -1;

    if (!cert || SSL_get_verify_result(c->ssl) != X509_V_OK)
        return;
    out = BIO_new(BIO_s_mem());
    if (out && X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0 &&
        BIO_pending(out) < (int)sizeof text)
        len = BIO_read(out, text, sizeof text - 1);
    BIO_free(out);
    ERR_clear_error();
    if (len > 0)
        c->subject = strndup(text, (size_t)len);
}

static int failed(struct tvl_tls_conn *c)
{
    raise_alert(c, SSL_AD_INTERNAL_ERROR); /* unless something was raised or refused already */
    describe(c);
    ERR_clear_error();
    return c->error;
}

/* Session tickets, in `fed` new bytes. SSL_read takes one message a call, of one byte at least. */
static bool drain_tickets(struct tvl_tls_conn *c, size_t fed)
{
    BIO *in = SSL_get_rbio(c->ssl);
    uint8_t none[1];
    size_t got;

    for (size_t calls = 0; calls <= fed + 1; calls++) {
        int r = SSL_read_ex(c->ssl, none, 0, &got);

        if (r <= 0 && SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
            return false;
        if (BIO_pending(in) <= 0 && !SSL_has_pending(c->ssl))
            return true;
    }
    return false;
}

/* Let OpenSSL go as far as it can on the `fed` bytes that are new since it last ran. */
static int drive(struct tvl_tls_conn *c, size_t fed)
{
    ERR_clear_error();
    if (!c->done) {
        int r = SSL_do_handshake(c->ssl);

        if (c->error || (r != 1 && SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ))
            return failed(c);
        if (r != 1)
            return 0;
        c->done = true;
        c->resumed = SSL_session_reused(c->ssl);
        note_subject(c);
        if (c->tls->server) { /* nothing may come any more, see only_tickets() */
            drop_ssl(c);
            return 0;
        }
    }
    if (!drain_tickets(c, fed) || c->error)
        return failed(c);
    return 0;
}

int tvl_tls_conn_start(struct tvl_tls_conn *c)
{
    if (c->tls->server)
        return 0;
    if (c->started)
        return TVL_ERR_STATE;
    c->started = true;
    return drive(c, 0);
}

/* One record of `len` handshake bytes, len at most RECORD_MAX, to where OpenSSL reads. */
static int put_record(struct tvl_tls_conn *c, const uint8_t *bytes, size_t len)
{
    uint8_t record[RECORD_HEADER + RECORD_MAX + 1 + TVL_TAG_SIZE];
    uint8_t *body = record + RECORD_HEADER;
    size_t body_len = len;
    bool sealed = tvl_keys_present(&c->record);

    memcpy(body, bytes, len);
    if (sealed) {
        body[len] = RECORD_TYPE_HANDSHAKE; /* the inner type, RFC 8446 5.2 */
        body_len = len + 1 + TVL_TAG_SIZE;
    }
    record[0] = sealed ? RECORD_TYPE_SEALED : RECORD_TYPE_HANDSHAKE;
    record[1] = 3;
    record[2] = 3;
    record[3] = (uint8_t)(body_len >> 8);
    record[4] = (uint8_t)body_len;
    if (sealed &&
        tvl_seal(&c->record, 0, c->record_number++, record, RECORD_HEADER, body, len + 1) < 0)
        return TVL_ERR_NOMEM;
    if (BIO_write(SSL_get_rbio(c->ssl), record, (int)(RECORD_HEADER + body_len)) !=
        (int)(RECORD_HEADER + body_len))
        return TVL_ERR_NOMEM;
    return 0;
}

/* After the handshake only a server's session tickets may come (RFC 9001 4.4, 6). */
static bool only_tickets(struct tvl_tls_conn *c, const uint8_t *bytes, size_t len)
{
    while (len) {
        if (c->body_left) {
            uint32_t n = len < c->body_left ? (uint32_t)len : c->body_left;

            c->body_left -= n;
            bytes += n;
            len -= n;
            continue;
        }
        c->header[c->header_len++] = *bytes++;
        len--;
        if (c->tls->server || c->header[0] != SSL3_MT_NEWSESSION_TICKET)
            return false;
        if (c->header_len == sizeof c->header) {
            c->body_left =
                (uint32_t)c->header[1] << 16 | (uint32_t)c->header[2] << 8 | c->header[3];
            c->header_len = 0;
        }
    }
    return true;
}

static void check_level(struct tvl_tls_conn *c, enum tvl_level level)
{
    static const char *const names[TVL_LEVELS] = { "Initial", "0-RTT", "Handshake", "1-RTT" };
    char why[TVL_TLS_WHY_MAX];

    assert((unsigned)level < TVL_LEVELS);
    if (level == c->read_level)
        return;
    snprintf(why, sizeof why, "CRYPTO data in %s packets while TLS is at %s", names[level],
             names[c->read_level]);
    fail(c, TVL_ERR_PEER, why);
}

int tvl_tls_conn_feed(struct tvl_tls_conn *c, enum tvl_level level, const uint8_t *bytes,
                      size_t len)
{
    const size_t fed = len;

    if (c->error)
        return c->error;
    if (!len)
        return 0;
    check_level(c, level);
    if (c->error)
        return c->error;
    if (c->done && !only_tickets(c, bytes, len)) {
        if (!c->tls->server && c->header[0] == SSL3_MT_CERTIFICATE_REQUEST)
            fail(c, TVL_ERR_PEER, "a certificate is asked for after the handshake"); /* 4.4 */
        raise_alert(c, SSL_AD_UNEXPECTED_MESSAGE);
        snprintf(c->why, sizeof c->why, "handshake message of type %u after the handshake",
                 c->header[0]);
        return c->error;
    }
    while (len) {
        size_t n = len < RECORD_MAX ? len : RECORD_MAX;
        int err = put_record(c, bytes, n);

        if (err) {
            fail(c, err, "out of memory");
            return c->error;
        }
        bytes += n;
        len -= n;
    }
    return drive(c, fed);
}

/* ---- getters ---- */

bool tvl_tls_conn_done(const struct tvl_tls_conn *c)
{
    return c->done && !c->error;
}

int tvl_tls_conn_alert(const struct tvl_tls_conn *c)
{
    return c->alert;
}

bool tvl_tls_conn_resumed(const struct tvl_tls_conn *c)
{
    return c->resumed;
}

uint16_t tvl_tls_conn_suite(const struct tvl_tls_conn *c)
{
    return c->suite;
}

const char *tvl_tls_conn_alpn(const struct tvl_tls_conn *c)
{
    return c->alpn;
}

const char *tvl_tls_conn_peer_subject(const struct tvl_tls_conn *c)
{
    return c->subject ? c->subject : "";
}

const char *tvl_tls_conn_why(const struct tvl_tls_conn *c)
{
    return c->why;
}
