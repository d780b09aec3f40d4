/* net.c - see net.h. */
#include "net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 1000000
#define ECN_CE 3 /* RFC 3168 5 */

struct slot {
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    uint32_t next_free;
    unsigned link;
};

struct net {
    struct net_config cfg;
    struct net_app app;
    void *user;
    struct vlink_dir *dir[NET_LINKS_MAX][2]; /* towards client, towards server */
    struct vlink_dir *common[2];
    struct slot *slot;
    uint32_t free_slot;
    struct tvl_tls *tls[2];
    struct tvl_endpoint *ep[2];
    struct tvl_conn *conn[2], *rival[2];
    struct tvl_conn_stats before[2];
    tvl_time now;
    bool closed;
    struct net_totals totals;
};

tvl_time net_now(const struct net *n)
{
    return n->now;
}

struct tvl_conn *net_conn(struct net *n, enum net_side side)
{
    return n->conn[side];
}

struct tvl_conn *net_rival(struct net *n, enum net_side side)
{
    return n->rival[side];
}

const struct net_totals *net_totals(const struct net *n)
{
    return &n->totals;
}

/* ---- set-up ---- */

static struct sockaddr_storage address(uint32_t host, uint16_t port)
{
    const struct sockaddr_in sin = { .sin_family = AF_INET,
                                     .sin_port = htons(port),
                                     .sin_addr.s_addr = htonl(host) };
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof ss);
    memcpy(&ss, &sin, sizeof sin);
    return ss;
}

static struct tvl_path_config path_over(unsigned link)
{
    return (struct tvl_path_config){ .local = address(0x0a000001u + (link << 8), 5000),
                                     .remote = address(0x0a090909u, 4433),
                                     .tag = link };
}

static bool make_side(struct net *n, enum net_side side)
{
    static const char *const alpn[] = { "bench", NULL };
    struct tvl_tls_config tc = { .alpn = alpn, .server = side == NET_SERVER };
    struct tvl_config cfg;
    char why[128] = "";

    if (side == NET_SERVER) {
        tc.cert_file = n->cfg.pki->server;
        tc.key_file = n->cfg.pki->server_key;
    } else {
        tc.ca_file = n->cfg.pki->ca;
    }
    if (tvl_tls_new(&n->tls[side], &tc, why, sizeof why) != 0) {
        fprintf(stderr, "net: %s\n", why);
        return false;
    }
    tvl_config_init(&cfg);
    cfg.tls = n->tls[side];
    cfg.seed[0] = n->cfg.seed;
    cfg.seed[1] = (uint64_t)side + 1;
    cfg.keepalive = n->cfg.keepalive;
    cfg.handshake_timeout = 60000000;
    if (n->cfg.window)
        cfg.stream_window = cfg.conn_window = n->cfg.window;
    if (n->cfg.cc)
        cfg.cc = n->cfg.cc;
    if (n->cfg.coupling)
        cfg.coupling = n->cfg.coupling;
    if (side == NET_SERVER) {
        cfg.objective = n->cfg.objective;
        cfg.knowledge = n->cfg.knowledge;
        if (n->cfg.deadline)
            cfg.objective_deadline = n->cfg.deadline;
    }
    if (n->cfg.sched)
        cfg.sched = n->cfg.sched;
    return tvl_endpoint_new(&n->ep[side], &cfg) == 0;
}

static bool make_links(struct net *n)
{
    for (unsigned i = 0; i < n->cfg.links; i++)
        for (unsigned k = 0; k < 2; k++) {
            const struct vlink_config *back = k == NET_SERVER ? n->cfg.back[i] : NULL;

            n->dir[i][k] = vlink_dir_new(back ? back : &n->cfg.link[i],
                                         n->cfg.seed * 64 + i * 2 + k, n->now * 1000);
            if (!n->dir[i][k])
                return false;
        }
    for (unsigned k = 0; n->cfg.shared && k < 2; k++) {
        n->common[k] = vlink_dir_new(&n->cfg.common, n->cfg.seed * 64 + 63 - k, n->now * 1000);
        if (!n->common[k])
            return false;
    }
    return true;
}

static bool connect_paths(struct net *n)
{
    bool first = true;

    for (unsigned i = 0; i < n->cfg.links; i++) {
        const struct tvl_path_config path = path_over(i);

        if (n->cfg.skip >> i & 1)
            continue;
        const int r =
            first ? tvl_connect(n->ep[NET_CLIENT], &path, "localhost", &n->conn[NET_CLIENT], n->now)
                  : tvl_path_add(n->conn[NET_CLIENT], &path, n->now);
        if (r < 0)
            return false;
        first = false;
    }
    if (!n->cfg.rival)
        return true;
    const struct tvl_path_config path = path_over(n->cfg.rival_link);
    return tvl_connect(n->ep[NET_CLIENT], &path, "localhost", &n->rival[NET_CLIENT], n->now) == 0;
}

struct net *net_new(const struct net_config *cfg, const struct net_app *app, void *user)
{
    struct net *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->cfg = *cfg;
    n->app = *app;
    n->user = user;
    n->now = NET_START;
    n->slot = calloc(NET_SLOTS, sizeof *n->slot);
    for (uint32_t i = 0; n->slot && i < NET_SLOTS; i++)
        n->slot[i].next_free = i + 1;
    if (!n->slot || !make_side(n, NET_CLIENT) || !make_side(n, NET_SERVER) || !make_links(n) ||
        !connect_paths(n)) {
        net_free(n);
        return NULL;
    }
    return n;
}

void net_free(struct net *n)
{
    if (!n)
        return;
    for (int side = 0; side < 2; side++) {
        tvl_endpoint_free(n->ep[side]);
        tvl_tls_free(n->tls[side]);
    }
    for (unsigned i = 0; i < NET_LINKS_MAX; i++)
        for (unsigned k = 0; k < 2; k++)
            vlink_dir_free(n->dir[i][k]);
    for (unsigned k = 0; k < 2; k++)
        vlink_dir_free(n->common[k]);
    free(n->slot);
    free(n);
}

int net_add_path(struct net *n, unsigned link)
{
    const struct tvl_path_config path = path_over(link);

    return tvl_path_add(n->conn[NET_CLIENT], &path, n->now);
}

void net_set_down(struct net *n, unsigned link, enum net_ways ways, bool down)
{
    for (unsigned to = 0; to < 2; to++) {
        struct vlink_config c = *vlink_dir_config(n->dir[link][to]);

        c.down = down;
        if (ways == NET_BOTH_WAYS || (ways == NET_TO_CLIENT) == (to == NET_CLIENT))
            vlink_dir_configure(n->dir[link][to], n->now * 1000, &c);
    }
}

/* ---- the network ---- */

static unsigned link_of(enum net_side from, const struct tvl_datagram *d)
{
    const struct sockaddr_storage *client = from == NET_CLIENT ? &d->local : &d->remote;

    return (ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 8) & 0xff;
}

static void tell_sent(struct net *n, enum net_side side, unsigned link)
{
    struct tvl_conn_stats s;

    if (!n->app.sent || !n->conn[side])
        return;
    tvl_conn_get_stats(n->conn[side], &s);
    n->app.sent(n->user, n, side, link, s.stream_bytes_sent - n->before[side].stream_bytes_sent,
                s.stream_bytes_resent - n->before[side].stream_bytes_resent);
    n->before[side] = s;
}

static bool leads_over(const struct net *n, unsigned link)
{
    return n->cfg.shared >> link & 1;
}

static void send_one(struct net *n, enum net_side from, const struct tvl_datagram *d,
                     const uint8_t *bytes)
{
    const unsigned link = link_of(from, d), to = from == NET_CLIENT ? NET_SERVER : NET_CLIENT;
    const uint32_t i = n->free_slot;
    struct vlink_dir *dir = leads_over(n, link) ? n->common[to] : n->dir[link][to];

    tell_sent(n, from, link);
    n->totals.datagrams++;
    if (i >= NET_SLOTS || vlink_dir_push(dir, n->now * 1000, (uint32_t)d->len, i) != VLINK_PASS) {
        n->totals.queue_drops++;
        return;
    }
    n->free_slot = n->slot[i].next_free;
    n->slot[i].link = link;
    n->slot[i].dgram = *d;
    n->slot[i].dgram.local = d->remote;
    n->slot[i].dgram.remote = d->local;
    n->slot[i].dgram.tag = to == NET_CLIENT ? link : 0;
    memcpy(n->slot[i].bytes, bytes, d->len);
}

static void give_back(struct net *n, uint32_t tag)
{
    n->slot[tag].next_free = n->free_slot;
    n->free_slot = tag;
}

/* From the common link to the one behind it. */
static void pass_on(struct net *n, unsigned to)
{
    struct vlink_out o;

    while (n->common[to] && vlink_dir_take(n->common[to], n->now * 1000, &o)) {
        const struct slot *s = &n->slot[o.tag];

        if (o.fate == VLINK_PASS &&
            vlink_dir_push(n->dir[s->link][to], n->now * 1000, o.bytes, o.tag) == VLINK_PASS)
            continue;
        n->totals.lost++;
        give_back(n, (uint32_t)o.tag);
    }
}

static void deliver(struct net *n, unsigned link, unsigned to)
{
    struct vlink_out o;

    while (vlink_dir_take(n->dir[link][to], n->now * 1000, &o)) {
        struct slot *s = &n->slot[o.tag];
        uint8_t bytes[TVL_DATAGRAM_MAX]; /* received in place, and a copy may follow */

        if (n->app.passed)
            n->app.passed(n->user, (enum net_side)to, link, &o);
        if (o.marked && s->dgram.ecn != 0) {
            s->dgram.ecn = ECN_CE;
            n->totals.marked++;
        }

        memcpy(bytes, s->bytes, s->dgram.len);
        if (o.fate == VLINK_PASS)
            (void)tvl_endpoint_recv(n->ep[to], &s->dgram, bytes, n->now);
        else
            n->totals.lost++;
        if (o.last)
            give_back(n, (uint32_t)o.tag);
    }
}

static void on_event(struct net *n, enum net_side side, const struct tvl_event *ev)
{
    if (ev->type == TVL_EVENT_ACCEPTED)
        *(n->conn[side] ? &n->rival[side] : &n->conn[side]) = ev->conn; /* it came later */
    n->app.event(n->user, n, side, ev);
    if (ev->type == TVL_EVENT_CLOSED) {
        *(n->conn[side] == ev->conn ? &n->conn[side] : &n->rival[side]) = NULL;
        n->closed = true;
    }
}

static void settle(struct net *n)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        bool any = false;

        for (int side = 0; side < 2; side++) {
            struct tvl_datagram d;
            struct tvl_event ev;
            uint8_t bytes[TVL_DATAGRAM_MAX];

            while (tvl_endpoint_poll(n->ep[side], &ev) == 1) {
                on_event(n, (enum net_side)side, &ev);
                any = true;
            }
            while (tvl_endpoint_send(n->ep[side], &d, bytes, n->now) == 1) {
                send_one(n, (enum net_side)side, &d, bytes);
                any = true;
            }
        }
        if (!any)
            return;
    }
}

static tvl_time earlier_of(const struct vlink_dir *d, tvl_time t)
{
    const vlink_time ns = vlink_dir_next(d);

    return ns != VLINK_NEVER && (ns + 999) / 1000 < t ? (ns + 999) / 1000 : t;
}

static tvl_time next_time(const struct net *n)
{
    tvl_time next = n->app.next ? n->app.next(n->user) : TVL_TIME_NEVER;

    for (int side = 0; side < 2; side++) {
        const tvl_time t = tvl_endpoint_next_tick(n->ep[side]);

        next = t < next ? t : next;
    }
    for (unsigned to = 0; to < 2; to++) {
        if (n->common[to])
            next = earlier_of(n->common[to], next);
        for (unsigned link = 0; link < n->cfg.links; link++)
            next = earlier_of(n->dir[link][to], next);
    }
    return next > n->now ? next : n->now + 1; /* what was due has been done: time goes on */
}

bool net_run(struct net *n, tvl_time limit)
{
    settle(n);
    while (!n->app.done(n->user)) {
        const tvl_time next = next_time(n);

        if (n->closed || next > limit)
            return false;
        n->now = next;
        for (unsigned to = 0; to < 2; to++)
            pass_on(n, to);
        for (unsigned link = 0; link < n->cfg.links; link++)
            for (unsigned to = 0; to < 2; to++)
                deliver(n, link, to);
        for (int side = 0; side < 2; side++)
            tvl_endpoint_tick(n->ep[side], n->now);
        if (n->app.tick && n->app.next(n->user) <= n->now)
            n->app.tick(n->user, n);
        settle(n);
    }
    return true;
}
