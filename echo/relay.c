/* relay.c - see relay.h. */
#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "serve.h"

#define NOT_OPEN UINT64_MAX /* id of a stream that is not there yet */
#define CODE_GONE 0x5245u   /* application error: the other side is gone ("RE") */

struct relay_stream {
    uint64_t id[2];       /* by side */
    enum relay_side from; /* who opened it */
    enum tvl_dir dir;
    bool done[2]; /* nothing more comes from that side */
    UT_hash_handle by_front, by_back;
    struct relay_stream *prev, *next; /* of those that wait to be opened on the other side */
};

struct relay_pair {
    struct tvl_conn *conn[2];          /* NULL: not yet, or over */
    bool up;                           /* the back is connected */
    struct relay_stream *front, *back; /* by their ids there */
    struct relay_stream *waiting;
    struct relay_pair *prev, *next;
};

static enum relay_side other(enum relay_side side)
{
    return side == RELAY_FRONT ? RELAY_BACK : RELAY_FRONT;
}

/* ---- streams ---- */

static struct relay_stream *find(struct relay_pair *p, enum relay_side side, uint64_t id)
{
    struct relay_stream *s;

    if (side == RELAY_FRONT)
        HASH_FIND(by_front, p->front, &id, sizeof id, s);
    else
        HASH_FIND(by_back, p->back, &id, sizeof id, s);
    return s;
}

static void list(struct relay_pair *p, struct relay_stream *s, enum relay_side side)
{
    if (side == RELAY_FRONT)
        HASH_ADD(by_front, p->front, id[RELAY_FRONT], sizeof s->id[0], s);
    else
        HASH_ADD(by_back, p->back, id[RELAY_BACK], sizeof s->id[0], s);
}

static bool is_mated(const struct relay_stream *s)
{
    return s->id[other(s->from)] != NOT_OPEN;
}

static void forget(struct relay_pair *p, struct relay_stream *s)
{
    if (!is_mated(s))
        DL_DELETE(p->waiting, s);
    if (s->id[RELAY_FRONT] != NOT_OPEN)
        HASH_DELETE(by_front, p->front, s);
    if (s->id[RELAY_BACK] != NOT_OPEN)
        HASH_DELETE(by_back, p->back, s);
    free(s);
}

/* Nothing more comes from `side`. true: nor from the other one, and the stream is forgotten. */
static bool finish(struct relay_pair *p, struct relay_stream *s, enum relay_side side)
{
    s->done[side] = true;
    if (s->dir == TVL_BIDI && !s->done[other(side)])
        return false;
    forget(p, s);
    return true;
}

/* What came from a side goes to the other, until the one has no more or the other no room. */
static void move(struct echo_relay *r, struct relay_pair *p, struct relay_stream *s,
                 enum relay_side from)
{
    const enum relay_side to = other(from);
    const uint8_t *bytes;
    bool fin = false;

    while (is_mated(s) && p->conn[from] && p->conn[to] && !s->done[from]) {
        const int64_t n = tvl_stream_peek(p->conn[from], s->id[from], &bytes, &fin);

        if (n < 0 || (n == 0 && !fin))
            return;
        const int64_t taken = tvl_stream_write(p->conn[to], s->id[to], bytes, (size_t)n, fin);
        if (taken < 0) { /* nobody wants it there any more */
            (void)tvl_stream_stop(p->conn[from], s->id[from], 0);
            (void)finish(p, s, from);
            return;
        }
        r->bytes += (uint64_t)taken;
        if (taken == 0 && n > 0)
            return; /* WRITABLE follows */
        if (tvl_stream_consume(p->conn[from], s->id[from], (size_t)taken, &fin) != 0)
            return;
        if (fin) {
            (void)finish(p, s, from);
            return;
        }
    }
}

/* Open on the other side what waits for it; the oldest first, as far as the peer allows. */
static void mate(struct echo_relay *r, struct relay_pair *p)
{
    struct relay_stream *s, *next;

    DL_FOREACH_SAFE(p->waiting, s, next)
    {
        const enum relay_side to = other(s->from);

        if (!p->conn[to] || !p->up || tvl_stream_open(p->conn[to], s->dir, &s->id[to]) != 0) {
            s->id[to] = NOT_OPEN;
            continue; /* CONNECTED or STREAMS follow */
        }
        DL_DELETE(p->waiting, s);
        list(p, s, to);
        move(r, p, s, s->from);
    }
}

static void opened(struct echo_relay *r, struct relay_pair *p, enum relay_side side, uint64_t id)
{
    struct relay_stream *s = calloc(1, sizeof *s);

    if (!s) {
        (void)tvl_stream_stop(p->conn[side], id, CODE_GONE);
        return;
    }
    r->streams++;
    s->id[side] = id;
    s->id[other(side)] = NOT_OPEN;
    s->from = side;
    s->dir = id & TVL_UNI ? TVL_UNI : TVL_BIDI;
    list(p, s, side);
    DL_APPEND(p->waiting, s);
    mate(r, p);
}

/* A side gave up what it sent: so does the other, to whom it was going. */
static void reset(struct relay_pair *p, struct relay_stream *s, enum relay_side side, uint64_t code)
{
    const enum relay_side to = other(side);

    if (is_mated(s) && p->conn[to]) {
        (void)tvl_stream_reset(p->conn[to], s->id[to], code);
        (void)finish(p, s, side);
        return;
    }
    if (s->dir == TVL_BIDI) /* it was never opened there: there is nothing to answer */
        (void)tvl_stream_reset(p->conn[side], s->id[side], code);
    forget(p, s);
}

/* A side does not want what is sent to it: whoever sends it may stop. */
static void stopped(struct relay_pair *p, struct relay_stream *s, enum relay_side side,
                    uint64_t code)
{
    const enum relay_side from = other(side);

    if (!is_mated(s) || !p->conn[from])
        return;
    (void)tvl_stream_stop(p->conn[from], s->id[from], code);
    (void)finish(p, s, from);
}

/* ---- connections ---- */

static void pair_free(struct echo_relay *r, struct relay_pair *p)
{
    struct relay_stream *s, *next;

    HASH_ITER(by_front, p->front, s, next)
    forget(p, s);
    HASH_ITER(by_back, p->back, s, next)
    forget(p, s);
    DL_DELETE(r->pairs, p);
    free(p);
}

void echo_relay_fini(struct echo_relay *r)
{
    while (r->pairs)
        pair_free(r, r->pairs);
}

static void adopt(struct relay_pair *p, enum relay_side side, struct tvl_conn *conn)
{
    const struct tvl_flow_config flow = { .window = SERVE_WINDOW };

    p->conn[side] = conn;
    tvl_conn_set_user(conn, p);
    (void)tvl_flow_set(conn, 0, &flow);
}

/* A client is there: so is, soon, its connection to the server. */
static void came(struct echo_relay *r, struct tvl_conn *conn, tvl_time now)
{
    struct relay_pair *p = calloc(1, sizeof *p);
    char why[TVL_REASON_MAX] = "out of memory";
    struct tvl_conn *back = NULL;
    int failed;

    if (!p) {
        (void)tvl_close(conn, CODE_GONE, why, now);
        return;
    }
    DL_APPEND(r->pairs, p);
    r->connections++;
    adopt(p, RELAY_FRONT, conn);
    r->connecting = p; /* what is heard of a connection within connect is of this one */
    failed = r->connect(r->user, &back, why, sizeof why);
    if (r->connecting && !failed)
        adopt(p, RELAY_BACK, back);
    r->connecting = NULL;
    if (failed)
        (void)tvl_close(conn, CODE_GONE, why, now);
}

/* One side is over: so is the other, with the same words if they were the application's. */
static void gone(struct echo_relay *r, struct relay_pair *p, enum relay_side side,
                 const struct tvl_event *ev, tvl_time now)
{
    const bool said = ev->closed.kind == TVL_CLOSED_PEER_APP;
    char why[TVL_REASON_MAX];

    snprintf(why, sizeof why, said ? "%s" : "relay: the other side is gone: %.80s",
             ev->closed.reason);
    p->conn[side] = NULL;
    if (p->conn[other(side)])
        (void)tvl_close(p->conn[other(side)], said ? ev->closed.code : CODE_GONE, why, now);
    else
        pair_free(r, p);
}

static void stream_event(struct echo_relay *r, struct relay_pair *p, enum relay_side side,
                         const struct tvl_event *ev)
{
    struct relay_stream *s = find(p, side, ev->stream.id);

    if (!s)
        return;
    if (ev->type == TVL_EVENT_STREAM_READABLE)
        move(r, p, s, side);
    else if (ev->type == TVL_EVENT_STREAM_WRITABLE)
        move(r, p, s, other(side));
    else if (ev->type == TVL_EVENT_STREAM_RESET)
        reset(p, s, side, ev->stream.code);
    else
        stopped(p, s, side, ev->stream.code);
}

void echo_relay_event(struct echo_relay *r, enum relay_side side, const struct tvl_event *ev,
                      tvl_time now)
{
    struct relay_pair *p = tvl_conn_user(ev->conn);

    if (!p && side == RELAY_FRONT && ev->type == TVL_EVENT_CONNECTED) {
        came(r, ev->conn, now);
        return;
    }
    if (!p && side == RELAY_BACK && r->connecting) {
        p = r->connecting;
        adopt(p, RELAY_BACK, ev->conn);
        r->connecting = NULL;
    }
    if (!p)
        return;
    switch (ev->type) {
    case TVL_EVENT_CONNECTED: /* of the back */
        p->up = true;
        r->connected(r->user, ev->conn);
        mate(r, p);
        break;
    case TVL_EVENT_CLOSED:
        gone(r, p, side, ev, now);
        break;
    case TVL_EVENT_STREAMS:
        mate(r, p);
        break;
    case TVL_EVENT_STREAM_OPENED:
        opened(r, p, side, ev->stream.id);
        break;
    case TVL_EVENT_STREAM_READABLE:
    case TVL_EVENT_STREAM_WRITABLE:
    case TVL_EVENT_STREAM_RESET:
    case TVL_EVENT_STREAM_STOPPED:
        stream_event(r, p, side, ev);
        break;
    case TVL_EVENT_DATAGRAM: /* lost where there is no room, as on any way */
        if (p->up && p->conn[other(side)] &&
            tvl_datagram_write(p->conn[other(side)], ev->datagram.bytes, ev->datagram.len) == 0)
            r->datagrams++;
        break;
    default:
        break;
    }
}
