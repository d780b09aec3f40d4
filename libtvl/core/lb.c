/* lb.c - see lb.h. */
#include "lb.h"

#include <string.h>
#include <openssl/evp.h>

#define BLOCK 16
#define HALF_MAX 10 /* bytes of half a plaintext, rounded up */
#define ROUNDS 4

bool tvl_lb_valid(const struct tvl_lb_config *lb)
{
    if (lb->server_id_len == 0)
        return true;
    return lb->config_id < TVL_LB_CONFIGS && lb->server_id_len <= TVL_SERVER_ID_MAX &&
           lb->nonce_len >= 4 && lb->nonce_len <= TVL_LB_NONCE_MAX &&
           1 + lb->server_id_len + lb->nonce_len <= TVL_CID_MAX;
}

size_t tvl_lb_cid_len(const struct tvl_lb_config *lb)
{
    return 1u + lb->server_id_len + lb->nonce_len;
}

/* ---- AES-128-ECB of one block ---- */

static int aes(const uint8_t key[16], const uint8_t in[BLOCK], uint8_t out[BLOCK], int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    const bool ok = ctx &&
                    EVP_CipherInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL, encrypt) == 1 &&
                    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
                    EVP_CipherUpdate(ctx, out, &n, in, BLOCK) == 1 && n == BLOCK;

    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : TVL_ERR_NOMEM;
}

/* ---- four rounds, draft-ietf-quic-load-balancers 5.4.2 ---- */

struct halves {
    uint8_t left[HALF_MAX], right[HALF_MAX];
    size_t whole; /* bytes of the plaintext */
    size_t half;  /* rounded up: of an odd number, the middle byte belongs to both */
};

static struct halves split(const uint8_t *text, size_t len)
{
    struct halves h = { .whole = len, .half = (len + 1) / 2 };

    memcpy(h.left, text, h.half);
    memcpy(h.right, text + len - h.half, h.half);
    if (len % 2) {
        h.left[h.half - 1] &= 0xf0;
        h.right[0] &= 0x0f;
    }
    return h;
}

static void join(const struct halves *h, uint8_t *text)
{
    const uint8_t middle = h->whole % 2 ? h->left[h->half - 1] : 0;

    memcpy(text, h->left, h->half);
    memcpy(text + h->whole - h->half, h->right, h->half);
    text[h->whole - h->half] |= middle;
}

/* Round `pass`: odd ones change the right half by the left, even ones the left by the right. Each
 * is its own inverse. */
static int feistel(struct halves *h, const uint8_t key[16], uint8_t pass)
{
    const uint8_t *from = pass % 2 ? h->left : h->right;
    uint8_t *to = pass % 2 ? h->right : h->left;
    uint8_t block[BLOCK] = { 0 }, mask[BLOCK];

    memcpy(block, from, h->half);
    block[BLOCK - 2] = (uint8_t)h->whole;
    block[BLOCK - 1] = pass;
    const int r = aes(key, block, mask, 1);
    if (r != 0)
        return r;
    for (size_t i = 0; i < h->half && i < HALF_MAX; i++)
        to[i] ^= mask[i];
    if (h->whole % 2 && pass % 2)
        to[0] &= 0x0f;
    else if (h->whole % 2)
        to[h->half - 1] &= 0xf0;
    return 0;
}

static int encrypt(uint8_t *text, size_t len, const uint8_t key[16])
{
    struct halves h;
    uint8_t block[BLOCK];

    if (len == BLOCK) {
        memcpy(block, text, BLOCK);
        return aes(key, block, text, 1);
    }
    h = split(text, len);
    for (uint8_t pass = 1; pass <= ROUNDS; pass++)
        if (feistel(&h, key, pass) != 0)
            return TVL_ERR_NOMEM;
    join(&h, text);
    return 0;
}

static int decrypt(uint8_t *text, size_t len, const uint8_t key[16])
{
    struct halves h;
    uint8_t block[BLOCK];

    if (len == BLOCK) {
        memcpy(block, text, BLOCK);
        return aes(key, block, text, 0);
    }
    h = split(text, len);
    for (uint8_t pass = ROUNDS; pass >= 1; pass--)
        if (feistel(&h, key, pass) != 0)
            return TVL_ERR_NOMEM;
    join(&h, text);
    return 0;
}

/* ---- both ways ---- */

int tvl_lb_encode(const struct tvl_lb_config *lb, uint8_t low, const uint8_t *nonce,
                  struct tvl_cid *out)
{
    *out = (struct tvl_cid){ .len = (uint8_t)tvl_lb_cid_len(lb) };
    out->b[0] = (uint8_t)(lb->config_id << 5 | (low & 0x1f));
    memcpy(out->b + 1, lb->server_id, lb->server_id_len);
    memcpy(out->b + 1 + lb->server_id_len, nonce, lb->nonce_len);
    return lb->encrypted ? encrypt(out->b + 1, out->len - 1u, lb->key) : 0;
}

int tvl_lb_decode(const struct tvl_lb_config *lb, const uint8_t *cid, size_t len,
                  uint8_t server_id[TVL_SERVER_ID_MAX])
{
    uint8_t text[TVL_CID_MAX];

    if (lb->server_id_len == 0 || !tvl_lb_valid(lb))
        return TVL_ERR_ARG;
    const size_t need = tvl_lb_cid_len(lb);
    if (len < need || cid[0] >> 5 != lb->config_id)
        return TVL_ERR_PACKET;
    memcpy(text, cid + 1, need - 1);
    if (lb->encrypted && decrypt(text, need - 1, lb->key) != 0)
        return TVL_ERR_NOMEM;
    memcpy(server_id, text, lb->server_id_len);
    return lb->server_id_len;
}
