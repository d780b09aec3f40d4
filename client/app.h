/*
 * app.h - svc-player as a whole: what main.c puts together and ends, and what obey.c changes while
 * it runs.
 */
#ifndef CLIENT_APP_H
#define CLIENT_APP_H

#include "args.h"
#include "command.h"
#include "control.h"
#include "hand_over.h"
#include "interfaces.h"
#include "player.h"
#include "recording.h"
#include "report.h"
#include "screen.h"
#include "session.h"

#include <ev.h>

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_NOT_CONNECTED = 2, EXIT_USAGE = 64 };

struct app {
    struct args args;
    struct ev_loop *loop;
    struct session *session; /* NULL: --take-over, and nothing has come yet */
    struct player *player;
    struct screen *screen;                           /* NULL: nobody looks */
    struct report *report;                           /* NULL: none is wanted */
    FILE *policy_log;                                /* NULL: none */
    struct interfaces_watch *network;                /* NULL: the system tells nothing */
    struct control *control;                         /* NULL: none */
    struct recording *recording;                     /* NULL: none */
    struct hand_over *giving;                        /* NULL: nothing is being handed over */
    struct take_over *taking;                        /* NULL: --take-over was not given */
    struct json_t *handed_over_to, *taken_over_from; /* for the report; NULL: it was not */
    ev_timer keys, measure, goodbye;
    ev_signal interrupt, terminate;
    int64_t began;
    bool leaving, muted, paused;
    double volume; /* percent */
    unsigned page; /* of the statistics, the last that was out */
    bool taken[ARGS_SCREENSHOTS_MAX];
    int exit_code;
    char message[SESSION_REASON_MAX + SESSION_PATHS_TEXT_MAX + 64];
    struct { /* what was told over the control socket last */
        enum session_state state;
        int spatial; /* layer shown; -1: none yet */
        unsigned stalls;
    } told;
};

/* Begin to end; the first call counts. */
void app_leave(struct app *a, int exit_code);
void app_draw_overlay(struct app *a);
/* Connects to args.uri, from `start` on (NULL: live). 0, or the exit code with one line in `why`.
 */
int app_open_session(struct app *a, const struct session_start *start, char *why, size_t why_size);
/* Without a session again, as nothing has ever been shown. Not inside a call of session or player.
 * 0, or -1 with one line. */
int app_begin_again(struct app *a, char *why, size_t why_size);

/* ---- obey.c ---- */

/* 0, or -1 with one line in `why`. */
int app_obey(struct app *a, const struct command *c, char *why, size_t why_size);
/* A property of docs/player-control.md, a new reference; NULL: there is none of that name. */
struct json_t *app_property(struct app *a, const char *name);
/* Status into the view, and what has changed to the control socket. Every METER_PERIOD_US. */
void app_tell(struct app *a);
extern const struct control_handler app_control_handler;

#endif
