/*
 * interface.h - network interfaces made in another network namespace.
 *
 * A child process enters the namespace (and the user namespace that owns it, if that is needed and
 * ours), makes the interface there and sends the descriptor back; our own process never changes
 * its namespace. Nothing is left behind: a tap goes with its descriptor, and the far end of a veth
 * lives in a namespace without a name, which goes with the packet socket in it.
 */
#ifndef VLINK_INTERFACE_H
#define VLINK_INTERFACE_H

#include "port.h"

/* A descriptor to read and write whole frames, or -1 with one line in `why`. */
int vlink_interface_open(enum vlink_port_kind kind, const struct vlink_interface_place *place,
                         char *why, size_t why_size);

#endif
