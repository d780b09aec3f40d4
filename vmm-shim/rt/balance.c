/*
 * balance.c - worst fit by demand, real-time guests first and apart. Pure.
 */
#include "rt/balance.h"

#include <string.h>

static uint64_t everywhere(unsigned cpus)
{
    return cpus >= VMM_CPUS_MAX ? ~0ull : (1ull << cpus) - 1;
}

static bool is_real_time(const struct vmm_claim *c)
{
    return c->policy == VMM_POLICY_FIFO || c->policy == VMM_POLICY_DEADLINE;
}

static uint64_t load_by(unsigned cpus, unsigned cpu, const struct vmm_claim *c)
{
    uint64_t mask = (c->cpus ? c->cpus : everywhere(cpus)) & everywhere(cpus);
    return mask >> cpu & 1 ? c->demand_ppm / vmm_cpus_count(mask) : 0;
}

uint64_t vmm_balance_load(unsigned cpus, unsigned cpu, const struct vmm_claim *claims, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += load_by(cpus, cpu, &claims[i]);
    return sum;
}

/* What lies on each CPU: demand, and how many real-time nodes are pinned there. */
struct board {
    unsigned cpus;
    uint64_t load[VMM_CPUS_MAX];
    unsigned real_time[VMM_CPUS_MAX];
};

static void put(struct board *b, const struct vmm_claim *c)
{
    for (unsigned i = 0; i < b->cpus; i++) {
        b->load[i] += load_by(b->cpus, i, c);
        b->real_time[i] += is_real_time(c) && c->cpus >> i & 1;
    }
}

/* As many CPUs as threads: each time the one with the fewest real-time nodes (for such a node),
 * then the least load. */
static uint64_t worst_fit(const struct board *b, const struct vmm_claim *c)
{
    uint64_t mask = 0;
    unsigned wanted = c->threads < b->cpus ? c->threads : b->cpus;
    for (unsigned k = 0; k < wanted; k++) {
        int best = -1;
        for (unsigned i = 0; i < b->cpus; i++) {
            if (mask >> i & 1)
                continue;
            if (best < 0 || (is_real_time(c) && b->real_time[i] != b->real_time[best]
                                 ? b->real_time[i] < b->real_time[best]
                                 : b->load[i] < b->load[best]))
                best = (int)i;
        }
        mask |= 1ull << best;
    }
    return mask;
}

/* Real time first, then by demand; equal ones in the order of the topology. */
static bool before(const struct vmm_claim *a, const struct vmm_claim *b)
{
    if (is_real_time(a) != is_real_time(b))
        return is_real_time(a);
    return a->demand_ppm > b->demand_ppm;
}

/* Busiest CPU, with a CPU that two real-time nodes share counted as worse than any load. */
static uint64_t badness(unsigned cpus, const struct vmm_claim *others, size_t n_others,
                        const struct vmm_claim *own, size_t n_own)
{
    struct board b = { .cpus = cpus };
    for (size_t i = 0; i < n_others; i++)
        put(&b, &others[i]);
    for (size_t i = 0; i < n_own; i++)
        put(&b, &own[i]);
    uint64_t worst = 0, crowd = 0;
    for (unsigned i = 0; i < cpus; i++) {
        worst = b.load[i] > worst ? b.load[i] : worst;
        crowd += b.real_time[i] > 1 ? b.real_time[i] - 1 : 0;
    }
    return worst + crowd * VMM_CPUS_MAX * VMM_PPM;
}

/* Places those of `own` that have no CPUs (all: also those that have some of the placement's). */
static void place(unsigned cpus, const struct vmm_claim *others, size_t n_others,
                  struct vmm_claim *own, size_t n_own, bool all)
{
    struct board b = { .cpus = cpus };
    size_t order[VMM_NODES_MAX + 1], n = 0;
    for (size_t i = 0; i < n_others; i++)
        put(&b, &others[i]);
    for (size_t i = 0; i < n_own; i++) {
        if (!own[i].chosen || (own[i].cpus && !all) || n > VMM_NODES_MAX) {
            put(&b, &own[i]);
            continue;
        }
        size_t k = n++;
        for (; k > 0 && before(&own[i], &own[order[k - 1]]); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (size_t k = 0; k < n; k++) {
        struct vmm_claim *c = &own[order[k]];
        c->cpus = worst_fit(&b, c);
        put(&b, c);
    }
}

size_t vmm_balance(unsigned cpus, const struct vmm_claim *others, size_t n_others,
                   struct vmm_claim *own, size_t n_own)
{
    uint64_t was[VMM_NODES_MAX + 1];
    struct vmm_claim fresh[VMM_NODES_MAX + 1];
    size_t changed = 0;
    if (n_own > VMM_NODES_MAX + 1)
        n_own = VMM_NODES_MAX + 1;
    for (size_t i = 0; i < n_own; i++)
        was[i] = own[i].cpus;
    place(cpus, others, n_others, own, n_own, false);
    memcpy(fresh, own, n_own * sizeof *own);
    place(cpus, others, n_others, fresh, n_own, true);
    if (badness(cpus, others, n_others, fresh, n_own) + VMM_BALANCE_GAIN_PPM <=
        badness(cpus, others, n_others, own, n_own))
        memcpy(own, fresh, n_own * sizeof *own);
    for (size_t i = 0; i < n_own; i++)
        changed += own[i].cpus != was[i];
    return changed;
}
