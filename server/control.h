/*
 * control.h - the control interface over HTTP on localhost: health, metrics, the JSON API and the
 * dashboard (docs/control.md). Driven by the main loop, on its thread; it has no lock and asks the
 * server nothing but through struct control_hooks.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include <ev.h>
#include <stddef.h>

#include "config.h"
#include "control_hooks.h"

struct control;

/*
 * Listens from now on. `cfg->listen` is not NULL: "ADDRESS:PORT" or "[ADDRESS]:PORT"; an address
 * beyond this host needs `cfg->token`. `hooks` is copied; its `user` and `loop` outlive the result.
 * 0, or -1 with one line in `why`.
 */
int control_new(struct control **out, struct ev_loop *loop, const struct config_control *cfg,
                const struct control_hooks *hooks, char *why, size_t why_size);
/* Closes all connections. NULL allowed. */
void control_free(struct control *c);

/* Where it listens, "127.0.0.1:4480": with the port that the kernel chose for port 0. */
const char *control_address(const struct control *c);
/* The token is read again. 0, or -1 with one line in `why`, and the old one stays. */
int control_reload(struct control *c, const char *token_file, char *why, size_t why_size);

#endif
