/*
 * choice.h - each path's controller is chosen while it runs, by the connection's objective.
 *
 *     acknowledgements ─► what was delivered, how long it queued ─► once a second: select.h
 *                                                                        │
 *     tvl_path_cc_swap(), TVL_EVENT_CONTROLLER, trace ◄── another, why ──┘
 *
 * A controller set by hand (tvl_path_set_cc) stays: nothing is chosen on that path until the
 * objective is set again. A path that moves to another place begins anew.
 *
 * Memory: nothing without an objective; else about 1 KiB per path that has carried something.
 */
#ifndef TVL_CORE_CHOICE_H
#define TVL_CORE_CHOICE_H

#include "select.h"
#include "path.h"

static inline bool tvl_choice_deadline_valid(tvl_time deadline)
{
    return deadline >= 1000 && deadline <= 60000000;
}

struct tvl_choice { /* on one path */
    struct tvl_selector s;
    uint64_t delivered_from, delivered_to; /* bytes, of the path: since the last look */
    uint64_t limited;                      /* of them: while there was not enough to send */
    uint64_t queue_sum, queue_n, in_time;  /* us, samples, those of them within the deadline */
    const struct tvl_cc_ops *from;         /* before the last change */
    char reason[TVL_REASON_MAX];           /* of it */
};

/* Packets of the path were acknowledged. */
void tvl_choice_heard(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now);
/* What was seen is of no use any more: the path has moved, or the objective is another. */
void tvl_choice_forget(struct tvl_path *p);
/* For the event of the last change. */
void tvl_choice_tell(const struct tvl_path *p, struct tvl_event *ev);

#endif
