/*
 * admit.h - admission control: whether a host can keep what all slices together are promised.
 *
 *   claims of slices that run (the book) ─┐
 *   claims of the new one ────────────────┼─► vmm_admit() ──► 0, or -1 and the figures
 *   what the host has ────────────────────┘
 *
 * Pure. Rules:
 *   possible    DEADLINE is not pinned; CPUs are there; budgets are not empty, nor more than may be
 *   real time   on each CPU: FIFO shares of those pinned to it, spread evenly over the CPUs they
 *               have, at most `real_time_ppm`; FIFO and DEADLINE together at most that of all CPUs.
 *               The rest is the host's and the other guests'
 *   groups      where FIFO is bounded by groups, the kernel gives a group its share on every CPU:
 *               all those shares together at most `real_time_ppm`
 *   CPUs        real time and the quotas of the others together at most all CPUs
 *   memory      all claims at most 90 % of the host's; new ones at most what is available
 */
#ifndef VMM_ADMIT_H
#define VMM_ADMIT_H

#include "topology/topology.h"

#define VMM_PPM 1000000u    /* a whole CPU */
#define VMM_CLAIMS_MAX 1024 /* of all slices */
#define VMM_FIFO_PPM_MAX 800000u
#define VMM_QEMU_BYTES                                                          \
    (96u << 20) /* QEMU beside the guest's memory, with a translation buffer of \
                   32 MiB (measured: 60 to 90) */

/* What one node, or a slice's network, is promised. */
struct vmm_claim {
    char slice[VMM_NAME_MAX], node[VMM_NAME_MAX];
    enum vmm_policy policy;
    unsigned threads;       /* vCPUs, or 1 */
    uint32_t real_time_ppm; /* FIFO: of a CPU, of each thread. DEADLINE: of all threads together */
    uint32_t quota_ppm;     /* of a CPU; 0: none */
    uint32_t demand_ppm;    /* of a CPU, measured or supposed: what the placement counts with */
    uint64_t cpus;          /* pinned to; 0: any */
    bool chosen;            /* ... by the placement, which may choose others */
    uint64_t memory_bytes;  /* of guest and QEMU, or the limit; 0: not known, not counted */
};

struct vmm_host {
    unsigned cpus;          /* [1, 64] */
    uint32_t real_time_ppm; /* of each CPU that may be promised to real-time threads */
    bool rt_groups;         /* FIFO shares are enforced by groups */
    uint64_t memory_bytes, available_bytes; /* 0: not known, not checked */
};

/*
 * Claims of the topology's nodes, and of its network when that asks for a policy, in this order
 * (namespaces have none; claim i is of node index[i], VMM_NODES_MAX: the network). FIFO with
 * neither budget nor quota gets an equal part of what the others of its slice leave of
 * `real_time_ppm`, at most VMM_FIFO_PPM_MAX. Count; `out` and `index` have room for VMM_NODES_MAX
 * + 1.
 */
size_t vmm_claims_of(const struct vmm_topology *t, uint32_t real_time_ppm, struct vmm_claim *out,
                     size_t *index);

/* `held`: of slices that run (those of the new one's slice left out by the caller). */
/* What the group of a FIFO node needs on each CPU so that all its threads have their share. */
uint32_t vmm_claim_group_ppm(const struct vmm_claim *c, const struct vmm_host *host);

/* How many CPUs a mask has. */
unsigned vmm_cpus_count(uint64_t cpus);

/* Nothing is refused that held claims alone break: only what new ones bring. */
int vmm_admit(const struct vmm_host *host, const struct vmm_claim *held, size_t n_held,
              const struct vmm_claim *fresh, size_t n_fresh, char *why, size_t why_size);

#endif
