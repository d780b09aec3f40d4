/* token.c - see token.h. */
#include "token.h"

#include <string.h>
#include <openssl/evp.h>

#include "hkdf.h"
#include "varint.h"

#define PLAIN_MAX (8 + 1 + 16 + 2 + 1 + TVL_CID_MAX)
#define AROUND (1 + TVL_TOKEN_NONCE_SIZE + TVL_TAG_SIZE)

_Static_assert(PLAIN_MAX + AROUND <= TVL_TOKEN_SIZE_MAX, "a token of ours fits");

int tvl_token_keys(struct tvl_keys *k, const uint8_t secret[32])
{
    uint8_t own[32];
    const int r = tvl_hkdf_expand_label(EVP_sha256(), (struct tvl_slice){ secret, 32 }, "tvl token",
                                        (struct tvl_slice){ NULL, 0 }, own, sizeof own);

    return r == 0 ? tvl_keys_from_secret(k, TVL_SUITE_AES_128_GCM, own, sizeof own) : r;
}

/* What is authenticated beside the sealed part. */
struct aad {
    uint8_t bytes[1 + 1 + TVL_CID_MAX];
    size_t len;
};

static struct aad aad_of(uint8_t kind, const struct tvl_cid *retry_scid)
{
    struct aad a;
    struct tvl_wr w = tvl_wr_over(a.bytes, sizeof a.bytes);

    tvl_wr_u8(&w, kind);
    if (kind == TVL_TOKEN_RETRY) {
        tvl_wr_u8(&w, retry_scid->len);
        tvl_wr_bytes(&w, retry_scid->b, retry_scid->len);
    }
    a.len = (size_t)(w.p - a.bytes);
    return a;
}

/* tvl_seal takes its nonce in two parts. */
static uint32_t nonce_high(const uint8_t *nonce)
{
    struct tvl_rd rd = tvl_rd_over(nonce, 4);

    return tvl_rd_u32(&rd);
}

static uint64_t nonce_low(const uint8_t *nonce)
{
    struct tvl_rd rd = tvl_rd_over(nonce + 4, 8);

    return tvl_rd_u64(&rd);
}

/* The address that the token holds for; false: of a family that has none. */
static bool write_address(struct tvl_wr *w, const struct sockaddr_storage *remote, bool port)
{
    const struct sockaddr_in *in = (const void *)remote;
    const struct sockaddr_in6 *in6 = (const void *)remote;

    if (remote->ss_family == AF_INET) {
        tvl_wr_u8(w, 4);
        tvl_wr_bytes(w, (const uint8_t *)&in->sin_addr, 4);
        tvl_wr_bytes(w, (const uint8_t *)&in->sin_port, port ? 2 : 0);
        return true;
    }
    tvl_wr_u8(w, 6);
    tvl_wr_bytes(w, (const uint8_t *)&in6->sin6_addr, 16);
    tvl_wr_bytes(w, (const uint8_t *)&in6->sin6_port, port ? 2 : 0);
    return remote->ss_family == AF_INET6;
}

size_t tvl_token_seal(struct tvl_keys *k, const struct tvl_token *t,
                      const uint8_t nonce[TVL_TOKEN_NONCE_SIZE], uint8_t out[TVL_TOKEN_SIZE_MAX])
{
    const bool retry = t->kind == TVL_TOKEN_RETRY;
    const struct aad aad = aad_of((uint8_t)t->kind, &t->retry_scid);
    struct tvl_wr w = tvl_wr_over(out, TVL_TOKEN_SIZE_MAX - TVL_TAG_SIZE);

    tvl_wr_u8(&w, (uint8_t)t->kind);
    tvl_wr_bytes(&w, nonce, TVL_TOKEN_NONCE_SIZE);
    uint8_t *sealed = w.p;
    tvl_wr_u64(&w, t->issued_at);
    if (!write_address(&w, &t->remote, retry))
        return 0;
    if (retry)
        tvl_wr_bytes(&w, t->original_dcid.b, t->original_dcid.len);
    if (w.full)
        return 0;
    const int len = tvl_seal(k, nonce_high(nonce), nonce_low(nonce), aad.bytes, aad.len, sealed,
                             (size_t)(w.p - sealed));

    return len < 0 ? 0 : (size_t)(sealed - out) + (size_t)len;
}

static bool in_time(const struct tvl_token *t, tvl_time now)
{
    const tvl_time life =
        t->kind == TVL_TOKEN_RETRY ? TVL_TOKEN_RETRY_LIFE : TVL_TOKEN_ADDRESS_LIFE;

    return t->issued_at <= now ? now - t->issued_at <= life
                               : t->issued_at - now <= TVL_TOKEN_CLOCK_SKEW;
}

/* The sealed part against what is claimed. */
static bool read_plain(const uint8_t *plain, size_t len, const struct tvl_token_claim *claim,
                       struct tvl_token *t)
{
    const bool retry = t->kind == TVL_TOKEN_RETRY;
    uint8_t expected[1 + 16 + 2];
    struct tvl_wr w = tvl_wr_over(expected, sizeof expected);
    struct tvl_rd rd = tvl_rd_over(plain, len);

    if (!write_address(&w, claim->remote, retry))
        return false;
    t->issued_at = tvl_rd_u64(&rd);
    const size_t address_len = (size_t)(w.p - expected);
    const uint8_t *address = tvl_rd_bytes(&rd, address_len);
    if (!address || memcmp(address, expected, address_len) != 0)
        return false;
    if (tvl_rd_left(&rd) > TVL_CID_MAX || (!retry && tvl_rd_left(&rd) > 0))
        return false;
    t->original_dcid = tvl_cid_from(rd.p, tvl_rd_left(&rd));
    return in_time(t, claim->now);
}

enum tvl_token_verdict tvl_token_open(struct tvl_keys *k, const struct tvl_token_claim *claim,
                                      struct tvl_token *out)
{
    uint8_t plain[TVL_TOKEN_SIZE_MAX];

    if (claim->len == 0)
        return TVL_TOKEN_NONE;
    const uint8_t kind = claim->bytes[0];
    const bool retry = kind == TVL_TOKEN_RETRY;
    const enum tvl_token_verdict bad = retry ? TVL_TOKEN_BAD : TVL_TOKEN_NONE;
    const size_t head = 1 + TVL_TOKEN_NONCE_SIZE;

    if ((!retry && kind != TVL_TOKEN_ADDRESS) || claim->len < AROUND ||
        claim->len > TVL_TOKEN_SIZE_MAX)
        return bad;
    const uint8_t *nonce = claim->bytes + 1;
    const struct aad aad = aad_of(kind, claim->dcid);
    struct tvl_token t = { .kind = (enum tvl_token_kind)kind,
                           .remote = *claim->remote,
                           .retry_scid = *claim->dcid };

    memcpy(plain, claim->bytes + head, claim->len - head);
    const int len = tvl_open(k, nonce_high(nonce), nonce_low(nonce), aad.bytes, aad.len, plain,
                             claim->len - head);
    if (len < 0 || !read_plain(plain, (size_t)len, claim, &t))
        return bad;
    *out = t;
    return TVL_TOKEN_PROOF;
}
