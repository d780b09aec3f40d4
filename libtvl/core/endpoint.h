/*
 * endpoint.h - what an endpoint offers to its connections: configuration, randomness and the map
 * from connection IDs on the wire to connections.
 */
#ifndef TVL_CORE_ENDPOINT_H
#define TVL_CORE_ENDPOINT_H

#include <tvl/tvl.h>

#include "ids.h"
#include "packet.h"
#include "rng.h"
#include "session.h"
#include "token.h"

const struct tvl_config *tvl_endpoint_config(const struct tvl_endpoint *ep);
struct tvl_rng *tvl_endpoint_rng(struct tvl_endpoint *ep);
/* To make connection IDs of ours and their reset tokens. */
struct tvl_ids *tvl_endpoint_ids(struct tvl_endpoint *ep);
/* Server: a token for NEW_TOKEN. Bytes of it, or 0. */
size_t tvl_endpoint_token(struct tvl_endpoint *ep, const struct sockaddr_storage *remote,
                          tvl_time now, uint8_t out[TVL_TOKEN_SIZE_MAX]);

/* A client's memory of the servers it has met. */
struct tvl_sessions *tvl_endpoint_sessions(struct tvl_endpoint *ep);

/* Something about the connection may have changed: it is asked again for packets, events and its
 * next tick. The endpoint's own calls do so; public calls on a connection must. */
void tvl_endpoint_touch(struct tvl_endpoint *ep, struct tvl_conn *conn);

/* Packets to `cid` belong to path `path_id` of `conn`. 0, TVL_ERR_NOMEM, or TVL_ERR_STATE: taken.
 */
int tvl_endpoint_map(struct tvl_endpoint *ep, const struct tvl_cid *cid, struct tvl_conn *conn,
                     uint32_t path_id);
void tvl_endpoint_unmap(struct tvl_endpoint *ep, const struct tvl_cid *cid);
/* The path `cid` stands for, if it is this connection's. */
bool tvl_endpoint_lookup(struct tvl_endpoint *ep, const struct tvl_cid *cid,
                         const struct tvl_conn *conn, uint32_t *path_id);

#endif
