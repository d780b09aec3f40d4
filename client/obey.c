/* obey.c - what is asked of svc-player while it runs: by keys and mouse, and over the control
 * socket. */
#include "app.h"
#include "log.h"
#include "version.h"

#include <jansson.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define VOLUME_MAX 130 /* percent */

static const char used_here[] = "it is used here again"; /* why a hand-over is given up */

/* ---- commands ---- */

static void say(struct app *a, const char *format, const char *what)
{
    char line[COMMAND_TEXT_MAX + 64];

    snprintf(line, sizeof line, format, what);
    if (a->screen)
        screen_say(a->screen, line);
}

static int wrong(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "%s", what);
    return -1;
}

static int save_screen(struct app *a, const struct command *c, char *why, size_t why_size)
{
    char file[COMMAND_TEXT_MAX];
    const time_t now = time(NULL);
    struct tm tm;

    if (!a->screen)
        return wrong(why, why_size, "there is no screen: --headless without --screenshot");
    snprintf(file, sizeof file, "%s", c->text);
    if (!c->text[0])
        strftime(file, sizeof file, "svc-player-%Y%m%d-%H%M%S.png", localtime_r(&now, &tm));
    if (screen_save(a->screen, file, why, why_size) != 0)
        return -1;
    say(a, "saved as %s", file);
    return 0;
}

static int set_volume(struct app *a, const struct command *c)
{
    const double wish = c->how == COMMAND_ADD ? a->volume + c->value : c->value;

    a->volume = wish < 0 ? 0 : wish > VOLUME_MAX ? VOLUME_MAX : wish;
    player_set_volume(a->player, a->volume);
    if (a->screen)
        screen_say_volume(a->screen, a->volume, a->muted);
    return 0;
}

static int set_muted(struct app *a, const struct command *c)
{
    a->muted = command_switch(c->how, a->muted);
    player_set_muted(a->player, a->muted);
    if (a->screen)
        screen_say_volume(a->screen, a->volume, a->muted);
    return 0;
}

static int turn_page(struct app *a, const struct command *c, char *why, size_t why_size)
{
    struct osd_view *view = player_view(a->player);

    if (c->kind == COMMAND_STATISTICS)
        view->page =
            command_switch(c->how, view->page != 0) ? (view->page ? view->page : a->page) : 0;
    else if (c->how == COMMAND_SET && c->value >= 0 && c->value <= OSD_PAGES)
        view->page = (unsigned)c->value;
    else if (c->how == COMMAND_SET)
        return wrong(why, why_size, "there is no such page");
    else
        view->page =
            (view->page + OSD_PAGES - 1 + (unsigned)((int)c->value % OSD_PAGES)) % OSD_PAGES + 1;
    a->page = view->page ? view->page : a->page;
    return 0;
}

static int set_paused(struct app *a, const struct command *c)
{
    const bool wish = command_switch(c->how, a->paused);

    if (wish == a->paused)
        return 0;
    a->paused = wish;
    hand_over_cancel(a, used_here);
    if (wish)
        player_suspend(a->player);
    return wish ? session_pause(a->session) : session_resume(a->session);
}

static int go_live(struct app *a)
{
    a->paused = false;
    hand_over_cancel(a, used_here);
    return session_live(a->session);
}

static int seek(struct app *a, const struct command *c, char *why, size_t why_size)
{
    if (session_seek(a->session, c->value, why, why_size) == 0) {
        hand_over_cancel(a, used_here);
        a->paused = false;
        return 0;
    }
    say(a, "%s", why);
    return -1;
}

static int use_path(struct app *a, const struct command *c, char *why, size_t why_size)
{
    const struct osd_view *view = player_view(a->player);
    const size_t number = c->value >= 1 ? (size_t)c->value : 0;
    const struct osd_path *path = NULL;
    char said[80];

    for (size_t i = 0; i < view->n_paths; i++)
        if (c->text[0] ? strcmp(view->path[i].name, c->text) == 0 : i + 1 == number)
            path = &view->path[i];
    if (!path)
        return wrong(why, why_size, "there is no such path");
    const bool on = command_switch(c->how, !path->off);
    const enum session_path_use use = c->kind == COMMAND_PATH_BACKUP ? SESSION_PATH_BACKUP
                                      : on                           ? SESSION_PATH_ON
                                                                     : SESSION_PATH_OFF;
    if (session_path_set(a->session, path->name, use, why, why_size) != 0) {
        say(a, "%s", why);
        return -1;
    }
    snprintf(said, sizeof said, "path %s is %s", path->name,
             use == SESSION_PATH_BACKUP ? "a backup"
             : on                       ? "on"
                                        : "off");
    say(a, "%s", said);
    return 0;
}

/* "s1t2", "all", or steps of the highest layer asked for. */
static int limit_layers(struct app *a, const struct command *c, char *why, size_t why_size)
{
    const char *t = c->text;
    struct svc_layer top = player_limit(a->player);
    char said[48];

    if (strcmp(t, "all") == 0) {
        top = (struct svc_layer){ SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };
    } else if (strlen(t) == 4 && t[0] == 's' && t[1] >= '0' && t[1] <= '3' && t[2] == 't' &&
               t[3] >= '0' && t[3] <= '3') {
        top = (struct svc_layer){ (uint8_t)(t[1] - '0'), (uint8_t)(t[3] - '0') };
    } else if (!t[0] && c->how == COMMAND_ADD) {
        const int wish = (int)top.spatial + (c->value < 0 ? -1 : 1);

        top.spatial = (uint8_t)(wish < 0 ? 0 : wish < SVC_SPATIAL_MAX ? wish : SVC_SPATIAL_MAX - 1);
    } else {
        return wrong(why, why_size, "neither \"all\" nor of the form \"s1t2\"");
    }
    player_set_limit(a->player, top);
    top = player_limit(a->player);
    snprintf(said, sizeof said, "layers up to S%u T%u", top.spatial, top.temporal);
    say(a, "%s", said);
    return 0;
}

/* To the player whose address and code the command has, or the clipboard. */
static int hand_over(struct app *a, const struct command *c, char *why, size_t why_size)
{
    char target[COMMAND_TEXT_MAX];

    snprintf(target, sizeof target, "%s", c->text);
    if (!c->text[0] && (!a->screen || !screen_clipboard(a->screen, target, sizeof target)))
        return wrong(why, why_size, "to which player? ADDRESS:PORT#CODE, as it shows");
    if (hand_over_begin(a, target, why, why_size) != 0) {
        say(a, "%s", why);
        return -1;
    }
    say(a, "%s", "handing over\u2026");
    return 0;
}

/* Of the session, and it is not there yet: --take-over. */
static bool needs_session(enum command_kind kind)
{
    return kind == COMMAND_PAUSE || kind == COMMAND_SEEK || kind == COMMAND_LIVE ||
           kind == COMMAND_PATH || kind == COMMAND_PATH_BACKUP;
}

int app_obey(struct app *a, const struct command *c, char *why, size_t why_size)
{
    struct osd_view *view = player_view(a->player);

    if (take_over_waits(a) && needs_session(c->kind))
        return wrong(why, why_size, "another player's session is waited for");

    switch (c->kind) {
    case COMMAND_NONE:
        break;
    case COMMAND_QUIT:
        app_leave(a, EXIT_DONE);
        break;
    case COMMAND_PAUSE:
        return set_paused(a, c);
    case COMMAND_SEEK:
        return seek(a, c, why, why_size);
    case COMMAND_LIVE:
        return go_live(a);
    case COMMAND_VOLUME:
        return set_volume(a, c);
    case COMMAND_MUTE:
        return set_muted(a, c);
    case COMMAND_FULLSCREEN:
        if (!a->screen)
            return wrong(why, why_size, "there is no window");
        screen_set_fullscreen(a->screen, command_switch(c->how, screen_is_fullscreen(a->screen)));
        break;
    case COMMAND_SCREENSHOT:
        return save_screen(a, c, why, why_size);
    case COMMAND_STATISTICS:
    case COMMAND_STATISTICS_PAGE:
        return turn_page(a, c, why, why_size);
    case COMMAND_HELP:
        view->help = command_switch(c->how, view->help);
        break;
    case COMMAND_PATH:
    case COMMAND_PATH_BACKUP:
        return use_path(a, c, why, why_size);
    case COMMAND_LAYERS:
        return limit_layers(a, c, why, why_size);
    case COMMAND_HAND_OVER:
        return hand_over(a, c, why, why_size);
    }
    return 0;
}

/* ---- properties ---- */

static json_t *paths_json(const struct app *a)
{
    const struct osd_view *view = player_view(a->player);
    json_t *list = json_array();

    for (size_t i = 0; i < view->n_paths; i++) {
        const struct osd_path *p = &view->path[i];
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:b,s:b,s:I,s:f,s:f,s:o}", "name", p->name, "state",
                            p->off ? "off" : report_state_word(p->state), "off", (int)p->off,
                            "backup", (int)p->backup, "rate_bps", (json_int_t)p->rate_bps, "rtt_ms",
                            p->rtt_ms, "loss", p->loss, "sender", sender_path_json(&p->sender)));
    }
    return list;
}

static json_t *layer_json(struct svc_layer l)
{
    char text[8];

    snprintf(text, sizeof text, "s%ut%u", l.spatial % 10u, l.temporal % 10u);
    return json_string(text);
}

enum property {
    P_PAUSE,
    P_VOLUME,
    P_MUTE,
    P_FULLSCREEN,
    P_STATISTICS,
    P_STATISTICS_PAGE,
    P_HELP,
    P_STATE,
    P_STATUS,
    P_REASON,
    P_ATTEMPT,
    P_RETRY_IN,
    P_WINDOW,
    P_BEHIND,
    P_PATHS,
    P_SENDER,
    P_LAYER,
    P_LAYERS,
    P_WIDTH,
    P_HEIGHT,
    P_FPS,
    P_LATENCY_MS,
    P_RATE_BPS,
    P_PICTURE,
    P_PTS_US,
    P_STALLS,
    P_FRAMES_SHOWN,
    P_FRAMES_SKIPPED,
    P_RECORDED_BYTES,
    P_VERSION,
};

static const char *const properties[] = {
    [P_PAUSE] = "pause",
    [P_VOLUME] = "volume",
    [P_MUTE] = "mute",
    [P_FULLSCREEN] = "fullscreen",
    [P_STATISTICS] = "statistics",
    [P_STATISTICS_PAGE] = "statistics-page",
    [P_HELP] = "help",
    [P_STATE] = "state",
    [P_STATUS] = "status",
    [P_REASON] = "reason",
    [P_ATTEMPT] = "attempt",
    [P_RETRY_IN] = "retry-in",
    [P_WINDOW] = "window",
    [P_BEHIND] = "behind",
    [P_PATHS] = "paths",
    [P_SENDER] = "sender",
    [P_LAYER] = "layer",
    [P_LAYERS] = "layers",
    [P_WIDTH] = "width",
    [P_HEIGHT] = "height",
    [P_FPS] = "fps",
    [P_LATENCY_MS] = "latency-ms",
    [P_RATE_BPS] = "rate-bps",
    [P_PICTURE] = "picture",
    [P_PTS_US] = "pts-us",
    [P_STALLS] = "stalls",
    [P_FRAMES_SHOWN] = "frames-shown",
    [P_FRAMES_SKIPPED] = "frames-skipped",
    [P_RECORDED_BYTES] = "recorded-bytes",
    [P_VERSION] = "version",
};

static json_t *status_property(const struct app *a, enum property p)
{
    struct session_status s;
    char text[sizeof a->message];

    if (!a->session)
        return p == P_STATE    ? json_string("taking-over")
               : p == P_STATUS ? json_string(a->message)
               : p == P_REASON ? json_string("")
                               : json_null();
    session_get_status(a->session, &s);
    switch (p) {
    case P_STATE:
        return json_string(session_state_word(s.state));
    case P_STATUS:
        return json_string(session_status_text(&s, text, sizeof text));
    case P_REASON:
        return json_string(s.reason);
    case P_ATTEMPT:
        return json_integer(s.attempt);
    case P_RETRY_IN:
        return json_real(s.retry_in_s);
    case P_WINDOW:
        return s.has_window ? json_real(s.window_s) : json_null();
    default:
        return json_real(s.behind_s);
    }
}

static json_t *value_of(struct app *a, enum property p)
{
    const struct osd_view *v = player_view(a->player);
    struct report_totals totals = { 0 };

    switch (p) {
    case P_PAUSE:
        return json_boolean(a->paused);
    case P_VOLUME:
        return json_real(a->volume);
    case P_MUTE:
        return json_boolean(a->muted);
    case P_FULLSCREEN:
        return json_boolean(a->screen && screen_is_fullscreen(a->screen));
    case P_STATISTICS:
        return json_boolean(v->page != 0);
    case P_STATISTICS_PAGE:
        return json_integer(v->page);
    case P_HELP:
        return json_boolean(v->help);
    case P_PATHS:
        return paths_json(a);
    case P_SENDER:
        return sender_view_json(&v->sender);
    case P_LAYER:
        return v->playing ? json_integer(v->shown.spatial) : json_null();
    case P_LAYERS:
        return layer_json(player_limit(a->player));
    case P_WIDTH:
        return json_integer(v->width);
    case P_HEIGHT:
        return json_integer(v->height);
    case P_FPS:
        return json_real(v->fps);
    case P_LATENCY_MS:
        return json_real(v->latency_ms);
    case P_RATE_BPS:
        return json_integer((json_int_t)v->rate_bps);
    case P_PICTURE:
        return json_integer((json_int_t)v->picture);
    case P_PTS_US:
        return json_integer(v->pts_us);
    case P_STALLS:
        return json_integer(v->stalls);
    case P_FRAMES_SHOWN:
    case P_FRAMES_SKIPPED:
        player_totals(a->player, &totals);
        return json_integer(
            (json_int_t)(p == P_FRAMES_SHOWN ? totals.frames_shown : totals.frames_skipped));
    case P_RECORDED_BYTES:
        return a->recording ? json_integer((json_int_t)recording_bytes(a->recording)) : json_null();
    case P_VERSION:
        return json_string("svc-player " CLIENT_VERSION);
    default:
        return status_property(a, p);
    }
}

json_t *app_property(struct app *a, const char *name)
{
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (strcmp(properties[i], name) == 0)
            return value_of(a, (enum property)i);
    return NULL;
}

static int on_command(void *user, const struct command *c, char *why, size_t why_size)
{
    struct app *a = user;
    const int result = app_obey(a, c, why, why_size);

    if (a->screen && !a->args.headless) {
        app_draw_overlay(a);
        screen_render(a->screen);
    }
    return result;
}

static json_t *on_get(void *user, const char *name)
{
    return app_property(user, name);
}

const struct control_handler app_control_handler = { .on_command = on_command, .on_get = on_get };

/* ---- what is told unasked ---- */

static void view_status(struct app *a, const struct session_status *s)
{
    struct osd_view *v = player_view(a->player);

    session_status_text(s, a->message, sizeof a->message);
    snprintf(v->status.line, sizeof v->status.line, "%.250s", a->message);
    v->status.dimmed = s->resuming && s->state != SESSION_PLAYING;
    v->status.progress = -1;
    if (s->state == SESSION_WAITING && s->since_s + s->retry_in_s > 0)
        v->status.progress = s->since_s / (s->since_s + s->retry_in_s);
    v->bar.paused = a->paused;
    v->bar.has_window = s->has_window;
    v->bar.window_s = s->window_s;
    v->bar.behind_s = s->behind_s;
    v->message = a->message;
}

static void tell_state(struct app *a, const struct session_status *s)
{
    static const char *const events[] = {
        [SESSION_CONNECTING] = "connecting", [SESSION_JOINING] = "connected",
        [SESSION_PLAYING] = "playing",       [SESSION_SILENT] = "silent",
        [SESSION_WAITING] = "waiting",       [SESSION_OVER] = "over",
    };
    const bool again = s->resuming && s->state == SESSION_CONNECTING;

    if (s->state == a->told.state)
        return;
    a->told.state = s->state;
    control_event(a->control, again ? "reconnecting" : events[s->state],
                  json_pack("{s:s,s:s,s:i,s:f}", "paths", s->paths, "reason", s->reason, "attempt",
                            (int)s->attempt, "retry_in", s->retry_in_s));
}

void app_tell(struct app *a)
{
    const struct osd_view *v = player_view(a->player);
    struct session_status s;

    if (v->playing)
        session_set_position(a->session, v->pts_us);
    session_ask_sender(a->session, v->page != 0 || a->control || a->report);
    session_get_status(a->session, &s);
    view_status(a, &s);
    if (!a->control)
        return;
    tell_state(a, &s);
    if (v->playing && (int)v->shown.spatial != a->told.spatial) {
        a->told.spatial = v->shown.spatial;
        control_event(a->control, "layer",
                      json_pack("{s:i,s:i,s:i}", "layer", (int)v->shown.spatial, "width",
                                (int)v->width, "height", (int)v->height));
    }
    if (v->stalls != a->told.stalls) {
        a->told.stalls = v->stalls;
        control_event(
            a->control, "stall",
            json_pack("{s:i,s:f}", "stalls", (int)v->stalls, "longest_ms", v->stall_max_ms));
    }
    control_look(a->control);
}
