/*
 * desk.h - where those come who run the server: the control interface, the service manager and
 * SIGHUP; and the reload that they order. On the main loop.
 */
#ifndef SERVER_DESK_H
#define SERVER_DESK_H

#include <stddef.h>

struct configure;
struct desk;
struct server;

/* Before anything slow. `how` makes the configuration again for a reload; NULL: there is none. 0,
 * or -1 with one line in `why`. */
int desk_open(struct desk **out, struct server *s, struct configure *how, char *why,
              size_t why_size);
/* The port is open: the control interface is, too, and the service manager hears of it. As
 * desk_open. */
int desk_ready(struct desk *d, char *why, size_t why_size);
/* Where the control interface listens; NULL: there is none. */
const char *desk_address(const struct desk *d);
void desk_tick(struct desk *d); /* every second */
void desk_stopping(struct desk *d, unsigned patience_s);
/* Nobody is heard any more. */
void desk_close(struct desk *d);
void desk_free(struct desk *d); /* after the workers; NULL allowed */

#endif
