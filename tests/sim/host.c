/* host.c - the joint between a tvl_endpoint and the graph. Contract in host.h. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

tvl_time sim_host_now(const struct sim_host *h)
{
    return (tvl_time)((int64_t)h->node.graph->now + h->offset);
}

static tvl_time graph_time(const struct sim_host *h, tvl_time t)
{
    const int64_t at = (int64_t)t - h->offset;

    return at > 0 ? (tvl_time)at : 0;
}

tvl_time sim_host_due(const struct sim_host *h)
{
    if (h->asleep || !h->ep)
        return SIM_NEVER;
    const tvl_time t = tvl_endpoint_next_tick(h->ep);

    return t == TVL_TIME_NEVER ? SIM_NEVER : graph_time(h, t);
}

/* ---- in ---- */

static enum sim_family family_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET ? SIM_IPV4 : SIM_IPV6;
}

void sim_host_flush(struct sim_host *h)
{
    const bool before = sim_memory_count(true);

    if (h->batch.len > 0 && h->ep)
        (void)tvl_endpoint_recv_batch(h->ep, &h->batch, h->batch_bytes, sim_host_now(h));
    h->batch.len = 0;
    (void)sim_memory_count(before);
}

/* As GRO puts them together: same ends, same marks, equal sizes but for the last. */
static void gather(struct sim_host *h, const struct tvl_datagram *d, const uint8_t *bytes)
{
    struct tvl_datagram *b = &h->batch;
    const bool fits = b->len > 0 && sim_same_address(&b->local, &d->local) &&
                      sim_same_address(&b->remote, &d->remote) && b->ecn == d->ecn &&
                      b->tag == d->tag && h->batch_last == b->segment && d->len <= b->segment &&
                      b->len + d->len <= SIM_BATCH_BYTES;

    if (!fits) {
        sim_host_flush(h);
        *b = *d;
        b->segment = d->len;
        b->len = 0;
    }
    memcpy(h->batch_bytes + b->len, bytes, d->len);
    b->len += d->len;
    h->batch_last = d->len;
}

static void take(struct sim_host *h, unsigned port, struct sim_packet *p)
{
    struct tvl_datagram d = {
        .local = p->to, .remote = p->from, .ecn = p->ecn, .len = p->len, .tag = port
    };

    sim_note(h->node.graph, "recv", h->node.id, sim_address_key(&p->from), p->len);
    if (h->watch.received)
        h->watch.received(h->watch.user, h, &d);
    const bool before = sim_memory_count(true);
    if (h->batched)
        gather(h, &d, p->bytes);
    else
        (void)tvl_endpoint_recv(h->ep, &d, p->bytes, sim_host_now(h));
    (void)sim_memory_count(before);
    sim_packet_free(h->node.graph, p);
}

static void host_forward(struct sim_node *n, unsigned port, struct sim_packet *p)
{
    struct sim_host *h = (struct sim_host *)n;

    if (!h->ep || !sim_same_host(&h->address[port][family_of(&p->to)], &p->to)) {
        sim_packet_drop(n, p, "nobody");
        return;
    }
    if (!h->asleep)
        take(h, port, p);
    else if (h->n_inbox == SIM_INBOX_MAX)
        sim_packet_drop(n, p, "inbox");
    else {
        p->hops = port; /* it has arrived: the field is free */
        h->inbox[h->n_inbox++] = p;
    }
}

/* ---- out ---- */

static void leave(struct sim_host *h, const struct tvl_datagram *d, const uint8_t *bytes,
                  size_t len)
{
    struct sim_graph *g = h->node.graph;
    const unsigned port = (unsigned)d->tag;
    struct sim_packet *p = sim_packet_new(g);

    if (!p)
        return;
    if (port >= h->node.n_ports || d->remote.ss_family == AF_UNSPEC) {
        sim_fail(g, "host %u sends to nowhere: tag %u", h->node.id, port);
        sim_packet_free(g, p);
        return;
    }
    p->from = d->local;
    /* what the kernel does: a source address the interface does not have becomes the one it has */
    const struct sockaddr_storage *own = &h->address[port][family_of(&d->remote)];
    if (!sim_same_host(own, &d->local)) {
        const uint16_t src = d->local.ss_family == AF_UNSPEC ? sim_port(own) : sim_port(&d->local);

        p->from = *own;
        sim_set_port(&p->from, src);
    }
    p->to = d->remote;
    p->ecn = d->ecn;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    h->datagrams++;
    sim_note(g, "send", h->node.id, sim_address_key(&p->to), len);
    if (h->watch.sent) {
        struct tvl_datagram one = *d;

        one.len = len;
        h->watch.sent(h->watch.user, h, &one);
    }
    const tvl_time now = sim_host_now(h);
    if (d->release_at > now + SIM_AHEAD_MAX)
        sim_fail(g, "host %u: a datagram shall leave in %llu us", h->node.id,
                 (unsigned long long)(d->release_at - now));
    if (d->release_at > now && h->n_outbox < SIM_OUTBOX_MAX)
        h->outbox[h->n_outbox++] = (struct sim_outgoing){ p, port, graph_time(h, d->release_at) };
    else
        sim_send(&h->node, port, p);
}

static void leave_all(struct sim_host *h, const struct tvl_datagram *d, const uint8_t *bytes)
{
    struct sim_graph *g = h->node.graph;
    const size_t segment = h->batched ? d->segment : d->len;

    if (d->len == 0 || d->len > SIM_BATCH_BYTES || segment == 0 || segment > TVL_DATAGRAM_MAX) {
        sim_fail(g, "host %u sends %zu bytes as datagrams of %zu", h->node.id, d->len, segment);
        return;
    }
    for (size_t at = 0; at < d->len && !g->why[0]; at += segment)
        leave(h, d, bytes + at, d->len - at < segment ? d->len - at : segment);
}

static int ask(struct sim_host *h, struct tvl_datagram *d, uint8_t *bytes)
{
    memset(d, 0, sizeof *d);
    return h->batched ? tvl_endpoint_send_batch(h->ep, d, bytes, SIM_BATCH_BYTES, sim_host_now(h))
                      : tvl_endpoint_send(h->ep, d, bytes, sim_host_now(h));
}

bool sim_host_drive(struct sim_host *h)
{
    uint8_t one[TVL_DATAGRAM_MAX];
    uint8_t *bytes = h->batched ? h->batch_bytes : one;
    struct tvl_datagram d;
    bool any = false;

    if (h->asleep || !h->ep)
        return false;
    sim_host_flush(h);
    const bool before = sim_memory_count(true);
    if (sim_host_due(h) <= h->node.graph->now) {
        h->ticks++;
        tvl_endpoint_tick(h->ep, sim_host_now(h));
    }
    while (ask(h, &d, bytes) > 0) {
        (void)sim_memory_count(false);
        leave_all(h, &d, bytes);
        (void)sim_memory_count(true);
        any = true;
        if (h->node.graph->why[0])
            break;
    }
    (void)sim_memory_count(before);
    return any;
}

static tvl_time host_next_time(const struct sim_node *n)
{
    const struct sim_host *h = (const struct sim_host *)n;
    tvl_time next = SIM_NEVER;

    for (size_t i = 0; i < h->n_outbox; i++)
        next = h->outbox[i].at < next ? h->outbox[i].at : next;
    return next;
}

static void host_run(struct sim_node *n)
{
    struct sim_host *h = (struct sim_host *)n;

    for (size_t i = 0; i < h->n_outbox;) {
        const struct sim_outgoing o = h->outbox[i];

        if (o.at > n->graph->now) {
            i++;
            continue;
        }
        h->n_outbox--;
        memmove(&h->outbox[i], &h->outbox[i + 1], (h->n_outbox - i) * sizeof h->outbox[0]);
        sim_send(n, o.port, o.p);
    }
}

/* ---- life ---- */

void sim_host_sleep(struct sim_host *h)
{
    if (h->asleep)
        return;
    h->asleep = true;
    h->asleep_since = h->node.graph->now;
    sim_note(h->node.graph, "sleep", h->node.id, 0, 0);
}

void sim_host_wake(struct sim_host *h, bool clock_stood)
{
    if (!h->asleep)
        return;
    h->asleep = false;
    if (clock_stood)
        h->offset -= (int64_t)(h->node.graph->now - h->asleep_since);
    sim_note(h->node.graph, "wake", h->node.id, h->n_inbox, 0);
    for (size_t i = 0; i < h->n_inbox; i++)
        take(h, h->inbox[i]->hops, h->inbox[i]);
    h->n_inbox = 0;
}

void sim_host_readdress(struct sim_host *h, unsigned port, uint16_t host)
{
    for (int f = 0; f < 2; f++) {
        struct sockaddr_storage *a = &h->address[port][f];

        if (a->ss_family != AF_UNSPEC)
            *a = sim_address((enum sim_family)f, sim_net(a), host, sim_port(a));
    }
    sim_note(h->node.graph, "readdress", h->node.id, port, host);
}

static void host_calm(struct sim_node *n)
{
    sim_host_wake((struct sim_host *)n, false);
}

static void host_fini(struct sim_node *n)
{
    struct sim_host *h = (struct sim_host *)n;

    sim_host_end(h);
    free(h->batch_bytes);
    for (size_t i = 0; i < h->n_inbox; i++)
        sim_packet_free(n->graph, h->inbox[i]);
    for (size_t i = 0; i < h->n_outbox; i++)
        sim_packet_free(n->graph, h->outbox[i].p);
}

static const struct sim_node_ops host_ops = {
    .kind = "host",
    .forward = host_forward,
    .next_time = host_next_time,
    .run = host_run,
    .calm = host_calm,
    .fini = host_fini,
};

void sim_host_restart(struct sim_host *h)
{
    const bool before = sim_memory_count(true);

    sim_host_flush(h);
    tvl_endpoint_free(h->ep);
    h->ep = NULL;
    h->cfg.seed[2]++;
    if (tvl_endpoint_new(&h->ep, &h->cfg) != 0)
        sim_fail(h->node.graph, "no endpoint after a restart");
    (void)sim_memory_count(before);
    sim_note(h->node.graph, "restart", h->node.id, 0, 0);
}

void sim_host_use_batches(struct sim_host *h)
{
    h->batched = true;
    h->batch_bytes = malloc(SIM_BATCH_BYTES);
    if (!h->batch_bytes)
        abort();
}

struct sim_host *sim_host_new(struct sim_graph *g, struct tvl_tls *tls,
                              const struct tvl_config *cfg, bool server, int64_t offset)
{
    struct sim_host *h = sim_node_new(g, sizeof *h, &host_ops);
    const bool before = sim_memory_count(true);
    const int r = tvl_endpoint_new(&h->ep, cfg);

    (void)sim_memory_count(before);
    h->tls = tls;
    h->cfg = *cfg;
    h->server = server;
    h->offset = offset;
    if (r != 0) {
        h->ep = NULL;
        sim_fail(g, "endpoint: %s", tvl_strerror(r));
    }
    return h;
}

void sim_host_end(struct sim_host *h)
{
    const bool before = sim_memory_count(true);

    tvl_endpoint_free(h->ep);
    tvl_tls_free(h->tls);
    h->ep = NULL;
    h->tls = NULL;
    (void)sim_memory_count(before);
}
