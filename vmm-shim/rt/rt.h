/*
 * rt.h - what a slice's processes get of this host: admission, groups, policies, and their report.
 * The keeper's one door to this room:
 *
 *     vmm_rt_open()      before anything is started: admitted to the book, or refused with figures
 *     vmm_rt_started()   a process of a node runs: into its group, with weight, quota, CPUs, memory
 *     vmm_rt_apply()     its threads are there (guest: QMP answers; later is better than earlier, a
 *                        booting guest wants more than a bound allows): policy set, read back
 *     vmm_rt_tick()      now and then (VMM_RT_TICK_S): demand measured, pinned guests moved apart
 *     vmm_rt_set()       `rt set`: admitted anew, applied
 *     vmm_rt_close()     all processes are gone: groups and the book's entry removed
 *
 * Book: ROOT/admission.json under ROOT/.admission.lock, ROOT the folder of all slices; entries of
 * keepers that died are dropped. The caller of vmm_rt_open() is the keeper, whose life it hangs on
 * (fork first). One thread; blocking, some ms at most. Errors: 0, or -1 and one line in `why`.
 */
#ifndef VMM_RT_H
#define VMM_RT_H

#include "topology/topology.h"

#include <jansson.h>
#include <sys/types.h>

#define VMM_RT_TICK_S 5.0
#define VMM_RT_NETWORK SIZE_MAX /* as a node's index: the slice's network process */

struct vmm_rt;

/*
 * `t` is borrowed until vmm_rt_close(). -1: refused, or asked for what this host cannot give; *out
 * is NULL. Where a node locks memory, RLIMIT_MEMLOCK of the caller is raised if it may be: children
 * inherit it.
 */
int vmm_rt_open(struct vmm_rt **out, const struct vmm_topology *t, const char *root, char *why,
                size_t why_size);
/* "" or one line for the user: what is not to be had here although nothing failed. */
const char *vmm_rt_note(const struct vmm_rt *r);

int vmm_rt_started(struct vmm_rt *r, size_t node, pid_t pid, char *why, size_t why_size);
/* `vcpus`: thread ids by query-cpus-fast, none: found by name. Also after a migration, with the new
 * process. Confined processes and the network: vcpus NULL, 0. */
int vmm_rt_apply(struct vmm_rt *r, size_t node, const pid_t *vcpus, size_t n_vcpus, char *why,
                 size_t why_size);
/* Its process is gone. The promise stays: it may be started again. */
void vmm_rt_stopped(struct vmm_rt *r, size_t node);

/*
 * `words`: "policy=fifo,priority=50", "policy=deadline,budget=10ms,period=33ms", "weight=300",
 * "quota=50%", "cpus=0-1", "pin=1", "memory=256MiB" ("pin=yes": the placement chooses). Nothing is
 * changed on failure.
 */
int vmm_rt_set(struct vmm_rt *r, size_t node, const char *words, char *why, size_t why_size);

/* What is promised, and what the kernel has: {"node","policy","bound","weight","quota_percent",
 * "cpus","memory_bytes","cpu_percent","threads":[{"tid","name","policy","priority","budget_ms",
 * "period_ms","cpus"}]}. To be given back. */
json_t *vmm_rt_report(struct vmm_rt *r, size_t node);

/* Returns how many guests were moved to other CPUs. */
int vmm_rt_tick(struct vmm_rt *r);

/* NULL allowed. */
void vmm_rt_close(struct vmm_rt *r);

#endif
