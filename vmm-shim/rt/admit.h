/*
 * admit.h - admission control: whether a host can keep what all slices together are promised.
 *
 *   claims of slices that run (the book) ─┐
 *   claims of the new one ────────────────┼─► vmm_admit() ──► 0, or -1 and the figures
 *   what the host has ────────────────────┘
 *
 * Pure. Rules:
 *   real time   per CPU: FIFO shares of those pinned there, with the even part of the unpinned and
 * of all DEADLINE bandwidth, at most `real_time_ppm`; the host keeps the rest groups      where
 * FIFO is bounded by groups, the kernel gives a group its share on every CPU: all FIFO shares
 * together at most `real_time_ppm` CPUs        real time and quotas together at most all CPUs; a
 * quota of one node no more than that memory      all claims at most 90 % of the host's; new ones
 * at most what is available impossible  DEADLINE pinned, CPUs that the host does not have, an empty
 * budget
 */
#ifndef VMM_ADMIT_H
#define VMM_ADMIT_H

#include "topology/topology.h"

#define VMM_PPM 1000000u    /* a whole CPU */
#define VMM_CLAIMS_MAX 1024 /* of all slices */
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

/* The claim of node `n`; guests with FIFO and no bound of their own get an equal part of what
 * `real_time_ppm` there is, of `sharers` such nodes in the slice [1, 33]. */
struct vmm_claim vmm_claim_of(const char *slice, const struct vmm_node *n, uint32_t real_time_ppm,
                              unsigned sharers);
struct vmm_claim vmm_claim_of_network(const char *slice, const struct vmm_real_time *rt,
                                      uint32_t real_time_ppm, unsigned sharers);

/* `held`: of slices that run (those of the new one's slice left out by the caller). */
int vmm_admit(const struct vmm_host *host, const struct vmm_claim *held, size_t n_held,
              const struct vmm_claim *new_, size_t n_new, char *why, size_t why_size);

#endif
