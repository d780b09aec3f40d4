/*
 * select.h - the choice of a controller for one path: pure, fed once a second, bounded.
 * core/choice.c feeds it; tvl_select_explain() asks it for a model alone.
 *
 *     nothing is known    what is best on average in the knowledge, if it knows anything
 *     TVL_SELECT_SETTLE   the first choice by the path's model: the best, by whatever little
 *     then                another one if it is better by TVL_SELECT_GAIN, not before the present
 *                         one has had its TVL_SELECT_DWELL; a few trials of what was not in use
 *
 *     prior      knowledge, the nearer the more, and formulas; each by how well it has foretold
 *                what was seen on this path
 *     experience by how much a controller has kept its prior here, the older the less; what one
 *                falls short of is in part held to be the path's, and counts for all others
 *     score      prior times that
 */
#ifndef TVL_CORE_SELECT_H
#define TVL_CORE_SELECT_H

#include <tvl/cc.h>
#include <tvl/select.h>

#define TVL_SELECT_EVERY 1000000u  /* us between two looks */
#define TVL_SELECT_SETTLE 2000000u /* us until the first choice by the model; and 6 round trips */
#define TVL_SELECT_GAIN 1.2        /* a smaller difference causes no swap */
#define TVL_SELECT_DWELL 4000000u  /* us, at least; and 20 round trips */
#define TVL_SELECT_TRIALS 3        /* swaps to what has not been tried, per TVL_SELECT_TRIAL_SPAN */
#define TVL_SELECT_TRIAL_SPAN 60000000u /* us */
#define TVL_SELECT_FORGET 60000000u     /* us in which experience loses half its weight */

struct tvl_selector_seen {    /* one controller on this path */
    double actual, predicted; /* scores summed over the looks that count */
    double weight;            /* how many they are, the older the less */
    tvl_time tried, last_at;
};

struct tvl_selector_error { /* of what foretells: |predicted - actual| over the larger, mean */
    double mean, weight;    /* weight: looks; 0: never compared */
};

struct tvl_selector {
    const struct tvl_knowledge *k; /* may be NULL */
    enum tvl_objective objective;
    tvl_time deadline; /* us from sending to use; video only */
    uint32_t datagram;
    struct tvl_selector_seen seen[TVL_SELECT_MAX]; /* by place in tvl_cc_all */
    struct tvl_selector_error knowledge, formula;
    double share[TVL_SELECT_MAX]; /* of the best, foretold: mean over the last looks; <0 unknown */
    double share_looks;
    int current;
    bool begun, settled;
    tvl_time began, since, looked_at;
    unsigned trials;
    tvl_time trials_from;
    uint64_t swaps;
};

/* What the controller in use achieved since the last look. */
struct tvl_selector_look {
    const struct tvl_path_model *model;
    uint64_t rate_bps; /* delivered */
    tvl_time queue;    /* us, mean */
    double in_time;    /* share that was there within the deadline; video only */
    bool limited;      /* by the application: says nothing of the controller */
    tvl_time now;
};

/* It is time for another look; before, nothing needs to be asked. */
static inline bool tvl_selector_due(const struct tvl_selector *s, tvl_time now)
{
    return !s->begun || now - s->looked_at >= TVL_SELECT_EVERY;
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
