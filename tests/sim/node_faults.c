/* node_faults.c - the small nodes that each do one kind of harm. */
#include "nodes.h"

#include "rng.h"

#define HELD_MAX 256 /* packets a shuffler keeps; more pass at once */

/* ---- mtu ---- */

struct mtu {
    struct sim_node node;
    size_t bytes;
};

static void mtu_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    if (p->len > ((struct mtu *)n)->bytes)
        sim_packet_drop(n, p, "too large");
    else
        sim_send(n, 1 - port, p);
}

static void mtu_calm(struct sim_node *n)
{
    struct mtu *m = (struct mtu *)n;

    m->bytes = m->bytes < 1200 ? 1200 : m->bytes; /* what remains is a lawful, narrow path */
}

static const struct sim_node_ops mtu_ops = { .kind = "mtu",
                                             .forward = mtu_forward,
                                             .calm = mtu_calm };

struct sim_node *sim_mtu_new(struct sim_graph *g, size_t bytes)
{
    struct mtu *m = sim_node_new(g, sizeof *m, &mtu_ops);

    m->bytes = bytes;
    return &m->node;
}

void sim_mtu_set(struct sim_node *n, size_t bytes)
{
    ((struct mtu *)n)->bytes = bytes;
    sim_note(n->graph, "mtu", n->id, bytes, 0);
}

/* ---- corrupter ---- */

struct corrupter {
    struct sim_node node;
    uint32_t ppm;
    struct vlink_rng rng;
};

static void corrupter_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct corrupter *c = (struct corrupter *)n;

    if (vlink_rng_chance(&c->rng, c->ppm)) {
        if (p->len > 1 && vlink_rng_chance(&c->rng, 200000))
            p->len = 1 + (size_t)vlink_rng_below(&c->rng, p->len - 1);
        for (uint64_t flips = 1 + vlink_rng_below(&c->rng, 4); flips > 0; flips--) {
            /* one flip in two hits a header */
            const uint64_t within = vlink_rng_below(&c->rng, 2) && p->len > 32 ? 32 : p->len;

            p->bytes[vlink_rng_below(&c->rng, within)] ^=
                (uint8_t)(1u << vlink_rng_below(&c->rng, 8));
        }
        sim_note(n->graph, "corrupt", n->id, sim_address_key(&p->from), p->len);
    }
    sim_send(n, 1 - port, p);
}

static void corrupter_calm(struct sim_node *n)
{
    ((struct corrupter *)n)->ppm = 0;
}

static const struct sim_node_ops corrupter_ops = { .kind = "corrupter",
                                                   .forward = corrupter_forward,
                                                   .calm = corrupter_calm };

struct sim_node *sim_corrupter_new(struct sim_graph *g, uint32_t ppm, uint64_t seed)
{
    struct corrupter *c = sim_node_new(g, sizeof *c, &corrupter_ops);

    c->ppm = ppm;
    vlink_rng_init(&c->rng, seed, 1);
    return &c->node;
}

/* ---- shuffler ---- */

struct held {
    struct sim_packet *p;
    unsigned port; /* out */
    tvl_time at;
};

struct shuffler {
    struct sim_node node;
    uint32_t hold_ppm, again_ppm;
    tvl_time hold;
    struct vlink_rng rng;
    struct held held[HELD_MAX];
    size_t n;
};

static void shuffler_hold(struct shuffler *s, unsigned port, struct sim_packet *p, tvl_time most)
{
    const tvl_time at = s->node.graph->now + 1 + vlink_rng_below(&s->rng, most);

    if (p && s->n == HELD_MAX)
        sim_send(&s->node, port, p);
    else if (p)
        s->held[s->n++] = (struct held){ p, port, at };
}

static void shuffler_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct shuffler *s = (struct shuffler *)n;

    if (vlink_rng_chance(&s->rng, s->again_ppm))
        shuffler_hold(s, 1 - port, sim_packet_copy(n->graph, p), 100 * s->hold);
    if (vlink_rng_chance(&s->rng, s->hold_ppm))
        shuffler_hold(s, 1 - port, p, s->hold);
    else
        sim_send(n, 1 - port, p);
}

static tvl_time shuffler_next_time(const struct sim_node *n)
{
    const struct shuffler *s = (const struct shuffler *)n;
    tvl_time next = SIM_NEVER;

    for (size_t i = 0; i < s->n; i++)
        next = s->held[i].at < next ? s->held[i].at : next;
    return next;
}

static void shuffler_run(struct sim_node *n)
{
    struct shuffler *s = (struct shuffler *)n;

    for (size_t i = 0; i < s->n;) {
        const struct held h = s->held[i];

        if (h.at > n->graph->now) {
            i++;
            continue;
        }
        s->held[i] = s->held[--s->n];
        sim_send(n, h.port, h.p);
    }
}

static void shuffler_calm(struct sim_node *n)
{
    struct shuffler *s = (struct shuffler *)n;

    s->hold_ppm = s->again_ppm = 0;
}

static void shuffler_fini(struct sim_node *n)
{
    struct shuffler *s = (struct shuffler *)n;

    while (s->n > 0)
        sim_packet_free(n->graph, s->held[--s->n].p);
}

static const struct sim_node_ops shuffler_ops = {
    .kind = "shuffler",
    .forward = shuffler_forward,
    .next_time = shuffler_next_time,
    .run = shuffler_run,
    .calm = shuffler_calm,
    .fini = shuffler_fini,
};

struct sim_node *sim_shuffler_new(struct sim_graph *g, uint32_t hold_ppm, tvl_time hold,
                                  uint32_t again_ppm, uint64_t seed)
{
    struct shuffler *s = sim_node_new(g, sizeof *s, &shuffler_ops);

    s->hold_ppm = hold_ppm;
    s->hold = hold;
    s->again_ppm = again_ppm;
    vlink_rng_init(&s->rng, seed, 2);
    return &s->node;
}

/* ---- gate ---- */

struct gate {
    struct sim_node node;
    unsigned shut;
};

static void gate_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    if (((struct gate *)n)->shut >> port & 1)
        sim_packet_drop(n, p, "shut");
    else
        sim_send(n, 1 - port, p);
}

static void gate_calm(struct sim_node *n)
{
    ((struct gate *)n)->shut = 0;
}

static const struct sim_node_ops gate_ops = { .kind = "gate",
                                              .forward = gate_forward,
                                              .calm = gate_calm };

struct sim_node *sim_gate_new(struct sim_graph *g)
{
    return &((struct gate *)sim_node_new(g, sizeof(struct gate), &gate_ops))->node;
}

void sim_gate_shut(struct sim_node *n, unsigned ways)
{
    ((struct gate *)n)->shut = ways;
    sim_note(n->graph, "gate", n->id, ways, 0);
}

/* ---- bleacher ---- */

struct bleacher {
    struct sim_node node;
    enum sim_bleach how;
};

static void bleacher_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    static const uint8_t to[SIM_BLEACHES] = { 0, 3, 1 };

    if (p->ecn != 0)
        p->ecn = to[((struct bleacher *)n)->how];
    sim_send(n, 1 - port, p);
}

static const struct sim_node_ops bleacher_ops = { .kind = "bleacher", .forward = bleacher_forward };

struct sim_node *sim_bleacher_new(struct sim_graph *g, enum sim_bleach how)
{
    struct bleacher *b = sim_node_new(g, sizeof *b, &bleacher_ops);

    b->how = how;
    return &b->node;
}

/* ---- spoofer ---- */

struct spoofer {
    struct sim_node node;
    unsigned net;
    uint32_t ppm;
    struct vlink_rng rng;
};

static void spoofer_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct spoofer *s = (struct spoofer *)n;

    /* not in a handshake, which a faster liar kills by design (RFC 9000 9) */
    if (port == 0 && !(p->bytes[0] & 0x80) && vlink_rng_chance(&s->rng, s->ppm)) {
        struct sim_packet *c = sim_packet_copy(n->graph, p);

        if (c) {
            c->from = sim_address(c->from.ss_family == AF_INET ? SIM_IPV4 : SIM_IPV6, s->net, 1,
                                  (uint16_t)(30000 + vlink_rng_below(&s->rng, 8)));
            sim_note(n->graph, "spoof", n->id, sim_address_key(&c->from), c->len);
            sim_send(n, 1, c); /* the copy comes first: the harder case */
        }
    }
    sim_send(n, 1 - port, p);
}

static void spoofer_calm(struct sim_node *n)
{
    ((struct spoofer *)n)->ppm = 0;
}

static const struct sim_node_ops spoofer_ops = { .kind = "spoofer",
                                                 .forward = spoofer_forward,
                                                 .calm = spoofer_calm };

struct sim_node *sim_spoofer_new(struct sim_graph *g, unsigned net, uint32_t ppm, uint64_t seed)
{
    struct spoofer *s = sim_node_new(g, sizeof *s, &spoofer_ops);

    s->net = net;
    s->ppm = ppm;
    vlink_rng_init(&s->rng, seed, 3);
    return &s->node;
}
