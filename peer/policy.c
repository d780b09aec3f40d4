/* policy.c - see policy.h. */
#include "policy.h"

#define PERCENT 100u
/* The bar that the rate has to clear, in per cent of the need, by number of recent failures: an
 * estimate that was wrong has to promise more. */
static const unsigned fits_percent[] = { 100, 105, 110, 120 };
#define FITS_N (sizeof fits_percent / sizeof *fits_percent)
#define KEEP_PERCENT 70u    /* below that a layer that went well is still let go */
#define TRY_PERCENT 60u     /* a try below that fills the queues of layers that go well */
#define SHARE_MIN 8u        /* what is left beside the layers above is taken for 1/8 at least */
#define T0_DUE_PERCENT 100u /* of the budget, to be through the queue */
#define T1_DUE_PERCENT 60u  /* T1 gives way first */
#define IDLE_PERCENT 15u    /* a queue this short says nothing against the rate */

/* Lifetimes, per cent of the budget. */
#define BASE_LIVES 200u /* every later picture leans on it */
#define T0_LIVES 150u   /* its layer's next picture reads it */
#define T1_LIVES 100u   /* only its own picture does */
#define SOUND_LIVES 200u

static bool is_base(struct svc_layer l)
{
    return l.spatial == 0 && l.temporal == 0;
}

static bool is_sync(const struct svc_unit *u)
{
    for (unsigned i = 0; i < u->deps.n_reads; i++)
        if (u->deps.reads[i].picture != u->picture)
            return false;
    return u->layer.temporal == 0;
}

/* Other pictures than the next read it: it stays in a slot of its own. */
static bool is_long_term(const struct svc_unit *u)
{
    return (u->deps.refreshes & (u->deps.refreshes - 1)) != 0;
}

/* Whether `bytes` more than the backlog are sent, at `rate_bps`, within `percent` of the budget. */
static bool due(const struct policy_view *v, size_t bytes, uint64_t rate_bps, unsigned percent)
{
    if (rate_bps == 0)
        return false;
    uint64_t through_us = (v->backlog_bytes + bytes) * 8 * 1000000 / rate_bps;
    return through_us <= v->budget_us * percent / PERCENT;
}

/* What drains a queue that others may overtake: what they leave. */
static uint64_t share_bps(const struct policy_view *v)
{
    uint64_t least = v->rate_bps / SHARE_MIN;
    return v->rate_bps > v->above_bps + least ? v->rate_bps - v->above_bps : least;
}

static void fail(struct policy *p, unsigned spatial, uint64_t now)
{
    for (unsigned s = spatial; s < SVC_SPATIAL_MAX; s++) {
        struct policy_spatial *l = &p->spatial[s];
        if (!l->admitted || l->failed)
            continue;
        uint64_t wait = POLICY_BACKOFF_MAX_US;
        if (l->failures < 3)
            wait = (uint64_t)POLICY_BACKOFF_MIN_US << l->failures;
        l->failed = true;
        l->failures++;
        l->retry_at = now + wait;
    }
}

static bool fits(const struct policy_spatial *l, const struct policy_view *v)
{
    size_t bar = l->failures < FITS_N ? l->failures : FITS_N - 1;
    return v->sure_bps >= v->needed_bps / PERCENT * fits_percent[bar];
}

static bool admit(const struct policy_spatial *l, const struct policy_view *v)
{
    if (fits(l, v))
        return true;
    if (l->admitted && !l->failed)
        return v->sure_bps >= v->needed_bps / PERCENT * KEEP_PERCENT ||
               due(v, 0, v->rate_bps, IDLE_PERCENT);
    bool blind = v->sure_bps < v->needed_bps / PERCENT * TRY_PERCENT && l->failures > 0;
    return v->now >= l->retry_at + (blind ? POLICY_BLIND_US : 0);
}

static enum policy_verdict judge_sync(struct policy *p, const struct policy_view *v,
                                      const struct svc_unit *unit)
{
    struct policy_spatial *l = &p->spatial[unit->layer.spatial];
    bool went_well = l->admitted && !l->failed;
    bool admitted = admit(l, v);
    if (went_well && admitted && l->failures > 0)
        l->failures--;
    if (went_well && !admitted)
        fail(p, unit->layer.spatial, v->now);
    l->admitted = admitted;
    l->failed = false;
    l->sync_picture = unit->picture;
    return admitted ? POLICY_SEND : POLICY_DROP_RATE;
}

static enum policy_verdict judge(struct policy *p, const struct policy_view *v,
                                 const struct svc_unit *unit)
{
    if (is_base(unit->layer))
        return POLICY_SEND;
    bool sync = is_sync(unit);
    if (!svc_tracker_decodable(&p->sent, unit)) {
        if (sync) /* what is below was not sent: nothing was tried, nothing went well */
            p->spatial[unit->layer.spatial].admitted = false;
        return POLICY_DROP_BROKEN;
    }
    if (sync)
        return judge_sync(p, v, unit);
    if (v->now < p->grace_until)
        return POLICY_SEND;
    if (unit->layer.temporal > 0) {
        if (v->delay_us > v->budget_us) /* what it leans on comes late as it is */
            return POLICY_DROP_QUEUE;
        unsigned percent = unit->layer.spatial == 0 ? T0_DUE_PERCENT : T1_DUE_PERCENT;
        return due(v, unit->len, share_bps(v), percent) ? POLICY_SEND : POLICY_DROP_QUEUE;
    }
    if (is_long_term(unit) || due(v, unit->len, v->rate_bps, T0_DUE_PERCENT))
        return POLICY_SEND;
    fail(p, unit->layer.spatial, v->now);
    return POLICY_DROP_QUEUE;
}

/* A layer that has failed is worth another try: it has waited, and the rate holds it. */
static bool wants_back(const struct policy *p, const struct policy_view *v, unsigned spatial)
{
    const struct policy_spatial *l = &p->spatial[spatial];

    return spatial > 0 && v->now >= l->retry_at && fits(l, v);
}

static unsigned lives_percent(const struct svc_unit *unit)
{
    if (unit->layer.temporal > 0)
        return T1_LIVES;
    if (unit->layer.spatial == 0)
        return BASE_LIVES;
    return T0_LIVES;
}

struct policy_order policy_judge(struct policy *p, const struct policy_view *v,
                                 const struct svc_unit *unit)
{
    struct policy_order o = { .verdict = judge(p, v, unit),
                              .lifetime_us = v->budget_us * lives_percent(unit) / PERCENT };

    if (is_base(unit->layer)) /* the scheduler follows it unasked */
        o.protection = v->loss_ppm > POLICY_LOSSY_PPM ? POLICY_REPAIR : POLICY_PLAIN;
    else if (unit->layer.temporal == 0)
        o.protection = POLICY_RESCUE;
    o.refresh = o.verdict == POLICY_DROP_BROKEN && unit->layer.temporal == 0 &&
                wants_back(p, v, unit->layer.spatial);
    return o;
}

uint64_t policy_sound_lifetime(uint64_t budget_us)
{
    return budget_us * SOUND_LIVES / PERCENT;
}

void policy_sent(struct policy *p, const struct svc_unit *unit, uint64_t now)
{
    if (!p->begun && p->grace_until < now + POLICY_GRACE_US)
        p->grace_until = now + POLICY_GRACE_US;
    p->begun = true;
    if (is_base(unit->layer) && is_sync(unit)) {
        p->spatial[0].admitted = true;
        p->spatial[0].failed = false;
        p->spatial[0].sync_picture = unit->picture;
    }
    if (svc_tracker_decodable(&p->sent, unit))
        svc_tracker_decoded(&p->sent, unit);
}

void policy_lost(struct policy *p, struct svc_layer layer, uint64_t picture, uint64_t now)
{
    if (layer.spatial >= SVC_SPATIAL_MAX || picture < p->spatial[layer.spatial].sync_picture)
        return; /* taken up anew since */
    for (unsigned i = 0; i < SVC_SLOTS; i++) {
        if (!p->sent.slot[i].valid || p->sent.slot[i].spatial < layer.spatial)
            continue;
        /* T1 is read within its own picture only; what follows T0 leans on it. */
        uint64_t holds = p->sent.slot[i].picture;
        if (layer.temporal > 0 ? holds == picture : holds >= picture)
            p->sent.slot[i].valid = false;
    }
    if (layer.temporal == 0)
        fail(p, layer.spatial, now);
}

void policy_path_up(struct policy *p, uint64_t now)
{
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++) {
        p->spatial[s].failures = 0;
        p->spatial[s].retry_at = 0;
    }
    p->grace_until = now + POLICY_GRACE_US;
}

bool policy_begun(const struct policy *p)
{
    return p->begun;
}

int policy_top(const struct policy *p)
{
    int top = -1;
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        if (p->spatial[s].admitted && !p->spatial[s].failed)
            top = s;
    return top;
}
