/*
 * kvm_machine.c - one virtual machine with one CPU that runs kvm_payload.S (kvm_probe.h); in a
 * child process of its own, so nothing is freed here.
 */
#include "guest/kvm_probe.h"

#include <stdio.h>

#if defined(__x86_64__)

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

/* The machine's 2 MiB of memory. */
enum {
    MEMORY = 2 << 20,
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    IDT = 0x5000,
    GDT = 0x6000,
    TSS = 0x7100,
    STACK = 0x7e00,
    CODE = 0x8000,
};
#define CPUID_MAX 256
#define TICK_US 2000 /* a CPU that stays in the guest is fetched out this often */

extern const uint8_t vmm_kvm_payload[], vmm_kvm_payload_end[];

struct machine {
    int kvm, vm, cpu;
    struct kvm_run *run;
    uint8_t *memory;
    const char *step; /* that failed */
};

static int give_cpuid(struct machine *m)
{
    static struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[CPUID_MAX];
    } c = { .head = { .nent = CPUID_MAX } };

    m->step = "CPU features";
    return ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, &c) < 0 || ioctl(m->cpu, KVM_SET_CPUID2, &c) < 0
               ? -1
               : 0;
}

static int make(struct machine *m)
{
    struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
    void *map;
    int size;

    m->step = "a machine";
    m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0L);
    if (m->vm < 0 || ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL) < 0)
        return -1;
    m->step = "its memory";
    map = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return -1;
    m->memory = map;
    region.userspace_addr = (uintptr_t)map;
    if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return -1;
    m->step = "its CPU";
    m->cpu = ioctl(m->vm, KVM_CREATE_VCPU, 0L);
    size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (m->cpu < 0 || size < (int)sizeof *m->run)
        return -1;
    map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->cpu, 0);
    if (map == MAP_FAILED)
        return -1;
    m->run = map;
    return give_cpuid(m);
}

static struct kvm_segment segment(bool code)
{
    return (struct kvm_segment){ .limit = 0xffffffff,
                                 .present = 1,
                                 .s = 1,
                                 .g = 1,
                                 .type = code ? 11 : 3,
                                 .l = code,
                                 .db = !code,
                                 .selector = code ? 8 : 16 };
}

/* Memory mapped as it is, in 2 MiB; code, stack, tables. */
static void fill_memory(struct machine *m)
{
    uint64_t entry;

    entry = PDPT | 3;
    memcpy(m->memory + PML4, &entry, sizeof entry);
    entry = PD | 3;
    memcpy(m->memory + PDPT, &entry, sizeof entry);
    entry = 0x83;
    memcpy(m->memory + PD, &entry, sizeof entry);
    entry = 0x00af9b000000ffff;
    memcpy(m->memory + GDT + 8, &entry, sizeof entry);
    entry = 0x00cf93000000ffff;
    memcpy(m->memory + GDT + 16, &entry, sizeof entry);
    memcpy(m->memory + CODE, vmm_kvm_payload, (size_t)(vmm_kvm_payload_end - vmm_kvm_payload));
}

static int enter_long_mode(struct machine *m)
{
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = CODE, .rsp = STACK, .rdi = IDT, .rflags = 2 };

    m->step = "long mode";
    fill_memory(m);
    if (ioctl(m->cpu, KVM_GET_SREGS, &s) < 0)
        return -1;
    s.cr3 = PML4;
    s.cr4 = 0x220;      /* PAE, OSFXSR */
    s.cr0 = 0x80000033; /* paging, protection */
    s.efer = 0x500;     /* long mode, active */
    s.cs = segment(true);
    s.ds = s.es = s.fs = s.gs = s.ss = segment(false);
    s.gdt.base = GDT;
    s.gdt.limit = 23;
    s.tr = (struct kvm_segment){
        .base = TSS, .limit = 0x67, .present = 1, .type = 11, .selector = 0x18
    };
    return ioctl(m->cpu, KVM_SET_SREGS, &s) < 0 || ioctl(m->cpu, KVM_SET_REGS, &r) < 0 ? -1 : 0;
}

static void on_tick(int signal)
{
    (void)signal;
}

/* Why the CPU came out of the guest; "": go on. Letters go to `said`. */
static void came_out(struct machine *m, char *said, size_t size, char *why, size_t why_size)
{
    const struct kvm_run *r = m->run;
    const size_t n = strlen(said);

    switch (r->exit_reason) {
    case KVM_EXIT_IO:
        if (r->io.port == 0x3f8 && n + 1 < size)
            said[n] = *((const char *)r + r->io.data_offset);
        return;
    case KVM_EXIT_INTERNAL_ERROR:
        snprintf(why, why_size, "INTERNAL_ERROR %u", r->internal.suberror);
        return;
    case KVM_EXIT_SHUTDOWN:
        snprintf(why, why_size, "a triple fault");
        return;
    case KVM_EXIT_FAIL_ENTRY:
        snprintf(why, why_size, "FAIL_ENTRY 0x%llx",
                 (unsigned long long)r->fail_entry.hardware_entry_failure_reason);
        return;
    default:
        snprintf(why, why_size, "exit %u", r->exit_reason);
    }
}

/* Runs until it has said a whole line, stops, or has had its time. */
static void run(struct machine *m, char *said, size_t size, char *why, size_t why_size)
{
    const struct itimerval ticks = { { 0, TICK_US }, { 0, TICK_US } };
    const struct sigaction action = { .sa_handler = on_tick };
    const double end = vmm_now_ms() + 2 * VMM_KVM_LIMIT_MS; /* to tell slow from hanging */

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &ticks, NULL);
    while (!*why && !strchr(said, '\n')) {
        if (vmm_now_ms() > end)
            snprintf(why, why_size, "no progress in %d ms", 2 * VMM_KVM_LIMIT_MS);
        else if (ioctl(m->cpu, KVM_RUN, 0) == 0)
            came_out(m, said, size, why, why_size);
        else if (errno != EINTR)
            snprintf(why, why_size, "KVM_RUN: %s", strerror(errno));
    }
    said[strcspn(said, "\n")] = 0;
}

static const char *host_hint(void)
{
    if (access("/sys/module/kvm_pvm", F_OK) == 0)
        return "; this host's KVM is PVM (kvm_pvm), which runs only kernels made for it";
    if (access("/sys/module/kvm_intel", F_OK) != 0 && access("/sys/module/kvm_amd", F_OK) != 0)
        return "; neither kvm_intel nor kvm_amd is loaded";
    return "";
}

static void judge(struct machine *m, struct vmm_kvm_probe *out)
{
    char said[16] = "", why[100] = "";
    double ms = vmm_now_ms();

    run(m, said, sizeof said, why, sizeof why);
    ms = vmm_now_ms() - ms;
    if (*why || strcmp(said, VMM_KVM_SAYS) != 0) {
        out->verdict = VMM_KVM_BROKEN;
        snprintf(out->why, sizeof out->why,
                 "kernel code in a guest stops: %s after \"%s\" of \"%s\"%s", why, said,
                 VMM_KVM_SAYS, host_hint());
    } else if (ms > VMM_KVM_LIMIT_MS) {
        out->verdict = VMM_KVM_SLOW;
        snprintf(out->why, sizeof out->why,
                 "kernel code in a guest is emulated: it takes %.0f ms, not 0.1%s", ms,
                 host_hint());
    } else {
        out->verdict = VMM_KVM_WORKS;
        snprintf(out->why, sizeof out->why, "kernel code in a guest runs, in %.2f ms", ms);
    }
}

void vmm_kvm_probe_here(struct vmm_kvm_probe *out, const char *device)
{
    struct machine m = { .kvm = open(device, O_RDWR | O_CLOEXEC) };

    if (m.kvm < 0) {
        out->verdict = VMM_KVM_ABSENT;
        snprintf(out->why, sizeof out->why, "%s: %s%s", device, strerror(errno),
                 errno == EACCES   ? " (membership in the group kvm would help)"
                 : errno == ENOENT ? " (no virtualization in this CPU or this host)"
                                   : "");
        return;
    }
    out->verdict = VMM_KVM_REFUSES;
    if (ioctl(m.kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        snprintf(out->why, sizeof out->why, "%s has not version %d of KVM's interface", device,
                 KVM_API_VERSION);
    else if (make(&m) != 0 || enter_long_mode(&m) != 0)
        snprintf(out->why, sizeof out->why, "KVM refuses %s: %s", m.step, strerror(errno));
    else
        judge(&m, out);
}

#else

void vmm_kvm_probe_here(struct vmm_kvm_probe *out, const char *device)
{
    out->verdict = VMM_KVM_ABSENT;
    snprintf(out->why, sizeof out->why, "%s: guests of this host's architecture are translated",
             device);
}

#endif
