/*
 * token.h - tokens that prove a client's address: those of a Retry packet (RFC 9000 8.1.2) and
 * those of NEW_TOKEN frames for later connections (8.1.3).
 *
 *     kind (8)  nonce (96)  AES-128-GCM { issued at (64) address (32 | 128) ... }  tag (128)
 *
 * Sealed by the server for itself, so that it need not remember any. The first byte says which kind
 * it is: a bad token of a Retry ends the connection, any other is as good as none. A Retry's token
 * holds for the port too, and for the connection ID that the Retry gave the server.
 *
 * Time in tokens is what the caller says; workers and restarted servers understand each other's
 * tokens when they mean the same by it, see tvl_config.wall_offset.
 */
#ifndef TVL_CORE_TOKEN_H
#define TVL_CORE_TOKEN_H

#include <tvl/tvl.h>

#include "packet.h"
#include "protect.h"

#define TVL_TOKEN_RETRY_LIFE 10000000u               /* us: a round trip and a slow start */
#define TVL_TOKEN_ADDRESS_LIFE UINT64_C(86400000000) /* us: a day */
#define TVL_TOKEN_CLOCK_SKEW 10000000u               /* us a token may come from the future */
#define TVL_TOKEN_NONCE_SIZE TVL_NONCE_SIZE
#define TVL_TOKEN_SIZE_MAX 96 /* bytes of a token of ours */

enum tvl_token_kind { TVL_TOKEN_RETRY = 0xb1, TVL_TOKEN_ADDRESS = 0x2e };

struct tvl_token {
    enum tvl_token_kind kind;
    tvl_time issued_at;
    struct sockaddr_storage remote;
    struct tvl_cid retry_scid;    /* Retry: what the client is to call us */
    struct tvl_cid original_dcid; /* Retry: what it called us first */
};

/* The key for tokens out of a server's secret. 0 or TVL_ERR_NOMEM. */
int tvl_token_keys(struct tvl_keys *k, const uint8_t secret[32]);

/* `nonce` must be fresh. Bytes of the token, or 0: it could not be made. */
size_t tvl_token_seal(struct tvl_keys *k, const struct tvl_token *t,
                      const uint8_t nonce[TVL_TOKEN_NONCE_SIZE], uint8_t out[TVL_TOKEN_SIZE_MAX]);

enum tvl_token_verdict {
    TVL_TOKEN_NONE,  /* absent, unknown, too old or another's: the address is not proved */
    TVL_TOKEN_PROOF, /* the address is proved */
    TVL_TOKEN_BAD,   /* as none, but of a Retry: INVALID_TOKEN */
};

struct tvl_token_claim { /* what came with the token */
    const uint8_t *bytes;
    size_t len;
    const struct sockaddr_storage *remote;
    const struct tvl_cid *dcid; /* of the Initial packet */
    tvl_time now;
};

/* `out` is filled for TVL_TOKEN_PROOF. */
enum tvl_token_verdict tvl_token_open(struct tvl_keys *k, const struct tvl_token_claim *claim,
                                      struct tvl_token *out);

#endif
