/* test_rt_sched.c - plans of policies, and threads of this program that are given them. */
#include "rt.h"
#include "rt/sched.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define EXIT_SKIPPED 77

/* A thread that sleeps until told to end, named as QEMU names its vCPUs. */
struct sleeper {
    pthread_t thread;
    pid_t tid;
    sem_t ready, end;
};

static void *sleep_until_told(void *of)
{
    struct sleeper *s = of;
    pthread_setname_np(pthread_self(), "CPU 0/TCG");
    s->tid = (pid_t)syscall(SYS_gettid);
    sem_post(&s->ready);
    while (sem_wait(&s->end) < 0)
        continue;
    return NULL;
}

static void start(struct sleeper *s)
{
    sem_init(&s->ready, 0, 0);
    sem_init(&s->end, 0, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_until_told, s), 0);
    while (sem_wait(&s->ready) < 0)
        continue;
}

static void stop(struct sleeper *s)
{
    sem_post(&s->end);
    pthread_join(s->thread, NULL);
}

static void plans(void **state)
{
    (void)state;
    struct vmm_real_time fifo = { .policy = VMM_POLICY_FIFO, .priority = 97 };
    assert_int_equal(vmm_sched_plan(&fifo, VMM_ROLE_VCPU, 0).priority, 97);
    assert_int_equal(vmm_sched_plan(&fifo, VMM_ROLE_MAIN, 0).priority, 98);
    assert_int_equal(vmm_sched_plan(&fifo, VMM_ROLE_THREAD, 0).priority, 97);
    assert_int_equal(vmm_sched_plan(&fifo, VMM_ROLE_HELPER, 2).policy, VMM_POLICY_NONE);
    assert_int_equal(vmm_sched_plan(&fifo, VMM_ROLE_HELPER, 2).cpus, 2);
    struct vmm_real_time dl = { .policy = VMM_POLICY_DEADLINE,
                                .budget_ns = 16 * MS,
                                .period_ns = 33 * MS };
    struct vmm_sched vcpu = vmm_sched_plan(&dl, VMM_ROLE_VCPU, 0),
                     loop = vmm_sched_plan(&dl, VMM_ROLE_MAIN, 3);
    assert_true(vcpu.budget_ns == 16 * MS && vcpu.deadline_ns == 33 * MS);
    assert_true(loop.deadline_ns == 4 * MS && loop.budget_ns == MS); /* the earlier deadline */
    assert_int_equal(loop.cpus, 0);                                  /* never pinned */
    dl.period_ns = 1 * MS;
    dl.budget_ns = MS / 2;
    loop = vmm_sched_plan(&dl, VMM_ROLE_MAIN, 0);
    assert_true(loop.deadline_ns == 400000 && loop.deadline_ns < dl.period_ns);
}

static void weights(void **state)
{
    (void)state;
    assert_int_equal(vmm_sched_weight(0), 100);
    assert_int_equal(vmm_sched_weight(-20), 8674); /* the kernel's: 88761 of 1024 */
    assert_int_equal(vmm_sched_weight(19), 1);     /* 15 of 1024 */
    assert_int_equal(vmm_sched_weight(-5), 305);   /* 3121 of 1024 */
}

static void names(void **state)
{
    (void)state;
    static const struct {
        struct vmm_sched s;
        const char *name;
    } rows[] = {
        { { .policy = VMM_POLICY_NONE }, "other" },
        { { .policy = VMM_POLICY_NICE, .priority = -5 }, "nice -5" },
        { { .policy = VMM_POLICY_FIFO, .priority = 50 }, "fifo 50" },
        { { .policy = VMM_POLICY_DEADLINE,
            .budget_ns = 10 * MS,
            .deadline_ns = 33 * MS,
            .period_ns = 33 * MS },
          "deadline 10/33/33 ms" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        vmm_sched_name(&rows[i].s, text, sizeof text);
        assert_string_equal(text, rows[i].name);
    }
}

/* FIFO, nice, and back, with CPUs: what the kernel says it has. */
static void read_back(void **state)
{
    (void)state;
    struct sleeper s;
    char why[VMM_WHY_MAX] = "";
    start(&s);
    const struct vmm_sched wanted[] = {
        { .policy = VMM_POLICY_FIFO, .priority = 7, .cpus = 1 },
        { .policy = VMM_POLICY_NICE, .priority = -5 },
        { .policy = VMM_POLICY_NICE, .priority = 0 },
        { .policy = VMM_POLICY_FIFO, .priority = 98 },
        { .policy = VMM_POLICY_NONE },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct vmm_sched has;
        if (vmm_sched_apply(s.tid, &wanted[i], why, sizeof why) < 0)
            fail_msg("%s", why);
        assert_int_equal(vmm_sched_read(s.tid, &has, why, sizeof why), 0);
        assert_int_equal(has.cpus, 1);
        assert_int_equal(has.priority, wanted[i].priority);
        assert_int_equal(sched_getscheduler(s.tid),
                         wanted[i].policy == VMM_POLICY_FIFO ? SCHED_FIFO : SCHED_OTHER);
    }
    stop(&s);
    assert_int_equal(vmm_sched_apply(s.tid, &wanted[0], why, sizeof why), -1);
    assert_says(why, "cannot be read");
}

/* A thread under DEADLINE stays there; it is not pinned; a full host is explained. The thread ends,
 * so that its bandwidth is given back. */
static void deadline(void **state)
{
    (void)state;
    struct sleeper s, other[4];
    char why[VMM_WHY_MAX] = "";
    struct vmm_sched has, dl = { .policy = VMM_POLICY_DEADLINE,
                                 .budget_ns = 2 * MS,
                                 .deadline_ns = 40 * MS,
                                 .period_ns = 40 * MS };
    const struct vmm_sched plain = { .policy = VMM_POLICY_NONE };
    start(&s);
    dl.cpus = 1;
    assert_int_equal(vmm_sched_apply(s.tid, &dl, why, sizeof why), -1);
    assert_says(why, "exclude each other");
    dl.cpus = 0;
    if (vmm_sched_apply(s.tid, &dl, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(vmm_sched_read(s.tid, &has, why, sizeof why), 0);
    assert_true(has.policy == VMM_POLICY_DEADLINE && has.budget_ns == 2 * MS &&
                has.period_ns == 40 * MS);
    assert_true(sched_getscheduler(s.tid) & SCHED_RESET_ON_FORK); /* it may make threads */
    dl.budget_ns = 4 * MS;                                        /* other figures are fine */
    assert_int_equal(vmm_sched_apply(s.tid, &dl, why, sizeof why), 0);
    assert_int_equal(vmm_sched_apply(s.tid, &plain, why, sizeof why), -1);
    assert_says(why, "stays so until it ends");
    assert_int_equal(sched_getscheduler(s.tid) & ~SCHED_RESET_ON_FORK, 6);
    /* More than all CPUs have: EBUSY. */
    int refused = 0;
    dl.budget_ns = 39 * MS;
    size_t n = (size_t)sysconf(_SC_NPROCESSORS_ONLN) + 1;
    n = n > 4 ? 4 : n;
    for (size_t i = 0; i < n; i++) {
        start(&other[i]);
        if (vmm_sched_apply(other[i].tid, &dl, why, sizeof why) < 0) {
            refused++;
            assert_says(why, "no bandwidth left");
        }
    }
    for (size_t i = 0; i < n; i++)
        stop(&other[i]);
    stop(&s);
    assert_true(refused > 0 || sysconf(_SC_NPROCESSORS_ONLN) > 3);
}

static void threads(void **state)
{
    (void)state;
    struct sleeper s;
    struct vmm_thread t[8];
    start(&s);
    int n = vmm_sched_threads(getpid(), true, NULL, 0, t, 8), vcpus = 0, loops = 0;
    assert_int_equal(n, 2);
    for (int i = 0; i < n; i++) {
        vcpus += t[i].role == VMM_ROLE_VCPU && t[i].tid == s.tid && !strcmp(t[i].name, "CPU 0/TCG");
        loops += t[i].role == VMM_ROLE_MAIN && t[i].tid == getpid();
    }
    assert_int_equal(vcpus, 1);
    assert_int_equal(loops, 1);
    pid_t named = getpid(); /* by QMP: the name does not matter */
    vmm_sched_threads(getpid(), true, &named, 1, t, 8);
    for (int i = 0; i < n; i++)
        assert_int_equal(t[i].role, t[i].tid == getpid() ? VMM_ROLE_VCPU : VMM_ROLE_HELPER);
    /* Of a confined process, its children's too. */
    int hold[2];
    assert_int_equal(pipe(hold), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(hold[1]);
        _exit(read(hold[0], &c, 1) < 0);
    }
    bool found = false;
    n = vmm_sched_threads(getpid(), false, NULL, 0, t, 8);
    for (int i = 0; i < n; i++) {
        assert_int_equal(t[i].role, VMM_ROLE_THREAD);
        found |= t[i].tid == child;
    }
    close(hold[0]);
    close(hold[1]);
    waitpid(child, NULL, 0);
    stop(&s);
    assert_int_equal(n, 3);
    assert_true(found);
    assert_int_equal(vmm_sched_threads(child, true, NULL, 0, t, 8), -1);
}

static void cpu_time(void **state)
{
    (void)state;
    uint64_t before = vmm_sched_cpu_time_ns(getpid());
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec < before + 20 * MS);
    uint64_t after = vmm_sched_cpu_time_ns(getpid());
    assert_true(after >= before + 20 * MS && after < before + 2000 * MS);
    assert_true(vmm_sched_cpu_time_ns(0x3ffffff) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),     cmocka_unit_test(weights),  cmocka_unit_test(names),
        cmocka_unit_test(read_back), cmocka_unit_test(deadline), cmocka_unit_test(threads),
        cmocka_unit_test(cpu_time),
    };
    if (geteuid() != 0) {
        puts("SKIP: real-time policies need root (CAP_SYS_NICE)");
        return EXIT_SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
