/* ids.c - see ids.h. */
#include "ids.h"

#include <string.h>
#include <openssl/evp.h>

#include "cid.h"
#include "hkdf.h"
#include "lb.h"

#define LOW_COUNT (1u << TVL_ID_LOW_BITS)
#define LOW_MASK (LOW_COUNT - 1u)

int tvl_ids_init(struct tvl_ids *ids, const struct tvl_config *cfg, const uint8_t secret[32],
                 struct tvl_rng *rng)
{
    *ids = (struct tvl_ids){
        .lb = cfg->lb.server_id_len ? &cfg->lb : NULL,
        .worker = cfg->worker,
        .workers = cfg->workers,
        .len = cfg->lb.server_id_len ? (uint8_t)tvl_lb_cid_len(&cfg->lb) : TVL_CID_LEN,
        .rng = rng,
    };
    return tvl_hkdf_expand_label(EVP_sha256(), (struct tvl_slice){ secret, 32 }, "tvl reset",
                                 (struct tvl_slice){ NULL, 0 }, ids->reset_key,
                                 sizeof ids->reset_key);
}

static uint8_t low_bits(struct tvl_ids *ids)
{
    const unsigned choices = (LOW_COUNT - ids->worker + ids->workers - 1u) / ids->workers;

    return (uint8_t)(ids->worker + ids->workers * tvl_rng_below(ids->rng, choices));
}

void tvl_ids_make(struct tvl_ids *ids, struct tvl_cid *out)
{
    uint8_t nonce[TVL_LB_NONCE_MAX];
    const uint8_t low = low_bits(ids);

    if (ids->lb) {
        tvl_rng_bytes(ids->rng, nonce, ids->lb->nonce_len);
        if (tvl_lb_encode(ids->lb, low, nonce, out) == 0)
            return; /* else without memory: an ID that a balancer cannot route still works */
    }
    *out = (struct tvl_cid){ .len = ids->len };
    tvl_rng_bytes(ids->rng, out->b, out->len);
    out->b[0] = (uint8_t)((out->b[0] & ~LOW_MASK) | low);
}

int tvl_ids_token(const struct tvl_ids *ids, const struct tvl_cid *cid,
                  uint8_t token[TVL_RESET_TOKEN_SIZE])
{
    return tvl_reset_token(token, ids->reset_key, cid->b, cid->len);
}

bool tvl_ids_may_be_ours(const struct tvl_ids *ids, const struct tvl_cid *cid)
{
    uint8_t id[TVL_SERVER_ID_MAX];

    if (cid->len != ids->len || (cid->b[0] & LOW_MASK) % ids->workers != ids->worker)
        return false;
    return !ids->lb || (tvl_lb_decode(ids->lb, cid->b, cid->len, id) == ids->lb->server_id_len &&
                        memcmp(id, ids->lb->server_id, ids->lb->server_id_len) == 0);
}
