/*
 * world.h - the simulator: two production endpoints, links between them, one virtual clock.
 *
 *     client 10.0.N.1 ==link N== server 10.9.9.9:4433        N in [0, SIM_LINKS_MAX)
 *
 * The links are vlink's own core, the endpoints are libtvl as it ships, TLS included (Ed25519
 * certificates, so that handshakes have one size). Everything random comes from the seed. Every
 * datagram and event goes into a log with a running hash: the same scenario and seed give the same
 * hash, or something in the library is not a function of inputs, time and seed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include <tvl/tvl.h>

#include "dir.h"
#include "test_pki.h"

#define SIM_LINKS_MAX 4
#define SIM_CHANGES_MAX 8
#define SIM_STREAMS_MAX 64
#define SIM_SLOTS 16384 /* datagrams under way */

enum sim_side { SIM_CLIENT, SIM_SERVER };

enum sim_ways { SIM_BOTH_WAYS, SIM_TO_CLIENT, SIM_TO_SERVER };

struct sim_change { /* link goes down or up */
    tvl_time at;    /* us after the start */
    unsigned link;
    bool down;
    enum sim_ways ways;
};

struct sim_scenario {
    const char *name;
    unsigned links;
    struct vlink_config link[SIM_LINKS_MAX]; /* both directions alike */
    struct sim_change change[SIM_CHANGES_MAX];
    size_t changes;
    unsigned streams; /* opened by each side */
    uint64_t bytes;   /* of each stream */
    tvl_time limit;   /* us: everything must have arrived by then */
    const char *cc;
    bool vary; /* loss, delay, rate and times are drawn around the given ones */
};

struct sim_stream {
    bool used;
    uint64_t id;
    uint64_t written, read;
    bool finished;
};

struct sim_result {
    bool ok;
    char why[160];
    uint64_t hash;
    tvl_time time;        /* us until the last byte */
    uint64_t bytes;       /* stream bytes delivered, both ways */
    double goodput_share; /* of the links' rates, server to client, over the run */
    uint64_t datagrams, lost;
};

/* `pki` is shared by runs; `log` may be NULL. */
void sim_run(const struct sim_scenario *s, uint64_t seed, const struct test_pki *pki, FILE *log,
             struct sim_result *out);

extern const struct sim_scenario sim_scenarios[]; /* ends with a NULL name */
const struct sim_scenario *sim_find(const char *name);

#endif
