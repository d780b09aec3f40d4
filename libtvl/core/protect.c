/*
 * protect.c - packet protection on OpenSSL's EVP interface. See protect.h.
 *
 * A cipher context is keyed once; each packet only sets its nonce, so that the key schedule and the
 * algorithm look-up stay out of the data path.
 */
#include "protect.h"

#include <assert.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <tvl/tvl.h>
#include "hkdf.h"

#define CID_MAX 20            /* RFC 9000 17.2 */
#define LENGTH_MAX UINT16_MAX /* no packet or record is longer */
#define KEY_MAX 32
#define STRIDE 96 /* bytes OpenSSL's AES-GCM takes at once: six blocks */

struct suite {
    uint16_t id;
    uint8_t key_len, secret_len;
    const EVP_CIPHER *(*aead)(void);
    const EVP_CIPHER *(*mask)(void);
    const EVP_MD *(*md)(void);
    uint64_t seal_limit, open_limit; /* RFC 9001 6.6 */
};

static const struct suite suites[] = {
    { TVL_SUITE_AES_128_GCM, 16, 32, EVP_aes_128_gcm, EVP_aes_128_ecb, EVP_sha256, 1ull << 23,
      1ull << 52 },
    { TVL_SUITE_AES_256_GCM, 32, 48, EVP_aes_256_gcm, EVP_aes_256_ecb, EVP_sha384, 1ull << 23,
      1ull << 52 },
    { TVL_SUITE_CHACHA20_POLY1305, 32, 32, EVP_chacha20_poly1305, EVP_chacha20, EVP_sha256,
      UINT64_MAX, 1ull << 36 },
};

static const struct suite *suite_find(uint16_t id)
{
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        if (suites[i].id == id)
            return &suites[i];
    return NULL;
}

/* A context with its key set; the IV comes with each use. */
static EVP_CIPHER_CTX *keyed(const EVP_CIPHER *cipher, const uint8_t *key)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx && EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

struct labels {
    const char *key, *iv;
};
static const struct labels quic_labels = { "quic key", "quic iv" };
static const struct labels record_labels = { "key", "iv" };

static int expand(const struct suite *s, const struct tvl_keys *k, const char *label, uint8_t *out,
                  size_t len)
{
    return tvl_hkdf_expand_label(s->md(), (struct tvl_slice){ k->secret, k->secret_len }, label,
                                 (struct tvl_slice){ NULL, 0 }, out, len);
}

/* Secret, AEAD and iv, without header protection. On failure `k` is zero. */
static int set_payload_keys(struct tvl_keys *k, const struct suite *s, const struct labels *labels,
                            const uint8_t *secret)
{
    uint8_t key[KEY_MAX];
    int err;

    memset(k, 0, sizeof *k);
    k->suite = s->id;
    k->secret_len = s->secret_len;
    memcpy(k->secret, secret, s->secret_len);
    err = expand(s, k, labels->key, key, s->key_len);
    if (!err)
        err = expand(s, k, labels->iv, k->iv, sizeof k->iv);
    if (!err && !(k->aead = keyed(s->aead(), key)))
        err = TVL_ERR_NOMEM;
    OPENSSL_cleanse(key, sizeof key);
    if (err)
        tvl_keys_fini(k);
    return err;
}

static int set_mask_key(struct tvl_keys *k, const struct suite *s)
{
    k->mask = keyed(s->mask(), k->mask_key);
    return k->mask ? 0 : TVL_ERR_NOMEM;
}

/* The suite for a secret of `n` bytes, or NULL. */
static const struct suite *suite_for_secret(uint16_t id, size_t n)
{
    const struct suite *s = suite_find(id);

    return s && n == s->secret_len ? s : NULL;
}

int tvl_keys_from_secret(struct tvl_keys *k, uint16_t suite, const uint8_t *secret, size_t n)
{
    const struct suite *s = suite_for_secret(suite, n);
    struct tvl_keys fresh;
    int err;

    if (!s)
        return TVL_ERR_ARG;
    err = set_payload_keys(&fresh, s, &quic_labels, secret);
    if (err)
        return err;
    err = expand(s, &fresh, "quic hp", fresh.mask_key, s->key_len);
    if (!err)
        err = set_mask_key(&fresh, s);
    if (err) {
        tvl_keys_fini(&fresh);
        return err;
    }
    *k = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

int tvl_keys_for_records(struct tvl_keys *k, uint16_t suite, const uint8_t *secret, size_t n)
{
    const struct suite *s = suite_for_secret(suite, n);
    struct tvl_keys fresh;
    int err;

    if (!s)
        return TVL_ERR_ARG;
    err = set_payload_keys(&fresh, s, &record_labels, secret);
    if (!err)
        *k = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return err;
}

int tvl_keys_next(struct tvl_keys *next, const struct tvl_keys *k)
{
    const struct suite *s = suite_find(k->suite);
    uint8_t secret[TVL_SECRET_MAX];
    struct tvl_keys fresh;
    int err;

    assert(next != k);
    if (!s || !k->mask)
        return TVL_ERR_ARG;
    err = expand(s, k, "quic ku", secret, s->secret_len);
    if (!err)
        err = set_payload_keys(&fresh, s, &quic_labels, secret);
    OPENSSL_cleanse(secret, sizeof secret);
    if (err)
        return err;
    memcpy(fresh.mask_key, k->mask_key, sizeof fresh.mask_key);
    err = set_mask_key(&fresh, s);
    if (err) {
        tvl_keys_fini(&fresh);
        return err;
    }
    *next = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

int tvl_keys_initial(struct tvl_keys *client, struct tvl_keys *server, const uint8_t *dcid,
                     size_t len)
{
    static const uint8_t salt[20] = { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a };
    static const struct tvl_slice none = { NULL, 0 };
    const EVP_MD *md = EVP_sha256();
    uint8_t initial[32], secret[32];
    struct tvl_slice from = { initial, sizeof initial };
    struct tvl_keys mine;
    int err;

    if (len > CID_MAX)
        return TVL_ERR_ARG;
    memset(&mine, 0, sizeof mine);
    /* OpenSSL tells an absent key from an empty one, so an empty ID still needs an address. */
    err = tvl_hkdf_extract(md, (struct tvl_slice){ salt, sizeof salt },
                           (struct tvl_slice){ len ? dcid : salt, len }, initial);
    if (!err)
        err = tvl_hkdf_expand_label(md, from, "client in", none, secret, sizeof secret);
    if (!err)
        err = tvl_keys_from_secret(&mine, TVL_SUITE_AES_128_GCM, secret, sizeof secret);
    if (!err)
        err = tvl_hkdf_expand_label(md, from, "server in", none, secret, sizeof secret);
    if (!err)
        err = tvl_keys_from_secret(server, TVL_SUITE_AES_128_GCM, secret, sizeof secret);
    if (err) {
        tvl_keys_fini(&mine);
        return err;
    }
    *client = mine;
    return 0;
}

void tvl_keys_fini(struct tvl_keys *k)
{
    if (!k)
        return;
    EVP_CIPHER_CTX_free(k->aead);
    EVP_CIPHER_CTX_free(k->mask);
    OPENSSL_cleanse(k, sizeof *k); /* leaves zeros */
}

bool tvl_keys_present(const struct tvl_keys *k)
{
    return k->aead != NULL;
}

uint64_t tvl_keys_seal_limit(const struct tvl_keys *k)
{
    const struct suite *s = suite_find(k->suite);

    return s ? s->seal_limit : 0;
}

uint64_t tvl_keys_open_limit(const struct tvl_keys *k)
{
    const struct suite *s = suite_find(k->suite);

    return s ? s->open_limit : 0;
}

void tvl_nonce(uint8_t out[TVL_NONCE_SIZE], const uint8_t iv[TVL_NONCE_SIZE], uint32_t path_id,
               uint64_t pn)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(iv[i] ^ (path_id >> (24 - 8 * i)));
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(iv[4 + i] ^ (pn >> (56 - 8 * i)));
}

int tvl_seal_parts(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const struct tvl_plain *p)
{
    uint8_t nonce[TVL_NONCE_SIZE];
    const size_t len = p->len + p->tail_len;
    /* a part that ends within a stride makes the next one slow: fill it up */
    const size_t odd = (STRIDE - p->len % STRIDE) % STRIDE;
    const size_t fill = odd < p->tail_len ? odd : p->tail_len;
    const size_t first = p->len + fill;
    int n = 0;

    if (!k->aead || p->header_len > LENGTH_MAX || len > LENGTH_MAX)
        return TVL_ERR_ARG;
    tvl_nonce(nonce, k->iv, path_id, pn);
    if (fill > 0)
        memcpy(p->payload + p->len, p->tail, fill);
    if (EVP_EncryptInit_ex(k->aead, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(k->aead, NULL, &n, p->header, (int)p->header_len) != 1 ||
        (first && EVP_EncryptUpdate(k->aead, p->payload, &n, p->payload, (int)first) != 1) ||
        (len > first && EVP_EncryptUpdate(k->aead, p->payload + first, &n, p->tail + fill,
                                          (int)(len - first)) != 1) ||
        EVP_EncryptFinal_ex(k->aead, p->payload + len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(k->aead, EVP_CTRL_AEAD_GET_TAG, TVL_TAG_SIZE, p->payload + len) != 1)
        return TVL_ERR_NOMEM;
    return (int)len + TVL_TAG_SIZE;
}

int tvl_seal(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
             size_t header_len, uint8_t *payload, size_t len)
{
    const struct tvl_plain p = {
        .header = header, .header_len = header_len, .payload = payload, .len = len
    };

    return tvl_seal_parts(k, path_id, pn, &p);
}

int tvl_open(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
             size_t header_len, uint8_t *payload, size_t len)
{
    uint8_t nonce[TVL_NONCE_SIZE];
    int n = 0, text_len;

    if (!k->aead || header_len > LENGTH_MAX || len > LENGTH_MAX)
        return TVL_ERR_ARG;
    if (len < TVL_TAG_SIZE)
        return TVL_ERR_PACKET;
    text_len = (int)len - TVL_TAG_SIZE;
    tvl_nonce(nonce, k->iv, path_id, pn);
    if (EVP_DecryptInit_ex(k->aead, NULL, NULL, NULL, nonce) != 1 ||
        EVP_CIPHER_CTX_ctrl(k->aead, EVP_CTRL_AEAD_SET_TAG, TVL_TAG_SIZE, payload + text_len) !=
            1 ||
        EVP_DecryptUpdate(k->aead, NULL, &n, header, (int)header_len) != 1 ||
        (text_len && EVP_DecryptUpdate(k->aead, payload, &n, payload, text_len) != 1) ||
        EVP_DecryptFinal_ex(k->aead, payload + text_len, &n) != 1)
        return TVL_ERR_PACKET;
    return text_len;
}

int tvl_header_mask(struct tvl_keys *k, const uint8_t sample[TVL_SAMPLE_SIZE],
                    uint8_t mask[TVL_MASK_SIZE])
{
    static const uint8_t zeros[TVL_MASK_SIZE];
    uint8_t block[TVL_SAMPLE_SIZE];
    int n = 0;

    if (!k->mask)
        return TVL_ERR_ARG;
    if (k->suite == TVL_SUITE_CHACHA20_POLY1305) {
        /* RFC 9001 5.4.4's counter and nonce are, in this order, OpenSSL's 16-byte IV. */
        if (EVP_EncryptInit_ex(k->mask, NULL, NULL, NULL, sample) != 1 ||
            EVP_EncryptUpdate(k->mask, mask, &n, zeros, TVL_MASK_SIZE) != 1)
            return TVL_ERR_NOMEM;
        return 0;
    }
    if (EVP_EncryptUpdate(k->mask, block, &n, sample, TVL_SAMPLE_SIZE) != 1)
        return TVL_ERR_NOMEM;
    memcpy(mask, block, TVL_MASK_SIZE);
    return 0;
}

int tvl_header_masks(struct tvl_keys *k, uint8_t (*block)[TVL_SAMPLE_SIZE], size_t n)
{
    int len = 0;

    if (!k->mask || n > TVL_MASKS_MAX)
        return TVL_ERR_ARG;
    if (k->suite == TVL_SUITE_CHACHA20_POLY1305) {
        for (size_t i = 0; i < n; i++) {
            uint8_t mask[TVL_MASK_SIZE];

            if (tvl_header_mask(k, block[i], mask) != 0)
                return TVL_ERR_NOMEM;
            memcpy(block[i], mask, sizeof mask);
        }
        return 0;
    }
    return EVP_EncryptUpdate(k->mask, block[0], &len, block[0], (int)n * TVL_SAMPLE_SIZE) == 1
               ? 0
               : TVL_ERR_NOMEM;
}

int tvl_retry_tag(uint8_t tag[TVL_TAG_SIZE], const uint8_t *odcid, size_t odcid_len,
                  const uint8_t *retry, size_t retry_len)
{
    static const uint8_t key[16] = { 0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a,
                                     0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68, 0xc8, 0x4e };
    static const uint8_t nonce[TVL_NONCE_SIZE] = { 0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63,
                                                   0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb };
    uint8_t pseudo[1 + CID_MAX];
    EVP_CIPHER_CTX *ctx;
    int n = 0, ok;

    if (odcid_len > CID_MAX || retry_len > LENGTH_MAX)
        return TVL_ERR_ARG;
    pseudo[0] = (uint8_t)odcid_len;
    if (odcid_len)
        memcpy(pseudo + 1, odcid, odcid_len);
    ctx = keyed(EVP_aes_128_gcm(), key);
    ok = ctx && EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
         EVP_EncryptUpdate(ctx, NULL, &n, pseudo, (int)odcid_len + 1) == 1 &&
         EVP_EncryptUpdate(ctx, NULL, &n, retry, (int)retry_len) == 1 &&
         EVP_EncryptFinal_ex(ctx, tag, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TVL_TAG_SIZE, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : TVL_ERR_NOMEM;
}

bool tvl_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
