/*
 * door.h - what a server does with datagrams that belong to no connection: it lets a client in, has
 * it prove its address, refuses it, negotiates the version, or resets what it has forgotten.
 *
 *     Initial --> token? --> admission? --> genuine? --> a new connection
 *                   |             |             |
 *             INVALID_TOKEN   Retry, or      dropped
 *                          CONNECTION_REFUSED
 *
 * Nothing is allocated for one that is not let in (RFC 9000 8.1, 21.9).
 */
#ifndef TVL_CORE_DOOR_H
#define TVL_CORE_DOOR_H

#include <tvl/tvl.h>

#include "admit.h"
#include "ids.h"
#include "protect.h"
#include "stateless.h"
#include "token.h"

struct tvl_door {
    const struct tvl_config *cfg;
    struct tvl_ids *ids;
    struct tvl_rng *rng;
    struct tvl_stateless answers;
    struct tvl_admission admission;
    struct tvl_keys token_keys;
    struct tvl_endpoint_stats stats;
};

struct tvl_first { /* what a connection of a server begins with */
    const struct tvl_datagram *dgram;
    const struct tvl_packet *packet; /* the client's Initial */
    struct tvl_cid original_dcid;    /* of its very first: before a Retry */
    bool retried, proved;            /* a Retry was sent; its address is proved */
    struct tvl_keys client, server;  /* Initial keys; whoever takes them zeroes them */
};

/* `cfg`, `ids` and `rng` stay where they are. 0 or TVL_ERR_NOMEM. */
int tvl_door_init(struct tvl_door *d, const struct tvl_config *cfg, const uint8_t secret[32],
                  struct tvl_ids *ids, struct tvl_rng *rng);
void tvl_door_fini(struct tvl_door *d); /* legal on a zeroed one */

/*
 * A datagram for a connection ID that is not known. true: a client to be let in, and `first` is
 * filled; give it back to tvl_first_fini. false: it was answered, or is to be dropped.
 */
bool tvl_door_knock(struct tvl_door *d, const struct tvl_question *q, const uint8_t *bytes,
                    struct tvl_first *first);
void tvl_first_fini(struct tvl_first *first);

/* A token for later connections from `remote`: its length, or 0. */
size_t tvl_door_token(struct tvl_door *d, const struct sockaddr_storage *remote, tvl_time now,
                      uint8_t out[TVL_TOKEN_SIZE_MAX]);

#endif
