/*
 * balance.h - which CPU a pinned guest runs on: worst fit by demand.
 *
 * Pure. At most VMM_NODES_MAX + 1 own claims. The largest demand is placed first, on that of its
 * CPUs where the least is; nodes with real-time policies before all others, and apart from each
 * other as long as there are CPUs. Who has named his CPUs keeps them. A later call moves a guest
 * only when the busiest CPU gets less by at least VMM_BALANCE_GAIN_PPM: a move costs caches and,
 * for moments, lateness.
 */
#ifndef VMM_BALANCE_H
#define VMM_BALANCE_H

#include "rt/admit.h"

#define VMM_BALANCE_GAIN_PPM 100000u

/*
 * Sets `cpus` of those of `own` that are pinned without CPUs of their own (`chosen`; cpus 0: not
 * placed before, as many CPUs as threads). `others`: of other slices, not moved. Returns how many
 * were moved or placed.
 */
size_t vmm_balance(unsigned cpus, const struct vmm_claim *others, size_t n_others,
                   struct vmm_claim *own, size_t n_own);

/* What lies on CPU `cpu`, ppm; who is on several counts evenly. */
uint64_t vmm_balance_load(unsigned cpus, unsigned cpu, const struct vmm_claim *claims, size_t n);

#endif
