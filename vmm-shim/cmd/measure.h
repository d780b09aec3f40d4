/*
 * measure.h - figures of a system on this host, for match: a slice of it and a small peer is made,
 * asked, and ended, by vmm-shim's own commands.
 */
#ifndef VMM_MEASURE_H
#define VMM_MEASURE_H

#include "systems/systems.h"

#define VMM_MEASURE_RUNS 3 /* the median of each figure counts */

/* Takes about 10 s a run. 0; -1 and one line in `why`, nothing is left then. */
int vmm_measure(const struct vmm_system *s, struct vmm_figures *out, char *why, size_t why_size);

#endif
