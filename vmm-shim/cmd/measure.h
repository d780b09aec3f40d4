/*
 * measure.h - figures of a system on this host, for match: a slice of it and a small peer is made,
 * asked, and ended, by vmm-shim's own commands.
 */
#ifndef VMM_MEASURE_H
#define VMM_MEASURE_H

#include "systems/systems.h"

#define VMM_MEASURE_RUNS 3 /* usually; the median of each figure counts */
#define VMM_MEASURE_RUNS_MAX 99

/* `runs` [1, VMM_MEASURE_RUNS_MAX] slices one after the other, some 10 s each. 0; -1 and one line
 * in `why`. No slice is left in either case. */
int vmm_measure(const struct vmm_system *s, size_t runs, struct vmm_figures *out, char *why,
                size_t why_size);

#endif
