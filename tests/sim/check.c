/* check.c - invariants of every step. The list is in check.h. */
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define fail(c, ...) sim_fail((c)->g, __VA_ARGS__)

/* ---- amplification, seen at the server's port ---- */

static struct check_peer *peer_of(struct check *c, const struct sockaddr_storage *a)
{
    const uint64_t key = sim_address_key(a);

    for (size_t i = 0; i < c->n_peers; i++)
        if (c->peer[i].key == key)
            return &c->peer[i];
    if (c->n_peers == CHECK_PEERS_MAX)
        return NULL;
    c->peer[c->n_peers] = (struct check_peer){ .key = key };
    return &c->peer[c->n_peers++];
}

static bool proves(const struct tvl_place *pl, const struct sockaddr_storage *a)
{
    return pl->set && pl->validated && sim_same_address(&pl->remote, a);
}

static bool has_validated(const struct tvl_conn *conn, const struct sockaddr_storage *a)
{
    for (size_t k = 0; conn && k < conn->n_paths; k++)
        if (proves(&conn->path[k]->at, a) || proves(&conn->path[k]->was, a) ||
            proves(&conn->path[k]->aside, a))
            return true;
    return false;
}

static bool is_validated(const struct check *c, const struct sockaddr_storage *a)
{
    for (unsigned i = 0; i < c->n_apps; i++)
        if (has_validated(c->app[i].side[APP_SERVER].conn, a))
            return true;
    for (size_t i = 0; i < c->n_ghosts; i++)
        if (has_validated(c->ghost[i], a))
            return true;
    return false;
}

void check_add_ghost(struct check *c, const struct tvl_conn *conn)
{
    if (c->n_ghosts == CHECK_GHOSTS_MAX)
        fail(c, "more than %d connections of nobody", CHECK_GHOSTS_MAX);
    else
        c->ghost[c->n_ghosts++] = conn;
}

void check_drop_ghost(struct check *c, const struct tvl_conn *conn)
{
    for (size_t i = 0; i < c->n_ghosts;)
        if (!conn || c->ghost[i] == conn)
            c->ghost[i] = c->ghost[--c->n_ghosts];
        else
            i++;
}

static void on_received(void *user, struct sim_host *h, const struct tvl_datagram *d)
{
    struct check_peer *p = peer_of(user, &d->remote);

    (void)h;
    if (p)
        p->in += d->len;
}

static void on_sent(void *user, struct sim_host *h, const struct tvl_datagram *d)
{
    struct check *c = user;
    struct check_peer *p = peer_of(c, &d->remote);

    (void)h;
    if (!p)
        return;
    p->out += d->len;
    p->validated = p->validated || is_validated(c, &d->remote);
    if (!p->validated && p->out > CHECK_AMPLIFICATION * p->in)
        fail(c, "amplification: %" PRIu64 " bytes to %" PRIx64 " for %" PRIu64, p->out, p->key,
             p->in);
}

/* ---- flow control ---- */

static void check_stream(struct check *c, const struct app *a, const struct tvl_stream *s)
{
    if (tvl_stream_send_over(s) && tvl_stream_recv_over(s) && s->news == 0 && s->want == 0)
        fail(c, "app %u stream %" PRIu64 ": over, and its record is still there", a->number, s->id);
    if (s->out.sent > s->send_max && s->send_state != TVL_SEND_NONE)
        fail(c, "app %u stream %" PRIu64 ": sent %" PRIu64 " above limit %" PRIu64, a->number,
             s->id, s->out.sent, s->send_max);
    if (s->in.highest > s->recv_max && s->recv_state != TVL_RECV_NONE)
        fail(c, "app %u stream %" PRIu64 ": received %" PRIu64 " above limit %" PRIu64, a->number,
             s->id, s->in.highest, s->recv_max);
    if (s->out.end - s->out.base > TVL_STREAM_BUFFER_MAX)
        fail(c, "app %u stream %" PRIu64 ": %" PRIu64 " bytes buffered", a->number, s->id,
             s->out.end - s->out.base);
}

static void check_flow_control(struct check *c, const struct app *a, const struct tvl_conn *conn,
                               const struct tvl_conn *peer)
{
    const struct tvl_streams *ss = &conn->streams;

    if (ss->sent > ss->send_max || ss->received > ss->recv_max || ss->consumed > ss->received)
        fail(c,
             "app %u: connection flow control: sent %" PRIu64 "/%" PRIu64 " received %" PRIu64
             "/%" PRIu64 " consumed %" PRIu64,
             a->number, ss->sent, ss->send_max, ss->received, ss->recv_max, ss->consumed);
    for (int i = 0; i < 2; i++)
        if (ss->dir[i].own_opened > ss->dir[i].own_max ||
            ss->dir[i].peer_opened > ss->dir[i].peer_max)
            fail(c, "app %u: more streams than allowed", a->number);
    for (const struct tvl_stream *s = ss->table; s; s = s->hh.next)
        check_stream(c, a, s);
    if (!peer)
        return;
    if (ss->received > peer->streams.sent || ss->send_max > peer->streams.recv_max)
        fail(c,
             "app %u: received %" PRIu64 " of %" PRIu64 " sent; may send %" PRIu64
             ", allowed %" PRIu64,
             a->number, ss->received, peer->streams.sent, ss->send_max, peer->streams.recv_max);
}

/* ---- flight ---- */

static void add_bytes(void *user, const struct tvl_sent_packet *p)
{
    uint64_t *sum = user;

    *sum += p->in_flight ? p->bytes : 0;
}

static uint64_t flight_of(struct check *c, const struct app *a, const struct tvl_recovery *r)
{
    uint64_t eliciting = 0;

    if (c->steps % CHECK_DEEP_EVERY == 0) {
        tvl_recovery_oldest(r, TVL_SENT_MAX, add_bytes, &eliciting);
        if (eliciting > r->bytes_in_flight)
            fail(c, "app %u: %" PRIu64 " bytes outstanding, %" PRIu64 " counted", a->number,
                 eliciting, r->bytes_in_flight);
    }
    return r->bytes_in_flight;
}

static void check_flight(struct check *c, const struct app *a, enum app_who who,
                         const struct tvl_conn *conn, const struct tvl_path *p)
{
    struct check_path *seen = &c->path[a->number][who][p->id % TVL_PATH_SLOTS];
    const uint64_t window = tvl_path_cc_cwnd(&p->cc);
    uint64_t sum = flight_of(c, a, &p->app.sent);

    if (p->id == 0)
        sum += flight_of(c, a, &conn->initial.sent) + flight_of(c, a, &conn->handshake.sent);
    if (sum != p->cc.in_flight)
        fail(c, "app %u path %u: %" PRIu64 " bytes in flight, its packets are %" PRIu64, a->number,
             p->id, p->cc.in_flight, sum);
    if (!seen->known || seen->id != p->id)
        *seen = (struct check_path){ .id = p->id, .known = true, .rebindings = p->rebindings };
    if (sum <= window || window > seen->window)
        seen->window = window;
    if (sum > seen->in_flight && sum > seen->window + CHECK_BEYOND_WINDOW)
        fail(c, "app %u path %u: %" PRIu64 " bytes in flight, window %" PRIu64, a->number, p->id,
             sum, window);
    seen->in_flight = sum;
}

/* ---- what the faults bring about ---- */

static void watch_path(struct check *c, struct check_path *seen, const struct tvl_path *p,
                       enum app_who who)
{
    const bool moved = p->rebindings != seen->rebindings;

    c->paths_back += seen->state == TVL_PATH_SUSPECT && p->state == TVL_PATH_UP;
    c->mtu_falls += !moved && p->mtu.current < seen->mtu;
    c->rebindings += moved && who == APP_SERVER;
    seen->state = p->state;
    seen->mtu = p->mtu.current;
    seen->rebindings = p->rebindings;
}

static void watch_end(struct check *c, const struct app *a, enum app_who who,
                      const struct tvl_conn *conn)
{
    bool *was = &c->dark[a->number][who];
    bool dark = conn->state == TVL_CONN_OPEN;

    for (size_t i = 0; i < conn->n_paths; i++) {
        const struct tvl_path *p = conn->path[i];

        watch_path(c, &c->path[a->number][who][p->id % TVL_PATH_SLOTS], p, who);
        dark = dark && !tvl_path_is_trusted(p);
    }
    c->darkened += dark && !*was;
    *was = dark;
}

/* ---- bounds ---- */

static void check_bounds(struct check *c, const struct app *a, const struct tvl_conn *conn)
{
    size_t live = 0;

    for (size_t i = 0; i < conn->n_paths; i++)
        live += conn->path[i]->state != TVL_PATH_ABANDONED;
    if (live > TVL_PATHS_MAX || conn->n_paths > TVL_PATH_SLOTS)
        fail(c, "app %u: %zu paths", a->number, conn->n_paths);
    if (conn->n_events > TVL_EVENTS_MAX || conn->dgrams.out.count > TVL_DGRAMS_MAX ||
        conn->dgrams.in.count > TVL_DGRAMS_MAX)
        fail(c, "app %u: a queue is over its bound", a->number);
    if (conn->cids.n_local > TVL_LOCAL_CIDS_MAX || conn->cids.n_remote > TVL_REMOTE_CIDS_MAX)
        fail(c, "app %u: too many connection IDs", a->number);
}

static uint64_t buffered(const struct tvl_conn *conn)
{
    uint64_t sum = 0;

    for (const struct tvl_stream *s = conn->streams.table; s; s = s->hh.next)
        sum += s->out.cap + s->in.cap;
    sum += conn->repair_out.bytes + conn->repair_out.blocks * sizeof *conn->repair_out.first;
    sum += conn->repair_in.bytes + conn->repair_in.waiting * sizeof *conn->repair_in.first;
    return sum;
}

/* An end in use: what is said below, its stream bytes, and the records of a window of packets. */
static uint64_t allowed_in_use(const struct check *c, unsigned app, int who)
{
    const struct tvl_conn *conn = c->app[app].side[who].conn;
    uint64_t sum = CHECK_MEMORY_CONN + buffered(conn);

    for (size_t i = 0; i < conn->n_paths; i++)
        sum += c->path[app][who][conn->path[i]->id % TVL_PATH_SLOTS].window;
    return sum;
}

static uint64_t conns_of(const struct sim_host *h)
{
    struct tvl_endpoint_stats st = { .conns = 0 };

    if (h->ep)
        tvl_endpoint_get_stats(h->ep, &st);
    return st.conns;
}

static void check_memory(struct check *c)
{
    const size_t now = sim_memory_bytes();
    uint64_t conns = conns_of(c->server), live = c->n_ghosts;
    uint64_t allowed = CHECK_MEMORY_HOST;

    for (unsigned i = 0; i < c->n_apps; i++) {
        const struct sim_host *client = c->app[i].side[APP_CLIENT].host;

        if (i == 0 || client != c->app[i - 1].side[APP_CLIENT].host) {
            conns += conns_of(client);
            allowed += CHECK_MEMORY_HOST;
        }
        for (int who = 0; who < 2; who++)
            if (c->app[i].side[who].conn) {
                live++;
                allowed += allowed_in_use(c, i, who);
            }
    }
    allowed += c->n_ghosts * CHECK_MEMORY_CONN;
    allowed += conns > live ? (conns - live) * CHECK_MEMORY_CLOSED : 0;
    if (now > c->memory_peak)
        c->memory_peak = now;
    if (now > allowed)
        fail(c, "%zu bytes allocated, at most %" PRIu64 " expected", now, allowed);
}

/* ---- statistics ---- */

static void check_side_statistics(struct check *c, struct app *a, int who)
{
    const struct tvl_conn *conn = a->side[who].conn;
    struct tvl_path_stats path[TVL_PATH_SLOTS];
    struct tvl_conn_stats all;
    struct tvl_flow_stats flow;
    uint64_t sent = 0;

    tvl_conn_get_stats(conn, &all);
    const size_t n = tvl_paths(conn, path, TVL_PATH_SLOTS);
    for (size_t i = 0; i < n; i++)
        sent += path[i].bytes_sent;
    a->side[who].key_updates = all.key_updates;
    a->side[who].repaired = all.stream_bytes_recovered;
    a->resumed = a->resumed || all.resumed;
    if (sent > all.bytes_sent || all.stream_bytes_sent != conn->streams.sent)
        fail(c, "app %u: statistics: %" PRIu64 " bytes on paths, %" PRIu64 " in all", a->number,
             sent, all.bytes_sent);
    for (uint32_t f = 0; f < 4; f++)
        if (tvl_flow_get_stats(conn, f, &flow) != 0 || flow.in_time + flow.expired > flow.streams)
            fail(c,
                 "app %u: flow %u: %" PRIu64 " streams in time and %" PRIu64 " expired of %" PRIu64,
                 a->number, f, flow.in_time, flow.expired, flow.streams);
}

static void check_statistics(struct check *c)
{
    struct tvl_endpoint_stats server;

    for (unsigned i = 0; i < c->n_apps; i++)
        for (int who = 0; who < 2; who++)
            if (c->app[i].side[who].conn)
                check_side_statistics(c, &c->app[i], who);
    tvl_endpoint_get_stats(c->server->ep, &server);
    if (server.handshakes > server.conns)
        fail(c, "%u handshakes of %u connections", server.handshakes, server.conns);
}

/* ---- ends ---- */

void check_closed(struct check *c, const struct app_side *s)
{
    const struct app *a = s->app;
    const struct app_side *peer = &a->side[1 - s->who];
    const bool goodbye = s->close_called || peer->close_called;
    bool right = false;

    switch (s->kind) {
    case TVL_CLOSED_LOCAL:
        right = s->close_called && s->code == a->close_code;
        break;
    case TVL_CLOSED_PEER_APP:
        right = peer->close_called && s->code == a->close_code;
        break;
    case TVL_CLOSED_PEER: /* before 1-RTT the application's code does not travel */
        right = (peer->close_called && s->code == TVL_WIRE_APPLICATION_ERROR) ||
                (c->may_be_refused && s->code == TVL_WIRE_CONNECTION_REFUSED) ||
                (c->may_refuse_token && s->code == TVL_WIRE_INVALID_TOKEN) ||
                (c->may_misread_versions && s->code == 0 && s->who == APP_CLIENT && !s->connected);
        break;
    case TVL_CLOSED_NO_ANSWER:
        right = goodbye || c->may_time_out || c->may_lose_handshake || a->restarted ||
                c->may_be_refused;
        break;
    case TVL_CLOSED_IDLE:
    case TVL_CLOSED_RESET:
        right = goodbye || c->may_time_out || a->restarted ||
                (c->may_lose_handshake && !a->confirmed) ||
                (c->may_fall_idle && app_is_content(a)) ||
                (c->may_be_refused && peer->closed); /* let in when the client had given up */
        break;
    default:
        break;
    }
    if (!right)
        fail(c, "app %u: the %s's end came as kind %d, code %" PRIu64 ": %s", a->number,
             s->who == APP_CLIENT ? "client" : "server", (int)s->kind, s->code, s->reason);
}

/* ---- timers ---- */

static const char *due_on_path(const struct tvl_path *p, tvl_time now)
{
    if (p->forget_at <= now)
        return "forget";
    if (tvl_recovery_next_time(&p->app.sent) <= now)
        return "recovery";
    if (tvl_ack_due(&p->app.received) <= now)
        return "ack";
    if (tvl_path_challenge_next(p) <= now)
        return "challenge";
    return tvl_path_next_time(p) <= now ? "health" : NULL;
}

static const char *due_on_conn(const struct tvl_conn *conn, tvl_time now, uint32_t *path)
{
    const char *what = NULL;

    if (!tvl_conn_alive(conn))
        return "closing";
    for (size_t i = 0; i < conn->n_paths && !what; i++) {
        *path = conn->path[i]->id;
        what = due_on_path(conn->path[i], now);
    }
    if (what)
        return what;
    if (tvl_streams_next_deadline(&conn->streams) <= now)
        return "deadline";
    return tvl_conn_data_waits(conn) ? "data" : "other";
}

void check_explain_timer(const struct check *c, const struct sim_host *h)
{
    const tvl_time now = sim_host_now(h);
    uint32_t path = 0;

    for (unsigned i = 0; i < c->n_apps; i++)
        for (int who = 0; who < 2; who++) {
            const struct app_side *s = &c->app[i].side[who];

            if (s->host == h && s->conn && tvl_conn_next_tick(s->conn) <= now)
                fail(c, "host %u: its timer is due, and does nothing: app %u path %u %s",
                     h->node.id, i, path, due_on_conn(s->conn, now, &path));
        }
    fail(c, "host %u: its timer is due, and does nothing: of no known connection", h->node.id);
}

/* ---- for the log ---- */

static void dump_path(FILE *f, const struct tvl_path *p, tvl_time now)
{
    static const char *const state[] = { "opening", "up", "suspect", "abandoned" };
    const int64_t due = (int64_t)(tvl_path_next_time(p) - now);
    const uint64_t allowance = tvl_path_allowance(p);

    fprintf(f,
            "    path %u %s%s%s%s tag %" PRIu64 " remote %" PRIx64 " window %" PRIu64
            " flight %" PRIu64 " pto x%u allowance %" PRId64 " probes %u next in %" PRId64 "\n",
            p->id, state[p->state], p->waiting ? " waiting" : "", p->at.validated ? " valid" : "",
            p->peer_backup ? " backup" : "", p->at.tag, sim_address_key(&p->at.remote),
            tvl_path_cc_cwnd(&p->cc), p->cc.in_flight, p->cc.pto_count, (int64_t)allowance,
            p->app.probes, due);
}

static void dump_side(FILE *f, const struct app_side *s)
{
    const struct tvl_conn *conn = s->conn;
    const tvl_time now = sim_host_now(s->host);

    fprintf(f, "  app %u %s: ", s->app->number, s->who == APP_CLIENT ? "client" : "server");
    if (!conn) {
        fprintf(f, "%s\n", s->closed ? "closed" : "not there");
        return;
    }
    fprintf(
        f,
        "state %d%s%s%s, data %s, sent %" PRIu64 "/%" PRIu64 ", received %" PRIu64 "/%" PRIu64
        ", max path %" PRIu64 "/%" PRIu64 ", next in %" PRId64 "\n",
        (int)conn->state, conn->confirmed ? " confirmed" : "", conn->multipath ? " multipath" : "",
        s->host->asleep ? " asleep" : "", tvl_conn_data_waits(conn) ? "waits" : "none",
        conn->streams.sent, conn->streams.send_max, conn->streams.received, conn->streams.recv_max,
        conn->own_max_path_id, conn->peer_max_path_id, (int64_t)(tvl_conn_next_tick(conn) - now));
    for (size_t i = 0; i < conn->n_paths; i++)
        dump_path(f, conn->path[i], now);
}

void check_dump(const struct check *c)
{
    for (unsigned i = 0; i < c->n_apps && c->g->log; i++)
        for (int who = 0; who < 2; who++)
            dump_side(c->g->log, &c->app[i].side[who]);
}

/* ---- */

void check_step(struct check *c)
{
    c->steps++;
    for (unsigned i = 0; i < c->n_apps; i++)
        for (int who = 0; who < 2; who++) {
            struct app *a = &c->app[i];
            const struct tvl_conn *conn = a->side[who].conn;

            if (!conn)
                continue;
            a->confirmed = a->confirmed || (who == APP_CLIENT && conn->confirmed);
            check_flow_control(c, a, conn, a->side[1 - who].conn);
            check_bounds(c, a, conn);
            for (size_t k = 0; k < conn->n_paths; k++)
                check_flight(c, a, (enum app_who)who, conn, conn->path[k]);
            watch_end(c, a, (enum app_who)who, conn);
        }
    if (c->steps % CHECK_DEEP_EVERY == 0) {
        check_memory(c);
        check_statistics(c);
    }
}

void check_init(struct check *c, struct sim_graph *g, struct sim_host *server, struct app *app,
                unsigned n_apps)
{
    memset(c, 0, sizeof *c);
    c->g = g;
    c->server = server;
    c->app = app;
    c->n_apps = n_apps;
    c->path = calloc(n_apps, sizeof *c->path);
    c->dark = calloc(n_apps, sizeof *c->dark);
    if (!c->path || !c->dark)
        abort();
    server->watch = (struct sim_host_watch){ .sent = on_sent, .received = on_received, .user = c };
}

void check_fini(struct check *c)
{
    free(c->path);
    free(c->dark);
    c->path = NULL;
    c->dark = NULL;
}
