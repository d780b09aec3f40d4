/*
 * session.c - a program's connection to a broadcast: paths, tries to connect, and what to do when
 * it breaks. A try is a handshake on one path after another; the first connection that comes up is
 * the session's, and the other paths join it. What goes over it is broadcast.c's. One who listens
 * waits instead of trying: session_listen.c. How a try goes: session_try.c.
 *
 *     connecting --CONNECTED--> joining --unit--> playing --silence--> silent: a try beside it
 *         ^  \                     |               |  ^                    |
 *         |   \--failed--> waiting <----- lost ----+  +-- heard again -----+
 *         +---- time, network -+
 */
#include "credential.h"
#include "log.h"
#include "session_internal.h"

#include <moq/moq.h>
#include <tvl/qlog.h>

#include <ev.h>
#include <net/if.h>
#include <netdb.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_S 0.05
#define STOPPED_S 1.0       /* a tick that is so much behind its time: the program was stopped */
#define KEEPALIVE_US 500000 /* of silence on a path, then it is asked for a sign of life */

/* ---- what is told ---- */

double session_now(const struct session *s)
{
    return (double)tvl_ev_now(s->driver) / 1e6; /* the loop's own steps with the wall clock */
}

void session_note(struct session *s, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    s->cfg.handler->on_note(s->cfg.user, text);
    log_text(LOG_LEVEL_INFO, "%s", text);
}

void session_enter(struct session *s, enum session_state state)
{
    if (s->state == state)
        return;
    s->state = state;
    s->state_since = session_now(s);
}

void session_fail(struct session *s, int code, const char *why)
{
    if (s->failed || s->closing)
        return;
    s->failed = true;
    session_enter(s, SESSION_OVER);
    s->cfg.handler->on_failed(s->cfg.user, code, why);
}

/* How long nothing may come: a sign of life that is asked for has its way to go. */
double session_silence_s(const struct session *s)
{
    struct tvl_path_stats path[2 * TVL_PATHS_MAX];
    size_t n = tvl_paths(s->conn, path, sizeof path / sizeof path[0]);
    tvl_time least = 0;
    for (size_t i = 0; i < n; i++)
        if (path[i].srtt > 0 && (least == 0 || path[i].srtt < least))
            least = path[i].srtt;
    return SESSION_SILENCE_S + 2 * (double)least / 1e6;
}

/* Something has come since it was asked last: the connection lives, and no other is needed. */
bool session_hears(struct session *s)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(s->conn, &stats);
    if (stats.bytes_received == s->heard_bytes)
        return false;
    s->heard_bytes = stats.bytes_received;
    s->heard_at = session_now(s);
    if (s->state != SESSION_SILENT)
        return true;
    session_note(s, "the connection lives again after %.1f s", s->heard_at - s->outage_began);
    session_end_try(s, NULL);
    s->retry_at = s->outage_began = 0;
    s->tries = 0;
    retry_reset(&s->retry);
    session_enter(s, s->played ? SESSION_PLAYING : SESSION_JOINING);
    return true;
}

/* ---- what comes over the connection ---- */

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    struct session *s = user;
    s->has_video = p->codec != NULL;
    s->cfg.handler->on_catalog(s->cfg.user, c, p);
}

static void resumed(struct session *s)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(s->conn, &stats);
    session_note(s, "playing again after %.1f s%s", session_now(s) - s->outage_began,
                 stats.resumed ? ", by the ticket of before" : "");
}

static void note_times(struct session *s)
{
    const struct broadcast_times *t = broadcast_times(s->broadcast);
    if (s->played)
        return;
    s->times.setup = t->setup;
    s->times.catalog = t->catalog;
    s->times.first_unit = t->first_unit;
}

static void plays(struct session *s)
{
    if (s->state == SESSION_SILENT)
        (void)session_hears(s);
    if (s->state != SESSION_PLAYING) {
        if (s->outage_began > 0)
            resumed(s);
        session_enter(s, SESSION_PLAYING);
        note_times(s);
        s->played = true;
        s->outage_began = 0;
        s->tries = 0;
        s->reason[0] = '\0';
        retry_reset(&s->retry);
    }
}

static void on_unit(void *user, size_t track, const struct svc_unit *unit)
{
    struct session *s = user;
    plays(s);
    s->cfg.handler->on_unit(s->cfg.user, track, unit);
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    struct session *s = user;
    if (!s->has_video || s->cfg.handler->is_wanted) /* the video may not be wanted */
        plays(s);
    s->cfg.handler->on_sound(s->cfg.user, track, opus, len, pts);
}

static void on_data(void *user, const struct broadcast_data *d)
{
    struct session *s = user;
    if (!s->has_video || s->cfg.handler->is_wanted) /* the video may not be wanted */
        plays(s);
    if (s->cfg.handler->on_data)
        s->cfg.handler->on_data(s->cfg.user, d);
}

static bool is_wanted(void *user, size_t track)
{
    const struct session *s = user;
    return !s->cfg.handler->is_wanted || s->cfg.handler->is_wanted(s->cfg.user, track);
}

static void on_given_up(void *user, struct svc_layer l)
{
    struct session *s = user;
    if (s->cfg.handler->on_given_up)
        s->cfg.handler->on_given_up(s->cfg.user, l);
}

static void on_sender(void *user, const struct sender_view *v)
{
    struct session *s = user;
    if (s->cfg.handler->on_sender)
        s->cfg.handler->on_sender(s->cfg.user, v);
}

static void ended(struct session *s)
{
    if (s->ended || s->closing)
        return;
    s->ended = true;
    session_enter(s, SESSION_OVER);
    s->cfg.handler->on_end(s->cfg.user);
}

static void on_live(void *user, const char *why)
{
    struct session *s = user;
    session_note(s, "%s", why ? why : "what is live has been caught up with");
}

static void on_fault(void *user, enum broadcast_fault fault, const char *why, double later_s)
{
    struct session *s = user;
    s->fault = true;
    s->later_s = later_s < RETRY_ASKED_MOST_S ? later_s : RETRY_ASKED_MOST_S;
    s->fault_kind = fault;
    snprintf(s->reason, sizeof s->reason, "%s", why);
}

static void on_end(void *user)
{
    struct session *s = user;
    if (s->cfg.listen && s->cfg.keep)
        on_fault(s, BROADCAST_BROKEN, "the broadcast has ended", -1);
    else
        ended(s);
}

static const struct broadcast_handler broadcast_handler = {
    .on_catalog = on_catalog,
    .on_unit = on_unit,
    .on_sound = on_sound,
    .on_data = on_data,
    .is_wanted = is_wanted,
    .on_given_up = on_given_up,
    .on_sender = on_sender,
    .on_live = on_live,
    .on_end = on_end,
    .on_fault = on_fault,
    .may_publish = session_may_publish,
    .on_offered = session_on_offered,
    .on_refused = session_on_refused,
};

/* ---- connections and paths ---- */

static const char *peer_of(const struct session *s)
{
    return s->cfg.listen ? s->caller : s->cfg.to.uri.authority;
}

/* The connection is of no use any more. */
static void drop(struct session *s, uint64_t code)
{
    session_caller_gone(s, s->reason);
    if (s->conn && s->broadcast)
        broadcast_close(s->broadcast, tvl_ev_now(s->driver));
    if (s->conn)
        tvl_close(s->conn, code, "", tvl_ev_now(s->driver));
    broadcast_free(s->broadcast);
    s->broadcast = NULL;
    s->conn = NULL;
    for (size_t i = 0; i < s->n_ways; i++) {
        s->way[i].joined = false;
        s->way[i].retry_at = 0;
        s->way[i].retries = 0;
    }
}

/* The try beside a connection that has long been silent was a success: it takes its place. */
void session_replace(struct session *s)
{
    char line[SESSION_REASON_MAX];
    snprintf(line, sizeof line, "connection to %.180s lost: nothing came for %.1f s", peer_of(s),
             session_now(s) - s->heard_at);
    s->cfg.handler->on_note(s->cfg.user, line);
    log_text(LOG_LEVEL_WARN, "%s; going on with a new one", line);
    drop(s, MOQ_NO_ERROR);
    if (s->cfg.handler->on_interrupted)
        s->cfg.handler->on_interrupted(s->cfg.user, line);
}

/* The MoQT session over a connection that is new. The token is read again: it may have been
 * renewed. */
int session_broadcast_new(struct session *s, struct tvl_conn *conn, struct broadcast **out)
{
    struct broadcast_config cfg = { .server = s->cfg.listen,
                                    .uri = &s->cfg.to.uri,
                                    .implementation = s->cfg.to.implementation,
                                    .wish = s->cfg.wish,
                                    .top = s->top,
                                    .paused = s->paused,
                                    .ask_sender = s->ask_sender,
                                    .follow = s->cfg.editions,
                                    .handler = &broadcast_handler,
                                    .user = s };
    char token[CREDENTIAL_TOKEN_MAX + 1], why[100];
    const struct session_start *start = &s->cfg.start;
    if (start->is && !s->played) {
        const int64_t since = start->moves ? (int64_t)tvl_ev_now(s->driver) - start->at_us : 0;
        cfg.start = true;
        cfg.start_pts = start->pts_us + (since > 0 ? since : 0);
    }
    if (s->cfg.listen)
        return broadcast_new(out, &cfg, conn);
    if (s->cfg.to.token_text)
        cfg.token = (struct moq_bytes){ (const uint8_t *)s->cfg.to.token_text,
                                        strlen(s->cfg.to.token_text) };
    if (s->cfg.to.token) {
        const int len = credential_token(s->cfg.to.token, token, why, sizeof why);
        if (len < 0)
            session_note(s, "token: %s", why);
        else
            cfg.token = (struct moq_bytes){ (const uint8_t *)token, (size_t)len };
    }
    return broadcast_new(out, &cfg, conn);
}

void session_begin(struct session *s, struct tvl_conn *conn)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(conn, &stats);
    s->conn = conn;
    s->heard_bytes = stats.bytes_received;
    s->heard_at = session_now(s);
    s->connect_time = s->connected ? s->connect_time : stats.handshake_time;
    s->connected = true;
    if (!s->played)
        s->times.connected = tvl_ev_now(s->driver);
    session_enter(s, SESSION_JOINING);
}

static void connected(struct session *s, struct tvl_conn *conn)
{
    struct way *won = session_won_by(s, conn);
    if (!won || (s->conn && session_hears(s)))
        return; /* another one was quicker; this one is being closed */
    session_end_try(s, conn);
    if (s->conn)
        session_replace(s);
    session_begin(s, conn);
    won->joined = true;
    won->path_id = 0;
    session_note(s, "connected on path %s", won->spec.name);
    s->cfg.handler->on_connected(s->cfg.user);
    int result = session_broadcast_new(s, conn, &s->broadcast);
    if (result != 0)
        session_fail(s, 1, moq_strerror(result));
    else
        session_join_others(s);
}

/* There is no connection now, or it is given up: begin again, where that is wanted. */
void session_lost(struct session *s, const char *why)
{
    if (why != s->reason)
        snprintf(s->reason, sizeof s->reason, "%s", why);
    drop(s, MOQ_NO_ERROR);
    if (s->closing || s->ended)
        return;
    if (s->cfg.reconnect_s == 0) {
        session_fail(s, 1, s->reason);
        return;
    }
    s->cfg.handler->on_note(s->cfg.user, s->reason);
    if (s->state == SESSION_PLAYING || s->state == SESSION_SILENT)
        log_text(LOG_LEVEL_WARN, "%s; trying again", s->reason);
    else
        log_text(LOG_LEVEL_INFO, "%s", s->reason);
    if (s->outage_began == 0)
        s->outage_began = session_now(s);
    if (s->cfg.handler->on_interrupted)
        s->cfg.handler->on_interrupted(s->cfg.user, s->reason);
    if (s->trying)
        session_enter(s, SESSION_CONNECTING);
    else
        session_wait_for_retry(s);
}

/* The server will not have us: another try would go the same way. */
static bool turned_out(const struct session *s, const struct tvl_event *ev)
{
    if (ev->closed.kind != TVL_CLOSED_PEER_APP || s->played || s->cfg.listen)
        return false; /* a token that has run out while it played may be renewed */
    switch (ev->closed.code) {
    case MOQ_UNAUTHORIZED:
    case MOQ_MALFORMED_AUTH_TOKEN:
    case MOQ_UNKNOWN_AUTH_TOKEN_ALIAS:
    case MOQ_EXPIRED_AUTH_TOKEN:
        return true;
    default:
        return false;
    }
}

static void connection_closed(struct session *s, const struct tvl_event *ev)
{
    static const char *const kinds[] = {
        [TVL_CLOSED_LOCAL] = "closed",        [TVL_CLOSED_PEER_APP] = "closed by the other end",
        [TVL_CLOSED_PEER] = "its error",      [TVL_CLOSED_ERROR] = "it broke the protocol",
        [TVL_CLOSED_TLS] = "TLS failed",      [TVL_CLOSED_IDLE] = "no sign of life",
        [TVL_CLOSED_NO_ANSWER] = "no answer", [TVL_CLOSED_RESET] = "we are forgotten there",
    };
    char line[SESSION_REASON_MAX];
    bool in_order = ev->closed.kind == TVL_CLOSED_PEER_APP && ev->closed.code == MOQ_NO_ERROR;
    bool over =
        in_order && !s->cfg.keep && (s->cfg.reconnect_s == 0 || broadcast_ending(s->broadcast));
    s->fault = false; /* the end of the connection says more */
    snprintf(line, sizeof line, "connection to %.100s lost: %s%s%.100s", peer_of(s),
             kinds[ev->closed.kind], *ev->closed.reason ? ", " : "", ev->closed.reason);
    broadcast_free(s->broadcast);
    s->broadcast = NULL;
    s->conn = NULL;
    session_caller_gone(s, line);
    if (over || s->closing || s->ended) {
        s->closed = true;
        ended(s);
        return;
    }
    if (turned_out(s, ev)) {
        snprintf(line, sizeof line, "%.100s refuses us: %.100s (0x%llx)", s->cfg.to.uri.authority,
                 *ev->closed.reason ? ev->closed.reason : "no reason given",
                 (unsigned long long)ev->closed.code);
        session_fail(s, 1, line);
        return;
    }
    session_lost(s, line);
}

/* What the broadcast has found wrong, outside of its calls. */
static void see_to_fault(struct session *s)
{
    if (!s->fault)
        return;
    s->fault = false;
    const bool refused =
        s->fault_kind == BROADCAST_REFUSED || (s->fault_kind == BROADCAST_ABSENT && !s->cfg.awaits);
    const bool in_vain =
        !s->cfg.listen && /* else it may do better, or another may call */
        (s->fault_kind == BROADCAST_WRONG || (refused && !s->played && s->later_s < 0));
    if (in_vain)
        session_fail(s, 1, s->reason);
    else
        session_lost(s, s->reason);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct session *s = user;
    if (s->cfg.listen && ev->conn != s->conn) {
        session_guest_event(s, ev);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        connected(s, ev->conn);
    if (ev->conn != s->conn) {
        if (ev->type == TVL_EVENT_CLOSED)
            session_attempt_closed(s, ev);
        return;
    }
    if (ev->type == TVL_EVENT_PATH)
        session_path_changed(s, ev->path.id, ev->path.state);
    if (s->broadcast)
        broadcast_event(s->broadcast, ev, tvl_ev_now(s->driver));
    if (ev->type == TVL_EVENT_CLOSED)
        connection_closed(s, ev);
    if (s->fault_kind != BROADCAST_BROKEN) /* the end of the connection, which says more, may */
        see_to_fault(s);                   /* be the next event; else on_tick sees to it */
}

/* ---- time ---- */

/* Whether anything comes at all. */
static void run_silence(struct session *s, double now)
{
    if (session_hears(s) || s->state == SESSION_SILENT || s->cfg.reconnect_s == 0 ||
        now - s->heard_at < session_silence_s(s))
        return;
    s->outage_began = s->heard_at;
    session_enter(s, SESSION_SILENT);
    session_note(s, s->cfg.listen ? "nothing comes"
                                  : "nothing comes: a new connection is tried beside this one");
    if (!s->cfg.listen)
        s->retry_at = now + retry_wait(&s->retry);
}

/* While this program was stopped it could neither hear nor try: that was no outage. */
static void leave_out_stop(struct session *s, double now)
{
    const double stopped = s->ticked_at > 0 ? now - s->ticked_at - TICK_S : 0;

    s->ticked_at = now;
    if (stopped < STOPPED_S)
        return;
    s->heard_at += stopped;
    s->began += stopped;
    if (s->outage_began > 0)
        s->outage_began += stopped;
}

/* Whether it was tried for long enough. */
static bool give_up(struct session *s, double now)
{
    char line[SESSION_REASON_MAX + 64];
    double since = s->connected ? s->outage_began : s->began;
    if (s->cfg.reconnect_s <= 0 || since == 0 || now - since < s->cfg.reconnect_s)
        return false;
    if (!*s->reason)
        snprintf(s->reason, sizeof s->reason, "no %s %.180s",
                 s->cfg.listen ? "publisher has called" : "answer from", s->cfg.to.uri.authority);
    snprintf(line, sizeof line, "%s; given up after %.0f s%s", s->reason, now - since,
             s->n_ways > 1 ? " on any path" : "");
    session_fail(s, s->connected ? 1 : 2, line);
    return true;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct session *s = timer->data;
    double now = session_now(s);
    (void)loop;
    (void)events;
    if (s->failed || s->closed)
        return;
    leave_out_stop(s, now);
    if (s->broadcast)
        broadcast_tick(s->broadcast, tvl_ev_now(s->driver));
    see_to_fault(s);
    if (!s->closing && !s->ended && !s->failed && !give_up(s, now)) {
        if (s->cfg.listen)
            session_listen_tick(s, now);
        else if (s->conn && !s->cfg.follow)
            session_retry_paths(s);
        if (s->conn)
            run_silence(s, now);
        if (s->trying)
            session_run_try(s, now);
        else if (s->retry_at > 0 && now >= s->retry_at)
            session_begin_try(s);
    }
    tvl_ev_kick(s->driver);
}

void session_network_changed(struct session *s)
{
    if (s->closing || s->failed || s->ended || (s->retry_at == 0 && !s->trying))
        return;
    session_end_try(s, NULL); /* its packets may have a long way to their next time */
    retry_reset(&s->retry);
    s->retry_at = session_now(s);
}

/* ---- life ---- */

static void on_keylog(void *user, const char *line)
{
    FILE *f = user;
    fprintf(f, "%s\n", line);
    fflush(f);
}

static int open_tls(struct session *s, char *why, size_t why_size)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct session_to *a = &s->cfg.to;
    struct tvl_tls_config cfg = { .alpn = alpn,
                                  .ca_file = a->ca_file,
                                  .cert_file = a->cert_file,
                                  .key_file = a->key_file,
                                  .server = s->cfg.listen };
    char token[CREDENTIAL_TOKEN_MAX + 1];
    if (s->cfg.listen && !a->cert_file) {
        snprintf(why, why_size, "a listener needs a certificate and its key");
        return -1;
    }
    if (a->token && credential_token(a->token, token, why, why_size) < 0)
        return -1;
    const char *keylog = a->keylog_file ? a->keylog_file : getenv("SSLKEYLOGFILE");
    if (keylog) {
        s->keylog = fopen(keylog, "a");
        if (!s->keylog) {
            snprintf(why, why_size, "cannot open %s: %s", keylog, strerror(errno));
            return -1;
        }
        cfg.keylog = on_keylog;
        cfg.keylog_user = s->keylog;
    }
    return tvl_tls_new(&s->tls, &cfg, why, why_size) == 0 ? 0 : -1;
}

static int open_driver(struct session *s, char *why, size_t why_size)
{
    struct tvl_ev_config cfg = { .loop = s->cfg.loop, .on_event = on_event, .user = s };
    tvl_config_init(&cfg.tvl);
    cfg.tvl.tls = s->tls;
    const char *qlog = s->cfg.to.qlog_dir ? s->cfg.to.qlog_dir : getenv("QLOGDIR");
    if (qlog && tvl_qlog_new(&s->qlog, qlog) != 0) {
        snprintf(why, why_size, "cannot write into %s: %s", qlog, strerror(errno));
        return -1;
    }
    cfg.tvl.keepalive = KEEPALIVE_US; /* who serves us may soon take silence for our end */
    if (s->cfg.listen) {
        cfg.listen = s->cfg.to.uri.authority;
        cfg.tvl.idle_timeout = (tvl_time)(SESSION_CALLER_SILENCE_S * 1e6);
    }
    cfg.tvl.trace = s->qlog ? tvl_qlog_trace : NULL;
    cfg.tvl.trace_user = s->qlog;
    if (s->cfg.to.cc)
        cfg.tvl.cc = s->cfg.to.cc;
    if (s->cfg.to.sched)
        cfg.tvl.sched = s->cfg.to.sched;
    return tvl_ev_new(&s->driver, &cfg, why, why_size) == 0 ? 0 : -1;
}

int session_check_interfaces(const struct path_spec *paths, size_t n, char *why, size_t why_size)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = paths[i].interface;
        if (*name && if_nametoindex(name) == 0) {
            snprintf(why, why_size, "there is no network interface called \"%s\"", name);
            return -1;
        }
    }
    return 0;
}

int session_new(struct session **out, const struct session_config *cfg, char *why, size_t why_size)
{
    int result = 1;
    assert(cfg->listen || (cfg->n_paths >= 1 && cfg->n_paths <= SESSION_PATHS_MAX));
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "no memory for the session");
        return result;
    }
    s->cfg = *cfg;
    s->n_ways = cfg->listen ? 0 : cfg->n_paths;
    s->top = (struct svc_layer){ SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };
    s->state = SESSION_CONNECTING;
    for (size_t i = 0; i < s->n_ways; i++)
        s->way[i].spec = cfg->paths[i];
    snprintf(why, why_size, "cannot set the connection up");
    if (session_check_interfaces(cfg->paths, s->n_ways, why, why_size) ||
        open_tls(s, why, why_size) || open_driver(s, why, why_size))
        goto free_session;
    s->retry.seed = (uint64_t)tvl_ev_now(s->driver);
    s->times.sockets = tvl_ev_now(s->driver);
    s->began = s->state_since = session_now(s);
    if (cfg->listen)
        session_enter(s, SESSION_WAITING);
    else
        session_begin_try(s);
    if (!s->trying && !cfg->patient && !cfg->listen) {
        result = 2;
        snprintf(why, why_size, "%s", s->reason);
        goto free_session;
    }
    ev_timer_init(&s->tick, on_tick, TICK_S, TICK_S);
    s->tick.data = s;
    ev_timer_start(cfg->loop, &s->tick);
    tvl_ev_kick(s->driver);
    *out = s;
    return 0;
free_session:
    session_free(s);
    return result;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    if (s->tick.data)
        ev_timer_stop(s->cfg.loop, &s->tick);
    s->closing = true;
    broadcast_free(s->broadcast);
    session_close_guests(s);
    tvl_ev_free(s->driver);
    tvl_qlog_free(s->qlog);
    tvl_tls_free(s->tls);
    if (s->keylog)
        fclose(s->keylog);
    free(s);
}

void session_close(struct session *s)
{
    if (s->closing)
        return;
    s->closing = true;
    if (s->broadcast && !s->closed)
        broadcast_close(s->broadcast, tvl_ev_now(s->driver));
    session_end_try(s, NULL);
    session_close_guests(s);
    tvl_ev_kick(s->driver);
}

void session_ask(struct session *s, struct svc_layer top)
{
    s->top = top;
    if (s->broadcast)
        broadcast_ask(s->broadcast, top);
}

void session_ask_key(struct session *s, size_t base)
{
    if (s->broadcast && !s->paused)
        broadcast_ask_key(s->broadcast, base);
    tvl_ev_kick(s->driver);
}

void session_ask_sender(struct session *s, bool ask)
{
    if (s->ask_sender == ask)
        return;
    s->ask_sender = ask;
    if (s->broadcast)
        broadcast_ask_sender(s->broadcast, ask);
}

tvl_time session_connect_time(const struct session *s)
{
    return s->connect_time;
}

const struct session_times *session_times(const struct session *s)
{
    return &s->times;
}
