/* trace.c - makes the records of <tvl/trace.h>. Contract in trace.h. */
#include "trace.h"

#include <string.h>

#include "send.h"

static enum tvl_trace_level level_name(enum tvl_level level)
{
    switch (level) {
    case TVL_LEVEL_INITIAL:
        return TVL_TRACE_INITIAL;
    case TVL_LEVEL_HANDSHAKE:
        return TVL_TRACE_HANDSHAKE;
    default:
        return TVL_TRACE_ONE_RTT;
    }
}

static enum tvl_trace_level packet_name(enum tvl_packet_type type)
{
    switch (type) {
    case TVL_PACKET_INITIAL:
        return TVL_TRACE_INITIAL;
    case TVL_PACKET_ZERO_RTT:
        return TVL_TRACE_ZERO_RTT;
    case TVL_PACKET_HANDSHAKE:
        return TVL_TRACE_HANDSHAKE;
    case TVL_PACKET_RETRY:
        return TVL_TRACE_RETRY;
    case TVL_PACKET_VERSION_NEGOTIATION:
        return TVL_TRACE_VERSION_NEGOTIATION;
    default:
        return TVL_TRACE_ONE_RTT;
    }
}

static void begin(struct tvl_trace_event *ev, const struct tvl_conn *conn, enum tvl_trace_type type,
                  uint32_t path_id)
{
    memset(ev, 0, sizeof *ev);
    ev->type = type;
    ev->conn_id = conn->id;
    ev->at = conn->now;
    ev->server = conn->side == TVL_SERVER;
    ev->path_id = path_id;
}

static void tell(const struct tvl_conn *conn, const struct tvl_trace_event *ev)
{
    conn->cfg->trace(conn->cfg->trace_user, ev);
}

/* ---- the connection ---- */

void tvl_trace_write_started(const struct tvl_conn *conn)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_CONNECTION_STARTED, 0);
    ev.start.local = conn->path[0]->at.local;
    ev.start.remote = conn->path[0]->at.remote;
    ev.start.odcid_len = conn->original_dcid.len;
    memcpy(ev.start.odcid, conn->original_dcid.b, conn->original_dcid.len);
    tell(conn, &ev);
}

void tvl_trace_write_closed(const struct tvl_conn *conn)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_CONNECTION_CLOSED, 0);
    ev.closed.kind = conn->last.kind;
    ev.closed.code = conn->last.code;
    ev.closed.reason = conn->last.reason;
    tell(conn, &ev);
}

void tvl_trace_write_params(const struct tvl_conn *conn, bool ours)
{
    const struct tvl_params *p = ours ? &conn->own : &conn->peer;
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_PARAMETERS, 0);
    ev.params.ours = ours;
    ev.params.idle_timeout_ms = p->max_idle_timeout_ms;
    ev.params.max_data = p->initial_max_data;
    ev.params.max_streams_bidi = p->initial_max_streams_bidi;
    ev.params.max_streams_uni = p->initial_max_streams_uni;
    ev.params.max_udp_payload = p->max_udp_payload_size;
    ev.params.max_ack_delay_ms = p->max_ack_delay_ms;
    ev.params.active_cid_limit = p->active_connection_id_limit;
    ev.params.datagram_max = p->max_datagram_frame_size;
    ev.params.multipath = p->has_initial_max_path_id;
    ev.params.max_path_id = p->initial_max_path_id;
    tell(conn, &ev);
}

void tvl_trace_write_freed(const struct tvl_conn *conn)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_CONNECTION_FREED, 0);
    tell(conn, &ev);
}

void tvl_trace_write_key(const struct tvl_conn *conn, enum tvl_trace_type type,
                         enum tvl_level level, const char *trigger)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, type, 0);
    ev.key.level = level_name(level);
    ev.key.phase = level == TVL_LEVEL_APP ? conn->phase.number : 0;
    ev.key.trigger = trigger;
    tell(conn, &ev);
    ev.key.server = true;
    tell(conn, &ev);
}

/* ---- packets ---- */

static void put_ack(struct tvl_trace_event *ev, struct tvl_trace_frame *out,
                    const struct tvl_frame_ack *ack)
{
    out->id = ack->path_id;
    out->offset = ack->delay;
    out->ect0 = ack->ect0;
    out->ect1 = ack->ect1;
    out->ce = ack->ce;
    out->range_from = (uint32_t)ev->packet.n_ranges;
    for (uint32_t i = 0; i < ack->count && ev->packet.n_ranges < TVL_TRACE_RANGES_MAX; i++)
        ev->packet.range[ev->packet.n_ranges++] =
            (struct tvl_trace_range){ ack->ranges[i].from, ack->ranges[i].to - 1 };
    out->ranges = (uint32_t)ev->packet.n_ranges - out->range_from;
}

static void put_cid(struct tvl_trace_frame *out, const struct tvl_frame_cid *c)
{
    out->id = c->path_id;
    out->offset = c->seq;
    if (out->type != TVL_FRAME_NEW_CONNECTION_ID && out->type != TVL_FRAME_PATH_NEW_CONNECTION_ID)
        return;
    out->code = c->retire_prior_to;
    out->cid_len = c->cid.len;
    memcpy(out->cid, c->cid.b, c->cid.len);
}

static void put_stream(struct tvl_trace_frame *out, const struct tvl_frame *f)
{
    out->id = f->stream.id;
    out->offset = f->stream.offset;
    out->len = f->stream.len;
    out->fin = f->stream.fin;
}

static void put_limit(struct tvl_trace_frame *out, const struct tvl_frame *f)
{
    const bool one =
        f->type == TVL_FRAME_MAX_STREAM_DATA || f->type == TVL_FRAME_STREAM_DATA_BLOCKED;

    out->id = one ? f->limit.id : 0;
    out->offset = f->limit.max;
}

/* PATH_ABANDON, PATH_STATUS_*, MAX_PATH_ID, PATHS_BLOCKED */
static void put_path(struct tvl_trace_frame *out, const struct tvl_frame *f)
{
    const bool limit = f->type == TVL_FRAME_MAX_PATH_ID || f->type == TVL_FRAME_PATHS_BLOCKED;

    out->id = limit ? 0 : f->path.path_id;
    out->offset = limit ? f->path.path_id : 0;
    if (f->type == TVL_FRAME_PATH_ABANDON)
        out->code = f->path.code;
    else if (!limit)
        out->offset = f->path.seq;
}

static void put_frame(struct tvl_trace_event *ev, const struct tvl_frame *f)
{
    if (ev->packet.n_frames++ >= TVL_TRACE_FRAMES_MAX)
        return;
    struct tvl_trace_frame *out = &ev->packet.frame[ev->packet.n_frames - 1];

    out->type = f->type;
    out->name = tvl_frame_name(f->type);
    if (f->type >= TVL_FRAME_STREAM && f->type <= TVL_FRAME_STREAM_LAST) {
        put_stream(out, f);
        return;
    }
    if (f->type >= TVL_FRAME_MAX_DATA && f->type <= TVL_FRAME_STREAMS_BLOCKED_UNI) {
        put_limit(out, f);
        return;
    }
    switch (f->type) {
    case TVL_FRAME_PADDING:
        out->len = f->padding;
        break;
    case TVL_FRAME_ACK:
    case TVL_FRAME_ACK_ECN:
    case TVL_FRAME_PATH_ACK:
    case TVL_FRAME_PATH_ACK_ECN:
        put_ack(ev, out, &f->ack);
        break;
    case TVL_FRAME_RESET_STREAM:
    case TVL_FRAME_STOP_SENDING:
        out->id = f->reset.id;
        out->code = f->reset.code;
        out->len = f->type == TVL_FRAME_RESET_STREAM ? f->reset.final_size : 0;
        break;
    case TVL_FRAME_CRYPTO:
        out->offset = f->crypto.offset;
        out->len = f->crypto.len;
        break;
    case TVL_FRAME_NEW_TOKEN:
        out->len = f->token.len;
        break;
    case TVL_FRAME_NEW_CONNECTION_ID:
    case TVL_FRAME_RETIRE_CONNECTION_ID:
    case TVL_FRAME_PATH_NEW_CONNECTION_ID:
    case TVL_FRAME_PATH_RETIRE_CONNECTION_ID:
    case TVL_FRAME_PATH_CIDS_BLOCKED:
        put_cid(out, &f->cid);
        break;
    case TVL_FRAME_CONNECTION_CLOSE:
    case TVL_FRAME_CONNECTION_CLOSE_APP:
        out->code = f->close.code;
        break;
    case TVL_FRAME_DATAGRAM:
    case TVL_FRAME_DATAGRAM_LEN:
        out->len = f->datagram.len;
        break;
    case TVL_FRAME_PATH_ABANDON:
    case TVL_FRAME_PATH_STATUS_BACKUP:
    case TVL_FRAME_PATH_STATUS_AVAILABLE:
    case TVL_FRAME_MAX_PATH_ID:
    case TVL_FRAME_PATHS_BLOCKED:
        put_path(out, f);
        break;
    case TVL_FRAME_PROTECTED:
    case TVL_FRAME_RECOVERED:
    case TVL_FRAME_RECOVERED | TVL_STREAM_BIT_FIN:
        out->id = f->recovered.id;
        out->offset = f->recovered.offset;
        out->len = f->recovered.len;
        out->fin = f->recovered.fin;
        break;
    case TVL_FRAME_REPAIR:
    case TVL_FRAME_REPAIR | TVL_STREAM_BIT_FIN:
        out->id = f->repair.id;
        out->offset = f->repair.offset;
        out->len = f->repair.len;
        out->code = f->repair.index;
        out->fin = f->repair.fin;
        break;
    default:
        break;
    }
}

/* ACK delays stand in units of 2^exponent us: of the sender of the frame. */
static void put_frames(struct tvl_trace_event *ev, const uint8_t *payload, size_t len,
                       uint64_t ack_exponent)
{
    struct tvl_rd rd = tvl_rd_over(payload, len);
    struct tvl_frame f;

    while (tvl_rd_left(&rd) > 0 && tvl_frame_parse(&f, &rd) == 0) {
        if (f.type == TVL_FRAME_ACK || f.type == TVL_FRAME_ACK_ECN ||
            f.type == TVL_FRAME_PATH_ACK || f.type == TVL_FRAME_PATH_ACK_ECN)
            f.ack.delay = f.ack.delay << ack_exponent;
        put_frame(ev, &f);
    }
}

void tvl_trace_write_sent(const struct tvl_builder *b)
{
    struct tvl_trace_event ev;
    const bool app = b->level == TVL_LEVEL_APP;

    begin(&ev, b->conn, TVL_TRACE_PACKET_SENT, b->path->id);
    ev.packet.level = level_name(b->level);
    ev.packet.pn = b->packet.pn;
    ev.packet.bytes = b->packet.bytes;
    ev.packet.trigger = b->trigger;
    put_frames(&ev, b->payload, (size_t)(b->w.p - b->payload),
               app ? b->conn->own.ack_delay_exponent : 3);
    tell(b->conn, &ev);
}

void tvl_trace_write_received(const struct tvl_conn *conn, const struct tvl_trace_arrival *a)
{
    struct tvl_trace_event ev;
    const bool app = a->level == TVL_LEVEL_APP;

    begin(&ev, conn, TVL_TRACE_PACKET_RECEIVED, a->path->id);
    ev.packet.level = level_name(a->level);
    ev.packet.pn = a->pn;
    ev.packet.bytes = a->bytes;
    ev.packet.ecn = a->ecn;
    put_frames(&ev, a->payload, a->payload_len, app ? conn->peer.ack_delay_exponent : 3);
    tell(conn, &ev);
}

void tvl_trace_write_unnumbered(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_PACKET_RECEIVED, 0);
    ev.packet.level = packet_name(p->type);
    ev.packet.bytes = (uint32_t)p->len;
    tell(conn, &ev);
}

static void tell_unread(const struct tvl_conn *conn, enum tvl_trace_type type,
                        const struct tvl_packet *p, const char *trigger)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, type, 0);
    ev.dropped.level = packet_name(p->type);
    ev.dropped.bytes = (uint32_t)p->len;
    ev.dropped.trigger = trigger;
    tell(conn, &ev);
}

void tvl_trace_write_dropped(const struct tvl_conn *conn, const struct tvl_packet *p,
                             const char *trigger)
{
    tell_unread(conn, TVL_TRACE_PACKET_DROPPED, p, trigger);
}

void tvl_trace_write_buffered(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    tell_unread(conn, TVL_TRACE_PACKET_BUFFERED, p, "keys_unavailable");
}

void tvl_trace_write_heeded(const struct tvl_conn *conn, const struct tvl_packet *p)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_PACKET_RECEIVED, 0);
    ev.packet.level = packet_name(p->type);
    ev.packet.bytes = (uint32_t)p->len;
    tell(conn, &ev);
}

/* ---- recovery ---- */

void tvl_trace_fate(void *user, const struct tvl_recovery *space, const struct tvl_sent_packet *p,
                    const char *rule)
{
    const struct tvl_conn *conn = user;
    enum tvl_level level = TVL_LEVEL_APP;
    struct tvl_trace_event ev;
    uint32_t path_id = 0;

    if (!tvl_traced(conn))
        return;
    if (space == &conn->initial.sent)
        level = TVL_LEVEL_INITIAL;
    else if (space == &conn->handshake.sent)
        level = TVL_LEVEL_HANDSHAKE;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (space == &conn->path[i]->app.sent)
            path_id = conn->path[i]->id;
    begin(&ev, conn, rule ? TVL_TRACE_PACKET_LOST : TVL_TRACE_PACKET_SPURIOUS, path_id);
    ev.lost.level = level_name(level);
    ev.lost.pn = p->pn;
    ev.lost.bytes = p->bytes;
    ev.lost.trigger = rule;
    tell(conn, &ev);
}

static void congestion_state(struct tvl_path *path)
{
    const struct tvl_path_cc *cc = &path->cc;
    const char *state = cc->ops->state ? cc->ops->state(cc->state) : NULL;
    struct tvl_trace_event ev;

    if (!state || state == path->cc_state_told)
        return;
    path->cc_state_told = state;
    begin(&ev, path->conn, TVL_TRACE_CONGESTION_STATE, path->id);
    ev.congestion.controller = cc->ops->name;
    ev.congestion.state = state;
    tell(path->conn, &ev);
}

void tvl_trace_write_metrics(struct tvl_path *path)
{
    const struct tvl_path_cc *cc = &path->cc;
    struct tvl_trace_event ev;

    begin(&ev, path->conn, TVL_TRACE_RECOVERY_METRICS, path->id);
    ev.metrics.rtt_latest = cc->rtt.latest;
    ev.metrics.srtt = cc->rtt.smoothed;
    ev.metrics.rttvar = cc->rtt.var;
    ev.metrics.rtt_min = cc->rtt.min;
    ev.metrics.cwnd = tvl_path_cc_cwnd(cc);
    ev.metrics.in_flight = cc->in_flight;
    ev.metrics.pacing_bps = tvl_path_cc_pacing_bps(cc);
    ev.metrics.pto_count = cc->pto_count;
    tell(path->conn, &ev);
    congestion_state(path);
}

void tvl_trace_write_timer(const struct tvl_conn *conn, const struct tvl_path *path,
                           const char *timer)
{
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_TIMER_EXPIRED, path ? path->id : 0);
    ev.timer.timer = timer;
    tell(conn, &ev);
}

/* ---- paths and streams ---- */

void tvl_trace_write_path(const struct tvl_path *path, enum tvl_trace_type type, const char *why)
{
    struct tvl_trace_event ev;

    begin(&ev, path->conn, type, path->id);
    ev.path.state = path->state;
    ev.path.why = why;
    ev.path.local = path->at.local;
    ev.path.remote = path->at.remote;
    ev.path.mtu = path->mtu.current;
    ev.path.ecn = path->cc.ecn.state == TVL_ECN_CAPABLE;
    tell(path->conn, &ev);
}

void tvl_trace_only(struct tvl_conn *conn, const struct tvl_path *path, const char *kind)
{
    if (!tvl_traced(conn) || (!conn->hold_told && conn->picked_told == path))
        return;
    const struct tvl_sched_path offer = { .id = path->id,
                                          .srtt = tvl_rtt_srtt(&path->cc.rtt),
                                          .room = tvl_path_cc_room(&path->cc, conn->now),
                                          .cwnd = tvl_path_cc_cwnd(&path->cc),
                                          .in_flight = path->cc.in_flight };
    tvl_trace_scheduler(conn, &offer, 1, 0, tvl_streams_first(&conn->streams).rank, kind);
    conn->picked_told = path;
}

void tvl_trace_scheduler(struct tvl_conn *conn, const struct tvl_sched_path *offer, size_t n,
                         int picked, uint64_t rank, const char *kind)
{
    struct tvl_trace_event ev;
    const bool held = picked < 0;

    if (!tvl_traced(conn) || (held && conn->hold_told))
        return;
    conn->hold_told = held;
    conn->picked_told = NULL;
    begin(&ev, conn, TVL_TRACE_SCHEDULER, held ? 0 : offer[picked].id);
    ev.scheduler.kind = kind;
    ev.scheduler.n = n;
    ev.scheduler.picked = held ? -1 : (int)offer[picked].id;
    ev.scheduler.rank = rank;
    for (size_t i = 0; i < n; i++) {
        ev.scheduler.offer[i].id = offer[i].id;
        ev.scheduler.offer[i].srtt = offer[i].srtt;
        ev.scheduler.offer[i].room = offer[i].room;
        ev.scheduler.offer[i].cwnd = offer[i].cwnd;
        ev.scheduler.offer[i].in_flight = offer[i].in_flight;
    }
    tell(conn, &ev);
}

void tvl_trace_controller(const struct tvl_path *path, const char *from,
                          const struct tvl_path_model *model, const struct tvl_select_row *row,
                          size_t n, const char *reason)
{
    struct tvl_trace_event ev;

    if (!tvl_traced(path->conn))
        return;
    begin(&ev, path->conn, TVL_TRACE_CONTROLLER, path->id);
    ev.controller.from = from;
    ev.controller.to = path->cc.ops->name;
    ev.controller.objective = path->conn->objective;
    ev.controller.reason = reason;
    ev.controller.model = *model;
    ev.controller.n = n;
    memcpy(ev.controller.row, row, n * sizeof row[0]);
    tell(path->conn, &ev);
}

static const char *const send_words[] = {
    [TVL_SEND_NONE] = "none",
    [TVL_SEND_READY] = "ready",
    [TVL_SEND_SEND] = "send",
    [TVL_SEND_DATA_SENT] = "data_sent",
    [TVL_SEND_DATA_RECVD] = "data_received",
    [TVL_SEND_RESET_SENT] = "reset_sent",
    [TVL_SEND_RESET_RECVD] = "reset_received",
};
static const char *const recv_words[] = {
    [TVL_RECV_NONE] = "none",
    [TVL_RECV_RECV] = "receive",
    [TVL_RECV_SIZE_KNOWN] = "size_known",
    [TVL_RECV_DATA_RECVD] = "data_received",
    [TVL_RECV_DATA_READ] = "data_read",
    [TVL_RECV_RESET_RECVD] = "reset_received",
    [TVL_RECV_RESET_READ] = "reset_read",
};

static const char *reset_word(const struct tvl_stream *s)
{
    if (s->news & TVL_NEWS_EXPIRED)
        return "deadline";
    return s->news & TVL_NEWS_STOPPED ? "stop_sending" : "application";
}

void tvl_trace_stream(void *user, const struct tvl_stream *s, bool sending)
{
    const struct tvl_conn *conn = user;
    struct tvl_trace_event ev;

    begin(&ev, conn, TVL_TRACE_STREAM_STATE, 0);
    ev.stream.id = s->id;
    ev.stream.sending = sending;
    ev.stream.state = sending ? send_words[s->send_state] : recv_words[s->recv_state];
    if (sending && s->send_state == TVL_SEND_RESET_SENT)
        ev.stream.why = reset_word(s);
    tell(conn, &ev);
}
