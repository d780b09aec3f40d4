/*
 * tls_pair.h - a client and a server handshake joined in memory, recording all they call back.
 */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "tls_internal.h"
#include "test_pki.h"

#define STREAM_MAX (128 * 1024)
#define ORDER_MAX 8

struct secret_seen {
    enum tvl_level level;
    enum tvl_secret_use use;
};

struct tls_side {
    struct tvl_tls_conn *c;
    uint8_t *out[TVL_LEVELS]; /* CRYPTO streams */
    size_t out_len[TVL_LEVELS], out_taken[TVL_LEVELS];
    uint8_t secret[TVL_LEVELS][2][TVL_SECRET_MAX];
    size_t secret_len[TVL_LEVELS][2];
    struct secret_seen order[ORDER_MAX];
    size_t order_len;
    size_t handshake_bytes_at_write; /* Handshake bytes fed to us before its write secret came */
    size_t fed[TVL_LEVELS];
    uint16_t suite;
    uint8_t peer_params[64];
    size_t peer_params_len;
    unsigned params_calls, alert_calls;
    uint8_t alert;
    uint8_t ticket[TVL_SESSION_MAX]; /* the last one */
    size_t ticket_len;
    unsigned tickets;

    /* Faults to inject. */
    int refuse_params;          /* result of the callback */
    bool forget_params;         /* as if the extension had not come */
    const uint8_t *late_params; /* set from within the callback */
    size_t late_params_len;
};

struct tls_pair {
    struct tls_side client, server;
};

/* What differs from the plainest handshake; all zero is that. */
struct tls_pair_config {
    const char *suite;         /* OpenSSL's name: the only one the server takes */
    const char *client_groups; /* [X25519 first] */
    const char *server_groups; /* makes a HelloRetryRequest if not X25519 */
    const char *client_alpn, *server_alpn;
    const char *name;              /* [localhost] */
    const char *client_ca;         /* [the PKI's] */
    const struct tls_side *resume; /* the client whose last ticket to use */
    bool no_tickets[2];            /* client, server */
    bool mutual;                   /* the server demands a client certificate */
    bool no_client_identity;       /* though demanded */
    void (*keylog)(void *user, const char *line);
    void *keylog_user;
};

extern const uint8_t client_params[7], server_params[8];

struct tvl_tls *make_tls(const struct test_pki *pki, const struct tls_pair_config *cfg,
                         bool server);
void pair_init(struct tls_pair *p, const struct test_pki *pki, const struct tls_pair_config *cfg);
void pair_init_shared(struct tls_pair *p, const struct tls_pair_config *cfg, struct tvl_tls *client,
                      struct tvl_tls *server);
void pair_fini(struct tls_pair *p);

/* Deliver what `from` has made, in pieces of `chunk` bytes (0: whole). Bytes moved, or the error.
 */
int pair_move(struct tls_side *from, struct tls_side *to, size_t chunk);
/* Start and run until silent. 0, or the first error of either side. */
int pair_run(struct tls_pair *p, size_t chunk);

#endif
