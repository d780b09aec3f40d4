/*
 * node_nat.c - a NAT as most homes have it: the mapping is by inner address, whatever the
 * destination; what comes from outside to no mapping is dropped.
 */
#include "nodes.h"

#define MAPPINGS_MAX 64 /* at once; the one unused for longest makes room */
#define FIRST_PORT 20000u
#define HOSTS 250u

struct mapping {
    bool used;
    struct sockaddr_storage inner, outer;
    tvl_time at; /* of the last datagram */
};

struct nat {
    struct sim_node node;
    unsigned net;
    uint16_t host, next_port;
    tvl_time forget;
    struct mapping map[MAPPINGS_MAX];
};

static bool alive(const struct nat *t, const struct mapping *m)
{
    return m->used && (t->forget == 0 || t->node.graph->now - m->at < t->forget);
}

static struct mapping *room(struct nat *t)
{
    struct mapping *oldest = &t->map[0];

    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (!t->map[i].used)
            return &t->map[i];
        if (t->map[i].at < oldest->at)
            oldest = &t->map[i];
    }
    return oldest;
}

static struct mapping *map_out(struct nat *t, const struct sockaddr_storage *inner)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++)
        if (alive(t, &t->map[i]) && sim_same_address(&t->map[i].inner, inner))
            return &t->map[i];
    struct mapping *m = room(t);

    *m = (struct mapping){ .used = true, .inner = *inner };
    m->outer = sim_address(inner->ss_family == AF_INET ? SIM_IPV4 : SIM_IPV6, t->net, t->host,
                           t->next_port++);
    sim_note(t->node.graph, "mapped", t->node.id, sim_address_key(&m->outer), 0);
    return m;
}

static void nat_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct nat *t = (struct nat *)n;

    if (port == 0) {
        struct mapping *m = map_out(t, &p->from);

        m->at = n->graph->now;
        p->from = m->outer;
        sim_send(n, 1, p);
        return;
    }
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct mapping *m = &t->map[i];

        if (!alive(t, m) || !sim_same_address(&m->outer, &p->to))
            continue;
        m->at = n->graph->now;
        p->to = m->inner;
        sim_send(n, 0, p);
        return;
    }
    sim_packet_drop(n, p, "unmapped");
}

static void nat_calm(struct sim_node *n)
{
    ((struct nat *)n)->forget = 0;
}

static const struct sim_node_ops nat_ops = { .kind = "nat",
                                             .forward = nat_forward,
                                             .calm = nat_calm };

struct sim_node *sim_nat_new(struct sim_graph *g, unsigned net, tvl_time forget)
{
    struct nat *t = sim_node_new(g, sizeof *t, &nat_ops);

    t->net = net;
    t->host = 1;
    t->next_port = FIRST_PORT;
    t->forget = forget;
    return &t->node;
}

void sim_nat_rebind(struct sim_node *n)
{
    struct nat *t = (struct nat *)n;

    for (size_t i = 0; i < MAPPINGS_MAX; i++)
        t->map[i].used = false;
    if (t->next_port & 1) /* as it happens: every other time the address changes too */
        t->host = (uint16_t)(t->host % HOSTS + 1);
    sim_note(n->graph, "rebind", n->id, t->host, t->next_port);
}
