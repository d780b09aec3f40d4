/*
 * draw.c - a world's network out of a seed: hosts, boxes, links, and the faults' timetable. The
 * application and the configuration are draw_app.c's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "nodes.h"
#include "rng.h"
#include "swarm.h"

#define MS 1000u /* us */
#define NS_PER_MS 1000000u
#define SECOND 1000000u
#define NET_CLIENT 1u   /* + 8 * host + interface */
#define NET_NAT 64u     /* + the same */
#define NET_SERVER 200u /* + interface */
#define NET_NOWHERE 250u
#define CHAIN_MAX 8
#define LONG_PPM 50000 /* worlds of minutes and megabytes */

const char *const swarm_fault_name[SWARM_FAULTS] = {
    [SWARM_LOSS] = "loss",
    [SWARM_BURST] = "burst",
    [SWARM_REORDER] = "reorder",
    [SWARM_DUPLICATE] = "duplicate",
    [SWARM_JITTER] = "jitter",
    [SWARM_QUEUE] = "queue",
    [SWARM_TRACE] = "trace",
    [SWARM_MARK] = "mark",
    [SWARM_BLEACH] = "bleach",
    [SWARM_NAT] = "nat",
    [SWARM_MTU] = "mtu",
    [SWARM_CORRUPT] = "corrupt",
    [SWARM_SHUFFLE] = "shuffle",
    [SWARM_PARTITION] = "partition",
    [SWARM_DOWN] = "down",
    [SWARM_RATE] = "rate",
    [SWARM_SPOOF] = "spoof",
    [SWARM_ADDRESS] = "address",
    [SWARM_CLOCK] = "clock",
    [SWARM_SLEEP] = "sleep",
    [SWARM_RESETS] = "resets",
    [SWARM_STOPS] = "stops",
    [SWARM_DEADLINES] = "deadlines",
    [SWARM_DATAGRAMS] = "datagrams",
    [SWARM_SLOW] = "slow",
    [SWARM_PATHS] = "paths",
    [SWARM_MIGRATE] = "migrate",
    [SWARM_KEYS] = "keys",
    [SWARM_CLOSES] = "closes",
    [SWARM_WINDOWS] = "windows",
    [SWARM_RETRY] = "retry",
    [SWARM_RESTART] = "restart",
    [SWARM_ADMISSION] = "admission",
    [SWARM_SINGLE] = "single",
    [SWARM_PLUGINS] = "plugins",
    [SWARM_CRYPTO] = "crypto",
    [SWARM_OPTIONS] = "options",
    [SWARM_LONG] = "long",
    [SWARM_FLOWS] = "flows",
};

struct draw {
    struct swarm *w;
    struct vlink_rng rng[SWARM_FAULTS + 1];
    uint64_t next_seed; /* of nodes */
};

#define REST SWARM_FAULTS

/* ---- numbers ---- */

uint64_t swarm_between(struct vlink_rng *r, uint64_t low, uint64_t high)
{
    return low + vlink_rng_below(r, high - low + 1);
}

uint64_t swarm_log_between(struct vlink_rng *r, uint64_t low, uint64_t high)
{
    const double part = (double)vlink_rng_below(r, 1u << 20) / (double)(1u << 20);
    const double v = exp(log((double)low) + part * (log((double)high + 1) - log((double)low)));

    return (uint64_t)v < low ? low : (uint64_t)v > high ? high : (uint64_t)v;
}

bool swarm_has(const struct swarm *w, enum swarm_fault f)
{
    return w->drawn >> f & 1;
}

/* For one place in the world: is it hit? The class may be absent; its dice roll all the same. */
static bool hits(struct draw *d, enum swarm_fault f, uint32_t ppm)
{
    const bool hit = vlink_rng_chance(&d->rng[f], ppm);

    return hit && swarm_has(d->w, f);
}

void swarm_add_event(struct swarm *w, const struct swarm_event *ev)
{
    size_t at = w->n_events;

    if (w->n_events == SWARM_EVENTS_MAX)
        return;
    while (at > 0 && w->event[at - 1].at > ev->at) {
        w->event[at] = w->event[at - 1];
        at--;
    }
    w->event[at] = *ev;
    w->n_events++;
}

static void event(struct draw *d, tvl_time at, enum swarm_what what, struct sim_node *node,
                  unsigned ways, uint64_t value)
{
    const struct swarm_event ev = { d->w->began + at, what, node, ways, value };

    swarm_add_event(d->w, &ev);
}

/* A time at which a fault may begin, and how long it lasts; it ends before the calm. */
static tvl_time moment(struct draw *d, enum swarm_fault f, tvl_time most, tvl_time *length)
{
    const tvl_time span = d->w->calm_at - d->w->began;
    const tvl_time at = vlink_rng_below(&d->rng[f], span);
    const tvl_time len = swarm_log_between(&d->rng[f], 20 * MS, most);

    *length = at + len < span ? len : span - at;
    return at;
}

static unsigned ways(struct draw *d, enum swarm_fault f)
{
    return (unsigned)swarm_between(&d->rng[f], SIM_UP, SIM_BOTH);
}

/* ---- links ---- */

static const struct vlink_trace *draw_trace(struct draw *d)
{
    struct vlink_rng *r = &d->rng[SWARM_TRACE];
    struct swarm *w = d->w;
    struct vlink_trace *t = &w->trace[w->n_traces];
    uint64_t ms = 0, gap = swarm_between(r, 1, 12);

    if (w->n_traces == SWARM_TRACES_MAX)
        return NULL;
    t->n = (size_t)swarm_between(r, 50, 1000);
    t->ms = calloc(t->n, sizeof *t->ms);
    if (!t->ms)
        abort();
    for (size_t i = 0; i < t->n; i++) { /* the gaps between opportunities wander, with holes */
        if (vlink_rng_chance(r, 200000))
            gap = swarm_between(r, gap / 2, gap + 3);
        gap = gap > 40 ? 40 : gap;
        ms += vlink_rng_chance(r, 5000) ? swarm_between(r, 50, 500) : gap;
        t->ms[i] = (uint32_t)ms;
    }
    t->ms[t->n - 1] += t->ms[t->n - 1] == 0;
    w->n_traces++;
    if (vlink_trace_mean_bps(t) / 2 < w->slowest_bps)
        w->slowest_bps = vlink_trace_mean_bps(t) / 2;
    return t;
}

static void draw_losses(struct draw *d, struct vlink_config *c)
{
    if (hits(d, SWARM_LOSS, 500000))
        c->loss_ppm = (uint32_t)swarm_log_between(&d->rng[SWARM_LOSS], 1000, 200000);
    if (hits(d, SWARM_BURST, 400000)) {
        struct vlink_rng *r = &d->rng[SWARM_BURST];

        c->ge = true;
        c->ge_p_ppm = (uint32_t)swarm_log_between(r, 1000, 50000);
        c->ge_r_ppm = (uint32_t)swarm_log_between(r, 100000, 500000);
        c->ge_bad_ppm = (uint32_t)swarm_between(r, 300000, 900000);
    }
    if (hits(d, SWARM_REORDER, 500000)) {
        c->reorder_ppm = (uint32_t)swarm_log_between(&d->rng[SWARM_REORDER], 1000, 200000);
        c->reorder_ns = swarm_log_between(&d->rng[SWARM_REORDER], 1, 80) * NS_PER_MS;
    }
    if (hits(d, SWARM_DUPLICATE, 500000))
        c->duplicate_ppm = (uint32_t)swarm_log_between(&d->rng[SWARM_DUPLICATE], 1000, 300000);
}

static struct vlink_config draw_way(struct draw *d)
{
    struct vlink_rng *r = &d->rng[REST];
    struct vlink_config c = {
        .rate_bps = swarm_log_between(r, 500000, 20000000),
        .delay_ns = swarm_log_between(r, 1, vlink_rng_chance(r, 100000) ? 300 : 80) * NS_PER_MS,
        .queue_ns = 150 * NS_PER_MS,
        .overhead_bytes = VLINK_OVERHEAD_BYTES,
    };

    if (hits(d, SWARM_QUEUE, 500000))
        c.queue_ns = swarm_log_between(&d->rng[SWARM_QUEUE], 10, 1000) * NS_PER_MS;
    /* at least three datagrams: less is no queue, and starves whoever speaks seldom */
    const uint64_t least = UINT64_C(3) * 1500 * 8 * 1000000000 / (c.rate_bps / 4);
    c.queue_ns = c.queue_ns > least ? c.queue_ns : least;
    if (hits(d, SWARM_JITTER, 500000))
        c.jitter_ns = vlink_rng_below(&d->rng[SWARM_JITTER], c.delay_ns + 1);
    if (hits(d, SWARM_TRACE, 300000))
        c.trace = draw_trace(d);
    draw_losses(d, &c);
    if (c.rate_bps < d->w->slowest_bps)
        d->w->slowest_bps = c.rate_bps;
    return c;
}

static void link_events(struct draw *d, struct sim_node *n, bool traced)
{
    tvl_time len;

    for (unsigned i = 0; i < (swarm_has(d->w, SWARM_LONG) ? 12 : 3); i++) { /* dies and returns */
        const bool hit = hits(d, SWARM_DOWN, 250000);
        const tvl_time at = moment(d, SWARM_DOWN, 4 * SECOND, &len);
        const unsigned which = ways(d, SWARM_DOWN);

        if (!hit)
            continue;
        event(d, at, SWARM_EV_LINK_DOWN, n, which, 0);
        event(d, at + len, SWARM_EV_LINK_UP, n, which, 0);
        d->w->outage += len;
    }
    for (unsigned i = 0; i < 2; i++) {
        const bool hit = hits(d, SWARM_RATE, 300000);
        const tvl_time at = moment(d, SWARM_RATE, 4 * SECOND, &len);
        const uint64_t now = vlink_dir_config(sim_link_way(n, 0))->rate_bps;
        const uint64_t bps = swarm_log_between(&d->rng[SWARM_RATE], now / 4, 30000000);

        if (!hit || traced)
            continue;
        event(d, at, SWARM_EV_LINK_RATE, n, 0, bps);
        if (bps < d->w->slowest_bps)
            d->w->slowest_bps = bps;
    }
}

static struct sim_node *draw_link(struct draw *d)
{
    const struct vlink_config up = draw_way(d), down = draw_way(d);
    const uint32_t mark =
        hits(d, SWARM_MARK, 500000) ? (uint32_t)swarm_between(&d->rng[SWARM_MARK], 1500, 30000) : 0;
    struct sim_node *n = sim_link_new(&d->w->g, &up, &down, mark, d->next_seed++);

    link_events(d, n, up.trace || down.trace);
    return n;
}

/* ---- boxes ---- */

static struct sim_node *draw_mtu(struct draw *d)
{
    struct vlink_rng *r = &d->rng[SWARM_MTU];
    const size_t bytes = (size_t)swarm_between(r, 1200, 1472);
    const uint64_t how = vlink_rng_below(r, 3);
    tvl_time len;
    const tvl_time at = moment(d, SWARM_MTU, 5 * SECOND, &len);

    if (!hits(d, SWARM_MTU, 400000))
        return NULL;
    struct sim_node *n = sim_mtu_new(&d->w->g, how == 0 ? bytes : 1472);
    if (how > 0) /* a black hole opens, and may close */
        event(d, at, SWARM_EV_MTU, n, 0, bytes);
    if (how > 1)
        event(d, at + len, SWARM_EV_MTU, n, 0, 1472);
    return n;
}

static struct sim_node *draw_gate(struct draw *d)
{
    tvl_time len;
    const tvl_time at = moment(d, SWARM_PARTITION, 4 * SECOND, &len);
    const unsigned which = ways(d, SWARM_PARTITION);

    if (!hits(d, SWARM_PARTITION, 300000))
        return NULL;
    struct sim_node *n = sim_gate_new(&d->w->g);
    event(d, at, SWARM_EV_GATE, n, which, 0);
    event(d, at + len, SWARM_EV_GATE, n, 0, 0);
    d->w->outage += len;
    return n;
}

static struct sim_node *draw_nat(struct draw *d, unsigned net)
{
    struct vlink_rng *r = &d->rng[SWARM_NAT];
    const uint64_t times = vlink_rng_below(r, 3);
    const tvl_time forget = vlink_rng_chance(r, 300000) ? swarm_between(r, 200, 5000) * MS : 0;
    tvl_time len;

    if (!hits(d, SWARM_NAT, 500000) || net == 0) /* no NAT before the server */
        return NULL;
    struct sim_node *n = sim_nat_new(&d->w->g, net, forget);
    for (uint64_t i = 0; i < times; i++)
        event(d, moment(d, SWARM_NAT, SECOND, &len), SWARM_EV_REBIND, n, 0, 0);
    return n;
}

static struct sim_node *draw_shuffler(struct draw *d)
{
    struct vlink_rng *r = &d->rng[SWARM_SHUFFLE];
    const uint32_t hold = (uint32_t)swarm_log_between(r, 1000, 500000);
    const tvl_time most = swarm_log_between(r, 1, 100) * MS;
    const uint32_t again =
        vlink_rng_chance(r, 500000) ? (uint32_t)swarm_log_between(r, 100, 50000) : 0;

    if (!hits(d, SWARM_SHUFFLE, 300000))
        return NULL;
    return sim_shuffler_new(&d->w->g, hold, most, again, d->next_seed++);
}

static size_t draw_boxes(struct draw *d, struct sim_node **box, unsigned nat_net)
{
    struct sim_graph *g = &d->w->g;
    size_t n = 0;

    if (hits(d, SWARM_CORRUPT, 400000))
        box[n++] = sim_corrupter_new(
            g, (uint32_t)swarm_log_between(&d->rng[SWARM_CORRUPT], 100, 100000), d->next_seed++);
    if (hits(d, SWARM_BLEACH, 300000))
        box[n++] = sim_bleacher_new(
            g, (enum sim_bleach)vlink_rng_below(&d->rng[SWARM_BLEACH], SIM_BLEACHES));
    if (hits(d, SWARM_SPOOF, 300000))
        box[n++] = sim_spoofer_new(g, NET_NOWHERE,
                                   (uint32_t)swarm_log_between(&d->rng[SWARM_SPOOF], 100, 20000),
                                   d->next_seed++);
    n += (box[n] = draw_nat(d, nat_net)) != NULL;
    n += (box[n] = draw_mtu(d)) != NULL;
    n += (box[n] = draw_gate(d)) != NULL;
    n += (box[n] = draw_shuffler(d)) != NULL;
    for (size_t i = n; i > 1; i--) { /* in any order */
        const size_t k = (size_t)vlink_rng_below(&d->rng[REST], i);
        struct sim_node *t = box[i - 1];

        box[i - 1] = box[k];
        box[k] = t;
    }
    return n;
}

/* near ─ boxes ─ [link] ─ far; the last edge made is the one at `far`. */
static void draw_chain(struct draw *d, struct sim_node *near, struct sim_node *far,
                       unsigned nat_net, bool with_link)
{
    struct sim_node *box[CHAIN_MAX + 1];
    size_t n = draw_boxes(d, box, nat_net);

    if (with_link) { /* anywhere among them */
        const size_t k = (size_t)vlink_rng_below(&d->rng[REST], n + 1);

        memmove(&box[k + 1], &box[k], (n - k) * sizeof box[0]);
        box[k] = draw_link(d);
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        sim_join(near, box[i]);
        near = box[i];
    }
    sim_join(near, far);
}

/* ---- hosts ---- */

/* Where the server would rather be talked to; its ports are drawn later. */
static void draw_preferred(struct draw *d, struct tvl_config *cfg, unsigned port)
{
    const struct sockaddr_storage v4 = sim_address(SIM_IPV4, NET_SERVER + port, 1, 4433);
    const struct sockaddr_storage v6 = sim_address(SIM_IPV6, NET_SERVER + port, 1, 4433);

    if (!hits(d, SWARM_MIGRATE, 300000))
        return;
    memcpy(&cfg->preferred_ipv4, &v4, sizeof cfg->preferred_ipv4);
    memcpy(&cfg->preferred_ipv6, &v6, sizeof cfg->preferred_ipv6);
}

static struct sim_host *draw_host(struct draw *d, bool server, unsigned ports)
{
    struct swarm *w = d->w;
    struct tvl_tls_config tc = { .server = server };
    struct tvl_config cfg;
    struct tvl_tls *tls = NULL;
    char why[128] = "";
    const bool before = sim_memory_count(true);

    swarm_draw_config(w, d->rng, &cfg, &tc, server);
    if (tvl_tls_new(&tls, &tc, why, sizeof why) != 0)
        sim_fail(&w->g, "%s", why);
    (void)sim_memory_count(before);
    cfg.tls = tls;
    cfg.seed[0] = w->seed;
    cfg.seed[1] = w->n_hosts + 1;
    cfg.secret[0] = 1; /* the same after a restart */
    if (server)
        draw_preferred(d, &cfg, ports - 1);
    const uint64_t far = vlink_rng_below(&d->rng[REST], UINT64_C(1) << 42);
    const int64_t offset = vlink_rng_below(&d->rng[REST], 2) ? (int64_t)far : 0;
    struct sim_host *h = sim_host_new(&w->g, tls, &cfg, server, offset);
    if (vlink_rng_below(&d->rng[REST], 2))
        sim_host_use_batches(h);
    w->host[w->n_hosts++] = h;
    return h;
}

static void host_events(struct draw *d, struct sim_host *h)
{
    struct vlink_rng *r = &d->rng[SWARM_SLEEP];
    tvl_time len;

    for (unsigned i = 0; i < 2; i++) {
        const bool hit = hits(d, SWARM_SLEEP, 250000);
        const tvl_time at = moment(d, SWARM_SLEEP, 3 * SECOND, &len);
        const bool stands_still = vlink_rng_below(r, 2); /* a clock that does not run meanwhile */

        if (!hit)
            continue;
        event(d, at, SWARM_EV_SLEEP, &h->node, 0, 0);
        event(d, at + len, SWARM_EV_WAKE, &h->node, 0, stands_still);
        d->w->outage += len;
    }
    for (unsigned i = 0; i < 2; i++) {
        const bool hit = hits(d, SWARM_CLOCK, 300000);
        const tvl_time at = moment(d, SWARM_CLOCK, 8 * SECOND, &len);

        if (!hit)
            continue;
        event(d, at, SWARM_EV_CLOCK, &h->node, 0, len);
        d->w->outage += len;
    }
    for (unsigned port = 0; port < h->node.n_ports && !h->server; port++) {
        const bool hit = hits(d, SWARM_ADDRESS, 400000);
        const tvl_time at = moment(d, SWARM_ADDRESS, SECOND, &len);

        if (hit)
            event(d, at, SWARM_EV_ADDRESS, &h->node, port, 2 + vlink_rng_below(r, 200));
    }
}

static void server_events(struct draw *d, struct sim_host *h)
{
    tvl_time len;
    bool hit = hits(d, SWARM_RESTART, 250000);
    tvl_time at = moment(d, SWARM_RESTART, SECOND, &len);

    if (hit)
        event(d, at, SWARM_EV_RESTART, &h->node, 0, 0);
    hit = hits(d, SWARM_ADMISSION, 400000);
    at = moment(d, SWARM_ADMISSION, 2 * SECOND, &len);
    if (hit) {
        event(d, at, SWARM_EV_REFUSE, &h->node, 0, true);
        event(d, at + len, SWARM_EV_REFUSE, &h->node, 0, false);
    }
}

static void give_addresses(struct sim_host *h, unsigned port, unsigned net, uint16_t udp_port)
{
    h->address[port][SIM_IPV4] = sim_address(SIM_IPV4, net, 1, udp_port);
    h->address[port][SIM_IPV6] = sim_address(SIM_IPV6, net, 1, udp_port);
}

static void draw_server(struct draw *d, struct sim_node *core)
{
    const unsigned ports = 1 + (unsigned)vlink_rng_below(&d->rng[REST], 2);
    struct sim_host *h = draw_host(d, true, ports);

    for (unsigned i = 0; i < ports; i++) {
        draw_chain(d, core, &h->node, 0, false);
        /* the route is for the port the chain begins with, which was joined before the host's */
        sim_router_route(core, NET_SERVER + i);
        give_addresses(h, i, NET_SERVER + i, 4433);
    }
    host_events(d, h);
    server_events(d, h);
}

static void draw_client(struct draw *d, unsigned number, struct sim_node *core,
                        struct sim_node *access)
{
    const unsigned ports = 1 + (unsigned)vlink_rng_below(&d->rng[REST], 4);
    struct sim_host *h = draw_host(d, false, ports);

    for (unsigned i = 0; i < ports; i++) {
        const unsigned net = NET_CLIENT + 8 * number + i;
        struct sim_node *to = access && vlink_rng_below(&d->rng[REST], 2) ? access : core;

        draw_chain(d, &h->node, to, NET_NAT + net, true);
        sim_router_route(to, net);
        sim_router_route(to, NET_NAT + net);
        give_addresses(h, i, net, 5000);
    }
    host_events(d, h);
}

static void draw_apps(struct draw *d)
{
    struct swarm *w = d->w;
    const struct sim_host *server = w->host[0];

    for (unsigned i = 1; i < w->n_hosts && w->n_apps < SWARM_APPS_MAX; i++)
        for (uint64_t n = 1 + vlink_rng_below(&d->rng[REST], 2);
             n > 0 && w->n_apps < SWARM_APPS_MAX; n--) {
            struct app *a = &w->app[w->n_apps];

            a->number = w->n_apps++;
            app_init(a, &w->g, w->host[i], w->host[0]);
            for (unsigned p = 0; p < server->node.n_ports; p++)
                for (int f = 0; f < 2; f++)
                    a->server[a->n_server++] = server->address[p][f];
            swarm_draw_app(w, d->rng, a);
        }
}

/* A fault that was added later takes a number of its own, and the other worlds stay as they were.
 */
static unsigned dice_of(unsigned f)
{
    return f == SWARM_FLOWS ? 200 : f == SWARM_FAULTS ? 100 + SWARM_FLOWS : 100 + f;
}

static void draw_faults(struct draw *d)
{
    struct swarm *w = d->w;

    for (unsigned f = 0; f <= SWARM_FAULTS; f++) {
        vlink_rng_init(&d->rng[f], w->seed, dice_of(f));
        if (f < SWARM_FAULTS && vlink_rng_chance(&d->rng[f], f == SWARM_LONG ? LONG_PPM : 500000) &&
            !(w->without >> f & 1))
            w->drawn |= SWARM_BIT(f);
    }
}

void swarm_draw(struct swarm *w)
{
    struct draw *d = calloc(1, sizeof *d);

    if (!d)
        abort();
    d->w = w;
    d->next_seed = w->seed * 256;
    w->slowest_bps = UINT64_MAX;
    w->idle_min = UINT64_MAX;
    draw_faults(d);
    w->calm_at = w->began + swarm_log_between(&d->rng[REST], 1500, 12000) * MS;
    const tvl_time longer = swarm_log_between(&d->rng[SWARM_LONG], 30, 180) * SECOND;
    if (swarm_has(w, SWARM_LONG))
        w->calm_at += longer;
    struct sim_node *core = sim_router_new(&w->g), *access = NULL;
    draw_server(d, core);
    const uint64_t clients = 1 + vlink_rng_below(&d->rng[REST], 3);
    if (vlink_rng_chance(&d->rng[REST], 400000)) { /* some share a bottleneck */
        access = sim_router_new(&w->g);
        draw_chain(d, access, core, 0, true);
        sim_router_default(access);
        for (unsigned net = NET_CLIENT; net < NET_SERVER; net++)
            sim_router_route(core, net);
    }
    for (unsigned i = 0; i < clients; i++)
        draw_client(d, i, core, access);
    w->closer = (enum app_who)vlink_rng_below(&d->rng[REST], 2);
    draw_apps(d);
    free(d);
}
