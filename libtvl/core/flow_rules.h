/*
 * flow_rules.h - what the application wants of its flows (struct tvl_flow_config), and how much of
 * it has been used: no streams in here, only the arithmetic. tvl_streams and the router ask.
 *
 * Memory: nothing until the first tvl_flow_set; then one struct tvl_flow_rule per flow set.
 */
#ifndef TVL_CORE_FLOW_RULES_H
#define TVL_CORE_FLOW_RULES_H

#include <tvl/tvl.h>

#define TVL_FLOW_QUANTUM                                                       \
    4096u /* bytes of a turn at share 1: a few packets, so that turns are rare \
             beside packets and still short beside a picture */

struct tvl_flow_rule {
    struct tvl_flow_config cfg;
    uint64_t held;                 /* bytes unsent or unacknowledged, all its streams */
    uint32_t queued;               /* of its streams have something to send */
    uint64_t turn;                 /* of the round robin; smaller ones come first */
    int64_t left;                  /* bytes of this turn; below 0: taken from the next */
    uint64_t spent[TVL_PATHS_MAX]; /* bytes sent on cfg.path[i] since it was listed */
};

struct tvl_flow_rules { /* zeroed: none */
    struct tvl_flow_rule **rule;
    uint64_t turn; /* the furthest that has sent */
    bool paths;    /* some flow may not go everywhere */
    bool copies;   /* some flow wants its data on two paths */
    bool repair;   /* some flow wants repair symbols */
};

void tvl_flow_rules_fini(struct tvl_flow_rules *t);
/* 0, TVL_ERR_ARG or TVL_ERR_NOMEM. `flow` [0, TVL_FLOWS_MAX). */
int tvl_flow_rules_set(struct tvl_flow_rules *t, uint32_t flow, const struct tvl_flow_config *cfg);
struct tvl_flow_rule *tvl_flow_rule(const struct tvl_flow_rules *t, uint32_t flow); /* or NULL */

/* For all below: `r` NULL is a flow that nothing was said about. */
uint64_t tvl_flow_rank(const struct tvl_flow_rule *r, uint64_t rank);
uint64_t tvl_flow_room(const struct tvl_flow_rule *r); /* bytes its window leaves */
bool tvl_flow_may(const struct tvl_flow_rule *r, uint32_t path_id);
/* Its turn, for a stream that has something to send now. */
uint64_t tvl_flow_turn(const struct tvl_flow_rules *t, struct tvl_flow_rule *r);
/* Bytes have left on the path. */
void tvl_flow_sent(struct tvl_flow_rules *t, struct tvl_flow_rule *r, uint32_t path_id,
                   uint64_t bytes);

#endif
