/*
 * main.c - svc-player: puts session, player, screen and report together, and decides when playing
 * is over and with which exit code.
 */
#include "app.h"
#include "joint.h"
#include "keys.h"
#include "log.h"
#include "quiet.h"
#include "version.h"

#include <ev.h>
#include <jansson.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEYS_PERIOD_S 0.01
#define COMMANDS_MAX 16      /* of the keyboard, at a time */
#define GOODBYE_S 0.3        /* for the farewell to leave */
#define FIRST_PICTURE_S 15.0 /* with --duration: how long the first picture may take */
#define DECODER_PIXELS_MAX (4096u * 2304u)

static double seconds_played(const struct app *a)
{
    int64_t first = player_first_shown(a->player);
    return first ? (double)(player_clock() - first) / 1e6 : -1;
}

void app_leave(struct app *a, int exit_code)
{
    if (a->leaving)
        return;
    a->leaving = true;
    a->exit_code = exit_code;
    if (a->player)
        player_stop(a->player); /* what the goodbye keeps from arriving is not lost */
    if (a->session)
        session_close(a->session);
    ev_timer_set(&a->goodbye, GOODBYE_S, 0);
    ev_timer_start(a->loop, &a->goodbye);
}

/* ---- screen ---- */

void app_draw_overlay(struct app *a)
{
    if (!a->screen)
        return;
    struct osd_view *view = player_view(a->player);
    view->bar.fullscreen = screen_is_fullscreen(a->screen);
    view->bar.volume = a->volume;
    screen_overlay(a->screen, view);
}

static void take_screenshots(struct app *a, bool at_end)
{
    char why[600];
    double played = seconds_played(a);
    for (size_t i = 0; i < a->args.n_screenshots && a->screen && played >= 0; i++) {
        const struct args_screenshot *s = &a->args.screenshots[i];
        bool due = s->at_s >= 0 && played >= s->at_s;
        if (a->taken[i] || !(due || at_end))
            continue;
        a->taken[i] = true;
        app_draw_overlay(a);
        if (screen_save(a->screen, s->file, why, sizeof why) != 0)
            log_text(LOG_LEVEL_ERROR, "%s", why);
    }
}

static void on_keys(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct app *a = timer->data;
    struct command c[COMMANDS_MAX];
    char why[200];
    (void)loop;
    (void)events;
    take_screenshots(a, false);
    const size_t n = a->screen ? screen_commands(a->screen, c, COMMANDS_MAX) : 0;
    for (size_t i = 0; i < n; i++)
        if (app_obey(a, &c[i], why, sizeof why) != 0)
            log_text(LOG_LEVEL_INFO, "%s", why);
    if (a->screen && (screen_wants_drawing(a->screen) || n > 0)) {
        app_draw_overlay(a);
        screen_render(a->screen);
    }
}

static void check_time(struct app *a)
{
    double played = seconds_played(a);
    double waited = (double)(player_clock() - a->began) / 1e6;
    if (a->args.duration_s <= 0 || take_over_waits(a))
        return;
    if (played >= a->args.duration_s) {
        app_leave(a, EXIT_DONE);
    } else if (played < 0 && waited > a->args.duration_s + FIRST_PICTURE_S && !a->leaving) {
        log_text(LOG_LEVEL_ERROR, "no picture from %s/%s in %.0f s", a->args.uri.authority,
                 a->args.uri.ns, waited);
        app_leave(a, EXIT_FAILED);
    }
}

static void on_measure(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct app *a = timer->data;
    uint32_t width = 0, height = 0;
    (void)loop;
    (void)events;
    if (a->leaving)
        return; /* paths that were closed by us are no news: the report has them as they were */
    if (a->screen)
        screen_size(a->screen, &width, &height);
    if (a->session) {
        joint_measure(a->session, a->player, width, height);
        app_tell(a);
    }
    if (a->screen && !a->args.headless) {
        app_draw_overlay(a);
        screen_render(a->screen);
    }
    check_time(a);
}

/* ---- what session and player tell ---- */

static void on_connected(void *user)
{
    app_tell(user);
}

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    struct app *a = user;
    player_catalog(a->player, c, p);
    if (a->recording)
        recording_catalog(a->recording, c, p);
    if (a->paused)
        player_suspend(a->player);
}

static void on_unit(void *user, size_t track, const struct svc_unit *unit)
{
    struct app *a = user;
    (void)track; /* of the one video, as of the one sound */
    if (!a->leaving && !session_is_live(a->session))
        player_of_the_past(a->player);
    if (!a->leaving)
        player_unit(a->player, unit);
    if (a->recording && !a->leaving)
        recording_unit(a->recording, unit);
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    struct app *a = user;
    (void)track;
    player_sound(a->player, opus, len, pts);
    if (a->recording && !a->leaving)
        recording_sound(a->recording, opus, len, pts);
}

static void on_given_up(void *user, struct svc_layer l)
{
    player_given_up(((struct app *)user)->player, l);
}

static void on_sender(void *user, const struct sender_view *v)
{
    player_sender(((struct app *)user)->player, v);
}

static void on_note(void *user, const char *what)
{
    struct app *a = user;
    if (a->report)
        report_add_event(a->report, (double)(player_clock() - a->began) / 1e6, what);
}

static void on_interrupted(void *user, const char *why)
{
    (void)why;
    player_suspend(((struct app *)user)->player);
}

static void on_restart(void *user)
{
    struct app *a = user;
    player_resume(a->player);
    if (a->recording)
        recording_break(a->recording);
}

static void on_network(void *user)
{
    struct app *a = user;
    if (a->session)
        session_network_changed(a->session);
}

static void on_end(void *user)
{
    struct app *a = user;
    if (take_over_failed(a, "the broadcast is over"))
        return;
    control_event(a->control, "end", NULL);
    player_no_more(a->player);
}

static void on_failed(void *user, int exit_code, const char *why)
{
    on_note(user, why);
    if (take_over_failed(user, why))
        return;
    log_text(LOG_LEVEL_ERROR, "%s", why);
    control_event(((struct app *)user)->control, "failed", json_pack("{s:s}", "reason", why));
    app_leave(user, exit_code);
}

static void on_finished(void *user)
{
    if (!take_over_failed(user, "the broadcast is over"))
        app_leave(user, EXIT_DONE);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    app_leave(signal->data, EXIT_DONE);
}

static void on_goodbye(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static const struct session_handler session_handler = {
    .on_connected = on_connected,
    .on_catalog = on_catalog,
    .on_unit = on_unit,
    .on_sound = on_sound,
    .on_given_up = on_given_up,
    .on_sender = on_sender,
    .on_note = on_note,
    .on_interrupted = on_interrupted,
    .on_restart = on_restart,
    .on_end = on_end,
    .on_failed = on_failed,
};

/* ---- life ---- */

static int open_screen(struct app *a, char *why, size_t why_size)
{
    char title[256];
    const struct screen_config cfg = { .kind = a->args.headless     ? SCREEN_MEMORY
                                               : a->args.fullscreen ? SCREEN_FULL
                                                                    : SCREEN_WINDOW,
                                       .width = a->args.width,
                                       .height = a->args.height,
                                       .rotate = a->args.rotate,
                                       .saves = a->args.n_screenshots > 0,
                                       .title = title };
    if (a->args.headless && a->args.n_screenshots == 0 && !a->args.timing_file)
        return 0;
    snprintf(title, sizeof title, a->args.take_over ? "svc-player" : "%.180s \u2013 svc-player",
             a->args.uri.ns);
    return screen_new(&a->screen, &cfg, why, why_size);
}

static int open_player(struct app *a, char *why, size_t why_size)
{
    struct player_config cfg = { .loop = a->loop,
                                 .args = &a->args,
                                 .screen = a->screen,
                                 .report = a->report,
                                 .policy_log = a->policy_log,
                                 .process_began_us = a->began,
                                 .on_finished = on_finished,
                                 .user = a };
    if (player_new(&a->player, &cfg, why, why_size) != 0)
        return -1;
    snprintf(a->message, sizeof a->message, "connecting to %s\u2026", a->args.uri.authority);
    player_view(a->player)->message = a->message;
    player_view(a->player)->page = a->args.statistics;
    return 0;
}

int app_open_session(struct app *a, const struct session_start *start, char *why, size_t why_size)
{
    struct session_config cfg = { .loop = a->loop,
                                  .to = joint_server(&a->args),
                                  .reconnect_s = a->args.reconnect_s,
                                  .patient = a->args.reconnect_given || !a->args.headless,
                                  .handler = &session_handler,
                                  .user = a,
                                  .wish = { .max_spatial = a->args.max_spatial,
                                            .max_temporal = a->args.max_temporal,
                                            .max_pixels = DECODER_PIXELS_MAX,
                                            .audio = !a->args.no_audio,
                                            .video = a->args.video ? a->args.video - 1 : 0,
                                            .lang = a->args.language } };
    struct path_spec found[ARGS_PATHS_MAX];
    if (start)
        cfg.start = *start;
    cfg.paths = a->args.paths;
    cfg.n_paths = a->args.n_paths;
    if (cfg.n_paths == 0) {
        cfg.paths = found;
        cfg.n_paths = interfaces_find(&a->args.uri, found, ARGS_PATHS_MAX);
        cfg.follow = true;
        cfg.find_paths = interfaces_find;
    }
    return session_new(&a->session, &cfg, why, why_size);
}

int app_begin_again(struct app *a, char *why, size_t why_size)
{
    if (a->session)
        session_close(a->session);
    session_free(a->session);
    player_free(a->player);
    a->session = NULL;
    a->player = NULL;
    a->paused = false;
    return open_player(a, why, why_size);
}

static void start_timers(struct app *a)
{
    ev_timer_init(&a->keys, on_keys, KEYS_PERIOD_S, KEYS_PERIOD_S);
    ev_timer_init(&a->measure, on_measure, METER_PERIOD_US / 1e6, METER_PERIOD_US / 1e6);
    ev_timer_init(&a->goodbye, on_goodbye, GOODBYE_S, 0);
    ev_signal_init(&a->interrupt, on_signal, SIGINT);
    ev_signal_init(&a->terminate, on_signal, SIGTERM);
    a->keys.data = a->measure.data = a->goodbye.data = a;
    a->interrupt.data = a->terminate.data = a;
    a->network = interfaces_watch_new(a->loop, on_network, a);
    ev_timer_start(a->loop, &a->keys);
    ev_timer_start(a->loop, &a->measure);
    ev_signal_start(a->loop, &a->interrupt);
    ev_signal_start(a->loop, &a->terminate);
}

static double since_start_ms(const struct app *a, tvl_time at)
{
    return at ? ((double)at - (double)a->began) / 1e3 : -1;
}

static void put_startup(const struct app *a, struct report_totals *t)
{
    static const struct session_times none;
    const struct session_times *s = a->session ? session_times(a->session) : &none;
    t->startup.sockets_ms = since_start_ms(a, s->sockets);
    t->startup.connected_ms = since_start_ms(a, s->connected);
    t->startup.setup_ms = since_start_ms(a, s->setup);
    t->startup.catalog_ms = since_start_ms(a, s->catalog);
    t->startup.first_unit_ms = since_start_ms(a, s->first_unit);
}

static void write_report(struct app *a)
{
    char why[600];
    struct report_totals t = { 0 };
    if (!a->report || !a->player)
        return;
    player_totals(a->player, &t);
    tvl_time connect = a->session ? session_connect_time(a->session) : 0;
    t.connect_ms = connect ? (double)connect / 1e3 : -1;
    put_startup(a, &t);
    t.handed_over_to = a->handed_over_to;
    t.taken_over_from = a->taken_over_from;
    if (report_write(a->report, &t, a->args.json_file, why, sizeof why) != 0) {
        log_text(LOG_LEVEL_ERROR, "%s", why);
        a->exit_code = a->exit_code ? a->exit_code : EXIT_FAILED;
    }
}

static void close_policy_log(struct app *a)
{
    if (!a->policy_log)
        return;
    bool failed = ferror(a->policy_log) != 0;
    if (fclose(a->policy_log) == 0 && !failed)
        return;
    log_text(LOG_LEVEL_ERROR, "cannot write %s", a->args.policy_log);
    a->exit_code = a->exit_code ? a->exit_code : EXIT_FAILED;
}

/* The exit code: whether the policy decides as it did when the log was written. */
static int replay(const char *file)
{
    char say[512];
    if (decision_replay_file(file, &receiver_policy, say, sizeof say) == 0) {
        puts(say);
        return EXIT_DONE;
    }
    log_text(LOG_LEVEL_ERROR, "%s", say);
    return EXIT_FAILED;
}

/* The control socket and the recording: 0, or -1. */
static int open_outputs(struct app *a, char *why, size_t why_size)
{
    if (a->args.control_socket && control_new(&a->control, a->loop, a->args.control_socket,
                                              &app_control_handler, a, why, why_size) != 0)
        return -1;
    if (a->args.record_file)
        return recording_new(&a->recording, a->args.record_file, why, why_size);
    return 0;
}

/* What was written on the way is finished. */
static void end_outputs(struct app *a)
{
    hand_over_free(a);
    take_over_free(a);
    if (recording_end(a->recording) != 0)
        a->exit_code = a->exit_code ? a->exit_code : EXIT_FAILED;
    recording_free(a->recording);
    a->recording = NULL;
    control_free(a->control);
    a->control = NULL;
    write_report(a);
    close_policy_log(a);
}

static int play(struct app *a)
{
    char why[600] = "";
    int code = EXIT_FAILED;
    a->page = a->args.statistics ? a->args.statistics : 1;
    a->volume = 100;
    a->told.spatial = -1;
    a->muted = a->args.mute;
    a->loop = ev_default_loop(0);
    if (a->args.json_file && !(a->report = report_new()))
        snprintf(why, sizeof why, "no memory for the report");
    else if (a->args.policy_log && !(a->policy_log = fopen(a->args.policy_log, "w")))
        snprintf(why, sizeof why, "cannot write %s: %s", a->args.policy_log, strerror(errno));
    else if (open_outputs(a, why, sizeof why) == 0 && open_screen(a, why, sizeof why) == 0 &&
             open_player(a, why, sizeof why) == 0)
        code = a->args.take_over ? (take_over_new(a, why, sizeof why) == 0 ? 0 : EXIT_FAILED)
                                 : app_open_session(a, NULL, why, sizeof why);
    if (code != 0) {
        log_text(LOG_LEVEL_ERROR, "%s", why);
        a->exit_code = code;
    } else {
        start_timers(a);
        ev_run(a->loop, 0);
        take_screenshots(a, true);
        if (a->screen && screen_finish_saving(a->screen) != 0)
            log_text(LOG_LEVEL_ERROR, "a screenshot could not be saved whole");
    }
    end_outputs(a);
    interfaces_watch_free(a->network);
    session_free(a->session);
    player_free(a->player);
    screen_free(a->screen);
    report_free(a->report);
    json_decref(a->handed_over_to);
    json_decref(a->taken_over_from);
    return a->exit_code;
}

static void print_help(void)
{
    char line[64];
    const char *text;
    size_t at = 0;
    fputs(args_help, stdout);
    puts("\nKeys:");
    while (keys_line(&at, line, sizeof line, &text))
        printf("  %-20s %s\n", line, text);
    fputs(args_help_end, stdout);
}

int main(int argc, char **argv)
{
    static struct app app; /* large; one per process */
    char why[400];
    app.began = player_clock();
    switch (args_parse(&app.args, argc, argv, why, sizeof why)) {
    case ARGS_HELP:
        print_help();
        return EXIT_DONE;
    case ARGS_VERSION:
        puts("svc-player " CLIENT_VERSION);
        return EXIT_DONE;
    case ARGS_REPLAY:
        return replay(app.args.replay_file);
    case ARGS_HAND_OVER:
        return hand_command(app.args.hand_over, app.args.control_socket);
    case ARGS_WRONG:
        fprintf(stderr, "svc-player: %s (see --help)\n", why);
        return EXIT_USAGE;
    case ARGS_RUN:
        break;
    }
    log_set_level(app.args.log);
    signal(SIGPIPE, SIG_IGN);
    quiet_libraries();
    signal(SIGXFSZ, SIG_IGN); /* a file that may grow no more is an error like a full disk */
    return play(&app);
}
