/*
 * held.h - what one viewer is known to hold in its reference slots: the units of temporal layer 0
 * that were acknowledged, taken in the order they were sent, as its own decoder would take them. A
 * unit whose fate is not known yet holds up all after it: they may lean on it. Pure, but for
 * memory.
 */
#ifndef PEER_HELD_H
#define PEER_HELD_H

#include <svc/svc.h>

#define HELD_PENDING_MAX 128 /* units; the oldest of more counts as lost */

struct held_unit {
    uint64_t stream;
    enum held_fate { HELD_PENDING, HELD_ACKED, HELD_LOST } fate;
    struct svc_unit unit; /* without bytes */
};

struct held { /* zero is a fresh one */
    struct svc_tracker known;
    struct held_unit *pending; /* a ring of `cap`; owned */
    size_t first, n, cap;
};

void held_fini(struct held *h); /* then it is a fresh one */

/* `unit`, of whichever layer, was sent on `stream`. */
void held_sent(struct held *h, uint64_t stream, const struct svc_unit *unit);
/* All of the stream has arrived, or never will; a stream that is none of ours does nothing. */
void held_acked(struct held *h, uint64_t stream);
void held_lost(struct held *h, uint64_t stream);

#endif
