/* test_rt_keep.c - slices' promises as their keepers make and keep them, with real processes. */
#include "rt.h"
#include "rt/rt.h"
#include "rt/sched.h"

#include <cap-ng.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define MS 1000000ull
#define RUNAWAY_NS (600 * MS)

static char root[] = "/tmp/vmm-keep-XXXXXX";
static char why[VMM_WHY_MAX];

static struct vmm_topology *topology(const char *name)
{
    struct vmm_topology *t = calloc(1, sizeof *t);
    assert_non_null(t);
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static struct vmm_node *node(struct vmm_topology *t, const char *name, enum vmm_policy policy)
{
    struct vmm_node *n = &t->node[t->n_nodes++];
    snprintf(n->name, sizeof n->name, "%s", name);
    n->kind = VMM_PROCESS;
    n->vcpus = 1;
    n->real_time.policy = policy;
    n->real_time.priority = policy == VMM_POLICY_FIFO ? 10 : 0;
    return n;
}

static void bounded(struct vmm_node *n, uint64_t budget_ms, uint64_t period_ms)
{
    n->real_time.budget_ns = budget_ms * MS;
    n->real_time.period_ns = period_ms * MS;
}

static struct vmm_rt *must_open(const struct vmm_topology *t)
{
    struct vmm_rt *r;
    if (vmm_rt_open(&r, t, root, why, sizeof why) < 0)
        fail_msg("%s", why);
    return r;
}

/* A child that sleeps, or one that never does. */
static pid_t child_that(bool spins)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        if (!spins)
            pause();
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void must_start(struct vmm_rt *r, size_t node, pid_t child)
{
    if (vmm_rt_started(r, node, child, why, sizeof why) < 0 ||
        vmm_rt_apply(r, node, NULL, 0, why, sizeof why) < 0)
        fail_msg("%s", why);
}

static bool book_is_there(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/admission.json", root);
    return access(path, F_OK) == 0;
}

static void policies_are_reported(void **state)
{
    (void)state;
    struct vmm_topology *t = topology("rt-keep-a");
    bounded(node(t, "fast", VMM_POLICY_FIFO), 10, 100);
    node(t, "plain", VMM_POLICY_NONE)->share.weight = 300;
    struct vmm_rt *r = must_open(t);
    pid_t fast = child_that(false), plain = child_that(false);
    must_start(r, 0, fast);
    must_start(r, 1, plain);
    json_t *j = vmm_rt_report(r, 0), *th = json_array_get(json_object_get(j, "threads"), 0);
    assert_string_equal(json_string_value(json_object_get(j, "node")), "fast");
    assert_int_equal(json_integer_value(json_object_get(th, "tid")), fast);
    assert_string_equal(json_string_value(json_object_get(th, "policy")), "fifo");
    assert_int_equal(json_integer_value(json_object_get(th, "priority")), 10);
    assert_int_equal(sched_getscheduler(fast), SCHED_FIFO);
    json_decref(j);
    j = vmm_rt_report(r, 1);
    th = json_array_get(json_object_get(j, "threads"), 0);
    assert_string_equal(json_string_value(json_object_get(th, "policy")), "other");
    assert_int_equal(json_integer_value(json_object_get(j, "weight")), 300);
    json_decref(j);
    /* Changed while it runs; what is refused leaves all as it was. */
    if (vmm_rt_set(r, 1, "policy=nice,priority=5,pin=0", why, sizeof why) < 0)
        fail_msg("%s", why);
    struct vmm_sched s;
    assert_int_equal(vmm_sched_read(plain, &s, why, sizeof why), 0);
    assert_true(s.policy == VMM_POLICY_NICE && s.priority == 5 && s.cpus == 1);
    assert_int_equal(vmm_rt_set(r, 1, "policy=fifo,budget=85ms,period=100ms", why, sizeof why), -1);
    assert_says(why, "%");
    assert_int_equal(vmm_sched_read(plain, &s, why, sizeof why), 0);
    assert_int_equal(s.policy, VMM_POLICY_NICE);
    if (vmm_rt_set(r, 1, "policy=fifo,priority=3,budget=20ms,period=100ms", why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(sched_getscheduler(plain), SCHED_FIFO);
    if (vmm_rt_set(r, 1, "policy=none,pin=no", why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(sched_getscheduler(plain), SCHED_OTHER);
    assert_int_equal(vmm_sched_read(plain, &s, why, sizeof why), 0);
    assert_int_equal(vmm_cpus_count(s.cpus), sysconf(_SC_NPROCESSORS_ONLN));
    end(fast);
    end(plain);
    vmm_rt_close(r);
    assert_false(book_is_there());
    free(t);
}

static void over_commitment_is_refused(void **state)
{
    (void)state;
    struct vmm_topology *a = topology("rt-keep-a"), *b = topology("rt-keep-b");
    bounded(node(a, "one", VMM_POLICY_FIFO), 50, 100);
    bounded(node(b, "two", VMM_POLICY_FIFO), 50, 100);
    struct vmm_rt *ra = must_open(a), *rb;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    bounded(&b->node[0], (uint64_t)cpus * 100, 100); /* more than any host has, groups or not */
    assert_int_equal(vmm_rt_open(&rb, b, root, why, sizeof why), -1);
    assert_null(rb);
    assert_says(why, "two");
    bounded(&b->node[0], 30, 100);
    rb = must_open(b);
    vmm_rt_close(rb);
    assert_true(book_is_there()); /* the other's promises */
    vmm_rt_close(ra);
    assert_false(book_is_there());
    free(a);
    free(b);
}

/* What a keeper that was killed held is free again, and its groups go. */
static void dead_keepers_hold_nothing(void **state)
{
    (void)state;
    struct vmm_topology *a = topology("rt-keep-a"), *b = topology("rt-keep-b");
    bounded(node(a, "one", VMM_POLICY_FIFO), 80, 100);
    bounded(node(b, "two", VMM_POLICY_FIFO), 80, 100);
    a->node[0].share.cpus = b->node[0].share.cpus = 1;
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t keeper = fork();
    if (keeper == 0) {
        struct vmm_rt *r;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (vmm_rt_open(&r, a, root, why, sizeof why) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    struct vmm_rt *r;
    assert_int_equal(vmm_rt_open(&r, b, root, why, sizeof why), -1);
    assert_says(why, "rt-keep-a/one 80 %");
    end(keeper);
    r = must_open(b);
    vmm_rt_close(r);
    r = must_open(a);
    vmm_rt_close(r);
    free(a);
    free(b);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A FIFO process that never sleeps gets its share and no more; who shares the CPU proceeds. */
static void runaway_is_bounded(void **state)
{
    (void)state;
    struct vmm_topology *t = topology("rt-keep-a");
    struct vmm_node *n = node(t, "wild", VMM_POLICY_FIFO);
    bounded(n, 10, 50);
    n->share.cpus = 1;
    node(t, "tame", VMM_POLICY_NONE)->share.cpus = 1;
    struct vmm_rt *r = must_open(t);
    pid_t wild = child_that(true), tame = child_that(true);
    must_start(r, 1, tame);
    must_start(r, 0, wild);
    json_t *j = vmm_rt_report(r, 0);
    bool groups = strcmp(json_string_value(json_object_get(j, "bound")), "group") == 0;
    json_decref(j);
    if (groups) {
        struct timespec wait = { .tv_nsec = RUNAWAY_NS };
        uint64_t began = now_ns(), wild_before = vmm_sched_cpu_time_ns(wild),
                 tame_before = vmm_sched_cpu_time_ns(tame);
        nanosleep(&wait, NULL);
        uint64_t used = vmm_sched_cpu_time_ns(wild) - wild_before, took = now_ns() - began,
                 others = vmm_sched_cpu_time_ns(tame) - tame_before;
        print_message("runaway: %.1f %% of a CPU (20 %% promised), beside it %.1f %%\n",
                      100.0 * (double)used / (double)took, 100.0 * (double)others / (double)took);
        assert_true(used * 100 < took * 30); /* 20, and what a tick is late */
        assert_true(others > 0);
        end(wild);
    } else {
        int status; /* no group: it is ended after a second without sleep */
        assert_int_equal(waitpid(wild, &status, 0), wild);
        assert_true(WIFSIGNALED(status));
        assert_true(WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
    }
    end(tame);
    vmm_rt_close(r);
    free(t);
}

/* Becomes a user whose only right is to set policies. */
static int become_user_with_nice(void)
{
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        return -1;
    capng_clear(CAPNG_SELECT_CAPS);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_NICE);
    return capng_apply(CAPNG_SELECT_CAPS);
}

/* Who may set policies and make no groups: shares are refused, FIFO that never sleeps is ended. */
static void without_groups(void **state)
{
    (void)state;
    char own[] = "/tmp/vmm-keep-user-XXXXXX", path[64];
    assert_non_null(mkdtemp(own));
    assert_int_equal(chown(own, 65534, 65534), 0);
    int status;
    pid_t user = fork();
    if (user == 0) {
        struct vmm_topology *t = topology("rt-keep-u");
        struct vmm_rt *r;
        bounded(node(t, "wild", VMM_POLICY_FIFO), 10, 100);
        if (become_user_with_nice() < 0)
            _exit(2);
        t->node[0].share.weight = 300;
        if (vmm_rt_open(&r, t, own, why, sizeof why) == 0 || !why[0])
            _exit(3);
        print_message("%s\n", why);
        t->node[0].share.weight = 0;
        if (vmm_rt_open(&r, t, own, why, sizeof why) < 0 || !vmm_rt_note(r)[0])
            _exit(4);
        pid_t wild = child_that(true);
        if (vmm_rt_started(r, 0, wild, why, sizeof why) < 0 ||
            vmm_rt_apply(r, 0, NULL, 0, why, sizeof why) < 0) {
            print_message("%s\n", why);
            _exit(5);
        }
        json_t *j = vmm_rt_report(r, 0);
        if (strcmp(json_string_value(json_object_get(j, "bound")), "rttime") != 0)
            _exit(6);
        if (waitpid(wild, &status, 0) != wild || !WIFSIGNALED(status) ||
            WTERMSIG(status) != SIGXCPU)
            _exit(7);
        vmm_rt_close(r);
        _exit(0);
    }
    assert_int_equal(waitpid(user, &status, 0), user);
    snprintf(path, sizeof path, "%s/.admission.lock", own);
    unlink(path);
    assert_int_equal(rmdir(own), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Pinned without CPUs of its own: the placement chooses, two real-time nodes apart. */
static void placement(void **state)
{
    (void)state;
    struct vmm_topology *t = topology("rt-keep-a");
    for (int i = 0; i < 2; i++) {
        struct vmm_node *n = node(t, i ? "b" : "a", VMM_POLICY_FIFO);
        bounded(n, 10, 100);
        n->real_time.pin = true;
    }
    struct vmm_rt *r = must_open(t);
    pid_t child[2];
    struct vmm_sched s[2];
    for (size_t i = 0; i < 2; i++) {
        child[i] = child_that(false);
        must_start(r, i, child[i]);
        assert_int_equal(vmm_sched_read(child[i], &s[i], why, sizeof why), 0);
        assert_int_equal(vmm_cpus_count(s[i].cpus), 1);
    }
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        assert_true(s[0].cpus != s[1].cpus);
    assert_int_equal(vmm_rt_tick(r), 0);
    /* One of them names the other's CPU: that one makes way. */
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        uint64_t taken = s[1].cpus;
        char words[32];
        snprintf(words, sizeof words, "cpus=%d", __builtin_ctzll(taken));
        if (vmm_rt_set(r, 0, words, why, sizeof why) < 0)
            fail_msg("%s", why);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(vmm_sched_read(child[i], &s[i], why, sizeof why), 0);
        assert_true(s[0].cpus == taken && s[1].cpus != taken);
    }
    for (size_t i = 0; i < 2; i++)
        end(child[i]);
    vmm_rt_close(r);
    free(t);
}

static void deadline_stays(void **state)
{
    (void)state;
    struct vmm_topology *t = topology("rt-keep-a");
    node(t, "n", VMM_POLICY_NONE);
    struct vmm_rt *r = must_open(t);
    pid_t child = child_that(false);
    must_start(r, VMM_RT_NETWORK, child);
    assert_int_equal(vmm_rt_set(r, VMM_RT_NETWORK, "policy=deadline,budget=2ms,period=40ms,cpus=0",
                                why, sizeof why),
                     -1);
    assert_says(why, "DEADLINE cannot be pinned");
    if (vmm_rt_set(r, VMM_RT_NETWORK, "policy=deadline,budget=2ms,period=40ms", why, sizeof why) <
        0)
        fail_msg("%s", why);
    json_t *j = vmm_rt_report(r, VMM_RT_NETWORK),
           *th = json_array_get(json_object_get(j, "threads"), 0);
    assert_string_equal(json_string_value(json_object_get(th, "policy")), "deadline");
    assert_true(json_real_value(json_object_get(th, "budget_ms")) == 2.0);
    json_decref(j);
    assert_int_equal(vmm_rt_set(r, VMM_RT_NETWORK, "policy=none", why, sizeof why), -1);
    assert_says(why, "stay so until they end");
    end(child);
    vmm_rt_stopped(r, VMM_RT_NETWORK);
    /* From pinned FIFO straight to DEADLINE, which may run everywhere. */
    assert_int_equal(vmm_rt_set(r, VMM_RT_NETWORK, "policy=fifo,cpus=0", why, sizeof why), 0);
    child = child_that(false);
    must_start(r, VMM_RT_NETWORK, child);
    if (vmm_rt_set(r, VMM_RT_NETWORK, "policy=deadline,budget=2ms,period=40ms,pin=no", why,
                   sizeof why) < 0)
        fail_msg("%s", why);
    end(child);
    vmm_rt_stopped(r, VMM_RT_NETWORK);
    assert_int_equal(vmm_rt_set(r, VMM_RT_NETWORK, "policy=none", why, sizeof why), 0);
    vmm_rt_close(r);
    free(t);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/.admission.lock", root);
    unlink(path);
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_reported),
        cmocka_unit_test(over_commitment_is_refused),
        cmocka_unit_test(dead_keepers_hold_nothing),
        cmocka_unit_test(runaway_is_bounded),
        cmocka_unit_test(without_groups),
        cmocka_unit_test(placement),
        cmocka_unit_test(deadline_stays),
    };
    if (geteuid() != 0) {
        puts("SKIP: real-time policies need root (CAP_SYS_NICE)");
        return EXIT_SKIPPED;
    }
    setpriority(PRIO_PROCESS, 0, 0); /* of `nice meson test`: a node without a policy is "other" */
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
