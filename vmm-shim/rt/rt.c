/*
 * rt.c - the slice's promises: admitted, put into groups, given to threads, changed, reported.
 */
#include "rt/rt.h"
#include "rt/balance.h"
#include "rt/book.h"
#include "rt/cgroup.h"
#include "rt/host.h"
#include "rt/sched.h"
#include "rt/words.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NETWORK_GROUP ".network" /* no node's name begins so */
#define MEMBERS_MAX (VMM_NODES_MAX + 1)
#define FIFO_PERIOD_NS                                                                         \
    100000000ull               /* of a FIFO group without a period of its own: a runaway stops \
                                  others for less than that */
#define RTTIME_S 1             /* of a FIFO thread that never sleeps, where no group bounds it */
#define DEMAND_STEP_PPM 50000u /* measured demand that differs by less is not written */

struct member {
    struct vmm_real_time rt;
    struct vmm_share share;
    bool guest;
    char group[VMM_NAME_MAX];
    pid_t pid; /* 0: not started */
    pid_t vcpu[VMM_THREADS_MAX];
    size_t n_vcpus;
    bool applied;
    bool pinned;              /* its threads were given CPUs */
    uint64_t cpu_ns, seen_ns; /* of its CPU time, when it was last looked at */
    uint32_t used_ppm;
};

struct vmm_rt {
    const struct vmm_topology *t;
    char root[VMM_PATH_MAX], note[VMM_WHY_MAX];
    struct vmm_host host;
    struct vmm_cgroup *groups;         /* NULL: none to be had */
    struct member member[MEMBERS_MAX]; /* [n_nodes]: the network */
    struct vmm_claim claim[MEMBERS_MAX];
    size_t index[MEMBERS_MAX]; /* of claim i: its member */
    size_t n_claims;
};

static size_t place_of(const struct vmm_rt *r, size_t node)
{
    return node == VMM_RT_NETWORK ? r->t->n_nodes : node;
}

static struct vmm_claim *claim_of(struct vmm_rt *r, size_t member)
{
    for (size_t i = 0; i < r->n_claims; i++)
        if (r->index[i] == member)
            return &r->claim[i];
    return NULL;
}

const char *vmm_rt_note(const struct vmm_rt *r)
{
    return r->note;
}

/* Claims of a topology with the members' present wishes. Placements made before are kept. */
static void make_claims(struct vmm_rt *r)
{
    struct vmm_topology *t = malloc(sizeof *t);
    struct vmm_claim before[MEMBERS_MAX];
    size_t n_before = r->n_claims, index[MEMBERS_MAX];
    if (!t)
        return;
    memcpy(before, r->claim, sizeof before);
    memcpy(t, r->t, sizeof *t);
    for (size_t i = 0; i < t->n_nodes; i++) {
        t->node[i].real_time = r->member[i].rt;
        t->node[i].share = r->member[i].share;
    }
    t->network = r->member[t->n_nodes].rt;
    r->n_claims = vmm_claims_of(t, r->host.real_time_ppm, r->claim, index);
    for (size_t i = 0; i < r->n_claims; i++) {
        struct vmm_claim *c = &r->claim[i];
        r->index[i] = index[i] == VMM_NODES_MAX ? t->n_nodes : index[i];
        if (r->index[i] == t->n_nodes && r->member[t->n_nodes].share.cpus) {
            c->cpus = r->member[t->n_nodes].share.cpus; /* of `rt set`: no key of the topology */
            c->chosen = false;
        }
        for (size_t k = 0; k < n_before; k++)
            if (strcmp(before[k].node, c->node) == 0 && c->chosen && before[k].chosen &&
                before[k].threads == c->threads)
                c->cpus = before[k].cpus;
    }
    free(t);
}

/* Places the new claims, asks for admission, and notes them. */
static int admit(struct vmm_rt *r, char *why, size_t why_size)
{
    struct vmm_book book;
    int result = vmm_book_open(&book, r->root, r->t->name, why, why_size);
    if (result == 0) {
        vmm_host_look(&r->host);
        uint64_t limit = vmm_cgroup_memory_limit(r->groups);
        if (limit && (r->host.memory_bytes == 0 || limit < r->host.memory_bytes))
            r->host.memory_bytes = limit;
        bool runs = false; /* its memory is no longer among what is available */
        for (size_t i = 0; i <= r->t->n_nodes; i++)
            runs |= r->member[i].pid != 0;
        if (runs)
            r->host.available_bytes = 0;
        struct vmm_claim placed[MEMBERS_MAX];
        memcpy(placed, r->claim, sizeof placed);
        for (size_t i = 0; i < r->n_claims; i++) /* DEADLINE is refused, not placed */
            placed[i].chosen &= placed[i].policy != VMM_POLICY_DEADLINE;
        vmm_balance(r->host.cpus, book.held, book.n_held, placed, r->n_claims);
        for (size_t i = 0; i < r->n_claims; i++)
            r->claim[i].cpus = placed[i].cpus;
        result = vmm_admit(&r->host, book.held, book.n_held, r->claim, r->n_claims, why, why_size);
    }
    if (result == 0)
        result = vmm_book_write(&book, r->t->name, r->claim, r->n_claims, why, why_size);
    vmm_book_close(&book);
    return result;
}

/* The first node that asks for a share; NULL: none does. */
static const char *who_asks_for_a_share(const struct vmm_rt *r)
{
    for (size_t i = 0; i < r->t->n_nodes; i++) {
        const struct vmm_share *s = &r->member[i].share;
        if (s->weight || s->quota_percent || s->memory_bytes)
            return r->t->node[i].name;
    }
    return NULL;
}

/* Children inherit the limit; QEMU, unprivileged, could not raise it. */
static int raise_memlock(const struct vmm_rt *r, char *why, size_t why_size)
{
    bool wanted = r->member[r->t->n_nodes].rt.lock_memory;
    for (size_t i = 0; i < r->t->n_nodes; i++)
        wanted |= r->member[i].rt.lock_memory;
    struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY }, now;
    if (!wanted || setrlimit(RLIMIT_MEMLOCK, &all) == 0)
        return 0;
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_IPC_LOCK))
        return 0; /* QEMU is left that one (guest/spawn.h) */
    getrlimit(RLIMIT_MEMLOCK, &now);
    snprintf(why, why_size,
             "memory cannot be locked: RLIMIT_MEMLOCK is %llu KiB and may not be raised: root, or "
             "`ulimit -l unlimited`, would help",
             (unsigned long long)now.rlim_max / 1024);
    return -1;
}

static void take_wishes(struct vmm_rt *r, const struct vmm_topology *t)
{
    for (size_t i = 0; i < t->n_nodes; i++) {
        struct member *m = &r->member[i];
        m->rt = t->node[i].real_time;
        m->share = t->node[i].share;
        m->guest = t->node[i].kind == VMM_GUEST;
        snprintf(m->group, sizeof m->group, "%s", t->node[i].name);
    }
    r->member[t->n_nodes].rt = t->network;
    snprintf(r->member[t->n_nodes].group, VMM_NAME_MAX, NETWORK_GROUP);
}

int vmm_rt_open(struct vmm_rt **out, const struct vmm_topology *t, const char *root, char *why,
                size_t why_size)
{
    char group[VMM_GROUP_NAME_MAX];
    *out = NULL;
    struct vmm_rt *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    r->t = t;
    snprintf(r->root, sizeof r->root, "%s", root);
    take_wishes(r, t);
    vmm_cgroup_name(t->name, root, group);
    vmm_cgroup_clear(group, NULL, r->note, sizeof r->note); /* of a keeper that was killed */
    r->note[0] = 0;
    vmm_host_look(&r->host);
    if (vmm_cgroup_open(&r->groups, group, NULL, r->note, sizeof r->note) < 0 &&
        who_asks_for_a_share(r)) {
        snprintf(why, why_size, "%s: its share: %s", who_asks_for_a_share(r), r->note);
        goto refused;
    }
    r->host.rt_groups = vmm_cgroup_has_rt(r->groups);
    make_claims(r);
    if (admit(r, why, why_size) < 0 || raise_memlock(r, why, why_size) < 0)
        goto refused;
    *out = r;
    return 0;
refused:
    vmm_rt_close(r);
    return -1;
}

void vmm_rt_close(struct vmm_rt *r)
{
    char ignored[VMM_WHY_MAX];
    struct vmm_book book;
    if (!r)
        return;
    vmm_cgroup_close(r->groups, ignored, sizeof ignored);
    if (vmm_book_open(&book, r->root, r->t->name, ignored, sizeof ignored) == 0)
        vmm_book_write(&book, r->t->name, NULL, 0, ignored, sizeof ignored);
    vmm_book_close(&book);
    free(r);
}

/* What the group of member `i` is told. */
static struct vmm_group group_of(struct vmm_rt *r, size_t i)
{
    const struct member *m = &r->member[i];
    const struct vmm_claim *c = claim_of(r, i);
    struct vmm_group g = { .share = m->share };
    if (m->rt.policy == VMM_POLICY_NICE && !g.share.weight && r->groups)
        g.share.weight = vmm_sched_weight(m->rt.priority);
    if (!c)
        return g;
    g.cpus = c->cpus;
    if (c->policy == VMM_POLICY_FIFO && r->host.rt_groups) {
        g.rt_period_ns = m->rt.period_ns ? m->rt.period_ns : FIFO_PERIOD_NS;
        g.rt_budget_ns = g.rt_period_ns / 1000 * vmm_claim_group_ppm(c, &r->host) / 1000;
    }
    return g;
}

static int set_group(struct vmm_rt *r, size_t i, char *why, size_t why_size)
{
    struct vmm_group g = group_of(r, i);
    return vmm_cgroup_set(r->groups, r->member[i].group, &g, why, why_size);
}

int vmm_rt_started(struct vmm_rt *r, size_t node, pid_t pid, char *why, size_t why_size)
{
    size_t i = place_of(r, node);
    struct member *m = &r->member[i];
    if (r->groups && (set_group(r, i, why, why_size) < 0 ||
                      vmm_cgroup_join(r->groups, m->group, pid, why, why_size) < 0))
        return -1;
    m->pid = pid;
    m->n_vcpus = 0;
    m->applied = false;
    m->cpu_ns = vmm_sched_cpu_time_ns(pid);
    m->seen_ns = vmm_host_now_ns();
    return 0;
}

void vmm_rt_stopped(struct vmm_rt *r, size_t node)
{
    struct member *m = &r->member[place_of(r, node)];
    m->pid = 0;
    m->applied = false;
    m->used_ppm = 0;
}

/* Without a group's bound, a FIFO thread that never sleeps is ended: SIGXCPU, then SIGKILL. */
static int bound_by_rttime(const struct member *m, char *why, size_t why_size)
{
    struct rlimit l = { RTTIME_S * 1000000, (RTTIME_S + 1) * 1000000 };
    if (prlimit(m->pid, RLIMIT_RTTIME, &l, NULL) == 0)
        return 0;
    snprintf(
        why, why_size,
        "node %s: fifo is refused, as nothing would bound it: no control group with a share for "
        "real time, and RLIMIT_RTTIME cannot be set (%s)",
        m->group, strerror(errno));
    return -1;
}

static bool has_ended(pid_t pid, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", pid, tid);
    return access(path, F_OK) < 0;
}

/* Of a process that is no guest one thread is under DEADLINE: each more would take its bandwidth
 * again. The network's own; a confined process's command, the first child of its init. 0: none yet.
 */
static pid_t deadline_thread(const struct vmm_rt *r, size_t i, const struct vmm_thread *t, int n)
{
    pid_t init = r->member[i].pid;
    if (i == r->t->n_nodes)
        return init;
    for (int k = 0; k < n; k++)
        if (t[k].tid == t[k].process && t[k].tid != init)
            return t[k].tid;
    return 0;
}

/* Back to all CPUs, before a policy that wants them. */
static void unpin(const struct vmm_rt *r, const struct vmm_thread *t, int n)
{
    char ignored[VMM_WHY_MAX];
    for (int k = 0; k < n; k++) {
        struct vmm_sched s;
        if (vmm_sched_read(t[k].tid, &s, ignored, sizeof ignored) == 0 &&
            s.policy != VMM_POLICY_DEADLINE) {
            s.cpus = r->host.cpus >= VMM_CPUS_MAX ? VMM_CPU_MASK_ALL : (1ull << r->host.cpus) - 1;
            vmm_sched_apply(t[k].tid, &s, ignored, sizeof ignored);
        }
    }
}

static int apply_threads(struct vmm_rt *r, size_t i, char *why, size_t why_size)
{
    struct member *m = &r->member[i];
    const struct vmm_claim *c = claim_of(r, i);
    struct vmm_thread thread[VMM_THREADS_MAX];
    uint64_t cpus = c ? c->cpus : 0;
    int n = vmm_sched_threads(m->pid, m->guest, m->vcpu, m->n_vcpus, thread, VMM_THREADS_MAX);
    if (n < 0) {
        snprintf(why, why_size, "%s: process %d has ended", m->group, m->pid);
        return -1;
    }
    if (m->rt.policy == VMM_POLICY_FIFO && !r->host.rt_groups &&
        bound_by_rttime(m, why, why_size) < 0)
        return -1;
    if (m->rt.policy == VMM_POLICY_DEADLINE && !m->guest) {
        pid_t only = deadline_thread(r, i, thread, n);
        for (int k = 0; k < n; k++)
            thread[k].role = thread[k].tid == only ? VMM_ROLE_THREAD : VMM_ROLE_HELPER;
    }
    if (m->pinned && !cpus)
        unpin(r, thread, n);
    m->pinned = cpus != 0;
    /* The main loop before the vCPUs: never may one of them stand above it. */
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < n; k++) {
            bool vcpu = thread[k].role == VMM_ROLE_VCPU;
            struct vmm_sched want = vmm_sched_plan(&m->rt, thread[k].role, cpus);
            char text[VMM_WHY_MAX];
            if (vcpu != (pass == 1) || (want.policy == VMM_POLICY_NONE && !cpus && !m->applied))
                continue;
            if (vmm_sched_apply(thread[k].tid, &want, text, sizeof text) == 0 ||
                has_ended(m->guest ? m->pid : thread[k].tid, thread[k].tid))
                continue;
            snprintf(why, why_size, "%s: %s", m->group, text);
            return -1;
        }
    m->applied = true;
    return 0;
}

int vmm_rt_apply(struct vmm_rt *r, size_t node, const pid_t *vcpus, size_t n_vcpus, char *why,
                 size_t why_size)
{
    size_t i = place_of(r, node);
    struct member *m = &r->member[i];
    if (!m->pid) {
        snprintf(why, why_size, "%s: not started", m->group);
        return -1;
    }
    m->n_vcpus = n_vcpus > VMM_THREADS_MAX ? VMM_THREADS_MAX : n_vcpus;
    if (m->n_vcpus)
        memcpy(m->vcpu, vcpus, m->n_vcpus * sizeof *vcpus);
    return apply_threads(r, i, why, why_size);
}

/* `before`: what the group was told. A real-time share is there before a thread needs it, and goes
 * after; CPUs are there before threads are moved to them. */
static int apply_change(struct vmm_rt *r, size_t i, const struct vmm_group *before, char *why,
                        size_t why_size)
{
    const struct member *m = &r->member[i];
    struct vmm_group after = group_of(r, i), first = after;
    if (!m->pid)
        return 0;
    if (!after.rt_budget_ns) {
        first.rt_budget_ns = before->rt_budget_ns;
        first.rt_period_ns = before->rt_period_ns;
    }
    if (vmm_cgroup_set(r->groups, m->group, &first, why, why_size) < 0 ||
        apply_threads(r, i, why, why_size) < 0)
        return -1;
    return vmm_cgroup_set(r->groups, m->group, &after, why, why_size);
}

/* Where each member is pinned. */
static void note_cpus(struct vmm_rt *r, uint64_t was[MEMBERS_MAX])
{
    for (size_t i = 0; i <= r->t->n_nodes; i++) {
        const struct vmm_claim *c = claim_of(r, i);
        was[i] = c ? c->cpus : 0;
    }
}

/* Moves those that the placement has moved since. How many. */
static int follow(struct vmm_rt *r, const uint64_t was[MEMBERS_MAX])
{
    char ignored[VMM_WHY_MAX];
    int moved = 0;
    for (size_t i = 0; i <= r->t->n_nodes; i++) {
        const struct vmm_claim *c = claim_of(r, i);
        if (c && c->chosen && c->cpus != was[i] && r->member[i].pid &&
            set_group(r, i, ignored, sizeof ignored) == 0 &&
            apply_threads(r, i, ignored, sizeof ignored) == 0)
            moved++;
    }
    return moved;
}

int vmm_rt_set(struct vmm_rt *r, size_t node, const char *words, char *why, size_t why_size)
{
    size_t i = place_of(r, node);
    struct member *m = &r->member[i];
    struct vmm_real_time rt = m->rt;
    struct vmm_share share = m->share;
    char ignored[VMM_WHY_MAX];
    if (i < r->t->n_nodes && r->t->node[i].kind == VMM_NAMESPACE) {
        snprintf(why, why_size, "%s is a namespace of the host: no threads of it are known",
                 m->group);
        return -1;
    }
    if (vmm_rt_words(words, &rt, &share, why, why_size) < 0)
        return -1;
    if (m->rt.policy == VMM_POLICY_DEADLINE && rt.policy != VMM_POLICY_DEADLINE && m->pid) {
        snprintf(
            why, why_size,
            "%s: its threads are under DEADLINE and stay so until they end, as the kernel loses "
            "their bandwidth otherwise: change the topology and start it anew",
            m->group);
        return -1;
    }
    struct vmm_real_time old_rt = m->rt;
    struct vmm_share old_share = m->share;
    struct vmm_group before = group_of(r, i), after;
    uint64_t was[MEMBERS_MAX];
    note_cpus(r, was);
    m->rt = rt;
    m->share = share;
    make_claims(r);
    if (admit(r, why, why_size) == 0 && apply_change(r, i, &before, why, why_size) == 0) {
        const struct vmm_claim *c = claim_of(r, i);
        was[i] = c ? c->cpus : 0; /* is there */
        follow(r, was);
        return 0;
    }
    after = group_of(r, i);
    m->rt = old_rt;
    m->share = old_share;
    make_claims(r);
    admit(r, ignored, sizeof ignored);
    apply_change(r, i, &after, ignored, sizeof ignored);
    return -1;
}

/* Threads that a process has made since: guests' vCPUs are known, a process's are not. */
static void renew(struct vmm_rt *r, size_t i)
{
    const struct member *m = &r->member[i];
    char ignored[VMM_WHY_MAX];
    if (m->pid && m->applied && !m->guest && m->rt.policy != VMM_POLICY_NONE)
        apply_threads(r, i, ignored, sizeof ignored);
}

/* Measured since the last look; half of it counts, as pictures come in bursts. */
static bool measure(struct vmm_rt *r, size_t i)
{
    struct member *m = &r->member[i];
    struct vmm_claim *c = claim_of(r, i);
    uint64_t now = vmm_host_now_ns(), cpu = vmm_sched_cpu_time_ns(m->pid);
    if (now <= m->seen_ns || cpu < m->cpu_ns)
        return false;
    uint32_t ppm = (uint32_t)((cpu - m->cpu_ns) * 1000 / ((now - m->seen_ns) / 1000 + 1));
    m->used_ppm = m->used_ppm ? (m->used_ppm + ppm) / 2 : ppm;
    m->cpu_ns = cpu;
    m->seen_ns = now;
    if (!c || c->policy == VMM_POLICY_FIFO || c->policy == VMM_POLICY_DEADLINE)
        return false; /* counted with what it is promised */
    uint32_t difference =
        c->demand_ppm > m->used_ppm ? c->demand_ppm - m->used_ppm : m->used_ppm - c->demand_ppm;
    if (difference < DEMAND_STEP_PPM)
        return false;
    c->demand_ppm = m->used_ppm;
    return true;
}

int vmm_rt_tick(struct vmm_rt *r)
{
    struct vmm_book book;
    char why[VMM_WHY_MAX];
    bool news = false;
    uint64_t was[MEMBERS_MAX];
    for (size_t i = 0; i <= r->t->n_nodes; i++)
        if (r->member[i].pid) {
            renew(r, i);
            news |= measure(r, i);
        }
    if (!news)
        return 0;
    note_cpus(r, was);
    if (vmm_book_open(&book, r->root, r->t->name, why, sizeof why) == 0) {
        vmm_balance(r->host.cpus, book.held, book.n_held, r->claim, r->n_claims);
        vmm_book_write(&book, r->t->name, r->claim, r->n_claims, why, sizeof why);
    }
    vmm_book_close(&book);
    return follow(r, was);
}

static json_t *cpus_json(uint64_t cpus)
{
    json_t *list = json_array();
    for (int i = 0; i < VMM_CPUS_MAX; i++)
        if (cpus >> i & 1)
            json_array_append_new(list, json_integer(i));
    return list;
}

static json_t *thread_json(const struct vmm_thread *t)
{
    static const char *const policies[] = { "other", "nice", "fifo", "deadline" };
    struct vmm_sched s;
    char why[VMM_WHY_MAX];
    if (vmm_sched_read(t->tid, &s, why, sizeof why) < 0)
        return NULL;
    json_t *j = json_pack("{s:i, s:s, s:s, s:o}", "tid", (int)t->tid, "name", t->name, "policy",
                          policies[s.policy], "cpus", cpus_json(s.cpus));
    if (s.policy == VMM_POLICY_FIFO || s.policy == VMM_POLICY_NICE)
        json_object_set_new(j, "priority", json_integer(s.priority));
    if (s.policy == VMM_POLICY_DEADLINE) {
        json_object_set_new(j, "budget_ms", json_real((double)s.budget_ns / 1e6));
        json_object_set_new(j, "period_ms", json_real((double)s.period_ns / 1e6));
    }
    return j;
}

static const char *bound_name(const struct vmm_rt *r, const struct member *m)
{
    if (m->rt.policy == VMM_POLICY_DEADLINE)
        return "budget";
    if (m->rt.policy == VMM_POLICY_FIFO)
        return r->host.rt_groups ? "group" : "rttime";
    return m->share.quota_percent ? "quota" : "none";
}

json_t *vmm_rt_report(struct vmm_rt *r, size_t node)
{
    size_t i = place_of(r, node);
    const struct member *m = &r->member[i];
    const struct vmm_claim *c = claim_of(r, i);
    static const char *const policies[] = { "none", "nice", "fifo", "deadline" };
    struct vmm_thread thread[VMM_THREADS_MAX];
    json_t *threads = json_array();
    int n = m->pid
                ? vmm_sched_threads(m->pid, m->guest, m->vcpu, m->n_vcpus, thread, VMM_THREADS_MAX)
                : 0;
    for (int k = 0; k < n; k++) {
        json_t *t = thread_json(&thread[k]);
        if (t)
            json_array_append_new(threads, t);
    }
    return json_pack(
        "{s:s, s:s, s:s, s:f, s:i, s:i, s:o, s:b, s:I, s:f, s:o}", "node",
        i == r->t->n_nodes ? "network" : m->group, "policy", policies[m->rt.policy], "bound",
        bound_name(r, m), "real_time_percent", c ? (double)c->real_time_ppm / 1e4 : 0.0, "weight",
        m->share.weight ? (int)m->share.weight : 100, "quota_percent", (int)m->share.quota_percent,
        "cpus", cpus_json(c ? c->cpus : m->share.cpus), "cpus_chosen", c ? c->chosen : 0,
        "memory_bytes", (json_int_t)m->share.memory_bytes, "cpu_percent", (double)m->used_ppm / 1e4,
        "threads", threads);
}
