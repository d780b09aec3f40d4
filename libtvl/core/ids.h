/*
 * ids.h - the connection IDs an endpoint issues: their length, what they say of the server and the
 * worker (lb.h), and the stateless reset token of each (RFC 9000 10.3.2).
 *
 * The low five bits of the first octet are the worker's number plus a random multiple of how many
 * workers there are, so that whoever steers packets needs but a remainder.
 */
#ifndef TVL_CORE_IDS_H
#define TVL_CORE_IDS_H

#include <tvl/tvl.h>

#include "packet.h"
#include "rng.h"

#define TVL_ID_LOW_BITS 5 /* of the first octet */

struct tvl_ids {
    const struct tvl_lb_config *lb;
    uint8_t worker, workers;
    uint8_t len; /* of every ID */
    uint8_t reset_key[TVL_RESET_KEY_SIZE];
    struct tvl_rng *rng;
};

/* `cfg` and `rng` stay where they are. 0 or TVL_ERR_NOMEM. */
int tvl_ids_init(struct tvl_ids *ids, const struct tvl_config *cfg, const uint8_t secret[32],
                 struct tvl_rng *rng);
void tvl_ids_make(struct tvl_ids *ids, struct tvl_cid *out);
/* 0 or TVL_ERR_NOMEM. */
int tvl_ids_token(const struct tvl_ids *ids, const struct tvl_cid *cid,
                  uint8_t token[TVL_RESET_TOKEN_SIZE]);
/* It may be one of this server and worker: only for such a reset may be sent. */
bool tvl_ids_may_be_ours(const struct tvl_ids *ids, const struct tvl_cid *cid);

#endif
