/*
 * server.h - the server's life on a libev loop: sources and their broadcasts on the main loop,
 * viewers on the workers' threads, reports, and the orderly end.
 *
 *     serving ─SIGTERM─► leaving ─all gone, drain_s─► draining ─all sent, 1 s─► closing ─► over
 *        └────── the only source of the command line is over ──►┘
 *
 * A second SIGTERM or SIGINT ends it at once.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "config.h"

struct configure;

/*
 * Runs until the end. `cfg` is the caller's; a reload, which `how` makes (NULL: there is none),
 * puts another one in its place. 0: done; -1: failed, with one line in `why`.
 */
int server_run(struct config *cfg, struct configure *how, char *why, size_t why_size);

#endif
