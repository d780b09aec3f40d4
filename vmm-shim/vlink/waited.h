/* waited.h - what the event loops wait for, and the clock they go by. */
#ifndef VLINK_WAITED_H
#define VLINK_WAITED_H

#include "dir.h"

/* What epoll's data.ptr points to. */
struct vlink_source {
    int fd;
    void (*ready)(struct vlink_source *s);
    bool late; /* after all others of a turn: it may close them */
};

vlink_time vlink_clock(void); /* CLOCK_MONOTONIC, ns */

/* Bursts must wait in our queues, not be lost in the kernel's: `bytes` each way, the privileged way
 * first. */
void vlink_enlarge_buffers(int fd, int bytes);

/* SIGTERM and SIGINT from now on as something to wait for; -1, errno is set. */
int vlink_signals(void);
/* What has come there: whether one has. */
bool vlink_signal_came(const struct vlink_source *s);

/* 0 or -1, errno is set. */
int vlink_source_watch(int epoll_fd, struct vlink_source *s);

#endif
