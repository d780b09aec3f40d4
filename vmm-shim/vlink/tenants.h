/*
 * tenants.h - the door of a link where links of child slices attach: wire.h's parent side.
 *
 * At most VLINK_TENANTS_MAX - 1 at once. A tenant is gone when its process is.
 */
#ifndef VLINK_TENANTS_H
#define VLINK_TENANTS_H

#include "peer.h"
#include "port.h"

struct vlink_tenants;

/* Listens on `path`. 0, or -1 with one line in `why`. */
int vlink_tenants_open(struct vlink_tenants **out, struct vlink_peer_io *io, struct vlink_link *l,
                       const char *path, char *why, size_t why_size);
void vlink_tenants_close(struct vlink_tenants *t); /* sends all away; the socket file goes */
const char *vlink_tenants_path(const struct vlink_tenants *t);

/* Sends away every link of child slice `slice`; how many there were. They come again when they
 * like: it is their keeper that must end them. */
size_t vlink_tenants_remove(struct vlink_tenants *t, const char *slice);

/* Gives children their frames and credit, and the link's limits where these changed; `depth`: of
 * the link. VLINK_NEVER or when to try again. */
vlink_time vlink_tenants_run(struct vlink_tenants *t, uint32_t depth, vlink_time now);

#endif
