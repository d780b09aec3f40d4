/*
 * held.h - packets that came before their keys, RFC 9000 5.7, RFC 9001 5.7: kept during the
 * handshake and looked at again, instead of being waited for a second time.
 *
 * Anyone who has seen a connection ID can fill the few places with rubbish; then the packets are
 * dropped, as they were without this.
 */
#ifndef TVL_CORE_HELD_H
#define TVL_CORE_HELD_H

#include <tvl/tvl.h>

#include "protect.h"

#define TVL_HELD_MAX 10 /* packets of one connection: an initial window of RFC 9002 7.2 */

struct tvl_held_packet {
    struct tvl_datagram dgram; /* that it came in; len of the packet alone */
    enum tvl_level level;
    uint8_t bytes[TVL_DATAGRAM_MAX];
};

struct tvl_held {
    struct tvl_held_packet *packet[TVL_HELD_MAX]; /* owned, in order of arrival */
    size_t n;
};

/* A copy is kept; false: no room or no memory. */
bool tvl_held_keep(struct tvl_held *h, const struct tvl_datagram *dgram, enum tvl_level level,
                   const uint8_t *bytes, size_t len);
/* The oldest of the level, now the caller's to free(); NULL: none. */
struct tvl_held_packet *tvl_held_take(struct tvl_held *h, enum tvl_level level);
void tvl_held_fini(struct tvl_held *h);

#endif
