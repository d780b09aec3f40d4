/* graph.c - nodes, edges, datagrams and addresses. Contract in graph.h. */
#include "graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void sim_graph_init(struct sim_graph *g, tvl_time now, FILE *log)
{
    *g = (struct sim_graph){ .now = now, .hash = FNV_OFFSET, .log = log };
}

void sim_graph_fini(struct sim_graph *g)
{
    for (unsigned i = 0; i < g->n_nodes; i++) {
        if (g->node[i]->ops->fini)
            g->node[i]->ops->fini(g->node[i]);
        free(g->node[i]);
    }
    while (g->free_packets) {
        struct sim_packet *p = g->free_packets;

        g->free_packets = p->next;
        free(p);
    }
    g->n_nodes = 0;
}

void *sim_node_new(struct sim_graph *g, size_t size, const struct sim_node_ops *ops)
{
    struct sim_node *n = calloc(1, size);

    if (!n || g->n_nodes == SIM_NODES_MAX) {
        fprintf(stderr, "tvl-sim: no room for another node\n");
        abort();
    }
    n->ops = ops;
    n->graph = g;
    n->id = g->n_nodes;
    g->node[g->n_nodes++] = n;
    return n;
}

void sim_join(struct sim_node *a, struct sim_node *b)
{
    if (a->n_ports == SIM_PORTS_MAX || b->n_ports == SIM_PORTS_MAX) {
        fprintf(stderr, "tvl-sim: no port left\n");
        abort();
    }
    const unsigned pa = a->n_ports++, pb = b->n_ports++;

    a->port[pa] = (struct sim_edge){ b, pb };
    b->port[pb] = (struct sim_edge){ a, pa };
}

/* ---- datagrams ---- */

void sim_send(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    const struct sim_edge *e = &n->port[port];

    if (port >= n->n_ports || ++p->hops > SIM_HOPS_MAX) {
        sim_packet_drop(n, p, "lost its way");
        return;
    }
    e->to->ops->forward(e->to, e->port, p);
}

struct sim_packet *sim_packet_new(struct sim_graph *g)
{
    struct sim_packet *p = g->free_packets;

    if (g->n_packets == SIM_PACKETS_MAX) {
        sim_fail(g, "more than %d datagrams under way", SIM_PACKETS_MAX);
        return NULL;
    }
    if (p)
        g->free_packets = p->next;
    else
        p = malloc(sizeof *p);
    if (!p)
        abort();
    p->next = NULL;
    p->hops = 0;
    g->n_packets++;
    g->packets_made++;
    return p;
}

struct sim_packet *sim_packet_copy(struct sim_graph *g, const struct sim_packet *p)
{
    struct sim_packet *c = sim_packet_new(g);

    if (!c)
        return NULL;
    c->from = p->from;
    c->to = p->to;
    c->ecn = p->ecn;
    c->hops = p->hops;
    c->len = p->len;
    memcpy(c->bytes, p->bytes, p->len);
    return c;
}

void sim_packet_free(struct sim_graph *g, struct sim_packet *p)
{
    p->next = g->free_packets;
    g->free_packets = p;
    g->n_packets--;
}

void sim_packet_drop(struct sim_node *n, struct sim_packet *p, const char *why)
{
    sim_note(n->graph, why, n->id, sim_address_key(&p->from), p->len);
    n->graph->packets_dropped++;
    sim_packet_free(n->graph, p);
}

/* ---- time ---- */

tvl_time sim_graph_next_time(const struct sim_graph *g)
{
    tvl_time next = SIM_NEVER;

    for (unsigned i = 0; i < g->n_nodes; i++) {
        const struct sim_node *n = g->node[i];

        if (!n->ops->next_time)
            continue;
        const tvl_time t = n->ops->next_time(n);
        next = t < next ? t : next;
    }
    return next;
}

void sim_graph_run(struct sim_graph *g)
{
    for (unsigned i = 0; i < g->n_nodes; i++) {
        struct sim_node *n = g->node[i];

        if (n->ops->next_time && n->ops->next_time(n) <= g->now)
            n->ops->run(n);
    }
}

void sim_graph_calm(struct sim_graph *g)
{
    sim_note(g, "calm", 0, 0, 0);
    for (unsigned i = 0; i < g->n_nodes; i++)
        if (g->node[i]->ops->calm)
            g->node[i]->ops->calm(g->node[i]);
}

/* ---- what happened ---- */

static uint64_t mix(uint64_t hash, uint64_t v)
{
    for (unsigned k = 0; k < 64; k += 8)
        hash = (hash ^ ((v >> k) & 0xff)) * FNV_PRIME;
    return hash;
}

void sim_note(struct sim_graph *g, const char *what, unsigned id, uint64_t a, uint64_t b)
{
    for (const char *p = what; *p; p++)
        g->hash = (g->hash ^ (uint8_t)*p) * FNV_PRIME;
    g->hash = mix(mix(mix(mix(g->hash, g->now), id), a), b);
    if (g->log)
        fprintf(g->log, "%" PRIu64 " %s %s%u %" PRIx64 " %" PRIu64 "\n", g->now, what,
                id < g->n_nodes ? g->node[id]->ops->kind : "app",
                id < g->n_nodes ? id : id - SIM_APP, a, b);
}

void sim_fail(struct sim_graph *g, const char *format, ...)
{
    va_list args;

    if (g->why[0])
        return;
    va_start(args, format);
    (void)vsnprintf(g->why, sizeof g->why, format, args);
    va_end(args);
    if (g->log)
        fprintf(g->log, "%" PRIu64 " VIOLATION %s\n", g->now, g->why);
}

/* ---- addresses ---- */

struct sockaddr_storage sim_address(enum sim_family family, unsigned net, uint16_t host,
                                    uint16_t port)
{
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof ss);
    if (family == SIM_IPV4) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

        a.sin_addr.s_addr = htonl(10u << 24 | (net & 0xff) << 16 | host);
        memcpy(&ss, &a, sizeof a);
    } else {
        struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

        a.sin6_addr.s6_addr[0] = 0xfd;
        a.sin6_addr.s6_addr[3] = (uint8_t)net;
        a.sin6_addr.s6_addr[14] = (uint8_t)(host >> 8);
        a.sin6_addr.s6_addr[15] = (uint8_t)host;
        memcpy(&ss, &a, sizeof a);
    }
    return ss;
}

static const struct sockaddr_in *in4(const struct sockaddr_storage *a)
{
    return (const void *)a;
}

static const struct sockaddr_in6 *in6(const struct sockaddr_storage *a)
{
    return (const void *)a;
}

unsigned sim_net(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET ? ntohl(in4(a)->sin_addr.s_addr) >> 16 & 0xff
                                   : in6(a)->sin6_addr.s6_addr[3];
}

uint16_t sim_port(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET ? in4(a)->sin_port : in6(a)->sin6_port);
}

void sim_set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

uint64_t sim_address_key(const struct sockaddr_storage *a)
{
    const uint64_t v6 = a->ss_family == AF_INET ? 0 : 1;
    const uint64_t host =
        v6 ? (uint64_t)in6(a)->sin6_addr.s6_addr[14] << 8 | in6(a)->sin6_addr.s6_addr[15]
           : ntohl(in4(a)->sin_addr.s_addr) & 0xffff;

    return v6 << 40 | (uint64_t)sim_net(a) << 32 | host << 16 | sim_port(a);
}

bool sim_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return a->ss_family == b->ss_family && sim_address_key(a) == sim_address_key(b);
}

bool sim_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return a->ss_family == b->ss_family && sim_address_key(a) >> 16 == sim_address_key(b) >> 16;
}
