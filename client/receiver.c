/* receiver.c - see receiver.h. */
#include "receiver.h"

static const struct decision_field demand_in[] = {
    DECISION_FIELD(struct demand_input, now_us, DECISION_I64),
    DECISION_FIELD(struct demand_input, latency_us, DECISION_U32),
    DECISION_FIELD(struct demand_input, n_spatial, DECISION_U8),
    DECISION_FIELD(struct demand_input, n_temporal, DECISION_U8),
    DECISION_FIELD(struct demand_input, width, DECISION_U32),
    DECISION_FIELD(struct demand_input, height, DECISION_U32),
    DECISION_FIELD(struct demand_input, display_width, DECISION_U32),
    DECISION_FIELD(struct demand_input, display_height, DECISION_U32),
    DECISION_FIELD(struct demand_input, levels_max, DECISION_U8),
    DECISION_FIELD(struct demand_input, paths, DECISION_U32),
    DECISION_FIELD(struct demand_input, elapsed_us, DECISION_U32),
    DECISION_FIELD(struct demand_input, busy_us, DECISION_U32),
    DECISION_FIELD(struct demand_input, too_slow, DECISION_U32),
    DECISION_FIELD(struct demand_input, in_time, DECISION_U32),
    DECISION_FIELD(struct demand_input, useless, DECISION_U32),
    DECISION_FIELD(struct demand_input, margin_us, DECISION_I32),
    { 0 },
};
static const struct decision_field demand_out[] = {
    DECISION_FIELD(struct demand_decision, spatial, DECISION_U8),
    DECISION_FIELD(struct demand_decision, temporal, DECISION_U8),
    DECISION_FIELD(struct demand_decision, reason, DECISION_U8),
    { 0 },
};
static const struct decision_field delay_in[] = {
    DECISION_FIELD(struct playout_arrival, now_us, DECISION_I64),
    DECISION_FIELD(struct playout_arrival, late_us, DECISION_I64),
    DECISION_FIELD(struct playout_arrival, fresh, DECISION_BOOL),
    DECISION_FIELD(struct playout_arrival, low, DECISION_BOOL),
    DECISION_FIELD(struct playout_arrival, extra_max_us, DECISION_I64),
    DECISION_FIELD(struct playout_arrival, reserve_us, DECISION_I64),
    { 0 },
};
static const struct decision_field delay_out[] = {
    DECISION_FIELD(struct playout_change, shift_us, DECISION_I64),
    { 0 },
};

static void decide_demand(void *state, const void *in, void *out)
{
    demand_decide(&((struct receiver *)state)->demand, in, out);
}

static void decide_delay(void *state, const void *in, void *out)
{
    playout_delay_decide(&((struct receiver *)state)->delay, in, out);
}

enum { DEMAND, DELAY };

static const struct decision table[] = {
    [DEMAND] = { "demand", demand_in, demand_out, sizeof(struct demand_input),
                 sizeof(struct demand_decision), decide_demand },
    [DELAY] = { "delay", delay_in, delay_out, sizeof(struct playout_arrival),
                sizeof(struct playout_change), decide_delay },
    { 0 },
};

const struct decision_policy receiver_policy = { table, sizeof(struct receiver) };

void receiver_demand(struct receiver *r, FILE *log, const struct demand_input *in,
                     struct demand_decision *out)
{
    decision_make(log, &table[DEMAND], 0, r, in, out);
}

void receiver_delay(struct receiver *r, FILE *log, const struct playout_arrival *in,
                    struct playout_change *out)
{
    decision_make(log, &table[DELAY], 0, r, in, out);
}
