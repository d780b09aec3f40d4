/* watcher.c - see watcher.h: client/main.c's joining of the parts, less screen and keys. */
#include "watcher.h"
#include "paper.h"

#include "../../client/player.h"
#include "../../client/report.h"
#include "../../client/session.h"

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

static void on_unit(void *user, const struct svc_unit *unit)
{
    struct watcher *w = user;

    if (unit->picture < PICTURES_MAX && unit->layer.spatial < SVC_SPATIAL_MAX &&
        w->arrival[unit->picture][unit->layer.spatial] == 0)
        w->arrival[unit->picture][unit->layer.spatial] = player_clock();
    player_unit(w->player, unit);
}

static void on_sound(void *user, const uint8_t *opus, size_t len, int64_t pts)
{
    player_sound(((struct watcher *)user)->player, opus, len, pts);
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
    .on_note = on_note,
    .on_end = on_end,
    .on_failed = on_failed,
};

static void on_measure(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *w = timer->data;
    struct session_path path[TVL_PATHS_MAX];

    (void)loop;
    (void)events;
    player_measure(w->player, path, session_paths(w->session, path, TVL_PATHS_MAX));
}

int watcher_new(struct watcher **out, const char *ca, const struct watcher_path *paths, size_t n,
                bool decode, char *why, size_t why_size)
{
    struct watcher *w = calloc(1, sizeof *w);

    if (!w || n > ARGS_PATHS_MAX) {
        free(w);
        snprintf(why, why_size, "no memory, or too many paths");
        return -1;
    }
    paper_decode(decode);
    w->args = (struct args){
        .ca_file = ca, .max_spatial = -1, .max_temporal = -1, .headless = true, .n_paths = n
    };
    for (size_t i = 0; i < n; i++) {
        struct path_spec *p = &w->args.paths[i];

        snprintf(p->local, sizeof p->local, "10.0.%u.1", paths[i].link);
        snprintf(p->name, sizeof p->name, "%.15s", paths[i].name);
    }
    w->loop = ev_loop_new(0);
    w->began = player_clock();
    w->report = report_new();
    const struct player_config player = { .loop = w->loop,
                                          .args = &w->args,
                                          .report = w->report,
                                          .process_began_us = w->began,
                                          .on_finished = on_finished,
                                          .user = w };
    const struct session_config session = {
        .loop = w->loop,
        .args = &w->args,
        .paths = w->args.paths,
        .n_paths = n,
        .handler = &handler,
        .user = w,
        .wish = { .max_spatial = -1, .max_temporal = -1, .audio = true }
    };
    if (!w->report || uri_parse(&w->args.uri, "moqt://localhost/live", why, why_size) != 0 ||
        player_new(&w->player, &player, why, why_size) != 0 ||
        session_new(&w->session, &session, why, why_size) != 0) {
        watcher_free(w);
        return -1;
    }
    ev_timer_init(&w->measure, on_measure, METER_PERIOD_US / 1e6, METER_PERIOD_US / 1e6);
    w->measure.data = w;
    ev_timer_start(w->loop, &w->measure);
    *out = w;
    return 0;
}

void watcher_free(struct watcher *w)
{
    if (!w)
        return;
    ev_timer_stop(w->loop, &w->measure);
    session_free(w->session);
    player_free(w->player);
    report_free(w->report);
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
