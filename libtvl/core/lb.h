/*
 * lb.h - connection IDs that name their server, for a balancer in front:
 * draft-ietf-quic-load-balancers 3 to 5.
 *
 *     config (3) | low (5)      server ID (8 ..)      nonce (32 ..)
 *                               \____ encrypted with AES-128, if so configured ____/
 *
 * Encryption: one AES-ECB block when server ID and nonce have 16 bytes together, else a Feistel
 * network of four rounds. The low five bits are free by the draft; the endpoint puts its worker's
 * number there. Pure: the caller gives the nonce.
 */
#ifndef TVL_CORE_LB_H
#define TVL_CORE_LB_H

#include <tvl/tvl.h>

#include "packet.h"

#define TVL_LB_CONFIGS 7    /* config IDs; the eighth means "names no server" */
#define TVL_LB_NONCE_MAX 18 /* bytes */

bool tvl_lb_valid(const struct tvl_lb_config *lb); /* also: no server ID at all */
/* Bytes of an ID; the config has a server ID. */
size_t tvl_lb_cid_len(const struct tvl_lb_config *lb);

/* `low` [0, 31]; `nonce` has lb->nonce_len bytes. 0 or TVL_ERR_NOMEM. */
int tvl_lb_encode(const struct tvl_lb_config *lb, uint8_t low, const uint8_t *nonce,
                  struct tvl_cid *out);

#endif
