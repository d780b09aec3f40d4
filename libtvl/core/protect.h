/*
 * protect.h - packet protection of QUIC version 1 (RFC 9001 5, 6) and of its multipath extension.
 *
 * Turns traffic secrets into keys, seals and opens payloads in place, makes header protection masks
 * and Retry tags. It knows nothing of packet numbers' encoding, of key phases or of connections:
 * the caller says which key, which path, which packet number.
 *
 * Results are 0 or a count, or a negative enum tvl_error. Not thread-safe per struct tvl_keys: even
 * sealing re-initialises the cipher context within.
 */
#ifndef TVL_CORE_PROTECT_H
#define TVL_CORE_PROTECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Encryption levels in the order of OpenSSL 3.5's OSSL_RECORD_PROTECTION_LEVEL_*. */
enum tvl_level { TVL_LEVEL_INITIAL, TVL_LEVEL_EARLY, TVL_LEVEL_HANDSHAKE, TVL_LEVEL_APP };
#define TVL_LEVELS 4

/* TLS 1.3 cipher suites that QUIC may use here (RFC 8446 B.4); Initial packets use the first. */
enum tvl_suite {
    TVL_SUITE_AES_128_GCM = 0x1301,
    TVL_SUITE_AES_256_GCM = 0x1302,
    TVL_SUITE_CHACHA20_POLY1305 = 0x1303,
};

#define TVL_TAG_SIZE 16    /* AEAD tag, all suites */
#define TVL_NONCE_SIZE 12  /* all suites; what multipath demands */
#define TVL_SECRET_MAX 48  /* bytes of a traffic secret (SHA-384) */
#define TVL_SAMPLE_SIZE 16 /* header protection sample, RFC 9001 5.4.2 */
#define TVL_MASK_SIZE 5

struct evp_cipher_ctx_st;

/*
 * Keys for one direction of one level. All zero is "no keys"; only the functions below look inside.
 * Do not copy by assignment: it owns its contexts. Moving (assign, then zero the source) is fine.
 */
struct tvl_keys {
    struct evp_cipher_ctx_st *aead;
    struct evp_cipher_ctx_st *mask;
    uint8_t iv[TVL_NONCE_SIZE];
    uint8_t secret[TVL_SECRET_MAX]; /* kept for tvl_keys_next() */
    uint8_t mask_key[32];           /* survives key updates, RFC 9001 6 */
    uint16_t suite;
    uint8_t secret_len;
};

/*
 * Initial keys from the Destination Connection ID of the client's first Initial packet, 0 to 20
 * bytes (RFC 9001 5.2). Both are written only on success; any former keys in them are lost, so give
 * zeroed or finished structs. TVL_ERR_ARG: len; TVL_ERR_NOMEM.
 */
int tvl_keys_initial(struct tvl_keys *client, struct tvl_keys *server, const uint8_t *dcid,
                     size_t len);

/*
 * Keys from a TLS traffic secret (RFC 9001 5.1). `k` must be zeroed or finished; unchanged on
 * failure. TVL_ERR_ARG: unknown suite or a secret of the wrong length; TVL_ERR_NOMEM.
 */
int tvl_keys_from_secret(struct tvl_keys *k, uint16_t suite, const uint8_t *secret, size_t n);

/*
 * The same secret's keys for TLS records (RFC 8446 7.3): tvl_seal() with path 0 and the record's
 * sequence number then makes a record's body. No header protection, no next phase.
 */
int tvl_keys_for_records(struct tvl_keys *k, uint16_t suite, const uint8_t *secret, size_t n);

/*
 * The keys of the next key phase (RFC 9001 6.1); header protection stays as in `k`. `next` must be
 * zeroed or finished, and not `k`.
 */
int tvl_keys_next(struct tvl_keys *next, const struct tvl_keys *k);

/* Wipes and zeroes. Legal on zeroed keys and on NULL. */
void tvl_keys_fini(struct tvl_keys *k);

bool tvl_keys_present(const struct tvl_keys *k);

/*
 * Packets that may be sealed under one key, and forged packets that may be received over all keys
 * of a connection, before it must be updated or closed (RFC 9001 6.6). UINT64_MAX: the packet
 * number space ends first. 0 without keys.
 */
uint64_t tvl_keys_seal_limit(const struct tvl_keys *k);
uint64_t tvl_keys_open_limit(const struct tvl_keys *k);

/*
 * draft-ietf-quic-multipath "Nonce Calculation": iv xor (path_id as 32 bits | packet number as 64
 * bits), network order. Path 0 gives RFC 9001 5.3's nonce.
 */
void tvl_nonce(uint8_t out[TVL_NONCE_SIZE], const uint8_t iv[TVL_NONCE_SIZE], uint32_t path_id,
               uint64_t pn);

/*
 * Encrypt payload[0, len) in place and append the tag, so payload has room for len + TVL_TAG_SIZE.
 * `header` is the packet from its first byte to the end of the packet number, before header
 * protection. Result: len + TVL_TAG_SIZE. TVL_ERR_ARG: no keys, or a length above 65535.
 */
int tvl_seal(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
             size_t header_len, uint8_t *payload, size_t len);

/* The same where the last bytes of the payload lie elsewhere: they are encrypted to behind the
 * others. */
struct tvl_plain {
    const uint8_t *header;
    size_t header_len;
    uint8_t *payload; /* room for len + tail_len + TVL_TAG_SIZE */
    size_t len;       /* of what is in place */
    const uint8_t *tail;
    size_t tail_len; /* [0, 65535 - len] */
};
int tvl_seal_parts(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const struct tvl_plain *p);

/*
 * Decrypt payload[0, len), tag included, in place. Result: bytes of plaintext. TVL_ERR_PACKET:
 * forged or damaged, and payload is scratch; TVL_ERR_ARG as above.
 */
int tvl_open(struct tvl_keys *k, uint32_t path_id, uint64_t pn, const uint8_t *header,
             size_t header_len, uint8_t *payload, size_t len);

/* RFC 9001 5.4. TVL_ERR_ARG without keys. */
int tvl_header_mask(struct tvl_keys *k, const uint8_t sample[TVL_SAMPLE_SIZE],
                    uint8_t mask[TVL_MASK_SIZE]);

/*
 * The same for up to TVL_MASKS_MAX samples at once, much cheaper: each block holds a sample and
 * then begins with its mask.
 */
#define TVL_MASKS_MAX 64
int tvl_header_masks(struct tvl_keys *k, uint8_t (*block)[TVL_SAMPLE_SIZE], size_t n);

/*
 * Retry Integrity Tag (RFC 9001 5.8) over `retry`, the Retry packet without its tag, sent in answer
 * to the connection ID `odcid` (0 to 20 bytes). Compare with tvl_same().
 */
int tvl_retry_tag(uint8_t tag[TVL_TAG_SIZE], const uint8_t *odcid, size_t odcid_len,
                  const uint8_t *retry, size_t retry_len);

/* Constant-time comparison, for tags and tokens. */
bool tvl_same(const uint8_t *a, const uint8_t *b, size_t len);

#endif
