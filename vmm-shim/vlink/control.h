/*
 * control.h - the control socket: clients that send a request a line and get an answer a line.
 *
 * Bounded: VLINK_CONTROL_CLIENTS_MAX at once (one more is told so and closed), a request
 * VLINK_REQUEST_BYTES_MAX, the answers a client has not read VLINK_CONTROL_OUT_MAX (then it is
 * closed).
 */
#ifndef VLINK_CONTROL_H
#define VLINK_CONTROL_H

#include "net.h"

#define VLINK_CONTROL_CLIENTS_MAX 16u
#define VLINK_CONTROL_OUT_MAX (4u << 20)

struct vlink_control;

/* Listens on `path`, for our user only. 0, or -1 with one line in `why`. */
int vlink_control_open(struct vlink_control **out, int epoll_fd, struct vlink_net *net,
                       const char *path, char *why, size_t why_size);
void vlink_control_close(struct vlink_control *c); /* removes the socket file */

/* A line in, the answer out (the caller's, ended by a newline): what a client sees. NULL: no
 * memory. */
char *vlink_control_answer(struct vlink_net *net, const char *line, size_t len);

#endif
