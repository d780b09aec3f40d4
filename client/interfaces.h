/* interfaces.h - the network paths this machine has, for a player that was given none. */
#ifndef CLIENT_INTERFACES_H
#define CLIENT_INTERFACES_H

#include "path_spec.h"
#include "uri.h"

#define INTERFACES_MAX 4 /* paths found, the system's own choice counted */

/*
 * The path that the system's routing would take, first, then one per further interface that is up
 * and has an address of the server's family. Result: how many were written, at least 1.
 */
size_t interfaces_find(const struct uri *server, struct path_spec *out, size_t cap);

#endif
