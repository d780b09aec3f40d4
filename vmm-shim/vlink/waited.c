/* waited.c - see waited.h. */
#include "waited.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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

int vlink_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool vlink_signal_came(const struct vlink_source *s)
{
    struct signalfd_siginfo info;
    return read(s->fd, &info, sizeof info) == sizeof info;
}

int vlink_source_watch(int epoll_fd, struct vlink_source *s)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &ev);
}
