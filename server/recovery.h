/*
 * recovery.h - before the encoder predicts a layer anew it has to be known what all hold who follow
 * that layer: one worker says that it is needed, the others are asked, and when all have answered
 * the order is given. Pure; letters are carried by broadcast.c.
 */
#ifndef SERVER_RECOVERY_H
#define SERVER_RECOVERY_H

#include "letter.h"

#define RECOVERY_PATIENCE_US 1000000 /* then nobody is waited for any more */

struct recovery {
    bool needed;
    uint64_t since_us;
    uint32_t asked;  /* workers whose answer is waited for, a bit each */
    uint8_t spatial; /* from this layer up */
    bool has_held;   /* false: something is not known */
    struct svc_tracker held;
};

void recovery_init(struct recovery *r);
/* LETTER_MISSED. The workers to be asked for r->spatial now, of `followers`. */
uint32_t recovery_missed(struct recovery *r, const struct letter *l, uint32_t followers,
                         uint64_t now_us);
void recovery_heard(struct recovery *r, const struct letter *l); /* LETTER_HELD */
void recovery_left(struct recovery *r, unsigned worker);         /* nobody there follows any more */
bool recovery_is_complete(const struct recovery *r);
void recovery_order(struct recovery *r, struct encoder_orders *orders); /* when it is complete */

#endif
