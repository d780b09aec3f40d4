/*
 * net.h - the links of a slice with their ports, by name, and what the control socket's requests
 * do to them.
 *
 * The caller's epoll loop calls `ready` of the sources, then vlink_net_run once a turn. One thread.
 */
#ifndef VLINK_NET_H
#define VLINK_NET_H

#include <jansson.h>

#include "request.h"

struct vlink_net;

struct vlink_net *vlink_net_new(int epoll_fd, uint64_t seed); /* NULL: no memory */
void vlink_net_free(struct vlink_net *n); /* sockets, interfaces and socket files go too */

/*
 * Does what was asked. The answer, an object, the caller's; or NULL with one line in `why`, and
 * then everything is as it was.
 */
json_t *vlink_net_obey(struct vlink_net *n, const struct vlink_request *r, char *why,
                       size_t why_size);

/* Moves all that is due until now. When it wants to be called again; VLINK_NEVER: after input. */
vlink_time vlink_net_run(struct vlink_net *n);

#endif
