/*
 * metrics.c - see metrics.h.
 *
 * A metric is a line of the table at the end: its name, type and help, and the function that
 * writes its samples. docs/control.md has the same table; a test compares them.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_json.h"

struct writer {
    FILE *out;
    const char *name; /* of the metric that is written */
    const struct snapshot *s;
    const struct metrics_control *control;
    const struct process_stats *process;
    double *rtt_s, *loss; /* sorted: of all paths that are up, of all sessions */
    size_t n_rtt, n_loss;
};

/* ---- samples ---- */

static void number(struct writer *w, uint64_t value)
{
    fprintf(w->out, "%s %" PRIu64 "\n", w->name, value);
}

static void real(struct writer *w, double value)
{
    fprintf(w->out, "%s %.9g\n", w->name, value);
}

/* A label's value is anything a peer may have sent: cleaned, then escaped. */
static void label(struct writer *w, char before, const char *key, const char *value)
{
    char clean[SNAPSHOT_TEXT_MAX * 2];
    text_clean(clean, sizeof clean, value);
    fprintf(w->out, "%c%s=\"", before, key);
    for (const char *p = clean; *p; p++) {
        if (*p == '\\' || *p == '"')
            fputc('\\', w->out);
        fputc(*p, w->out);
    }
    fputc('"', w->out);
}

static void labelled(struct writer *w, const char *key, const char *value, double x)
{
    fputs(w->name, w->out);
    label(w, '{', key, value);
    fprintf(w->out, "} %.17g\n", x);
}

static void of_source(struct writer *w, const struct snapshot_source *s, const char *key,
                      const char *value, double x)
{
    fputs(w->name, w->out);
    label(w, '{', "namespace", s->ns);
    if (key)
        label(w, ',', key, value);
    fprintf(w->out, "} %.17g\n", x);
}

/* ---- the server ---- */

static void build_info(struct writer *w)
{
    labelled(w, "version", TVL_VERSION, 1);
}

static void uptime(struct writer *w)
{
    real(w, (double)w->s->up_us / 1e6);
}

static void ready(struct writer *w)
{
    number(w, w->s->ready);
}

static void draining(struct writer *w)
{
    number(w, w->s->draining);
}

static void workers(struct writer *w)
{
    number(w, w->s->workers);
}

/* ---- sessions ---- */

static void sessions(struct writer *w)
{
    uint64_t watching = 0, publishing = 0;
    for (size_t i = 0; i < w->s->n_sessions; i++) {
        publishing += w->s->session[i].publishes;
        watching += !w->s->session[i].publishes && w->s->session[i].ns[0];
    }
    labelled(w, "role", "watches", (double)watching);
    labelled(w, "role", "publishes", (double)publishing);
    labelled(w, "role", "none", (double)(w->s->n_sessions - watching - publishing));
}

static void sessions_total(struct writer *w)
{
    number(w, w->s->sessions_total);
}

static void sessions_refused(struct writer *w)
{
    number(w, w->s->refused_total);
}

static void sessions_layer(struct writer *w)
{
    uint64_t n[SVC_SPATIAL_MAX + 1] = { 0 };
    for (size_t i = 0; i < w->s->n_sessions; i++) {
        const int top = w->s->session[i].top;
        if (!w->s->session[i].publishes)
            n[top < 0 || top >= SVC_SPATIAL_MAX ? SVC_SPATIAL_MAX : top]++;
    }
    labelled(w, "spatial", "none", (double)n[SVC_SPATIAL_MAX]);
    for (int i = 0; i < SVC_SPATIAL_MAX; i++) {
        const char spatial[] = { (char)('0' + i), 0 };
        labelled(w, "spatial", spatial, (double)n[i]);
    }
}

static void backlog(struct writer *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->s->n_sessions; i++)
        sum += w->s->session[i].backlog_bytes;
    number(w, sum);
}

static void capacity(struct writer *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->s->n_sessions; i++)
        sum += w->s->session[i].rate_bps;
    number(w, sum / 8);
}

static void sent(struct writer *w)
{
    number(w, w->s->totals.sent_bytes);
}

static void received(struct writer *w)
{
    number(w, w->s->totals.received_bytes);
}

static void resent(struct writer *w)
{
    number(w, w->s->totals.resent_bytes);
}

static void packets_sent(struct writer *w)
{
    number(w, w->s->totals.packets_sent);
}

static void packets_lost(struct writer *w)
{
    number(w, w->s->totals.packets_lost);
}

static void units_offered(struct writer *w)
{
    number(w, w->s->totals.units_offered);
}

static void units_sent(struct writer *w)
{
    number(w, w->s->totals.units_sent);
}

static void units_expired(struct writer *w)
{
    number(w, w->s->totals.units_expired);
}

static void units_dropped(struct writer *w)
{
    const struct snapshot_totals *t = &w->s->totals;
    labelled(w, "reason", "broken", (double)t->units_dropped_broken);
    labelled(w, "reason", "rate", (double)t->units_dropped_rate);
    labelled(w, "reason", "queue", (double)t->units_dropped_queue);
    labelled(w, "reason", "full", (double)t->units_dropped_full);
}

/* ---- paths ---- */

static void paths(struct writer *w)
{
    for (int state = TVL_PATH_OPENING; state <= TVL_PATH_ABANDONED; state++) {
        uint64_t n = 0;
        for (size_t i = 0; i < w->s->n_sessions; i++)
            for (size_t k = 0; k < w->s->session[i].n_paths; k++)
                n += (int)w->s->session[i].path[k].state == state;
        labelled(w, "state", path_state_name((enum tvl_path_state)state), (double)n);
    }
}

#define CONTROLLERS_MAX 32

static void controllers(struct writer *w)
{
    const char *name[CONTROLLERS_MAX];
    uint64_t count[CONTROLLERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < w->s->n_sessions; i++)
        for (size_t k = 0; k < w->s->session[i].n_paths; k++) {
            const struct tvl_path_stats *p = &w->s->session[i].path[k];
            size_t at = 0;
            if (p->state == TVL_PATH_ABANDONED || !p->cc)
                continue;
            while (at < n && strcmp(name[at], p->cc) != 0)
                at++;
            if (at == CONTROLLERS_MAX)
                continue;
            if (at == n) {
                name[n] = p->cc;
                count[n++] = 0;
            }
            count[at]++;
        }
    for (size_t i = 0; i < n; i++)
        labelled(w, "controller", name[i], (double)count[i]);
}

static int rising(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int gather(struct writer *w)
{
    size_t n_paths = 0;
    for (size_t i = 0; i < w->s->n_sessions; i++)
        n_paths += w->s->session[i].n_paths;
    w->rtt_s = calloc(n_paths + 1, sizeof *w->rtt_s);
    w->loss = calloc(w->s->n_sessions + 1, sizeof *w->loss);
    if (!w->rtt_s || !w->loss)
        return -1;
    for (size_t i = 0; i < w->s->n_sessions; i++) {
        const struct snapshot_session *s = &w->s->session[i];
        w->loss[w->n_loss++] = s->loss;
        for (size_t k = 0; k < s->n_paths; k++)
            if (s->path[k].state == TVL_PATH_UP && s->path[k].srtt)
                w->rtt_s[w->n_rtt++] = (double)s->path[k].srtt / 1e6;
    }
    qsort(w->rtt_s, w->n_rtt, sizeof *w->rtt_s, rising);
    qsort(w->loss, w->n_loss, sizeof *w->loss, rising);
    return 0;
}

/* Smallest that so many of a hundred do not exceed (nearest rank); none: no sample. */
static void percentile(struct writer *w, const double *sorted, size_t n, size_t percent)
{
    if (n)
        real(w, sorted[(n * percent + 99) / 100 - 1]);
}

static void rtt_median(struct writer *w)
{
    percentile(w, w->rtt_s, w->n_rtt, 50);
}

static void rtt_p95(struct writer *w)
{
    percentile(w, w->rtt_s, w->n_rtt, 95);
}

static void loss_median(struct writer *w)
{
    percentile(w, w->loss, w->n_loss, 50);
}

static void loss_p95(struct writer *w)
{
    percentile(w, w->loss, w->n_loss, 95);
}

/* ---- sources ---- */

#define EACH_SOURCE(w, s)                                  \
    for (const struct snapshot_source *s = (w)->s->source; \
         s && s < (w)->s->source + (w)->s->n_sources; s++)

#define EACH_ENCODER(w, s) \
    EACH_SOURCE(w, s)      \
    if (s->has_live)

static void source_info(struct writer *w)
{
    EACH_SOURCE(w, s)
    of_source(w, s, "kind", s->kind ? s->kind : "", 1);
}

static void source_state(struct writer *w)
{
    EACH_SOURCE(w, s)
    for (int state = SOURCE_IDLE; state <= SOURCE_FAILED; state++)
        of_source(w, s, "state", source_state_name((enum snapshot_state)state),
                  (int)s->state == state);
}

static void source_viewers(struct writer *w)
{
    EACH_SOURCE(w, s)
    of_source(w, s, NULL, NULL, (double)s->viewers);
}

static void source_objects(struct writer *w)
{
    EACH_SOURCE(w, s)
    of_source(w, s, NULL, NULL, (double)s->objects);
}

static void source_bytes(struct writer *w)
{
    EACH_SOURCE(w, s)
    of_source(w, s, NULL, NULL, (double)s->bytes);
}

static void source_recorded(struct writer *w)
{
    EACH_SOURCE(w, s)
    if (s->records)
        of_source(w, s, NULL, NULL, (double)s->recorded_bytes);
}

static void source_window(struct writer *w)
{
    EACH_SOURCE(w, s)
    of_source(w, s, NULL, NULL, (double)s->window_us / 1e6);
}

/* ---- encoders ---- */

static void encoder_pictures(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.pictures);
}

static void encoder_left_out(struct writer *w)
{
    EACH_ENCODER(w, s)
    {
        of_source(w, s, "reason", "late", (double)s->live.left_out_late);
        of_source(w, s, "reason", "pace", (double)s->live.left_out_pace);
    }
}

static void encoder_keys(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.keys);
}

static void encoder_refreshes(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.refreshes);
}

static void encoder_restarts(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.restarts);
}

static void encoder_errors(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.errors);
}

static void encoder_bytes(struct writer *w)
{
    EACH_ENCODER(w, s)
    for (int i = 0; i < SVC_SPATIAL_MAX; i++) {
        const char spatial[] = { (char)('0' + i), 0 };
        if (s->live.bytes[i])
            of_source(w, s, "spatial", spatial, (double)s->live.bytes[i]);
    }
}

static void encoder_load(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, s->live.load);
}

static void encoder_speed(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, s->live.speed);
}

static void encoder_spatial(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, s->live.n_spatial);
}

static void encoder_temporal(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, s->live.n_temporal);
}

static void encoder_late(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.late_us / 1e6);
}

static void encoder_took(struct writer *w)
{
    EACH_ENCODER(w, s)
    of_source(w, s, NULL, NULL, (double)s->live.took_us / 1e6);
}

/* ---- connections ---- */

static void connections(struct writer *w)
{
    number(w, w->s->endpoint.conns);
}

static void handshakes(struct writer *w)
{
    number(w, w->s->endpoint.handshakes);
}

static void accepted(struct writer *w)
{
    number(w, w->s->endpoint.accepted);
}

static void refused(struct writer *w)
{
    const struct tvl_endpoint_stats *e = &w->s->endpoint;
    labelled(w, "reason", "connections", (double)e->refused_conns_max);
    labelled(w, "reason", "handshakes", (double)e->refused_handshakes_max);
    labelled(w, "reason", "host", (double)e->refused_host);
    labelled(w, "reason", "access", (double)e->refused_knock);
    labelled(w, "reason", "draining", (double)e->refused_draining);
}

static void retries(struct writer *w)
{
    number(w, w->s->endpoint.retries_sent);
}

static void tokens_bad(struct writer *w)
{
    number(w, w->s->endpoint.tokens_bad);
}

static void resets(struct writer *w)
{
    number(w, w->s->endpoint.resets_sent);
}

static void unroutable(struct writer *w)
{
    number(w, w->s->endpoint.datagrams_unroutable);
}

/* ---- control, process ---- */

static void requests(struct writer *w)
{
    for (unsigned code = 0; code < METRICS_CODES_MAX; code++) {
        char text[8];
        snprintf(text, sizeof text, "%u", code);
        if (w->control->requests[code])
            labelled(w, "code", text, (double)w->control->requests[code]);
    }
}

static void streams(struct writer *w)
{
    number(w, w->control->streams);
}

static void cpu(struct writer *w)
{
    real(w, w->process->cpu_s);
}

static void resident(struct writer *w)
{
    if (w->process->resident_bytes)
        number(w, w->process->resident_bytes);
}

static void virtual(struct writer *w)
{
    if (w->process->virtual_bytes)
        number(w, w->process->virtual_bytes);
}

static void fds(struct writer *w)
{
    if (w->process->fds)
        number(w, w->process->fds);
}

static void fds_max(struct writer *w)
{
    if (w->process->fds_max)
        number(w, w->process->fds_max);
}

static void threads(struct writer *w)
{
    if (w->process->threads)
        number(w, w->process->threads);
}

static void start_time(struct writer *w)
{
    fprintf(w->out, "%s %.3f\n", w->name, (double)w->s->wall_ms / 1e3 - (double)w->s->up_us / 1e6);
}

/* ---- the table ---- */

static const struct metric {
    const char *name, *type, *help;
    void (*write)(struct writer *w);
} table[] = {
    { "svc_build_info", "gauge", "Version of the server, value 1.", build_info },
    { "svc_uptime_seconds", "gauge", "Since the server began.", uptime },
    { "svc_ready", "gauge", "1: takes viewers.", ready },
    { "svc_draining", "gauge", "1: waits for its viewers to go, and takes no new ones.", draining },
    { "svc_workers", "gauge", "Threads that serve viewers.", workers },
    { "svc_sessions", "gauge", "Sessions now, by what they do.", sessions },
    { "svc_sessions_accepted_total", "counter", "Sessions that ever came.", sessions_total },
    { "svc_sessions_refused_total", "counter", "Of them turned away: access, limits, protocol.",
      sessions_refused },
    { "svc_sessions_top_layer", "gauge",
      "Sessions by the highest spatial layer that reaches them well; publishers left out.",
      sessions_layer },
    { "svc_sessions_backlog_bytes", "gauge", "Waiting to be sent, sum over the sessions.",
      backlog },
    { "svc_sessions_capacity_bytes_per_second", "gauge",
      "What the paths carry by their controllers, sum over the sessions.", capacity },
    { "svc_sent_bytes_total", "counter", "UDP payload sent to all sessions.", sent },
    { "svc_received_bytes_total", "counter", "UDP payload received from all sessions.", received },
    { "svc_resent_bytes_total", "counter", "Stream data sent again.", resent },
    { "svc_packets_sent_total", "counter", "QUIC packets sent.", packets_sent },
    { "svc_packets_lost_total", "counter", "Of them declared lost.", packets_lost },
    { "svc_units_offered_total", "counter",
      "Units (a layer of a picture, a packet of sound) that a session was subscribed to.",
      units_offered },
    { "svc_units_sent_total", "counter", "Units sent.", units_sent },
    { "svc_units_expired_total", "counter", "Units sent that were not through in their lifetime.",
      units_expired },
    { "svc_units_dropped_total", "counter", "Units that the layer policy did not send.",
      units_dropped },
    { "svc_paths", "gauge", "Paths of all sessions, by state.", paths },
    { "svc_paths_controller", "gauge", "Paths of all sessions, by congestion controller.",
      controllers },
    { "svc_path_rtt_median_seconds", "gauge", "Median of the round trip over all paths up.",
      rtt_median },
    { "svc_path_rtt_p95_seconds", "gauge", "95th percentile of the round trip over all paths up.",
      rtt_p95 },
    { "svc_session_loss_median_ratio", "gauge", "Median over the sessions of what is lost now.",
      loss_median },
    { "svc_session_loss_p95_ratio", "gauge",
      "95th percentile over the sessions of what is lost now.", loss_p95 },
    { "svc_source_info", "gauge", "Kind of each source, value 1.", source_info },
    { "svc_source_state", "gauge", "1 for the state that the source is in, 0 for the others.",
      source_state },
    { "svc_source_viewers", "gauge", "Who watch the source now.", source_viewers },
    { "svc_source_objects_total", "counter", "Objects that came out of the source.",
      source_objects },
    { "svc_source_bytes_total", "counter", "Bytes that came out of the source.", source_bytes },
    { "svc_source_recorded_bytes_total", "counter", "Bytes recorded of the source.",
      source_recorded },
    { "svc_source_window_seconds", "gauge", "Time shift that viewers of the source have now.",
      source_window },
    { "svc_encoder_pictures_total", "counter", "Pictures coded.", encoder_pictures },
    { "svc_encoder_left_out_total", "counter", "Pictures left out: too late, or to keep pace.",
      encoder_left_out },
    { "svc_encoder_key_pictures_total", "counter", "Key pictures coded.", encoder_keys },
    { "svc_encoder_refreshes_total", "counter", "Layers predicted anew.", encoder_refreshes },
    { "svc_encoder_restarts_total", "counter", "Restarts of the encoder's process.",
      encoder_restarts },
    { "svc_encoder_errors_total", "counter", "Pictures that could not be coded.", encoder_errors },
    { "svc_encoder_bytes_total", "counter", "Bytes coded, by spatial layer.", encoder_bytes },
    { "svc_encoder_load_ratio", "gauge", "Time that coding takes over the time there is.",
      encoder_load },
    { "svc_encoder_speed", "gauge", "Speed setting of the codec now; higher is faster.",
      encoder_speed },
    { "svc_encoder_spatial_layers", "gauge", "Spatial layers coded now.", encoder_spatial },
    { "svc_encoder_temporal_layers", "gauge", "Temporal layers coded now.", encoder_temporal },
    { "svc_encoder_late_seconds", "gauge", "How late the last picture was begun.", encoder_late },
    { "svc_encoder_took_seconds", "gauge", "The last picture, from due to handed over.",
      encoder_took },
    { "svc_connections", "gauge", "QUIC connections, handshakes included.", connections },
    { "svc_handshakes", "gauge", "QUIC connections whose handshake is not complete.", handshakes },
    { "svc_connections_accepted_total", "counter", "QUIC connections begun.", accepted },
    { "svc_connections_refused_total", "counter", "QUIC connections refused at the door.",
      refused },
    { "svc_retries_sent_total", "counter", "Retry packets sent.", retries },
    { "svc_address_tokens_bad_total", "counter", "Address tokens that were not ours or too old.",
      tokens_bad },
    { "svc_stateless_resets_sent_total", "counter", "Stateless resets sent.", resets },
    { "svc_datagrams_unroutable_total", "counter", "Datagrams of no connection, not answered.",
      unroutable },
    { "svc_control_requests_total", "counter", "Requests to this interface, by status answered.",
      requests },
    { "svc_control_event_streams", "gauge", "Open streams of events.", streams },
    { "process_cpu_seconds_total", "counter", "User and system time of the process.", cpu },
    { "process_resident_memory_bytes", "gauge", "Resident memory.", resident },
    { "process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual },
    { "process_open_fds", "gauge", "Open file descriptors.", fds },
    { "process_max_fds", "gauge", "Most of them there may be.", fds_max },
    { "process_threads", "gauge", "Threads of the process.", threads },
    { "process_start_time_seconds", "gauge", "When the server began, since 1970.", start_time },
};

char *metrics_text(const struct snapshot *s, const struct metrics_control *c,
                   const struct process_stats *p, size_t *len)
{
    char *text = NULL;
    struct writer w = { .out = open_memstream(&text, len), .s = s, .control = c, .process = p };
    if (!w.out)
        return NULL;
    const bool complete = gather(&w) == 0;
    for (size_t i = 0; complete && i < sizeof table / sizeof *table; i++) {
        w.name = table[i].name;
        fprintf(w.out, "# HELP %s %s\n# TYPE %s %s\n", w.name, table[i].help, w.name,
                table[i].type);
        table[i].write(&w);
    }
    free(w.rtt_s);
    free(w.loss);
    const bool written = fclose(w.out) == 0;
    if (complete && written)
        return text;
    free(text);
    return NULL;
}
