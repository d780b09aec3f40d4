/*
 * select.h - the choice of a controller for one path: pure, fed once a second, bounded.
 * core/choice.c feeds it; tvl_select_explain() asks it for a model alone.
 *
 *     prior      knowledge, the nearer the more, and formulas
 *     experience what a controller has shown on this path, the older the less
 *     score      both together
 *
 * The best score is chosen when it beats the present one by TVL_SELECT_GAIN, not before the present
 * one has had its TVL_SELECT_DWELL, and a trial of one that only looks good is judged soon after.
 */
#ifndef TVL_CORE_SELECT_H
#define TVL_CORE_SELECT_H

#include <tvl/cc.h>
#include <tvl/select.h>

#define TVL_SELECT_EVERY 1000000u /* us between two looks */
#define TVL_SELECT_GAIN 1.2       /* a smaller difference causes no swap */
#define TVL_SELECT_DWELL 4000000u /* us, at least; and 20 round trips */
#define TVL_SELECT_TRIALS 3       /* swaps to what has not been tried, per TVL_SELECT_TRIAL_SPAN */
#define TVL_SELECT_TRIAL_SPAN 60000000u /* us */
#define TVL_SELECT_FORGET 60000000u     /* us in which experience loses half its weight */

struct tvl_selector_seen { /* one controller on this path */
    double mean, weight;   /* score; in looks */
    tvl_time tried, last_at;
};

struct tvl_selector {
    const struct tvl_knowledge *k; /* may be NULL */
    enum tvl_objective objective;
    tvl_time deadline; /* us from sending to use; video only */
    uint32_t datagram;
    struct tvl_selector_seen seen[TVL_SELECT_MAX]; /* by place in tvl_cc_all */
    int current;
    tvl_time since, looked_at;
    unsigned trials;
    tvl_time trials_from;
    uint64_t capacity_bps; /* the largest seen on the path, by any */
    uint64_t swaps;
};

/* What the controller in use achieved since the last look. */
struct tvl_selector_look {
    const struct tvl_path_model *model;
    uint64_t rate_bps; /* delivered */
    tvl_time queue;    /* us, mean */
    bool limited;      /* by the application: says nothing of the controller */
    tvl_time now;
};

/* It is time for another look; before, nothing needs to be asked. */
static inline bool tvl_selector_due(const struct tvl_selector *s, tvl_time now)
{
    return now - s->looked_at >= TVL_SELECT_EVERY;
}

void tvl_selector_init(struct tvl_selector *s, const struct tvl_knowledge *k,
                       enum tvl_objective objective, tvl_time deadline, const char *cc,
                       tvl_time now);
/* The controller to use from now on; NULL: as before. */
const struct tvl_cc_ops *tvl_selector_look(struct tvl_selector *s,
                                           const struct tvl_selector_look *look);
/* As tvl_select_explain, with what was seen on the path. */
size_t tvl_selector_explain(const struct tvl_selector *s, const struct tvl_path_model *m,
                            struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                            size_t reason_size);

#endif
