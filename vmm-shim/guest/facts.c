/*
 * facts.c - what this host can do for guests (facts.h): a table of attempts, each in a child where
 * it would change us.
 */
#include "guest/facts.h"

#include "guest/accel.h"
#include "guest/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `what` in a child; 0, or the errno of what failed there. */
static int attempt(int (*what)(void))
{
    const pid_t pid = fork();
    int status;

    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(what() == 0 ? 0 : errno);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static bool tried(struct vmm_fact *f, int (*what)(void), const char *good)
{
    const int error = attempt(what);

    snprintf(f->text, sizeof f->text, "%s", error ? strerror(error) : good);
    return error == 0;
}

static int try_fifo(void)
{
    const struct sched_param p = { .sched_priority = 1 };

    return sched_setscheduler(0, SCHED_FIFO, &p);
}

static int try_deadline(void)
{
    const struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } a = { 48, 6 /* SCHED_DEADLINE */, 0, 0, 0, 1000000, 100000000, 100000000 };

    return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static int try_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_network_namespace(void)
{
    return unshare(CLONE_NEWNET);
}

static int try_tap(void)
{
    struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    return fd < 0 ? -1 : ioctl(fd, TUNSETIFF, &r); /* it goes with the child */
}

static int try_userfaultfd(void)
{
#ifdef SYS_userfaultfd
    if (syscall(SYS_userfaultfd, O_CLOEXEC) >= 0)
        return 0;
#endif
    return open("/dev/userfaultfd", O_RDWR | O_CLOEXEC) < 0 ? -1 : 0;
}

static bool fact_kvm(struct vmm_fact *f, const char *root)
{
    struct vmm_kvm_probe p;

    vmm_accel_verdict(&p, root);
    snprintf(f->text, sizeof f->text, "%s", p.why);
    return p.verdict == VMM_KVM_WORKS;
}

static bool fact_counter(struct vmm_fact *f, const char *root)
{
    const uint32_t khz = vmm_accel_tsc_khz();

    (void)root;
    snprintf(f->text, sizeof f->text, "%u kHz", khz);
    return khz > 0;
}

/* The first line that a program says of itself. */
static bool version_of(const char *program, struct vmm_fact *f)
{
    char command[64];
    FILE *p;

    snprintf(command, sizeof command, "%s --version 2>&1", program);
    p = popen(command, "re");
    if (!p || !fgets(f->text, sizeof f->text, p))
        *f->text = 0;
    f->text[strcspn(f->text, "\n")] = 0;
    return p && pclose(p) == 0;
}

static bool fact_qemu(struct vmm_fact *f, const char *root)
{
    (void)root;
    return version_of("qemu-system-x86_64", f);
}

static bool fact_qemu_arm(struct vmm_fact *f, const char *root)
{
    (void)root;
    return version_of("qemu-system-aarch64", f);
}

static bool fact_zstd(struct vmm_fact *f, const char *root)
{
    (void)root;
    return version_of("zstd", f);
}

static bool fact_sandbox(struct vmm_fact *f, const char *root)
{
    const int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

    (void)root;
    snprintf(f->text, sizeof f->text, mode < 0 ? "no seccomp: %s" : "seccomp filters",
             strerror(errno));
    return mode >= 0;
}

static bool fact_landlock(struct vmm_fact *f, const char *root)
{
    (void)root;
    snprintf(f->text, sizeof f->text, "%s",
             vmm_landlock_is_here() ? "is there" : "not in this kernel");
    return vmm_landlock_is_here();
}

static bool fact_fifo(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_fifo, "may be set");
}

static bool fact_deadline(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_deadline, "may be set");
}

static bool fact_tap(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_tap, "can be made");
}

static bool fact_user_namespaces(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_user_namespace, "can be made");
}

static bool fact_network_namespaces(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_network_namespace, "can be made");
}

static bool fact_userfaultfd(struct vmm_fact *f, const char *root)
{
    (void)root;
    return tried(f, try_userfaultfd, "can be had");
}

static bool fact_root(struct vmm_fact *f, const char *root)
{
    (void)root;
    snprintf(f->text, sizeof f->text, "user id %u", geteuid());
    return geteuid() == 0;
}

static void add_word(char *out, size_t size, const char *word)
{
    const size_t n = strlen(out);

    snprintf(out + n, size - n, "%s%.40s", n ? " " : "", word);
}

/* Controllers of one interface, out of /proc/mounts and cgroup.controllers. */
static bool cgroups(struct vmm_fact *f, bool second)
{
    static const char *const wanted[] = { "cpu", "cpuset", "memory", "hugetlb", "pids", "io" };
    char line[1024], type[32], where[256], options[512], path[300];
    FILE *mounts = fopen("/proc/self/mounts", "re"), *list;

    while (mounts && fgets(line, sizeof line, mounts)) {
        if (sscanf(line, "%*s %255s %31s %511s", where, type, options) != 3 ||
            strcmp(type, second ? "cgroup2" : "cgroup") != 0)
            continue;
        snprintf(path, sizeof path, "%s/cgroup.controllers", where);
        list = second ? fopen(path, "re") : NULL;
        if (list && fgets(options, sizeof options, list))
            options[strcspn(options, "\n")] = 0;
        if (list)
            fclose(list);
        for (char *save = NULL, *w = strtok_r(options, ", ", &save); w;
             w = strtok_r(NULL, ", ", &save))
            for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
                if (strcmp(w, wanted[i]) == 0)
                    add_word(f->text, sizeof f->text, w);
    }
    if (mounts)
        fclose(mounts);
    return strstr(f->text, "cpu") != NULL;
}

static bool fact_cgroup1(struct vmm_fact *f, const char *root)
{
    (void)root;
    return cgroups(f, false);
}

static bool fact_cgroup2(struct vmm_fact *f, const char *root)
{
    (void)root;
    return cgroups(f, true);
}

static const struct {
    const char *name;
    bool (*look)(struct vmm_fact *f, const char *root);
    const char *means; /* when it does not work */
} table[] = {
    { "kvm", fact_kvm, "guests are translated (TCG), 10 to 50 times slower" },
    { "counter", fact_counter, "some boots of Linux on microvm hang under TCG" },
    { "qemu", fact_qemu, "no guests: install qemu-system-x86" },
    { "qemu-arm64", fact_qemu_arm, "no arm64 guests: install qemu-system-arm" },
    { "sandbox", fact_sandbox, "QEMU cannot be confined to its system calls" },
    { "landlock", fact_landlock, "a QEMU that was taken over sees what its user may see" },
    { "root", fact_root, "guests run as you, not as a user of their own; what follows may lack" },
    { "fifo", fact_fifo, "no policy: fifo; as root, or with RLIMIT_RTPRIO" },
    { "deadline", fact_deadline, "no policy: deadline; as root" },
    { "cgroup-v1", fact_cgroup1, "shares of CPUs by version 2 only" },
    { "cgroup-v2", fact_cgroup2, "shares of CPUs by version 1 only" },
    { "tap", fact_tap, "no links to namespaces of the host by tap; as root" },
    { "user-namespaces", fact_user_namespaces, "confined processes only as root" },
    { "network-namespaces", fact_network_namespaces, "QEMU keeps the host's network; as root" },
    { "userfaultfd", fact_userfaultfd, "no migration by postcopy; as root" },
    { "zstd", fact_zstd, "suspended guests are not compressed: install zstd" },
};

size_t vmm_facts(struct vmm_fact out[VMM_FACTS_MAX], const char *root)
{
    const size_t n = sizeof table / sizeof *table;

    for (size_t i = 0; i < n; i++) {
        out[i] = (struct vmm_fact){ .name = table[i].name };
        out[i].works = table[i].look(&out[i], root);
        out[i].means = out[i].works ? "" : table[i].means;
        if (!*out[i].text)
            snprintf(out[i].text, sizeof out[i].text, "none");
    }
    return n;
}
