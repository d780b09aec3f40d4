/*
 * crew.h - one thread with its share of the subscribers: a libev loop, and squads of subscribers
 * that each share an endpoint and one socket of each path. It keeps to the timetable by itself and
 * talks to nobody; what others may look at meanwhile is atomic.
 */
#ifndef LOAD_CREW_H
#define LOAD_CREW_H

#include <stdatomic.h>

#include "args.h"
#include "tally.h"

struct tvl_tls;

struct timetable { /* us, CLOCK_MONOTONIC */
    uint64_t start, all_begun, counts_from;
    _Atomic uint64_t ends;  /* may be drawn nearer */
    _Atomic int64_t origin; /* see struct subscriber_host; 0 at first */
};

uint64_t timetable_now(void);

struct crew_look { /* for a line a second */
    atomic_size_t here, watching;
    atomic_uint_fast64_t bytes, failed;
};

struct crew;

/* Thread number `index` of args->threads begins at once; `args`, `tls` and `when` outlive it. 0, or
 * -1 with one line in `why`. */
int crew_new(struct crew **out, const struct args *args, struct tvl_tls *tls,
             struct timetable *when, unsigned index, char *why, size_t why_size);
const struct crew_look *crew_look(const struct crew *c);
/* Waits for its end. The tally is the crew's. */
const struct tally *crew_join(struct crew *c);
void crew_free(struct crew *c); /* after crew_join */

#endif
