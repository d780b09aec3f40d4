/*
 * retry.h - when to try again: at once, then after half a second, doubling up to five, each drawn
 * within a quarter of it, so that a thousand players do not come back to a server at one moment.
 * Pure.
 */
#ifndef PEER_RETRY_H
#define PEER_RETRY_H

#include <stdint.h>

#define RETRY_FIRST_S 0.5
#define RETRY_MOST_S 5.0
#define RETRY_ASKED_MOST_S 300.0 /* a server that asks for more patience gets this */
#define RETRY_JITTER 0.25        /* of the wait, either way */

struct retry { /* zero is a fresh one, but give it a seed */
    unsigned failed;
    uint64_t seed; /* any */
};

/* A try has failed, or what had been got was lost: seconds until the next. */
double retry_wait(struct retry *r);
/* It was a success: the next wait is none. */
void retry_reset(struct retry *r);

#endif
