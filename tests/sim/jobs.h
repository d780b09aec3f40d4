/*
 * jobs.h - many seeds of the swarm over several processes: a seed that crashes or hangs is a
 * violation like any other, and the rest goes on.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include "swarm.h"

#define JOBS_MAX 64
#define JOBS_SEED_SECONDS 300 /* of real time; then it hangs */
#define JOBS_SHOWN_MAX 200    /* failing seeds printed */

struct jobs_config {
    uint64_t first, count, without;
    unsigned jobs; /* [1, JOBS_MAX] processes */
    bool twice;    /* run each seed again and compare */
    bool progress;
    const char *report; /* JSON file to write; NULL: none */
    const char *log;    /* of the one seed, with count 1 */
    tvl_time stop_at;   /* us; 0: run to the end */
};

/* Result: number of violations. */
uint64_t jobs_run(const struct jobs_config *c, const struct test_pki *pki);

#endif
