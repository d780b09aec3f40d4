/* pair.c - two endpoints joined in memory. Contract in pair.h. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

static const char *const alpn[] = { "test", NULL };

static struct sockaddr_storage address(const char *text, unsigned link, uint16_t port)
{
    struct sockaddr_storage ss;
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

    assert_int_equal(inet_pton(AF_INET, text, &sin.sin_addr), 1);
    sin.sin_addr.s_addr |= htonl(link << 8);
    memset(&ss, 0, sizeof ss);
    memcpy(&ss, &sin, sizeof sin);
    return ss;
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
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };

    memset(p, 0, sizeof *p);
    p->now = 1000000;
    p->queue = calloc(PAIR_QUEUE, sizeof *p->queue);
    assert_non_null(p->queue);
    assert_int_equal(test_pki_init(&p->pki, &pc), 0);
    for (unsigned i = 0; i < PAIR_LINKS; i++)
        p->link[i].delay = 10000 * (i + 1);
    p->batch = o->batch ? o->batch : TVL_DATAGRAM_MAX;
    make_endpoint(p, PAIR_CLIENT, o);
    make_endpoint(p, PAIR_SERVER, o);
}

static struct tvl_path_config path_over(unsigned link)
{
    return (struct tvl_path_config){ .local = address("10.0.0.1", link, 5000),
                                     .remote = address("10.9.9.9", 0, 4433),
                                     .tag = link };
}

void pair_connect(struct pair *p, const struct pair_options *o)
{
    const struct tvl_path_config path = path_over(0);

    assert_int_equal(tvl_connect(p->ep[PAIR_CLIENT], &path,
                                 o->server_name ? o->server_name : "localhost",
                                 &p->conn[PAIR_CLIENT], p->now),
                     0);
}

int pair_path_add(struct pair *p, unsigned link)
{
    const struct tvl_path_config path = path_over(link);

    return tvl_path_add(p->conn[PAIR_CLIENT], &path, p->now);
}

static unsigned link_of(int from, const struct tvl_datagram *d)
{
    const struct sockaddr_storage *client = from == PAIR_CLIENT ? &d->local : &d->remote;

    return (ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 8) & 0xff;
}

static void carry(struct pair *p, int from, const struct tvl_datagram *d, const uint8_t *bytes)
{
    const int to = 1 - from;
    const unsigned n = link_of(from, d);
    struct pair_link *l = &p->link[n];
    struct pair_datagram *q;

    p->sent[from][n]++;
    if (l->cut[to] || (l->drop_nth && ++l->count % l->drop_nth == 0) || p->n_queue == PAIR_QUEUE)
        return;
    q = &p->queue[p->n_queue++];
    q->at = p->now + l->delay;
    q->to = to;
    q->dgram = *d;
    q->dgram.local = d->remote;
    q->dgram.remote = d->local;
    q->dgram.tag = to == PAIR_CLIENT ? n : 0;
    memcpy(q->bytes, bytes, d->len);
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
    if (p->n_queue > 0 && p->queue[i].at <= p->now) {
        struct pair_datagram q = p->queue[i];

        memmove(&p->queue[i], &p->queue[i + 1], (--p->n_queue - i) * sizeof *p->queue);
        (void)tvl_endpoint_recv(p->ep[q.to], &q.dgram, q.bytes, p->now);
    }
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
