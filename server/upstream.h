/*
 * upstream.h - a namespace of another svc-server or MoQT relay, served on: a publisher of the relay
 * (relay.h) that subscribes there when somebody here wants a track, over one connection. When that
 * breaks, subscribers here go on and get what comes after it is back, for UPSTREAM_PATIENCE_S.
 */
#ifndef SERVER_UPSTREAM_H
#define SERVER_UPSTREAM_H

#include "config.h"
#include "relay.h"
#include "snapshot.h"

#define UPSTREAM_PATIENCE_S 20. /* without a connection; then tracks are over */
#define UPSTREAM_LINGER_S 5.    /* on demand: from the last track to the end of the connection */
#define UPSTREAM_TRACKS_MAX 256

struct ev_loop;
struct upstream;

/* `cfg` (kind CONFIG_UPSTREAM) is borrowed for its life. 0, or -1 with one line in `why`. */
int upstream_new(struct upstream **out, struct ev_loop *loop, struct relay *relay,
                 const struct config_source *cfg, const struct config_transport *transport,
                 char *why, size_t why_size);
void upstream_free(struct upstream *u); /* NULL allowed */
void upstream_snapshot(const struct upstream *u, struct snapshot_source *out);

#endif
