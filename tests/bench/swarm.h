/*
 * swarm.h - what the benches of many connections share: a server process on loopback, and a client
 * endpoint that drives thousands of connections over one UDP socket.
 */
#ifndef BENCH_SWARM_H
#define BENCH_SWARM_H

#include <sys/types.h>
#include <tvl/tvl.h>

#include "test_pki.h"

struct swarm_server {
    pid_t pid;
    int control; /* closing it ends the process */
    int tell;    /* what it says of itself at its end */
    uint16_t port;
    struct test_pki pki;
};

/* Fork a server that accepts all and echoes nothing; `adjust` (may be NULL) changes its
 * configuration. 0 or -1. */
int swarm_server_start(struct swarm_server *s, void (*adjust)(struct tvl_config *cfg));
/* `stats` (may be NULL): what its endpoint has counted. */
void swarm_server_stop(struct swarm_server *s, struct tvl_endpoint_stats *stats);
/* KiB of memory that the server's process holds now (resident, without what it shares). */
long swarm_server_kib(const struct swarm_server *s);
/* ms of CPU that it has used so far. */
long swarm_server_cpu_ms(const struct swarm_server *s);

struct swarm_client {
    struct tvl_tls *tls;
    struct tvl_endpoint *ep;
    int fd;
    struct sockaddr_storage local, remote;
    unsigned connected, closed;
    uint64_t stream_bytes; /* read from all streams */
};

int swarm_client_start(struct swarm_client *c, const struct swarm_server *s);
void swarm_client_stop(struct swarm_client *c);
/* Start `n` connections, at most `at_once` of them under way; true when all are there. */
bool swarm_client_connect(struct swarm_client *c, unsigned n, unsigned at_once, double seconds);
/* Drive for a while. */
void swarm_client_run(struct swarm_client *c, double seconds);

tvl_time swarm_now(void);

#endif
