/*
 * frames.c - see frames.h.
 *
 * One turn of the loop: wait; let ports take in what came; obey requests; move what is due; set the
 * timer to whatever comes next. The timer is a timerfd: epoll's own time-out is too coarse.
 */
#include "frames.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control.h"

#define EVENTS_MAX 64

struct loop {
    int epoll_fd;
    struct vlink_source timer, signals;
    struct vlink_net *net;
    struct vlink_control *control;
    vlink_time timer_at; /* what the timer is set to */
    bool stop;
};

static void timer_ready(struct vlink_source *s)
{
    uint64_t expirations;
    struct loop *l = (struct loop *)((char *)s - offsetof(struct loop, timer));
    l->timer_at = VLINK_NEVER;
    if (read(s->fd, &expirations, sizeof expirations) < 0)
        return; /* nothing to clear: the links look at the clock anyway */
}

static void signals_ready(struct vlink_source *s)
{
    struct loop *l = (struct loop *)((char *)s - offsetof(struct loop, signals));
    if (vlink_signal_came(s))
        l->stop = true;
}

static void set_timer(struct loop *l, vlink_time next)
{
    struct itimerspec when = { 0 }; /* zero disarms */
    if (next == l->timer_at)
        return;
    l->timer_at = next;
    if (next != VLINK_NEVER) {
        when.it_value.tv_sec = (time_t)(next / 1000000000u);
        when.it_value.tv_nsec = (long)(next % 1000000000u);
    }
    timerfd_settime(l->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn(struct loop *l)
{
    struct epoll_event ev[EVENTS_MAX];
    int n = epoll_wait(l->epoll_fd, ev, EVENTS_MAX, -1);
    for (int late = 0; late < 2; late++) {
        for (int i = 0; i < n; i++) {
            struct vlink_source *s = ev[i].data.ptr;
            if (s && s->late == (late != 0)) {
                ev[i].data.ptr = NULL; /* what a late one closes is not looked at again */
                s->ready(s);
            }
        }
    }
    set_timer(l, vlink_net_run(l->net));
}

static int open_loop(struct loop *l, const struct vlink_options *o, char *why, size_t why_size)
{
    umask(0077); /* sockets are ours alone from the first moment */
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->timer =
        (struct vlink_source){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                               .ready = timer_ready };
    l->signals = (struct vlink_source){ .fd = vlink_signals(), .ready = signals_ready };
    l->net = vlink_net_new(l->epoll_fd, o->seed);
    if (!l->net || vlink_source_watch(l->epoll_fd, &l->timer) < 0 ||
        vlink_source_watch(l->epoll_fd, &l->signals) < 0) {
        snprintf(why, why_size, "cannot set up the event loop: %s", strerror(errno));
        return -1;
    }
    return vlink_control_open(&l->control, l->epoll_fd, l->net, o->control_socket, why, why_size);
}

static void close_loop(struct loop *l)
{
    vlink_control_close(l->control);
    vlink_net_free(l->net);
    const int fds[] = { l->timer.fd, l->signals.fd, l->epoll_fd };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

int vlink_frames_run(const struct vlink_options *o, char *why, size_t why_size)
{
    struct loop l = { .timer.fd = -1, .signals.fd = -1, .timer_at = VLINK_NEVER };
    int result = open_loop(&l, o, why, why_size);
    if (result == 0) {
        puts("vlink: ready");
        fflush(stdout);
        while (!l.stop)
            turn(&l);
    }
    close_loop(&l);
    return result;
}
