/* sender.c - see sender.h. What policy.h takes as structs in structs lies flat in the log. */
#include "sender.h"

struct unit_in {
    uint64_t now, rate_bps, sure_bps, backlog_bytes, budget_us, needed_bps, above_bps,
        delay_us; /* as policy_view */
    uint32_t loss_ppm;
    uint64_t picture;
    uint32_t len;
    uint8_t spatial, temporal, refreshes, n_reads;
    bool key;
    uint8_t read_slot[SVC_SLOTS], read_spatial[SVC_SLOTS];
    uint64_t read_picture[SVC_SLOTS];
};

struct unit_out {
    uint8_t verdict, protection;
    uint64_t lifetime_us;
    bool refresh;
};

struct event_in { /* path_up: only `now` */
    uint64_t now, picture;
    uint8_t spatial, temporal;
};

struct event_out {
    int32_t top;
};

static void put_unit(struct unit_in *in, const struct svc_unit *u)
{
    in->picture = u->picture;
    in->len = (uint32_t)u->len;
    in->spatial = u->layer.spatial;
    in->temporal = u->layer.temporal;
    in->key = u->key;
    in->refreshes = u->deps.refreshes;
    in->n_reads = u->deps.n_reads;
    for (unsigned i = 0; i < u->deps.n_reads && i < SVC_SLOTS; i++) {
        in->read_slot[i] = u->deps.reads[i].slot;
        in->read_spatial[i] = u->deps.reads[i].spatial;
        in->read_picture[i] = u->deps.reads[i].picture;
    }
}

static struct svc_unit unit_of(const struct unit_in *in)
{
    struct svc_unit u = { .len = in->len,
                          .picture = in->picture,
                          .layer = { in->spatial, in->temporal },
                          .key = in->key,
                          .deps = { .refreshes = in->refreshes } };

    u.deps.n_reads = in->n_reads < SVC_SLOTS ? in->n_reads : SVC_SLOTS;
    for (unsigned i = 0; i < u.deps.n_reads; i++)
        u.deps.reads[i] =
            (struct svc_read){ in->read_slot[i], in->read_spatial[i], in->read_picture[i] };
    return u;
}

static bool in_range(uint8_t spatial, uint8_t temporal)
{
    return spatial < SVC_SPATIAL_MAX && temporal < SVC_TEMPORAL_MAX;
}

static void decide_unit(void *state, const void *in, void *out)
{
    const struct unit_in *i = in;
    const struct svc_unit unit = unit_of(i);
    const struct policy_view view = { .now = i->now,
                                      .rate_bps = i->rate_bps,
                                      .sure_bps = i->sure_bps,
                                      .backlog_bytes = i->backlog_bytes,
                                      .budget_us = i->budget_us,
                                      .needed_bps = i->needed_bps,
                                      .above_bps = i->above_bps,
                                      .delay_us = i->delay_us,
                                      .loss_ppm = i->loss_ppm };

    if (!in_range(i->spatial, i->temporal))
        return;
    const struct policy_order o = policy_judge(&((struct sender *)state)->policy, &view, &unit);
    *(struct unit_out *)out =
        (struct unit_out){ (uint8_t)o.verdict, (uint8_t)o.protection, o.lifetime_us, o.refresh };
}

static void tell_top(struct policy *p, void *out)
{
    ((struct event_out *)out)->top = policy_top(p);
}

static void decide_sent(void *state, const void *in, void *out)
{
    struct policy *p = &((struct sender *)state)->policy;
    const struct unit_in *i = in;
    const struct svc_unit unit = unit_of(i);

    if (in_range(i->spatial, i->temporal))
        policy_sent(p, &unit, i->now);
    tell_top(p, out);
}

static void decide_lost(void *state, const void *in, void *out)
{
    struct policy *p = &((struct sender *)state)->policy;
    const struct event_in *i = in;

    policy_lost(p, (struct svc_layer){ i->spatial, i->temporal }, i->picture, i->now);
    tell_top(p, out);
}

static void decide_path_up(void *state, const void *in, void *out)
{
    struct policy *p = &((struct sender *)state)->policy;

    policy_path_up(p, ((const struct event_in *)in)->now);
    tell_top(p, out);
}

static void decide_supply(void *state, const void *in, void *out)
{
    supply_decide(&((struct sender *)state)->supply, in, out);
}

static const struct decision_field unit_in[] = {
    DECISION_FIELD(struct unit_in, now, DECISION_U64),
    DECISION_FIELD(struct unit_in, rate_bps, DECISION_U64),
    DECISION_FIELD(struct unit_in, sure_bps, DECISION_U64),
    DECISION_FIELD(struct unit_in, backlog_bytes, DECISION_U64),
    DECISION_FIELD(struct unit_in, budget_us, DECISION_U64),
    DECISION_FIELD(struct unit_in, needed_bps, DECISION_U64),
    DECISION_FIELD(struct unit_in, above_bps, DECISION_U64),
    DECISION_FIELD(struct unit_in, delay_us, DECISION_U64),
    DECISION_FIELD(struct unit_in, loss_ppm, DECISION_U32),
    DECISION_FIELD(struct unit_in, picture, DECISION_U64),
    DECISION_FIELD(struct unit_in, len, DECISION_U32),
    DECISION_FIELD(struct unit_in, spatial, DECISION_U8),
    DECISION_FIELD(struct unit_in, temporal, DECISION_U8),
    DECISION_FIELD(struct unit_in, refreshes, DECISION_U8),
    DECISION_FIELD(struct unit_in, n_reads, DECISION_U8),
    DECISION_FIELD(struct unit_in, key, DECISION_BOOL),
    DECISION_FIELD(struct unit_in, read_slot, DECISION_U8),
    DECISION_FIELD(struct unit_in, read_spatial, DECISION_U8),
    DECISION_FIELD(struct unit_in, read_picture, DECISION_U64),
    { 0 },
};
static const struct decision_field unit_out[] = {
    DECISION_FIELD(struct unit_out, verdict, DECISION_U8),
    DECISION_FIELD(struct unit_out, protection, DECISION_U8),
    DECISION_FIELD(struct unit_out, lifetime_us, DECISION_U64),
    DECISION_FIELD(struct unit_out, refresh, DECISION_BOOL),
    { 0 },
};
static const struct decision_field event_in[] = {
    DECISION_FIELD(struct event_in, now, DECISION_U64),
    DECISION_FIELD(struct event_in, picture, DECISION_U64),
    DECISION_FIELD(struct event_in, spatial, DECISION_U8),
    DECISION_FIELD(struct event_in, temporal, DECISION_U8),
    { 0 },
};
static const struct decision_field event_out[] = {
    DECISION_FIELD(struct event_out, top, DECISION_I32),
    { 0 },
};

enum { UNIT, SENT, LOST, PATH_UP, SUPPLY };

static const struct decision table[] = {
    [UNIT] = { "unit", unit_in, unit_out, sizeof(struct unit_in), sizeof(struct unit_out),
               decide_unit },
    [SENT] = { "sent", unit_in, event_out, sizeof(struct unit_in), sizeof(struct event_out),
               decide_sent },
    [LOST] = { "lost", event_in, event_out, sizeof(struct event_in), sizeof(struct event_out),
               decide_lost },
    [PATH_UP] = { "path_up", event_in, event_out, sizeof(struct event_in), sizeof(struct event_out),
                  decide_path_up },
    [SUPPLY] = { "supply", supply_in_fields, supply_out_fields, sizeof(struct supply_input),
                 sizeof(struct supply_decision), decide_supply },
    { 0 },
};

const struct decision_policy sender_policy = { table, sizeof(struct sender) };

struct policy_order sender_judge(struct sender *s, FILE *log, const struct policy_view *v,
                                 const struct svc_unit *unit)
{
    struct unit_in in = { .now = v->now,
                          .rate_bps = v->rate_bps,
                          .sure_bps = v->sure_bps,
                          .backlog_bytes = v->backlog_bytes,
                          .budget_us = v->budget_us,
                          .needed_bps = v->needed_bps,
                          .above_bps = v->above_bps,
                          .delay_us = v->delay_us,
                          .loss_ppm = v->loss_ppm };
    struct unit_out out = { 0 };

    put_unit(&in, unit);
    decision_make(log, &table[UNIT], s->who, s, &in, &out);
    return (struct policy_order){ (enum policy_verdict)out.verdict, out.lifetime_us,
                                  (enum policy_protection)out.protection, out.refresh };
}

void sender_sent(struct sender *s, FILE *log, const struct svc_unit *unit, uint64_t now)
{
    struct unit_in in = { .now = now };
    struct event_out out = { 0 };

    put_unit(&in, unit);
    decision_make(log, &table[SENT], s->who, s, &in, &out);
}

void sender_lost(struct sender *s, FILE *log, struct svc_layer layer, uint64_t picture,
                 uint64_t now)
{
    const struct event_in in = { now, picture, layer.spatial, layer.temporal };
    struct event_out out = { 0 };

    decision_make(log, &table[LOST], s->who, s, &in, &out);
}

void sender_path_up(struct sender *s, FILE *log, uint64_t now)
{
    const struct event_in in = { .now = now };
    struct event_out out = { 0 };

    decision_make(log, &table[PATH_UP], s->who, s, &in, &out);
}

void sender_supply(struct sender *s, FILE *log, const struct supply_input *in,
                   struct supply_decision *out)
{
    decision_make(log, &table[SUPPLY], s->who, s, in, out);
}
