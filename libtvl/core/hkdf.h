/*
 * hkdf.h - HKDF (RFC 5869) with TLS 1.3's labels (RFC 8446 7.1).
 *
 * Results are 0, or TVL_ERR_NOMEM: with the arguments in range nothing else can fail.
 */
#ifndef TVL_CORE_HKDF_H
#define TVL_CORE_HKDF_H

#include <stddef.h>
#include <stdint.h>

struct evp_md_st;

struct tvl_slice {
    const uint8_t *bytes;
    size_t len;
};

/* `out` gets as many bytes as a hash of `md`. */
int tvl_hkdf_extract(const struct evp_md_st *md, struct tvl_slice salt, struct tvl_slice secret,
                     uint8_t *out);

/*
 * HKDF-Expand-Label: `label` without its "tls13 " prefix, at most 32 bytes; `context` at most 64;
 * out_len at most 255 times the hash.
 */
int tvl_hkdf_expand_label(const struct evp_md_st *md, struct tvl_slice secret, const char *label,
                          struct tvl_slice context, uint8_t *out, size_t out_len);

#endif
