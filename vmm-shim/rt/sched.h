/*
 * sched.h - what the kernel's scheduler is told about a thread, and what it says it has.
 *
 *     policy of a node ──► vmm_sched_plan() ──► one setting for vCPU threads, one for the others
 *                                                     │ vmm_sched_apply(), per thread
 *                                                     ▼
 *                                  kernel ──► vmm_sched_read() ──► struct vmm_sched
 *
 * Rules, each measured (docs/vmm.md, Real time): QEMU's main loop delivers timers and frames to the
 * guest, so it stands above its vCPUs: one priority more under FIFO, an earlier deadline under
 * DEADLINE. A thread that is DEADLINE stays so until it ends. A DEADLINE thread is not pinned.
 * Any thread. Errors: 0, or -1 and one line in `why`.
 */
#ifndef VMM_SCHED_H
#define VMM_SCHED_H

#include "topology/topology.h"

#include <sys/types.h>

#define VMM_THREAD_NAME_MAX 32   /* bytes with NUL */
#define VMM_THREADS_MAX 128      /* of one node; more are left as they are */
#define VMM_CPU_MASK_ALL (~0ull) /* any CPU */

/* Of one thread: what to set, and what was read back. */
struct vmm_sched {
    enum vmm_policy policy;                     /* NONE: as a usual program, nice 0 */
    int priority;                               /* FIFO: [1, 99]; NICE: [-20, 19] */
    uint64_t budget_ns, deadline_ns, period_ns; /* DEADLINE */
    uint64_t cpus; /* bit i: CPU i; 0 when set: leave as it is. CPUs beyond 64 are not seen. */
};

enum vmm_role {
    VMM_ROLE_MAIN,   /* QEMU's main loop */
    VMM_ROLE_VCPU,   /* runs guest code */
    VMM_ROLE_HELPER, /* another thread of QEMU: plain, where the others may run */
    VMM_ROLE_THREAD, /* of a confined process or of the network */
};

/* What a thread in `role` of a node with `rt` gets. `cpus`: where it may run, 0: anywhere. */
struct vmm_sched vmm_sched_plan(const struct vmm_real_time *rt, enum vmm_role role, uint64_t cpus);

/* Weight of a control group [1, 10000] that has among others what nice level `nice` [-20, 19] has
 * among programs: niceness counts only inside a group. */
uint32_t vmm_sched_weight(int nice);

/* Sets and reads back: -1 also when the kernel has something else than was asked for. */
int vmm_sched_apply(pid_t tid, const struct vmm_sched *want, char *why, size_t why_size);
int vmm_sched_read(pid_t tid, struct vmm_sched *out, char *why, size_t why_size);

/* "fifo 50", "deadline 10/33/33 ms", "nice -5", "other". */
void vmm_sched_name(const struct vmm_sched *s, char *out, size_t size);

struct vmm_thread {
    pid_t tid;
    enum vmm_role role;
    char name[VMM_THREAD_NAME_MAX];
    pid_t process;
};

/*
 * The threads of `pid`. vcpus: those that QMP's query-cpus-fast named; none (n 0): by QEMU's names
 * "CPU 0/TCG", "CPU 0/KVM" (needs -name debug-threads=on). `guest` false: all have ROLE_THREAD, and
 * the threads of its children are there too. Count, or -1: no such process.
 */
int vmm_sched_threads(pid_t pid, bool guest, const pid_t *vcpus, size_t n_vcpus,
                      struct vmm_thread *out, size_t max);

/* User and system time of a process and its children that live, all threads, ns; 0: gone. */
uint64_t vmm_sched_cpu_time_ns(pid_t pid);

#endif
