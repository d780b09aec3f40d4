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
    /* since the last acknowledgement; both 0 where the path carries no marks: */
    uint64_t packets, marked; /* newly acknowledged; of them marked CE (RFC 9000 13.4) */
    double growth; /* [0, 1] of its own growth that the path may take: 1 unless it is coupled to
                      others that share its bottleneck, see struct tvl_couple_ops */
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
    double harsher; /* [0, 0.5] of its own reduction to be taken on top of it; 0 unless coupled */
};

/*
 * What was learnt of a path, in words that every controller understands, so that one can go on
 * where another stopped. 0 (ssthresh: UINT64_MAX) is "not known".
 */
struct tvl_cc_learnt {
    tvl_time now;
    uint64_t cwnd;          /* bytes in force */
    uint64_t ssthresh;      /* bytes up to which the path may be filled fast; UINT64_MAX: its
                               capacity has not been found yet */
    uint64_t w_max;         /* bytes in flight when it last lost for want of room */
    uint64_t rate_bps;      /* bits/s it is believed to carry */
    tvl_time srtt, rtt_min; /* us */
    tvl_time recovery_from; /* losses of packets sent before have been answered; 0: none */
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
    /* Of the state alone: asked once after each call that may have changed it. */
    struct tvl_cc_limit (*limit)(const void *cc);
    /* Correct in `out`, filled from limit() and the path's round trips, what this controller knows
     * better; optional. */
    void (*save)(const void *cc, struct tvl_cc_learnt *out);
    /* After init: go on from there instead of from the initial window. Required of all that libtvl
     * brings; a controller without it starts afresh. */
    void (*load)(void *cc, const struct tvl_cc_learnt *from);
    /* Optional, for the trace: what it is doing, a static word, qlog's where that has one:
     * "slow_start", "congestion_avoidance", "recovery", "application_limited". */
    const char *(*state)(const void *cc);
    /* Packets are sent as ECT(1) and marks are told in on_ack only, however many (RFC 9331). */
    bool l4s;
};

/*
 * Coupling: paths of one connection that share a bottleneck shall together take no more of it than
 * one path would (RFC 6356 goal 2). A coupling answers how much of its own growth each of them may
 * take, from their windows; it keeps no state. libtvl asks it for each group of paths that shared
 * bottleneck detection (RFC 8382) has found, and only then.
 *
 * The factors are written for controllers that grow by acknowledgements and shrink by losses:
 * newreno, cubic, compound, westwood, veno, hybla, prague. There a path whose growth is g times its
 * own has sqrt(g) times the window, and that share is what the others take: bbr in what it sends
 * between its probes, copa in the queue it aims at, scream in its growth. The last two keep queues
 * so short and even that the bottleneck is often not found; then they are not coupled.
 */
struct tvl_couple_path {
    uint64_t cwnd;          /* bytes, [1, any] */
    tvl_time rtt;           /* us, smoothed, [1, any] */
    uint64_t between;       /* bytes acknowledged between the last two losses, */
    uint64_t since;         /* and since the last one */
    double growth, harsher; /* out: as in struct tvl_cc_ack and struct tvl_cc_loss */
};

struct tvl_couple_ops {
    const char *name;
    void (*couple)(struct tvl_couple_path *path, size_t n); /* n [2, TVL_PATHS_MAX] */
};

extern const struct tvl_couple_ops *const tvl_couple_all[];     /* ends with NULL */
const struct tvl_couple_ops *tvl_couple_find(const char *name); /* NULL when unknown */

extern const struct tvl_cc_ops *const tvl_cc_all[];     /* ends with NULL */
const struct tvl_cc_ops *tvl_cc_find(const char *name); /* NULL when unknown */

#ifdef __cplusplus
}
#endif
#endif
