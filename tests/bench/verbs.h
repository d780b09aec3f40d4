/* verbs.h - parts of cc.c that have a file each; each prints its figures and returns an exit
 * status. */
#ifndef BENCH_VERBS_H
#define BENCH_VERBS_H

#include <stdint.h>

#include "flow.h"
#include "paths.h"

int step_show(uint64_t seed); /* step.c */
int swap_show(uint64_t seed); /* swap.c */
struct choose_job {
    const char *knowledge, *path; /* a file; of paths_wanted(). NULL: none, any */
    uint64_t seed;
    unsigned part, parts;
};
int choose_show(const struct cc_paths *paths, const struct choose_job *job); /* choose.c */
int choose_check(const struct cc_paths *paths, const struct choose_job *job);
/* Of a transfer over a path: the names of the objectives, its score for each; tabs between them. */
void scores_head(void);
void scores_show(const struct cc_path *p, const struct run_result *r);
int learn_show(const struct cc_paths *paths, uint64_t seed, unsigned part,
               unsigned parts);                              /* learn.c */
int truth_show(const struct cc_paths *paths, uint64_t seed); /* truth.c */

#endif
