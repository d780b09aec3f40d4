/*
 * kvm_trial.c - kvm_payload.S as a kernel under QEMU (kvm_probe.h; accel.h, stage 2): shows that
 * this QEMU and this KVM agree, which the probe alone does not.
 */
#include "guest/kvm_probe.h"

#include <stdio.h>

#if defined(__x86_64__)

#include "guest/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern const uint8_t vmm_trial_elf[], vmm_trial_elf_end[];

static int kernel_file(void)
{
    const size_t size = (size_t)(vmm_trial_elf_end - vmm_trial_elf);
    const int fd = memfd_create("vmm-shim trial", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, vmm_trial_elf, size) == (ssize_t)size)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int start(pid_t *pid, const char *accel, int out, char *why, size_t why_size)
{
    char *const argv[] = { "qemu-system-x86_64",
                           "-machine",
                           "microvm",
                           "-accel",
                           (char *)(uintptr_t)accel,
                           "-cpu",
                           strcmp(accel, "kvm") == 0 ? "host" : "max",
                           "-m",
                           "32",
                           "-nodefaults",
                           "-no-user-config",
                           "-display",
                           "none",
                           "-no-reboot",
                           "-serial",
                           "stdio",
                           "-kernel",
                           "/proc/self/fd/3",
                           "-device",
                           "isa-debug-exit,iobase=0xf4,iosize=4",
                           "-sandbox",
                           "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
                           NULL };
    const int kernel = kernel_file();
    const struct vmm_spawn s = {
        .argv = argv, .out = out, .err = -1, .fd = &kernel, .n_fds = 1, .netns = ""
    };
    int result = -1;

    if (kernel < 0)
        snprintf(why, why_size, "no memory for a kernel: %s", strerror(errno));
    else
        result = vmm_spawn(pid, &s, why, why_size);
    if (kernel >= 0)
        close(kernel);
    return result;
}

/* What it says, until it ends or `end`. */
static void listen_to(int fd, char *said, size_t size, double end)
{
    size_t n = 0;

    while (n + 1 < size) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const double left = end - vmm_now_ms();
        const int ready = left > 0 ? poll(&p, 1, (int)left + 1) : 0;
        ssize_t got;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            break;
        got = read(fd, said + n, size - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    said[n] = 0;
}

void vmm_kvm_trial(struct vmm_kvm_probe *out, const char *accel, int limit_ms)
{
    const double begin = vmm_now_ms();
    char said[64] = "";
    int fd[2], status = 0;
    pid_t pid;

    *out = (struct vmm_kvm_probe){ .verdict = VMM_KVM_FAILED, .stage = 2 };
    if (pipe2(fd, O_CLOEXEC) != 0) {
        snprintf(out->why, sizeof out->why, "no trial of QEMU: %s", strerror(errno));
        return;
    }
    if (start(&pid, accel, fd[1], out->why, sizeof out->why) == 0) {
        close(fd[1]);
        listen_to(fd[0], said, sizeof said, begin + limit_ms);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        said[strcspn(said, "\r\n")] = 0;
        if (strcmp(said, VMM_KVM_SAYS) == 0) {
            out->verdict = VMM_KVM_WORKS;
            snprintf(out->why, sizeof out->why, "QEMU boots kernel code with %s in %.0f ms", accel,
                     vmm_now_ms() - begin);
        } else {
            snprintf(out->why, sizeof out->why,
                     "kernel code under QEMU with %s comes to \"%s\" of \"%s\" in %.0f ms%s", accel,
                     said, VMM_KVM_SAYS, vmm_now_ms() - begin,
                     WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? ": QEMU aborts" : "");
        }
    } else {
        close(fd[1]);
    }
    close(fd[0]);
    out->ms = vmm_now_ms() - begin;
}

#else

void vmm_kvm_trial(struct vmm_kvm_probe *out, const char *accel, int limit_ms)
{
    *out = (struct vmm_kvm_probe){ .verdict = VMM_KVM_FAILED, .stage = 2 };
    snprintf(out->why, sizeof out->why,
             "no trial of QEMU with %s within %d ms on this architecture", accel, limit_ms);
}

#endif
