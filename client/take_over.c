/*
 * take_over.c - waits for a session of another player and takes it over: see hand_over.h. Its own
 * connection to the server, its own paths, the other's place in time; silent until it is its own.
 *
 *     waiting --state--> joining --a picture in its turn--> showing --yours--> ours --stopped-->
 * over
 *        ^------------------ anything else -----------------------/
 */
#include "hand_over.h"

#include "app.h"
#include "hand_link.h"
#include "hand_state.h"
#include "log.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_S 0.01    /* how often it is looked whether something is shown */
#define PLACES_MAX 4   /* of this machine, that are said */
#define GAP_S 2.0      /* for the picture that ends the gap */
#define GIVE_UP_S 25.0 /* without a picture; less than the other's patience */

enum phase { WAITING, JOINING, SHOWING, OURS, RESETTING };

struct take_over {
    struct app *app;
    struct hand_target at; /* with the code */
    ev_io accept;
    struct hand_link *link; /* NULL: nobody is there */
    bool ready;             /* who is there has the code */
    char from[INET6_ADDRSTRLEN + 8];
    enum phase phase;
    struct hand_state state;
    bool no_audio;   /* of our own options */
    int64_t came_us; /* the state */
    struct player_moment first, last;
    bool stopped;     /* `last` is the other's, ... */
    int64_t until_us; /* ... which showed it so long */
    ev_timer look, shake, reset;
};

static void send_message(struct take_over *t, const struct hand_message *m)
{
    char *line = t->link ? hand_message_write(m) : NULL;

    if (line)
        hand_link_send(t->link, line);
    free(line);
}

static void let_go(struct take_over *t)
{
    hand_link_free(t->link);
    t->link = NULL;
    t->ready = false;
    ev_timer_stop(t->app->loop, &t->shake);
}

bool take_over_waits(const struct app *a)
{
    return a->taking && a->taking->phase != OURS;
}

/* ---- where it waits ---- */

/* The places of this machine that another may reach, one a line of `out`; how many. */
static size_t places(const struct take_over *t, char out[PLACES_MAX][HAND_TARGET_MAX])
{
    struct ifaddrs *list = NULL;
    struct hand_target at = t->at;
    size_t n = 0;

    if (at.host[0] || getifaddrs(&list) != 0) {
        hand_target_text(&at, out[0], HAND_TARGET_MAX);
        return 1;
    }
    for (struct ifaddrs *i = list; i && n < PLACES_MAX; i = i->ifa_next) {
        const int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
        const socklen_t len =
            family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

        if ((family != AF_INET && family != AF_INET6) || !(i->ifa_flags & IFF_UP) ||
            (i->ifa_flags & IFF_LOOPBACK) ||
            getnameinfo(i->ifa_addr, len, at.host, sizeof at.host, NULL, 0, NI_NUMERICHOST) != 0 ||
            strchr(at.host, '%'))
            continue; /* of a link-local address the other needs to know its own interface */
        hand_target_text(&at, out[n++], HAND_TARGET_MAX);
    }
    freeifaddrs(list);
    if (n == 0) {
        snprintf(at.host, sizeof at.host, "127.0.0.1");
        hand_target_text(&at, out[n++], HAND_TARGET_MAX);
    }
    return n;
}

/* On the screen; and on standard output, for a person and for programs. */
static void say_where(struct take_over *t, bool print)
{
    struct app *a = t->app;
    char place[PLACES_MAX][HAND_TARGET_MAX];
    const size_t n = places(t, place);
    FILE *to = a->args.json_file && strcmp(a->args.json_file, "-") == 0 ? stderr : stdout;

    struct osd_view *view = player_view(a->player);
    snprintf(a->message, sizeof a->message, "waiting for another player: %s", place[0]);
    view->message = a->message;
    snprintf(view->status.line, sizeof view->status.line, "%.250s", a->message);
    view->status.progress = -1;
    for (size_t i = 0; i < n && print; i++)
        fprintf(to, "svc-player --hand-over '%s' --control SOCKET\n", place[i]);
    fflush(to);
    app_draw_overlay(a);
    if (a->screen)
        screen_render(a->screen);
}

/* ---- ends ---- */

static void on_reset(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct take_over *t = timer->data;
    struct app *a = t->app;
    char why[200];

    (void)loop;
    (void)events;
    let_go(t);
    t->phase = WAITING;
    t->state = (struct hand_state){ 0 };
    a->args.token_text = NULL;
    a->args.no_audio = t->no_audio;
    if (app_begin_again(a, why, sizeof why) != 0) {
        log_text(LOG_LEVEL_ERROR, "%s", why);
        app_leave(a, EXIT_FAILED);
        return;
    }
    say_where(t, false);
}

/* Not ours; it waits again, once the calls under way have returned. */
static void fail(struct take_over *t, const char *why)
{
    struct hand_message m = { .kind = HAND_REFUSED };
    char line[HAND_REASON_MAX + 96];

    if (t->phase == OURS || t->phase == RESETTING)
        return;
    snprintf(line, sizeof line, "not taken over from %s: %.180s", t->from, why);
    log_text(LOG_LEVEL_WARN, "%s", line);
    if (t->app->report)
        report_add_event(t->app->report, (double)(player_clock() - t->app->began) / 1e6, line);
    control_event(t->app->control, "take-over-failed",
                  json_pack("{s:s,s:s}", "from", t->from, "reason", why));
    snprintf(m.reason, sizeof m.reason, "%s", why);
    if (t->ready)
        send_message(t, &m);
    if (t->phase == WAITING) { /* nothing was begun */
        let_go(t);
        return;
    }
    t->phase = RESETTING;
    ev_timer_stop(t->app->loop, &t->look);
    ev_timer_start(t->app->loop, &t->reset);
}

bool take_over_failed(struct app *a, const char *why)
{
    if (!take_over_waits(a))
        return false;
    fail(a->taking, why);
    return true;
}

/* All is known, or it never will be. */
static void finish(struct take_over *t)
{
    struct app *a = t->app;
    struct player_moment next = { 0 };
    const bool moves =
        t->stopped && player_shown_after(a->player, t->last.pts_us, t->last.at_us, &next);
    double gap_ms = moves ? (double)(next.at_us - t->last.at_us) / 1e3 : -1;

    if (t->stopped && t->state.paused)
        gap_ms = 0; /* there is nothing new to see */
    a->taken_over_from = json_pack(
        "{s:s,s:I,s:I,s:o,s:o,s:o,s:f}", "from", t->from, "first_picture",
        (json_int_t)t->first.picture, "first_pts_us", (json_int_t)t->first.pts_us,
        "last_picture_there", t->stopped ? json_integer((json_int_t)t->last.picture) : json_null(),
        "gap_ms", gap_ms >= 0 ? json_real(gap_ms) : json_null(), "overlap_ms",
        t->stopped ? json_real((double)(t->until_us - t->first.at_us) / 1e3) : json_null(),
        "took_ms", (double)(t->first.at_us - t->came_us) / 1e3);
    control_event(a->control, "taken-over", json_deep_copy(a->taken_over_from));
    log_text(LOG_LEVEL_INFO, "taken over from %s: %.1f ms without a new picture", t->from, gap_ms);
    ev_timer_stop(a->loop, &t->look);
    let_go(t);
}

/* ---- the session ---- */

/* What the state says is done here, as far as this device has it. */
static void use_state(struct app *a, const struct hand_state *s)
{
    struct args *args = &a->args;
    char why[200];

    (void)uri_parse(&args->uri, s->uri, why, sizeof why); /* it was read before */
    args->latency_ms = s->latency_ms;
    args->latency_max_ms = s->latency_max_ms;
    args->latency_low = s->latency_low;
    args->token_text = s->token[0] && !args->token ? s->token : NULL;
    args->no_audio = args->no_audio || !s->sound;
    a->volume = s->volume;
    a->muted = s->muted;
    a->page = s->page ? s->page : a->page;
    player_view(a->player)->page = s->page;
    player_set_volume(a->player, s->volume);
    player_set_muted(a->player, true); /* until it is ours */
    if (s->limited)
        player_set_limit(a->player, s->limit);
}

static void join_session(struct take_over *t)
{
    struct app *a = t->app;
    const struct hand_state *s = &t->state;
    const struct session_start start = {
        .is = true, .moves = !s->paused, .pts_us = s->pts_us, .at_us = s->at_us
    };
    char why[200];

    use_state(a, s);
    player_take_place(a->player, s->pts_us, s->paused ? 0 : s->at_us);
    if (app_open_session(a, &start, why, sizeof why) != 0) {
        fail(t, why);
        return;
    }
    session_ask(a->session, s->asked);
    for (size_t i = 0; i < s->n_paths; i++)
        if (s->path[i].off || s->path[i].backup) /* one that this device has not is no fault */
            (void)session_path_set(a->session, s->path[i].name,
                                   s->path[i].off ? SESSION_PATH_OFF : SESSION_PATH_BACKUP, why,
                                   sizeof why);
    ev_timer_start(a->loop, &t->look);
}

/* Something is seen here: the other may stop. */
static void show_ours(struct take_over *t)
{
    struct app *a = t->app;

    t->phase = SHOWING;
    if (t->state.paused) {
        a->paused = true;
        player_suspend(a->player);
        (void)session_pause(a->session);
    }
    send_message(t, &(struct hand_message){ .kind = HAND_SHOWING,
                                            .moment = { .picture = t->first.picture,
                                                        .pts_us = t->first.pts_us,
                                                        .at_us = t->first.at_us } });
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct take_over *t = timer->data;
    struct player_moment next;
    const double since_s = (double)(player_clock() - t->came_us) / 1e6;

    (void)loop;
    (void)events;
    switch (t->phase) {
    case JOINING:
        if (player_last_shown(t->app->player, &t->first))
            show_ours(t);
        else if (since_s > GIVE_UP_S)
            fail(t, "no picture from the server in time");
        break;
    case OURS:
        if (t->stopped &&
            (t->state.paused ||
             player_shown_after(t->app->player, t->last.pts_us, t->last.at_us, &next) ||
             (double)(player_clock() - t->last.at_us) / 1e6 > GAP_S))
            finish(t);
        else if (since_s > HAND_OVER_S + 2 * HAND_OVER_LAST_S)
            finish(t); /* its last word will not come any more */
        break;
    case SHOWING:
        if (since_s > HAND_OVER_S + HAND_OVER_LAST_S)
            fail(t, "the other player does not let go");
        break;
    case WAITING:
    case RESETTING:
        break;
    }
}

/* ---- what the other says ---- */

static void take_yours(struct take_over *t)
{
    struct app *a = t->app;

    if (t->phase != SHOWING)
        return;
    t->phase = OURS;
    ev_io_stop(a->loop, &t->accept);
    player_set_muted(a->player, a->muted);
    send_message(t, &(struct hand_message){ .kind = HAND_MINE });
}

static void take_stopped(struct take_over *t, const struct hand_moment *m)
{
    if (t->phase != OURS)
        return;
    t->stopped = true;
    t->until_us = m->until_us;
    t->last = (struct player_moment){ m->picture, m->pts_us, m->at_us };
}

static void on_line(void *user, const char *text, size_t len)
{
    struct take_over *t = user;
    struct hand_message m;
    char why[HAND_REASON_MAX];

    if (t->phase == RESETTING)
        return;
    if (hand_message_read(&m, text, len, why, sizeof why) != 0) {
        fail(t, why);
        return;
    }
    switch (m.kind) {
    case HAND_TIME:
        m.here_us = player_clock();
        send_message(t, &m);
        break;
    case HAND_STATE:
        if (t->phase != WAITING)
            break;
        t->state = m.state;
        t->came_us = player_clock();
        t->phase = JOINING;
        ev_timer_stop(t->app->loop, &t->shake);
        send_message(t, &(struct hand_message){ .kind = HAND_ACCEPTED });
        join_session(t);
        break;
    case HAND_REFUSED:
        fail(t, m.reason);
        break;
    case HAND_YOURS:
        take_yours(t);
        break;
    case HAND_STOPPED:
        take_stopped(t, &m.moment);
        break;
    case HAND_ACCEPTED:
    case HAND_SHOWING:
    case HAND_MINE:
        break;
    }
    OPENSSL_cleanse(&m, sizeof m);
}

static void on_ready(void *user)
{
    struct take_over *t = user;

    t->ready = true;
}

static void on_closed(void *user, bool ready, const char *why)
{
    struct take_over *t = user;

    (void)ready;
    if (t->phase == OURS) { /* its last word, or none: it is ours */
        if (t->stopped)
            let_go(t); /* the picture that ends the gap is still looked for */
        else
            finish(t);
        return;
    }
    fail(t, why);
}

static const struct hand_link_handler handler = { .on_ready = on_ready,
                                                  .on_line = on_line,
                                                  .on_closed = on_closed };

static void on_shake(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    fail(timer->data, "nothing was said in time");
}

/* Who has not shown that it has the code makes way for who comes next. */
static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct take_over *t = io->data;
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    const int fd = accept4(io->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (t->phase != WAITING || t->ready) {
        close(fd);
        return;
    }
    let_go(t);
    if (getnameinfo((struct sockaddr *)&from, len, t->from, sizeof t->from, NULL, 0,
                    NI_NUMERICHOST) != 0)
        snprintf(t->from, sizeof t->from, "somewhere");
    if (hand_link_accept(&t->link, loop, fd, t->at.code, &handler, t) != 0)
        t->link = NULL;
    ev_timer_set(&t->shake, HAND_OVER_SHAKE_S, 0);
    ev_timer_start(loop, &t->shake);
}

/* ---- life ---- */

int take_over_new(struct app *a, char *why, size_t why_size)
{
    struct take_over *t = calloc(1, sizeof *t);
    int fd;

    snprintf(why, why_size, "--take-over: no code can be made");
    if (!t || hand_listen_read(&t->at, a->args.take_over, why, why_size) != 0 ||
        hand_code_new(t->at.code) != 0 || (fd = hand_listen(&t->at, why, why_size)) < 0) {
        free(t);
        return -1;
    }
    t->app = a;
    t->no_audio = a->args.no_audio;
    ev_io_init(&t->accept, on_accept, fd, EV_READ);
    ev_timer_init(&t->look, on_look, LOOK_S, LOOK_S);
    ev_timer_init(&t->shake, on_shake, HAND_OVER_SHAKE_S, 0);
    ev_timer_init(&t->reset, on_reset, 0, 0);
    t->accept.data = t->look.data = t->shake.data = t->reset.data = t;
    ev_io_start(a->loop, &t->accept);
    a->taking = t;
    say_where(t, true);
    return 0;
}

void take_over_free(struct app *a)
{
    struct take_over *t = a->taking;

    if (!t)
        return;
    if (t->phase == OURS && !a->taken_over_from)
        finish(t);
    let_go(t);
    ev_io_stop(a->loop, &t->accept);
    ev_timer_stop(a->loop, &t->look);
    ev_timer_stop(a->loop, &t->reset);
    close(t->accept.fd);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
    a->taking = NULL;
}
