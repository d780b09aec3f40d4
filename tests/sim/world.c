/* world.c - runs one scenario under one seed. Contract in world.h. */
#include "world.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

#define START 1000000u /* us: the clock does not begin at zero */
#define ROUNDS_MAX 100000

struct slot {
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    uint32_t next_free;
};

struct world {
    const struct sim_scenario *s;
    struct vlink_config link[SIM_LINKS_MAX]; /* after variation */
    struct sim_change change[SIM_CHANGES_MAX];
    struct vlink_dir *dir[SIM_LINKS_MAX][2]; /* towards client, towards server */
    struct slot *slot;
    uint32_t free_slot;
    struct tvl_tls *tls[2];
    struct tvl_endpoint *ep[2];
    struct tvl_conn *conn[2];
    struct sim_stream out[2][SIM_STREAMS_MAX]; /* by sender */
    unsigned finished;
    tvl_time now;
    size_t next_change;
    FILE *log;
    struct sim_result *r;
};

static void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->r->why[0])
        return;
    va_start(args, format);
    (void)vsnprintf(w->r->why, sizeof w->r->why, format, args);
    va_end(args);
}

/* FNV-1a over what happened, in the order it happened. */
static void note(struct world *w, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t v[] = { w->now, a, b, c };

    for (const char *p = what; *p; p++)
        w->r->hash = (w->r->hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        for (unsigned k = 0; k < 64; k += 8)
            w->r->hash = (w->r->hash ^ ((v[i] >> k) & 0xff)) * UINT64_C(0x100000001b3);
    if (w->log)
        fprintf(w->log, "%" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", w->now - START,
                what, a, b, c);
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

static void vary(struct world *w, uint64_t seed)
{
    struct vlink_rng rng;

    memcpy(w->link, w->s->link, sizeof w->link);
    memcpy(w->change, w->s->change, sizeof w->change);
    if (!w->s->vary)
        return;
    vlink_rng_init(&rng, seed, 1000);
    for (unsigned i = 0; i < w->s->links; i++) {
        struct vlink_config *c = &w->link[i];

        c->rate_bps = c->rate_bps / 4 + vlink_rng_below(&rng, c->rate_bps + 1);
        c->delay_ns = c->delay_ns / 4 + vlink_rng_below(&rng, 2 * c->delay_ns + 1);
        c->jitter_ns = vlink_rng_below(&rng, c->delay_ns / 2 + 1);
        c->loss_ppm = (uint32_t)vlink_rng_below(&rng, 2 * c->loss_ppm + 1);
        c->reorder_ppm = (uint32_t)vlink_rng_below(&rng, 2 * c->reorder_ppm + 1);
        c->duplicate_ppm = (uint32_t)vlink_rng_below(&rng, 2 * c->duplicate_ppm + 1);
    }
    for (size_t i = 0; i < w->s->changes; i++)
        w->change[i].at = w->change[i].at / 2 + vlink_rng_below(&rng, w->change[i].at);
}

static bool make_side(struct world *w, enum sim_side side, uint64_t seed,
                      const struct test_pki *pki)
{
    static const char *const alpn[] = { "sim", NULL };
    struct tvl_tls_config tc = { .alpn = alpn, .server = side == SIM_SERVER };
    struct tvl_config cfg;
    char why[128] = "";

    if (side == SIM_SERVER) {
        tc.cert_file = pki->server;
        tc.key_file = pki->server_key;
    } else {
        tc.ca_file = pki->ca;
    }
    if (tvl_tls_new(&w->tls[side], &tc, why, sizeof why) != 0) {
        fail(w, "%s", why);
        return false;
    }
    tvl_config_init(&cfg);
    cfg.tls = w->tls[side];
    cfg.seed[0] = seed;
    cfg.seed[1] = (uint64_t)side + 1;
    cfg.keepalive = 500000;
    cfg.handshake_timeout = 60000000; /* the first path may be the one that dies */
    if (w->s->cc)
        cfg.cc = w->s->cc;
    return tvl_endpoint_new(&w->ep[side], &cfg) == 0;
}

static bool make(struct world *w, uint64_t seed, const struct test_pki *pki)
{
    const struct tvl_path_config first = path_over(0);

    w->now = START;
    vary(w, seed);
    w->slot = calloc(SIM_SLOTS, sizeof *w->slot);
    if (!w->slot || !make_side(w, SIM_CLIENT, seed, pki) || !make_side(w, SIM_SERVER, seed, pki))
        return false;
    for (uint32_t i = 0; i < SIM_SLOTS; i++)
        w->slot[i].next_free = i + 1;
    for (unsigned i = 0; i < w->s->links; i++)
        for (unsigned k = 0; k < 2; k++) {
            w->dir[i][k] = vlink_dir_new(&w->link[i], seed * 64 + i * 2 + k, w->now * 1000);
            if (!w->dir[i][k])
                return false;
        }
    if (tvl_connect(w->ep[SIM_CLIENT], &first, "localhost", &w->conn[SIM_CLIENT], w->now) != 0)
        return false;
    for (unsigned i = 1; i < w->s->links; i++) {
        const struct tvl_path_config path = path_over(i);

        if (tvl_path_add(w->conn[SIM_CLIENT], &path, w->now) < 0)
            return false;
    }
    return true;
}

static void unmake(struct world *w)
{
    for (int side = 0; side < 2; side++) {
        tvl_endpoint_free(w->ep[side]);
        tvl_tls_free(w->tls[side]);
    }
    for (unsigned i = 0; i < SIM_LINKS_MAX; i++)
        for (unsigned k = 0; k < 2; k++)
            vlink_dir_free(w->dir[i][k]);
    free(w->slot);
}

/* ---- the application: streams both ways, each byte known by stream and offset ---- */

static uint8_t pattern(enum sim_side from, uint64_t id, uint64_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 9) + id * 7 + (uint64_t)from);
}

static void write_more(struct world *w, enum sim_side side, struct sim_stream *t)
{
    uint8_t bytes[4096];

    while (t->written < w->s->bytes) {
        const uint64_t left = w->s->bytes - t->written;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;

        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(side, t->id, t->written + i);
        const int64_t r = tvl_stream_write(w->conn[side], t->id, bytes, n, n == left);
        if (r < 0) {
            fail(w, "write on stream %" PRIu64 ": %s", t->id, tvl_strerror((int)r));
            return;
        }
        t->written += (uint64_t)r;
        if ((size_t)r < n)
            return;
    }
}

static void open_streams(struct world *w, enum sim_side side)
{
    for (unsigned i = 0; i < w->s->streams; i++) {
        struct sim_stream *t = &w->out[side][i];

        if (tvl_stream_open(w->conn[side], TVL_UNI, &t->id) != 0) {
            fail(w, "side %d cannot open stream %u", (int)side, i);
            return;
        }
        t->used = true;
        write_more(w, side, t);
    }
}

static struct sim_stream *stream_by_id(struct world *w, enum sim_side sender, uint64_t id)
{
    for (unsigned i = 0; i < w->s->streams; i++)
        if (w->out[sender][i].used && w->out[sender][i].id == id)
            return &w->out[sender][i];
    return NULL;
}

static void read_stream(struct world *w, enum sim_side side, uint64_t id)
{
    const enum sim_side from = side == SIM_CLIENT ? SIM_SERVER : SIM_CLIENT;
    struct sim_stream *t = stream_by_id(w, from, id);
    uint8_t bytes[8192];
    bool fin = false;

    while (t && !t->finished) {
        const int64_t n = tvl_stream_read(w->conn[side], id, bytes, sizeof bytes, &fin);

        if (n < 0 || (n == 0 && !fin))
            return;
        for (int64_t i = 0; i < n; i++)
            if (bytes[i] != pattern(from, id, t->read + (uint64_t)i))
                fail(w, "stream %" PRIu64 ": wrong byte at %" PRIu64, id, t->read + (uint64_t)i);
        t->read += (uint64_t)n;
        w->r->bytes += (uint64_t)n;
        if (fin) {
            t->finished = true;
            w->finished++;
            if (t->read != w->s->bytes)
                fail(w, "stream %" PRIu64 " ends after %" PRIu64 " bytes", id, t->read);
        }
    }
}

static void on_event(struct world *w, enum sim_side side, const struct tvl_event *ev)
{
    const uint64_t who = (uint64_t)side;
    struct sim_stream *t;

    switch (ev->type) {
    case TVL_EVENT_ACCEPTED:
        w->conn[side] = ev->conn;
        break;
    case TVL_EVENT_CONNECTED:
        note(w, "connected", who, 0, 0);
        open_streams(w, side);
        break;
    case TVL_EVENT_STREAM_READABLE:
        read_stream(w, side, ev->stream.id);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        t = stream_by_id(w, side, ev->stream.id);
        if (t)
            write_more(w, side, t);
        break;
    case TVL_EVENT_PATH:
        note(w, "path", who, ev->path.id, (uint64_t)ev->path.state);
        break;
    case TVL_EVENT_CLOSED:
        note(w, "closed", who, (uint64_t)ev->closed.kind, ev->closed.code);
        fail(w, "side %d closed: %s", (int)side, ev->closed.reason);
        break;
    default:
        break;
    }
}

/* ---- the network ---- */

static unsigned link_of(enum sim_side from, const struct tvl_datagram *d)
{
    const struct sockaddr_storage *client = from == SIM_CLIENT ? &d->local : &d->remote;

    return (ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 8) & 0xff;
}

static void send_one(struct world *w, enum sim_side from, const struct tvl_datagram *d,
                     const uint8_t *bytes)
{
    const unsigned link = link_of(from, d), to = from == SIM_CLIENT ? SIM_SERVER : SIM_CLIENT;
    const uint32_t i = w->free_slot;

    note(w, "send", (uint64_t)from, link, d->len);
    w->r->datagrams++;
    if (i >= SIM_SLOTS) {
        fail(w, "more than %d datagrams under way", SIM_SLOTS);
        return;
    }
    if (vlink_dir_push(w->dir[link][to], w->now * 1000, (uint32_t)d->len, i) != VLINK_PASS) {
        note(w, "drop", (uint64_t)from, link, d->len);
        w->r->lost++;
        return;
    }
    w->free_slot = w->slot[i].next_free;
    w->slot[i].dgram = *d;
    w->slot[i].dgram.local = d->remote;
    w->slot[i].dgram.remote = d->local;
    w->slot[i].dgram.tag = to == SIM_CLIENT ? link : 0;
    memcpy(w->slot[i].bytes, bytes, d->len);
}

static void deliver(struct world *w)
{
    for (unsigned link = 0; link < w->s->links; link++)
        for (unsigned to = 0; to < 2; to++) {
            struct vlink_out o;

            while (vlink_dir_take(w->dir[link][to], w->now * 1000, &o)) {
                struct slot *s = &w->slot[o.tag];
                uint8_t bytes[TVL_DATAGRAM_MAX]; /* received in place, and a copy may follow */

                memcpy(bytes, s->bytes, s->dgram.len);
                note(w, o.fate == VLINK_PASS ? "recv" : "lost", to, link, s->dgram.len);
                if (o.fate == VLINK_PASS)
                    (void)tvl_endpoint_recv(w->ep[to], &s->dgram, bytes, w->now);
                else
                    w->r->lost++;
                if (o.last) {
                    s->next_free = w->free_slot;
                    w->free_slot = (uint32_t)o.tag;
                }
            }
        }
}

static void settle(struct world *w)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        bool any = false;

        for (int side = 0; side < 2; side++) {
            struct tvl_datagram d;
            struct tvl_event ev;
            uint8_t bytes[TVL_DATAGRAM_MAX];

            while (tvl_endpoint_poll(w->ep[side], &ev) == 1) {
                on_event(w, (enum sim_side)side, &ev);
                any = true;
            }
            while (tvl_endpoint_send(w->ep[side], &d, bytes, w->now) == 1) {
                send_one(w, (enum sim_side)side, &d, bytes);
                any = true;
            }
        }
        if (!any)
            return;
    }
    fail(w, "the endpoints never come to rest");
}

static void change_links(struct world *w)
{
    while (w->next_change < w->s->changes && START + w->change[w->next_change].at <= w->now) {
        const struct sim_change *c = &w->change[w->next_change++];

        note(w, c->down ? "down" : "up", c->link, 0, 0);
        w->link[c->link].down = c->down;
        for (unsigned k = 0; k < 2; k++)
            if (c->ways == SIM_BOTH_WAYS || (c->ways == SIM_TO_CLIENT) == (k == SIM_CLIENT))
                vlink_dir_configure(w->dir[c->link][k], w->now * 1000, &w->link[c->link]);
    }
}

static tvl_time next_time(const struct world *w)
{
    tvl_time next = START + w->s->limit;

    for (int side = 0; side < 2; side++) {
        const tvl_time t = tvl_endpoint_next_tick(w->ep[side]);

        next = t < next ? t : next;
    }
    for (unsigned link = 0; link < w->s->links; link++)
        for (unsigned k = 0; k < 2; k++) {
            const vlink_time ns = vlink_dir_next(w->dir[link][k]);

            if (ns != VLINK_NEVER && (ns + 999) / 1000 < next)
                next = (ns + 999) / 1000;
        }
    if (w->next_change < w->s->changes && START + w->change[w->next_change].at < next)
        next = START + w->change[w->next_change].at;
    return next > w->now ? next : w->now + 1; /* what was due has been done: time goes on */
}

static void judge(struct world *w)
{
    double rate = 0;

    w->r->time = w->now - START;
    if (w->finished < 2 * w->s->streams)
        fail(w, "%u of %u streams arrived in %" PRIu64 " ms", w->finished, 2 * w->s->streams,
             w->s->limit / 1000);
    for (unsigned i = 0; i < w->s->links; i++)
        rate += (double)w->s->link[i].rate_bps;
    if (rate > 0 && w->r->time > 0)
        w->r->goodput_share =
            (double)w->s->streams * (double)w->s->bytes * 8e6 / (double)w->r->time / rate;
    w->r->ok = w->r->why[0] == '\0';
}

void sim_run(const struct sim_scenario *s, uint64_t seed, const struct test_pki *pki, FILE *log,
             struct sim_result *out)
{
    struct world *w = calloc(1, sizeof *w);

    *out = (struct sim_result){ .hash = UINT64_C(0xcbf29ce484222325) };
    if (!w) {
        (void)snprintf(out->why, sizeof out->why, "out of memory");
        return;
    }
    w->s = s;
    w->log = log;
    w->r = out;
    if (make(w, seed, pki)) {
        settle(w);
        while (w->now < START + s->limit && w->finished < 2 * s->streams && !out->why[0]) {
            w->now = next_time(w);
            change_links(w);
            deliver(w);
            for (int side = 0; side < 2; side++)
                tvl_endpoint_tick(w->ep[side], w->now);
            settle(w);
        }
        judge(w);
    } else {
        fail(w, "cannot set up");
    }
    unmake(w);
    free(w);
}
