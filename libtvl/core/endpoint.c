/*
 * endpoint.c - many connections behind one pair of calls: finds the connection of a datagram by
 * its Destination Connection ID (RFC 9000 5.2), begins connections, and lets each have its turn.
 */
#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#include <tvl/cc.h>
#include <tvl/sched.h>

#define HASH_NONFATAL_OOM 1
#define HASH_BKT_CAPACITY_THRESH 2 /* short chains: each entry of one is a cache miss */
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#include "cid.h"
#include "choice.h"
#include "conn.h"
#include "door.h"
#include "lb.h"
#include "tls.h"
#include "turns.h"

struct cid_entry {
    struct tvl_cid cid; /* bytes behind `len` are zero: the whole struct is the key */
    struct tvl_conn *conn;
    uint32_t path_id;
    bool lost; /* set by uthash when it had no memory */
    UT_hash_handle hh;
};

struct tvl_endpoint {
    struct tvl_config cfg;
    struct tvl_rng rng;
    struct tvl_sessions sessions;
    struct tvl_ids ids;
    struct cid_entry *by_cid;
    struct tvl_turns turns; /* of all connections */
    uint64_t next_id;
    struct tvl_conn *polled_closed; /* its CLOSED event was given; over at the next poll */
    struct tvl_door door;           /* server */
};

/* ---- configuration ---- */

void tvl_config_init(struct tvl_config *cfg)
{
    *cfg = (struct tvl_config){
        .cc = "cubic",
        .objective_deadline = 400000,
        .coupling = "lia",
        .sched = "ecf",
        .idle_timeout = 30000000,
        .handshake_timeout = 10000000,
        .max_path_id = 16,
        .stream_window = 8u << 20,
        .conn_window = 16u << 20,
        .streams_bidi = 128,
        .streams_uni = 1024,
        .conns_max = 16384,
        .handshakes_max = 1024,
        .workers = 1,
        .mtu_max = TVL_DATAGRAM_MAX,
        .datagram_max = 1400,
        .repair_span = 128u << 10,
    };
}

static bool within(uint64_t v, uint64_t low, uint64_t high)
{
    return v >= low && v <= high;
}

static bool config_valid(const struct tvl_config *c)
{
    return c->tls && c->cc && tvl_cc_find(c->cc) && c->sched && tvl_sched_find(c->sched) &&
           c->coupling && (c->coupling[0] == 0 || tvl_couple_find(c->coupling)) &&
           c->objective <= TVL_OBJECTIVE_VIDEO &&
           tvl_choice_deadline_valid(c->objective_deadline) &&
           within(c->idle_timeout, 1000000, 600000000) &&
           within(c->handshake_timeout, 1000000, 60000000) &&
           (c->keepalive == 0 || within(c->keepalive, 50000, 60000000)) &&
           (c->max_path_id <= 255 || c->max_path_id == UINT32_MAX) &&
           within(c->stream_window, 16u << 10, 64u << 20) &&
           within(c->conn_window, 64u << 10, 256u << 20) && c->streams_bidi <= 1u << 16 &&
           c->streams_uni <= 1u << 16 && within(c->conns_max, 1, 65536) &&
           within(c->handshakes_max, 1, 65536) && within(c->workers, 1, TVL_WORKERS_MAX) &&
           c->worker < c->workers && within(c->mtu_max, 1200, TVL_DATAGRAM_MAX) &&
           (c->first_version == 0 || (c->first_version & 0x0f0f0f0f) == 0x0a0a0a0a) &&
           c->datagram_max <= 65535 &&
           (c->repair_span == 0 || within(c->repair_span, 16u << 10, 1u << 20)) &&
           c->retry <= TVL_RETRY_NEVER && tvl_lb_valid(&c->lb);
}

/* What tokens and resets are made with: the configured secret, or one of this endpoint's own. */
static int set_secrets(struct tvl_endpoint *ep)
{
    static const uint8_t none[sizeof ep->cfg.secret];
    int r;

    if (memcmp(ep->cfg.secret, none, sizeof none) == 0)
        tvl_rng_bytes(&ep->rng, ep->cfg.secret, sizeof ep->cfg.secret);
    r = tvl_ids_init(&ep->ids, &ep->cfg, ep->cfg.secret, &ep->rng);
    if (r == 0 && tvl_tls_is_server(ep->cfg.tls))
        r = tvl_door_init(&ep->door, &ep->cfg, ep->cfg.secret, &ep->ids, &ep->rng);
    return r;
}

/* Names of our own instead of the caller's, which may be gone tomorrow. */
static void own_names(struct tvl_config *c)
{
    c->cc = tvl_cc_find(c->cc)->name;
    c->sched = tvl_sched_find(c->sched)->name;
    c->coupling = c->coupling[0] ? tvl_couple_find(c->coupling)->name : "";
}

int tvl_endpoint_new(struct tvl_endpoint **out, const struct tvl_config *cfg)
{
    struct tvl_endpoint *ep;
    int r;

    if (!config_valid(cfg))
        return TVL_ERR_ARG;
    ep = calloc(1, sizeof *ep);
    if (!ep)
        return TVL_ERR_NOMEM;
    ep->cfg = *cfg;
    own_names(&ep->cfg);
    tvl_tls_ref(cfg->tls);
    tvl_turns_init(&ep->turns);
    tvl_sessions_init(&ep->sessions);
    ep->next_id = 1;
    r = tvl_rng_init(&ep->rng, cfg->seed);
    if (r == 0)
        r = set_secrets(ep);
    if (r != 0) {
        tvl_endpoint_free(ep);
        return r;
    }
    *out = ep;
    return 0;
}

const struct tvl_config *tvl_endpoint_config(const struct tvl_endpoint *ep)
{
    return &ep->cfg;
}

struct tvl_rng *tvl_endpoint_rng(struct tvl_endpoint *ep)
{
    return &ep->rng;
}

struct tvl_sessions *tvl_endpoint_sessions(struct tvl_endpoint *ep)
{
    return &ep->sessions;
}

size_t tvl_session_export(const struct tvl_endpoint *ep, const char *server_name, uint8_t *bytes,
                          size_t cap)
{
    return tvl_sessions_export(&ep->sessions, server_name, bytes, cap);
}

int tvl_session_import(struct tvl_endpoint *ep, const char *server_name, const uint8_t *bytes,
                       size_t len)
{
    if (!server_name || !server_name[0])
        return TVL_ERR_ARG;
    return tvl_sessions_import(&ep->sessions, server_name, bytes, len);
}

struct tvl_ids *tvl_endpoint_ids(struct tvl_endpoint *ep)
{
    return &ep->ids;
}

size_t tvl_endpoint_token(struct tvl_endpoint *ep, const struct sockaddr_storage *remote,
                          tvl_time now, uint8_t out[TVL_TOKEN_SIZE_MAX])
{
    return tvl_door_token(&ep->door, remote, now, out);
}

/* ---- the map ---- */

static struct tvl_cid key_of(const struct tvl_cid *cid)
{
    struct tvl_cid key;

    memset(&key, 0, sizeof key);
    key.len = cid->len;
    memcpy(key.b, cid->b, cid->len);
    return key;
}

static struct cid_entry *find(struct tvl_endpoint *ep, const struct tvl_cid *cid)
{
    const struct tvl_cid key = key_of(cid);
    struct cid_entry *e = NULL;

    HASH_FIND(hh, ep->by_cid, &key, sizeof key, e);
    return e;
}

int tvl_endpoint_map(struct tvl_endpoint *ep, const struct tvl_cid *cid, struct tvl_conn *conn,
                     uint32_t path_id)
{
    struct cid_entry *e;

    if (find(ep, cid))
        return TVL_ERR_STATE;
    e = calloc(1, sizeof *e);
    if (!e)
        return TVL_ERR_NOMEM;
    e->cid = key_of(cid);
    e->conn = conn;
    e->path_id = path_id;
    HASH_ADD(hh, ep->by_cid, cid, sizeof e->cid, e);
    if (e->lost) {
        free(e);
        return TVL_ERR_NOMEM;
    }
    return 0;
}

void tvl_endpoint_unmap(struct tvl_endpoint *ep, const struct tvl_cid *cid)
{
    struct cid_entry *e = find(ep, cid);

    if (!e)
        return;
    HASH_DEL(ep->by_cid, e);
    free(e);
}

bool tvl_endpoint_lookup(struct tvl_endpoint *ep, const struct tvl_cid *cid,
                         const struct tvl_conn *conn, uint32_t *path_id)
{
    const struct cid_entry *e = find(ep, cid);

    if (!e || e->conn != conn)
        return false;
    *path_id = e->path_id;
    return true;
}

/* ---- connections come and go ---- */

static struct tvl_conn *conn_of(struct tvl_turn *turn)
{
    return turn ? TVL_HEAP_OWNER(turn, struct tvl_conn, turn) : NULL;
}

void tvl_endpoint_touch(struct tvl_endpoint *ep, struct tvl_conn *conn)
{
    conn->tried = false;
    if (conn->turn.all.next) /* not while it is being made */
        tvl_turns_touch(&ep->turns, &conn->turn);
}

static int conn_add(struct tvl_endpoint *ep, struct tvl_conn *conn)
{
    const int r = tvl_turns_add(&ep->turns, &conn->turn, conn->id);

    if (r != 0)
        tvl_conn_free(conn);
    else
        ep->next_id++;
    return r;
}

static void conn_remove(struct tvl_endpoint *ep, struct tvl_conn *conn)
{
    tvl_admission_leave(&ep->door.admission, &conn->guest);
    tvl_turns_remove(&ep->turns, &conn->turn);
    tvl_conn_free(conn);
}

/* What every call into a connection may leave to do. */
static void note_progress(struct tvl_endpoint *ep, struct tvl_conn *conn)
{
    if (conn->guest.shaking && conn->state != TVL_CONN_HANDSHAKE)
        tvl_admission_shaken(&ep->door.admission, &conn->guest);
}

void tvl_endpoint_free(struct tvl_endpoint *ep)
{
    struct tvl_conn *conn;

    if (!ep)
        return;
    while ((conn = conn_of(tvl_turns_any(&ep->turns))) != NULL)
        conn_remove(ep, conn);
    tvl_turns_fini(&ep->turns);
    tvl_sessions_fini(&ep->sessions);
    tvl_door_fini(&ep->door);
    tvl_rng_fini(&ep->rng);
    tvl_tls_free(ep->cfg.tls);
    free(ep);
}

int tvl_connect(struct tvl_endpoint *ep, const struct tvl_path_config *path,
                const char *server_name, struct tvl_conn **out, tvl_time now)
{
    struct tvl_conn *conn;
    int r;

    if (!server_name || tvl_tls_is_server(ep->cfg.tls))
        return TVL_ERR_ARG;
    if (ep->turns.count >= ep->cfg.conns_max)
        return TVL_ERR_FULL;
    r = tvl_conn_new_client(&conn, ep, ep->next_id, path, server_name, now);
    if (r == 0)
        r = conn_add(ep, conn);
    if (r == 0)
        *out = conn;
    return r;
}

/* ---- receiving ---- */

static struct tvl_conn *accept_client(struct tvl_endpoint *ep, struct tvl_first *first,
                                      tvl_time now)
{
    struct tvl_conn *conn;

    if (tvl_conn_new_server(&conn, ep, ep->next_id, first, now) != 0 || conn_add(ep, conn) != 0)
        return NULL;
    if (tvl_admission_enter(&ep->door.admission, &ep->cfg, &first->dgram->remote, &conn->guest) !=
        0) {
        conn_remove(ep, conn);
        return NULL;
    }
    ep->door.stats.accepted++;
    return conn;
}

/* Someone new: answered, or let in. NULL: no connection came of it. */
static struct tvl_conn *open_door(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                                  const struct tvl_packet *p, const uint8_t *bytes, tvl_time now)
{
    const struct tvl_question q = { .dgram = dgram, .packet = p, .rng = &ep->rng, .now = now };
    struct tvl_first first;
    struct tvl_conn *conn;

    if (!tvl_tls_is_server(ep->cfg.tls) || !tvl_door_knock(&ep->door, &q, bytes, &first))
        return NULL;
    conn = accept_client(ep, &first, now);
    tvl_first_fini(&first);
    return conn;
}

/*
 * A datagram that names no connection may still end one: a stateless reset looks like any packet,
 * to an ID at random. Only those that we send to from the place it came to are asked.
 */
static void offer_reset(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                        const uint8_t *bytes, tvl_time now)
{
    if (tvl_tls_is_server(ep->cfg.tls) || !tvl_conn_could_be_reset(dgram, bytes))
        return;
    for (struct tvl_turn *t = tvl_turns_any(&ep->turns); t; t = tvl_turns_any_after(&ep->turns, t))
        if (tvl_conn_has_path_to(conn_of(t), dgram) &&
            tvl_conn_take_reset(conn_of(t), dgram, bytes, now)) {
            tvl_endpoint_touch(ep, conn_of(t));
            return;
        }
}

/* The first datagram, and those behind it that belong together. As tvl_conn_recv. */
static int recv_front(struct tvl_endpoint *ep, const struct tvl_datagram *all, uint8_t *bytes,
                      tvl_time now, size_t *taken)
{
    struct tvl_datagram first = *all;
    const struct tvl_datagram *dgram = &first;
    struct tvl_packet p;
    const struct cid_entry *e;
    struct tvl_conn *conn;

    first.len = *taken = all->len < all->segment ? all->len : all->segment;
    const bool parsed = tvl_packet_parse(&p, bytes, dgram->len, ep->ids.len) == 0;
    e = parsed ? find(ep, &p.dcid) : NULL;
    conn = e ? e->conn : parsed ? open_door(ep, dgram, &p, bytes, now) : NULL;
    if (!conn) {
        ep->door.stats.datagrams_unroutable += !parsed;
        offer_reset(ep, dgram, bytes, now);
        return TVL_ERR_PACKET;
    }
    const int r = tvl_conn_recv(conn, all, bytes, now, taken);
    note_progress(ep, conn);
    tvl_endpoint_touch(ep, conn);
    return r;
}

int tvl_endpoint_recv_batch(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                            uint8_t *bytes, tvl_time now)
{
    struct tvl_datagram rest = *dgram;
    size_t taken;
    int ours = 0;

    if (dgram->len == 0 || dgram->segment == 0 || dgram->segment > TVL_DATAGRAM_MAX)
        return TVL_ERR_ARG;
    for (; rest.len > 0; rest.len -= taken) {
        const int r = recv_front(ep, &rest, bytes + (dgram->len - rest.len), now, &taken);

        ours += r > 0 ? r : 0;
    }
    return ours > 0 ? ours : TVL_ERR_PACKET;
}

int tvl_endpoint_recv(struct tvl_endpoint *ep, const struct tvl_datagram *dgram, uint8_t *bytes,
                      tvl_time now)
{
    struct tvl_datagram one = *dgram;

    one.segment = one.len;
    const int r = tvl_endpoint_recv_batch(ep, &one, bytes, now);
    return r > 0 ? 0 : r;
}

/* ---- sending, time, events: each connection that wants it in turn ---- */

static void refresh_timers(struct tvl_endpoint *ep)
{
    struct tvl_turn *turn;

    while ((turn = tvl_turns_stale(&ep->turns)) != NULL)
        tvl_turns_wake_at(&ep->turns, turn, tvl_conn_next_tick(conn_of(turn)));
}

int tvl_endpoint_send_batch(struct tvl_endpoint *ep, struct tvl_datagram *dgram, uint8_t *bytes,
                            size_t cap, tvl_time now)
{
    struct tvl_turn *turn;

    if (cap < TVL_DATAGRAM_MAX)
        return TVL_ERR_ARG;
    if (tvl_stateless_take(&ep->door.answers, dgram, bytes)) {
        dgram->segment = dgram->len;
        return 1;
    }
    while ((turn = tvl_turns_sender(&ep->turns)) != NULL) {
        const int n = tvl_conn_send(conn_of(turn), dgram, bytes, cap, now);

        if (n > 0) {
            tvl_turns_sent_one(&ep->turns, turn);
            return n;
        }
        tvl_turns_sent_all(&ep->turns, turn);
    }
    refresh_timers(ep);
    return 0;
}

int tvl_endpoint_send(struct tvl_endpoint *ep, struct tvl_datagram *dgram, uint8_t *bytes,
                      tvl_time now)
{
    return tvl_endpoint_send_batch(ep, dgram, bytes, TVL_DATAGRAM_MAX, now);
}

tvl_time tvl_endpoint_next_tick(const struct tvl_endpoint *ep)
{
    tvl_time next = tvl_turns_next(&ep->turns);

    for (struct tvl_turn *turn = tvl_turns_stale(&ep->turns); turn;
         turn = tvl_turns_stale_after(&ep->turns, turn)) {
        const tvl_time t = tvl_conn_next_tick(conn_of(turn));

        if (t < next)
            next = t;
    }
    return next;
}

void tvl_endpoint_tick(struct tvl_endpoint *ep, tvl_time now)
{
    struct tvl_turn *turn, *next;

    refresh_timers(ep);
    tvl_turns_wake(&ep->turns, now);
    for (turn = tvl_turns_stale(&ep->turns); turn; turn = next) {
        struct tvl_conn *conn = conn_of(turn);

        next = tvl_turns_stale_after(&ep->turns, turn);
        tvl_conn_tick(conn, now);
        note_progress(ep, conn);
        /* its closing period is over, and its end was told */
        if (tvl_conn_is_over(conn, now) && conn != ep->polled_closed)
            conn_remove(ep, conn);
    }
}

int tvl_endpoint_poll(struct tvl_endpoint *ep, struct tvl_event *ev)
{
    struct tvl_turn *turn;

    if (ep->polled_closed) /* nobody may ask it anything from now on */
        tvl_conn_shed(ep->polled_closed);
    ep->polled_closed = NULL;
    while ((turn = tvl_turns_teller(&ep->turns)) != NULL) {
        struct tvl_conn *conn = conn_of(turn);

        if (tvl_conn_poll(conn, ev) != 1) {
            tvl_turns_told_all(&ep->turns, turn);
            continue;
        }
        tvl_turns_touch(&ep->turns, turn);
        ev->conn = conn;
        if (ev->type == TVL_EVENT_CLOSED)
            ep->polled_closed = conn;
        return 1;
    }
    return 0;
}

/* ---- watching ---- */

void tvl_endpoint_refuse(struct tvl_endpoint *ep, bool refuse)
{
    ep->door.admission.closed = refuse;
}

void tvl_endpoint_get_stats(const struct tvl_endpoint *ep, struct tvl_endpoint_stats *out)
{
    *out = ep->door.stats;
    out->conns = (uint32_t)ep->turns.count;
    out->handshakes = ep->door.admission.handshakes;
}
