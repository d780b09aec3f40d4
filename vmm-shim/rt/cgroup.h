/*
 * cgroup.h - a control group for each slice and each of its nodes: what they get of CPUs and
 * memory.
 *
 *     GROUP OF THE KEEPER / vmm-shim / SLICE / NODE        in each hierarchy that is needed
 *
 * A group weighs what the heaviest in it does: weights count beside the host's programs, too.
 * Both interfaces: version 1 (cpu, cpuset, memory; there the share of real-time threads too,
 * if the kernel has CONFIG_RT_GROUP_SCHED), version 2, and hosts with some controllers in either.
 * Without root: version 2 where a group was delegated (`systemd-run --user --scope -p
 * Delegate=yes`). Blocking writes of a few files. Errors: 0, or -1 and one line in `why`.
 */
#ifndef VMM_CGROUP_H
#define VMM_CGROUP_H

#include "topology/topology.h"

#include <sys/types.h>

#define VMM_GROUP_NAME_MAX 32 /* bytes of a slice's group with NUL */

struct vmm_cgroup; /* of one slice */

/* What the group of `slice` is called: its name, and a mark of the folder of slices `root` it is
 * in, since two such folders may have a slice of one name. */
void vmm_cgroup_name(const char *slice, const char *root, char out[VMM_GROUP_NAME_MAX]);

/* What a group is told. */
struct vmm_group {
    struct vmm_share share;
    uint64_t cpus;                       /* beside share.cpus: of the placement; 0: any */
    uint64_t rt_budget_ns, rt_period_ns; /* of all its FIFO threads, on each CPU; 0: none */
};

/* Where to look. NULL members: the host's own. Tests give made-up trees. */
struct vmm_cgroup_host {
    const char *mounts; /* "/proc/self/mounts" */
    const char *self;   /* "/proc/self/cgroup" */
};

/*
 * Finds the hierarchies and makes the slice's group. -1: no shares are to be had, and `why` says
 * what would help; *out is then NULL, which all functions below take: they do nothing, and fail
 * only when something is asked of them.
 */
int vmm_cgroup_open(struct vmm_cgroup **out, const char *slice, const struct vmm_cgroup_host *host,
                    char *why, size_t why_size);
/* Removes the slice's groups (their processes have to be gone; waits up to 1 s for them). NULL
 * allowed. -1: something is left. */
int vmm_cgroup_close(struct vmm_cgroup *c, char *why, size_t why_size);

/* Makes the group `name` or changes it. What the host has no controller for is an error. */
int vmm_cgroup_set(struct vmm_cgroup *c, const char *name, const struct vmm_group *g, char *why,
                   size_t why_size);
/* Moves `pid` with all its threads into group `name`. */
int vmm_cgroup_join(struct vmm_cgroup *c, const char *name, pid_t pid, char *why, size_t why_size);
/* Removes group `name`; none: 0. */
int vmm_cgroup_remove(struct vmm_cgroup *c, const char *name, char *why, size_t why_size);

/* Whether FIFO threads can be bounded here: the kernel asks for it in groups of version 1. */
bool vmm_cgroup_has_rt(const struct vmm_cgroup *c);
/* Moves the calling process into the groups of ours that `pid` is in; best effort, as far as it
 * may. */
void vmm_cgroup_follow(pid_t pid);
/* Limit of memory of the group that the keeper itself is in; 0: none. */
uint64_t vmm_cgroup_memory_limit(const struct vmm_cgroup *c);
/* Removes what a keeper that was killed left: the groups of `slice`. 0 also when there are none. */
int vmm_cgroup_clear(const char *slice, const struct vmm_cgroup_host *host, char *why,
                     size_t why_size);

#endif
