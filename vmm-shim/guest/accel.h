/*
 * accel.h - whether guests run on the CPU itself (KVM) or are translated (TCG), and why.
 *
 *     1. probe    kernel-mode code of ours on /dev/kvm, in a child, within 30 ms   (a few ms)
 *     2. trial    the same as a kernel under QEMU with KVM, within 2 s             (once a boot)
 *     3. guest    a guest whose agent does not answer in time: vmm_accel_failed()
 *
 * An open /dev/kvm proves nothing: hosts are met where virtual machines are made and enter real
 * mode, and kernel code stops. The verdict is kept in ROOT/accel.json for this boot and this
 * kernel.
 */
#ifndef VMM_ACCEL_H
#define VMM_ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vmm_accel { VMM_ACCEL_AUTO, VMM_ACCEL_KVM, VMM_ACCEL_TCG };

enum vmm_kvm_verdict {
    VMM_KVM_WORKS,
    VMM_KVM_ABSENT,  /* no device, or no right to it */
    VMM_KVM_REFUSES, /* its interface is not what we know, or makes no machine */
    VMM_KVM_BROKEN,  /* kernel-mode code does not run as on a CPU */
    VMM_KVM_SLOW,    /* it does, emulated */
    VMM_KVM_FAILED,  /* QEMU or a guest failed with it (stages 2, 3) */
};

struct vmm_kvm_probe {
    enum vmm_kvm_verdict verdict;
    int stage;     /* that decided, [1, 3] */
    bool cached;   /* read, not found out now */
    double ms;     /* that it took */
    char why[256]; /* one line: what was seen, and what would help */
};

/* The word for --accel: "auto", "kvm", "tcg". 0 or -1. */
int vmm_accel_parse(const char *word, enum vmm_accel *out);
const char *vmm_accel_name(enum vmm_accel accel);
const char *vmm_kvm_verdict_name(enum vmm_kvm_verdict verdict);

/* Stage 1 alone, anew; blocks for some ms. `device`: "/dev/kvm". */
void vmm_kvm_probe(struct vmm_kvm_probe *out, const char *device);
/* The verdict of this boot: the one kept in `root`, else found out (stages 1 and 2) and kept.
 * `root` NULL: nothing is kept. May block for 2 s where stage 1 passes. */
void vmm_accel_verdict(struct vmm_kvm_probe *out, const char *root);

/*
 * KVM or TCG for what was asked for. `line` (never empty) says which and why: print it once. -1:
 * KVM was demanded and does not work; `line` says why.
 */
int vmm_accel_choose(enum vmm_accel wanted, const char *root, enum vmm_accel *chosen, char *line,
                     size_t line_size);
/* Stage 3: a guest failed with KVM and `why`; TCG from now on until the next boot. */
void vmm_accel_failed(const char *root, const char *why);

/*
 * Frequency of the counter that guests see as their time stamp counter under TCG (the host's), in
 * kHz; measured in about 40 ms. 0: not known. Linux on microvm needs
 * it: without, some boots stop ("could not calculate TSC khz").
 */
uint32_t vmm_accel_tsc_khz(void);

#endif
