/* flow_rules.c - see flow_rules.h. */
#include "flow_rules.h"

#include <stdlib.h>

void tvl_flow_rules_fini(struct tvl_flow_rules *t)
{
    for (unsigned i = 0; t->rule && i < TVL_FLOWS_MAX; i++)
        free(t->rule[i]);
    free(t->rule);
    t->rule = NULL;
}

struct tvl_flow_rule *tvl_flow_rule(const struct tvl_flow_rules *t, uint32_t flow)
{
    return t->rule && flow < TVL_FLOWS_MAX ? t->rule[flow] : NULL;
}

static bool valid(const struct tvl_flow_config *c)
{
    return c->priority >= -TVL_FLOW_PRIORITY_MAX && c->priority <= TVL_FLOW_PRIORITY_MAX &&
           c->share <= TVL_FLOW_SHARE_MAX && c->n_paths <= TVL_PATHS_MAX &&
           (unsigned)c->paths <= TVL_FLOW_METERED &&
           (unsigned)c->reliability <= TVL_FLOW_UNRELIABLE &&
           (unsigned)c->protection <= TVL_FLOW_RESCUE && c->code < UINT64_C(1) << 62;
}

static void find_limits(struct tvl_flow_rules *t)
{
    t->paths = t->copies = t->repair = false;
    for (unsigned i = 0; i < TVL_FLOWS_MAX; i++) {
        const struct tvl_flow_rule *r = t->rule[i];

        t->paths = t->paths || (r && r->cfg.paths != TVL_FLOW_ANY_PATH);
        t->copies = t->copies || (r && r->cfg.protection == TVL_FLOW_DUPLICATE);
        t->repair = t->repair || (r && r->cfg.protection == TVL_FLOW_REPAIR);
    }
}

/* What was spent on a path that stays listed. */
static uint64_t spent_on(const struct tvl_flow_rule *r, uint32_t path_id)
{
    for (unsigned i = 0; i < r->cfg.n_paths; i++)
        if (r->cfg.path[i].id == path_id)
            return r->spent[i];
    return 0;
}

int tvl_flow_rules_set(struct tvl_flow_rules *t, uint32_t flow, const struct tvl_flow_config *cfg)
{
    struct tvl_flow_rule next = { .held = 0 };

    if (!valid(cfg))
        return TVL_ERR_ARG;
    if (!t->rule)
        t->rule = calloc(TVL_FLOWS_MAX, sizeof *t->rule);
    if (t->rule && !t->rule[flow])
        t->rule[flow] = calloc(1, sizeof **t->rule);
    if (!t->rule || !t->rule[flow])
        return TVL_ERR_NOMEM;
    next = *t->rule[flow];
    next.cfg = *cfg;
    for (unsigned i = 0; i < cfg->n_paths; i++)
        next.spent[i] = spent_on(t->rule[flow], cfg->path[i].id);
    *t->rule[flow] = next;
    find_limits(t);
    return 0;
}

uint64_t tvl_flow_rank(const struct tvl_flow_rule *r, uint64_t rank)
{
    if (!r || r->cfg.priority == 0)
        return rank;
    if (r->cfg.priority < 0) {
        const uint64_t up = (uint64_t)-r->cfg.priority;

        return rank > up ? rank - up : 0;
    }
    const uint64_t down = (uint64_t)r->cfg.priority, most = UINT64_MAX - 1;

    return rank > most - down ? most : rank + down;
}

uint64_t tvl_flow_room(const struct tvl_flow_rule *r)
{
    if (!r || r->cfg.window == 0)
        return UINT64_MAX;
    return r->cfg.window > r->held ? r->cfg.window - r->held : 0;
}

bool tvl_flow_may(const struct tvl_flow_rule *r, uint32_t path_id)
{
    unsigned i = 0;

    if (!r || r->cfg.paths == TVL_FLOW_ANY_PATH)
        return true;
    while (i < r->cfg.n_paths && r->cfg.path[i].id != path_id)
        i++;
    const bool listed = i < r->cfg.n_paths;

    switch (r->cfg.paths) {
    case TVL_FLOW_ONLY:
        return listed;
    case TVL_FLOW_EXCEPT:
        return !listed;
    default:
        return !listed || r->spent[i] < r->cfg.path[i].budget;
    }
}

uint64_t tvl_flow_turn(const struct tvl_flow_rules *t, struct tvl_flow_rule *r)
{
    if (!r || r->cfg.share == 0)
        return 0;
    if (r->queued == 0 && r->turn < t->turn)
        r->turn = t->turn; /* who was away does not catch up */
    return r->turn;
}

void tvl_flow_sent(struct tvl_flow_rules *t, struct tvl_flow_rule *r, uint32_t path_id,
                   uint64_t bytes)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->cfg.n_paths; i++)
        if (r->cfg.path[i].id == path_id)
            r->spent[i] += bytes;
    if (r->cfg.share == 0)
        return;
    t->turn = r->turn > t->turn ? r->turn : t->turn;
    r->left -= (int64_t)bytes;
    if (r->left > 0)
        return;
    r->left += (int64_t)r->cfg.share * TVL_FLOW_QUANTUM;
    r->turn = r->turn + 1 > t->turn ? r->turn + 1 : t->turn;
}
