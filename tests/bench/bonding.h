/*
 * bonding.h - what several paths together are worth, measured on virtual time (net.h).
 */
#ifndef BENCH_BONDING_H
#define BENCH_BONDING_H

#include <stdio.h>

#include "net.h"

#define MS 1000000u /* ns */
#define MBIT 1000000u

#define PLAN_SEEDS_MAX 32

struct plan {               /* what to measure with */
    const char *cc, *sched; /* NULL: the library's default */
    unsigned seeds;         /* [1, PLAN_SEEDS_MAX] */
    unsigned trials;        /* of death */
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

/* ---- live.c: layered live video from the server's policy to what a viewer sees ---- */
struct live {
    tvl_time latency;       /* us from a picture to its showing */
    tvl_time warm_up, span; /* us of the clip: judged from the one to the other */
};
struct lived {
    bool whole;
    double shown_bps;   /* media of pictures shown */
    double full_share;  /* of pictures, shown with every layer [0, 1] */
    unsigned base_lost; /* pictures of which nothing was shown */
};
uint64_t live_bps(void); /* of the whole clip */
struct lived live_run(const struct net_config *cfg, const struct live *live);
bool live_show(const struct plan *plan, FILE *json);

/* ---- profiles.c: sixteen pairs of links ---- */
struct profile {
    const char *name;
    struct vlink_config link[2];
};
extern const struct profile profiles[]; /* ends with a NULL name */
unsigned profiles_below_best(const struct plan *plan, FILE *json);

/* ---- death.c: the path in use dies and returns, under a transfer and 60 frames a second ---- */
struct deaths {
    unsigned trials, failed; /* failed: a byte was missing or the connection closed */
    /* ms after the death */
    double evacuation_p50, evacuation_p99,
        evacuation_max;            /* no new data there, and some elsewhere */
    double resent_p50, resent_p99; /* what was in flight there has been sent elsewhere */
    double gap_p50, gap_p99;       /* longest pause of the transfer at its reader */
    /* ms after the link's return until both sides use the path again */
    double return_p50, return_p99, return_max;
    uint64_t frames, frames_late, frames_lost; /* from the death to a second after the return */
};
void deaths_run(const struct plan *plan, struct deaths *out);
/* Keys begin with `prefix`. */
bool deaths_show(const struct plan *plan, const char *prefix, FILE *json);

#endif
