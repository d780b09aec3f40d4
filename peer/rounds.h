/*
 * rounds.h - several places to try, one at a time, in rounds: who tries knows when all have had
 * their turn, and begins where it got through the last time.
 */
#ifndef PEER_ROUNDS_H
#define PEER_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

struct rounds { /* all 0 at first */
    size_t next, left;
};

/* Which of `n` places is tried now, n > 0. Without any left of a round the next one begins. */
size_t rounds_take(struct rounds *t, size_t n);
/* That place answers: the round is over, the next one begins with it. */
void rounds_stay(struct rounds *t);
/* Of this round others are to be tried. */
bool rounds_left(const struct rounds *t);

#endif
