/*
 * test_balancer.c - two servers behind a balancer that keeps no state but the addresses of clients
 * it cannot place: it reads the server's ID out of each datagram's connection ID
 * (draft-ietf-quic-load-balancers 4.2).
 *
 *     client 10.0.0.1 ---+                 +--- server A
 *            10.0.1.1 ---+--- balancer ----+
 *            10.0.2.1 ---+                 +--- server B
 *
 * Every connection begins with a Retry, has two paths, and moves one of them to a third address.
 * What cannot be read goes by the sender's address, so without the ID the second path and the moved
 * one would come to the wrong server half of the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include <tvl/tvl.h>

#include "../tls/test_pki.h"

#define SERVERS 2
#define CLIENTS 6
#define QUEUE 1024
#define DELAY 5000     /* us, each way */
#define LIMIT 20000000 /* us */
#define TEXT "one server for all of it"

static const char *const alpn[] = { "test", NULL };

struct parcel {
    tvl_time at;
    int to; /* server, or SERVERS: the client */
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
};

struct client {
    struct tvl_conn *conn;
    unsigned number;
    bool second_up, moved;
    unsigned echoes; /* bytes */
};

struct net {
    struct test_pki pki;
    struct tvl_tls *tls[2];
    struct tvl_endpoint *server[SERVERS], *ep;
    struct tvl_lb_config lb[SERVERS];
    struct parcel *queue;
    size_t n;
    tvl_time now;
    struct client client[CLIENTS];
    uint64_t by_id, by_address; /* how the balancer has decided */
};

static struct sockaddr_storage address(unsigned client, unsigned place)
{
    struct sockaddr_storage ss = { .ss_family = AF_INET };
    struct sockaddr_in *in = (void *)&ss;

    in->sin_addr.s_addr = htonl(0x0a000001u + (client * 3 + place) * 257u);
    in->sin_port = htons((uint16_t)(5000 + client));
    return ss;
}

static struct sockaddr_storage service(void)
{
    struct sockaddr_storage ss = { .ss_family = AF_INET };
    struct sockaddr_in *in = (void *)&ss;

    in->sin_addr.s_addr = htonl(0x0a090909);
    in->sin_port = htons(4433);
    return ss;
}

/* The balancer: where to. Long headers say how long the ID is, short ones do not. */
static int route(struct net *n, const struct tvl_datagram *d, const uint8_t *bytes)
{
    const bool is_long = bytes[0] & 0x80;
    const uint8_t *cid = bytes + (is_long ? 6 : 1);
    const size_t len = is_long ? bytes[5] : d->len - 1;
    const struct sockaddr_in *from = (const void *)&d->remote;
    uint8_t id[TVL_SERVER_ID_MAX];

    if (tvl_lb_decode(&n->lb[0], cid, len, id) > 0)
        for (int i = 0; i < SERVERS; i++)
            if (memcmp(id, n->lb[i].server_id, n->lb[i].server_id_len) == 0) {
                n->by_id++;
                return i;
            }
    n->by_address++;
    return (int)((ntohl(from->sin_addr.s_addr) >> 8) % SERVERS);
}

static void carry(struct net *n, const struct tvl_datagram *d, const uint8_t *bytes, bool to_client)
{
    struct parcel *p;

    assert_true(n->n < QUEUE);
    p = &n->queue[n->n++];
    p->at = n->now + DELAY;
    p->dgram = *d;
    p->dgram.local = d->remote;
    p->dgram.remote = d->local;
    p->dgram.tag = 0;
    memcpy(p->bytes, bytes, d->len);
    p->to = to_client ? SERVERS : route(n, &p->dgram, bytes);
}

/* ---- what the ends do ---- */

static void serve(const struct tvl_event *ev)
{
    uint8_t bytes[256];
    bool fin = false;
    int64_t len;

    if (ev->type == TVL_EVENT_STREAM_READABLE)
        while ((len = tvl_stream_read(ev->conn, ev->stream.id, bytes, sizeof bytes, &fin)) > 0 ||
               fin) {
            (void)tvl_stream_write(ev->conn, ev->stream.id, bytes, (size_t)len, fin);
            if (fin)
                return;
        }
}

static void say(struct client *c)
{
    uint64_t id;

    assert_int_equal(tvl_stream_open(c->conn, TVL_BIDI, &id), 0);
    assert_int_equal(tvl_stream_write(c->conn, id, (const uint8_t *)TEXT, strlen(TEXT), true),
                     strlen(TEXT));
}

static struct tvl_path_config place(const struct client *c, unsigned at)
{
    return (struct tvl_path_config){ .local = address(c->number, at), .remote = service() };
}

static void use(struct net *n, struct client *c, const struct tvl_event *ev)
{
    const struct tvl_path_config second = place(c, 1), third = place(c, 2);
    uint8_t bytes[256];
    bool fin = false;
    int64_t len;

    if (ev->type == TVL_EVENT_CLOSED)
        fail_msg("closed: %s", ev->closed.reason);
    if (ev->type == TVL_EVENT_CONNECTED)
        assert_int_equal(tvl_path_add(c->conn, &second, n->now), 1);
    if (ev->type == TVL_EVENT_PATH && ev->path.id == 1 && ev->path.state == TVL_PATH_UP &&
        !c->second_up) {
        c->second_up = true;
        say(c);
    }
    if (ev->type == TVL_EVENT_STREAM_READABLE)
        while ((len = tvl_stream_read(c->conn, ev->stream.id, bytes, sizeof bytes, &fin)) > 0)
            c->echoes += (unsigned)len;
    if (c->echoes == strlen(TEXT) && !c->moved) {
        c->moved = true;
        assert_int_equal(tvl_path_migrate(c->conn, 0, &third, n->now), 0);
        assert_int_equal(tvl_path_abandon(c->conn, 1, n->now), 0); /* what follows goes by path 0 */
        say(c);
    }
}

static void settle(struct net *n)
{
    uint8_t bytes[TVL_DATAGRAM_MAX];
    struct tvl_datagram d;
    struct tvl_event ev;

    for (int i = 0; i < SERVERS; i++) {
        while (tvl_endpoint_poll(n->server[i], &ev) == 1)
            serve(&ev);
        while (tvl_endpoint_send(n->server[i], &d, bytes, n->now) == 1)
            carry(n, &d, bytes, true);
    }
    while (tvl_endpoint_poll(n->ep, &ev) == 1)
        for (int k = 0; k < CLIENTS; k++)
            if (n->client[k].conn == ev.conn)
                use(n, &n->client[k], &ev);
    while (tvl_endpoint_send(n->ep, &d, bytes, n->now) == 1)
        carry(n, &d, bytes, false);
}

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

static void step(struct net *n)
{
    tvl_time next = tvl_endpoint_next_tick(n->ep);

    for (int i = 0; i < SERVERS; i++)
        next = earlier(next, tvl_endpoint_next_tick(n->server[i]));
    if (n->n > 0)
        next = earlier(next, n->queue[0].at);
    n->now = next > n->now ? next : n->now + 1;
    while (n->n > 0 && n->queue[0].at <= n->now) { /* one delay for all: the first is the oldest */
        struct parcel p = n->queue[0];

        memmove(&n->queue[0], &n->queue[1], --n->n * sizeof p);
        (void)tvl_endpoint_recv(p.to == SERVERS ? n->ep : n->server[p.to], &p.dgram, p.bytes,
                                n->now);
    }
    tvl_endpoint_tick(n->ep, n->now);
    for (int i = 0; i < SERVERS; i++)
        tvl_endpoint_tick(n->server[i], n->now);
    settle(n);
}

/* ---- set-up ---- */

static void init(struct net *n, const struct tvl_lb_config *lb)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct tvl_config cfg;
    char why[200] = "";

    memset(n, 0, sizeof *n);
    n->now = 1000000;
    n->queue = calloc(QUEUE, sizeof *n->queue);
    assert_non_null(n->queue);
    assert_int_equal(test_pki_init(&n->pki, &pc), 0);
    const struct tvl_tls_config sc = {
        .alpn = alpn, .cert_file = n->pki.server, .key_file = n->pki.server_key, .server = true
    };
    const struct tvl_tls_config cc = { .alpn = alpn, .ca_file = n->pki.ca };
    assert_int_equal(tvl_tls_new(&n->tls[0], &sc, why, sizeof why), 0);
    assert_int_equal(tvl_tls_new(&n->tls[1], &cc, why, sizeof why), 0);
    for (int i = 0; i < SERVERS; i++) {
        n->lb[i] = *lb;
        for (size_t k = 0; k < lb->server_id_len; k++)
            n->lb[i].server_id[k] = (uint8_t)(17 * i + 3 * k + 1);
        tvl_config_init(&cfg);
        cfg.tls = n->tls[0];
        cfg.seed[0] = 40 + (uint64_t)i;
        cfg.lb = n->lb[i];
        cfg.retry = TVL_RETRY_ALWAYS;
        assert_int_equal(tvl_endpoint_new(&n->server[i], &cfg), 0);
    }
    tvl_config_init(&cfg);
    cfg.tls = n->tls[1];
    cfg.seed[0] = 50;
    assert_int_equal(tvl_endpoint_new(&n->ep, &cfg), 0);
    for (unsigned k = 0; k < CLIENTS; k++) {
        struct client *c = &n->client[k];

        c->number = k;
        const struct tvl_path_config first = place(c, 0);
        assert_int_equal(tvl_connect(n->ep, &first, "localhost", &c->conn, n->now), 0);
    }
}

static bool all_done(const struct net *n)
{
    for (int k = 0; k < CLIENTS; k++)
        if (n->client[k].echoes < 2 * strlen(TEXT))
            return false;
    return true;
}

static void fini(struct net *n)
{
    tvl_endpoint_free(n->ep);
    for (int i = 0; i < SERVERS; i++)
        tvl_endpoint_free(n->server[i]);
    tvl_tls_free(n->tls[0]);
    tvl_tls_free(n->tls[1]);
    test_pki_fini(&n->pki);
    free(n->queue);
}

static void one_server_for_all_paths(void **state)
{
    static const struct tvl_lb_config configs[] = {
        { .config_id = 0, .server_id_len = 3, .nonce_len = 5 },
        { .config_id = 1, .server_id_len = 3, .nonce_len = 4, .encrypted = true, .key = "four" },
        { .config_id = 2, .server_id_len = 8, .nonce_len = 8, .encrypted = true, .key = "one" },
        { .config_id = 6, .server_id_len = 10, .nonce_len = 9, .encrypted = true, .key = "long" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct net n;

        init(&n, &configs[i]);
        settle(&n);
        while (!all_done(&n) && n.now < LIMIT)
            step(&n);
        assert_true(all_done(&n));
        uint32_t conns = 0;
        for (int s = 0; s < SERVERS; s++) {
            struct tvl_endpoint_stats st;

            tvl_endpoint_get_stats(n.server[s], &st);
            conns += st.conns;
            assert_true(st.conns > 0); /* both have some, or this shows nothing */
            assert_int_equal(st.datagrams_unroutable, 0);
            assert_int_equal(st.resets_sent, 0);
            assert_int_equal(st.tokens_bad, 0);
        }
        assert_int_equal(conns, CLIENTS);
        assert_int_equal(n.by_address, CLIENTS); /* the very first datagram of each, and no other */
        assert_true(n.by_id > 10 * CLIENTS);
        fini(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_server_for_all_paths) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
