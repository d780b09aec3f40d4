/* node_link.c - a link and a router: what a packet needs to get anywhere at all. */
#include <stdlib.h>
#include <string.h>

#include "nodes.h"

#define ECT(ecn) ((ecn) == 1 || (ecn) == 2)
#define CE 3

/* ---- link ---- */

struct link {
    struct sim_node node;
    struct vlink_dir *dir[2]; /* [0]: what came in at port 0, goes up */
    uint32_t mark_bytes;
};

/* Packets are owned by the edge emulator as its tags. */
static uint64_t tag_of(struct sim_packet *p)
{
    return (uint64_t)(uintptr_t)p;
}

static struct sim_packet *packet_of(uint64_t tag)
{
    return (struct sim_packet *)(uintptr_t)tag;
}

static void link_take(struct link *l, unsigned in)
{
    struct vlink_out o;

    while (vlink_dir_take(l->dir[in], l->node.graph->now * 1000, &o)) {
        struct sim_packet *p = packet_of(o.tag);

        if (o.fate != VLINK_PASS) {
            if (o.last)
                sim_packet_drop(&l->node, p, o.fate == VLINK_DROP_LOSS ? "loss" : "down");
            continue;
        }
        if (!o.last)
            p = sim_packet_copy(l->node.graph, p);
        if (p)
            sim_send(&l->node, 1 - in, p);
    }
}

static void link_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct link *l = (struct link *)n;
    struct vlink_dir *d = l->dir[port];

    if (l->mark_bytes && ECT(p->ecn) && vlink_dir_queue_bytes(d) > l->mark_bytes) {
        p->ecn = CE;
        sim_note(n->graph, "marked", n->id, port, p->len);
    }
    if (vlink_dir_push(d, n->graph->now * 1000, (uint32_t)p->len, tag_of(p)) != VLINK_PASS)
        sim_packet_drop(n, p, "queue");
}

static tvl_time link_next_time(const struct sim_node *n)
{
    const struct link *l = (const struct link *)n;
    const vlink_time up = vlink_dir_next(l->dir[0]), down = vlink_dir_next(l->dir[1]);
    const vlink_time ns = up < down ? up : down;

    return ns == VLINK_NEVER ? SIM_NEVER : (ns + 999) / 1000;
}

static void link_run(struct sim_node *n)
{
    link_take((struct link *)n, 0);
    link_take((struct link *)n, 1);
}

static void link_calm(struct sim_node *n)
{
    struct link *l = (struct link *)n;

    for (unsigned i = 0; i < 2; i++) {
        struct vlink_config c = *vlink_dir_config(l->dir[i]);

        c.down = c.ge = false;
        c.loss_ppm = c.reorder_ppm = c.duplicate_ppm = 0;
        vlink_dir_configure(l->dir[i], n->graph->now * 1000, &c);
    }
}

static void link_fini(struct sim_node *n)
{
    struct link *l = (struct link *)n;

    for (unsigned i = 0; i < 2; i++) {
        struct vlink_config c = *vlink_dir_config(l->dir[i]);
        struct vlink_out o;

        c.down = true; /* everything inside comes out as lost */
        vlink_dir_configure(l->dir[i], n->graph->now * 1000, &c);
        while (vlink_dir_take(l->dir[i], n->graph->now * 1000, &o))
            if (o.last)
                sim_packet_free(n->graph, packet_of(o.tag));
        vlink_dir_free(l->dir[i]);
    }
}

static const struct sim_node_ops link_ops = {
    .kind = "link",
    .forward = link_forward,
    .next_time = link_next_time,
    .run = link_run,
    .calm = link_calm,
    .fini = link_fini,
};

struct sim_node *sim_link_new(struct sim_graph *g, const struct vlink_config *up,
                              const struct vlink_config *down, uint32_t mark_bytes, uint64_t seed)
{
    struct link *l = sim_node_new(g, sizeof *l, &link_ops);

    l->mark_bytes = mark_bytes;
    l->dir[0] = vlink_dir_new(up, seed * 2, g->now * 1000);
    l->dir[1] = vlink_dir_new(down, seed * 2 + 1, g->now * 1000);
    if (!l->dir[0] || !l->dir[1])
        abort();
    return &l->node;
}

void sim_link_down(struct sim_node *n, unsigned ways, bool down)
{
    struct link *l = (struct link *)n;

    for (unsigned i = 0; i < 2; i++) {
        struct vlink_config c = *vlink_dir_config(l->dir[i]);

        if (!(ways >> i & 1))
            continue;
        c.down = down;
        vlink_dir_configure(l->dir[i], n->graph->now * 1000, &c);
    }
}

const struct vlink_dir *sim_link_way(const struct sim_node *n, unsigned way)
{
    return ((const struct link *)n)->dir[way];
}

void sim_link_rate(struct sim_node *n, uint64_t rate_bps)
{
    struct link *l = (struct link *)n;

    for (unsigned i = 0; i < 2; i++) {
        struct vlink_config c = *vlink_dir_config(l->dir[i]);

        c.rate_bps = rate_bps;
        vlink_dir_configure(l->dir[i], n->graph->now * 1000, &c);
    }
}

/* ---- router ---- */

#define NO_PORT UINT8_MAX

struct router {
    struct sim_node node;
    uint8_t port_of[SIM_NETS];
    uint8_t otherwise;
};

static void router_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    const struct router *r = (const struct router *)n;
    const uint8_t known = r->port_of[sim_net(&p->to)];
    const uint8_t out = known != NO_PORT ? known : r->otherwise;

    if (out == NO_PORT || out == port)
        sim_packet_drop(n, p, "no route");
    else
        sim_send(n, out, p);
}

static const struct sim_node_ops router_ops = { .kind = "router", .forward = router_forward };

struct sim_node *sim_router_new(struct sim_graph *g)
{
    struct router *r = sim_node_new(g, sizeof *r, &router_ops);

    memset(r->port_of, NO_PORT, sizeof r->port_of);
    r->otherwise = NO_PORT;
    return &r->node;
}

void sim_router_route(struct sim_node *n, unsigned net)
{
    ((struct router *)n)->port_of[net] = (uint8_t)(n->n_ports - 1);
}

void sim_router_default(struct sim_node *n)
{
    ((struct router *)n)->otherwise = (uint8_t)(n->n_ports - 1);
}
