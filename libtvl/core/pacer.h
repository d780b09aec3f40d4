/*
 * pacer.h - spreads packets over time: a token bucket (RFC 9002 7.7).
 *
 * Contract: if packets are only sent when tvl_pacer_next() says `now`, then the bytes sent in any
 * interval of length t are at most rate * t + burst, where rate is the highest and burst the
 * largest in force during it. Packets that must not wait (probes, pure ACKs) may be sent anyway;
 * those reported run into debt of at most one burst, which later packets wait for.
 */
#ifndef TVL_CORE_PACER_H
#define TVL_CORE_PACER_H

#include <tvl/tvl.h>

#define TVL_PACER_BURST_DATAGRAMS 10     /* the initial window may leave at once, RFC 9002 7.7 */
#define TVL_PACER_BURST_TIME 2000u       /* us; a timer of 1 ms must not slow a fast path down */
#define TVL_PACER_RATE_MAX 100000000000u /* bits/s; keeps the arithmetic inside 64 bits */

struct tvl_pacer {
    uint64_t rate_bps; /* 0: not paced */
    uint32_t datagram; /* bytes */
    int64_t tokens;    /* microbits: bits * 10^6 */
    tvl_time at;       /* when tokens was true */
};

/* Full bucket, not paced until a rate is set. */
void tvl_pacer_init(struct tvl_pacer *p, uint32_t datagram_bytes, tvl_time now);
void tvl_pacer_set_rate(struct tvl_pacer *p, uint64_t rate_bps, tvl_time now);
/* When `bytes` may leave: `now` or later. */
tvl_time tvl_pacer_next(const struct tvl_pacer *p, uint64_t bytes, tvl_time now);
/* Bytes that may leave at `now`. */
uint64_t tvl_pacer_room(const struct tvl_pacer *p, tvl_time now);
void tvl_pacer_sent(struct tvl_pacer *p, uint64_t bytes, tvl_time now);
/* Bytes: the burst of the contract. */
uint64_t tvl_pacer_burst(const struct tvl_pacer *p);

#endif
