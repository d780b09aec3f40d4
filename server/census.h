/*
 * census.h - one question of the main loop to all workers at once: who is there. Counted, as a
 * worker may answer when nobody waits any more.
 */
#ifndef SERVER_CENSUS_H
#define SERVER_CENSUS_H

#include "snapshot.h"

#define CENSUS_PATIENCE_MS 1000 /* a worker that takes longer is left out */

struct census;

struct census_part {                  /* one worker's answer */
    struct snapshot_session *session; /* n of them, owned by the census once given */
    size_t n;
    struct tvl_endpoint_stats endpoint;
    struct snapshot_totals totals;
};

/* With one reference. NULL: no memory. */
struct census *census_new(unsigned workers);
struct census *census_ref(struct census *c); /* any thread; returns `c` */
void census_unref(struct census *c);         /* any thread; NULL allowed */
/* On the worker's thread, once. */
void census_answer(struct census *c, unsigned worker, const struct census_part *part);
/*
 * Waits until all have answered or CENSUS_PATIENCE_MS are over, and adds what they said to `out`,
 * its list of sessions included. How many have not answered, or -1: no memory.
 */
int census_wait(struct census *c, struct snapshot *out);

#endif
