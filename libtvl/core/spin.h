/*
 * spin.h - the latency spin bit of one path, RFC 9000 17.4: a client turns over what it last heard,
 * a server gives it back, so that an observer sees the round trip time.
 *
 * One path in TVL_SPIN_HIDDEN shows none, drawn at random, so that those who never do are not
 * conspicuous; it then carries a value at random for each connection ID.
 */
#ifndef TVL_CORE_SPIN_H
#define TVL_CORE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define TVL_SPIN_HIDDEN 16 /* one path in so many, RFC 9000 17.4 */

struct tvl_rng;

struct tvl_spin {
    bool shown;   /* on this path */
    bool value;   /* what packets carry now */
    uint64_t cid; /* sequence number of the peer's ID it holds for */
};

/* `never`: it is not to be shown. */
void tvl_spin_init(struct tvl_spin *s, struct tvl_rng *rng, bool never);
/* The highest-numbered packet of the path so far carries `bit`. */
void tvl_spin_heard(struct tvl_spin *s, bool server, bool bit);
/* The value for a packet to the peer's ID number `cid`; another ID begins anew. */
bool tvl_spin_next(struct tvl_spin *s, struct tvl_rng *rng, uint64_t cid);

#endif
