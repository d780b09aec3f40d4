/* pair.c - two endpoints joined in memory. Contract in pair.h. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

static const char *const alpn[] = { "test", NULL };

struct place { /* 10.NET.LINK.HOST, or fd00::NET:LINK:HOST */
    bool ipv6;
    uint8_t net, link, host;
    uint16_t port;
};

static struct sockaddr_storage address(struct place at)
{
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof ss);
    if (at.ipv6) {
        struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(at.port) };

        sin6.sin6_addr.s6_addr[0] = 0xfd;
        sin6.sin6_addr.s6_addr[11] = at.net;
        sin6.sin6_addr.s6_addr[13] = at.link;
        sin6.sin6_addr.s6_addr[15] = at.host;
        memcpy(&ss, &sin6, sizeof sin6);
    } else {
        const struct sockaddr_in sin = {
            .sin_family = AF_INET,
            .sin_port = htons(at.port),
            .sin_addr.s_addr =
                htonl(10u << 24 | (uint32_t)at.net << 16 | (uint32_t)at.link << 8 | at.host),
        };
        memcpy(&ss, &sin, sizeof sin);
    }
    return ss;
}

static struct place place_of(const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *x = (const void *)ss;
        const uint8_t *b = x->sin6_addr.s6_addr;

        return (struct place){ true, b[11], b[13], b[15], ntohs(x->sin6_port) };
    }
    const struct sockaddr_in *x = (const void *)ss;
    const uint32_t a = ntohl(x->sin_addr.s_addr);

    return (struct place){ false, (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a,
                           ntohs(x->sin_port) };
}

static void make_endpoint(struct pair *p, int side, const struct pair_options *o)
{
    const struct test_pki *pki = &p->pki;
    struct tvl_tls_config tc = { .alpn = alpn, .server = side == PAIR_SERVER };
    struct tvl_config cfg;
    char why[256] = "";

    if (side == PAIR_SERVER) {
        tc.cert_file = pki->server;
        tc.key_file = pki->server_key;
    } else {
        tc.ca_file = o->ca_file ? o->ca_file : pki->ca;
        if (o->client_alpn)
            tc.alpn = o->client_alpn;
    }
    tvl_config_init(&cfg);
    cfg.seed[0] = 7 + (uint64_t)side;
    cfg.keepalive = o->keepalive;
    if (o->max_path_id)
        cfg.max_path_id = o->max_path_id;
    if (o->adjust)
        o->adjust(p, side, &tc, &cfg);
    if (tvl_tls_new(&p->tls[side], &tc, why, sizeof why) != 0)
        fail_msg("tls: %s", why);
    cfg.tls = p->tls[side];
    assert_int_equal(tvl_endpoint_new(&p->ep[side], &cfg), 0);
}

void pair_init(struct pair *p, const struct pair_options *o)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519, .extra_names = o->extra_names };

    memset(p, 0, sizeof *p);
    p->now = 1000000;
    p->ipv6 = o->ipv6;
    p->queue = calloc(PAIR_QUEUE, sizeof *p->queue);
    assert_non_null(p->queue);
    assert_int_equal(test_pki_init(&p->pki, &pc), 0);
    for (unsigned i = 0; i < PAIR_LINKS; i++)
        p->link[i].delay = 10000 * (i + 1);
    p->batch = o->batch ? o->batch : TVL_DATAGRAM_MAX;
    make_endpoint(p, PAIR_CLIENT, o);
    make_endpoint(p, PAIR_SERVER, o);
}

struct tvl_path_config pair_path(const struct pair *p, unsigned link)
{
    return (struct tvl_path_config){
        .local = address((struct place){ p->ipv6, 0, (uint8_t)link, 1, 5000 }),
        .remote = address((struct place){ p->ipv6, 9, 9, 9, 4433 }),
        .tag = link,
    };
}

void pair_connect(struct pair *p, const struct pair_options *o)
{
    const struct tvl_path_config path = pair_path(p, 0);

    assert_int_equal(tvl_connect(p->ep[PAIR_CLIENT], &path,
                                 o->server_name ? o->server_name : "localhost",
                                 &p->conn[PAIR_CLIENT], p->now),
                     0);
}

int pair_path_add(struct pair *p, unsigned link)
{
    const struct tvl_path_config path = pair_path(p, link);

    return tvl_path_add(p->conn[PAIR_CLIENT], &path, p->now);
}

static unsigned link_of(int from, const struct tvl_datagram *d)
{
    const struct sockaddr_storage *client = from == PAIR_CLIENT ? &d->local : &d->remote;

    return place_of(client).link;
}

/* What the NAT of the link makes of a client's datagram, or of one for it; false: it drops it. */
static bool translate(const struct pair_link *l, struct tvl_datagram *d, int to)
{
    struct place inside = place_of(to == PAIR_CLIENT ? &d->local : &d->remote);
    struct place outside = inside;

    outside.host = l->nat.host ? l->nat.host : 1;
    outside.port = l->nat.port ? l->nat.port : 5000;
    if (to == PAIR_SERVER) {
        d->remote = address(outside);
        return true;
    }
    if (inside.host != outside.host || inside.port != outside.port)
        return false;
    inside.host = 1;
    inside.port = 5000;
    d->local = address(inside);
    return true;
}

static void carry(struct pair *p, int from, const struct tvl_datagram *d, const uint8_t *bytes)
{
    const int to = 1 - from;
    const unsigned n = link_of(from, d);
    struct pair_link *l = &p->link[n];
    struct pair_datagram *q;

    p->sent[from][n]++;
    if (p->on_datagram)
        p->on_datagram(p, from, n, d, bytes);
    if (l->cut[to] || (l->drop_nth && ++l->count % l->drop_nth == 0) ||
        (l->mtu && d->len > l->mtu) || p->n_queue == PAIR_QUEUE)
        return;
    if (d->ecn && l->drops_ecn)
        return;
    q = &p->queue[p->n_queue];
    q->at = p->now + l->delay;
    q->to = to;
    q->dgram = *d;
    q->dgram.local = d->remote;
    q->dgram.remote = d->local;
    q->dgram.tag = to == PAIR_CLIENT ? n : 0;
    if (l->clears_ecn)
        q->dgram.ecn = 0;
    else if (d->ecn && l->ce_nth && ++l->marked % l->ce_nth == 0)
        q->dgram.ecn = 3;
    memcpy(q->bytes, bytes, d->len);
    p->n_queue += translate(l, &q->dgram, to);
}

/* Send once; what came out is cut at the segments as the kernel would. false: nothing leaves now.
 */
static bool send_some(struct pair *p, int side)
{
    static uint8_t bytes[65536];
    struct tvl_datagram d;
    const int n = tvl_endpoint_send_batch(p->ep[side], &d, bytes, p->batch, p->now);
    size_t len = d.len;

    if (n == 0)
        return false;
    assert_in_range(n, 1, 64);
    assert_in_range(d.len, (size_t)(n - 1) * d.segment + 1, (size_t)n * d.segment);
    assert_true(d.len <= p->batch);
    for (size_t at = 0; at < len; at += d.segment) {
        d.len = len - at < d.segment ? len - at : d.segment;
        carry(p, side, &d, bytes + at);
    }
    p->largest_batch = n > p->largest_batch ? n : p->largest_batch;
    return true;
}

static void note(struct pair *p, int side, const struct tvl_event *ev)
{
    p->seen[side][ev->type]++;
    if (ev->type == TVL_EVENT_ACCEPTED)
        p->conn[side] = ev->conn;
    if (ev->type == TVL_EVENT_PATH)
        p->last_path[side] = *ev;
    if (ev->type == TVL_EVENT_CLOSED) {
        p->closed[side] = *ev;
        p->conn[side] = NULL;
    }
    if (p->on_event)
        p->on_event(p, side, ev);
}

static void settle(struct pair *p)
{
    bool any = true;

    for (unsigned round = 0; any && round < 100000; round++) {
        any = false;
        for (int side = 0; side < 2; side++) {
            struct tvl_event ev;

            while (tvl_endpoint_poll(p->ep[side], &ev) == 1) {
                note(p, side, &ev);
                any = true;
            }
            while (send_some(p, side))
                any = true;
        }
    }
    assert_false(any); /* both endpoints come to rest */
}

/* The datagram that arrives first; equal times in the order of sending. */
static size_t earliest(const struct pair *p)
{
    size_t best = 0;

    for (size_t i = 1; i < p->n_queue; i++)
        if (p->queue[i].at < p->queue[best].at)
            best = i;
    return best;
}

static struct pair_datagram take_off(struct pair *p, size_t i)
{
    const struct pair_datagram q = p->queue[i];

    memmove(&p->queue[i], &p->queue[i + 1], (--p->n_queue - i) * sizeof *p->queue);
    return q;
}

/* The datagram at `i`, with those behind it that the kernel would join to it. */
static void arrive(struct pair *p, size_t i)
{
    static uint8_t bytes[65536];
    const struct pair_datagram first = take_off(p, i);
    struct tvl_datagram d = first.dgram;
    size_t last = d.len;

    memcpy(bytes, first.bytes, first.dgram.len);
    d.segment = first.dgram.len;
    while (p->batch > TVL_DATAGRAM_MAX && i < p->n_queue && last == d.segment &&
           p->queue[i].at == first.at && p->queue[i].to == first.to &&
           p->queue[i].dgram.tag == d.tag && p->queue[i].dgram.len <= d.segment &&
           d.len + d.segment <= p->batch) {
        const struct pair_datagram q = take_off(p, i);

        memcpy(bytes + d.len, q.bytes, q.dgram.len);
        last = q.dgram.len;
        d.len += last;
    }
    (void)tvl_endpoint_recv_batch(p->ep[first.to], &d, bytes, p->now);
}

static void step(struct pair *p, tvl_time limit)
{
    tvl_time next = limit;
    const size_t i = earliest(p);

    for (int side = 0; side < 2; side++) {
        const tvl_time t = tvl_endpoint_next_tick(p->ep[side]);

        next = t < next ? t : next;
    }
    if (p->n_queue > 0 && p->queue[i].at < next)
        next = p->queue[i].at;
    p->now = next > p->now ? next : p->now + (next < limit); /* a tick that is due moves on */
    if (p->n_queue > 0 && p->queue[i].at <= p->now)
        arrive(p, i);
    for (int side = 0; side < 2; side++)
        tvl_endpoint_tick(p->ep[side], p->now);
    settle(p);
}

void pair_run(struct pair *p, tvl_time duration, bool (*done)(struct pair *p))
{
    const tvl_time limit = p->now + duration;

    settle(p);
    while (p->now < limit && !(done && done(p)))
        step(p, limit);
}

void pair_fini(struct pair *p)
{
    for (int side = 0; side < 2; side++) {
        tvl_endpoint_free(p->ep[side]);
        tvl_tls_free(p->tls[side]);
    }
    test_pki_fini(&p->pki);
    free(p->queue);
}
