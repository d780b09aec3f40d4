/*
 * peer.h - one connection between a child's link and its parent's: messages in, frames out.
 *
 * Frames wait here while the kernel has no room, VLINK_PEER_QUEUE of them.
 */
#ifndef VLINK_PEER_H
#define VLINK_PEER_H

#include "waited.h"
#include "wire.h"

#define VLINK_PEER_QUEUE 2048u
#define VLINK_PEER_BATCH 32u
#define VLINK_PEER_BATCHES 2u /* system calls a wake-up, so that all get a turn */
#define VLINK_PEER_BUFFER (4 << 20)
#define VLINK_PEER_RETRY_NS 500000u

struct vlink_peer_io; /* receive buffers, shared by all peers of a loop */
struct vlink_peer_io *vlink_peer_io_new(int epoll_fd);
void vlink_peer_io_free(struct vlink_peer_io *io);
int vlink_peer_io_epoll(const struct vlink_peer_io *io);

struct vlink_peer {
    int fd; /* -1: not there */
    struct vlink_peer_io *io;
    struct vlink_frame *queue[VLINK_PEER_QUEUE];
    size_t head, n;
};

void vlink_peer_init(struct vlink_peer *p, struct vlink_peer_io *io, int fd);
void vlink_peer_fini(struct vlink_peer *p); /* closes; zero and twice are fine with fd -1 */

/* Keeps a reference until it is sent; false: VLINK_PEER_QUEUE are waiting. */
bool vlink_peer_put(struct vlink_peer *p, struct vlink_frame *f);
/* 0: all went; 1: the kernel has no room; -1: the other side has gone. */
int vlink_peer_flush(struct vlink_peer *p);
/* A message that is not a frame, at once; same results. */
int vlink_peer_say(struct vlink_peer *p, const struct vlink_wire *m);

/* Calls `take` for each message that has come, a bounded number. 0, or -1: the other side has gone,
 * sent nonsense, or `take` returned -1. */
int vlink_peer_receive(struct vlink_peer *p,
                       int (*take)(void *context, const struct vlink_wire *m, vlink_time now),
                       void *context);
/* The frame of a message, with its way and head; NULL: no memory. */
struct vlink_frame *vlink_peer_frame(const struct vlink_wire *m);

#endif
