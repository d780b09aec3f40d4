/*
 * ecn.h - whether a path carries ECN marks: RFC 9000 13.4.2 and A.4.
 *
 *             ten packets marked          counts right
 *   TESTING ----------------------> WAITING ----------> CAPABLE
 *      |  probe time-outs              | all of them lost,   |
 *      |                               | counts wrong        | counts wrong
 *      +--------(counts wrong)---------+-----> FAILED <------+
 *
 * One struct tvl_ecn per path; the counts that the peer reports are per packet number space. Marks
 * are decided once per call of the sender, so that packet and datagram agree. Pure.
 */
#ifndef TVL_CORE_ECN_H
#define TVL_CORE_ECN_H

#include <stdbool.h>
#include <stdint.h>

#define TVL_ECN_TEST_PACKETS 10 /* RFC 9000 A.4 */
#define TVL_ECN_ECT0 2          /* the two bits of the IP header */
#define TVL_ECN_DOUBT_PTO 2     /* probe time-outs in a row that end the test: marks may kill */

enum tvl_ecn_state { TVL_ECN_TESTING, TVL_ECN_WAITING, TVL_ECN_CAPABLE, TVL_ECN_FAILED };

struct tvl_ecn {
    enum tvl_ecn_state state;
    bool on;               /* mark what leaves now */
    unsigned tested, lost; /* packets marked during the test, and lost of them */
};

struct tvl_ecn_counts { /* packets, as in an ACK frame */
    uint64_t ect0, ect1, ce;
};

struct tvl_ecn_space { /* zeroed: nothing sent */
    struct tvl_ecn_counts told;
    uint64_t marked; /* packets sent with ECT(0) */
};

struct tvl_ecn_ack { /* an ACK frame that raised the largest number acknowledged */
    bool has_counts;
    struct tvl_ecn_counts counts;
    uint64_t marked; /* packets newly acknowledged that were marked */
};

void tvl_ecn_init(struct tvl_ecn *e, bool want); /* not wanted: FAILED from the start */
/* Decide, for everything that leaves until the next call. */
void tvl_ecn_latch(struct tvl_ecn *e);
void tvl_ecn_sent(struct tvl_ecn *e, struct tvl_ecn_space *s); /* a marked packet */
void tvl_ecn_lost(struct tvl_ecn *e);                          /* a marked packet */
void tvl_ecn_on_pto(struct tvl_ecn *e, unsigned pto_count);
/* True: packets were newly marked CE on the way, and the report can be believed. */
bool tvl_ecn_on_ack(struct tvl_ecn *e, struct tvl_ecn_space *s, const struct tvl_ecn_ack *ack);
const char *tvl_ecn_name(enum tvl_ecn_state state); /* qlog's words */

#endif
