/*
 * control.h - the control socket: a Unix socket in the file system that takes requests, one line of
 * JSON each, and answers each; and tells what happens. Written for docs/player-control.md. Requests
 * that are not understood are answered with what is wrong, and change nothing; who does not read
 * what is said loses it, and then the connection.
 */
#ifndef CLIENT_CONTROL_H
#define CLIENT_CONTROL_H

#include "control_request.h"

#define CONTROL_CLIENTS_MAX 8
#define CONTROL_OBSERVED_MAX 32        /* properties, of each client */
#define CONTROL_BACKLOG_MAX (1u << 18) /* bytes that a client has not read; then it is let go */

struct ev_loop;
struct json_t;

struct control_handler {
    /* 0, or -1 with one line in `why`. */
    int (*on_command)(void *user, const struct command *c, char *why, size_t why_size);
    /* Its value, a new reference; NULL: there is no such property. */
    struct json_t *(*on_get)(void *user, const char *property);
};

struct control;
/* Opens the socket, for this user alone; one that a dead player left is taken over. 0, or -1 with
 * one line. */
int control_new(struct control **out, struct ev_loop *loop, const char *path,
                const struct control_handler *handler, void *user, char *why, size_t why_size);
/* Removes it. */
void control_free(struct control *c);
/* Tell all that are connected: {"event": name, ...data}. Takes `data`, an object, or NULL. NULL `c`
 * allowed. */
void control_event(struct control *c, const char *name, struct json_t *data);
/* Tell who observes what has changed since the last time; now and then. NULL `c` allowed. */
void control_look(struct control *c);

#endif
