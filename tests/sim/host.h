/*
 * host.h - a node that runs a tvl_endpoint: its addresses, its clock, its sleep.
 *
 * Each port of the node is an interface with an address per family; on a client the port's number
 * is the path's tag. The host's clock is its own: it starts anywhere, and leaps. A sleeping host
 * does nothing; a few datagrams wait for it, as in a socket's buffer, the rest is lost.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "graph.h"

#define SIM_INBOX_MAX 64 /* datagrams that wait for a sleeper */
#define SIM_OUTBOX_MAX                                                         \
    64 /* datagrams whose time to leave has not come (tvl_datagram.release_at) \
        */
#define SIM_BATCH_BYTES 65536
#define SIM_AHEAD_MAX 1000000u /* us: how far ahead release_at may lie */

struct sim_host;

struct sim_host_watch { /* told of every datagram; either may be NULL */
    void (*sent)(void *user, struct sim_host *h, const struct tvl_datagram *d);
    void (*received)(void *user, struct sim_host *h, const struct tvl_datagram *d);
    void *user;
};

struct sim_outgoing {
    struct sim_packet *p;
    unsigned port;
    tvl_time at;
};

struct sim_host {
    struct sim_node node;
    struct tvl_tls *tls;
    struct tvl_endpoint *ep;
    struct tvl_config cfg;
    bool server, asleep;
    bool batched;              /* several datagrams a call, as GSO and GRO do */
    struct tvl_datagram batch; /* of what arrived at this moment; len 0: none */
    size_t batch_last;         /* size of its last datagram */
    uint8_t *batch_bytes;      /* SIM_BATCH_BYTES */
    int64_t offset;            /* us: its clock shows graph->now + offset */
    tvl_time asleep_since;
    struct sockaddr_storage address[SIM_PORTS_MAX][2]; /* by port and family; AF_UNSPEC: none */
    struct sim_packet *inbox[SIM_INBOX_MAX];
    size_t n_inbox;
    struct sim_outgoing outbox[SIM_OUTBOX_MAX];
    size_t n_outbox;
    struct sim_host_watch watch;
    uint64_t ticks, datagrams;
};

/* Takes `tls` (one reference) and makes the endpoint. NULL: a violation is noted. */
struct sim_host *sim_host_new(struct sim_graph *g, struct tvl_tls *tls,
                              const struct tvl_config *cfg, bool server, int64_t offset);
void sim_host_use_batches(struct sim_host *h);
void sim_host_end(struct sim_host *h); /* frees endpoint and TLS; the node stays */
tvl_time sim_host_now(const struct sim_host *h);
/* graph time at which the endpoint's timer is due. */
tvl_time sim_host_due(const struct sim_host *h);
void sim_host_flush(struct sim_host *h); /* hand over what has just arrived */
/* Tick if due, and send all there is. True: a datagram left. */
bool sim_host_drive(struct sim_host *h);
void sim_host_sleep(struct sim_host *h);
/* `clock_stood`: its clock did not run meanwhile, as a monotonic one does not. */
void sim_host_wake(struct sim_host *h, bool clock_stood);
/* As if its process had died and begun again: all connections are gone, the secret is not. */
void sim_host_restart(struct sim_host *h);
/* The interface has other addresses from now on: what goes to the old ones is lost. */
void sim_host_readdress(struct sim_host *h, unsigned port, uint16_t host);

#endif
