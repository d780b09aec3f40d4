/*
 * cc.h - how to write a congestion controller.
 *
 * A controller is one file in libtvl/cc/ that defines one const struct tvl_cc_ops, and one line in
 * libtvl/cc/all.c. It answers one question - how much may be in flight on this path, and how fast
 * may it leave - from what happened on that one path. It sees no connection, no other path, no
 * packet, no clock but `now`, and allocates nothing. Its private state lies in TVL_CC_STATE_MAX
 * bytes that the path owns, zeroed before init.
 */
#ifndef TVL_CC_H
#define TVL_CC_H

#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_CC_STATE_MAX 512 /* bytes of private state, aligned to 8; _Static_assert yours fits */

struct tvl_cc_sent {
    tvl_time now;
    uint64_t bytes;     /* of this packet */
    uint64_t in_flight; /* bytes, this packet counted */
    bool app_limited;   /* the window was not full before it: there was nothing to send */
};

struct tvl_cc_ack {
    tvl_time now;
    tvl_time rtt;             /* this sample, us; 0: no sample in this acknowledgement */
    tvl_time srtt, rtt_min;   /* us */
    uint64_t bytes;           /* newly acknowledged */
    uint64_t in_flight;       /* bytes before this acknowledgement */
    uint64_t in_flight_after; /* bytes after it; what it showed to be lost is off as well */
    uint64_t delivered, lost; /* bytes of the path so far, this acknowledgement counted */
    uint64_t delivery_bps;    /* rate sample, bits/s; 0: none */
    /* of the newest packet acknowledged: */
    tvl_time sent_at;
    uint64_t sent_delivered, sent_lost; /* `delivered` and `lost` when it left */
    uint64_t sent_in_flight;            /* bytes when it left, it counted */
    bool app_limited;                   /* the window was not full then: do not grow */
};

/* One packet was declared lost, or was declared lost and is acknowledged after all. */
struct tvl_cc_packet {
    tvl_time now, sent_at;
    uint64_t number; /* its place in the order of sending; a neighbour differs by one */
    uint64_t bytes;
    uint64_t delivered, lost;           /* bytes of the path so far; a lost packet counted */
    uint64_t sent_lost, sent_in_flight; /* as in struct tvl_cc_ack */
    bool app_limited;
};

struct tvl_cc_loss {
    tvl_time now;
    tvl_time sent_at;   /* of the newest packet lost */
    uint64_t bytes;     /* lost; 0 when only ECN marks were seen */
    uint64_t in_flight; /* bytes before the loss */
    bool persistent;    /* persistent congestion, RFC 9002 7.6 */
};

struct tvl_cc_limit {
    uint64_t cwnd;       /* bytes that may be in flight, at least two datagrams */
    uint64_t pacing_bps; /* bits/s; 0: the host paces 5/4 cwnd per srtt */
    uint64_t rate_bps;   /* bits/s the path is believed to carry; 0: cwnd per srtt */
};

struct tvl_cc_ops {
    const char *name;
    void (*init)(void *cc, uint32_t datagram_bytes, tvl_time now);
    void (*on_sent)(void *cc, const struct tvl_cc_sent *sent); /* optional */
    void (*on_ack)(void *cc, const struct tvl_cc_ack *ack);
    /* Once for all packets one acknowledgement or timer showed to be lost, before its on_ack. */
    void (*on_loss)(void *cc, const struct tvl_cc_loss *loss);
    void (*on_mtu)(void *cc, uint32_t datagram_bytes); /* optional: datagrams change their size */
    /* Each of them beforehand; optional. */
    void (*on_packet_lost)(void *cc, const struct tvl_cc_packet *p);
    /* It was not lost at all; before on_ack; optional. */
    void (*on_packet_spurious)(void *cc, const struct tvl_cc_packet *p);
    struct tvl_cc_limit (*limit)(const void *cc);
    /* Optional, for the trace: what it is doing, a static word, qlog's where that has one:
     * "slow_start", "congestion_avoidance", "recovery", "application_limited". */
    const char *(*state)(const void *cc);
};

extern const struct tvl_cc_ops *const tvl_cc_all[];     /* ends with NULL */
const struct tvl_cc_ops *tvl_cc_find(const char *name); /* NULL when unknown */

#ifdef __cplusplus
}
#endif
#endif
