/* rules.c - what several keys say together: of real time, a node, a link, the whole. */
#include "topology/keys_internal.h"

#include <string.h>

#define RAM_STEP (512u << 10)
#define FIFO_PRIORITY_DEFAULT 50

static int line_of(const struct vmm_yaml *map, const char *key, int otherwise)
{
    const struct vmm_yaml_item *item = vmm_yaml_get(map, key);
    return item ? item->line : otherwise;
}

int vmm_check_real_time(struct vmm_reader *r, struct vmm_real_time *rt, int line)
{
    bool deadline = rt->policy == VMM_POLICY_DEADLINE;
    bool fifo = rt->policy == VMM_POLICY_FIFO;
    if (!deadline && !fifo && (rt->budget_ns || rt->period_ns))
        return vmm_reader_fail(r, line, "budget and period are only for policy: deadline or fifo");
    if (fifo && (rt->budget_ns == 0) != (rt->period_ns == 0))
        return vmm_reader_fail(r, line,
                               "policy: fifo takes budget and period together, or neither");
    if (deadline && (!rt->budget_ns || !rt->period_ns))
        return vmm_reader_fail(r, line,
                               "policy: deadline needs budget and period, as in "
                               "{policy: deadline, budget: 10ms, period: 33ms}");
    if (rt->budget_ns > rt->period_ns)
        return vmm_reader_fail(r, line, "the budget is longer than the period");
    if (rt->priority && (deadline || rt->policy == VMM_POLICY_NONE))
        return vmm_reader_fail(r, line, "priority is only for policy: fifo or nice");
    if (rt->policy == VMM_POLICY_FIFO && rt->priority == 0)
        rt->priority = FIFO_PRIORITY_DEFAULT;
    if (rt->policy == VMM_POLICY_FIFO && rt->priority < 1)
        return vmm_reader_fail(r, line, "priority of policy: fifo takes 1 to 97");
    if (rt->policy == VMM_POLICY_NICE && rt->priority > 19)
        return vmm_reader_fail(r, line, "priority of policy: nice takes -20 to 19");
    return 0;
}

int vmm_check_node(struct vmm_reader *r, struct vmm_node *n, const struct vmm_yaml *map)
{
    static const struct vmm_need nothing;
    n->need.any = memcmp(&n->need, &nothing, sizeof nothing) != 0;
    if (n->kind == VMM_NAMESPACE && !n->namespace_[0])
        return vmm_reader_fail(r, n->line, "namespace is missing: which one of the host?");
    if (n->kind == VMM_PROCESS && !n->n_run)
        return vmm_reader_fail(r, n->line, "run is missing: which command?");
    if (n->system[0] && n->need.any)
        return vmm_reader_fail(r, line_of(map, "need", n->line),
                               "system and need exclude each other");
    if (n->memory_bytes % RAM_STEP)
        return vmm_reader_fail(r, line_of(map, "memory", n->line),
                               "memory takes a multiple of 512K");
    if (n->kind == VMM_GUEST && n->share.memory_bytes && n->share.memory_bytes <= n->memory_bytes)
        return vmm_reader_fail(r, line_of(map, "share", n->line),
                               "share.memory is the limit of RAM and QEMU together: give more "
                               "than memory");
    if (n->result && !n->n_run)
        return vmm_reader_fail(r, line_of(map, "result", n->line),
                               "result is only for a node with run");
    if (n->after_all && !n->n_run)
        return vmm_reader_fail(r, line_of(map, "after_all", n->line),
                               "after_all is only for a node with run");
    return vmm_check_real_time(r, &n->real_time, line_of(map, "real_time", n->line));
}

static const struct vmm_setting *find(const struct vmm_setting *s, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].key, key) == 0)
            return &s[i];
    return NULL;
}

static int check_direction(struct vmm_reader *r, const struct vmm_setting *s, size_t n)
{
    const struct vmm_setting *trace = find(s, n, "trace"), *rate = find(s, n, "rate");
    if (trace && rate)
        return vmm_reader_fail(r, trace->line > rate->line ? trace->line : rate->line,
                               "rate and trace exclude each other");
    return 0;
}

int vmm_check_link(struct vmm_reader *r, const struct vmm_link *l)
{
    const struct vmm_topology *t = r->t;
    if (t->parent[0] && !l->inherits[0])
        return vmm_reader_fail(r, l->line, "inherits is missing: which link of %s carries it?",
                               t->parent);
    if (!t->parent[0] && l->inherits[0])
        return vmm_reader_fail(r, l->line, "inherits is only for a slice with a parent");
    if (l->weight != 1 && !l->inherits[0])
        return vmm_reader_fail(r, l->line, "weight is only for a link that inherits");
    if (l->argument[0] && !l->program[0])
        return vmm_reader_fail(r, l->line, "argument is only for a link with a program");
    for (size_t i = 0; i < t->n_links; i++)
        if (t->link[i].subnet == l->subnet)
            return vmm_reader_fail(r, l->line, "its subnet is that of link %s, too",
                                   t->link[i].name);
    if (check_direction(r, l->up, l->n_up) < 0)
        return -1;
    return check_direction(r, l->down, l->n_down);
}

int vmm_check_topology(struct vmm_reader *r)
{
    const struct vmm_topology *t = r->t;
    if (!t->n_nodes && !t->n_links)
        return vmm_reader_fail(r, 1, "there are neither nodes nor links");
    if (strcmp(t->name, t->parent) == 0)
        return vmm_reader_fail(r, 1, "the slice is its own parent: give it a name");
    return 0;
}
