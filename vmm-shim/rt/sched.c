/*
 * sched.c - sched_setattr(2) and sched_getattr(2) with their refusals explained; threads by /proc.
 */
#include "rt/sched.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

#define PRIORITY_MAX 99
#define RESET_ON_FORK 1ull /* SCHED_FLAG_RESET_ON_FORK */
#define CHILDREN_DEPTH 8   /* generations of a confined process that are looked for */

/* QEMU's main loop beside DEADLINE vCPUs: a quarter of a CPU at most, in short turns, so that its
 * deadline is the earlier one (measured: wake-up at most 1.3 ms with 1 of 4 ms). */
#define MAIN_PERIOD_MAX_NS 4000000ull
#define MAIN_PERIOD_MIN_NS 400000ull
#define MAIN_PERIODS 8
#define MAIN_SHARE 4

/* struct sched_attr of the kernel, version 0 (sched_setattr(2)); glibc has none before 2.41. */
struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct vmm_sched vmm_sched_plan(const struct vmm_real_time *rt, enum vmm_role role, uint64_t cpus)
{
    struct vmm_sched s = { .policy = rt->policy, .priority = rt->priority, .cpus = cpus };
    if (role == VMM_ROLE_HELPER)
        s = (struct vmm_sched){ .policy = VMM_POLICY_NONE, .cpus = cpus };
    switch (s.policy) {
    case VMM_POLICY_NONE:
        s.priority = 0;
        break;
    case VMM_POLICY_NICE:
        break;
    case VMM_POLICY_FIFO:
        if (role == VMM_ROLE_MAIN && s.priority < PRIORITY_MAX)
            s.priority++;
        break;
    case VMM_POLICY_DEADLINE:
        s.priority = 0;
        s.cpus = 0; /* the kernel refuses both together */
        s.budget_ns = rt->budget_ns;
        s.period_ns = rt->period_ns;
        if (role == VMM_ROLE_MAIN) {
            uint64_t turn = rt->period_ns / MAIN_PERIODS;
            turn = turn > MAIN_PERIOD_MAX_NS ? MAIN_PERIOD_MAX_NS : turn;
            s.period_ns = turn < MAIN_PERIOD_MIN_NS ? MAIN_PERIOD_MIN_NS : turn;
            s.budget_ns = s.period_ns / MAIN_SHARE;
        }
        s.deadline_ns = s.period_ns;
        break;
    }
    return s;
}

uint32_t vmm_sched_weight(int nice)
{
    double weight = 100; /* the kernel's table: a level is a factor of 1.25 */
    for (; nice < 0; nice++)
        weight *= 1.25;
    for (; nice > 0; nice--)
        weight /= 1.25;
    return weight < 1 ? 1 : weight > 10000 ? 10000 : (uint32_t)(weight + 0.5);
}

void vmm_sched_name(const struct vmm_sched *s, char *out, size_t size)
{
    switch (s->policy) {
    case VMM_POLICY_NONE:
        snprintf(out, size, "other");
        return;
    case VMM_POLICY_NICE:
        snprintf(out, size, "nice %d", s->priority);
        return;
    case VMM_POLICY_FIFO:
        snprintf(out, size, "fifo %d", s->priority);
        return;
    case VMM_POLICY_DEADLINE:
        snprintf(out, size, "deadline %g/%g/%g ms", (double)s->budget_ns / 1e6,
                 (double)s->deadline_ns / 1e6, (double)s->period_ns / 1e6);
        return;
    }
}

int vmm_sched_read(pid_t tid, struct vmm_sched *out, char *why, size_t why_size)
{
    struct attr a = { .size = sizeof a };
    cpu_set_t set;
    CPU_ZERO(&set);
    if (syscall(SYS_sched_getattr, tid, &a, sizeof a, 0) < 0 ||
        sched_getaffinity(tid, sizeof set, &set) < 0) {
        snprintf(why, why_size, "thread %d: its policy cannot be read: %s", tid, strerror(errno));
        return -1;
    }
    *out = (struct vmm_sched){ .policy = VMM_POLICY_NONE };
    if (a.policy == SCHED_FIFO || a.policy == SCHED_RR) {
        out->policy = VMM_POLICY_FIFO;
        out->priority = (int)a.priority;
    } else if (a.policy == SCHED_DEADLINE) {
        out->policy = VMM_POLICY_DEADLINE;
        out->budget_ns = a.runtime;
        out->deadline_ns = a.deadline;
        out->period_ns = a.period;
    } else if (a.nice != 0) {
        out->policy = VMM_POLICY_NICE;
        out->priority = a.nice;
    }
    for (int i = 0; i < VMM_CPUS_MAX; i++)
        if (CPU_ISSET(i, &set))
            out->cpus |= 1ull << i;
    return 0;
}

/* Why the kernel said no, in the words of whoever wrote the topology. */
static void explain(const struct vmm_sched *want, pid_t tid, int error, char *why, size_t size)
{
    char name[64];
    vmm_sched_name(want, name, sizeof name);
    const char *help = strerror(error);
    if (error == EBUSY)
        help = "the kernel has no bandwidth left for it: others hold it, or threads that were "
               "switched back from DEADLINE leaked it (a change of any cpuset renews the count)";
    else if (error == EPERM && want->policy == VMM_POLICY_DEADLINE)
        help = "not permitted: it needs CAP_SYS_NICE (root), and a thread that may run on every "
               "CPU (no pin, no cpus, no cpuset)";
    else if (error == EPERM && want->policy == VMM_POLICY_FIFO)
        help = "not permitted: it needs CAP_SYS_NICE (root) or RLIMIT_RTPRIO, and a control group "
               "with a share for real time (cpu.rt_runtime_us)";
    else if (error == EPERM || error == EACCES)
        help = "not permitted: it needs CAP_SYS_NICE (root) or RLIMIT_NICE";
    else if (error == ESRCH)
        help = "it has ended";
    snprintf(why, size, "thread %d cannot have %s: %s", tid, name, help);
}

static int set_cpus(pid_t tid, uint64_t cpus, char *why, size_t why_size)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < VMM_CPUS_MAX; i++)
        if (cpus >> i & 1)
            CPU_SET(i, &set);
    if (sched_setaffinity(tid, sizeof set, &set) == 0)
        return 0;
    snprintf(why, why_size, "thread %d cannot be pinned to CPUs 0x%" PRIx64 ": %s", tid, cpus,
             errno == EBUSY    ? "it is under DEADLINE"
             : errno == EINVAL ? "none of them is there, or its cpuset leaves them out"
                               : strerror(errno));
    return -1;
}

static bool same(const struct vmm_sched *want, const struct vmm_sched *has)
{
    if (want->policy == VMM_POLICY_NICE && want->priority == 0)
        return has->policy == VMM_POLICY_NONE;
    if (want->policy != has->policy || want->priority != has->priority)
        return false;
    if (want->policy == VMM_POLICY_DEADLINE)
        return want->budget_ns == has->budget_ns && want->period_ns == has->period_ns;
    return true;
}

int vmm_sched_apply(pid_t tid, const struct vmm_sched *want, char *why, size_t why_size)
{
    struct vmm_sched has;
    if (vmm_sched_read(tid, &has, why, why_size) < 0)
        return -1;
    if (has.policy == VMM_POLICY_DEADLINE && want->policy != VMM_POLICY_DEADLINE) {
        snprintf(why, why_size,
                 "thread %d is under DEADLINE and stays so until it ends, as the kernel loses its "
                 "bandwidth otherwise: start the node anew",
                 tid);
        return -1;
    }
    if (want->policy == VMM_POLICY_DEADLINE && want->cpus) {
        snprintf(why, why_size, "thread %d: DEADLINE and a choice of CPUs exclude each other", tid);
        return -1;
    }
    if (want->cpus && want->cpus != has.cpus && set_cpus(tid, want->cpus, why, why_size) < 0)
        return -1;
    struct attr a = { .size = sizeof a, .policy = SCHED_OTHER };
    if (want->policy == VMM_POLICY_FIFO) {
        a.policy = SCHED_FIFO;
        a.priority = (uint32_t)want->priority;
    } else if (want->policy == VMM_POLICY_DEADLINE) {
        a.policy = SCHED_DEADLINE;
        a.flags = RESET_ON_FORK; /* without it, such a thread may make no other */
        a.runtime = want->budget_ns;
        a.deadline = want->deadline_ns;
        a.period = want->period_ns;
    } else if (want->policy == VMM_POLICY_NICE) {
        a.nice = want->priority;
    }
    if (!same(want, &has) && syscall(SYS_sched_setattr, tid, &a, 0) < 0) {
        explain(want, tid, errno, why, why_size);
        return -1;
    }
    if (vmm_sched_read(tid, &has, why, why_size) < 0)
        return -1;
    if (!same(want, &has) || (want->cpus && has.cpus & ~want->cpus)) {
        char is[64], was[64];
        vmm_sched_name(&has, is, sizeof is);
        vmm_sched_name(want, was, sizeof was);
        snprintf(why, why_size,
                 "thread %d was given %s on CPUs 0x%" PRIx64 " and has %s on 0x%" PRIx64, tid, was,
                 want->cpus, is, has.cpus);
        return -1;
    }
    return 0;
}

/* First line of a file of /proc/PID/task/TID. */
static void read_line(pid_t pid, pid_t tid, const char *what, char *out, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", pid, tid, what);
    out[0] = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (!fgets(out, (int)size, f))
        out[0] = 0;
    out[strcspn(out, "\n")] = 0;
    fclose(f);
}

static enum vmm_role role_of(pid_t pid, const struct vmm_thread *t, const pid_t *vcpus, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (vcpus[i] == t->tid)
            return VMM_ROLE_VCPU;
    if (n == 0 && strncmp(t->name, "CPU ", 4) == 0 && isdigit((unsigned char)t->name[4]))
        return VMM_ROLE_VCPU;
    return t->tid == pid ? VMM_ROLE_MAIN : VMM_ROLE_HELPER;
}

/* Ids of the threads of `pid`, at most `max`; -1: no such process. */
static int task_ids(pid_t pid, pid_t *out, size_t max)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *d = opendir(path);
    if (!d)
        return -1;
    size_t n = 0;
    for (struct dirent *e; n < max && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]))
            out[n++] = (pid_t)strtol(e->d_name, NULL, 10);
    closedir(d);
    return (int)n;
}

static size_t add_tasks(pid_t pid, struct vmm_thread *out, size_t max)
{
    pid_t tid[VMM_THREADS_MAX];
    int n = task_ids(pid, tid, VMM_THREADS_MAX);
    size_t have = 0;
    for (int i = 0; i < n && have < max; i++) {
        struct vmm_thread *t = &out[have++];
        *t = (struct vmm_thread){ .tid = tid[i], .role = VMM_ROLE_THREAD, .process = pid };
        read_line(pid, tid[i], "comm", t->name, sizeof t->name);
    }
    return have;
}

/* Parent of `pid`; 0: gone. */
static pid_t parent_of(pid_t pid)
{
    char line[512];
    read_line(pid, pid, "stat", line, sizeof line);
    const char *p = strrchr(line, ')'); /* the name before it may hold anything */
    return p && strlen(p) > 4 ? (pid_t)strtol(p + 4, NULL, 10) : 0;
}

/* `pid` and its descendants; not every kernel has /proc/PID/task/TID/children. */
static size_t family(pid_t pid, pid_t *out, size_t max)
{
    static const char folder[] = "/proc";
    size_t n = 0, before = 0;
    out[n++] = pid;
    for (int depth = 0; depth < CHILDREN_DEPTH && n > before; depth++) {
        DIR *d = opendir(folder);
        if (!d)
            break;
        size_t known = n;
        for (struct dirent *e; n < max && (e = readdir(d));) {
            pid_t child =
                isdigit((unsigned char)e->d_name[0]) ? (pid_t)strtol(e->d_name, NULL, 10) : 0;
            pid_t parent = child ? parent_of(child) : 0;
            for (size_t i = before; parent && i < known; i++)
                if (out[i] == parent) {
                    out[n++] = child;
                    break;
                }
        }
        closedir(d);
        before = known;
    }
    return n;
}

int vmm_sched_threads(pid_t pid, bool guest, const pid_t *vcpus, size_t n_vcpus,
                      struct vmm_thread *out, size_t max)
{
    pid_t member[VMM_THREADS_MAX] = { pid };
    size_t n = 0, members = guest ? 1 : family(pid, member, VMM_THREADS_MAX);
    for (size_t i = 0; i < members && n < max; i++)
        n += add_tasks(member[i], out + n, max - n);
    for (size_t i = 0; guest && i < n; i++)
        out[i].role = role_of(pid, &out[i], vcpus, n_vcpus);
    return n ? (int)n : -1;
}

uint64_t vmm_sched_cpu_time_ns(pid_t pid)
{
    pid_t member[VMM_THREADS_MAX];
    uint64_t sum = 0;
    size_t n = family(pid, member, VMM_THREADS_MAX);
    for (size_t i = 0; i < n; i++) {
        clockid_t clock;
        struct timespec now;
        if (clock_getcpuclockid(member[i], &clock) == 0 && clock_gettime(clock, &now) == 0)
            sum += (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    return sum;
}
