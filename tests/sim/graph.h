/*
 * graph.h - a virtual network as a graph: nodes with ports, edges between ports, datagrams.
 *
 * A node answers three questions, and one for the end:
 *
 *     forward(node, port, packet)   a datagram came in; the node now owns it: it sends it on, keeps
 *                                   it for later or drops it
 *     next_time(node)               when it wants to run, SIM_NEVER: not before the next forward
 *     run(node)                     do what is due at graph->now
 *     calm(node)                    do no harm any more; what is under way goes on
 *
 * Edges take no time; what takes time is a node. All randomness comes from the seed given to a
 * node's constructor, all time from graph->now (us). Whatever happens is noted: into a running
 * hash, by which two runs are compared, and into a log if one is wanted.
 *
 * An address is 10.NET.0.HOST or fd00:NET::HOST, and routes go by NET alone.
 */
#ifndef SIM_GRAPH_H
#define SIM_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <tvl/tvl.h>

#define SIM_PORTS_MAX 24     /* of one node */
#define SIM_NODES_MAX 160    /* of one graph */
#define SIM_PACKETS_MAX 8192 /* datagrams under way; more is a storm, and a violation */
#define SIM_HOPS_MAX 64      /* nodes one datagram passes */
#define SIM_NETS 256
#define SIM_NEVER TVL_TIME_NEVER

struct sim_graph;
struct sim_node;

struct sim_packet {
    struct sim_packet *next;
    struct sockaddr_storage from, to;
    uint8_t ecn;
    unsigned hops;
    size_t len;
    uint8_t bytes[TVL_DATAGRAM_MAX];
};

struct sim_node_ops {
    const char *kind;
    void (*forward)(struct sim_node *n, unsigned port, struct sim_packet *p);
    tvl_time (*next_time)(const struct sim_node *n); /* NULL: never */
    void (*run)(struct sim_node *n);                 /* NULL with next_time */
    void (*calm)(struct sim_node *n);                /* NULL: harmless */
    void (*fini)(struct sim_node *n);                /* what it holds; NULL: nothing */
};

struct sim_edge {
    struct sim_node *to;
    unsigned port;
};

struct sim_node { /* first member of every kind of node */
    const struct sim_node_ops *ops;
    struct sim_graph *graph;
    unsigned id;
    struct sim_edge port[SIM_PORTS_MAX];
    unsigned n_ports;
};

struct sim_graph {
    tvl_time now;
    struct sim_node *node[SIM_NODES_MAX];
    unsigned n_nodes;
    struct sim_packet *free_packets;
    unsigned n_packets; /* under way */
    uint64_t packets_made, packets_dropped;
    uint64_t hash;
    FILE *log;
    char why[200]; /* the first violation; empty: none */
};

void sim_graph_init(struct sim_graph *g, tvl_time now, FILE *log);
void sim_graph_fini(struct sim_graph *g); /* frees the nodes */

/* Zeroed room for a node of `size` bytes, in the graph from now on. Never NULL: it aborts. */
void *sim_node_new(struct sim_graph *g, size_t size, const struct sim_node_ops *ops);
/* An edge between a new port of each. */
void sim_join(struct sim_node *a, struct sim_node *b);

/* Out of `port`; takes the packet. */
void sim_send(struct sim_node *n, unsigned port, struct sim_packet *p);
struct sim_packet *sim_packet_new(struct sim_graph *g); /* NULL: too many, a violation noted */
struct sim_packet *sim_packet_copy(struct sim_graph *g, const struct sim_packet *p);
void sim_packet_drop(struct sim_node *n, struct sim_packet *p, const char *why);
void sim_packet_free(struct sim_graph *g, struct sim_packet *p); /* it has arrived */

tvl_time sim_graph_next_time(const struct sim_graph *g);
void sim_graph_run(struct sim_graph *g);
void sim_graph_calm(struct sim_graph *g);

/* Into hash and log; `id` is a node's, or SIM_APP and the number of an application. */
#define SIM_APP 1000u
void sim_note(struct sim_graph *g, const char *what, unsigned id, uint64_t a, uint64_t b);
/* A violation; the first one is kept. */
void sim_fail(struct sim_graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- addresses ---- */

enum sim_family { SIM_IPV4, SIM_IPV6 };

struct sockaddr_storage sim_address(enum sim_family family, unsigned net, uint16_t host,
                                    uint16_t port);
unsigned sim_net(const struct sockaddr_storage *a);
uint16_t sim_port(const struct sockaddr_storage *a);
void sim_set_port(struct sockaddr_storage *a, uint16_t port);
bool sim_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
bool sim_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
uint64_t sim_address_key(const struct sockaddr_storage *a); /* for notes and tables */

#endif
