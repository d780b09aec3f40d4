/* server.c - see server.h. */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "census.h"
#include "clock.h"
#include "log.h"
#include "report.h"
#include "server_internal.h"

#define TICK_S 0.05
#define REPORT_S 1.
#define DRAIN_QUIET_US 300000   /* nothing left to send for so long: it has arrived */
#define DRAIN_SIGNAL_US 1000000 /* a person waits */
#define CLOSE_US 1000000        /* for goodbyes to be said */
#define US_PER_S 1000000u
#define US_PER_MS 1000u

/* ---- letters ---- */

static void ring(struct server *s, unsigned worker)
{
    s->unrung[worker] =
        s->running && tvl_workers_run(s->port.workers, worker, worker_read, s->worker[worker]) < 0;
}

void server_post(struct server *s, unsigned worker, struct letter *l)
{
    if (!l)
        return;
    const bool alone = l->kind == LETTER_MEDIA; /* more will follow: one call for all */
    s->unrung[worker] |= worker_put(s->worker[worker], l);
    if (s->unrung[worker] && !alone)
        ring(s, worker);
}

static void flush(void *user)
{
    struct server *s = user;
    for (unsigned i = 0; i < s->port.count; i++)
        if (s->unrung[i])
            ring(s, i);
}

void server_post_all(struct server *s, enum letter_kind kind, uint64_t id, uint64_t code,
                     const char *reason)
{
    for (unsigned i = 0; i < s->port.count; i++) {
        struct letter *l = letter_new(kind);
        if (!l)
            continue;
        l->id = id;
        l->code = code;
        snprintf(l->reason, sizeof l->reason, "%s", reason);
        server_post(s, i, l);
    }
}

static void post_for_broadcast(void *user, unsigned worker, struct letter *l)
{
    server_post(user, worker, l);
}

static size_t waiting(void *user, unsigned worker)
{
    const struct server *s = user;
    return worker_waiting(s->worker[worker]);
}

static void ring_main(void *user)
{
    struct server *s = user;
    ev_async_send(s->loop, &s->bell);
}

/* ---- reports ---- */

struct snapshot *server_snapshot(struct server *s)
{
    struct snapshot *out = calloc(1, sizeof *out);
    struct census *c = census_new(s->port.count);
    if (!out || !c)
        goto fail;
    const size_t n_broadcasts = directory_count(s->directory);
    out->n_sources = n_broadcasts + outside_count(s->outside);
    out->source = calloc(out->n_sources ? out->n_sources : 1, sizeof *out->source);
    if (!out->source)
        goto fail;
    for (unsigned i = 0; i < s->port.count; i++) {
        struct letter *l = letter_new(LETTER_CENSUS);
        if (!l)
            goto fail;
        l->census = census_ref(c);
        server_post(s, i, l);
    }
    out->up_us = clock_now_us() - s->began;
    out->wall_ms = clock_wall_ms();
    out->ready = s->phase == SERVER_SERVING;
    out->draining = !out->ready;
    out->workers = s->port.count;
    out->sessions_total = atomic_load(&s->worker_host.total);
    out->refused_total = atomic_load(&s->worker_host.refused) + access_refused(s->access);
    for (size_t i = 0; i < n_broadcasts; i++)
        broadcast_snapshot(directory_at(s->directory, i), &out->source[i]);
    for (size_t i = n_broadcasts; i < out->n_sources; i++)
        outside_snapshot(s->outside, i - n_broadcasts, &out->source[i]);
    const int missing = census_wait(c, out);
    if (missing < 0)
        goto fail;
    if (missing > 0)
        log_line(LOG_ERROR, "%d workers have not answered in time", missing);
    census_unref(c);
    return out;
fail:
    census_unref(c);
    snapshot_free(out);
    return NULL;
}

static void check_written(struct server *s, int result)
{
    if (result >= 0)
        return;
    s->json_failed = true;
    log_line(LOG_ERROR, "%s: cannot be written", s->cfg->json);
}

static void report(struct server *s, enum report_kind kind)
{
    if (!s->json || s->json_failed)
        return;
    struct snapshot *snapshot = server_snapshot(s);
    check_written(s, snapshot ? report_write(s->json, kind, snapshot, NULL) : -1);
    snapshot_free(snapshot);
}

static void on_report(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *s = timer->data;
    (void)loop;
    (void)events;
    desk_tick(s->desk);
    if (s->phase != SERVER_CLOSING) /* the final line is the last */
        report(s, REPORT_INTERVAL);
}

static void report_gone(struct server *s, const struct letter *l)
{
    const struct broadcast *b = directory_find(s->directory, l->session->ns);
    struct snapshot_source source;
    if (!s->json || s->json_failed)
        return;
    if (b)
        broadcast_snapshot(b, &source);
    struct snapshot about = { .up_us = clock_now_us() - s->began,
                              .sessions_total = atomic_load(&s->worker_host.total),
                              .session = l->session,
                              .n_sessions = 1,
                              .source = &source,
                              .n_sources = b ? 1 : 0 };
    check_written(s, report_write(s->json, REPORT_ENDED, &about, l->reason));
}

/* ---- the end ---- */

static void halt_sources(struct server *s)
{
    for (size_t i = 0; i < directory_count(s->directory); i++)
        broadcast_halt(directory_at(s->directory, i));
}

/* `status` of what ends now: over, or only not here. */
static void begin_drain(struct server *s, enum moq_done_status status, const char *reason,
                        tvl_time patience)
{
    const tvl_time now = clock_now_us();
    s->phase = SERVER_DRAINING;
    s->why = reason;
    s->busy_at = now;
    s->phase_until = now + patience;
    halt_sources(s);
    server_post_all(s, LETTER_DONE, 0, status, reason);
    log_line(LOG_INFO, "%s; %u viewers", reason, atomic_load(&s->worker_host.viewers));
}

static const char stopping[] = "the server is stopping";

static void drain_to_stop(struct server *s)
{
    begin_drain(s, MOQ_DONE_GOING_AWAY, stopping, DRAIN_SIGNAL_US);
}

void server_leave(struct server *s)
{
    if (s->phase != SERVER_SERVING)
        return;
    desk_stopping(s->desk, s->cfg->drain_s + (DRAIN_SIGNAL_US + CLOSE_US) / US_PER_S);
    if (s->cfg->drain_s == 0 || atomic_load(&s->worker_host.viewers) == 0) {
        drain_to_stop(s);
        return;
    }
    s->phase = SERVER_LEAVING;
    s->phase_until = clock_now_us() + s->cfg->drain_s * (tvl_time)US_PER_S;
    server_post_all(s, LETTER_LEAVE, 0, s->cfg->drain_s * UINT64_C(1000), stopping);
    log_line(LOG_INFO, "%s; %u viewers have %u s", stopping, atomic_load(&s->worker_host.viewers),
             s->cfg->drain_s);
}

static void begin_close(struct server *s, tvl_time now)
{
    s->phase = SERVER_CLOSING;
    s->phase_until = now + CLOSE_US;
    report(s, REPORT_FINAL);
    server_post_all(s, LETTER_CLOSE, 0, MOQ_NO_ERROR, s->why);
}

static void advance_end(struct server *s, tvl_time now)
{
    const bool alone = atomic_load(&s->worker_host.viewers) == 0;
    if (s->phase == SERVER_LEAVING && (alone || now >= s->phase_until))
        drain_to_stop(s);
    if (s->phase == SERVER_DRAINING &&
        (alone || now - s->busy_at >= DRAIN_QUIET_US || now >= s->phase_until))
        begin_close(s, now);
    if (s->phase == SERVER_CLOSING && (alone || now >= s->phase_until))
        ev_break(s->loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct server *s = signal->data;
    (void)events;
    if (s->phase == SERVER_SERVING)
        server_leave(s);
    else
        ev_break(loop, EVBREAK_ALL);
}

/* A source is over by itself. */
static void on_over(void *user, struct broadcast *b, enum feed_end end)
{
    struct server *s = user;
    const struct config_source *cfg = broadcast_config(b);
    if (!s->cfg->ends_with_source || s->phase >= SERVER_DRAINING)
        return;
    s->source_failed = end == FEED_DAMAGED;
    snprintf(s->failed_why, sizeof s->failed_why, "%s: %s", cfg->input, broadcast_why(b));
    /* The last base units may take as long as they live. */
    begin_drain(s, MOQ_DONE_TRACK_ENDED,
                end == FEED_END ? "the file is over" : "the file is damaged",
                cfg->latency_ms * (tvl_time)US_PER_MS * (POLICY_LIVES_MOST + 1));
}

/* ---- the workers' letters ---- */

static void refuse(struct server *s, const struct letter *wanted)
{
    struct letter *l = letter_new(LETTER_REFUSED);
    if (!l)
        return;
    l->code = MOQ_REQ_DOES_NOT_EXIST;
    memcpy(l->ns, wanted->ns, sizeof l->ns);
    snprintf(l->reason, sizeof l->reason, "no such namespace here");
    server_post(s, wanted->worker, l);
}

static void post_note(void *user, unsigned worker, struct relay_note *n)
{
    struct server *s = user;
    struct letter *l = letter_new(LETTER_RELAY);
    const bool full =
        n->kind == RELAY_MEDIA && worker_waiting(s->worker[worker]) >= BROADCAST_QUEUE_MAX;
    if (!l || full) { /* a gap: who subscribes sees a stream break off and another begin */
        letter_free(l);
        relay_note_free(n);
        return;
    }
    l->note = n;
    server_post(s, worker, l);
}

static bool is_ours(void *user, const char *ns)
{
    const struct server *s = user;
    return directory_find(s->directory, ns) != NULL;
}

/* By whole fields: "live" allows "live" and "live/a". */
static bool is_publishable(void *user, const char *ns)
{
    const struct server *s = user;
    for (size_t i = 0; i < s->cfg->n_sources; i++) {
        const struct config_source *cfg = &s->cfg->source[i];
        const size_t len = cfg->ns ? strlen(cfg->ns) : 0;
        if (cfg->kind == CONFIG_PUBLISH &&
            (len == 0 || (strncmp(ns, cfg->ns, len) == 0 && (ns[len] == 0 || ns[len] == '/'))))
            return true;
    }
    return false;
}

static void read_letter(struct server *s, const struct letter *l)
{
    struct broadcast *b;
    switch (l->kind) {
    case LETTER_RELAY:
        relay_read(s->relay, l->worker, l->note);
        break;
    case LETTER_ENDED:
        report_gone(s, l);
        break;
    case LETTER_STATE:
        if (l->busy)
            s->busy_at = clock_now_us();
        break;
    default:
        b = directory_find(s->directory, l->ns);
        if (b)
            broadcast_read(b, l);
        else if (l->kind == LETTER_WANTED)
            refuse(s, l);
        break;
    }
}

static void on_bell(struct ev_loop *loop, ev_async *bell, int events)
{
    struct server *s = bell->data;
    (void)loop;
    (void)events;
    for (struct letter *l = letter_box_take(&s->in), *next; l; l = next) {
        next = l->next;
        read_letter(s, l);
        letter_free(l);
    }
}

static void on_event(void *user, unsigned worker, const struct tvl_event *ev)
{
    struct server *s = user;
    worker_on_event(s->worker[worker], ev);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct server *s = timer->data;
    const tvl_time now = clock_now_us();
    (void)loop;
    (void)events;
    for (size_t i = 0; i < directory_count(s->directory); i++)
        broadcast_tick(directory_at(s->directory, i), now);
    access_tick(s->access, now);
    relay_tick(s->relay, now);
    flush(s);
    advance_end(s, now);
}

/* ---- set-up ---- */

static int open_file(FILE **out, const char *path, char *why, size_t why_size)
{
    if (!path)
        return 0;
    *out = fopen(path, "w");
    if (*out)
        return 0;
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return -1;
}

static int open_core(struct server *s, char *why, size_t why_size)
{
    const unsigned workers = port_workers(s->cfg);
    s->broadcast_host = (struct broadcast_host){ .loop = s->loop,
                                                 .workers = workers,
                                                 .sole = s->cfg->ends_with_source,
                                                 .policy_log = s->policy_log,
                                                 .user = s,
                                                 .post = post_for_broadcast,
                                                 .flush = flush,
                                                 .waiting = waiting,
                                                 .over = on_over };
    s->worker_host.up = &s->in;
    s->worker_host.ring = ring_main;
    s->worker_host.user = s;
    s->worker_host.policy_log = s->policy_log;
    s->worker_host.chooses = s->cfg->transport.objective != TVL_OBJECTIVE_NONE;
    s->worker_host.access = s->port.access = s->access;
    atomic_init(&s->worker_host.viewers_max, s->cfg->viewers_max);
    s->relay = relay_new(&(struct relay_host){ .user = s,
                                               .workers = workers,
                                               .post = post_note,
                                               .ours = is_ours,
                                               .publishable = is_publishable });
    if (s->relay && s->directory)
        s->outside = outside_new(s->loop, s->relay, s->directory);
    bool ok = s->outside != NULL;
    for (unsigned i = 0; ok && i < workers; i++) {
        s->worker[i] = worker_new(i, &s->worker_host);
        ok = s->worker[i] != NULL;
    }
    if (!ok)
        snprintf(why, why_size, "out of memory");
    return ok ? 0 : -1;
}

/* Others are outside's, or come to the relay. */
static bool is_broadcast(const struct config_source *cfg)
{
    return cfg->kind == CONFIG_FILE || cfg->kind == CONFIG_LIVE;
}

static int add_source(struct server *s, const struct config_source *cfg, char *why, size_t why_size)
{
    struct broadcast *b = broadcast_new(&s->broadcast_host, cfg);
    if (!b || directory_add(s->directory, cfg->ns, b) < 0) {
        broadcast_free(b);
        snprintf(why, why_size, "%s: out of memory", cfg->ns);
        return -1;
    }
    relay_list_ours(s->relay, cfg->ns, true);
    if (cfg->on_demand)
        return 0;
    (void)broadcast_start(b);
    if (!s->cfg->ends_with_source)
        return 0;
    while (broadcast_state(b) == SOURCE_STARTING) /* nobody else is there to wait */
        ev_run(s->loop, EVRUN_ONCE);
    if (broadcast_state(b) == SOURCE_RUNNING)
        return 0;
    snprintf(why, why_size, "%s", broadcast_why(b));
    return -1;
}

static void remove_source(struct server *s, const char *ns)
{
    struct broadcast *b = directory_find(s->directory, ns);
    if (!b)
        return;
    outside_forget(s->outside, ns);
    broadcast_stop(b, "the source is gone");
    relay_list_ours(s->relay, ns, false);
    directory_remove(s->directory, ns);
    broadcast_free(b);
}

void server_apply_sources(struct server *s, const struct config *next,
                          const struct config_diff *diff)
{
    char why[BROADCAST_WHY_MAX];
    for (size_t i = 0; i < diff->n_steps; i++)
        if (diff->step[i].was)
            remove_source(s, diff->step[i].was->ns);
    for (size_t i = 0; i < next->n_sources; i++) {
        struct broadcast *b = directory_find(s->directory, next->source[i].ns);
        if (b)
            broadcast_set_config(b, &next->source[i]);
    }
    for (size_t i = 0; i < diff->n_steps; i++) {
        const struct config_source *is = diff->step[i].is;
        if (is && is_broadcast(is) && add_source(s, is, why, sizeof why) < 0)
            log_line(LOG_ERROR, "%s", why);
    }
    outside_apply(s->outside, next);
}

static int add_sources(struct server *s, char *why, size_t why_size)
{
    for (size_t i = 0; i < s->cfg->n_sources; i++)
        if (is_broadcast(&s->cfg->source[i]) &&
            add_source(s, &s->cfg->source[i], why, why_size) < 0)
            return -1;
    outside_apply(s->outside, s->cfg);
    return 0;
}

/* Letters may have come before. */
static void begin_workers(struct server *s)
{
    s->running = true;
    for (unsigned i = 0; i < s->port.count; i++) {
        (void)tvl_workers_run(s->port.workers, i, worker_begin, s->worker[i]);
        ring(s, i);
    }
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

static int open_all(struct server *s, struct configure *how, char *why, size_t why_size)
{
    const struct config *cfg = s->cfg;
    return desk_open(&s->desk, s, how, why, why_size) < 0 ||
                   open_file(&s->json, cfg->json, why, why_size) < 0 ||
                   open_file(&s->policy_log, cfg->policy_log, why, why_size) < 0 ||
                   access_new(&s->access, &cfg->access, why, why_size) < 0 ||
                   open_core(s, why, why_size) < 0 || add_sources(s, why, why_size) < 0 ||
                   port_open(&s->port, cfg, on_event, s, why, why_size) < 0
               ? -1
               : 0;
}

static void say_ready(const struct server *s)
{
    const char *colon = strrchr(s->cfg->listen, ':');
    int host = colon ? (int)(colon - s->cfg->listen) : 0;
    printf("svc-server: ready on %.*s:%u\n", host, s->cfg->listen,
           tvl_workers_port(s->port.workers));
    if (desk_address(s->desk))
        printf("svc-server: control on http://%s\n", desk_address(s->desk));
    fflush(stdout);
}

static void end_workers(struct server *s)
{
    for (unsigned i = 0; s->running && i < s->port.count; i++) {
        while (tvl_workers_run(s->port.workers, i, worker_end, s->worker[i]) == TVL_ERR_FULL)
            ; /* it is doing others' jobs */
        worker_wait_end(s->worker[i]);
    }
}

static void close_all(struct server *s)
{
    desk_close(s->desk);
    outside_free(s->outside); /* says goodbye to the relay, which tells the workers */
    end_workers(s);
    port_close(&s->port);
    for (unsigned i = 0; i < TVL_WORKERS_MAX; i++)
        worker_free(s->worker[i]);
    for (size_t i = 0; s->directory && i < directory_count(s->directory); i++)
        broadcast_free(directory_at(s->directory, i));
    directory_free(s->directory);
    access_free(s->access);
    relay_free(s->relay);
    letter_box_fini(&s->in);
    desk_free(s->desk);
    if (s->json)
        fclose(s->json);
    if (s->policy_log)
        fclose(s->policy_log);
    if (s->loop)
        ev_loop_destroy(s->loop);
    free(s);
}

static int verdict(const struct server *s, char *why, size_t why_size)
{
    const bool log_failed = s->policy_log && ferror(s->policy_log) != 0;
    if (s->source_failed)
        snprintf(why, why_size, "%s", s->failed_why);
    else if (s->json_failed)
        snprintf(why, why_size, "%s: cannot be written", s->cfg->json);
    else if (log_failed)
        snprintf(why, why_size, "%s: cannot be written", s->cfg->policy_log);
    return s->source_failed || s->json_failed || log_failed ? -1 : 0;
}

static struct server *server_new(struct config *cfg)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cfg = cfg;
    letter_box_init(&s->in);
    s->directory = directory_new();
    s->loop = ev_loop_new(EVFLAG_AUTO);
    if (!s->loop) {
        close_all(s);
        return NULL;
    }
    ev_async_init(&s->bell, on_bell);
    s->bell.data = s;
    ev_async_start(s->loop, &s->bell);
    return s;
}

int server_run(struct config *cfg, struct configure *how, char *why, size_t why_size)
{
    int result = -1;
    struct server *s = server_new(cfg);
    if (!s) {
        snprintf(why, why_size, "cannot set up the event loop");
        return -1;
    }
    if (open_all(s, how, why, why_size) < 0)
        goto close;
    begin_workers(s);
    start_watchers(s);
    s->began = clock_now_us();
    if (desk_ready(s->desk, why, why_size) < 0)
        goto close;
    say_ready(s);
    ev_run(s->loop, 0);
    result = verdict(s, why, why_size);
close:
    close_all(s);
    return result;
}
