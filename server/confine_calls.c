/*
 * confine_calls.c - the system calls that a server makes, by seccomp; all others fail with EPERM.
 * Found by the whole test suite with mode `kill`, where the kernel's log names the one that ended
 * it.
 */
#include "confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

/* Names that an architecture does not have are passed over. */
static const char *const calls[] = {
    /* memory */
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "mlock",
    "munlock",
    "mincore",
    "msync",
    "memfd_create",
    "membarrier",
    "get_mempolicy",
    "shmget",
    "shmat",
    "shmdt",
    "shmctl",
    /* threads, the encoder's process */
    "fork",
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "rseq",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "kill",
    "tkill",
    "tgkill",
    "prctl",
    "arch_prctl",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_getattr",
    "sched_setattr",
    "sched_setscheduler",
    "sched_get_priority_min",
    "sched_get_priority_max",
    "getpriority",
    "setpriority",
    "prlimit64",
    "getrlimit",
    "getrusage",
    "times",
    "restart_syscall",
    "getcpu",
    /* signals */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "sigaltstack",
    "sigreturn",
    "signalfd4",
    "pause",
    "alarm",
    "setitimer",
    "getitimer",
    /* time, waiting */
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "eventfd",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    "clock_nanosleep_time64",
    "clock_gettime64",
    "futex_time64",
    "ppoll_time64",
    "pselect6_time64",
    "timerfd_settime64",
    "timerfd_gettime64",
    /* files */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "open",
    "openat",
    "openat2",
    "close",
    "close_range",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "fstatat64",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "lseek",
    "_llseek",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "truncate",
    "ftruncate",
    "fallocate",
    "fadvise64",
    "flock",
    "fcntl",
    "fcntl64",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "getdents",
    "getdents64",
    "getcwd",
    "readlink",
    "readlinkat",
    "statfs",
    "fstatfs",
    "copy_file_range",
    "sendfile",
    "splice",
    "umask",
    "utimensat",
    "chmod",
    "fchmod",
    "fchmodat",
    "ioctl",
    "readahead",
    /* network */
    "bind",
    "connect",
    "listen",
    "accept",
    "accept4",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "recvmmsg_time64",
    "shutdown",
    /* who and where */
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getresuid",
    "getresgid",
    "getpgid",
    "getpgrp",
    "getsid",
    "uname",
    "sysinfo",
    "getrandom",
    "capget",
};

/* Netlink: interfaces, addresses. Unix: the service manager, sound servers, X. */
static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };

#define NAMESPACES                                                                                \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

static int add_rules(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && result == 0; i++) {
        const int call = seccomp_syscall_resolve_name(calls[i]);
        if (call >= 0)
            result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
    }
    for (size_t i = 0; i < sizeof families / sizeof *families && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                                  SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
    if (result == 0) /* its flags are out of sight: libraries fall back to clone */
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return result;
}

int confine_calls(enum config_confine_mode mode)
{
    if (seccomp_api_get() < 1)
        return 1;
    scmp_filter_ctx filter =
        seccomp_init(mode == CONFINE_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
    if (!filter) {
        errno = ENOMEM;
        return -1;
    }
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    int result = add_rules(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    errno = -result;
    return result == 0 ? 0 : result == -EINVAL || result == -ENOSYS ? 1 : -1;
}
