/* supply.c - see supply.h. */
#include "supply.h"

#define PERCENT 100u

const char *supply_reason_text(enum supply_reason r)
{
    static const char *const texts[] = {
        [SUPPLY_SAME] = "as before",
        [SUPPLY_BEGIN] = "to begin with",
        [SUPPLY_WANTED] = "what viewers take",
        [SUPPLY_FAULT] = "units were too late",
        [SUPPLY_QUEUE] = "a queue does not drain",
        [SUPPLY_THINNED] = "others than T0 had to make room",
        [SUPPLY_LEFT_OUT] = "the paths do not carry the layer",
        [SUPPLY_PROOF] = "all of it came in time",
        [SUPPLY_RETURN] = "the layer is tried again",
    };
    return (unsigned)r < sizeof texts / sizeof *texts ? texts[r] : "";
}

/* ---- sums and shares ---- */

static uint64_t share(uint64_t of, unsigned percent)
{
    return of * percent / PERCENT;
}

static uint32_t least(const struct supply_input *in, unsigned spatial)
{
    return (uint32_t)share(in->configured_bps[spatial], SUPPLY_LEAST_PERCENT);
}

/* All that is coded of the lowest `n` layers, and sound. */
static uint64_t total(const struct supply *s, const struct supply_input *in, unsigned n)
{
    uint64_t sum = in->audio_bps;
    for (unsigned i = 0; i < n; i++)
        sum += s->rate_bps[i];
    return sum;
}

static bool is_queue(const struct supply_input *in, unsigned percent)
{
    return in->queue_us > share(in->latency_us, percent);
}

/* ---- down ---- */

static void note_failure(struct supply *s, uint64_t sum_bps, int64_t now_us)
{
    if (s->failed_bps && now_us - s->fault_at_us >= SUPPLY_EPISODE_US) {
        bool tried = sum_bps >= share(s->failed_bps, SUPPLY_FAILED_PERCENT);
        if (!tried)
            s->failures = 0; /* the paths are others than they were */
        else if (s->failures < SUPPLY_BACKOFF_STEPS - 1)
            s->failures++;
    }
    s->failed_bps = sum_bps;
    s->retry_at_us = now_us + ((int64_t)SUPPLY_BACKOFF_US << s->failures);
}

/* For the top layer, by what passes. Acknowledgements tell no more than what was sent, unless more
 * waited. */
static uint32_t cut_rate(const struct supply *s, const struct supply_input *in)
{
    unsigned top = s->coded - 1u;
    uint64_t sure = in->rate_bps, below = total(s, in, top), rate = s->rate_bps[top];
    if (is_queue(in, SUPPLY_IDLE_PERCENT) && in->delivered_bps < sure)
        sure = in->delivered_bps;
    sure = share(sure, SUPPLY_SURE_PERCENT);
    uint64_t aim = sure > below ? sure - below : 0;
    uint64_t low = share(rate, SUPPLY_CUT_MOST_PERCENT);
    uint64_t high = share(rate, SUPPLY_CUT_LEAST_PERCENT);
    return (uint32_t)(aim < low ? low : aim > high ? high : aim);
}

static enum supply_reason cut(struct supply *s, const struct supply_input *in,
                              enum supply_reason why)
{
    unsigned top = s->coded - 1u;
    uint32_t rate = cut_rate(s, in);
    note_failure(s, total(s, in, s->coded), in->now_us);
    s->cut_at_us = in->now_us;
    s->thinned = 0;
    s->rate_bps[top] = rate > least(in, top) ? rate : least(in, top);
    if (rate >= least(in, top) || top == 0)
        return why;
    s->failed_bps = total(s, in, s->coded); /* not even its least rate passes */
    s->cut_at_us += SUPPLY_DRAIN_US;
    s->allowed = s->coded = (uint8_t)top;
    return SUPPLY_LEFT_OUT;
}

/* ---- up ---- */

static bool may_be(const struct supply *s, uint64_t sum_bps, int64_t now_us)
{
    return sum_bps <= share(s->failed_bps, SUPPLY_FAILED_PERCENT) || now_us >= s->retry_at_us;
}

static enum supply_reason rise(struct supply *s, const struct supply_input *in)
{
    uint64_t sum = total(s, in, s->coded);
    for (unsigned i = 0; i < s->coded; i++) {
        uint32_t most = in->configured_bps[i];
        uint64_t next = s->rate_bps[i] + share(most, SUPPLY_STEP_PERCENT);
        if (s->rate_bps[i] >= most)
            continue;
        next = next < most ? next : most;
        if (!may_be(s, sum + next - s->rate_bps[i], in->now_us))
            return SUPPLY_SAME;
        s->rate_bps[i] = (uint32_t)next;
        s->clean_since_us = in->now_us;
        return SUPPLY_PROOF;
    }
    if (s->allowed >= in->wanted || !may_be(s, sum + least(in, s->allowed), in->now_us))
        return SUPPLY_SAME;
    s->rate_bps[s->allowed] = least(in, s->allowed);
    s->coded = ++s->allowed;
    s->clean_since_us = in->now_us;
    return SUPPLY_RETURN;
}

static void forgive(struct supply *s, const struct supply_input *in)
{
    if (total(s, in, s->coded) < s->failed_bps)
        s->above_since_us = in->now_us;
    if (in->now_us - s->above_since_us < SUPPLY_FORGIVE_US)
        return;
    s->failed_bps = 0;
    s->failures = 0;
}

/* ---- the decision ---- */

static void begin(struct supply *s, const struct supply_input *in)
{
    *s = (struct supply){ .begun = true, .allowed = in->n_spatial, .coded = in->wanted };
    for (unsigned i = 0; i < in->n_spatial; i++)
        s->rate_bps[i] = in->configured_bps[i];
    s->cut_at_us = in->now_us - SUPPLY_APART_US;
    s->clean_since_us = in->now_us;
    s->quiet_until_us = in->now_us + SUPPLY_GRACE_US;
}

/* Why the rates are to be cut; SUPPLY_SAME: nothing speaks against them. What expires soon after a
 * cut was sent before it. */
static enum supply_reason fault(struct supply *s, const struct supply_input *in)
{
    bool thinned = false, of_before = in->now_us - s->cut_at_us <= in->latency_us;
    for (unsigned i = 0; i < s->coded; i++) {
        if (in->dropped[i] > 0 || (in->expired[i] > 0 && !of_before))
            return SUPPLY_FAULT;
        thinned = thinned || in->thinned[i] > 0;
    }
    if (thinned)
        s->clean_since_us = in->now_us;
    if (is_queue(in, SUPPLY_QUEUE_PERCENT))
        return SUPPLY_QUEUE;
    if (!thinned)
        s->thinned = s->thinned > 0 ? (uint8_t)(s->thinned - 1) : 0;
    else if (s->thinned < SUPPLY_THINNED_MAX)
        s->thinned = (uint8_t)(s->thinned + 2);
    return s->thinned >= SUPPLY_THINNED_MAX ? SUPPLY_THINNED : SUPPLY_SAME;
}

/* The viewer, its paths, an outage: what makes the faults of the moment no evidence. */
static void heed(struct supply *s, const struct supply_input *in)
{
    int64_t until_us = in->now_us;
    if (in->who == s->who && in->paths > s->paths) {
        s->failed_bps = 0;
        s->failures = 0;
        until_us += SUPPLY_GRACE_US;
    } else if (in->delivered_bps == 0 && is_queue(in, SUPPLY_IDLE_PERCENT)) {
        until_us += SUPPLY_OUTAGE_US;
    }
    s->who = in->who;
    s->paths = in->paths;
    if (s->quiet_until_us < until_us)
        s->quiet_until_us = until_us;
}

static enum supply_reason follow_wanted(struct supply *s, const struct supply_input *in)
{
    uint8_t coded = in->wanted < s->allowed ? in->wanted : s->allowed;
    if (coded == s->coded)
        return SUPPLY_SAME;
    s->coded = coded;
    s->clean_since_us = in->now_us;
    return SUPPLY_WANTED;
}

static enum supply_reason judge(struct supply *s, const struct supply_input *in)
{
    unsigned top = s->coded - 1u;
    enum supply_reason why = fault(s, in);
    bool unsent = in->offered[top] > 0 && in->sent[top] == 0; /* it waits for a refresh */
    if (in->now_us < s->quiet_until_us) {
        s->thinned = 0;
        s->clean_since_us = in->now_us;
        return SUPPLY_SAME;
    }
    if (why != SUPPLY_SAME || unsent || is_queue(in, SUPPLY_IDLE_PERCENT))
        s->clean_since_us = in->now_us;
    if (why != SUPPLY_SAME) {
        bool apart = in->now_us - s->cut_at_us >= SUPPLY_APART_US;
        why = apart ? cut(s, in, why) : SUPPLY_SAME;
        s->fault_at_us = s->above_since_us = in->now_us;
        return why;
    }
    forgive(s, in);
    return in->now_us - s->clean_since_us >= SUPPLY_PROOF_US ? rise(s, in) : SUPPLY_SAME;
}

static enum supply_reason decide(struct supply *s, const struct supply_input *in)
{
    if (in->wanted == 0) {
        bool before = s->begun;
        *s = (struct supply){ 0 };
        return before ? SUPPLY_WANTED : SUPPLY_SAME;
    }
    if (!s->begun) {
        begin(s, in);
        s->who = in->who;
        s->paths = in->paths;
        return SUPPLY_BEGIN;
    }
    heed(s, in);
    enum supply_reason why = follow_wanted(s, in);
    return why == SUPPLY_SAME ? judge(s, in) : why;
}

void supply_decide(struct supply *s, const struct supply_input *in, struct supply_decision *out)
{
    *out = (struct supply_decision){ .n_spatial = 1 };
    if (in->n_spatial < 1 || in->n_spatial > SVC_SPATIAL_MAX || in->wanted > in->n_spatial)
        return;
    out->reason = (uint8_t)decide(s, in);
    out->bitrate_bps[0] = in->configured_bps[0]; /* where nobody watches */
    for (unsigned i = 0; i < s->coded; i++)
        out->bitrate_bps[i] = s->rate_bps[i];
    out->n_spatial = s->coded > 1 ? s->coded : 1;
}

/* ---- the log's view of it ---- */

const struct decision_field supply_in_fields[] = {
    DECISION_FIELD(struct supply_input, now_us, DECISION_I64),
    DECISION_FIELD(struct supply_input, n_spatial, DECISION_U8),
    DECISION_FIELD(struct supply_input, wanted, DECISION_U8),
    DECISION_FIELD(struct supply_input, configured_bps, DECISION_U32),
    DECISION_FIELD(struct supply_input, audio_bps, DECISION_U32),
    DECISION_FIELD(struct supply_input, latency_us, DECISION_U32),
    DECISION_FIELD(struct supply_input, who, DECISION_U64),
    DECISION_FIELD(struct supply_input, paths, DECISION_U32),
    DECISION_FIELD(struct supply_input, rate_bps, DECISION_U64),
    DECISION_FIELD(struct supply_input, delivered_bps, DECISION_U64),
    DECISION_FIELD(struct supply_input, queue_us, DECISION_U32),
    DECISION_FIELD(struct supply_input, offered, DECISION_U32),
    DECISION_FIELD(struct supply_input, sent, DECISION_U32),
    DECISION_FIELD(struct supply_input, dropped, DECISION_U32),
    DECISION_FIELD(struct supply_input, expired, DECISION_U32),
    DECISION_FIELD(struct supply_input, thinned, DECISION_U32),
    { 0 },
};
const struct decision_field supply_out_fields[] = {
    DECISION_FIELD(struct supply_decision, n_spatial, DECISION_U8),
    DECISION_FIELD(struct supply_decision, bitrate_bps, DECISION_U32),
    DECISION_FIELD(struct supply_decision, reason, DECISION_U8),
    { 0 },
};
