/*
 * kvm_probe.h - stages 1 and 2 of accel.h: code of ours in a virtual machine, without and with
 * QEMU.
 */
#ifndef VMM_KVM_PROBE_H
#define VMM_KVM_PROBE_H

#include "guest/accel.h"

#include <time.h>

#define VMM_KVM_SAYS "L3MCIiT" /* of the payload, when all went well */
#define VMM_KVM_LIMIT_MS 30    /* for the payload, which takes 0.1 ms on a CPU */
#define VMM_KVM_CHILD_MS 500   /* for the probe with all that the kernel does for it */
#define VMM_KVM_TRIAL_MS 2000  /* for QEMU with it */

/* Boots the payload under QEMU with `accel` ("kvm", "tcg") and waits at most `limit_ms`. Sets
 * verdict WORKS or FAILED, why, ms. */
void vmm_kvm_trial(struct vmm_kvm_probe *out, const char *accel, int limit_ms);

/* What the probe does in its child; writes verdict and why. Exposed for the child alone. */
void vmm_kvm_probe_here(struct vmm_kvm_probe *out, const char *device);

static inline double vmm_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#endif
