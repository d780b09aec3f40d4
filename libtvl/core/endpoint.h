/*
 * endpoint.h - what an endpoint offers to its connections: configuration, randomness and the map
 * from connection IDs on the wire to connections.
 */
#ifndef TVL_CORE_ENDPOINT_H
#define TVL_CORE_ENDPOINT_H

#include <tvl/tvl.h>

#include "packet.h"
#include "rng.h"
#include "session.h"

#define TVL_STATELESS_MAX 16 /* version negotiations waiting to be sent; more are dropped */

const struct tvl_config *tvl_endpoint_config(const struct tvl_endpoint *ep);
struct tvl_rng *tvl_endpoint_rng(struct tvl_endpoint *ep);
const uint8_t *tvl_endpoint_reset_key(const struct tvl_endpoint *ep); /* TVL_RESET_KEY_SIZE */

/* A client's memory of the servers it has met. */
struct tvl_sessions *tvl_endpoint_sessions(struct tvl_endpoint *ep);

/* Something about the connection may have changed: it is asked again for packets, events and its
 * next tick. The endpoint's own calls do so; public calls on a connection must. */
void tvl_endpoint_touch(struct tvl_endpoint *ep, struct tvl_conn *conn);

/* A new connection ID of ours to be issued, of the one length all of ours have. */
void tvl_endpoint_make_cid(struct tvl_endpoint *ep, struct tvl_cid *out);
size_t tvl_endpoint_cid_len(const struct tvl_endpoint *ep);

/* Packets to `cid` belong to path `path_id` of `conn`. 0, TVL_ERR_NOMEM, or TVL_ERR_STATE: taken.
 */
int tvl_endpoint_map(struct tvl_endpoint *ep, const struct tvl_cid *cid, struct tvl_conn *conn,
                     uint32_t path_id);
void tvl_endpoint_unmap(struct tvl_endpoint *ep, const struct tvl_cid *cid);
/* The path `cid` stands for, if it is this connection's. */
bool tvl_endpoint_lookup(struct tvl_endpoint *ep, const struct tvl_cid *cid,
                         const struct tvl_conn *conn, uint32_t *path_id);

#endif
