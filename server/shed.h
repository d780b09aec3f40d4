/*
 * shed.h - what a worker that does not keep up leaves out, for all its viewers of a broadcast at
 * once, by how old an object is when its turn comes: first layers, then pictures. What is left
 * comes in time, and to leave out costs nothing. Pure.
 *
 *     age, of the latency budget      left out
 *     more than a quarter             temporal layers above the lowest
 *     more than half                  spatial layers above the base, too
 *     more than all of it             everything, and then pictures up to a key picture that is no
 *                                     older than half
 */
#ifndef SERVER_SHED_H
#define SERVER_SHED_H

#include <svc/svc.h>

#define SHED_CALM_US 1000000 /* without anything left out: it keeps up again */
#define SHED_SATURATED_US \
    2000000 /* not keeping up for so long: there is no room for more viewers */

struct shed {             /* zero is a fresh one */
    bool skips;           /* up to a key picture */
    uint64_t began, last; /* us: when something was left out, first and last; 0: it keeps up */
};

/* Whether the object is left out. `unit`: NULL for sound and what is not ours to understand;
 * `age_us`: since it was made; `now`: us, any monotonic clock, not 0. */
bool shed_leaves_out(struct shed *s, const struct svc_unit *unit, uint64_t age_us,
                     uint64_t budget_us, uint64_t now);
/* It skips, and would not need to if a key picture came now. */
bool shed_wants_key(const struct shed *s, uint64_t age_us, uint64_t budget_us);
bool shed_is_saturated(const struct shed *s, uint64_t now);
/* What an object that is sent at this age has left of the budget: at least half. */
uint64_t shed_budget(uint64_t age_us, uint64_t budget_us);

#endif
