/*
 * bonding.h - what several paths together are worth, measured on virtual time (net.h).
 */
#ifndef BENCH_BONDING_H
#define BENCH_BONDING_H

#include <stdio.h>

#include "net.h"

#define MS 1000000u /* ns */
#define MBIT 1000000u

struct plan {               /* what to measure with */
    const char *cc, *sched; /* NULL: the library's default */
    unsigned seeds;
    bool verbose;
    const struct test_pki *pki;
};

struct spread { /* of one figure over the seeds */
    double median, min, max;
};

struct spread spread_of(double *v, size_t n); /* sorts `v` */

/* ---- transfer.c: one reliable stream from server to client ---- */
struct transfer {
    uint64_t bytes;
    tvl_time limit; /* us of virtual time */
};
struct transferred {
    bool whole;
    double seconds; /* from the first byte written to the last byte read */
    double goodput_bps;
    double resent_share; /* stream bytes sent again over bytes sent first */
    struct net_totals totals;
};
struct transferred transfer_run(const struct net_config *cfg, const struct transfer *t);

/* ---- profiles.c: sixteen pairs of links ---- */
struct profile {
    const char *name;
    struct vlink_config link[2];
};
extern const struct profile profiles[]; /* ends with a NULL name */
unsigned profiles_below_best(const struct plan *plan, FILE *json);

/* ---- death.c: the path in use dies ---- */
struct deaths {
    struct spread evacuation_ms, resent_ms, file_gap_ms, return_ms;
    double evacuation_p99_ms, resent_p99_ms, file_gap_p99_ms, return_p99_ms;
    unsigned trials, failed;
    uint64_t frames, frames_late, frames_lost;
};
void deaths_run(const struct plan *plan, unsigned trials, struct deaths *out);

#endif
