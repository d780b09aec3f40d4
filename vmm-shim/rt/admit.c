/*
 * admit.c - admission control: sums of promises against what the host has. Pure.
 */
#include "rt/admit.h"
#include "rt/sched.h"
#include "why.h"

#include <stdio.h>
#include <string.h>

#define PPM_OF_PERCENT 10000u
#define FIFO_LEAST_PPM 50000u       /* less is no offer for an endpoint that is to be on time */
#define SUPPOSED_DEMAND_PPM 300000u /* of a vCPU nobody has measured yet */
#define HOST_MEMORY_PERCENT 90
#define NAMES_MAX 200 /* bytes of the list of holders in an error */

/* All claims in one row: held first. */
struct row {
    const struct vmm_claim *held, *fresh;
    size_t n_held, n;
};

static const struct vmm_claim *at(const struct row *r, size_t i)
{
    return i < r->n_held ? &r->held[i] : &r->fresh[i - r->n_held];
}

unsigned vmm_cpus_count(uint64_t cpus)
{
    return (unsigned)__builtin_popcountll(cpus);
}

static uint32_t ratio_ppm(uint64_t part, uint64_t whole)
{
    uint64_t ppm = whole ? part * VMM_PPM / whole : 0;
    return ppm > 64 * VMM_PPM ? 64 * VMM_PPM : (uint32_t)ppm;
}

/* FIFO share of each thread that was asked for; 0: none was. */
static uint32_t fifo_asked(const struct vmm_real_time *rt, const struct vmm_share *share,
                           unsigned threads)
{
    if (rt->budget_ns && rt->period_ns)
        return ratio_ppm(rt->budget_ns, rt->period_ns);
    return share->quota_percent * PPM_OF_PERCENT / threads;
}

static struct vmm_claim claim_of(const char *slice, const char *node,
                                 const struct vmm_real_time *rt, const struct vmm_share *share,
                                 unsigned threads, bool guest)
{
    struct vmm_claim c = { .policy = rt->policy, .threads = threads ? threads : 1 };
    snprintf(c.slice, sizeof c.slice, "%s", slice);
    snprintf(c.node, sizeof c.node, "%s", node);
    c.cpus = share->cpus;
    c.chosen = rt->pin && !share->cpus;
    c.quota_ppm = share->quota_percent * PPM_OF_PERCENT;
    c.demand_ppm = c.threads * SUPPOSED_DEMAND_PPM;
    if (rt->policy == VMM_POLICY_FIFO) {
        c.real_time_ppm = fifo_asked(rt, share, c.threads);
    } else if (rt->policy == VMM_POLICY_DEADLINE) {
        struct vmm_sched loop = vmm_sched_plan(rt, VMM_ROLE_MAIN, 0);
        c.real_time_ppm = c.threads * ratio_ppm(rt->budget_ns, rt->period_ns);
        if (c.real_time_ppm && guest) /* QEMU's main loop */
            c.real_time_ppm += ratio_ppm(loop.budget_ns, loop.period_ns);
        c.demand_ppm = c.real_time_ppm;
    }
    if (c.quota_ppm && c.demand_ppm > c.quota_ppm)
        c.demand_ppm = c.quota_ppm;
    return c;
}

static uint64_t memory_of(const struct vmm_node *n)
{
    if (n->share.memory_bytes)
        return n->share.memory_bytes;
    return n->kind == VMM_GUEST ? n->memory_bytes + VMM_QEMU_BYTES : 0;
}

/* Those that left their share open divide what the others of the slice leave. */
static void divide(struct vmm_claim *c, size_t n, uint32_t real_time_ppm)
{
    uint32_t left = real_time_ppm, open = 0;
    for (size_t i = 0; i < n; i++) {
        if (c[i].policy != VMM_POLICY_FIFO)
            continue;
        open += c[i].real_time_ppm == 0;
        left -= c[i].real_time_ppm < left ? c[i].real_time_ppm : left;
    }
    for (size_t i = 0; i < n; i++) {
        if (c[i].policy != VMM_POLICY_FIFO)
            continue;
        if (c[i].real_time_ppm == 0) {
            uint32_t part = left / open;
            c[i].real_time_ppm = part > VMM_FIFO_PPM_MAX ? VMM_FIFO_PPM_MAX : part;
        }
        c[i].demand_ppm = c[i].real_time_ppm * c[i].threads;
    }
}

size_t vmm_claims_of(const struct vmm_topology *t, uint32_t real_time_ppm, struct vmm_claim *out,
                     size_t *index)
{
    static const struct vmm_share none;
    size_t n = 0;
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct vmm_node *node = &t->node[i];
        if (node->kind == VMM_NAMESPACE)
            continue;
        unsigned threads = node->kind == VMM_GUEST ? node->vcpus : 1;
        out[n] = claim_of(t->name, node->name, &node->real_time, &node->share, threads,
                          node->kind == VMM_GUEST);
        out[n].memory_bytes = memory_of(node);
        index[n++] = i;
    }
    if (t->network.policy != VMM_POLICY_NONE) {
        out[n] = claim_of(t->name, "network", &t->network, &none, 1, false);
        index[n++] = VMM_NODES_MAX;
    }
    divide(out, n, real_time_ppm);
    return n;
}

uint32_t vmm_claim_group_ppm(const struct vmm_claim *c, const struct vmm_host *host)
{
    unsigned cpus = c->cpus ? vmm_cpus_count(c->cpus) : host->cpus;
    unsigned each = (c->threads + cpus - 1) / cpus; /* threads on the fullest CPU */
    return c->real_time_ppm * each;
}

/* "lab/player 40 %, lab/server 30 %": whose `of` is not 0. */
static void holders(const struct row *r, uint64_t (*of)(const struct vmm_claim *), char *out,
                    size_t size)
{
    size_t at_byte = 0;
    out[0] = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct vmm_claim *c = at(r, i);
        if (of(c) == 0)
            continue;
        int n = snprintf(out + at_byte, size - at_byte, "%s%s/%s %.4g %%", at_byte ? ", " : "",
                         c->slice, c->node, (double)of(c) / PPM_OF_PERCENT);
        if (n < 0 || (size_t)n >= size - at_byte) {
            snprintf(out + (at_byte < size - 5 ? at_byte : size - 5), 5, " ...");
            return;
        }
        at_byte += (size_t)n;
    }
}

static uint64_t fifo_of(const struct vmm_claim *c)
{
    return c->policy == VMM_POLICY_FIFO ? (uint64_t)c->real_time_ppm * c->threads : 0;
}

static uint64_t real_time_of(const struct vmm_claim *c)
{
    return c->policy == VMM_POLICY_DEADLINE ? c->real_time_ppm : fifo_of(c);
}

static uint64_t promised_of(const struct vmm_claim *c)
{
    uint64_t real_time = real_time_of(c);
    return real_time ? real_time : c->quota_ppm;
}

static int possible(const struct vmm_host *host, const struct vmm_claim *c, char *why, size_t size)
{
    uint64_t there = host->cpus >= VMM_CPUS_MAX ? ~0ull : (1ull << host->cpus) - 1;
    double most = (double)host->real_time_ppm / PPM_OF_PERCENT;
    if (c->cpus & ~there)
        return vmm_why(why, size, "node %s: CPU %d is asked for, the host has 0 to %u", c->node,
                       __builtin_ctzll(c->cpus & ~there), host->cpus - 1);
    if (c->policy == VMM_POLICY_DEADLINE && (c->cpus || c->chosen))
        return vmm_why(
            why, size,
            "node %s: DEADLINE cannot be pinned, the kernel demands that such a thread may "
            "run on every CPU: leave out `pin` and `cpus`, or use fifo",
            c->node);
    if (c->policy == VMM_POLICY_DEADLINE && c->real_time_ppm == 0)
        return vmm_why(why, size, "node %s: DEADLINE needs a budget and a period", c->node);
    if (c->policy == VMM_POLICY_DEADLINE && c->real_time_ppm / c->threads >= VMM_PPM + VMM_PPM / 4)
        return vmm_why(why, size, "node %s: the budget is not less than the period", c->node);
    if (c->policy == VMM_POLICY_FIFO && c->real_time_ppm < FIFO_LEAST_PPM)
        return vmm_why(
            why, size,
            "node %s: %.3g %% of a CPU is left for its real-time threads, less than 5 %%: "
            "give other nodes of the slice a budget or quota",
            c->node, (double)c->real_time_ppm / PPM_OF_PERCENT);
    if (c->policy == VMM_POLICY_FIFO && vmm_claim_group_ppm(c, host) > host->real_time_ppm)
        return vmm_why(why, size,
                       "node %s: %.3g %% of a CPU for real time (%u threads of %.3g %%): at most "
                       "%.3g %% can be promised; a smaller budget or quota, or more CPUs",
                       c->node, (double)vmm_claim_group_ppm(c, host) / PPM_OF_PERCENT, c->threads,
                       (double)c->real_time_ppm / PPM_OF_PERCENT, most);
    if (c->quota_ppm > (uint64_t)host->cpus * VMM_PPM)
        return vmm_why(why, size, "node %s: a quota of %u %%: the host has %u CPUs", c->node,
                       c->quota_ppm / PPM_OF_PERCENT, host->cpus);
    return 0;
}

/* FIFO shares of those pinned to `cpu`, of claims [from, to). */
static uint64_t pinned_load(const struct row *r, unsigned cpu, size_t from, size_t to)
{
    uint64_t sum = 0;
    for (size_t i = from; i < to; i++)
        if (at(r, i)->cpus >> cpu & 1)
            sum += fifo_of(at(r, i)) / vmm_cpus_count(at(r, i)->cpus);
    return sum;
}

static uint64_t sum_of(const struct row *r, uint64_t (*of)(const struct vmm_claim *), size_t from)
{
    uint64_t sum = 0;
    for (size_t i = from; i < r->n; i++)
        sum += of(at(r, i));
    return sum;
}

static int real_time(const struct vmm_host *host, const struct row *r, char *why, size_t size)
{
    char names[NAMES_MAX];
    uint64_t groups = 0, fresh_groups = 0;
    for (unsigned cpu = 0; cpu < host->cpus; cpu++) {
        uint64_t load = pinned_load(r, cpu, 0, r->n);
        if (load <= host->real_time_ppm || pinned_load(r, cpu, r->n_held, r->n) == 0)
            continue;
        holders(r, fifo_of, names, sizeof names);
        return vmm_why(
            why, size,
            "CPU %u would promise %.4g %% to pinned FIFO guests, and has %.3g %% for them "
            "(%s): pin to another CPU, or lower budget or quota",
            cpu, (double)load / PPM_OF_PERCENT, (double)host->real_time_ppm / PPM_OF_PERCENT,
            names);
    }
    uint64_t all = sum_of(r, real_time_of, 0), most = (uint64_t)host->cpus * host->real_time_ppm;
    if (all > most && sum_of(r, real_time_of, r->n_held)) {
        holders(r, real_time_of, names, sizeof names);
        return vmm_why(
            why, size,
            "real time would need %.4g %% of a CPU, and %u CPUs have %.4g %% for it (%s): "
            "lower budgets or quotas, or stop a slice",
            (double)all / PPM_OF_PERCENT, host->cpus, (double)most / PPM_OF_PERCENT, names);
    }
    for (size_t i = 0; i < r->n; i++)
        if (at(r, i)->policy == VMM_POLICY_FIFO) {
            groups += vmm_claim_group_ppm(at(r, i), host);
            fresh_groups += i >= r->n_held;
        }
    if (host->rt_groups && groups > host->real_time_ppm && fresh_groups) {
        holders(r, fifo_of, names, sizeof names);
        return vmm_why(
            why, size,
            "FIFO nodes would be promised %.4g %% of each CPU, and %.3g %% can be: the "
            "kernel gives a group its share on every CPU (%s): lower budgets or quotas, use "
            "deadline, or stop a slice",
            (double)groups / PPM_OF_PERCENT, (double)host->real_time_ppm / PPM_OF_PERCENT, names);
    }
    return 0;
}

static uint64_t memory_claim(const struct vmm_claim *c)
{
    return c->memory_bytes;
}

static int memory(const struct vmm_host *host, const struct row *r, char *why, size_t size)
{
    double mib = 1024.0 * 1024;
    uint64_t all = sum_of(r, memory_claim, 0), fresh = sum_of(r, memory_claim, r->n_held);
    uint64_t most = host->memory_bytes / 100 * HOST_MEMORY_PERCENT;
    if (fresh && host->memory_bytes && all > most)
        return vmm_why(
            why, size,
            "memory: %.0f MiB would be promised (%.0f MiB to slices that run), and %.0f MiB, "
            "%u %% of the host's, can be",
            (double)all / mib, (double)(all - fresh) / mib, (double)most / mib,
            HOST_MEMORY_PERCENT);
    if (host->available_bytes && fresh > host->available_bytes)
        return vmm_why(why, size, "memory: %.0f MiB are needed and %.0f MiB available",
                       (double)fresh / mib, (double)host->available_bytes / mib);
    return 0;
}

int vmm_admit(const struct vmm_host *host, const struct vmm_claim *held, size_t n_held,
              const struct vmm_claim *fresh, size_t n_fresh, char *why, size_t why_size)
{
    struct row r = { .held = held, .fresh = fresh, .n_held = n_held, .n = n_held + n_fresh };
    for (size_t i = 0; i < n_fresh; i++)
        if (possible(host, &fresh[i], why, why_size) < 0)
            return -1;
    if (real_time(host, &r, why, why_size) < 0)
        return -1;
    uint64_t promised = sum_of(&r, promised_of, 0), most = (uint64_t)host->cpus * VMM_PPM;
    if (promised > most && sum_of(&r, promised_of, n_held)) {
        char names[NAMES_MAX];
        holders(&r, promised_of, names, sizeof names);
        return vmm_why(
            why, why_size,
            "quotas and real time would promise %.4g %% of a CPU, and the host has %u CPUs "
            "(%s): lower quotas, or stop a slice",
            (double)promised / PPM_OF_PERCENT, host->cpus, names);
    }
    return memory(host, &r, why, why_size);
}
