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
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#include "cid.h"
#include "conn.h"
#include "tls.h"
#include "turns.h"

struct cid_entry {
    struct tvl_cid cid; /* bytes behind `len` are zero: the whole struct is the key */
    struct tvl_conn *conn;
    uint32_t path_id;
    bool lost; /* set by uthash when it had no memory */
    UT_hash_handle hh;
};

#define TVL_NEGOTIATION_MAX 640 /* two connection IDs of 255 bytes and what is around them */

struct stateless {
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_NEGOTIATION_MAX];
};

struct tvl_endpoint {
    struct tvl_config cfg;
    struct tvl_rng rng;
    uint8_t reset_key[TVL_RESET_KEY_SIZE];
    struct tvl_sessions sessions;
    uint8_t cid_len; /* of every connection ID we issue */
    struct cid_entry *by_cid;
    struct tvl_turns turns; /* of all connections */
    uint64_t next_id;
    struct tvl_conn *polled_closed; /* its CLOSED event was given; over at the next poll */
    struct stateless stateless[TVL_STATELESS_MAX];
    size_t n_stateless;
};

/* ---- configuration ---- */

void tvl_config_init(struct tvl_config *cfg)
{
    *cfg = (struct tvl_config){
        .cc = "cubic",
        .sched = "minrtt",
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
    };
}

static bool within(uint64_t v, uint64_t low, uint64_t high)
{
    return v >= low && v <= high;
}

static bool config_valid(const struct tvl_config *c)
{
    return c->tls && c->cc && tvl_cc_find(c->cc) && c->sched && tvl_sched_find(c->sched) &&
           within(c->idle_timeout, 1000000, 600000000) &&
           within(c->handshake_timeout, 1000000, 60000000) &&
           (c->keepalive == 0 || within(c->keepalive, 50000, 60000000)) &&
           (c->max_path_id <= 255 || c->max_path_id == UINT32_MAX) &&
           within(c->stream_window, 16u << 10, 64u << 20) &&
           within(c->conn_window, 64u << 10, 256u << 20) && c->streams_bidi <= 1u << 16 &&
           c->streams_uni <= 1u << 16 && within(c->conns_max, 1, 65536) &&
           within(c->handshakes_max, 1, 65536) && within(c->workers, 1, TVL_WORKERS_MAX) &&
           c->worker < c->workers && within(c->mtu_max, 1200, TVL_DATAGRAM_MAX) &&
           c->datagram_max <= 65535;
}

int tvl_endpoint_new(struct tvl_endpoint **out, const struct tvl_config *cfg)
{
    struct tvl_endpoint *ep;

    if (!config_valid(cfg))
        return TVL_ERR_ARG;
    ep = calloc(1, sizeof *ep);
    if (!ep)
        return TVL_ERR_NOMEM;
    ep->cfg = *cfg;
    ep->cid_len = TVL_CID_LEN;
    const int r = tvl_rng_init(&ep->rng, cfg->seed);
    if (r != 0) {
        free(ep);
        return r;
    }
    tvl_rng_bytes(&ep->rng, ep->reset_key, sizeof ep->reset_key);
    tvl_tls_ref(cfg->tls);
    tvl_turns_init(&ep->turns);
    tvl_sessions_init(&ep->sessions);
    ep->next_id = 1;
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

const uint8_t *tvl_endpoint_reset_key(const struct tvl_endpoint *ep)
{
    return ep->reset_key;
}

size_t tvl_endpoint_cid_len(const struct tvl_endpoint *ep)
{
    return ep->cid_len;
}

void tvl_endpoint_make_cid(struct tvl_endpoint *ep, struct tvl_cid *out)
{
    *out = (struct tvl_cid){ .len = ep->cid_len };
    tvl_rng_bytes(&ep->rng, out->b, out->len);
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
    tvl_turns_remove(&ep->turns, &conn->turn);
    tvl_conn_free(conn);
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

static void offer_versions(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                           const struct tvl_packet *p)
{
    static const uint32_t version = TVL_VERSION_1;
    struct stateless *s = &ep->stateless[ep->n_stateless];

    if (ep->n_stateless == TVL_STATELESS_MAX)
        return;
    s->dgram = *dgram;
    struct tvl_wr w = tvl_wr_over(s->bytes, sizeof s->bytes);
    if (tvl_packet_write_negotiation(&w, p, &version, 1, (uint8_t)tvl_rng_u64(&ep->rng)) != 0)
        return; /* absurdly long connection IDs */
    s->dgram.len = (size_t)(w.p - s->bytes);
    s->dgram.ecn = 0;
    ep->n_stateless++;
}

/* A first Initial packet, RFC 9000 14.1 and 7.2: a full datagram and an unpredictable ID. */
static struct tvl_conn *accept_client(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                                      const struct tvl_packet *p, tvl_time now)
{
    struct tvl_conn *conn;

    if (dgram->len < TVL_INITIAL_DATAGRAM_MIN || p->dcid.len < 8 ||
        ep->turns.count >= ep->cfg.conns_max)
        return NULL;
    if (tvl_conn_new_server(&conn, ep, ep->next_id, dgram, p, now) != 0 || conn_add(ep, conn) != 0)
        return NULL;
    return conn;
}

int tvl_endpoint_recv(struct tvl_endpoint *ep, const struct tvl_datagram *dgram, uint8_t *bytes,
                      tvl_time now)
{
    struct tvl_packet p;
    struct cid_entry *e;
    struct tvl_conn *conn;

    if (dgram->len == 0 || dgram->len > TVL_DATAGRAM_MAX)
        return TVL_ERR_ARG;
    if (tvl_packet_parse(&p, bytes, dgram->len, ep->cid_len) != 0)
        return TVL_ERR_PACKET;
    e = find(ep, &p.dcid);
    if (e) {
        conn = e->conn;
    } else {
        if (!tvl_tls_is_server(ep->cfg.tls) || p.type == TVL_PACKET_ONE_RTT)
            return TVL_ERR_PACKET;
        if (p.type == TVL_PACKET_UNKNOWN_VERSION) {
            if (dgram->len >= TVL_INITIAL_DATAGRAM_MIN)
                offer_versions(ep, dgram, &p);
            return TVL_ERR_PACKET;
        }
        if (p.type != TVL_PACKET_INITIAL)
            return TVL_ERR_PACKET;
        conn = accept_client(ep, dgram, &p, now);
        if (!conn)
            return TVL_ERR_PACKET;
    }
    const int r = tvl_conn_recv(conn, dgram, bytes, now);
    tvl_endpoint_touch(ep, conn);
    return r;
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
    if (ep->n_stateless > 0) {
        const struct stateless *s = &ep->stateless[--ep->n_stateless];

        *dgram = s->dgram;
        dgram->segment = dgram->len;
        memcpy(bytes, s->bytes, s->dgram.len);
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
        /* its closing period is over, and its end was told */
        if (tvl_conn_is_over(conn, now) && conn != ep->polled_closed)
            conn_remove(ep, conn);
    }
}

int tvl_endpoint_poll(struct tvl_endpoint *ep, struct tvl_event *ev)
{
    struct tvl_turn *turn;

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
