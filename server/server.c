/* server.c - see server.h. */
#include "server.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tvl/ev.h>
#include <tvl/qlog.h>
#include <tvl/select.h>

#include "feed_file.h"
#include "log.h"
#include "object.h"
#include "report.h"
#include "supplier.h"
#include "viewer.h"

#define TICK_S 0.05
#define REPORT_S 1.
#define VIEWER_START_US                                                                           \
    100000                      /* from the first subscription on: the others come right after it \
                                 */
#define DRAIN_QUIET_US 300000   /* nothing left to send for so long: it has arrived */
#define DRAIN_SIGNAL_US 1000000 /* a person waits */
#define CLOSE_US 1000000        /* for goodbyes to be said */
#define MS_PER_S 1000u

enum phase { SERVING, DRAINING, CLOSING };

struct server {
    const struct args *args;
    struct ev_loop *loop;
    FILE *keylog, *json;
    struct tvl_qlog *qlog;           /* NULL: none */
    struct tvl_knowledge *knowledge; /* NULL: none */
    struct tvl_tls *tls;
    struct tvl_ev *driver;
    struct feed *feed;
    struct encoder_orders *orders; /* the feed's; NULL: nothing is encoded */
    struct supplier supplier;
    struct tracks tracks;
    struct object_counter counter;
    struct moq_location largest[TRACKS_MAX];
    bool has_largest[TRACKS_MAX];
    char catalog[TRACKS_CATALOG_JSON_MAX];
    struct broadcast broadcast;
    struct viewer **viewers; /* n_viewers of at most args->max_viewers */
    size_t n_viewers;
    uint64_t viewers_total;
    ev_signal on_term, on_int;
    ev_timer tick, report;
    enum phase phase;
    tvl_time began, busy_at, phase_until; /* busy_at: when something was last left to send */
    bool json_failed, feed_failed;
};

/* ---- reports ---- */

static void report(struct server *s, const struct report_head *what, struct viewer *const *viewers,
                   size_t n)
{
    if (!s->json || s->json_failed)
        return;
    tvl_time now = tvl_ev_now(s->driver);
    struct report_head head = *what;
    head.elapsed_us = now - s->began;
    head.viewers_total = s->viewers_total;
    struct live_stats live;
    head.live = feed_stats(s->feed, &live) ? &live : NULL;
    head.supplier = &s->supplier;
    if (report_write(s->json, &head, &s->tracks, (const struct viewer *const *)viewers, n, now) <
        0) {
        s->json_failed = true;
        log_line(LOG_ERROR, "%s: cannot be written", s->args->json);
    }
}

static void on_report(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *s = timer->data;
    (void)loop;
    (void)events;
    if (s->phase == CLOSING)
        return; /* the final line is the last */
    report(s, &(struct report_head){ .kind = REPORT_INTERVAL }, s->viewers, s->n_viewers);
}

/* ---- the end ---- */

static void begin_drain(struct server *s, const char *reason, tvl_time patience)
{
    tvl_time now = tvl_ev_now(s->driver);
    s->phase = DRAINING;
    s->busy_at = now;
    s->phase_until = now + patience;
    feed_stop(s->feed);
    for (size_t i = 0; i < s->n_viewers; i++)
        viewer_done(s->viewers[i], reason);
    log_line(LOG_INFO, "%s; %zu viewers", reason, s->n_viewers);
}

static void begin_close(struct server *s, tvl_time now)
{
    s->phase = CLOSING;
    s->phase_until = now + CLOSE_US;
    report(s, &(struct report_head){ .kind = REPORT_FINAL }, s->viewers, s->n_viewers);
    for (size_t i = 0; i < s->n_viewers; i++)
        viewer_close(s->viewers[i], "the broadcast is over", now);
}

static void advance_end(struct server *s, tvl_time now)
{
    if (s->phase == DRAINING) {
        for (size_t i = 0; i < s->n_viewers; i++)
            if (tvl_backlog(viewer_conn(s->viewers[i]), UINT64_MAX) > 0)
                s->busy_at = now;
        if (s->n_viewers == 0 || now - s->busy_at >= DRAIN_QUIET_US || now >= s->phase_until)
            begin_close(s, now);
    }
    if (s->phase == CLOSING && (s->n_viewers == 0 || now >= s->phase_until))
        ev_break(s->loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct server *s = signal->data;
    (void)events;
    if (s->phase != SERVING) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    begin_drain(s, "the server is stopping", DRAIN_SIGNAL_US);
    tvl_ev_kick(s->driver);
}

/* ---- the feed ---- */

static void on_packet(void *user, const struct svc_packet *pkt)
{
    struct server *s = user;
    struct object obj;
    if (object_make(&s->counter, &s->tracks, pkt, &obj) < 0)
        return;
    tvl_time now = tvl_ev_now(s->driver);
    const struct svc_unit *unit = pkt->kind == SVC_VIDEO ? &pkt->unit : NULL;
    for (size_t i = 0; i < s->n_viewers; i++)
        viewer_offer(s->viewers[i], &obj, unit, now);
    s->largest[obj.track] = (struct moq_location){ obj.moq.group, obj.moq.object };
    s->has_largest[obj.track] = true;
}

static void on_burst(void *user)
{
    struct server *s = user;
    tvl_ev_kick(s->driver);
}

static void on_end(void *user, enum feed_end end)
{
    struct server *s = user;
    s->feed_failed = end == FEED_DAMAGED;
    /* The last base units may take as long as they live. */
    begin_drain(s, end == FEED_END ? "the file is over" : "the file is damaged",
                s->broadcast.latency_us * (POLICY_LIVES_MOST + 1));
    tvl_ev_kick(s->driver);
}

/* Whoever comes need not wait for the next key picture, where one can be had. */
static void on_watched(void *user, const struct track *track)
{
    struct server *s = user;
    if (s->phase != SERVING)
        return;
    if (s->args->start_on_viewer)
        feed_start(s->feed, VIEWER_START_US);
    supplier_decide(&s->supplier, s->viewers, s->n_viewers, tvl_ev_now(s->driver));
    if (s->orders && track->flow == 0)
        encoder_orders_refresh(s->orders, 0, NULL);
}

/* What follows is for all who follow that layer, and may lean on what each of them holds. */
static void on_missed(void *user, const struct viewer *who, uint8_t spatial)
{
    struct server *s = user;
    if (!s->orders)
        return;
    encoder_orders_refresh(s->orders, spatial, viewer_holds(who));
    for (size_t i = 0; i < s->n_viewers; i++)
        if (s->viewers[i] != who && viewer_top(s->viewers[i]) >= spatial)
            encoder_orders_refresh(s->orders, spatial, viewer_holds(s->viewers[i]));
}

/* ---- viewers ---- */

static void accept_viewer(struct server *s, struct tvl_conn *conn, tvl_time now)
{
    struct viewer *v;
    if (s->phase != SERVING || s->n_viewers == s->args->max_viewers ||
        viewer_new(&v, &s->broadcast, conn, now) < 0) {
        tvl_close(conn, MOQ_NO_ERROR, "no room for another viewer", now);
        return;
    }
    tvl_conn_set_user(conn, v);
    s->viewers[s->n_viewers++] = v;
    s->viewers_total++;
}

static void lose_viewer(struct server *s, struct viewer *v, const struct tvl_event *ev)
{
    log_line(LOG_INFO, "viewer %llu: gone (%d, 0x%llx) %s", (unsigned long long)viewer_id(v),
             (int)ev->closed.kind, (unsigned long long)ev->closed.code, ev->closed.reason);
    struct report_head head = { .kind = REPORT_ENDED, .reason = ev->closed.reason };
    report(s, &head, &v, 1);
    for (size_t i = 0; i < s->n_viewers; i++) {
        if (s->viewers[i] == v) {
            s->viewers[i] = s->viewers[--s->n_viewers];
            break;
        }
    }
    tvl_conn_set_user(ev->conn, NULL);
    viewer_free(v);
}

static void on_event(void *user, const struct tvl_event *ev)
{
    struct server *s = user;
    tvl_time now = tvl_ev_now(s->driver);
    if (ev->type == TVL_EVENT_ACCEPTED) {
        accept_viewer(s, ev->conn, now);
        return;
    }
    struct viewer *v = tvl_conn_user(ev->conn);
    if (!v)
        return;
    if (ev->type == TVL_EVENT_CLOSED)
        lose_viewer(s, v, ev);
    else
        viewer_on_event(v, ev, now);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *s = timer->data;
    (void)loop;
    (void)events;
    tvl_time now = tvl_ev_now(s->driver);
    for (size_t i = 0; i < s->n_viewers; i++)
        viewer_tick(s->viewers[i], now);
    supplier_tick(&s->supplier, s->viewers, s->n_viewers, now);
    advance_end(s, now);
    tvl_ev_kick(s->driver);
}

/* ---- set-up ---- */

static void on_keylog(void *user, const char *line)
{
    FILE *file = user;
    fprintf(file, "%s\n", line);
    fflush(file);
}

static int open_file(FILE **out, const char *path, const char *mode, char *why, size_t why_size)
{
    if (!path)
        return 0;
    *out = fopen(path, mode);
    if (*out)
        return 0;
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return -1;
}

static int open_qlog(struct server *s, const char *dir, char *why, size_t why_size)
{
    if (!dir || tvl_qlog_new(&s->qlog, dir) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", dir, strerror(errno));
    return -1;
}

static uint64_t wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * MS_PER_S + (uint64_t)ts.tv_nsec / 1000000u;
}

static int open_feed(struct server *s, char *why, size_t why_size)
{
    const struct feed_sink sink = {
        .loop = s->loop, .on_packet = on_packet, .on_burst = on_burst, .on_end = on_end, .user = s
    };
    const struct args *a = s->args;
    if (a->file)
        return feed_file_open(&s->feed, &sink, a->file, a->loop ? FEED_AGAIN : FEED_ONCE, why,
                              why_size);
    struct live_config cfg = a->live.config;
    cfg.input.repeat = a->loop;
    return live_open(&s->feed, &sink, &cfg, why, why_size);
}

static int open_broadcast(struct server *s, char *why, size_t why_size)
{
    if (open_feed(s, why, why_size) < 0)
        return -1;
    s->orders = feed_orders(s->feed);
    const struct svc_stream_info *info = feed_info(s->feed);
    struct msf_catalog *catalog = malloc(sizeof *catalog);
    uint64_t now_ms = wall_ms();
    int len = -1;
    tracks_init(&s->tracks, info);
    supplier_init(&s->supplier, s->orders, info, &s->tracks,
                  s->args->live.config.encoder.bitrate_bps,
                  s->args->latency_ms * (uint64_t)MS_PER_S);
    object_counter_init(&s->counter, now_ms);
    if (catalog) {
        tracks_catalog(&s->tracks, info, s->args->latency_ms, now_ms, catalog);
        len = msf_catalog_write(catalog, s->catalog, sizeof s->catalog);
    }
    free(catalog);
    if (len < 0) {
        snprintf(why, why_size, "the catalog cannot be written");
        return -1;
    }
    s->broadcast = (struct broadcast){ .ns = s->args->ns,
                                       .tracks = &s->tracks,
                                       .catalog = s->catalog,
                                       .catalog_len = (size_t)len,
                                       .catalog_group = now_ms,
                                       .largest = s->largest,
                                       .has_largest = s->has_largest,
                                       .latency_us = s->args->latency_ms * (uint64_t)MS_PER_S,
                                       .on_watched = on_watched,
                                       .on_missed = on_missed,
                                       .user = s };
    return 0;
}

/* Without the installed one formulas alone decide; one that was named must be good. */
static int read_knowledge(struct server *s, char *why, size_t why_size)
{
    const struct args *a = s->args;
    if (a->objective == TVL_OBJECTIVE_NONE)
        return 0;
    if (tvl_knowledge_read(&s->knowledge, a->knowledge, why, why_size) == 0)
        return 0;
    if (a->knowledge)
        return -1;
    log_line(LOG_INFO, "no knowledge base: %s", why);
    return 0;
}

static int open_port(struct server *s, char *why, size_t why_size)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct tvl_tls_config tls = { .alpn = alpn,
                                        .cert_file = s->args->cert,
                                        .key_file = s->args->key,
                                        .server = true,
                                        .keylog = s->keylog ? on_keylog : NULL,
                                        .keylog_user = s->keylog };
    why[0] = 0;
    int result = tvl_tls_new(&s->tls, &tls, why, why_size);
    if (result == 0) {
        struct tvl_ev_config cfg = {
            .loop = s->loop, .listen = s->args->listen, .on_event = on_event, .user = s
        };
        tvl_config_init(&cfg.tvl);
        cfg.tvl.tls = s->tls;
        cfg.tvl.conns_max = s->args->max_viewers;
        cfg.tvl.trace = s->qlog ? tvl_qlog_trace : NULL;
        cfg.tvl.trace_user = s->qlog;
        cfg.tvl.cc = s->args->cc ? s->args->cc : "copa";
        cfg.tvl.objective = (enum tvl_objective)s->args->objective;
        cfg.tvl.objective_deadline = s->broadcast.latency_us;
        cfg.tvl.knowledge = s->knowledge;
        cfg.tvl.sched = s->args->sched ? s->args->sched : "layered";
        result = tvl_ev_new(&s->driver, &cfg, why, why_size);
    }
    if (result < 0 && !why[0])
        snprintf(why, why_size, "%s: %s", s->args->listen, tvl_strerror(result));
    return result < 0 ? -1 : 0;
}

static void start_watchers(struct server *s)
{
    signal(SIGPIPE, SIG_IGN);
    ev_signal_init(&s->on_term, on_signal, SIGTERM);
    ev_signal_init(&s->on_int, on_signal, SIGINT);
    s->on_term.data = s->on_int.data = s;
    ev_signal_start(s->loop, &s->on_term);
    ev_signal_start(s->loop, &s->on_int);
    ev_timer_init(&s->tick, on_tick, TICK_S, TICK_S);
    ev_timer_init(&s->report, on_report, REPORT_S, REPORT_S);
    s->tick.data = s->report.data = s;
    ev_timer_start(s->loop, &s->tick);
    ev_timer_start(s->loop, &s->report);
}

static void say_ready(const struct server *s)
{
    const char *colon = strrchr(s->args->listen, ':');
    int host = colon ? (int)(colon - s->args->listen) : 0;
    printf("svc-server: ready on %.*s:%u\n", host, s->args->listen, tvl_ev_port(s->driver));
    fflush(stdout);
}

static void close_all(struct server *s)
{
    for (size_t i = 0; i < s->n_viewers; i++)
        viewer_free(s->viewers[i]);
    free(s->viewers);
    tvl_ev_free(s->driver);
    tvl_qlog_free(s->qlog);
    tvl_tls_free(s->tls);
    tvl_knowledge_free(s->knowledge);
    feed_free(s->feed);
    if (s->keylog)
        fclose(s->keylog);
    if (s->json)
        fclose(s->json);
    if (s->broadcast.policy_log)
        fclose(s->broadcast.policy_log);
    if (s->loop)
        ev_loop_destroy(s->loop);
    free(s);
}

static const char *name_of_feed(const struct args *a)
{
    const char *path = a->live.config.input.path;
    return a->file ? a->file : path ? path : "test";
}

int server_run(const struct args *a, char *why, size_t why_size)
{
    int result = -1;
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    s->args = a;
    s->loop = ev_loop_new(EVFLAG_AUTO);
    s->viewers = calloc(a->max_viewers, sizeof(struct viewer *));
    if (!s->loop || !s->viewers) {
        snprintf(why, why_size, "cannot set up the event loop");
        goto close;
    }
    if (open_file(&s->keylog, a->keylog ? a->keylog : getenv("SSLKEYLOGFILE"), "a", why, why_size) <
            0 ||
        open_qlog(s, a->qlog ? a->qlog : getenv("QLOGDIR"), why, why_size) < 0 ||
        open_file(&s->json, a->json, "w", why, why_size) < 0 ||
        open_broadcast(s, why, why_size) < 0 ||
        open_file(&s->broadcast.policy_log, a->policy_log, "w", why, why_size) < 0 ||
        read_knowledge(s, why, why_size) < 0 || open_port(s, why, why_size) < 0)
        goto close;
    s->supplier.log = s->broadcast.policy_log;
    start_watchers(s);
    s->began = tvl_ev_now(s->driver);
    if (!a->start_on_viewer)
        feed_start(s->feed, 0);
    say_ready(s);
    ev_run(s->loop, 0);
    const bool log_failed = s->broadcast.policy_log && ferror(s->broadcast.policy_log) != 0;
    result = s->feed_failed || s->json_failed || log_failed ? -1 : 0;
    if (s->feed_failed)
        snprintf(why, why_size, "%s: damaged, nothing more to play", name_of_feed(a));
    else if (s->json_failed)
        snprintf(why, why_size, "%s: cannot be written", a->json);
    else if (log_failed)
        snprintf(why, why_size, "%s: cannot be written", a->policy_log);
close:
    close_all(s);
    return result;
}
