/*
 * upstream.h - a child's link at its parent's door: wire.h's child side.
 *
 * When the parent's process goes, nothing passes; every VLINK_UPSTREAM_AGAIN_NS it is tried again.
 */
#ifndef VLINK_UPSTREAM_H
#define VLINK_UPSTREAM_H

#include "peer.h"
#include "request.h"

#define VLINK_UPSTREAM_WAIT_MS 2000 /* for the parent's first answer */
#define VLINK_UPSTREAM_AGAIN_NS 300000000u

struct vlink_upstream;

/*
 * Attaches `l`, waiting for the parent's answer. 0, or -1 with one line in `why`: nobody there, no
 * room, or the link's settings are wider than the parent's.
 */
int vlink_upstream_open(struct vlink_upstream **out, struct vlink_peer_io *io, struct vlink_link *l,
                        const struct vlink_parent *parent, char *why, size_t why_size);
void vlink_upstream_close(struct vlink_upstream *u);

/* Gives the parent its frames, or calls on it again. VLINK_NEVER or when to be called again. */
vlink_time vlink_upstream_run(struct vlink_upstream *u, vlink_time now);

bool vlink_upstream_connected(const struct vlink_upstream *u);
const struct vlink_parent *vlink_upstream_parent(const struct vlink_upstream *u);
uint32_t vlink_upstream_depth(const struct vlink_upstream *u); /* of our link, 1: parent has none */

#endif
