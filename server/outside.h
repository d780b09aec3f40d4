/*
 * outside.h - the other servers that this one deals with: those that it serves on (upstream.h), and
 * those that it publishes to (push.h), as the configuration lists them. On the main loop.
 */
#ifndef SERVER_OUTSIDE_H
#define SERVER_OUTSIDE_H

#include "config.h"
#include "directory.h"
#include "relay.h"
#include "snapshot.h"

struct ev_loop;
struct outside;

struct outside *outside_new(struct ev_loop *loop, struct relay *relay,
                            struct directory *directory); /* NULL: no memory */
void outside_free(struct outside *o);                     /* NULL allowed */
/* What `cfg` lists and is not there yet begins; what it does not list any more ends. Everything is
 * copied. What cannot begin is logged. */
void outside_apply(struct outside *o, const struct config *cfg);
/* The broadcast `ns` goes away: so does what publishes it. */
void outside_forget(struct outside *o, const char *ns);
/* Upstreams, as sources. */
size_t outside_count(const struct outside *o);
void outside_snapshot(const struct outside *o, size_t i, struct snapshot_source *out);

#endif
