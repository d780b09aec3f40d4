/*
 * limit.h - inheritance: what a link makes of its own settings and of its parent's.
 *
 * Rate, delay and loss that a child link gives are what its frames meet in all; what it does not
 * give it inherits. Its own part is what is left when the parent's has been taken off. All other
 * settings (queue, jitter, bursts, order ...) are its own, on top of the parent's. Pure.
 */
#ifndef VLINK_LIMIT_H
#define VLINK_LIMIT_H

#include "link.h"

/* -1: `c` asks for more than `parent` has; one line in `why`. */
int vlink_limit_check(const struct vlink_way_config *c, const struct vlink_limit *parent,
                      enum vlink_way way, char *why, size_t why_size);

/* What both together come to. `parent` NULL: there is none. */
struct vlink_limit vlink_limit_of(const struct vlink_way_config *c,
                                  const struct vlink_limit *parent);

/* The two stages of one direction: serialiser, then what the air does. Queues are the caller's. */
void vlink_limit_split(const struct vlink_way_config *c, const struct vlink_limit *parent,
                       struct vlink_config *serve, struct vlink_config *air);

#endif
