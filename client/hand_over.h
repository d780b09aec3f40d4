/*
 * hand_over.h - a session that plays is given to another player, and one that waits takes such a
 * session over: the two ends of docs/decisions/0017-hand-over.md, and the short command that asks
 * for it. Parts of svc-player as a whole (app.h).
 */
#ifndef CLIENT_HAND_OVER_H
#define CLIENT_HAND_OVER_H

#include <stdbool.h>
#include <stddef.h>

#define HAND_OVER_S 30.0      /* until the target shows a picture */
#define HAND_OVER_SHAKE_S 5.0 /* until it has answered at all */
#define HAND_OVER_LAST_S 2.0  /* for the last words */

struct app;
struct session_start;

/* ---- hand_over.c: the player that plays ---- */

/* "ADDRESS:PORT#CODE". 0: begun, how it went is told by events of the control socket; -1 with one
 * line. */
int hand_over_begin(struct app *a, const char *target, char *why, size_t why_size);
/* Somebody does something with the session here: it stays here. */
void hand_over_cancel(struct app *a, const char *why);
void hand_over_free(struct app *a);

/* ---- take_over.c: the player that waits ---- */

/* Listens at args.take_over and says so. 0, or -1 with one line. */
int take_over_new(struct app *a, char *why, size_t why_size);
/* The session does not come up, or breaks. True: it was being taken over, which has failed; the
 * player waits again. */
bool take_over_failed(struct app *a, const char *why);
/* Waits, or takes over and is not seen yet. */
bool take_over_waits(const struct app *a);
void take_over_free(struct app *a);

/* ---- hand_command.c: --hand-over ---- */

/* Tells the player at the control socket; the exit code. */
int hand_command(const char *target, const char *control_socket);

#endif
