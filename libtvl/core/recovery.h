/*
 * recovery.h - what is in flight, what arrived, what was lost: RFC 9002.
 *
 * struct tvl_path_cc is the congestion state of one path. struct tvl_recovery is one packet number
 * space that sends on it: Initial, Handshake or one application path. Path 0 has three spaces on
 * one congestion state, every other path one. The caller drives it:
 *
 *     packet left        -> tvl_recovery_sent()
 *     ACK frame came     -> tvl_recovery_on_ack()  \  report packets through the handler:
 *     next_time() passed -> tvl_recovery_on_timeout() /  acked() and lost()
 *
 * A packet declared lost stays as a tombstone for about three PTOs, so that a late acknowledgement
 * is recognised: it is counted as spurious and reported as acked() with `.lost` still set.
 *
 * A handler must not call into the same space or the same tvl_path_cc.
 */
#ifndef TVL_CORE_RECOVERY_H
#define TVL_CORE_RECOVERY_H

#include <tvl/cc.h>
#include <tvl/tvl.h>
#include "ack.h"
#include "ecn.h"
#include "model.h"
#include "mtu.h"
#include "pacer.h"
#include "rate.h"
#include "rtt.h"
#include "sent_frame.h"
#include "surety.h"

#define TVL_PACKET_FRAMES_MAX 12 /* frames remembered per packet: close the packet at this many */
#define TVL_SENT_MAX 16384       /* packets remembered per space */
#define TVL_SENT_QUIET_MAX 1024  /* packets remembered at the old end that need no answer */
#define TVL_PACKET_THRESHOLD 3   /* RFC 9002 6.1.1 kPacketThreshold */
#define TVL_PTO_MAX 60000000u    /* us: bound of the backoff */
#define TVL_QUANTUM_TIME 250u    /* us */
#define TVL_QUANTUM_MAX 65536u   /* bytes: what leaves by one system call */
#define TVL_PTO_PROBES 2         /* packets a PTO allows beyond the window, RFC 9002 6.2.4 */

/* ---- the congestion state of one path ---- */

struct tvl_path_cc {
    const struct tvl_cc_ops *ops;
    _Alignas(8) unsigned char state[TVL_CC_STATE_MAX];
    struct tvl_cc_limit limit; /* what ops->limit says of it, asked once for each change */
    struct tvl_rtt rtt;
    struct tvl_pacer pacer;
    struct tvl_rate rate;
    struct tvl_model model;
    struct tvl_surety surety;
    struct tvl_ecn ecn; /* off until tvl_path_cc_test_ecn */
    bool ecn_wanted;    /* test every new way */
    uint64_t in_flight; /* bytes, all spaces */
    uint32_t datagram_bytes;
    bool gathering;         /* the pacer's credit is used up, and grows to a quantum */
    unsigned pto_count;     /* consecutive, without an acknowledgement */
    tvl_time pto_at;        /* when it was last raised */
    tvl_time since;         /* packets sent earlier went another way */
    double growth, harsher; /* as in struct tvl_cc_ack and struct tvl_cc_loss; set by coupling */
};

void tvl_path_cc_init(struct tvl_path_cc *pc, const struct tvl_cc_ops *ops, uint32_t datagram_bytes,
                      tvl_time now);
/* Find out whether the path carries marks, if they are wanted: now, and wherever it will lead. */
void tvl_path_cc_test_ecn(struct tvl_path_cc *pc, bool want);
/* The path changed: begin at the initial window again; RTT and counts are kept. */
void tvl_path_cc_restart(struct tvl_path_cc *pc, tvl_time now);
/* It was silent and has returned: what was sent meanwhile, and waited, teaches nothing. */
void tvl_path_cc_return(struct tvl_path_cc *pc, tvl_time now);
/* It leads elsewhere now: window and RTT begin anew, and what was sent before teaches nothing. */
void tvl_path_cc_move(struct tvl_path_cc *pc, tvl_time now);
/* Another controller from the next packet on, with what the last one has learnt. */
void tvl_path_cc_swap(struct tvl_path_cc *pc, const struct tvl_cc_ops *ops, tvl_time now);
/* What the controller in force has learnt. */
struct tvl_cc_learnt tvl_path_cc_learnt(const struct tvl_path_cc *pc, tvl_time now);
/* Datagrams of another size from now on; also when the state was put there by the caller. */
void tvl_path_cc_set_mtu(struct tvl_path_cc *pc, uint32_t datagram_bytes);
uint64_t tvl_path_cc_cwnd(const struct tvl_path_cc *pc);
/* bits/s: the controller's, or 5/4 cwnd per srtt (2 cwnd per srtt before the first RTT sample). */
uint64_t tvl_path_cc_pacing_bps(const struct tvl_path_cc *pc);
/* bits/s the path carries now, for schedulers and statistics: the controller's, or cwnd per srtt.
 */
uint64_t tvl_path_cc_rate_bps(const struct tvl_path_cc *pc);
/* Bytes the window leaves, whatever the pacer says. */
uint64_t tvl_path_cc_window_room(const struct tvl_path_cc *pc);
/*
 * Bytes that window and pacer allow at `now`; 0 when less than one datagram. Once the pacer's
 * credit is used up it is 0 until a quantum has come together: what the path carries in
 * TVL_QUANTUM_TIME. So a fast path sends many datagrams a turn, at a quantum's delay; a slow one
 * sends each in time.
 */
uint64_t tvl_path_cc_room(const struct tvl_path_cc *pc, tvl_time now);
/* When that is no longer 0: `now` or later by the pacer; TVL_TIME_NEVER: the window is full. */
tvl_time tvl_path_cc_next_send(const struct tvl_path_cc *pc, tvl_time now);
/* Call after sending, for each path that had room left and nothing to send. */
void tvl_path_cc_app_limited(struct tvl_path_cc *pc);

/* ---- packets ---- */

struct tvl_sent_packet {
    uint64_t pn;
    tvl_time time;  /* sent at */
    uint32_t bytes; /* UDP payload share of this packet */
    bool ack_eliciting;
    bool in_flight; /* counts for congestion control: ack-eliciting or has PADDING */
    bool copied;    /* tvl_recovery_copy had it */
    bool mtu_probe; /* its loss says nothing of congestion, and nobody waits for its answer */
    uint8_t ecn;    /* the bits its datagram is marked with: 0 or TVL_ECN_ECT* */
    bool lost;      /* in acked(): it had been declared lost before (spurious) */
    uint8_t n_frames;
    struct tvl_rate_snapshot rate;      /* filled by tvl_recovery_sent */
    const struct tvl_sent_frame *frame; /* n_frames of them, borrowed; tvl_recovery_sent copies */
};

struct tvl_recovery;

/* Each is called once per packet; the pointer lives for the call. */
struct tvl_recovery_handler {
    void (*acked)(void *user, const struct tvl_sent_packet *p);
    void (*lost)(void *user, const struct tvl_sent_packet *p);
    /* Optional, for the trace: before lost() with the rule that said so, a static word; before
     * acked() with NULL when the packet had been declared lost. */
    void (*note)(void *user, const struct tvl_recovery *r, const struct tvl_sent_packet *p,
                 const char *rule);
};

struct tvl_recovery_slot; /* private */

/* Packets above the base size lost in a row, none sent later having arrived: see tvl_mtu_hole. */
struct tvl_large_run {
    unsigned lost;
    tvl_time from, to;  /* when the first and the last of them were sent */
    tvl_time passed_at; /* when the newest that arrived was sent */
};

struct tvl_recovery {
    struct tvl_path_cc *cc;
    const struct tvl_recovery_handler *handler;
    void *user;
    /* Set by the caller at any time: */
    tvl_time max_ack_delay; /* us, the peer's; 0 in Initial and Handshake */
    bool pto_off;           /* application space before the handshake is confirmed; a path that is
                               suspect (its probes have their own clock) */
    bool pto_when_idle; /* client until the server has validated its address: RFC 9002 6.2.2.1 */
    /* Private: */
    struct tvl_recovery_slot *slot; /* ring by packet number */
    uint32_t cap;                   /* of slot, a power of two */
    uint64_t first_pn, next_pn;     /* numbers remembered: [first_pn, next_pn) */
    uint64_t largest_acked;         /* UINT64_MAX: none */
    uint64_t unproved_pn;           /* first ack-eliciting one after that; UINT64_MAX: none */
    uint64_t bytes_in_flight;       /* this space's part of cc->in_flight */
    uint64_t n_eliciting;           /* ack-eliciting packets outstanding */
    tvl_time last_eliciting_at;     /* or when the PTO last fired, if later */
    tvl_time loss_time;             /* TVL_TIME_NEVER: none pending */
    struct tvl_ecn_space ecn;
    struct tvl_large_run large;
    uint64_t packets_lost, bytes_lost, spurious; /* statistics */
};

/* Allocates nothing until the first packet. `user` is passed to the handler. */
void tvl_recovery_init(struct tvl_recovery *r, struct tvl_path_cc *cc,
                       const struct tvl_recovery_handler *handler, void *user, tvl_time now);
void tvl_recovery_fini(struct tvl_recovery *r); /* no callbacks, cc untouched */

/* Number of the next packet. */
uint64_t tvl_recovery_next_pn(const struct tvl_recovery *r);
/* For encoding truncated numbers: largest acknowledged, or UINT64_MAX. */
uint64_t tvl_recovery_largest_acked(const struct tvl_recovery *r);
/*
 * When the oldest ack-eliciting packet left of those sent after the newest acknowledged one: what
 * comes after the last proof of delivery. 0: there is none.
 */
tvl_time tvl_recovery_unproved_at(const struct tvl_recovery *r);
/* There is room to remember another packet. Ask before making one; false: send nothing. */
bool tvl_recovery_can_send(const struct tvl_recovery *r);

/*
 * A packet leaves now. `p->pn` must be tvl_recovery_next_pn(); `p` is copied; time is set to `now`.
 * 0, TVL_ERR_FULL (see can_send) or TVL_ERR_NOMEM: then it must not be sent.
 */
int tvl_recovery_sent(struct tvl_recovery *r, const struct tvl_sent_packet *p, tvl_time now);
/* Leave a number out; a peer that acknowledges it is lying (RFC 9000 21.4). Remembered for three
 * PTOs, so not for long after what was sent beside it. Same errors. */
int tvl_recovery_skip_pn(struct tvl_recovery *r, tvl_time now);

struct tvl_recovery_ack {
    const struct tvl_pn_range
        *range;         /* descending, as in the frame; range[0].last is the largest */
    size_t n_ranges;    /* [1, any] */
    tvl_time ack_delay; /* us, exponent applied; 0 in Initial */
    bool detour;        /* came over another path: a shorter way back than this path's own is no
                           shorter round trip of it */
    tvl_time waited;    /* us that the frame had come before it was read */
    bool has_ecn;
    struct tvl_ecn_counts ecn;
};

struct tvl_recovery_result {
    bool any;                /* something was newly acknowledged */
    tvl_time newest_sent_at; /* of the newest such packet: for tvl_health_acked */
    uint64_t acked, lost;    /* packets */
    tvl_time rtt;            /* us, a sample without the peer's delay; 0: none */
};

/*
 * 0, or TVL_ERR_PEER: a number was acknowledged that was never sent (PROTOCOL_VIOLATION, RFC 9000
 * 13.1); then nothing has changed. `out` may be NULL.
 */
int tvl_recovery_on_ack(struct tvl_recovery *r, const struct tvl_recovery_ack *ack, tvl_time now,
                        struct tvl_recovery_result *out);

/* When on_timeout has something to do; TVL_TIME_NEVER: nothing is waited for. */
tvl_time tvl_recovery_next_time(const struct tvl_recovery *r);
const char *tvl_recovery_clock(const struct tvl_recovery *r); /* which: "loss" or "pto" */
/*
 * Declares what is overdue lost. Result: how many probes (ack-eliciting packets in this space,
 * beyond the window) to send now, 0..TVL_PTO_PROBES. Early calls do nothing.
 */
unsigned tvl_recovery_on_timeout(struct tvl_recovery *r, tvl_time now);

/*
 * PTO probes should carry data, not only PING: calls `visit` for the oldest up to `max`
 * ack-eliciting packets outstanding, which stay outstanding.
 */
void tvl_recovery_oldest(const struct tvl_recovery *r, size_t max,
                         void (*visit)(void *user, const struct tvl_sent_packet *p), void *user);

/*
 * Copies of what is outstanding: packets that left after the one time or before the other, each
 * once, together at most `bytes`. Those visited stay outstanding. Result: their bytes.
 */
struct tvl_recovery_copies {
    tvl_time sent_after, sent_before;
    uint64_t bytes;
};
uint64_t tvl_recovery_copy(struct tvl_recovery *r, const struct tvl_recovery_copies *which,
                           void (*visit)(void *user, const struct tvl_sent_packet *p), void *user);

/*
 * Declare everything outstanding lost now: the path died, or a Retry came. The controller is not
 * told (silence is not congestion). `rule` is for the trace. Result: packets reported lost.
 */
uint64_t tvl_recovery_take_all(struct tvl_recovery *r, tvl_time now, const char *rule);

/* Keys discarded (RFC 9002 6.4): forget all without callbacks; the space is then empty, and holds
 * no memory. */
void tvl_recovery_discard(struct tvl_recovery *r);
/* Nothing has moved for a while: give back what a busy space needed. */
void tvl_recovery_quiet(struct tvl_recovery *r, tvl_time now);

/* Large packets have vanished for a round trip and longer. */
bool tvl_recovery_hole(const struct tvl_recovery *r);

/* Current PTO of this space, us, with backoff: for draining times and the like. */
tvl_time tvl_recovery_pto(const struct tvl_recovery *r);

#endif
