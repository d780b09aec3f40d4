/* test_rt_cgroup.c - groups of version 2 and of a mixed host in made-up trees, and the host's own.
 */
#include "rt.h"
#include "rt/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/vmm-cgroup-XXXXXX";
static char mounts[128], self[128];
static const struct vmm_cgroup_host made_up = { .mounts = mounts, .self = self };

static const char *at(const char *path)
{
    static char full[512];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    return full;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(at(path), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char *get(const char *path)
{
    static char text[256];
    FILE *f = fopen(at(path), "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    return text;
}

/* A folder with the files that the kernel would make in it. */
static void group(const char *path, const char *const *files)
{
    char file[256];
    assert_true(mkdir(at(path), 0755) == 0 || errno == EEXIST);
    for (; *files; files++) {
        snprintf(file, sizeof file, "%s/%s", path, *files);
        put(file, "");
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vmm-cgroup-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(mounts, sizeof mounts, "%s/mounts", folder);
    snprintf(self, sizeof self, "%s/self", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Only the control files of ours are there: what the kernel would remove with a group. */
static void forget_files(const char *const *groups, const char *const *files)
{
    char file[256];
    for (; *groups; groups++)
        for (const char *const *f = files; *f; f++) {
            snprintf(file, sizeof file, "%s/%s", *groups, *f);
            unlink(at(file));
        }
}

static const char *const v2_files[] = { "cgroup.subtree_control",
                                        "cgroup.procs",
                                        "cpu.weight",
                                        "cpu.max",
                                        "cpuset.cpus",
                                        "memory.max",
                                        NULL };

static void version_2(void **state)
{
    (void)state;
    static const char *const groups[] = { "u/vmm-shim/lab/player", "u/vmm-shim/lab", "u/vmm-shim",
                                          NULL };
    char text[256], why[VMM_WHY_MAX] = "";
    struct vmm_cgroup *c;
    snprintf(text, sizeof text, "cgroup2 %s/u cgroup2 rw 0 0\n", folder);
    put("mounts", text);
    put("self", "0::/somewhere/else\n"); /* not in this mount: its top */
    group("u", v2_files);
    put("u/cgroup.controllers", "cpuset cpu io memory pids\n");
    group("u/vmm-shim", v2_files);
    group("u/vmm-shim/lab", v2_files);
    group("u/vmm-shim/lab/player", v2_files);
    if (vmm_cgroup_open(&c, "lab", &made_up, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_false(vmm_cgroup_has_rt(c));
    assert_string_equal(get("u/vmm-shim/lab/cgroup.subtree_control"), "+memory");
    struct vmm_group g = { .share = { .weight = 300, .quota_percent = 50, .cpus = 11 },
                           .rt_budget_ns = 1000000,
                           .rt_period_ns = 2000000 };
    g.share.memory_bytes = 64ull * MIB;
    if (vmm_cgroup_set(c, "player", &g, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_string_equal(get("u/vmm-shim/lab/player/cpu.weight"), "300");
    assert_string_equal(get("u/vmm-shim/lab/player/cpu.max"), "10000 20000");
    assert_string_equal(get("u/vmm-shim/lab/player/cpuset.cpus"), "0-1,3");
    assert_string_equal(get("u/vmm-shim/lab/player/memory.max"), "67108864");
    assert_int_equal(vmm_cgroup_join(c, "player", 4711, why, sizeof why), 0);
    assert_string_equal(get("u/vmm-shim/lab/player/cgroup.procs"), "4711");
    g.share = (struct vmm_share){ .quota_percent = 1 };
    g.cpus = 2;
    assert_int_equal(vmm_cgroup_set(c, "player", &g, why, sizeof why), 0);
    assert_string_equal(get("u/vmm-shim/lab/player/cpu.weight"), "100");
    assert_string_equal(get("u/vmm-shim/lab/player/cpu.max"), "1000 100000");
    assert_string_equal(get("u/vmm-shim/lab/player/cpuset.cpus"), "1");
    assert_string_equal(get("u/vmm-shim/lab/player/memory.max"), "max");
    forget_files(groups, v2_files);
    if (vmm_cgroup_close(c, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(access(at("u/vmm-shim"), F_OK), -1);
}

/* cpu and cpuset in version 1, memory in version 2, as on hosts that are changing over. */
static void mixed(void **state)
{
    (void)state;
    static const char *const cpu[] = { "cgroup.procs",
                                       "cpu.shares",
                                       "cpu.cfs_quota_us",
                                       "cpu.cfs_period_us",
                                       "cpu.rt_runtime_us",
                                       "cpu.rt_period_us",
                                       NULL };
    static const char *const sets[] = { "cgroup.procs", "cpuset.cpus", "cpuset.mems", NULL };
    char text[512], why[VMM_WHY_MAX] = "";
    struct vmm_cgroup *c;
    snprintf(text, sizeof text,
             "cgroup %s/c cgroup rw,cpu,cpuacct 0 0\ncgroup %s/s cgroup rw,cpuset 0 0\n"
             "cgroup2 %s/u cgroup2 rw 0 0\n",
             folder, folder, folder);
    put("mounts", text);
    put("self", "3:cpuset:/\n1:cpu,cpuacct:/host\n0::/\n");
    group("c", cpu);
    group("c/host", cpu); /* the keeper's own: ours go below it */
    group("s", sets);
    put("s/cpuset.cpus", "0-3\n");
    put("s/cpuset.mems", "0\n");
    group("u", v2_files);
    put("u/cgroup.controllers", "memory hugetlb\n");
    static const char *const below[] = { "vmm-shim", "vmm-shim/lab", "vmm-shim/lab/a", NULL };
    for (int i = 0; below[i]; i++) {
        snprintf(text, sizeof text, "c/host/%s", below[i]);
        group(text, cpu);
        snprintf(text, sizeof text, "s/%s", below[i]);
        group(text, sets);
        snprintf(text, sizeof text, "u/%s", below[i]);
        group(text, v2_files);
    }
    if (vmm_cgroup_open(&c, "lab", &made_up, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_true(vmm_cgroup_has_rt(c));
    assert_string_equal(get("c/host/vmm-shim/cpu.rt_runtime_us"), "940000");
    assert_string_equal(get("s/vmm-shim/lab/cpuset.cpus"), "0-3"); /* a new group has none */
    assert_string_equal(get("s/vmm-shim/lab/cpuset.mems"), "0");
    struct vmm_group g = { .share = { .weight = 50, .memory_bytes = MIB },
                           .rt_budget_ns = 30000000,
                           .rt_period_ns = 100000000 };
    if (vmm_cgroup_set(c, "a", &g, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_string_equal(get("c/host/vmm-shim/lab/a/cpu.shares"), "512");
    assert_string_equal(get("c/host/vmm-shim/lab/cpu.shares"), "512"); /* what is in it */
    assert_string_equal(get("c/host/vmm-shim/cpu.shares"), "512");
    assert_string_equal(get("c/host/vmm-shim/lab/a/cpu.cfs_quota_us"), "-1");
    assert_string_equal(get("c/host/vmm-shim/lab/a/cpu.rt_runtime_us"), "30000");
    assert_string_equal(get("c/host/vmm-shim/lab/a/cpu.rt_period_us"), "100000");
    assert_string_equal(get("c/host/vmm-shim/lab/cpu.rt_runtime_us"), "304000");
    assert_string_equal(get("s/vmm-shim/lab/a/cpuset.cpus"), "0-3");
    assert_string_equal(get("u/vmm-shim/lab/a/memory.max"), "1048576");
    g.rt_budget_ns = 0; /* the share goes, the group's too */
    assert_int_equal(vmm_cgroup_set(c, "a", &g, why, sizeof why), 0);
    assert_string_equal(get("c/host/vmm-shim/lab/a/cpu.rt_runtime_us"), "0");
    assert_string_equal(get("c/host/vmm-shim/lab/cpu.rt_runtime_us"), "0");
    vmm_cgroup_close(c, why, sizeof why); /* files of the made-up tree are in the way of rmdir */
}

static void no_controllers(void **state)
{
    (void)state;
    char why[VMM_WHY_MAX] = "";
    struct vmm_cgroup *c;
    put("mounts", "proc /proc proc rw 0 0\n");
    put("self", "");
    assert_int_equal(vmm_cgroup_open(&c, "lab", &made_up, why, sizeof why), -1);
    assert_says(why, "none of the controllers");
    assert_null(c);
    struct vmm_group g = { .cpus = 1 };
    assert_int_equal(vmm_cgroup_set(NULL, "a", &g, why, sizeof why), 0);
    g.share.weight = 200;
    assert_int_equal(vmm_cgroup_set(NULL, "a", &g, why, sizeof why), -1);
    assert_says(why, "weight or quota is not to be had here");
    g.share = (struct vmm_share){ .memory_bytes = MIB };
    assert_int_equal(vmm_cgroup_set(NULL, "a", &g, why, sizeof why), -1);
    assert_says(why, "a limit of memory is not to be had");
    assert_int_equal(vmm_cgroup_close(NULL, why, sizeof why), 0);
    assert_int_equal(vmm_cgroup_clear("lab", &made_up, why, sizeof why), 0);
}

/* A child that waits to be killed. */
static pid_t waiting_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Of the slice's own group on this host. */
static void check_weight(const char *version_2, const char *version_1)
{
    char text[32] = "";
    FILE *f = fopen("/sys/fs/cgroup/cpu/vmm-shim/rt-unit/cpu.shares", "r");
    const char *wanted = f ? version_1 : version_2;
    if (!f)
        f = fopen("/sys/fs/cgroup/vmm-shim/rt-unit/cpu.weight", "r");
    if (!f)
        return;
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_int_equal(atoi(text), atoi(wanted));
}

/* The host's own: the child is in the groups, FIFO is had in them, and nothing is left. */
static void this_host(void **state)
{
    (void)state;
    char why[VMM_WHY_MAX] = "", path[64], line[256];
    struct vmm_cgroup *c;
    if (geteuid() != 0 || vmm_cgroup_open(&c, "rt-unit", NULL, why, sizeof why) < 0) {
        printf("SKIP: %s\n", geteuid() ? "groups need root" : why);
        skip();
    }
    struct vmm_group g = { .share = { .weight = 300, .quota_percent = 50 }, .cpus = 1 };
    if (vmm_cgroup_has_rt(c)) {
        g.rt_budget_ns = 2000000;
        g.rt_period_ns = 100000000;
    }
    if (vmm_cgroup_set(c, "a", &g, why, sizeof why) < 0 ||
        vmm_cgroup_set(c, "b", &g, why, sizeof why) < 0)
        fail_msg("%s", why);
    check_weight("300", "3072"); /* both its nodes have 300 */
    pid_t child = waiting_child();
    assert_int_equal(vmm_cgroup_join(c, "a", child, why, sizeof why), 0);
    snprintf(path, sizeof path, "/proc/%d/cgroup", child);
    FILE *f = fopen(path, "r");
    int in = 0;
    while (fgets(line, sizeof line, f))
        in += strstr(line, "/vmm-shim/rt-unit/a\n") != NULL;
    fclose(f);
    assert_true(in >= 1);
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(child, sizeof cpus, &cpus), 0);
    assert_int_equal(CPU_COUNT(&cpus), 1);
    struct sched_param p = { .sched_priority = 3 };
    assert_int_equal(sched_setscheduler(child, SCHED_FIFO, &p), 0);
    g.rt_budget_ns = 0;
    if (vmm_cgroup_has_rt(c)) { /* not taken away while it is in use */
        assert_int_equal(vmm_cgroup_set(c, "a", &g, why, sizeof why), -1);
        assert_says(why, "real-time threads are in the group");
    }
    assert_int_equal(vmm_cgroup_remove(c, "b", why, sizeof why), 0);
    end_child(child);
    if (vmm_cgroup_close(c, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(vmm_cgroup_open(&c, "rt-unit", NULL, why, sizeof why), 0);
    g = (struct vmm_group){ .share = { .weight = 100 } };
    assert_int_equal(vmm_cgroup_set(c, "left", &g, why, sizeof why), 0);
    free(c); /* as a keeper that is killed leaves it */
    assert_int_equal(vmm_cgroup_clear("rt-unit", NULL, why, sizeof why), 0);
    assert_int_equal(access("/sys/fs/cgroup/cpu/vmm-shim/rt-unit", F_OK), -1);
}

/* Of keepers that were killed, whose folder somebody has removed: nobody else clears them. */
static void strays(void **state)
{
    (void)state;
    static const char *const groups[] = { "u/vmm-shim/lab", "u/vmm-shim", NULL };
    static const char *const procs[] = { "cgroup.procs", NULL };
    const struct timespec old[2] = { { .tv_sec = time(NULL) - 3600 },
                                     { .tv_sec = time(NULL) - 3600 } };
    char text[256], why[VMM_WHY_MAX] = "";
    struct vmm_cgroup *c;
    snprintf(text, sizeof text, "cgroup2 %s/u cgroup2 rw 0 0\n", folder);
    put("mounts", text);
    put("self", "0::/\n");
    group("u", v2_files);
    put("u/cgroup.controllers", "cpu memory\n");
    group("u/vmm-shim", v2_files);
    group("u/vmm-shim/lab", v2_files);
    assert_int_equal(mkdir(at("u/vmm-shim/dead.1"), 0755), 0);
    assert_int_equal(mkdir(at("u/vmm-shim/dead.1/node"), 0755), 0);
    assert_int_equal(mkdir(at("u/vmm-shim/young.1"), 0755), 0);
    assert_int_equal(mkdir(at("u/vmm-shim/lives.1"), 0755), 0);
    group("u/vmm-shim/lives.1/.network", procs);
    put("u/vmm-shim/lives.1/.network/cgroup.procs", "1\n");
    assert_int_equal(utimensat(AT_FDCWD, at("u/vmm-shim/dead.1"), old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, at("u/vmm-shim/lives.1"), old, 0), 0);
    if (vmm_cgroup_open(&c, "lab", &made_up, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_int_equal(access(at("u/vmm-shim/dead.1"), F_OK), -1);
    assert_int_equal(access(at("u/vmm-shim/young.1"), F_OK), 0);
    assert_int_equal(access(at("u/vmm-shim/lives.1/.network"), F_OK), 0);
    forget_files(groups, v2_files);
    vmm_cgroup_close(c, why, sizeof why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_2, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(mixed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_controllers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(strays, make_folder, remove_folder),
        cmocka_unit_test(this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
