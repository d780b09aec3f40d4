/*
 * hand_over.c - gives the session that plays to another player: see hand_over.h. Playing goes on as
 * if nothing were, until the other one says that the session is its own.
 *
 *     clocks --4 answers--> asked --showing--> yours --mine--> given: the end here
 *        \----------------------\----------------\--anything else--> plays on
 */
#include "hand_over.h"

#include "app.h"
#include "hand_link.h"
#include "hand_state.h"
#include "log.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 4 /* of the other's clock */

enum phase { CLOCKS, ASKED, YOURS, GIVEN };

struct hand_over {
    struct app *app;
    struct hand_link *link;
    char where[HAND_TARGET_MAX]; /* without the code */
    enum phase phase;
    unsigned samples;
    int64_t least_us, ahead_us; /* least round trip; the other's clock is ahead by */
    int64_t began_us;
    struct hand_moment first; /* shown there */
    ev_timer deadline;
};

static void send_message(struct hand_over *h, const struct hand_message *m)
{
    char *line = hand_message_write(m);

    if (line)
        hand_link_send(h->link, line);
    free(line);
}

void hand_over_free(struct app *a)
{
    struct hand_over *h = a->giving;

    if (!h)
        return;
    ev_timer_stop(a->loop, &h->deadline);
    hand_link_free(h->link);
    free(h);
    a->giving = NULL;
}

/* The session stays here. */
static void fail(struct hand_over *h, const char *why)
{
    struct app *a = h->app;
    char line[HAND_REASON_MAX + HAND_TARGET_MAX + 64];

    snprintf(line, sizeof line, "not handed over to %.80s: %s; playing on", h->where, why);
    log_text(LOG_LEVEL_WARN, "%s", line);
    if (a->report)
        report_add_event(a->report, (double)(player_clock() - a->began) / 1e6, line);
    if (a->screen)
        screen_say(a->screen, line);
    control_event(a->control, "hand-over-failed",
                  json_pack("{s:s,s:s}", "to", h->where, "reason", why));
    hand_over_free(a);
}

void hand_over_cancel(struct app *a, const char *why)
{
    if (!a->giving || a->giving->phase == GIVEN)
        return;
    if (a->giving->phase > CLOCKS) {
        struct hand_message m = { .kind = HAND_REFUSED };
        snprintf(m.reason, sizeof m.reason, "%s", why);
        send_message(a->giving, &m);
    }
    fail(a->giving, why);
}

/* ---- state ---- */

/* As text: a file's name means nothing to the other. 0, or -1 with one line. */
static int put_token(const struct app *a, struct hand_state *s, char *why, size_t why_size)
{
    if (a->args.token_text)
        snprintf(s->token, sizeof s->token, "%s", a->args.token_text);
    else if (a->args.token && credential_token(a->args.token, s->token, why, why_size) < 0)
        return -1;
    return 0;
}

static void put_layers(const struct app *a, struct hand_state *s)
{
    const struct args *args = &a->args;

    s->limited = player_wish(a->player, &s->limit, &s->asked);
    if (args->max_spatial >= 0 && args->max_spatial < s->limit.spatial) {
        s->limit.spatial = (uint8_t)args->max_spatial;
        s->limited = true;
    }
    if (args->max_temporal >= 0 && args->max_temporal < s->limit.temporal) {
        s->limit.temporal = (uint8_t)args->max_temporal;
        s->limited = true;
    }
}

static int fill_state(struct hand_over *h, struct hand_state *s, char *why, size_t why_size)
{
    struct app *a = h->app;
    struct session_path_wish wish[HAND_PATHS_MAX];
    struct player_moment place;

    if (!player_place(a->player, &place)) {
        snprintf(why, why_size, "nothing plays yet");
        return -1;
    }
    snprintf(s->uri, sizeof s->uri, "moqt://%s/%s", a->args.uri.authority, a->args.uri.ns);
    s->pts_us = place.pts_us;
    s->at_us = place.at_us + h->ahead_us;
    s->paused = a->paused;
    s->latency_ms = a->args.latency_ms;
    s->latency_max_ms = a->args.latency_max_ms;
    s->latency_low = a->args.latency_low;
    s->volume = a->volume;
    s->muted = a->muted;
    s->sound = !a->args.no_audio;
    s->page = player_view(a->player)->page;
    put_layers(a, s);
    s->n_paths = session_path_wishes(a->session, wish, HAND_PATHS_MAX);
    for (size_t i = 0; i < s->n_paths; i++) {
        memcpy(s->path[i].name, wish[i].name, sizeof s->path[i].name);
        s->path[i].off = wish[i].off;
        s->path[i].backup = wish[i].backup;
    }
    return put_token(a, s, why, why_size);
}

/* ---- what the other says ---- */

static void ask_time(struct hand_over *h)
{
    send_message(h, &(struct hand_message){ .kind = HAND_TIME, .sent_us = player_clock() });
}

static void send_state(struct hand_over *h)
{
    struct hand_message m = { .kind = HAND_STATE };
    char why[HAND_REASON_MAX];

    if (fill_state(h, &m.state, why, sizeof why) != 0) {
        fail(h, why);
        return;
    }
    h->phase = ASKED;
    ev_timer_stop(h->app->loop, &h->deadline);
    ev_timer_set(&h->deadline, HAND_OVER_S, 0);
    ev_timer_start(h->app->loop, &h->deadline);
    send_message(h, &m);
    OPENSSL_cleanse(m.state.token, sizeof m.state.token);
}

/* The quickest exchange says most: half of it each way. */
static void take_time(struct hand_over *h, const struct hand_message *m)
{
    const int64_t now = player_clock(), round_trip = now - m->sent_us;

    if (m->sent_us > now || m->here_us == 0 || h->phase != CLOCKS)
        return;
    if (h->samples == 0 || round_trip < h->least_us) {
        h->least_us = round_trip;
        h->ahead_us = m->here_us - (m->sent_us + round_trip / 2);
    }
    if (++h->samples < SAMPLES)
        ask_time(h);
    else
        send_state(h);
}

/* Somebody sees it there. */
static void take_showing(struct hand_over *h, const struct hand_message *m)
{
    if (h->phase != ASKED)
        return;
    h->phase = YOURS;
    h->first = m->moment;
    ev_timer_stop(h->app->loop, &h->deadline);
    ev_timer_set(&h->deadline, HAND_OVER_LAST_S, 0);
    ev_timer_start(h->app->loop, &h->deadline);
    send_message(h, &(struct hand_message){ .kind = HAND_YOURS });
}

/* The end here, after the picture that is shown. */
static void give(struct hand_over *h)
{
    struct app *a = h->app;
    struct player_moment last = { 0 };
    char line[HAND_TARGET_MAX + 64];

    h->phase = GIVEN;
    ev_timer_stop(a->loop, &h->deadline);
    player_suspend(a->player);
    (void)player_last_shown(a->player, &last);
    send_message(h,
                 &(struct hand_message){ .kind = HAND_STOPPED,
                                         .moment = { .picture = last.picture,
                                                     .pts_us = last.pts_us,
                                                     .at_us = last.at_us + h->ahead_us,
                                                     .until_us = player_clock() + h->ahead_us } });
    snprintf(line, sizeof line, "handed over to %s", h->where);
    log_text(LOG_LEVEL_INFO, "%s", line);
    if (a->report)
        report_add_event(a->report, (double)(player_clock() - a->began) / 1e6, line);
    if (a->screen)
        screen_say(a->screen, line);
    a->handed_over_to = json_pack("{s:s,s:I,s:I,s:I,s:f,s:f}", "to", h->where, "last_picture",
                                  (json_int_t)last.picture, "last_pts_us", (json_int_t)last.pts_us,
                                  "first_picture_there", (json_int_t)h->first.picture, "took_ms",
                                  (double)(player_clock() - h->began_us) / 1e3, "round_trip_ms",
                                  (double)h->least_us / 1e3);
    control_event(a->control, "handed-over", json_deep_copy(a->handed_over_to));
    app_leave(a, EXIT_DONE);
}

static void on_ready(void *user)
{
    ask_time(user);
}

static void on_line(void *user, const char *text, size_t len)
{
    struct hand_over *h = user;
    struct hand_message m;
    char why[HAND_REASON_MAX], line[HAND_REASON_MAX + 64];

    if (h->phase == GIVEN)
        return;
    if (hand_message_read(&m, text, len, why, sizeof why) != 0) {
        snprintf(line, sizeof line, "what it says is not understood: %.150s", why);
        fail(h, line);
        return;
    }
    switch (m.kind) {
    case HAND_TIME:
        take_time(h, &m);
        break;
    case HAND_REFUSED:
        snprintf(line, sizeof line, "it says: %s", m.reason);
        fail(h, line);
        break;
    case HAND_SHOWING:
        take_showing(h, &m);
        break;
    case HAND_MINE:
        if (h->phase == YOURS)
            give(h);
        break;
    case HAND_ACCEPTED:
    case HAND_STATE:
    case HAND_YOURS:
    case HAND_STOPPED:
        break;
    }
}

static void on_closed(void *user, bool ready, const char *why)
{
    struct hand_over *h = user;

    (void)ready;
    if (h->phase != GIVEN)
        fail(h, why);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct hand_over *h = timer->data;

    (void)loop;
    (void)events;
    if (h->phase == ASKED)
        hand_over_cancel(h->app, "no picture there in time");
    else
        fail(h, h->phase == YOURS ? "it has not said that it goes on" : "no answer from there");
}

static const struct hand_link_handler handler = { .on_ready = on_ready,
                                                  .on_line = on_line,
                                                  .on_closed = on_closed };

int hand_over_begin(struct app *a, const char *target, char *why, size_t why_size)
{
    struct hand_target to;
    struct player_moment place;

    if (hand_target_read(&to, target, why, why_size) != 0)
        return -1;
    if (!to.code[0])
        snprintf(why, why_size,
                 "the code is missing: ADDRESS:PORT#CODE, as the other player shows it");
    else if (a->giving)
        snprintf(why, why_size, "it is being handed over already");
    else if (!a->session || a->leaving || !player_place(a->player, &place))
        snprintf(why, why_size, "nothing plays yet");
    else if (!(a->giving = calloc(1, sizeof *a->giving)))
        snprintf(why, why_size, "no memory");
    else
        goto connect;
    return -1;
connect:
    a->giving->app = a;
    a->giving->began_us = player_clock();
    ev_timer_init(&a->giving->deadline, on_deadline, HAND_OVER_SHAKE_S, 0);
    a->giving->deadline.data = a->giving;
    if (hand_link_connect(&a->giving->link, a->loop, &to, &handler, a->giving, why, why_size) !=
        0) {
        hand_over_free(a);
        return -1;
    }
    ev_timer_start(a->loop, &a->giving->deadline);
    OPENSSL_cleanse(to.code, sizeof to.code);
    to.code[0] = '\0';
    hand_target_text(&to, a->giving->where, sizeof a->giving->where);
    control_event(a->control, "handing-over", json_pack("{s:s}", "to", a->giving->where));
    return 0;
}
