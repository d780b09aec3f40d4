/*
 * hkdf.c - HKDF-Extract and HKDF-Expand-Label on OpenSSL's HKDF. See hkdf.h.
 */
#include "hkdf.h"

#include <assert.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <tvl/tvl.h>

#define LABEL_MAX 32
#define CONTEXT_MAX 64

struct hkdf_step {
    int mode;          /* EVP_KDF_HKDF_MODE_* */
    const char *extra; /* name of the second input: salt or info */
};

static const struct hkdf_step step_extract = { EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                                               OSSL_KDF_PARAM_SALT };
static const struct hkdf_step step_expand = { EVP_KDF_HKDF_MODE_EXPAND_ONLY, OSSL_KDF_PARAM_INFO };

/* OSSL_PARAM has no const for what it only reads. */
static OSSL_PARAM octets(const char *name, struct tvl_slice in)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)in.bytes, in.len);
}

static int derive(const EVP_MD *md, const struct hkdf_step *step, struct tvl_slice key,
                  struct tvl_slice extra, struct tvl_slice out)
{
    int mode = step->mode;
    OSSL_PARAM params[5];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int ok = 0;

    if (ctx) {
        params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
        params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                     (char *)(uintptr_t)EVP_MD_get0_name(md), 0);
        params[2] = octets(OSSL_KDF_PARAM_KEY, key);
        params[3] = octets(step->extra, extra);
        params[4] = OSSL_PARAM_construct_end();
        ok = EVP_KDF_derive(ctx, (uint8_t *)(uintptr_t)out.bytes, out.len, params) == 1;
    }
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? 0 : TVL_ERR_NOMEM;
}

int tvl_hkdf_extract(const EVP_MD *md, struct tvl_slice salt, struct tvl_slice secret, uint8_t *out)
{
    struct tvl_slice to = { out, (size_t)EVP_MD_get_size(md) };

    return derive(md, &step_extract, secret, salt, to);
}

int tvl_hkdf_expand_label(const EVP_MD *md, struct tvl_slice secret, const char *label,
                          struct tvl_slice context, uint8_t *out, size_t out_len)
{
    static const char prefix[] = "tls13 ";
    const size_t prefix_len = sizeof prefix - 1;
    uint8_t info[4 + sizeof prefix + LABEL_MAX + CONTEXT_MAX];
    size_t label_len = strlen(label);
    size_t n = 0;

    assert(label_len <= LABEL_MAX && context.len <= CONTEXT_MAX && out_len <= UINT16_MAX);
    info[n++] = (uint8_t)(out_len >> 8);
    info[n++] = (uint8_t)out_len;
    info[n++] = (uint8_t)(prefix_len + label_len);
    memcpy(info + n, prefix, prefix_len);
    n += prefix_len;
    memcpy(info + n, label, label_len);
    n += label_len;
    info[n++] = (uint8_t)context.len;
    if (context.len) {
        memcpy(info + n, context.bytes, context.len);
        n += context.len;
    }
    return derive(md, &step_expand, secret, (struct tvl_slice){ info, n },
                  (struct tvl_slice){ out, out_len });
}
