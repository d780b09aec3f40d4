/*
 * mtu.h - how large a datagram passes on one path: DPLPMTUD (RFC 8899, RFC 9000 14.3).
 *
 *            probe passed            nothing larger left to try
 *   SEARCHING <----+ ----------------------------------------------> COMPLETE
 *       ^  +-------+                                                    |
 *       |            large packets no longer arrive (black hole), or    |
 *       +---------------- TVL_MTU_RAISE_TIME has passed ----------------+
 *
 * The largest size is tried first, since most paths take it; after that the middle of what is left
 * in doubt. A size is given up after TVL_MTU_TRIES lost probes. Pure: no packets, no timers. One
 * probe is outstanding at a time, and its loss is never congestion.
 */
#ifndef TVL_CORE_MTU_H
#define TVL_CORE_MTU_H

#include <tvl/tvl.h>

#define TVL_MTU_BASE 1200u            /* bytes every path must carry, RFC 9000 14 */
#define TVL_MTU_MAX_IPV4 1472u        /* Ethernet less IPv4 and UDP headers */
#define TVL_MTU_MAX_IPV6 1452u        /* Ethernet less IPv6 and UDP headers */
#define TVL_MTU_TRIES 3               /* RFC 8899 5.1.2 MAX_PROBES */
#define TVL_MTU_STEP 16u              /* bytes: a smaller gain is not worth a probe */
#define TVL_MTU_RAISE_TIME 600000000u /* us, RFC 8899 5.1.1 PMTU_RAISE_TIMER */
#define TVL_MTU_CAREFUL_PTO 2         /* probe time-outs in a row after which probes are small */
#define TVL_MTU_HOLE_LOSSES 4         /* large packets lost in a row: a black hole is suspected */

enum tvl_mtu_state { TVL_MTU_SEARCHING, TVL_MTU_COMPLETE };

struct tvl_mtu {
    enum tvl_mtu_state state;
    uint32_t current;  /* bytes of UDP payload known to pass */
    uint32_t max;      /* never probed above */
    uint32_t failed;   /* the smallest size that did not pass, or max + 1 */
    uint32_t probing;  /* size of the probe outstanding; 0: none */
    unsigned tries;    /* lost probes of the size at hand */
    tvl_time raise_at; /* COMPLETE: when to search anew; TVL_TIME_NEVER: at the maximum */
    tvl_time lost_at;  /* when the probe outstanding counts as lost; TVL_TIME_NEVER: none */
};

/* Starts at TVL_MTU_BASE; `max` at or below it means that nothing is probed. */
void tvl_mtu_init(struct tvl_mtu *m, uint32_t max);
/* Another maximum: the peer's max_udp_payload_size, or the path has moved to the other family. */
void tvl_mtu_set_max(struct tvl_mtu *m, uint32_t max);
/* Bytes of the probe to send now; 0: none. Changes nothing. */
uint32_t tvl_mtu_probe(const struct tvl_mtu *m, tvl_time now);
/* It left, and `patience` us without an answer mean that it is lost. */
void tvl_mtu_sent(struct tvl_mtu *m, uint32_t size, tvl_time now, tvl_time patience);
/* A probe of `size` arrived. True: `current` is larger now. */
bool tvl_mtu_acked(struct tvl_mtu *m, uint32_t size, tvl_time now);
/* A probe of `size` was lost; others than the one outstanding do not count. */
void tvl_mtu_lost(struct tvl_mtu *m, uint32_t size, tvl_time now);
/* Packets above the base size do not arrive any more: back to it, and search below the old size. */
void tvl_mtu_hole(struct tvl_mtu *m, tvl_time now);
/* When tick has something to do, or a probe may be wanted; TVL_TIME_NEVER. */
tvl_time tvl_mtu_next(const struct tvl_mtu *m);
void tvl_mtu_tick(struct tvl_mtu *m, tvl_time now);

#endif
