/* shed.c - see shed.h. */
#include "shed.h"

static bool is_past(const struct svc_unit *unit, uint64_t age_us, uint64_t budget_us)
{
    if (age_us > budget_us)
        return true;
    if (!unit)
        return false;
    return (unit->layer.temporal > 0 && age_us > budget_us / 4) ||
           (unit->layer.spatial > 0 && age_us > budget_us / 2);
}

/* Of pictures alone: sound leans on nothing. */
static bool skips(struct shed *s, const struct svc_unit *unit, uint64_t age_us, uint64_t budget_us)
{
    if (age_us > budget_us)
        s->skips = true;
    else if (unit->key && age_us <= budget_us / 2)
        s->skips = false;
    return s->skips;
}

bool shed_leaves_out(struct shed *s, const struct svc_unit *unit, uint64_t age_us,
                     uint64_t budget_us, uint64_t now)
{
    if (s->began && now - s->last > SHED_CALM_US)
        s->began = s->last = 0;
    const bool skipped = unit && skips(s, unit, age_us, budget_us);
    if (!skipped && !is_past(unit, age_us, budget_us))
        return false;
    s->began = s->began ? s->began : now;
    s->last = now;
    return true;
}

bool shed_wants_key(const struct shed *s, uint64_t age_us, uint64_t budget_us)
{
    return s->skips && age_us <= budget_us / 2;
}

bool shed_is_saturated(const struct shed *s, uint64_t now)
{
    return s->began && now - s->last <= SHED_CALM_US && s->last - s->began >= SHED_SATURATED_US;
}

uint64_t shed_budget(uint64_t age_us, uint64_t budget_us)
{
    return budget_us - (age_us < budget_us / 2 ? age_us : budget_us / 2);
}
