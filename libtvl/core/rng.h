/*
 * rng.h - the library's randomness: a ChaCha20 key stream from a 256-bit seed.
 *
 * The same seed gives the same bytes on every machine, so a simulated run can be replayed; with a
 * seed from the kernel the bytes are unpredictable, as connection IDs and PATH_CHALLENGE need.
 * TLS's own randomness is OpenSSL's and not from here.
 */
#ifndef TVL_CORE_RNG_H
#define TVL_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define TVL_RESET_TOKEN_SIZE 16
#define TVL_RESET_KEY_SIZE 32

struct evp_cipher_ctx_st;

struct tvl_rng {
    struct evp_cipher_ctx_st *stream;
    uint8_t buffer[256]; /* key stream not yet handed out: buffer[used, sizeof buffer) */
    size_t used;
};

/* 0 or TVL_ERR_NOMEM. */
int tvl_rng_init(struct tvl_rng *rng, const uint64_t seed[4]);
void tvl_rng_fini(struct tvl_rng *rng); /* wipes; legal on zeroed, on NULL, after a failed init */

void tvl_rng_bytes(struct tvl_rng *rng, uint8_t *out, size_t len);
uint64_t tvl_rng_u64(struct tvl_rng *rng);
/* Uniform in [0, bound), without bias; bound > 0. */
uint64_t tvl_rng_below(struct tvl_rng *rng, uint64_t bound);

/*
 * Stateless reset token of a connection ID (RFC 9000 10.3.2): the first 16 bytes of
 * HMAC-SHA256(key, cid). `key` comes from the endpoint's rng once. 0, TVL_ERR_ARG (len above 20) or
 * TVL_ERR_NOMEM.
 */
int tvl_reset_token(uint8_t token[TVL_RESET_TOKEN_SIZE], const uint8_t key[TVL_RESET_KEY_SIZE],
                    const uint8_t *cid, size_t len);

#endif
