/*
 * conn.c - begins and ends a connection, keeps its events, routes the public calls to their nouns.
 * It holds no algorithm.
 */
#include "conn.h"

#include <stdlib.h>
#include <string.h>

#include "choice.h"
#include "coupling.h"
#include "endpoint.h"
#include "trace.h"

/* ---- begin and end ---- */

/* What a client calls a server it knows nothing of, RFC 9000 7.2. */
static struct tvl_cid random_cid(struct tvl_endpoint *ep)
{
    struct tvl_cid cid = { .len = TVL_CID_LEN };

    tvl_rng_bytes(tvl_endpoint_rng(ep), cid.b, cid.len);
    return cid;
}

static void init_space(struct tvl_conn *conn, struct tvl_space *s, tvl_time now)
{
    tvl_recovery_init(&s->sent, &conn->path[0]->cc, &tvl_control_fate, conn, now);
    s->sent.pto_when_idle = conn->side == TVL_CLIENT;
    tvl_ack_init(&s->received, TVL_ACK_AT_ONCE);
}

static void init_streams(struct tvl_conn *conn)
{
    const struct tvl_streams_config sc = {
        .buffer_max = TVL_CONN_BUFFER_MAX,
        .side = conn->side,
        .stream_window = conn->cfg->stream_window,
        .conn_window = conn->cfg->conn_window,
        .streams_bidi = conn->cfg->streams_bidi,
        .streams_uni = conn->cfg->streams_uni,
        .note = tvl_traced(conn) ? tvl_trace_stream : NULL,
        .note_user = conn,
    };

    tvl_streams_init(&conn->streams, &sc);
}

/* Issue our handshake ID: sequence number 0 of path 0, known to the peer without a frame. */
static int issue_first(struct tvl_conn *conn)
{
    uint8_t token[TVL_CID_TOKEN_LEN];
    int r;

    tvl_ids_make(tvl_endpoint_ids(conn->ep), &conn->local_scid);
    r = tvl_ids_token(tvl_endpoint_ids(conn->ep), &conn->local_scid, token);
    if (r == 0)
        r = tvl_endpoint_map(conn->ep, &conn->local_scid, conn, 0);
    if (r == 0 && !tvl_cids_issue(&conn->cids, 0, &conn->local_scid, token)) {
        tvl_endpoint_unmap(conn->ep, &conn->local_scid);
        r = TVL_ERR_NOMEM;
    }
    return r;
}

static int conn_new(struct tvl_conn **out, struct tvl_endpoint *ep, uint64_t id, enum tvl_side side,
                    tvl_time now)
{
    struct tvl_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return TVL_ERR_NOMEM;
    conn->ep = ep;
    conn->cfg = tvl_endpoint_config(ep);
    conn->id = id;
    conn->side = side;
    conn->began_at = conn->now = conn->idle_since = now;
    conn->idle_timeout = conn->cfg->idle_timeout;
    conn->coupling = tvl_couple_find(conn->cfg->coupling);
    conn->objective = conn->cfg->objective;
    conn->objective_deadline = conn->cfg->objective_deadline;
    conn->sched = tvl_sched_find(conn->cfg->sched);
    for (size_t i = 0; i < TVL_LEVELS; i++) {
        tvl_sendbuf_init(&conn->crypto[i].out);
        tvl_recvbuf_init(&conn->crypto[i].in);
    }
    init_streams(conn);
    if (conn->sched->init)
        conn->sched->init(conn->sched_state, now);
    if (!tvl_path_new(conn, 0, now)) {
        tvl_conn_free(conn);
        return TVL_ERR_NOMEM;
    }
    conn->path[0]->app.sent.pto_off = true; /* until the handshake is confirmed */
    init_space(conn, &conn->initial, now);
    init_space(conn, &conn->handshake, now);
    *out = conn;
    return 0;
}

int tvl_conn_new_client(struct tvl_conn **out, struct tvl_endpoint *ep, uint64_t id,
                        const struct tvl_path_config *path, const char *server_name, tvl_time now)
{
    struct tvl_conn *conn;
    int r = conn_new(&conn, ep, id, TVL_CLIENT, now);

    if (r != 0)
        return r;
    conn->path[0]->at.local = path->local;
    conn->path[0]->at.remote = conn->handshake_remote = path->remote;
    conn->path[0]->at.tag = path->tag;
    conn->path[0]->backup_asked = conn->path[0]->status_wanted = path->backup;
    conn->path[0]->peer_backup = path->backup;
    conn->path[0]->status_seq = path->backup;
    conn->original_dcid = conn->first_dcid = conn->remote_cid = random_cid(ep);
    conn->version = conn->cfg->first_version;
    r = issue_first(conn);
    if (r == 0)
        r = tvl_keys_initial(&conn->write[TVL_LEVEL_INITIAL], &conn->read[TVL_LEVEL_INITIAL],
                             conn->first_dcid.b, conn->first_dcid.len);
    tvl_trace_started(conn);
    if (r == 0)
        r = tvl_handshake_begin(conn, server_name);
    if (r != 0) {
        tvl_conn_free(conn);
        return r;
    }
    *out = conn;
    return 0;
}

/* What the client's first Initial, and its token, have told. */
static int take_first(struct tvl_conn *conn, struct tvl_first *first)
{
    const struct tvl_new_cid theirs = { .cid = &first->packet->scid };
    struct tvl_path *p = conn->path[0];

    p->at.local = first->dgram->local;
    p->at.remote = first->dgram->remote;
    p->at.tag = first->dgram->tag;
    p->at.validated = first->proved;
    conn->original_dcid = first->original_dcid;
    conn->first_dcid = first->packet->dcid;
    conn->retried = first->retried;
    conn->retry_scid = first->packet->dcid;
    conn->remote_cid = first->packet->scid;
    conn->read[TVL_LEVEL_INITIAL] = first->client;
    conn->write[TVL_LEVEL_INITIAL] = first->server;
    first->client = first->server = (struct tvl_keys){ .suite = 0 };
    if (tvl_cids_learn(&conn->cids, &theirs) != 0)
        return TVL_ERR_PACKET;
    (void)tvl_path_take_cid(p, &p->at);
    return tvl_endpoint_map(conn->ep, &conn->first_dcid, conn, 0);
}

int tvl_conn_new_server(struct tvl_conn **out, struct tvl_endpoint *ep, uint64_t id,
                        struct tvl_first *first, tvl_time now)
{
    struct tvl_conn *conn;
    int r = conn_new(&conn, ep, id, TVL_SERVER, now);

    if (r != 0)
        return r;
    r = take_first(conn, first);
    if (r == 0)
        r = issue_first(conn);
    tvl_trace_started(conn);
    if (r == 0)
        r = tvl_handshake_begin(conn, NULL);
    if (r != 0) {
        tvl_conn_free(conn);
        return r;
    }
    *out = conn;
    return 0;
}

static void unmap(struct tvl_conn *conn, const struct tvl_cid *cid)
{
    uint32_t id;

    if (tvl_endpoint_lookup(conn->ep, cid, conn, &id))
        tvl_endpoint_unmap(conn->ep, cid);
}

void tvl_conn_shed(struct tvl_conn *conn)
{
    tvl_tls_conn_free(conn->tls);
    conn->tls = NULL;
    for (size_t i = 0; i < TVL_LEVELS; i++) {
        tvl_sendbuf_fini(&conn->crypto[i].out);
        tvl_recvbuf_fini(&conn->crypto[i].in);
    }
    tvl_held_fini(&conn->held);
    tvl_recovery_fini(&conn->initial.sent);
    tvl_recovery_fini(&conn->handshake.sent);
    for (size_t i = 0; i < conn->n_paths; i++)
        tvl_recovery_fini(&conn->path[i]->app.sent);
    tvl_streams_fini(&conn->streams);
    tvl_dgrams_fini(&conn->dgrams);
    tvl_repair_out_fini(&conn->repair_out);
    tvl_repair_in_fini(&conn->repair_in);
}

void tvl_conn_free(struct tvl_conn *conn)
{
    if (!conn)
        return;
    tvl_trace_freed(conn);
    unmap(conn, &conn->first_dcid);
    for (size_t i = 0; i < conn->cids.n_local; i++)
        unmap(conn, &conn->cids.local[i].cid);
    tvl_cids_fini(&conn->cids);
    for (size_t i = 0; i < TVL_LEVELS; i++) {
        tvl_keys_fini(&conn->read[i]);
        tvl_keys_fini(&conn->write[i]);
    }
    tvl_keyphase_fini(&conn->phase);
    tvl_conn_shed(conn);
    for (size_t i = 0; i < conn->n_paths; i++)
        tvl_path_free(conn->path[i]);
    free(conn->server_name);
    free(conn->token);
    free(conn);
}

void tvl_conn_touch(struct tvl_conn *conn)
{
    tvl_endpoint_touch(conn->ep, conn);
}

bool tvl_conn_alive(const struct tvl_conn *conn)
{
    return conn->state == TVL_CONN_HANDSHAKE || conn->state == TVL_CONN_OPEN;
}

/* ---- events ---- */

void tvl_conn_event(struct tvl_conn *conn, const struct tvl_event *ev)
{
    if (conn->n_events == TVL_EVENTS_MAX)
        return; /* a caller that does not poll: path states can still be asked for */
    conn->event[(conn->event_first + conn->n_events++) % TVL_EVENTS_MAX] = (struct tvl_news){
        .type = (uint8_t)ev->type,
        .state = ev->type == TVL_EVENT_PATH ? (uint8_t)ev->path.state : 0,
        .path_id = ev->type == TVL_EVENT_PATH         ? ev->path.id
                   : ev->type == TVL_EVENT_CONTROLLER ? ev->controller.id
                                                      : 0,
    };
}

static bool poll_streams(struct tvl_conn *conn, struct tvl_event *ev)
{
    struct tvl_streams_event se;

    if (!tvl_streams_poll(&conn->streams, &se))
        return false;
    ev->type = se.type;
    if (se.type == TVL_EVENT_STREAMS) {
        ev->streams.dir = se.dir;
    } else {
        ev->stream.id = se.id;
        ev->stream.code = se.code;
    }
    return true;
}

static bool poll_news(struct tvl_conn *conn, struct tvl_event *ev)
{
    while (conn->n_events > 0) {
        const struct tvl_news n = conn->event[conn->event_first];
        const struct tvl_path *p;

        conn->event_first = (conn->event_first + 1) % TVL_EVENTS_MAX;
        conn->n_events--;
        ev->type = (enum tvl_event_type)n.type;
        if (ev->type == TVL_EVENT_PATH) {
            ev->path.id = n.path_id;
            ev->path.state = (enum tvl_path_state)n.state;
        } else if (ev->type == TVL_EVENT_CONTROLLER) {
            p = tvl_path_find(conn, n.path_id);
            if (!p)
                continue; /* forgotten meanwhile */
            tvl_choice_tell(p, ev);
        }
        return true;
    }
    return false;
}

static bool poll_closed(struct tvl_conn *conn, struct tvl_event *ev)
{
    if (!conn->last.set || conn->last.told || (conn->last.send && conn->state == TVL_CONN_CLOSING))
        return false; /* the goodbye leaves first: the caller may stop driving after the event */
    conn->last.told = true;
    ev->type = TVL_EVENT_CLOSED;
    ev->closed.kind = conn->last.kind;
    ev->closed.code = conn->last.code;
    memcpy(ev->closed.reason, conn->last.reason, sizeof ev->closed.reason);
    return true;
}

int tvl_conn_poll(struct tvl_conn *conn, struct tvl_event *ev)
{
    const struct tvl_dgram *g;

    if (conn->last.told)
        return 0;
    *ev = (struct tvl_event){ .conn = conn };
    if (conn->side == TVL_SERVER && !conn->accepted_told) {
        conn->accepted_told = true;
        ev->type = TVL_EVENT_ACCEPTED;
        return 1;
    }
    if (poll_news(conn, ev))
        return 1;
    if (poll_streams(conn, ev))
        return 1;
    g = tvl_dgrams_poll(&conn->dgrams);
    if (g) {
        ev->type = TVL_EVENT_DATAGRAM;
        ev->datagram.bytes = g->bytes;
        ev->datagram.len = g->len;
        return 1;
    }
    return poll_closed(conn, ev);
}

/* ---- public calls ---- */

void tvl_conn_set_user(struct tvl_conn *conn, void *user)
{
    conn->user = user;
}

void *tvl_conn_user(const struct tvl_conn *conn)
{
    return conn->user;
}

uint64_t tvl_conn_id(const struct tvl_conn *conn)
{
    return conn->id;
}

size_t tvl_conn_original_id(const struct tvl_conn *conn, uint8_t out[TVL_ORIGINAL_ID_MAX])
{
    memcpy(out, conn->original_dcid.b, conn->original_dcid.len);
    return conn->original_dcid.len;
}

const char *tvl_conn_alpn(const struct tvl_conn *conn)
{
    return tvl_tls_conn_alpn(conn->tls);
}

const char *tvl_conn_peer_subject(const struct tvl_conn *conn)
{
    return conn->tls ? tvl_tls_conn_peer_subject(conn->tls) : "";
}

static bool open_for_data(const struct tvl_conn *conn)
{
    return conn->state == TVL_CONN_OPEN;
}

int tvl_stream_open(struct tvl_conn *conn, enum tvl_dir dir, uint64_t *id)
{
    tvl_conn_touch(conn);
    return open_for_data(conn) ? tvl_streams_open(&conn->streams, dir, id) : TVL_ERR_STATE;
}

int tvl_stream_send(struct tvl_conn *conn, const struct tvl_stream_order *order,
                    const struct tvl_part *part, size_t n, uint64_t *id)
{
    tvl_conn_touch(conn);
    return open_for_data(conn) ? tvl_streams_send(&conn->streams, order, part, n, conn->now, id)
                               : TVL_ERR_STATE;
}

int tvl_stream_set_rank(struct tvl_conn *conn, uint64_t id, uint64_t rank)
{
    tvl_conn_touch(conn);
    return tvl_streams_set_rank(&conn->streams, id, rank);
}

int tvl_stream_set_deadline(struct tvl_conn *conn, uint64_t id, tvl_time deadline, uint64_t code)
{
    tvl_conn_touch(conn);
    return tvl_streams_set_deadline(&conn->streams, id, deadline, code);
}

int64_t tvl_stream_write(struct tvl_conn *conn, uint64_t id, const uint8_t *bytes, size_t len,
                         bool fin)
{
    tvl_conn_touch(conn);
    return open_for_data(conn) ? tvl_streams_write(&conn->streams, id, bytes, len, fin)
                               : TVL_ERR_STATE;
}

int64_t tvl_stream_read(struct tvl_conn *conn, uint64_t id, uint8_t *bytes, size_t cap, bool *fin)
{
    tvl_conn_touch(conn);
    return tvl_streams_read(&conn->streams, id, bytes, cap, fin);
}

int64_t tvl_stream_peek(const struct tvl_conn *conn, uint64_t id, const uint8_t **bytes, bool *fin)
{
    return tvl_streams_peek(&conn->streams, id, bytes, fin);
}

int tvl_stream_consume(struct tvl_conn *conn, uint64_t id, size_t len, bool *fin)
{
    tvl_conn_touch(conn);
    return tvl_streams_consume(&conn->streams, id, len, fin);
}

int tvl_stream_reset(struct tvl_conn *conn, uint64_t id, uint64_t code)
{
    tvl_conn_touch(conn);
    return tvl_streams_reset(&conn->streams, id, code);
}

int tvl_stream_stop(struct tvl_conn *conn, uint64_t id, uint64_t code)
{
    tvl_conn_touch(conn);
    return tvl_streams_stop(&conn->streams, id, code);
}

int tvl_stream_set_flow(struct tvl_conn *conn, uint64_t id, uint32_t flow)
{
    tvl_conn_touch(conn);
    return tvl_streams_set_flow(&conn->streams, id, flow, conn->now);
}

int tvl_flow_set(struct tvl_conn *conn, uint32_t flow, const struct tvl_flow_config *cfg)
{
    tvl_conn_touch(conn);
    return tvl_streams_set_rule(&conn->streams, flow, cfg);
}

uint64_t tvl_backlog(const struct tvl_conn *conn, uint64_t rank)
{
    return tvl_streams_backlog(&conn->streams, rank);
}

size_t tvl_datagram_room(const struct tvl_conn *conn)
{
    const uint64_t around = 48; /* packet header 25, frame header 3, tag 16, rounded up */
    const uint64_t frame = 9;   /* of the peer's limit: type and longest length */
    uint64_t room = conn->peer.max_datagram_frame_size;

    if (!tvl_handshake_is_done(conn) || room <= frame)
        return 0;
    room -= frame;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]) && conn->path[i]->mtu.current - around < room)
            room = conn->path[i]->mtu.current - around;
    return room < TVL_DATAGRAM_MAX - around ? (size_t)room : TVL_DATAGRAM_MAX - around;
}

int tvl_datagram_write(struct tvl_conn *conn, const uint8_t *bytes, size_t len)
{
    return tvl_datagram_write_until(conn, bytes, len, TVL_TIME_NEVER);
}

int tvl_datagram_write_until(struct tvl_conn *conn, const uint8_t *bytes, size_t len,
                             tvl_time deadline)
{
    if (!open_for_data(conn) || conn->peer.max_datagram_frame_size == 0)
        return TVL_ERR_STATE;
    if (len > tvl_datagram_room(conn))
        return TVL_ERR_ARG;
    tvl_conn_touch(conn);
    return tvl_dgrams_write(&conn->dgrams, bytes, len, deadline);
}

/* ---- statistics ---- */

static void path_stats(const struct tvl_path *p, struct tvl_path_stats *out)
{
    const struct tvl_rtt *rtt = &p->cc.rtt;

    *out = (struct tvl_path_stats){
        .id = p->id,
        .state = p->state,
        .backup = p->peer_backup,
        .tag = p->at.tag,
        .local = p->at.local,
        .remote = p->at.remote,
        .cc = p->cc.ops->name,
        .cc_chosen = p->cc_chosen,
        .rtt_latest = rtt->latest,
        .srtt = rtt->smoothed,
        .rttvar = rtt->var,
        .rtt_min = rtt->min,
        .cwnd = tvl_path_cc_cwnd(&p->cc),
        .in_flight = p->cc.in_flight,
        .pacing_bps = tvl_path_cc_pacing_bps(&p->cc),
        .delivery_bps = tvl_rate_recent_bps(&p->cc.rate, p->conn->now),
        .bytes_sent = p->bytes_sent,
        .bytes_received = p->bytes_received,
        .packets_sent = p->packets_sent,
        .packets_received = p->packets_received,
        .packets_lost = p->app.sent.packets_lost,
        .bytes_lost = p->app.sent.bytes_lost,
        .bottleneck = tvl_coupling_group(p),
        .proof_at = p->health.proof_at,
        .packets_spurious = p->app.sent.spurious,
        .mtu = p->mtu.current,
        .validated = p->at.validated,
        .ecn = p->cc.ecn.state == TVL_ECN_CAPABLE,
        .ecn_ce_sent = p->app.sent.ecn.told.ce,
        .ecn_ce_received = p->app.received.ecn.ce,
        .rebindings = p->rebindings,
        .evacuations = p->evacuations,
    };
}

size_t tvl_paths(const struct tvl_conn *conn, struct tvl_path_stats *out, size_t cap)
{
    size_t n = 0;

    for (; n < conn->n_paths && n < cap; n++)
        path_stats(conn->path[n], &out[n]);
    return n;
}

void tvl_conn_get_stats(const struct tvl_conn *conn, struct tvl_conn_stats *out)
{
    const struct tvl_streams_stats *s = &conn->streams.stats;

    *out = (struct tvl_conn_stats){
        .handshake_time = conn->handshake_time,
        .bytes_sent = conn->bytes_sent,
        .bytes_received = conn->bytes_received,
        .stream_bytes_sent = s->bytes_sent,
        .stream_bytes_resent = s->bytes_resent,
        .stream_bytes_received = s->bytes_received,
        .streams_expired = s->expired,
        .datagrams_sent = conn->dgrams.sent,
        .datagrams_expired = conn->dgrams.expired,
        .datagrams_acked = conn->dgrams.acked,
        .datagrams_lost = conn->dgrams.lost,
        .datagrams_received = conn->dgrams.received,
        .datagrams_dropped = conn->dgrams.dropped,
        .repairs_sent = conn->repair_out.sent,
        .repair_bytes_sent = conn->repair_out.sent_bytes,
        .repairs_received = conn->repair_in.received,
        .stream_bytes_recovered = conn->repair_in.recovered,
        .multipath = conn->multipath,
        .repair = conn->have_peer_params && conn->peer.max_repair_span > 0,
        .key_updates = conn->phase.number,
        .packets_dropped = conn->packets_dropped,
        .resumed = conn->tls && tvl_tls_conn_resumed(conn->tls),
        .suite = conn->tls ? tvl_tls_conn_suite(conn->tls) : 0,
    };
    double sent = 0;

    for (size_t i = 0; i < conn->n_paths; i++) {
        const struct tvl_path *p = conn->path[i];
        const struct tvl_surety *surety = &p->cc.surety;
        const uint64_t rate = tvl_path_cc_rate_bps(&p->cc);

        if (!tvl_path_is_up(p))
            continue;
        out->rate_bps += rate;
        out->sure_bps += surety->queued && surety->capacity_bps < (double)rate
                             ? (uint64_t)surety->capacity_bps
                             : rate;
        out->loss += surety->loss * (double)rate;
        sent += (double)rate;
    }
    out->loss = sent > 0 ? out->loss / sent : 0;
}

int tvl_stream_get_stats(const struct tvl_conn *conn, uint64_t id, struct tvl_stream_stats *out)
{
    return tvl_streams_get_stats(&conn->streams, id, out);
}

int tvl_flow_get_stats(const struct tvl_conn *conn, uint32_t flow, struct tvl_flow_stats *out)
{
    if (flow >= TVL_FLOWS_MAX)
        return TVL_ERR_ARG;
    tvl_flows_get(&conn->streams.flows, flow, out);
    return 0;
}
