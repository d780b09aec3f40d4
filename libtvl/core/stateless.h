/*
 * stateless.h - a server's answers that need no connection: Version Negotiation (RFC 9000 6), Retry
 * (8.1.2), refusal by an Initial CONNECTION_CLOSE (5.2.2), stateless reset (10.3).
 *
 * They wait in one bounded ring until they are sent; when it is full, new ones are dropped, as the
 * network could. None is longer than what it answers, so none amplifies.
 */
#ifndef TVL_CORE_STATELESS_H
#define TVL_CORE_STATELESS_H

#include <tvl/tvl.h>

#include "error.h"
#include "packet.h"
#include "protect.h"
#include "rng.h"

#define TVL_STATELESS_MAX 64        /* answers waiting to be sent */
#define TVL_STATELESS_BYTES_MAX 640 /* two connection IDs of 255 bytes and what is around them */
#define TVL_REFUSALS_PER_S 1000
#define TVL_RESETS_PER_S 1000
#define TVL_RESET_TRIGGER_MIN 43 /* bytes of a datagram that a reset may answer */
#define TVL_RESET_MIN 21         /* bytes of a stateless reset, RFC 9000 10.3 */

struct tvl_bucket { /* lets a number of events a second through */
    uint32_t left;
    tvl_time filled_at;
};

struct tvl_stateless {
    struct tvl_answer {
        struct tvl_datagram dgram;
        uint8_t bytes[TVL_STATELESS_BYTES_MAX];
    } ring[TVL_STATELESS_MAX];
    size_t first, count;
    struct tvl_bucket refusals, resets;
};

/* What is answered. */
struct tvl_question {
    const struct tvl_datagram *dgram;
    const struct tvl_packet *packet; /* its first packet */
    struct tvl_rng *rng;
    tvl_time now;
};

/* Each says whether an answer was put into the ring. */
bool tvl_stateless_versions(struct tvl_stateless *s, const struct tvl_question *q,
                            const uint32_t *versions, size_t count);
/* `scid` is what the client shall call us, `token` what it shall show. */
bool tvl_stateless_retry(struct tvl_stateless *s, const struct tvl_question *q,
                         const struct tvl_cid *scid, const uint8_t *token, size_t token_len);
bool tvl_stateless_refuse(struct tvl_stateless *s, const struct tvl_question *q,
                          enum tvl_wire_error code);
bool tvl_stateless_reset(struct tvl_stateless *s, const struct tvl_question *q,
                         const uint8_t token[TVL_RESET_TOKEN_SIZE]);

/* The answer that waits longest: false: none. `bytes` has room for TVL_STATELESS_BYTES_MAX. */
bool tvl_stateless_take(struct tvl_stateless *s, struct tvl_datagram *dgram, uint8_t *bytes);

/* Whether the Initial packet at `bytes` was made by someone who has seen its connection ID, and not
 * just thrown together; `keys` are the client's. `bytes` is not changed. */
bool tvl_initial_is_genuine(struct tvl_keys *keys, const struct tvl_packet *p,
                            const uint8_t *bytes);

#endif
