/* waited.c - see waited.h. */
#include "waited.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

vlink_time vlink_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (vlink_time)ts.tv_sec * 1000000000u + (vlink_time)ts.tv_nsec;
}

void vlink_enlarge_buffers(int fd, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

int vlink_source_watch(int epoll_fd, struct vlink_source *s)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &ev);
}
