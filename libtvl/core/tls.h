/*
 * tls.h - the seam between QUIC and TLS 1.3 (RFC 9001 4).
 *
 * Shaped like OpenSSL 3.5's SSL_set_quic_tls_cbs(): handshake bytes go in and out per encryption
 * level, secrets come out as they appear, transport parameters pass through. tls_openssl.c bridges
 * OpenSSL 3.0, which has no such interface; nothing else in the library knows which TLS this is.
 *
 *     CRYPTO bytes in order --> tvl_tls_conn_feed() --+--> crypto_out  bytes for CRYPTO frames
 *                                                     +--> secret      keys for
 * tvl_keys_from_secret
 *                                                     +--> peer_params transport parameters
 *                                                     +--> alert       CONNECTION_CLOSE 0x100 +
 * alert
 *
 * All callbacks run inside start or feed, on the caller's thread. They may call set_params and the
 * getters, but neither start, feed nor free. 0-RTT is not offered and not accepted.
 */
#ifndef TVL_CORE_TLS_H
#define TVL_CORE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tvl/tvl.h>
#include "protect.h"

/* tvl_tls_new() and tvl_tls_free() are in <tvl/tvl.h>. */
struct tvl_tls *tvl_tls_ref(struct tvl_tls *tls); /* one more reference; result is `tls` */
bool tvl_tls_is_server(const struct tvl_tls *tls);

#define TVL_TLS_PARAMS_MAX 1024    /* bytes of transport parameters we send */
#define TVL_TLS_MESSAGE_MAX 131072 /* bytes of one handshake message we take, e.g. Certificate */

enum tvl_secret_use { TVL_SECRET_READ, TVL_SECRET_WRITE }; /* ours to open with, to seal with */

/*
 * crypto_out, secret and peer_params return 0, or a negative enum tvl_error, which ends the
 * handshake and is then the result of start or feed; no alert is raised for it. Pointers live for
 * the call.
 */
struct tvl_tls_callbacks {
    /* Bytes to carry in CRYPTO frames of `level`, after those given before for that level. */
    int (*crypto_out)(void *user, enum tvl_level level, const uint8_t *bytes, size_t len);
    /*
     * A traffic secret is ready. On a client both handshake secrets come with ServerHello, read
     * before write; on a server handshake write, handshake read, application write come with the
     * ClientHello and application read with the client's Finished.
     */
    int (*secret)(void *user, enum tvl_level level, enum tvl_secret_use use, uint16_t suite,
                  const uint8_t *secret, size_t len);
    /*
     * The peer's transport parameters, the raw body of extension 0x39. Not authenticated until the
     * handshake is done. A server sees them again after a HelloRetryRequest: the last ones count.
     */
    int (*peer_params)(void *user, const uint8_t *bytes, size_t len);
    /* We must close with CRYPTO_ERROR 0x100 + alert. At most once. */
    void (*alert)(void *user, uint8_t alert);
    /* Client: a session to begin the next connection to this server with; see resume. */
    void (*ticket)(void *user, const uint8_t *bytes, size_t len);
};

struct tvl_tls_conn; /* one handshake */

/*
 * `server_name` is the name the certificate must carry, a DNS name (also sent as SNI) or an IPv4 or
 * IPv6 literal without brackets; NULL on a server. `params` are our transport parameters, copied; a
 * server may give them later (params NULL, 0). Takes a reference to `tls`; copies `cb`.
 * 0, TVL_ERR_ARG or TVL_ERR_NOMEM.
 */
int tvl_tls_conn_new(struct tvl_tls_conn **out, struct tvl_tls *tls, const char *server_name,
                     const uint8_t *params, size_t params_len, const struct tvl_tls_callbacks *cb,
                     void *user);
void tvl_tls_conn_free(struct tvl_tls_conn *c);

/*
 * Replace our transport parameters. On a server at the latest within the peer_params callback, on a
 * client before start. TVL_ERR_ARG: longer than TVL_TLS_PARAMS_MAX; TVL_ERR_STATE: too late.
 */
int tvl_tls_conn_set_params(struct tvl_tls_conn *c, const uint8_t *params, size_t params_len);

/*
 * Client, before start: resume the session of an earlier `ticket`. 0, or TVL_ERR_ARG: not
 * understood, or out of date, or tickets are not used; the handshake will be a full one.
 */
int tvl_tls_conn_resume(struct tvl_tls_conn *c, const uint8_t *ticket, size_t len);

/* Client: emit the ClientHello. Server: nothing to do, and 0. Once. */
int tvl_tls_conn_start(struct tvl_tls_conn *c);

/*
 * Bytes of the peer's CRYPTO stream of `level`, in order. 0: taken. TVL_ERR_TLS: the handshake
 * failed, see alert and why. TVL_ERR_PEER: bytes for a level that is not the current one, a
 * PROTOCOL_VIOLATION (RFC 9001 4.1.3). Or an error of a callback. After a failure every further
 * call gives the same result and calls back nothing.
 */
int tvl_tls_conn_feed(struct tvl_tls_conn *c, enum tvl_level level, const uint8_t *bytes,
                      size_t len);

bool tvl_tls_conn_done(const struct tvl_tls_conn *c);      /* handshake complete, RFC 9001 4.1.1 */
int tvl_tls_conn_alert(const struct tvl_tls_conn *c);      /* the alert raised, or 0 */
bool tvl_tls_conn_resumed(const struct tvl_tls_conn *c);   /* by ticket, once done */
uint16_t tvl_tls_conn_suite(const struct tvl_tls_conn *c); /* RFC 8446 B.4, 0 until known */
/* The ALPN name agreed on, "" before; borrowed until free. */
const char *tvl_tls_conn_alpn(const struct tvl_tls_conn *c);
/* Of the peer's verified certificate, see tvl_conn_peer_subject; "" before; borrowed until free. */
const char *tvl_tls_conn_peer_subject(const struct tvl_tls_conn *c);
/* One line for a person on why it failed, "" while it has not; borrowed until free. */
const char *tvl_tls_conn_why(const struct tvl_tls_conn *c);

#endif
