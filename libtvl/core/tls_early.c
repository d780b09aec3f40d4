/*
 * tls_early.c - the client's handshake write secret at ServerHello.
 *
 * OpenSSL 3.0 installs, and logs, this secret only when it builds its own first Handshake message,
 * after the server's whole flight. QUIC wants it at once, to acknowledge Handshake packets. All
 * that the key schedule (RFC 8446 7.1) needs can be had through public calls: the two key shares,
 * the PSK of a resumed session, and the transcript as the message callback showed it.
 *
 *     PSK or 0 -> extract -> derived -> extract(ECDHE) -> s hs traffic   must equal what was logged
 *                                                      -> c hs traffic   the result
 *
 * The first is the proof that the second is right; without it nothing is given out.
 */
#include "tls_internal.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include "hkdf.h"

#define TRANSCRIPT_MAX \
    65536                /* two ClientHellos, HelloRetryRequest, ServerHello: mostly below 2000 */
#define MESSAGE_HEADER 4 /* type and 24-bit length, RFC 8446 4 */
#define HASH_MAX 64
#define SHARED_MAX 128 /* P-521 has 66 */

/* RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest. */
static const uint8_t retry_random[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                          0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                          0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                          0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c };

static bool is_retry(const uint8_t *message, size_t len)
{
    const size_t at = MESSAGE_HEADER + 2; /* after legacy_version */

    return len >= at + sizeof retry_random && message[0] == SSL3_MT_SERVER_HELLO &&
           memcmp(message + at, retry_random, sizeof retry_random) == 0;
}

void tvl_transcript_add(struct tvl_transcript *t, const uint8_t *message, size_t len)
{
    uint8_t *grown;

    if (t->complete || t->lost || len < MESSAGE_HEADER)
        return;
    grown = len <= TRANSCRIPT_MAX - t->len ? realloc(t->bytes, t->len + len) : NULL;
    if (!grown) {
        t->lost = true;
        return;
    }
    t->bytes = grown;
    memcpy(t->bytes + t->len, message, len);
    t->len += len;
    t->complete = message[0] == SSL3_MT_SERVER_HELLO && !is_retry(message, len);
}

void tvl_transcript_fini(struct tvl_transcript *t)
{
    free(t->bytes);
    memset(t, 0, sizeof *t);
}

/* Bytes of the message at the transcript's start, with its header; never beyond the end. */
static size_t first_message_len(const struct tvl_transcript *t)
{
    const uint8_t *b = t->bytes;
    size_t len = MESSAGE_HEADER + ((size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3]);

    return len < t->len ? len : t->len;
}

/* RFC 8446 4.4.1: after a HelloRetryRequest, a hash stands for the first ClientHello. */
static bool transcript_hash(const struct tvl_transcript *t, const EVP_MD *md, uint8_t *out)
{
    size_t first = first_message_len(t), from = 0;
    uint8_t hash[HASH_MAX];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1;

    if (ok && is_retry(t->bytes + first, t->len - first)) {
        const uint8_t header[MESSAGE_HEADER] = { SSL3_MT_MESSAGE_HASH, 0, 0,
                                                 (uint8_t)EVP_MD_get_size(md) };

        ok = EVP_Digest(t->bytes, first, hash, NULL, md, NULL) == 1 &&
             EVP_DigestUpdate(ctx, header, sizeof header) == 1 &&
             EVP_DigestUpdate(ctx, hash, (size_t)EVP_MD_get_size(md)) == 1;
        from = first;
    }
    ok = ok && EVP_DigestUpdate(ctx, t->bytes + from, t->len - from) == 1 &&
         EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool key_exchange(SSL *ssl, uint8_t *out, size_t *len)
{
    EVP_PKEY *mine = NULL, *peer = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    bool ok = SSL_get_tmp_key(ssl, &mine) && SSL_get_peer_tmp_key(ssl, &peer) &&
              (ctx = EVP_PKEY_CTX_new(mine, NULL)) && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, len) == 1;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(mine);
    return ok;
}

/* The handshake secret of RFC 8446 7.1. */
static bool handshake_secret(SSL *ssl, const EVP_MD *md, uint8_t *out)
{
    static const uint8_t zeros[HASH_MAX];
    const size_t hash_len = (size_t)EVP_MD_get_size(md);
    const struct tvl_slice salt = { zeros, hash_len };
    uint8_t psk[HASH_MAX] = { 0 }, shared[SHARED_MAX];
    uint8_t early[HASH_MAX], derived[HASH_MAX], empty[HASH_MAX];
    size_t psk_len = hash_len, shared_len = sizeof shared;
    bool ok;

    if (SSL_session_reused(ssl))
        psk_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), psk, sizeof psk);
    ok = key_exchange(ssl, shared, &shared_len) && EVP_Digest("", 0, empty, NULL, md, NULL) == 1 &&
         !tvl_hkdf_extract(md, salt, (struct tvl_slice){ psk, psk_len }, early) &&
         !tvl_hkdf_expand_label(md, (struct tvl_slice){ early, hash_len }, "derived",
                                (struct tvl_slice){ empty, hash_len }, derived, hash_len) &&
         !tvl_hkdf_extract(md, (struct tvl_slice){ derived, hash_len },
                           (struct tvl_slice){ shared, shared_len }, out);
    OPENSSL_cleanse(psk, sizeof psk);
    OPENSSL_cleanse(shared, sizeof shared);
    OPENSSL_cleanse(early, sizeof early);
    OPENSSL_cleanse(derived, sizeof derived);
    return ok;
}

bool tvl_tls_early_secret(SSL *ssl, const struct tvl_transcript *t, const uint8_t *server,
                          size_t len, uint8_t *out)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const EVP_MD *md;
    uint8_t secret[HASH_MAX], hash[HASH_MAX], check[HASH_MAX];
    struct tvl_slice from = { secret, len }, context = { hash, len };
    bool ok;

    if (!cipher)
        cipher = SSL_get_pending_cipher(ssl);
    md = cipher ? SSL_CIPHER_get_handshake_digest(cipher) : NULL;
    if (!md || len != (size_t)EVP_MD_get_size(md) || len > HASH_MAX || !t->complete || t->lost)
        return false;
    ok = handshake_secret(ssl, md, secret) && transcript_hash(t, md, hash) &&
         !tvl_hkdf_expand_label(md, from, "s hs traffic", context, check, len) &&
         CRYPTO_memcmp(check, server, len) == 0 &&
         !tvl_hkdf_expand_label(md, from, "c hs traffic", context, out, len);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(check, sizeof check);
    ERR_clear_error(); /* an attempt that failed must not look like the handshake's failure */
    return ok;
}
