/*
 * words.c - settings of `rt set`, a table of keys. Pure.
 */
#include "rt/words.h"
#include "topology/units.h"
#include "vlink/spec.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 512
#define QUOTA_MOST 6400 /* percent */

struct target {
    struct vmm_real_time rt;
    struct vmm_share share;
};

static int bad(const char *key, const char *value, const char *wanted, char *why, size_t size)
{
    snprintf(why, size, "%s=%s: %s is wanted", key, value, wanted);
    return -1;
}

static int whole(const char *text, int least, int most, int *out)
{
    int64_t n;
    if (vmm_parse_integer(text, &n) < 0 || n < least || n > most)
        return -1;
    *out = (int)n;
    return 0;
}

/* As in a topology, with + for its commas: those end a word here. 0: none. */
static uint64_t cpus_of(const char *text)
{
    char list[64];
    uint64_t cpus;
    if (snprintf(list, sizeof list, "%s", text) >= (int)sizeof list)
        return 0;
    for (char *c = list; *c; c++)
        *c = *c == '+' ? ',' : *c;
    return vmm_parse_cpus(list, &cpus) == 0 ? cpus : 0;
}

static int set_policy(struct target *t, const char *v, char *why, size_t size)
{
    static const char *const names[] = { "none", "nice", "fifo", "deadline" };
    for (int i = 0; i < 4; i++)
        if (strcmp(v, names[i]) == 0) {
            if ((int)t->rt.policy != i) {
                t->rt.budget_ns = t->rt.period_ns = 0;
                t->rt.priority = i == VMM_POLICY_FIFO ? 50 : 0;
            }
            t->rt.policy = (enum vmm_policy)i;
            return 0;
        }
    return bad("policy", v, "none, nice, fifo or deadline", why, size);
}

static int set_priority(struct target *t, const char *v, char *why, size_t size)
{
    int n;
    if (whole(v, -20, 97, &n) < 0)
        return bad("priority", v, "a number from 1 to 97 (fifo) or -20 to 19 (nice)", why, size);
    t->rt.priority = n;
    return 0;
}

static int set_budget(struct target *t, const char *v, char *why, size_t size)
{
    uint64_t ns;
    if (vlink_parse_duration(v, &ns) < 0)
        return bad("budget", v, "a time like 10ms", why, size);
    t->rt.budget_ns = ns;
    return 0;
}

static int set_period(struct target *t, const char *v, char *why, size_t size)
{
    uint64_t ns;
    if (vlink_parse_duration(v, &ns) < 0 || ns < 100000 || ns > 4000000000ull)
        return bad("period", v, "a time from 100us to 4s", why, size);
    t->rt.period_ns = ns;
    return 0;
}

static int set_pin(struct target *t, const char *v, char *why, size_t size)
{
    if (strcmp(v, "no") == 0) {
        t->rt.pin = false;
        t->share.cpus = 0;
        return 0;
    }
    uint64_t cpus = strcmp(v, "yes") == 0 ? 0 : cpus_of(v);
    if (!cpus && strcmp(v, "yes") != 0)
        return bad("pin", v, "yes, no, or CPUs like 1, 0-1 or 0+3", why, size);
    t->rt.pin = true;
    t->share.cpus = cpus;
    return 0;
}

static int set_cpus(struct target *t, const char *v, char *why, size_t size)
{
    uint64_t cpus = cpus_of(v);
    if (!cpus)
        return bad("cpus", v, "CPUs like 1, 0-1 or 0+3", why, size);
    t->share.cpus = cpus;
    return 0;
}

static int set_weight(struct target *t, const char *v, char *why, size_t size)
{
    int n;
    if (whole(v, 1, 10000, &n) < 0)
        return bad("weight", v, "a number from 1 to 10000", why, size);
    t->share.weight = (uint32_t)n;
    return 0;
}

static int set_quota(struct target *t, const char *v, char *why, size_t size)
{
    uint32_t n = 0;
    if (strcmp(v, "none") != 0 && (vmm_parse_percent(v, &n) < 0 || n < 1 || n > QUOTA_MOST))
        return bad("quota", v, "a share of one CPU from 1% to 6400%, or none,", why, size);
    t->share.quota_percent = n;
    return 0;
}

static int set_memory(struct target *t, const char *v, char *why, size_t size)
{
    uint64_t n = 0;
    if (strcmp(v, "none") != 0 && vmm_parse_bytes(v, &n) < 0)
        return bad("memory", v, "a size like 256M, or none,", why, size);
    t->share.memory_bytes = n;
    return 0;
}

static const struct {
    const char *key;
    int (*set)(struct target *t, const char *value, char *why, size_t why_size);
} keys[] = {
    { "policy", set_policy }, { "priority", set_priority }, { "budget", set_budget },
    { "period", set_period }, { "pin", set_pin },           { "cpus", set_cpus },
    { "weight", set_weight }, { "quota", set_quota },       { "memory", set_memory },
};

static int set_word(struct target *t, char *word, char *why, size_t size)
{
    char *value = strchr(word, '=');
    if (!value) {
        snprintf(why, size, "%s: KEY=VALUE is wanted, like policy=fifo,priority=50", word);
        return -1;
    }
    *value++ = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(word, keys[i].key) == 0)
            return keys[i].set(t, value, why, size);
    snprintf(
        why, size,
        "%s: no such key; there are policy, priority, budget, period, pin, cpus, weight, quota, "
        "memory",
        word);
    return -1;
}

/* What does not go together. */
static int check(const struct target *t, char *why, size_t size)
{
    const struct vmm_real_time *rt = &t->rt;
    if (rt->policy == VMM_POLICY_FIFO && rt->priority < 1) {
        snprintf(why, size, "policy=fifo: a priority from 1 to 97 is wanted");
        return -1;
    }
    if (rt->policy == VMM_POLICY_NICE && rt->priority > 19) {
        snprintf(why, size, "policy=nice: a priority from -20 to 19 is wanted");
        return -1;
    }
    if (rt->policy == VMM_POLICY_DEADLINE && (!rt->budget_ns || !rt->period_ns)) {
        snprintf(why, size, "policy=deadline: a budget and a period are wanted");
        return -1;
    }
    if ((rt->budget_ns != 0) != (rt->period_ns != 0) || rt->budget_ns > rt->period_ns) {
        snprintf(why, size, "a budget goes with a period that is not shorter");
        return -1;
    }
    if (rt->budget_ns && rt->policy != VMM_POLICY_FIFO && rt->policy != VMM_POLICY_DEADLINE) {
        snprintf(why, size, "budget and period go with policy=fifo or policy=deadline");
        return -1;
    }
    return 0;
}

int vmm_rt_words(const char *words, struct vmm_real_time *rt, struct vmm_share *share, char *why,
                 size_t why_size)
{
    char copy[WORDS_MAX], *save = NULL;
    struct target t = { .rt = *rt, .share = *share };
    if (snprintf(copy, sizeof copy, "%s", words) >= (int)sizeof copy) {
        snprintf(why, why_size, "settings of more than %d bytes", WORDS_MAX);
        return -1;
    }
    bool any = false;
    for (char *w = strtok_r(copy, ", ", &save); w; w = strtok_r(NULL, ", ", &save), any = true)
        if (set_word(&t, w, why, why_size) < 0)
            return -1;
    if (!any) {
        snprintf(why, why_size,
                 "nothing to set: KEY=VALUE is wanted, like policy=fifo,priority=50");
        return -1;
    }
    if (check(&t, why, why_size) < 0)
        return -1;
    *rt = t.rt;
    *share = t.share;
    return 0;
}
