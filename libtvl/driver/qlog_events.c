/* qlog_events.c - see qlog_events.h. */
#include "qlog_events.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define TUPLE_TEXT 24 /* "4294967295.4294967295" */

static const char *packet_type(enum tvl_trace_level level)
{
    static const char *const words[] = {
        [TVL_TRACE_INITIAL] = "initial",
        [TVL_TRACE_ZERO_RTT] = "0RTT",
        [TVL_TRACE_HANDSHAKE] = "handshake",
        [TVL_TRACE_ONE_RTT] = "1RTT",
        [TVL_TRACE_RETRY] = "retry",
        [TVL_TRACE_VERSION_NEGOTIATION] = "version_negotiation",
        [TVL_TRACE_STATELESS_RESET] = "stateless_reset",
    };
    return words[level];
}

static const char *key_type(enum tvl_trace_level level, bool server)
{
    switch (level) {
    case TVL_TRACE_INITIAL:
        return server ? "server_initial_secret" : "client_initial_secret";
    case TVL_TRACE_HANDSHAKE:
        return server ? "server_handshake_secret" : "client_handshake_secret";
    default:
        return server ? "server_1rtt_secret" : "client_1rtt_secret";
    }
}

/* ---- addresses ---- */

static void write_endpoint(struct qjson *j, const char *name, const struct sockaddr_storage *ss)
{
    char text[INET6_ADDRSTRLEN] = "";

    qjson_open(j, name, '{');
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)ss;

        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        qjson_text(j, "ip_v4", text);
        qjson_u64(j, "port_v4", ntohs(in->sin_port));
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)ss;

        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        qjson_text(j, "ip_v6", text);
        qjson_u64(j, "port_v6", ntohs(in6->sin6_port));
    }
    qjson_close(j, '}');
}

static unsigned *moves_of(struct qlog_tuples *t, uint32_t path_id)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->path[i].path_id == path_id)
            return &t->path[i].moves;
    if (t->n == TVL_QLOG_PATHS) /* IDs rise: the lowest is the one most surely over */
        memmove(&t->path[0], &t->path[1], --t->n * sizeof t->path[0]);
    t->path[t->n].path_id = path_id;
    t->path[t->n].moves = 0;
    return &t->path[t->n++].moves;
}

/* "2", and after two moves "2.2". */
static void tuple_text(char *out, struct qlog_tuples *t, uint32_t path_id)
{
    const unsigned moves = *moves_of(t, path_id);

    if (moves)
        snprintf(out, TUPLE_TEXT, "%u.%u", path_id, moves);
    else
        snprintf(out, TUPLE_TEXT, "%u", path_id);
}

static void write_tuple(struct qjson *j, const struct tvl_trace_event *ev,
                        struct qlog_tuples *tuples)
{
    const bool start = ev->type == TVL_TRACE_CONNECTION_STARTED;
    char text[TUPLE_TEXT];

    tuple_text(text, tuples, ev->path_id);
    qjson_text(j, "tuple_id", text);
    write_endpoint(j, "tuple_remote", start ? &ev->start.remote : &ev->path.remote);
    write_endpoint(j, "tuple_local", start ? &ev->start.local : &ev->path.local);
}

/* ---- the data of each event ---- */

static void write_started(struct qjson *j, const struct tvl_trace_event *ev)
{
    write_endpoint(j, "local", &ev->start.local);
    write_endpoint(j, "remote", &ev->start.remote);
}

static void write_closed(struct qjson *j, const struct tvl_trace_event *ev)
{
    static const struct {
        const char *initiator, *trigger; /* NULL: not known */
        bool app, transport;
    } kinds[] = {
        [TVL_CLOSED_LOCAL] = { "local", "application", true, false },
        [TVL_CLOSED_PEER_APP] = { "remote", "application", true, false },
        [TVL_CLOSED_PEER] = { "remote", "error", false, true },
        [TVL_CLOSED_ERROR] = { "local", "error", false, true },
        [TVL_CLOSED_TLS] = { NULL, "error", false, true },
        [TVL_CLOSED_IDLE] = { "local", "idle_timeout", false, false },
        [TVL_CLOSED_NO_ANSWER] = { "local", "aborted", false, false },
        [TVL_CLOSED_RESET] = { "remote", "stateless_reset", false, false },
    };

    if (kinds[ev->closed.kind].initiator)
        qjson_text(j, "initiator", kinds[ev->closed.kind].initiator);
    if (kinds[ev->closed.kind].app) {
        qjson_text(j, "application_error", "unknown");
        qjson_u64(j, "error_code", ev->closed.code);
    }
    if (kinds[ev->closed.kind].transport)
        qlog_write_transport_error(j, "connection_error", ev->closed.code);
    qjson_text(j, "reason", ev->closed.reason ? ev->closed.reason : "");
    qjson_text(j, "trigger", kinds[ev->closed.kind].trigger);
}

static void write_params(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_text(j, "initiator", ev->params.ours ? "local" : "remote");
    qjson_u64(j, "max_idle_timeout", ev->params.idle_timeout_ms);
    qjson_u64(j, "max_udp_payload_size", ev->params.max_udp_payload);
    qjson_u64(j, "max_ack_delay", ev->params.max_ack_delay_ms);
    qjson_u64(j, "active_connection_id_limit", ev->params.active_cid_limit);
    qjson_u64(j, "initial_max_data", ev->params.max_data);
    qjson_u64(j, "initial_max_streams_bidi", ev->params.max_streams_bidi);
    qjson_u64(j, "initial_max_streams_uni", ev->params.max_streams_uni);
    qjson_u64(j, "max_datagram_frame_size", ev->params.datagram_max);
    if (ev->params.multipath)
        qjson_u64(j, "initial_max_path_id", ev->params.max_path_id);
}

static void write_key(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_text(j, "key_type", key_type(ev->key.level, ev->key.server));
    if (ev->key.level == TVL_TRACE_ONE_RTT)
        qjson_u64(j, "key_phase", ev->key.phase);
    qjson_text(j, "trigger", ev->key.trigger);
}

static void write_packet_header(struct qjson *j, enum tvl_trace_level level, uint64_t pn)
{
    qjson_open(j, "header", '{');
    qjson_text(j, "packet_type", packet_type(level));
    if (level != TVL_TRACE_RETRY && level != TVL_TRACE_VERSION_NEGOTIATION &&
        level != TVL_TRACE_STATELESS_RESET)
        qjson_u64(j, "packet_number", pn);
    qjson_close(j, '}');
}

static void write_raw(struct qjson *j, uint32_t bytes)
{
    qjson_open(j, "raw", '{');
    qjson_u64(j, "length", bytes);
    qjson_close(j, '}');
}

static void write_packet(struct qjson *j, const struct tvl_trace_event *ev)
{
    static const char *const ecn[] = { "Not-ECT", "ECT(1)", "ECT(0)", "CE" };
    const char *why = ev->packet.trigger;

    write_packet_header(j, ev->packet.level, ev->packet.pn);
    qlog_write_frames(j, ev);
    write_raw(j, ev->packet.bytes);
    if (ev->packet.ecn)
        qjson_text(j, "ecn", ecn[ev->packet.ecn & 3]);
    if (why && strcmp(why, "mtu_probe") == 0)
        qjson_bool(j, "is_mtu_probe_packet", true);
    if (why && strcmp(why, "pto_probe") == 0)
        qjson_text(j, "trigger", why);
    if (why)
        qjson_text(j, "why", why);
}

static void write_dropped(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_open(j, "header", '{');
    qjson_text(j, "packet_type", packet_type(ev->dropped.level));
    qjson_close(j, '}');
    write_raw(j, ev->dropped.bytes);
    qjson_text(j, "trigger", ev->dropped.trigger);
}

static void write_lost(struct qjson *j, const struct tvl_trace_event *ev)
{
    const char *rule = ev->lost.trigger;

    write_packet_header(j, ev->lost.level, ev->lost.pn);
    if (!rule)
        return;
    if (strcmp(rule, "reordering_threshold") == 0 || strcmp(rule, "time_threshold") == 0)
        qjson_text(j, "trigger", rule);
    else
        qjson_text(j, "why", rule);
}

static void write_metrics(struct qjson *j, const struct tvl_trace_event *ev)
{
    if (ev->metrics.srtt) { /* measured */
        qjson_ms(j, "min_rtt", ev->metrics.rtt_min);
        qjson_ms(j, "smoothed_rtt", ev->metrics.srtt);
        qjson_ms(j, "latest_rtt", ev->metrics.rtt_latest);
        qjson_ms(j, "rtt_variance", ev->metrics.rttvar);
    }
    qjson_u64(j, "pto_count", ev->metrics.pto_count);
    qjson_u64(j, "congestion_window", ev->metrics.cwnd);
    qjson_u64(j, "bytes_in_flight", ev->metrics.in_flight);
    qjson_u64(j, "pacing_rate", ev->metrics.pacing_bps);
}

static void write_congestion(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_text(j, "new", ev->congestion.state);
    qjson_text(j, "controller", ev->congestion.controller);
}

static void write_timer(struct qjson *j, const struct tvl_trace_event *ev)
{
    static const char *const words[][2] = {
        { "loss", "loss_timeout" },
        { "idle", "idle_timeout" },
        { "path_challenge", "path_validation" },
        { "handshake", "handshake_timeout" },
    };
    const char *name = ev->timer.timer;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], ev->timer.timer) == 0)
            name = words[i][1];
    qjson_text(j, "timer_type", name);
    qjson_text(j, "event_type", "expired");
}

static void write_path_state(struct qjson *j, const struct tvl_trace_event *ev)
{
    static const char *const words[] = {
        [TVL_PATH_OPENING] = "opening",
        [TVL_PATH_UP] = "up",
        [TVL_PATH_SUSPECT] = "suspect",
        [TVL_PATH_ABANDONED] = "abandoned",
    };

    qjson_text(j, "new", words[ev->path.state]);
    qjson_text(j, "trigger", ev->path.why);
}

static void write_picked(struct qjson *j, const struct tvl_trace_event *ev)
{
    if (ev->scheduler.picked >= 0)
        qjson_i64(j, "picked", ev->scheduler.picked);
    else
        qjson_bool(j, "held", true);
    qjson_u64(j, "rank", ev->scheduler.rank);
    qjson_text(j, "kind", ev->scheduler.kind);
    qjson_open(j, "offers", '[');
    for (size_t i = 0; i < ev->scheduler.n; i++) {
        qjson_open(j, NULL, '{');
        qjson_u64(j, "path_id", ev->scheduler.offer[i].id);
        qjson_ms(j, "smoothed_rtt", ev->scheduler.offer[i].srtt);
        qjson_u64(j, "room", ev->scheduler.offer[i].room);
        qjson_u64(j, "congestion_window", ev->scheduler.offer[i].cwnd);
        qjson_u64(j, "bytes_in_flight", ev->scheduler.offer[i].in_flight);
        qjson_close(j, '}');
    }
    qjson_close(j, ']');
}

static void write_stream(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_u64(j, "stream_id", ev->stream.id);
    qjson_text(j, "stream_type", ev->stream.id & 2 ? "unidirectional" : "bidirectional");
    qjson_text(j, "new", ev->stream.state);
    qjson_text(j, "stream_side", ev->stream.sending ? "sending" : "receiving");
    if (ev->stream.why)
        qjson_text(j, "why", ev->stream.why);
}

static void write_mtu(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_u64(j, "new", ev->path.mtu);
    qjson_text(j, "why", ev->path.why);
}

static void write_ecn(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_text(j, "new", ev->path.why); /* core names the state in qlog's words */
}

static void write_model(struct qjson *j, const struct tvl_path_model *m)
{
    qjson_open(j, "model", '{');
    qjson_u64(j, "capacity", m->capacity_bps);
    qjson_ms(j, "min_rtt", m->rtt_min);
    qjson_ms(j, "smoothed_rtt", m->rtt);
    qjson_ms(j, "jitter", m->jitter);
    qjson_real(j, "loss", m->loss);
    qjson_real(j, "loss_burst", m->loss_burst);
    qjson_real(j, "loss_congestive", m->loss_congestive);
    qjson_ms(j, "buffer", m->buffer);
    qjson_ms(j, "aggregation", m->aggregation);
    qjson_real(j, "marked", m->marked);
    qjson_real(j, "change", m->change);
    qjson_close(j, '}');
}

static void write_controller(struct qjson *j, const struct tvl_trace_event *ev)
{
    qjson_text(j, "old", ev->controller.from);
    qjson_text(j, "new", ev->controller.to);
    qjson_text(j, "objective", tvl_objective_name(ev->controller.objective));
    qjson_text(j, "reason", ev->controller.reason);
    write_model(j, &ev->controller.model);
    qjson_open(j, "scores", '[');
    for (size_t i = 0; i < ev->controller.n; i++) {
        const struct tvl_select_row *r = &ev->controller.row[i];

        qjson_open(j, NULL, '{');
        qjson_text(j, "controller", r->cc);
        qjson_real(j, "score", r->score);
        if (r->by_knowledge >= 0)
            qjson_real(j, "by_knowledge", r->by_knowledge);
        if (r->by_formula >= 0)
            qjson_real(j, "by_formula", r->by_formula);
        if (r->by_experience >= 0)
            qjson_real(j, "by_experience", r->by_experience);
        qjson_close(j, '}');
    }
    qjson_close(j, ']');
}

/* ---- the whole ---- */

static const struct {
    const char *name; /* NULL: not written */
    void (*data)(struct qjson *j, const struct tvl_trace_event *ev);
} kinds_of_events[] = {
    [TVL_TRACE_CONNECTION_STARTED] = { "quic:connection_started", write_started },
    [TVL_TRACE_CONNECTION_CLOSED] = { "quic:connection_closed", write_closed },
    [TVL_TRACE_CONNECTION_FREED] = { NULL, NULL },
    [TVL_TRACE_PARAMETERS] = { "quic:parameters_set", write_params },
    [TVL_TRACE_KEY_UPDATED] = { "quic:key_updated", write_key },
    [TVL_TRACE_KEY_DISCARDED] = { "quic:key_discarded", write_key },
    [TVL_TRACE_PACKET_SENT] = { "quic:packet_sent", write_packet },
    [TVL_TRACE_PACKET_RECEIVED] = { "quic:packet_received", write_packet },
    [TVL_TRACE_PACKET_DROPPED] = { "quic:packet_dropped", write_dropped },
    [TVL_TRACE_PACKET_BUFFERED] = { "quic:packet_buffered", write_dropped },
    [TVL_TRACE_PACKET_LOST] = { "quic:packet_lost", write_lost },
    [TVL_TRACE_PACKET_SPURIOUS] = { "tvl:packet_spurious", write_lost },
    [TVL_TRACE_RECOVERY_METRICS] = { "quic:recovery_metrics_updated", write_metrics },
    [TVL_TRACE_CONGESTION_STATE] = { "quic:congestion_state_updated", write_congestion },
    [TVL_TRACE_TIMER_EXPIRED] = { "quic:timer_updated", write_timer },
    [TVL_TRACE_PATH_STATE] = { "tvl:path_state_updated", write_path_state },
    [TVL_TRACE_PATH_ADDRESS] = { NULL, NULL }, /* quic:tuple_assigned tells of it */
    [TVL_TRACE_PATH_MTU] = { "quic:mtu_updated", write_mtu },
    [TVL_TRACE_PATH_ECN] = { "quic:ecn_state_updated", write_ecn },
    [TVL_TRACE_SCHEDULER] = { "tvl:path_picked", write_picked },
    [TVL_TRACE_STREAM_STATE] = { "quic:stream_state_updated", write_stream },
    [TVL_TRACE_CONTROLLER] = { "tvl:controller_chosen", write_controller },
};

static bool assigns_tuple(const struct tvl_trace_event *ev)
{
    return ev->type == TVL_TRACE_CONNECTION_STARTED || ev->type == TVL_TRACE_PATH_ADDRESS ||
           (ev->type == TVL_TRACE_PATH_STATE && ev->path.state == TVL_PATH_OPENING);
}

static void write_common(struct qjson *j, const struct tvl_trace_event *ev, const char *name,
                         tvl_time age, struct qlog_tuples *tuples)
{
    char tuple[TUPLE_TEXT];

    qjson_ms(j, "time", age);
    qjson_text(j, "name", name);
    tuple_text(tuple, tuples, ev->path_id);
    qjson_text(j, "tuple", tuple);
    qjson_u64(j, "path_id", ev->path_id);
}

bool qlog_write_event(struct qjson *j, const struct tvl_trace_event *ev, unsigned part,
                      tvl_time age, struct qlog_tuples *tuples)
{
    const bool tuple = assigns_tuple(ev) && part == 0;
    const unsigned second = assigns_tuple(ev) ? 1 : 0;

    if (!tuple && (part != second || !kinds_of_events[ev->type].name))
        return false;
    if (tuple && ev->type == TVL_TRACE_PATH_ADDRESS)
        ++*moves_of(tuples, ev->path_id);
    qjson_open(j, NULL, '{');
    write_common(j, ev, tuple ? "quic:tuple_assigned" : kinds_of_events[ev->type].name, age,
                 tuples);
    qjson_open(j, "data", '{');
    if (tuple)
        write_tuple(j, ev, tuples);
    else
        kinds_of_events[ev->type].data(j, ev);
    if (tuple && ev->type == TVL_TRACE_PATH_ADDRESS)
        qjson_text(j, "why", ev->path.why);
    qjson_close(j, '}');
    qjson_close(j, '}');
    return true;
}

void qlog_write_header(struct qjson *j, const struct tvl_trace_event *start, const char *wall)
{
    qjson_open(j, NULL, '{');
    qjson_text(j, "file_schema", "urn:ietf:params:qlog:file:sequential");
    qjson_text(j, "serialization_format", "application/qlog+json-seq");
    qjson_text(j, "title", "libtvl " TVL_VERSION);
    qjson_open(j, "trace", '{');
    qjson_open(j, "common_fields", '{');
    qjson_hex(j, "group_id", start->start.odcid, start->start.odcid_len);
    qjson_text(j, "time_format", "relative_to_epoch");
    qjson_open(j, "reference_time", '{');
    qjson_text(j, "clock_type", "monotonic");
    qjson_text(j, "epoch", "unknown");
    qjson_text(j, "wall_clock_time", wall);
    qjson_close(j, '}');
    qjson_close(j, '}');
    qjson_open(j, "vantage_point", '{');
    qjson_text(j, "name", "libtvl");
    qjson_text(j, "type", start->server ? "server" : "client");
    qjson_close(j, '}');
    qjson_open(j, "event_schemas", '[');
    qjson_text(j, NULL, "urn:ietf:params:qlog:events:quic");
    qjson_text(j, NULL, "urn:libtvl:qlog:events:tvl");
    qjson_close(j, ']');
    qjson_close(j, '}');
    qjson_close(j, '}');
}
