/* verbs.h - parts of cc.c that have a file each; each prints its figures and returns an exit
 * status. */
#ifndef BENCH_VERBS_H
#define BENCH_VERBS_H

#include <stdint.h>

#include "paths.h"

int step_show(uint64_t seed);                                /* step.c */
int swap_show(uint64_t seed);                                /* swap.c */
int truth_show(const struct cc_paths *paths, uint64_t seed); /* truth.c */

#endif
