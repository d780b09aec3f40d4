/*
 * rng.c - seeded ChaCha20 key stream and stateless reset tokens. See rng.h.
 */
#include "rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <tvl/tvl.h>

#define CID_MAX 20 /* RFC 9000 17.2 */

int tvl_rng_init(struct tvl_rng *rng, const uint64_t seed[4])
{
    static const uint8_t iv[16]; /* counter and nonce of zero: every seed has its own stream */
    uint8_t key[32];
    int ok;

    memset(rng, 0, sizeof *rng);
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)(seed[i / 8] >> (8 * (i % 8)));
    rng->used = sizeof rng->buffer;
    rng->stream = EVP_CIPHER_CTX_new();
    ok = rng->stream && EVP_EncryptInit_ex(rng->stream, EVP_chacha20(), NULL, key, iv) == 1;
    OPENSSL_cleanse(key, sizeof key);
    if (ok)
        return 0;
    tvl_rng_fini(rng);
    return TVL_ERR_NOMEM;
}

void tvl_rng_fini(struct tvl_rng *rng)
{
    if (!rng)
        return;
    EVP_CIPHER_CTX_free(rng->stream);
    OPENSSL_cleanse(rng, sizeof *rng);
}

static void refill(struct tvl_rng *rng)
{
    int n = 0;

    memset(rng->buffer, 0, sizeof rng->buffer);
    /* A key stream allocates nothing and cannot run dry; were it to fail, going on would hand out
     * predictable connection IDs. */
    if (!rng->stream ||
        EVP_EncryptUpdate(rng->stream, rng->buffer, &n, rng->buffer, (int)sizeof rng->buffer) != 1)
        abort();
    rng->used = 0;
}

void tvl_rng_bytes(struct tvl_rng *rng, uint8_t *out, size_t len)
{
    while (len) {
        size_t n = sizeof rng->buffer - rng->used;

        if (!n) {
            refill(rng);
            continue;
        }
        if (n > len)
            n = len;
        memcpy(out, rng->buffer + rng->used, n);
        memset(rng->buffer + rng->used, 0, n); /* what was handed out is not kept */
        rng->used += n;
        out += n;
        len -= n;
    }
}

uint64_t tvl_rng_u64(struct tvl_rng *rng)
{
    uint8_t b[8];
    uint64_t v = 0;

    tvl_rng_bytes(rng, b, sizeof b);
    for (int i = 7; i >= 0; i--)
        v = v << 8 | b[i];
    return v;
}

uint64_t tvl_rng_below(struct tvl_rng *rng, uint64_t bound)
{
    uint64_t v, surplus;

    assert(bound > 0);
    /* 2^64 mod bound values at the bottom would be hit once too often: draw again. Each draw is
     * taken with a probability above one half. */
    surplus = (0 - bound) % bound;
    do
        v = tvl_rng_u64(rng);
    while (v < surplus);
    return v % bound;
}

int tvl_reset_token(uint8_t token[TVL_RESET_TOKEN_SIZE], const uint8_t key[TVL_RESET_KEY_SIZE],
                    const uint8_t *cid, size_t len)
{
    uint8_t mac[EVP_MAX_MD_SIZE];

    if (len > CID_MAX)
        return TVL_ERR_ARG;
    if (!HMAC(EVP_sha256(), key, TVL_RESET_KEY_SIZE, len ? cid : key, len, mac, NULL))
        return TVL_ERR_NOMEM;
    memcpy(token, mac, TVL_RESET_TOKEN_SIZE);
    return 0;
}
