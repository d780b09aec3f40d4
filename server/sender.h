/*
 * sender.h - the server's policy as decisions that are logged and can be made again: which units a
 * viewer gets (policy.h), and what the live encoder is told (supply.h). Each viewer is one `who` of
 * the log; 0 is the encoder's.
 */
#ifndef SERVER_SENDER_H
#define SERVER_SENDER_H

#include <svc/decisions.h>

#include "policy.h"
#include "supply.h"

struct sender {           /* zero is a fresh one */
    struct policy policy; /* of a viewer */
    struct supply supply; /* of the encoder */
    uint64_t who;         /* in the log */
};

/* `log` may be NULL for all. */
struct policy_order sender_judge(struct sender *s, FILE *log, const struct policy_view *v,
                                 const struct svc_unit *unit);
void sender_sent(struct sender *s, FILE *log, const struct svc_unit *unit, uint64_t now);
void sender_lost(struct sender *s, FILE *log, struct svc_layer layer, uint64_t picture,
                 uint64_t now);
void sender_path_up(struct sender *s, FILE *log, uint64_t now);
void sender_supply(struct sender *s, FILE *log, const struct supply_input *in,
                   struct supply_decision *out);

extern const struct decision_policy sender_policy; /* for decision_replay */

#endif
