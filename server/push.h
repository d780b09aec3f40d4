/*
 * push.h - a broadcast of ours that is published to a relay: its namespace is announced there
 * (PUBLISH_NAMESPACE), its tracks are sent for as long as the relay subscribes to them. All layers
 * go: the relay's viewers differ. When the way there is too narrow, upper layers are the first to
 * be late, and what is late is given up.
 */
#ifndef SERVER_PUSH_H
#define SERVER_PUSH_H

#include "broadcast.h"
#include "config.h"

#define PUSH_BACKLOG_MAX (16u << 20) /* bytes queued; then objects are left out */
#define PUSH_TRACKS_MAX (2 * TRACKS_MAX)

struct push;

/* `cfg` is borrowed for its life, and `b` has to outlive it. 0, or -1 with one line in `why`. */
int push_new(struct push **out, struct ev_loop *loop, const struct config_push *cfg,
             const struct config_transport *transport, struct broadcast *b, char *why,
             size_t why_size);
void push_free(struct push *p); /* NULL allowed */

#endif
