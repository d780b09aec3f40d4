/* interfaces.h - the network paths this machine has, for a player that was given none. */
#ifndef PEER_INTERFACES_H
#define PEER_INTERFACES_H

#include "path_spec.h"
#include "uri.h"

#define INTERFACES_MAX 4 /* paths found, the system's own choice counted */

/*
 * The path that the system's routing would take, first, then one per further interface that is up
 * and has an address of the server's family. Result: how many were written, at least 1.
 */
size_t interfaces_find(const struct uri *server, struct path_spec *out, size_t cap);

/* Calls when an interface, an address or a route comes or goes. NULL: the system tells of none. */
struct ev_loop;
struct interfaces_watch;
struct interfaces_watch *interfaces_watch_new(struct ev_loop *loop, void (*on_change)(void *user),
                                              void *user);
void interfaces_watch_free(struct interfaces_watch *w);

#endif
