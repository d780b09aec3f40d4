/*
 * tls_internal.h - what tls_ctx.c, tls_openssl.c and tls_early.c share, and nobody else includes.
 *
 * tls_ctx.c     struct tvl_tls: files, trust, ALPN
 * tls_openssl.c struct tvl_tls_conn: OpenSSL's callbacks out, CRYPTO bytes in
 * tls_early.c   the client's handshake write secret, sooner than OpenSSL installs it
 */
#ifndef TVL_CORE_TLS_INTERNAL_H
#define TVL_CORE_TLS_INTERNAL_H

#include <stdatomic.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include "tls.h"

#define TVL_TLS_ALPN_MAX 255 /* bytes of one name, and of the whole list on the wire */
#define TVL_TLS_WHY_MAX 256
#define TVL_TLS_TICKETS 2 /* a server gives after a handshake: a client may use each once */

struct tvl_tls {
    atomic_uint refs;
    CRYPTO_RWLOCK *lock; /* of ctx, which tvl_tls_reload replaces; an SSL holds its own */
    SSL_CTX *ctx;        /* its app data is this struct */
    bool server;
    bool tickets;                   /* given (server) or kept and used (client) */
    uint8_t alpn[TVL_TLS_ALPN_MAX]; /* wire form, RFC 7301 3.1 */
    unsigned alpn_len;
    void (*keylog)(void *user, const char *line);
    void *keylog_user;
};

/* Client: ClientHello to ServerHello as they crossed the wire, for the transcript hash. */
struct tvl_transcript {
    uint8_t *bytes;
    size_t len;
    bool complete; /* ends with the ServerHello */
    bool lost;     /* out of memory or too long: not usable */
};

struct tvl_tls_conn {
    struct tvl_tls *tls;
    SSL *ssl; /* its app data is this struct; a server drops it after the handshake: 60 KB */
    struct tvl_tls_callbacks cb;
    void *user;

    enum tvl_level read_level, write_level;
    struct tvl_keys record; /* seals what OpenSSL shall read; absent at the Initial level */
    uint64_t record_number; /* of the next record under these keys */

    bool started, done;
    bool have_peer_params;
    bool params_sent;
    bool handshake_write_given; /* tls_early.c was first */
    bool resumed;
    uint16_t suite;

    /* After the handshake: where in the stream of message headers the peer is. */
    uint8_t header[4];
    unsigned header_len;
    uint32_t body_left;

    struct tvl_transcript transcript;

    uint8_t params[TVL_TLS_PARAMS_MAX];
    size_t params_len;
    bool have_params;

    int error; /* latched; 0: none */
    uint8_t alert;
    char alpn[TVL_TLS_ALPN_MAX + 1];
    char *subject; /* of the peer's verified certificate; NULL: none */
    char why[TVL_TLS_WHY_MAX];
};

/* A new SSL by the files as they were read last; NULL: out of memory. */
SSL *tvl_tls_new_ssl(struct tvl_tls *tls);
/* Context-wide hooks, set by tls_ctx.c, living in tls_openssl.c. 0 or TVL_ERR_TLS. */
int tvl_tls_install_hooks(SSL_CTX *ctx);
int tvl_tls_on_session(SSL *ssl, SSL_SESSION *session); /* a client's new session callback */

/* One line about the oldest entry of OpenSSL's error queue, which is then cleared. */
void tvl_tls_queue_text(char *out, size_t size);

/* Note a handshake message, either direction. */
void tvl_transcript_add(struct tvl_transcript *t, const uint8_t *message, size_t len);
void tvl_transcript_fini(struct tvl_transcript *t);

/*
 * The client's handshake write secret, from public parts of `ssl` and the transcript. `server` is
 * the server's, as OpenSSL logged it, and both have `len` bytes. False: not derivable; wait for
 * OpenSSL to log it.
 */
bool tvl_tls_early_secret(SSL *ssl, const struct tvl_transcript *t, const uint8_t *server,
                          size_t len, uint8_t *out);

#endif
