/*
 * confine.c - limits, user, capabilities, system calls, in this order: each needs those after it
 * not to be gone yet.
 */
#include "process/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Refused with EPERM. Names that an architecture does not have are passed over. */
static const char *const refused[] = {
    /* mounts and roots */
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    /* namespaces */
    "unshare",
    "setns",
    /* other processes */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    /* the kernel */
    "bpf",
    "perf_event_open",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "syslog",
    "acct",
    "lookup_dcookie",
    "nfsservctl",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "personality",
    "vhangup",
    "iopl",
    "ioperm",
    "modify_ldt",
    "fanotify_init",
    /* keys */
    "add_key",
    "request_key",
    "keyctl",
    /* files by handle, past the root */
    "open_by_handle_at",
    "name_to_handle_at",
    "mknod",
    "mknodat",
    /* the host's clock and name */
    "settimeofday",
    "clock_settime",
    "clock_settime64",
    "clock_adjtime",
    "adjtimex",
    "stime",
    "sethostname",
    "setdomainname",
    /* memory of other nodes */
    "move_pages",
    "migrate_pages",
    "set_mempolicy_home_node",
};

static const unsigned long long new_namespaces[] = {
    CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
    CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
};

static int refuse_calls(scmp_filter_ctx f)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof refused / sizeof refused[0]; i++) {
        int number = seccomp_syscall_resolve_name(refused[i]);
        if (number != __NR_SCMP_ERROR)
            r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), number, 0);
    }
    for (size_t i = 0; r == 0 && i < sizeof new_namespaces / sizeof new_namespaces[0]; i++)
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces[i], new_namespaces[i]));
    if (r ==
        0) /* its flags are in memory, where a filter does not see them; libc then uses clone */
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return r;
}

/* Sockets of unix, IP and netlink; no typing into terminals. */
static int refuse_arguments(scmp_filter_ctx f)
{
    int r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
    for (unsigned family = 0; r == 0 && family < AF_NETLINK; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, family));
    if (r == 0) /* the kernel looks at 32 bits */
        r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffull, TIOCSTI));
    return r;
}

static int filter_calls(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int r = f ? refuse_calls(f) : -ENOMEM;
    if (r == 0)
        r = refuse_arguments(f);
    if (r == 0)
        r = seccomp_load(f);
    seccomp_release(f);
    errno = -r;
    return r == 0 ? 0 : -1;
}

static int limit(int what, rlim_t most)
{
    struct rlimit now, l;
    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return -1;
    l.rlim_max = now.rlim_max < most ? now.rlim_max : most;
    l.rlim_cur = l.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &l);
}

/* RLIMIT_MEMLOCK and RLIMIT_RTTIME are the keeper's to set. */
static int set_limits(void)
{
    return limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_NOFILE, VMM_CONFINE_FILES) < 0 ||
                   limit(RLIMIT_NPROC, VMM_CONFINE_PROCESSES) < 0 ||
                   limit(RLIMIT_FSIZE, VMM_CONFINE_FILE_BYTES) < 0 || limit(RLIMIT_RTPRIO, 0) < 0 ||
                   limit(RLIMIT_NICE, 0) < 0 || limit(RLIMIT_MSGQUEUE, 0) < 0
               ? -1
               : 0;
}

int vmm_confine(const struct vmm_identity *who, char *why, size_t why_size)
{
    const char *step = "limits";
    if (set_limits() < 0)
        goto failed;
    step = "capabilities";
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
        goto failed;
    step = "user";
    if (geteuid() == 0 && who->uid != 0 &&
        (setgroups(0, NULL) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
         setresuid(who->uid, who->uid, who->uid) < 0))
        goto failed;
    step = "capabilities";
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        goto failed;
    step = "no new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        goto failed;
    step = "end with the keeper";
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* a change of user has cleared it */
        goto failed;
    step = "system calls";
    if (filter_calls() < 0)
        goto failed;
    return 0;
failed:
    snprintf(why, why_size, "confinement: %s: %s", step, strerror(errno));
    return -1;
}
