/*
 * session.c - drives libtvl and moq for one broadcast. The handshake is tried on one path after
 * another; the first connection that comes up is the session's, and the other paths join it.
 *
 *     connecting --CONNECTED--> setup --on_setup--> catalog --object--> tracks --all done--> ended
 */
#include "session.h"

#include "credential.h"
#include "log.h"
#include "version.h"

#include <moq/loc.h>
#include <moq/moq.h>
#include <moq/moq_tvl.h>
#include <tvl/qlog.h>

#include <ev.h>
#include <net/if.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 512
#define TICK_S 0.05

struct way { /* one --path option */
    struct path_spec spec;
    struct tvl_conn *attempt; /* handshake under way or won on this path; NULL: none */
    bool tried;
    bool joined;      /* path_id counts */
    uint32_t path_id; /* of the session's connection, the latest attempt */
    double retry_at;  /* loop time; 0: no retry is due */
    unsigned retries;
};

struct track {
    struct session *session;
    enum svc_kind kind;
    struct svc_layer layer;
    struct moq_subscription *sub; /* NULL: over */
    struct moq_subscribe_options options;
    char name[MSF_NAME_MAX];
};

struct session {
    struct session_config cfg;
    struct way way[ARGS_PATHS_MAX];
    size_t n_ways;
    struct tvl_tls *tls;
    FILE *keylog;
    struct tvl_qlog *qlog; /* NULL: none */
    struct tvl_ev *driver;
    struct tvl_conn *conn; /* the one that won */
    struct moq_tvl glue;
    struct moq_session *moq;
    struct msf_catalog catalog;
    bool have_catalog;
    struct track catalog_track, track[MSF_TRACKS_MAX];
    size_t n_tracks, n_live;
    bool closing, closed, failed, ended;
    bool warned_properties;
    char last_reason[REASON_MAX]; /* of the last failed attempt */
    ev_timer tick;
    double began;
    tvl_time connect_time;
};

/* ---- ends ---- */

static void fail(struct session *s, int code, const char *why)
{
    if (s->failed || s->closing)
        return;
    s->failed = true;
    s->cfg.handler->on_failed(s->cfg.user, code, why);
}

static void note(struct session *s, const char *format, const char *name, const char *what)
{
    char text[128];
    snprintf(text, sizeof text, format, name, what);
    s->cfg.handler->on_note(s->cfg.user, text);
    log_text(LOG_LEVEL_INFO, "%s", text);
}

static void track_over(struct session *s, struct track *t)
{
    if (t->sub)
        s->n_live--;
    t->sub = NULL;
    if (s->n_tracks > 0 && s->n_live == 0 && !s->ended && !s->closing) {
        s->ended = true;
        s->cfg.handler->on_end(s->cfg.user);
    }
}

/* ---- MoQT: catalog and tracks ---- */

static int subscribe(struct session *s, struct track *t, const char *name, uint8_t priority,
                     enum moq_filter filter)
{
    struct moq_name full;
    struct moq_subscribe_options *o = &t->options;
    moq_subscribe_options_init(o);
    o->priority = priority;
    o->filter = filter;
    t->session = s;
    snprintf(t->name, sizeof t->name, "%s", name);
    int result = moq_name_from_text(&full, s->cfg.args->uri.ns, name);
    if (result == 0)
        result = moq_subscribe(s->moq, &full, o, t, &t->sub);
    if (result != 0)
        log_text(LOG_LEVEL_WARN, "cannot ask for track %s: %s", name, moq_strerror(result));
    return result;
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct session *s = user;
    (void)path;
    (void)authority;
    /* the catalog as it stands, not only its next edition: no filter */
    if (subscribe(s, &s->catalog_track, MSF_CATALOG_TRACK, SUBSCRIPTION_PRIORITY_CATALOG,
                  MOQ_FILTER_NONE) != 0)
        fail(s, 1, "cannot ask for the catalog");
}

static void subscribe_tracks(struct session *s, const struct subscription_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct subscription_item *item = &plan->item[i];
        struct track *t = &s->track[s->n_tracks];
        t->kind = item->kind;
        t->layer = item->layer;
        if (subscribe(s, t, s->catalog.tracks[item->track].name, item->priority,
                      MOQ_FILTER_NEXT_GROUP) == 0) {
            s->n_tracks++;
            s->n_live++;
        }
    }
}

static void take_catalog(struct session *s, const struct moq_object *obj)
{
    char why[200], line[REASON_MAX];
    struct subscription_plan plan;
    if (s->have_catalog || obj->object != 0 || obj->status != 0)
        return; /* later editions are not followed yet */
    if (msf_catalog_read(&s->catalog, (const char *)obj->payload.bytes, obj->payload.len, why,
                         sizeof why) != 0) {
        snprintf(line, sizeof line, "the catalog is not understood: %s", why);
        fail(s, 1, line);
        return;
    }
    s->have_catalog = true;
    if (subscription_decide(&plan, &s->catalog, &s->cfg.wish, why, sizeof why) != 0) {
        fail(s, 1, why);
        return;
    }
    s->cfg.handler->on_catalog(s->cfg.user, &s->catalog, &plan);
    subscribe_tracks(s, &plan);
}

/* The object's time in us; false when it has none or it is out of all bounds. */
static bool media_time(const struct loc_properties *p, int64_t *pts)
{
    uint64_t scale = p->timescale ? p->timescale : 1000000;
    if (!p->has_timestamp || p->timestamp / scale > UINT64_MAX / 8 / 1000000)
        return false;
    uint64_t whole = p->timestamp / scale, rest = p->timestamp % scale;
    double fraction = (double)rest * 1e6 / (double)scale;
    *pts = (int64_t)(whole * 1000000 + (scale == 1000000 ? rest : (uint64_t)(fraction + 0.5)));
    return true;
}

static void take_layer(struct session *s, const struct track *t, const struct moq_object *obj,
                       const struct loc_properties *p, int64_t pts)
{
    struct svc_unit unit = { .bytes = obj->payload.bytes,
                             .len = obj->payload.len,
                             .picture = p->picture,
                             .pts = pts,
                             .layer = t->layer,
                             .captured = p->captured <= INT64_MAX ? (int64_t)p->captured : 0,
                             .encode_us = p->encode_us <= UINT32_MAX ? (uint32_t)p->encode_us : 0 };
    if (!p->has_picture || p->dependencies_len == 0 ||
        svc_deps_decode(&unit.deps, p->picture, p->dependencies, p->dependencies_len) != 0) {
        if (!s->warned_properties)
            log_text(LOG_LEVEL_WARN,
                     "track %s: objects without picture number and dependencies "
                     "are left out",
                     t->name);
        s->warned_properties = true;
        return;
    }
    unit.key = unit.layer.spatial == 0 && unit.deps.n_reads == 0;
    s->cfg.handler->on_unit(s->cfg.user, &unit);
}

static void on_object(void *user, struct moq_subscription *sub, const struct moq_object *obj)
{
    struct session *s = user;
    const struct track *t = moq_subscription_user(sub);
    struct loc_properties p;
    int64_t pts;
    if (s->closing)
        return;
    if (t == &s->catalog_track) {
        take_catalog(s, obj);
        return;
    }
    if (obj->status != 0 || obj->payload.len == 0 ||
        loc_properties_decode(&p, obj->properties.bytes, obj->properties.len) != 0 ||
        !media_time(&p, &pts))
        return;
    if (t->kind == SVC_AUDIO)
        s->cfg.handler->on_sound(s->cfg.user, obj->payload.bytes, obj->payload.len, pts);
    else
        take_layer(s, t, obj, &p, pts);
}

static void on_object_lost(void *user, struct moq_subscription *sub, uint64_t group,
                           uint64_t object, uint64_t code)
{
    struct session *s = user;
    const struct track *t = moq_subscription_user(sub);
    (void)group;
    (void)object;
    (void)code;
    if (t != &s->catalog_track && t->kind == SVC_VIDEO && s->cfg.handler->on_given_up &&
        !s->closing)
        s->cfg.handler->on_given_up(s->cfg.user, t->layer);
}

static void on_rejected(void *user, struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct session *s = user;
    struct track *t = moq_subscription_user(sub);
    char line[REASON_MAX];
    snprintf(line, sizeof line, "the server refuses \"%.100s\" track %s: %.200s (0x%llx)",
             s->cfg.args->uri.ns, t->name, *reason ? reason : "no reason given",
             (unsigned long long)code);
    if (t == &s->catalog_track) {
        t->sub = NULL;
        fail(s, 1, line);
        return;
    }
    log_text(LOG_LEVEL_WARN, "%s", line);
    if (t->kind == SVC_VIDEO && t->layer.spatial == 0 && t->layer.temporal == 0)
        fail(s, 1, line);
    track_over(s, t);
}

static void on_done(void *user, struct moq_subscription *sub, uint64_t status, const char *reason)
{
    struct session *s = user;
    struct track *t = moq_subscription_user(sub);
    log_text(LOG_LEVEL_INFO, "track %s is over: status 0x%llx %s", t->name,
             (unsigned long long)status, reason);
    if (t == &s->catalog_track)
        t->sub = NULL;
    else
        track_over(s, t);
}

static void on_moq_closed(void *user, uint64_t code, const char *reason)
{
    struct session *s = user;
    char line[REASON_MAX];
    snprintf(line, sizeof line, "the session broke: %.200s (0x%llx)",
             *reason ? reason : "no reason given", (unsigned long long)code);
    if (code != MOQ_NO_ERROR)
        fail(s, 1, line);
}

static const struct moq_handler moq_handler = {
    .on_setup = on_setup,
    .on_closed = on_moq_closed,
    .on_object = on_object,
    .on_object_lost = on_object_lost,
    .on_rejected = on_rejected,
    .on_done = on_done,
};

/* ---- connections and paths ---- */

static struct tvl_ev_path driver_path(const struct path_spec *spec)
{
    return (struct tvl_ev_path){ .interface = *spec->interface ? spec->interface : NULL,
                                 .local = *spec->local ? spec->local : NULL,
                                 .remote = *spec->remote ? spec->remote : NULL,
                                 .backup = spec->backup };
}

/* Begin a handshake on the next path that was not tried. 0, or -1 when there is none left. */
static int try_next(struct session *s)
{
    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (w->tried)
            continue;
        struct tvl_ev_path path = driver_path(&w->spec);
        char why[200] = "";
        w->tried = true;
        int result = tvl_ev_connect(s->driver, s->cfg.args->uri.authority, s->cfg.args->uri.host,
                                    &path, &w->attempt, why, sizeof why);
        if (result == 0)
            return 0;
        w->attempt = NULL;
        snprintf(s->last_reason, sizeof s->last_reason, "path %s: %s", w->spec.name,
                 *why ? why : tvl_strerror(result));
        log_text(LOG_LEVEL_WARN, "%s", s->last_reason);
    }
    return -1;
}

static void join(struct session *s, struct way *w)
{
    struct tvl_ev_path path = driver_path(&w->spec);
    char why[200] = "";
    int id = tvl_ev_path_add(s->driver, s->conn, &path, why, sizeof why);
    if (id < 0) {
        note(s, "path %s cannot be opened: %s", w->spec.name, *why ? why : tvl_strerror(id));
        w->retry_at = ev_now(s->cfg.loop) + SESSION_PATH_RETRY_S;
        return;
    }
    w->joined = true;
    w->path_id = (uint32_t)id;
}

static int start_moq(struct session *s)
{
    char path[URI_NAMESPACE_MAX + 1];
    struct moq_quic quic;
    struct moq_session_config cfg = { .authority = s->cfg.args->uri.authority,
                                      .path = path,
                                      .implementation = "svc-player " CLIENT_VERSION };
    char token[CREDENTIAL_TOKEN_MAX + 1], why[100];
    snprintf(path, sizeof path, "/%s", s->cfg.args->uri.ns);
    if (s->cfg.args->token) {
        const int len = credential_token(s->cfg.args->token, token, why, sizeof why);
        if (len < 0)
            note(s, "%s: %s", "token", why);
        else
            cfg.token.value = (struct moq_bytes){ (const uint8_t *)token, (size_t)len };
    }
    moq_tvl_init(&s->glue, s->conn, &quic);
    int result = moq_session_new(&s->moq, &cfg, &quic, &moq_handler, s);
    return result == 0 ? moq_session_start(s->moq) : result;
}

/* From now on the driver opens and leaves paths as interfaces come and go. */
static void follow_interfaces(struct session *s)
{
    const struct tvl_ev_watch watch = { .allow = NULL };
    char why[200] = "";
    if (tvl_ev_watch(s->driver, s->conn, &watch, why, sizeof why) != 0) {
        note(s, "interfaces are not followed%s%s", *why ? ": " : "", why);
        s->cfg.follow = false;
    }
}

static const char *followed_name(const struct session *s, uint32_t path_id)
{
    const char *name = tvl_ev_path_interface(s->driver, s->conn, path_id);
    return *name ? name : "default";
}

static void connected(struct session *s, struct tvl_conn *conn)
{
    if (s->conn)
        return; /* another path was quicker; this one is being closed */
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(conn, &stats);
    s->conn = conn;
    s->connect_time = stats.handshake_time;
    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (w->attempt == conn) {
            w->joined = true;
            w->path_id = 0;
            note(s, "connected on path %s%s", w->spec.name, "");
        } else if (w->attempt) {
            tvl_close(w->attempt, 0, "", tvl_ev_now(s->driver));
        }
    }
    s->cfg.handler->on_connected(s->cfg.user);
    int result = start_moq(s);
    if (result != 0) {
        fail(s, 1, moq_strerror(result));
        return;
    }
    if (s->cfg.follow)
        follow_interfaces(s);
    for (size_t i = 0; i < s->n_ways && !s->cfg.follow; i++)
        if (!s->way[i].joined)
            join(s, &s->way[i]);
}

static void path_changed(struct session *s, uint32_t id, enum tvl_path_state state)
{
    static const char *const words[] = { "opening", "up", "suspect", "abandoned" };
    if (s->cfg.follow) {
        note(s, "path %s %s", followed_name(s, id), words[state]);
        return;
    }
    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (!w->joined || w->path_id != id)
            continue;
        note(s, "path %s %s", w->spec.name, words[state]);
        if (state == TVL_PATH_UP)
            w->retries = 0;
        if (state == TVL_PATH_ABANDONED)
            w->retry_at = ev_now(s->cfg.loop) + SESSION_PATH_RETRY_S;
        return;
    }
}

static bool attempts_left(const struct session *s)
{
    for (size_t i = 0; i < s->n_ways; i++)
        if (s->way[i].attempt || !s->way[i].tried)
            return true;
    return false;
}

static void no_answer(struct session *s)
{
    char line[REASON_MAX + 64];
    if (*s->last_reason)
        snprintf(line, sizeof line, "%s", s->last_reason);
    else
        snprintf(line, sizeof line, "no answer from %.260s in %.0f s on any path",
                 s->cfg.args->uri.authority, SESSION_GIVE_UP_S);
    fail(s, 2, line);
}

static void attempt_closed(struct session *s, const struct tvl_event *ev)
{
    for (size_t i = 0; i < s->n_ways; i++)
        if (s->way[i].attempt == ev->conn)
            s->way[i].attempt = NULL;
    if (s->conn)
        return; /* a path that lost the race */
    if (ev->closed.kind == TVL_CLOSED_TLS) {
        char line[REASON_MAX];
        /* another path leads to the same server: no use in trying it */
        snprintf(line, sizeof line, "the secure connection failed: %s",
                 *ev->closed.reason ? ev->closed.reason : "no reason given");
        fail(s, 2, strstr(ev->closed.reason, "certificate") ? ev->closed.reason : line);
        return;
    }
    if (ev->closed.kind != TVL_CLOSED_NO_ANSWER)
        snprintf(s->last_reason, sizeof s->last_reason, "%.250s refused the connection: %.128s",
                 s->cfg.args->uri.authority,
                 *ev->closed.reason ? ev->closed.reason : "no reason given");
    if (try_next(s) != 0 && !attempts_left(s))
        no_answer(s);
}

static void connection_closed(struct session *s, const struct tvl_event *ev)
{
    static const char *const kinds[] = {
        [TVL_CLOSED_LOCAL] = "closed",        [TVL_CLOSED_PEER_APP] = "closed by the server",
        [TVL_CLOSED_PEER] = "server's error", [TVL_CLOSED_ERROR] = "the server broke the protocol",
        [TVL_CLOSED_TLS] = "TLS failed",      [TVL_CLOSED_IDLE] = "no sign of life",
        [TVL_CLOSED_NO_ANSWER] = "no answer", [TVL_CLOSED_RESET] = "the server has forgotten us",
    };
    char line[REASON_MAX];
    s->closed = true;
    if (ev->closed.kind == TVL_CLOSED_PEER_APP && ev->closed.code == MOQ_NO_ERROR) {
        if (!s->ended && !s->closing) {
            s->ended = true;
            s->cfg.handler->on_end(s->cfg.user);
        }
        return;
    }
    snprintf(line, sizeof line, "connection to %.260s lost: %s%s%.128s", s->cfg.args->uri.authority,
             kinds[ev->closed.kind], *ev->closed.reason ? ", " : "", ev->closed.reason);
    fail(s, 1, line);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct session *s = user;
    if (ev->type == TVL_EVENT_CONNECTED)
        connected(s, ev->conn);
    if (ev->type == TVL_EVENT_CLOSED) {
        if (ev->conn == s->conn)
            connection_closed(s, ev);
        else
            attempt_closed(s, ev);
    }
    if (ev->conn != s->conn || !s->moq)
        return;
    if (ev->type == TVL_EVENT_PATH)
        path_changed(s, ev->path.id, ev->path.state);
    moq_tvl_on_event(&s->glue, s->moq, ev, tvl_ev_now(s->driver));
}

/* ---- time ---- */

static void run_connecting(struct session *s, double now)
{
    double waited = now - s->began;
    size_t tried = 0;
    for (size_t i = 0; i < s->n_ways; i++)
        tried += s->way[i].tried;
    if (waited >= SESSION_GIVE_UP_S)
        no_answer(s);
    else if (waited >= SESSION_NEXT_PATH_S * (double)tried)
        try_next(s);
}

static void run_retries(struct session *s, double now)
{
    for (size_t i = 0; i < s->n_ways; i++) {
        struct way *w = &s->way[i];
        if (w->retry_at == 0 || now < w->retry_at)
            continue;
        w->retry_at = 0;
        if (w->retries++ < SESSION_PATH_RETRIES_MAX)
            join(s, w);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct session *s = timer->data;
    (void)events;
    if (s->failed || s->closed)
        return;
    if (!s->conn)
        run_connecting(s, ev_now(loop));
    else if (!s->closing)
        run_retries(s, ev_now(loop));
    if (s->moq)
        moq_session_tick(s->moq, tvl_ev_now(s->driver));
    tvl_ev_kick(s->driver);
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
    const struct args *a = s->cfg.args;
    struct tvl_tls_config cfg = {
        .alpn = alpn, .ca_file = a->ca_file, .cert_file = a->cert_file, .key_file = a->key_file
    };
    char token[CREDENTIAL_TOKEN_MAX + 1];
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
    const char *qlog = s->cfg.args->qlog_dir ? s->cfg.args->qlog_dir : getenv("QLOGDIR");
    if (qlog && tvl_qlog_new(&s->qlog, qlog) != 0) {
        snprintf(why, why_size, "cannot write into %s: %s", qlog, strerror(errno));
        return -1;
    }
    cfg.tvl.trace = s->qlog ? tvl_qlog_trace : NULL;
    cfg.tvl.trace_user = s->qlog;
    if (s->cfg.args->cc)
        cfg.tvl.cc = s->cfg.args->cc;
    if (s->cfg.args->sched)
        cfg.tvl.sched = s->cfg.args->sched;
    return tvl_ev_new(&s->driver, &cfg, why, why_size) == 0 ? 0 : -1;
}

static int check_interfaces(const struct session *s, char *why, size_t why_size)
{
    for (size_t i = 0; i < s->n_ways; i++) {
        const char *name = s->way[i].spec.interface;
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
    assert(cfg->n_paths >= 1 && cfg->n_paths <= ARGS_PATHS_MAX);
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "no memory for the session");
        return result;
    }
    s->cfg = *cfg;
    s->n_ways = cfg->n_paths;
    for (size_t i = 0; i < cfg->n_paths; i++)
        s->way[i].spec = cfg->paths[i];
    snprintf(why, why_size, "cannot set the connection up");
    if (check_interfaces(s, why, why_size) || open_tls(s, why, why_size) ||
        open_driver(s, why, why_size))
        goto free_session;
    if (try_next(s) != 0) {
        result = 2;
        snprintf(why, why_size, "%s", s->last_reason);
        goto free_session;
    }
    s->began = ev_now(cfg->loop);
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
    moq_session_free(s->moq);
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
    if (s->moq && !s->closed)
        moq_session_close(s->moq, MOQ_NO_ERROR, "");
    for (size_t i = 0; i < s->n_ways && !s->conn; i++)
        if (s->way[i].attempt)
            tvl_close(s->way[i].attempt, 0, "", tvl_ev_now(s->driver));
    tvl_ev_kick(s->driver);
}

void session_ask(struct session *s, struct svc_layer top)
{
    for (size_t i = 0; i < s->n_tracks; i++) {
        struct track *t = &s->track[i];
        bool wanted = t->layer.spatial <= top.spatial && t->layer.temporal <= top.temporal;
        if (!t->sub || t->kind != SVC_VIDEO || t->options.forward == wanted)
            continue;
        struct moq_subscribe_options o = t->options;
        o.forward = wanted;
        int result = moq_subscription_update(t->sub, &o);
        if (result == 0)
            t->options = o;
        else
            log_text(LOG_LEVEL_WARN, "track %s: %s", t->name, moq_strerror(result));
    }
}

bool session_closed(const struct session *s)
{
    return s->closed || !s->conn;
}

static size_t followed_paths(const struct session *s, struct session_path *out, size_t cap)
{
    struct tvl_path_stats stats[2 * TVL_PATHS_MAX];
    size_t known = tvl_paths(s->conn, stats, sizeof stats / sizeof stats[0]), n = 0;
    for (size_t k = 0; k < known && n < cap; k++) {
        if (stats[k].state == TVL_PATH_ABANDONED)
            continue;
        snprintf(out[n].name, sizeof out[n].name, "%.15s", followed_name(s, stats[k].id));
        out[n++].stats = stats[k];
    }
    return n;
}

size_t session_paths(const struct session *s, struct session_path *out, size_t cap)
{
    struct tvl_path_stats stats[TVL_PATHS_MAX];
    if (!s->conn || s->closed)
        return 0;
    if (s->cfg.follow)
        return followed_paths(s, out, cap);
    size_t known = tvl_paths(s->conn, stats, TVL_PATHS_MAX), n = 0;
    for (size_t i = 0; i < s->n_ways && n < cap; i++)
        for (size_t k = 0; k < known && s->way[i].joined; k++)
            if (stats[k].id == s->way[i].path_id) {
                memcpy(out[n].name, s->way[i].spec.name, sizeof out[n].name);
                out[n++].stats = stats[k];
                break;
            }
    return n;
}

tvl_time session_connect_time(const struct session *s)
{
    return s->connect_time;
}
