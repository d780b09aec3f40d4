/*
 * ack.h - what was received in one packet number space, and when to say so: RFC 9000 13.2.
 *
 * The conn reports every packet it could decrypt; this says whether it is new, when an
 * acknowledgement is due, and what it holds. Allocates nothing. When the bound on ranges is met the
 * oldest are forgotten: packets at or below `floor` count as duplicates from then on.
 */
#ifndef TVL_CORE_ACK_H
#define TVL_CORE_ACK_H

#include <tvl/tvl.h>

#define TVL_ACK_RANGES_MAX 64    /* ranges remembered and put into one ACK frame */
#define TVL_ACK_DELAY 5000u      /* us we may hold an ACK back; we advertise TVL_ACK_DELAY_MAX */
#define TVL_ACK_DELAY_MAX 25000u /* us, the default max_ack_delay (RFC 9000 18.2) */
#define TVL_ACK_EVERY 2          /* ack-eliciting packets per ACK, RFC 9000 13.2.2 */

struct tvl_pn_range {
    uint64_t first, last; /* packet numbers, both inclusive */
};

enum tvl_ack_policy {
    TVL_ACK_AT_ONCE, /* Initial and Handshake */
    TVL_ACK_DELAYED, /* application data */
};

struct tvl_ack_ecn {
    uint64_t ect0, ect1, ce; /* packets received so marked, since the space began */
};

struct tvl_ack {
    enum tvl_ack_policy policy;
    struct tvl_pn_range range[TVL_ACK_RANGES_MAX]; /* ascending, disjoint, not adjacent */
    size_t n_ranges;
    uint64_t floor;      /* numbers below are forgotten */
    tvl_time largest_at; /* when the largest arrived */
    tvl_time due_at;     /* TVL_TIME_NEVER: no ACK is owed */
    unsigned owed;       /* ack-eliciting packets not acknowledged yet */
    unsigned unanswered; /* ACKs sent since one of ours was acknowledged */
    struct tvl_ack_ecn ecn;
};

/* One received and decrypted packet. */
struct tvl_ack_packet {
    uint64_t pn;
    bool ack_eliciting;
    uint8_t ecn;     /* two bits of the IP header */
    tvl_time waited; /* us that it had come before it was read: delay of ours */
};

void tvl_ack_init(struct tvl_ack *a, enum tvl_ack_policy policy);

/* Already received, or too old to tell. Ask before a packet's frames are processed. */
bool tvl_ack_is_duplicate(const struct tvl_ack *a, uint64_t pn);

/* Report a packet that is not a duplicate. */
void tvl_ack_received(struct tvl_ack *a, const struct tvl_ack_packet *p, tvl_time now);

/* When an ACK must leave; TVL_TIME_NEVER: none owed. May lie in the past. */
tvl_time tvl_ack_due(const struct tvl_ack *a);

/* Something to say (an ACK may ride along with other frames though none is due). */
bool tvl_ack_pending(const struct tvl_ack *a);

/* Number expected next: to decode truncated packet numbers (RFC 9000 A.3); 0 before the first. */
uint64_t tvl_ack_largest_next(const struct tvl_ack *a);

/* Contents of an ACK frame made now. */
struct tvl_ack_out {
    uint64_t largest;
    tvl_time delay;                                /* us since `largest` arrived; not scaled */
    struct tvl_pn_range range[TVL_ACK_RANGES_MAX]; /* descending: range[0].last == largest */
    size_t n_ranges;
    struct tvl_ack_ecn ecn; /* all zero: send a plain ACK frame */
};

/* False when nothing was received. Changes nothing: tell tvl_ack_sent once the packet has left. */
bool tvl_ack_make(const struct tvl_ack *a, struct tvl_ack_out *out, tvl_time now);
void tvl_ack_sent(struct tvl_ack *a);

/*
 * Our ACK frame whose largest was `largest` has been acknowledged: the peer knows these ranges, and
 * those at or below it need not be told again (RFC 9000 13.2.4).
 */
void tvl_ack_forget(struct tvl_ack *a, uint64_t largest);

/* Many of our ACKs have gone unanswered: add a PING to the next one, so that ranges can be
 * forgotten (RFC 9000 13.2.4). */
bool tvl_ack_wants_ping(const struct tvl_ack *a);

#endif
