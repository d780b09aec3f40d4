/*
 * receiver.h - the receiver's policy as decisions that are logged and can be made again: which
 * layers are asked for (demand.h), and how far behind their arrival pictures are shown (playout.h).
 */
#ifndef CLIENT_RECEIVER_H
#define CLIENT_RECEIVER_H

#include "demand.h"
#include "playout.h"

#include <svc/decisions.h>

struct receiver { /* zero is a fresh one */
    struct demand demand;
    struct playout_delay delay;
};

/* `log` may be NULL. */
void receiver_demand(struct receiver *r, FILE *log, const struct demand_input *in,
                     struct demand_decision *out);
void receiver_delay(struct receiver *r, FILE *log, const struct playout_arrival *in,
                    struct playout_change *out);

extern const struct decision_policy receiver_policy; /* for decision_replay */

#endif
