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
#define TVL_ECN_ECT1 1          /* the two bits of the IP header */
#define TVL_ECN_ECT0 2
#define TVL_ECN_DOUBT_PTO 2 /* probe time-outs in a row that end the test: marks may kill */

enum tvl_ecn_state { TVL_ECN_TESTING, TVL_ECN_WAITING, TVL_ECN_CAPABLE, TVL_ECN_FAILED };

struct tvl_ecn {
    enum tvl_ecn_state state;
    uint8_t code;          /* TVL_ECN_ECT0, or TVL_ECN_ECT1 for a controller of L4S */
    uint8_t on;            /* the bits that what leaves now gets: code or 0 */
    unsigned tested, lost; /* packets marked during the test, and lost of them */
};

struct tvl_ecn_counts { /* packets, as in an ACK frame */
    uint64_t ect0, ect1, ce;
};

struct tvl_ecn_space { /* zeroed: nothing sent */
    struct tvl_ecn_counts told;
    uint64_t ect0, ect1; /* packets sent with each */
};

struct tvl_ecn_ack { /* an ACK frame that raised the largest number acknowledged */
    bool has_counts;
    struct tvl_ecn_counts counts;
    uint64_t ect0, ect1; /* packets newly acknowledged that were sent with each */
};

/* ECT(0); not wanted: FAILED from the start. */
void tvl_ecn_init(struct tvl_ecn *e, bool want);
/* Mark by the other code from now on: tested anew, since some bleach one and not the other. */
void tvl_ecn_use(struct tvl_ecn *e, uint8_t code);
/* Decide, for everything that leaves until the next call. */
void tvl_ecn_latch(struct tvl_ecn *e);
/* A packet marked with `code`. */
void tvl_ecn_sent(struct tvl_ecn *e, struct tvl_ecn_space *s, uint8_t code);
void tvl_ecn_lost(struct tvl_ecn *e); /* a marked packet */
void tvl_ecn_on_pto(struct tvl_ecn *e, unsigned pto_count);
/* Packets newly marked CE on the way; 0 also where the report cannot be believed. */
uint64_t tvl_ecn_on_ack(struct tvl_ecn *e, struct tvl_ecn_space *s, const struct tvl_ecn_ack *ack);
const char *tvl_ecn_name(enum tvl_ecn_state state); /* qlog's words */

#endif
