/* watcher.c - see watcher.h: client/main.c's joining of the parts, less screen and keys. */
#include "watcher.h"
#include "paper.h"

#include "../../client/joint.h"
#include "../../client/player.h"
#include "../../client/report.h"
#include "../../peer/session.h"

#include <ev.h>

#include <stdio.h>
#include <stdlib.h>

#define PICTURES_MAX 32768u /* whose arrivals are kept: 18 minutes at 30 per second */

struct watcher {
    struct args args;
    struct ev_loop *loop;
    struct session *session;
    struct player *player;
    struct report *report;
    FILE *policy_log; /* NULL: none */
    uint32_t width, height;
    ev_timer measure;
    int64_t began;
    char failure[256];
    int64_t arrival[PICTURES_MAX][SVC_SPATIAL_MAX];
};

static void on_connected(void *user)
{
    (void)user;
}

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    player_catalog(((struct watcher *)user)->player, c, p);
}

static void on_unit(void *user, size_t track, const struct svc_unit *unit)
{
    struct watcher *w = user;

    (void)track;
    if (unit->picture < PICTURES_MAX && unit->layer.spatial < SVC_SPATIAL_MAX &&
        w->arrival[unit->picture][unit->layer.spatial] == 0)
        w->arrival[unit->picture][unit->layer.spatial] = player_clock();
    player_unit(w->player, unit);
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    (void)track;
    player_sound(((struct watcher *)user)->player, opus, len, pts);
}

static void on_given_up(void *user, struct svc_layer l)
{
    player_given_up(((struct watcher *)user)->player, l);
}

static void on_note(void *user, const char *what)
{
    struct watcher *w = user;

    report_add_event(w->report, (double)(player_clock() - w->began) / 1e6, what);
}

static void on_end(void *user)
{
    player_no_more(((struct watcher *)user)->player);
}

static void on_failed(void *user, int exit_code, const char *why)
{
    struct watcher *w = user;

    (void)exit_code;
    on_note(user, why);
    snprintf(w->failure, sizeof w->failure, "%s", why);
}

static void on_finished(void *user)
{
    (void)user;
}

static const struct session_handler handler = {
    .on_connected = on_connected,
    .on_catalog = on_catalog,
    .on_unit = on_unit,
    .on_sound = on_sound,
    .on_given_up = on_given_up,
    .on_note = on_note,
    .on_end = on_end,
    .on_failed = on_failed,
};

static void on_measure(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *w = timer->data;

    (void)loop;
    (void)events;
    joint_measure(w->session, w->player, w->width, w->height);
}

static void set_args(struct args *a, const struct watcher_config *cfg)
{
    *a = (struct args){ .ca_file = cfg->ca,
                        .max_spatial = -1,
                        .max_temporal = -1,
                        .headless = true,
                        .n_paths = cfg->n_paths };
    for (size_t i = 0; i < cfg->n_paths; i++) {
        struct path_spec *p = &a->paths[i];

        snprintf(p->local, sizeof p->local, "10.0.%u.1", cfg->paths[i].link);
        snprintf(p->name, sizeof p->name, "%.15s", cfg->paths[i].name);
    }
}

static int open_parts(struct watcher *w, char *why, size_t why_size)
{
    const struct player_config player = { .loop = w->loop,
                                          .args = &w->args,
                                          .report = w->report,
                                          .policy_log = w->policy_log,
                                          .process_began_us = w->began,
                                          .on_finished = on_finished,
                                          .user = w };
    struct session_config session = { .loop = w->loop,
                                      .paths = w->args.paths,
                                      .n_paths = w->args.n_paths,
                                      .handler = &handler,
                                      .user = w,
                                      .wish = {
                                          .max_spatial = -1, .max_temporal = -1, .audio = true } };

    if (uri_parse(&w->args.uri, "moqt://localhost/live", why, why_size) != 0 ||
        player_new(&w->player, &player, why, why_size) != 0)
        return -1;
    session.to = joint_server(&w->args);
    return session_new(&w->session, &session, why, why_size) == 0 ? 0 : -1;
}

int watcher_new(struct watcher **out, const struct watcher_config *cfg, char *why, size_t why_size)
{
    struct watcher *w = calloc(1, sizeof *w);

    snprintf(why, why_size, "no memory, or too many paths");
    if (!w || cfg->n_paths > ARGS_PATHS_MAX || !(w->report = report_new()))
        goto free_watcher;
    paper_decode(cfg->decode);
    set_args(&w->args, cfg);
    w->width = cfg->width;
    w->height = cfg->height;
    w->loop = ev_loop_new(0);
    w->began = player_clock();
    if (cfg->policy && !(w->policy_log = fopen(cfg->policy, "we"))) {
        snprintf(why, why_size, "cannot write %s", cfg->policy);
        goto free_watcher;
    }
    if (open_parts(w, why, why_size) != 0)
        goto free_watcher;
    ev_timer_init(&w->measure, on_measure, METER_PERIOD_US / 1e6, METER_PERIOD_US / 1e6);
    w->measure.data = w;
    ev_timer_start(w->loop, &w->measure);
    *out = w;
    return 0;
free_watcher:
    watcher_free(w);
    return -1;
}

void watcher_free(struct watcher *w)
{
    if (!w)
        return;
    ev_timer_stop(w->loop, &w->measure);
    session_free(w->session);
    player_free(w->player);
    report_free(w->report);
    if (w->policy_log)
        (void)fclose(w->policy_log);
    free(w);
}

struct json_t *watcher_report(const struct watcher *w)
{
    struct report_totals t = { 0 };
    const tvl_time connect = session_connect_time(w->session);

    player_totals(w->player, &t);
    t.connect_ms = connect ? (double)connect / 1e3 : -1;
    return report_json(w->report, &t);
}

int64_t watcher_arrival(const struct watcher *w, uint64_t picture, unsigned spatial)
{
    return picture < PICTURES_MAX ? w->arrival[picture][spatial] : 0;
}

int64_t watcher_began(const struct watcher *w)
{
    return w->began;
}

const char *watcher_failure(const struct watcher *w)
{
    return w->failure;
}
