/*
 * kvm_probe.c - kernel-mode code on /dev/kvm, in a child (accel.h, stage 1).
 *
 * What does not tell a working KVM from one that only looks like it: opening it, its version,
 * making machines and CPUs, cpuid, capabilities, real mode, setting long mode. So kernel-mode code
 * runs: kvm_payload.S. On a CPU it takes 0.1 ms; where kernel code is emulated, 100 ms; hosts that
 * cannot do it at all stop at the interrupt.
 */
#include "guest/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's answer; it may crash, hang or be killed. */
static void await_child(struct vmm_kvm_probe *out, pid_t pid, int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct vmm_kvm_probe said;
    int ready, status = 0;
    ssize_t n = 0;

    do
        ready = poll(&p, 1, VMM_KVM_CHILD_MS);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        n = read(fd, &said, sizeof said);
    if (ready == 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n == sizeof said) {
        *out = said;
        return;
    }
    out->verdict = VMM_KVM_BROKEN;
    if (ready == 0)
        snprintf(out->why, sizeof out->why, "the probe of KVM hangs: stopped after %d ms",
                 VMM_KVM_CHILD_MS);
    else
        snprintf(out->why, sizeof out->why, "the probe of KVM died of signal %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

void vmm_kvm_probe(struct vmm_kvm_probe *out, const char *device)
{
    const double begin = vmm_now_ms();
    int fd[2] = { -1, -1 };
    pid_t pid = -1;

    *out = (struct vmm_kvm_probe){ .verdict = VMM_KVM_REFUSES, .stage = 1 };
    if (pipe2(fd, O_CLOEXEC) == 0)
        pid = fork();
    if (pid == 0) {
        vmm_kvm_probe_here(out, device);
        (void)!write(fd[1], out, sizeof *out);
        _exit(0);
    }
    if (fd[1] >= 0)
        close(fd[1]);
    if (pid > 0)
        await_child(out, pid, fd[0]);
    else
        snprintf(out->why, sizeof out->why, "KVM was not probed: %s", strerror(errno));
    if (fd[0] >= 0)
        close(fd[0]);
    out->stage = 1;
    out->ms = vmm_now_ms() - begin;
}
