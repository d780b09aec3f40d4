/* structure.c - the table of structure.h as functions; every entry is in the unit test. */
#include "structure.h"

#include <stdio.h>
#include <string.h>

static const struct period { /* by number of temporal layers */
    uint8_t n;
    uint8_t temporal[SVC_PERIOD_MAX];
    uint8_t from[SVC_PERIOD_MAX]; /* temporal layer of what is read */
} periods[] = {
    [1] = { 1, { 0 }, { 0 } },
    [2] = { 2, { 0, 1 }, { 0, 0 } },
    [3] = { 4, { 0, 2, 1, 2 }, { 0, 0, 0, 1 } },
};

static uint8_t slot_of(const struct svc_structure *st, unsigned spatial, unsigned temporal)
{
    if (temporal > 0 && temporal + 1u == st->n_temporal && spatial + 1u == st->n_spatial)
        return SVC_NO_SLOT;
    return (uint8_t)(temporal * st->n_spatial + spatial);
}

/* Slots of the ordinary references: all but the one that nobody reads. */
static unsigned slots_used(const struct svc_structure *st)
{
    const unsigned layers = (unsigned)st->n_spatial * st->n_temporal;

    return st->n_temporal > 1 ? layers - 1 : layers;
}

bool svc_structure_valid(const struct svc_structure *st)
{
    return st->n_spatial >= 1 && st->n_spatial <= SVC_SPATIAL_MAX && st->n_temporal >= 1 &&
           st->n_temporal <= 3 && slots_used(st) <= SVC_SLOTS;
}

uint8_t svc_structure_long_term(const struct svc_structure *st, unsigned spatial)
{
    const unsigned first = slots_used(st);

    if (!st->long_term || first + st->n_spatial > SVC_SLOTS)
        return SVC_NO_SLOT;
    return (uint8_t)(first + spatial);
}

uint8_t svc_structure_temporal(const struct svc_structure *st, uint64_t since_key)
{
    const struct period *p = &periods[st->n_temporal];

    return p->temporal[since_key % p->n];
}

double svc_structure_share(const struct svc_structure *st, unsigned temporal)
{
    const struct period *p = &periods[st->n_temporal];
    unsigned n = 0;

    for (unsigned i = 0; i < p->n; i++)
        n += p->temporal[i] == temporal;
    return (double)n / p->n;
}

/* The unit of the own spatial layer that is read, before a plan changes that. */
static uint8_t last_of(const struct svc_structure *st, unsigned spatial, uint64_t since_key)
{
    const struct period *p = &periods[st->n_temporal];

    return slot_of(st, spatial, p->from[since_key % p->n]);
}

struct svc_refs svc_structure_refs(const struct svc_structure *st, unsigned spatial,
                                   const struct svc_plan *plan)
{
    const uint8_t temporal = svc_structure_temporal(st, plan->since_key);
    const uint8_t long_term = svc_structure_long_term(st, spatial);
    struct svc_refs r = {
        .key = plan->key && spatial == 0,
        .last = last_of(st, spatial, plan->since_key),
        .below = spatial > 0 ? slot_of(st, spatial - 1u, temporal) : SVC_NO_SLOT,
        .keep = slot_of(st, spatial, temporal),
        .keep_long = SVC_NO_SLOT,
    };
    const bool alone = plan->key || plan->from[spatial] == SVC_FROM_BELOW ||
                       (plan->from[spatial] == SVC_FROM_LONG_TERM && long_term == SVC_NO_SLOT);

    if (alone)
        r.last = SVC_NO_SLOT;
    else if (plan->from[spatial] == SVC_FROM_LONG_TERM)
        r.last = long_term;
    if (st->key_only && !alone)
        r.below = SVC_NO_SLOT;
    if (plan->keep_long[spatial] && temporal == 0 && !r.key)
        r.keep_long = long_term;
    return r;
}

int svc_structure_parse(struct svc_structure *out, const char *name)
{
    struct svc_structure st = { .long_term = true };

    if (strlen(name) < 4 || name[0] != 'L' || name[2] != 'T')
        return SVC_ERR_ARG;
    st.n_spatial = (uint8_t)(name[1] - '0');
    st.n_temporal = (uint8_t)(name[3] - '0');
    st.key_only = strcmp(name + 4, "_KEY") == 0;
    if ((name[4] && !st.key_only) || !svc_structure_valid(&st))
        return SVC_ERR_ARG;
    *out = st;
    return 0;
}

void svc_structure_name(const struct svc_structure *st, char out[SVC_STRUCTURE_NAME_MAX])
{
    snprintf(out, SVC_STRUCTURE_NAME_MAX, "L%uT%u%s", st->n_spatial % 10u, st->n_temporal % 10u,
             st->key_only ? "_KEY" : "");
}
