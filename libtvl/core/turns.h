/*
 * turns.h - which connections of an endpoint want something: to send, to be polled, to be woken.
 *
 *     send    may have something to send; in the order of their turns
 *     news    may have events
 *     stale   changed since their next tick was worked out
 *     timers  all others by their next tick
 *
 * A connection that nothing happens to is in `timers` alone and costs nothing. Every call that may
 * change one ends in tvl_turns_touch; being in a list without a reason costs one look.
 */
#ifndef TVL_CORE_TURNS_H
#define TVL_CORE_TURNS_H

#include <tvl/tvl.h>

#include "heap.h"

struct tvl_link { /* a place in a circular list, or its head; all NULL: in none */
    struct tvl_link *prev, *next;
};

struct tvl_turn { /* within a connection; zeroed at first */
    struct tvl_link all, send, news, stale;
    struct tvl_heap_node timer;
};

struct tvl_turns {
    struct tvl_link all, send, news, stale;
    struct tvl_heap timers;
    size_t count;
};

void tvl_turns_init(struct tvl_turns *t);
void tvl_turns_fini(struct tvl_turns *t); /* all have been removed */

/* A new one, touched; `tie` orders equal times. 0 or TVL_ERR_NOMEM. */
int tvl_turns_add(struct tvl_turns *t, struct tvl_turn *turn, uint64_t tie);
void tvl_turns_remove(struct tvl_turns *t, struct tvl_turn *turn);

/* Something may have changed. */
void tvl_turns_touch(struct tvl_turns *t, struct tvl_turn *turn);
/* The same, but it has nothing to send: it has just been asked. */
void tvl_turns_sent_all(struct tvl_turns *t, struct tvl_turn *turn);
/* It has sent one: the others first. */
void tvl_turns_sent_one(struct tvl_turns *t, struct tvl_turn *turn);
/* It has no events: it has just been asked. */
void tvl_turns_told_all(struct tvl_turns *t, struct tvl_turn *turn);
/* No longer stale: `at` is its next tick. */
void tvl_turns_wake_at(struct tvl_turns *t, struct tvl_turn *turn, tvl_time at);

/* The first of each, or NULL. */
struct tvl_turn *tvl_turns_any(const struct tvl_turns *t);
struct tvl_turn *tvl_turns_any_after(const struct tvl_turns *t, const struct tvl_turn *turn);
struct tvl_turn *tvl_turns_sender(const struct tvl_turns *t);
struct tvl_turn *tvl_turns_teller(const struct tvl_turns *t);
struct tvl_turn *tvl_turns_stale(const struct tvl_turns *t);
struct tvl_turn *tvl_turns_stale_after(const struct tvl_turns *t, const struct tvl_turn *turn);

/* When the first of those that are not stale is to be woken, or TVL_TIME_NEVER. */
tvl_time tvl_turns_next(const struct tvl_turns *t);
/* Touch all that are to be woken at `now`; they are the last of the stale ones. */
void tvl_turns_wake(struct tvl_turns *t, tvl_time now);

#endif
