/*
 * calls.c - the Linux system calls that the C library makes on behalf of a program with one thread,
 * without processes, signals or writable files. Each has Linux's contract, or says ENOSYS.
 *
 * What is not in the table prints its number and is ENOSYS: a library that begins to need more is
 * found out, not obeyed wrongly.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <linux/futex.h>
#include <time.h>

#include "cpu.h"
#include "files.h"
#include "inside.h"

#define THREAD 1        /* number of the one thread */
#define TOLD_MAX 16u    /* calls that are not there are told of so often */
#define WRITES_MAX 1024 /* parts of a writev */

struct metal_call_args { /* as boot.S pushes it */
    uint64_t a, b, c, d, e, f;
};

typedef int64_t call(const struct metal_call_args *args);

static int64_t do_read(const struct metal_call_args *x)
{
    return files_read((int)x->a, (void *)x->b, x->c);
}

static int64_t do_write(const struct metal_call_args *x)
{
    if (x->a != 1 && x->a != 2)
        return -EBADF;
    board_write((const char *)x->b, x->c);
    return (int64_t)x->c;
}

static int64_t do_writev(const struct metal_call_args *x)
{
    const struct iovec *part = (const struct iovec *)x->b;
    int64_t n = 0;

    if (x->a != 1 && x->a != 2)
        return -EBADF;
    if (x->c > WRITES_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < x->c; i++) {
        board_write(part[i].iov_base, part[i].iov_len);
        n += (int64_t)part[i].iov_len;
    }
    return n;
}

static int64_t do_openat(const struct metal_call_args *x)
{
    return files_open((const char *)x->b, (int)x->c);
}

static int64_t do_open(const struct metal_call_args *x)
{
    return files_open((const char *)x->a, (int)x->b);
}

static int64_t do_close(const struct metal_call_args *x)
{
    return files_close((int)x->a);
}

static int64_t do_lseek(const struct metal_call_args *x)
{
    return files_seek((int)x->a, (int64_t)x->b, (int)x->c);
}

static int64_t do_fstat(const struct metal_call_args *x)
{
    return files_stat((int)x->a, (struct stat *)x->b);
}

/* Of an open file with an empty name (fstat of newer libraries), or by name. */
static int64_t do_newfstatat(const struct metal_call_args *x)
{
    const char *path = (const char *)x->b;
    int64_t r, fd;

    if (path[0] == '\0')
        return files_stat((int)x->a, (struct stat *)x->c);
    fd = files_open(path, 0);
    if (fd < 0)
        return fd;
    r = files_stat((int)fd, (struct stat *)x->c);
    (void)files_close((int)fd);
    return r;
}

/* ---- memory ---- */

static int64_t do_brk(const struct metal_call_args *x)
{
    static uintptr_t now;

    if (now == 0)
        now = board.heap;
    if (x->a >= board.heap && x->a <= board.heap_end) {
        if (x->a > now) /* memory given back and taken again is clear, as from Linux */
            board_zero((void *)now, x->a - now);
        now = x->a;
    }
    return (int64_t)now;
}

/* malloc has brk, and takes it when there is no other. */
static int64_t no_memory(const struct metal_call_args *x)
{
    (void)x;
    return -ENOMEM;
}

/* ---- time ---- */

static int64_t do_clock_gettime(const struct metal_call_args *x)
{
    struct timespec *out = (struct timespec *)x->b;
    const bool wall = x->a == CLOCK_REALTIME || x->a == CLOCK_REALTIME_COARSE;
    const uint64_t us = wall ? board_wall_us() : board_now();

    *out = (struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };
    return 0;
}

static int64_t do_gettimeofday(const struct metal_call_args *x)
{
    const uint64_t us = board_wall_us();
    struct timeval *out = (struct timeval *)x->a;

    if (out)
        *out = (struct timeval){ (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };
    return 0;
}

static int64_t do_time(const struct metal_call_args *x)
{
    const int64_t s = (int64_t)(board_wall_us() / 1000000);

    if (x->a)
        *(time_t *)x->a = s;
    return s;
}

/* ---- the rest ---- */

static int64_t do_getrandom(const struct metal_call_args *x)
{
    return board_random((uint8_t *)x->a, x->b) ? (int64_t)x->b : -EIO;
}

static int64_t do_arch_prctl(const struct metal_call_args *x)
{
    if (x->a != ARCH_SET_FS)
        return -EINVAL;
    cpu_wrmsr(0xc0000100, x->b);
    return 0;
}

/* Nobody else could hold what is waited for: a wait would be for ever. */
static int64_t do_futex(const struct metal_call_args *x)
{
    if ((x->b & FUTEX_CMD_MASK) == FUTEX_WAKE)
        return 0;
    if (*(volatile uint32_t *)x->a != (uint32_t)x->c)
        return -EAGAIN;
    board_panic("the program waits for another thread");
}

static int64_t do_uname(const struct metal_call_args *x)
{
    struct utsname *out = (struct utsname *)x->a;

    board_zero(out, sizeof *out);
    board_copy(out->sysname, "metal", sizeof "metal");
    board_copy(out->release, "6.1.0", sizeof "6.1.0"); /* the system calls are those of */
    board_copy(out->machine, "x86_64", sizeof "x86_64");
    return 0;
}

static int64_t do_exit(const struct metal_call_args *x)
{
    board_off((int)x->a);
}

static int64_t do_kill(const struct metal_call_args *x) /* abort() ends so */
{
    (void)x;
    board_panic("the program killed itself");
}

static int64_t thread(const struct metal_call_args *x)
{
    (void)x;
    return THREAD;
}

static int64_t nothing(const struct metal_call_args *x) /* done, or of no account here */
{
    (void)x;
    return 0;
}

static int64_t not_there(const struct metal_call_args *x)
{
    (void)x;
    return -ENOSYS;
}

static int64_t no_terminal(const struct metal_call_args *x)
{
    (void)x;
    return -ENOTTY;
}

static int64_t no_file(const struct metal_call_args *x)
{
    (void)x;
    return -ENOENT;
}

static const struct {
    uint32_t number;
    call *run;
} calls[] = {
    { SYS_read, do_read },
    { SYS_write, do_write },
    { SYS_writev, do_writev },
    { SYS_open, do_open },
    { SYS_openat, do_openat },
    { SYS_close, do_close },
    { SYS_lseek, do_lseek },
    { SYS_fstat, do_fstat },
    { SYS_newfstatat, do_newfstatat },
    { SYS_access, no_file },
    { SYS_readlink, no_file },
    { SYS_readlinkat, no_file },
    { SYS_ioctl, no_terminal },
    { SYS_fcntl, nothing },
    { SYS_brk, do_brk },
    { SYS_mmap, no_memory },
    { SYS_mremap, no_memory },
    { SYS_munmap, nothing },
    { SYS_mprotect, nothing }, /* the board has protected the program by its headers */
    { SYS_madvise, nothing },
    { SYS_clock_gettime, do_clock_gettime },
    { SYS_gettimeofday, do_gettimeofday },
    { SYS_time, do_time },
    { SYS_getrandom, do_getrandom },
    { SYS_arch_prctl, do_arch_prctl },
    { SYS_futex, do_futex },
    { SYS_uname, do_uname },
    { SYS_getpid, thread },
    { SYS_gettid, thread },
    { SYS_set_tid_address, thread },
    { SYS_getuid, nothing },
    { SYS_geteuid, nothing },
    { SYS_getgid, nothing },
    { SYS_getegid, nothing },
    { SYS_rt_sigaction, nothing },
    { SYS_rt_sigprocmask, nothing },
    { SYS_sched_yield, nothing },
    { SYS_shmget, not_there }, /* OpenSSL, when randomness fails */
    { SYS_set_robust_list, not_there },
    { SYS_rseq, not_there },
    { SYS_prlimit64, not_there },
    { SYS_sysinfo, not_there },
    { SYS_sched_getaffinity, not_there },
    { SYS_exit, do_exit },
    { SYS_exit_group, do_exit },
    { SYS_kill, do_kill },
    { SYS_tkill, do_kill },
    { SYS_tgkill, do_kill },
};

int64_t metal_call(uint64_t number, const struct metal_call_args *args);
int64_t metal_call(uint64_t number, const struct metal_call_args *args)
{
    static unsigned told;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return calls[i].run(args);
    if (told++ < TOLD_MAX) {
        board_say("metal: system call ");
        board_say_number(number, 10);
        board_say(" is not there\n");
    }
    return -ENOSYS;
}
