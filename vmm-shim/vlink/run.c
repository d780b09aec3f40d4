/*
 * run.c - see run.h.
 *
 * One turn of the loop: wait; apply the changes that are due; let readable
 * sockets push; send what has come out; set the timer to whatever comes next. The timer is a
 * timerfd: epoll's own time-out is too coarse.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "relay.h"
#include "stats.h"
#include "trace_file.h"

#define EVENTS_MAX 64
#define LINE_ROOM 512 /* bytes of one control line */

struct loop {
    struct vlink_options *o;
    int epoll_fd;
    struct vlink_source timer, signals, control;
    struct vlink_io *io;
    struct vlink_trace trace[VLINK_LINKS_MAX][VLINK_WAYS];
    struct vlink_relay *relay[VLINK_LINKS_MAX];
    FILE *stats;
    vlink_time ready_at, zero, now, next_stats; /* zero: of the schedule, VLINK_NEVER: not begun */
    bool stop, stats_failed;
    char line[LINE_ROOM]; /* control bytes not yet a whole line */
    size_t line_len;
    bool line_too_long;
};

/* ---- control on standard input ---- */

static void obey(struct loop *l, const char *line)
{
    struct vlink_change c;
    char why[VLINK_WHY_MAX];
    if (line[0] == 0)
        return;
    if (vlink_change_parse(&c, line, why, sizeof why) < 0)
        goto refuse;
    int link = vlink_options_find(l->o, c.link);
    if (link < 0) {
        snprintf(why, sizeof why, "no link is called %s", c.link);
        goto refuse;
    }
    vlink_time now = vlink_clock();
    if (vlink_relay_change(l->relay[link], &c, now, why, sizeof why) == 0)
        return;
refuse:
    fprintf(stderr, "vlink: %s\n", why);
}

static void take_control(struct loop *l, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            if (l->line_len + 1 < LINE_ROOM)
                l->line[l->line_len++] = bytes[i];
            else
                l->line_too_long = true;
            continue;
        }
        l->line[l->line_len] = 0;
        l->line[strcspn(l->line, "\r")] = 0;
        if (l->line_too_long)
            fputs("vlink: control line too long\n", stderr);
        else
            obey(l, l->line);
        l->line_len = 0;
        l->line_too_long = false;
    }
}

static struct loop *loop_of_control(struct vlink_source *s)
{
    return (struct loop *)((char *)s - offsetof(struct loop, control));
}

static void control_ready(struct vlink_source *s)
{
    struct loop *l = loop_of_control(s);
    char bytes[LINE_ROOM];
    ssize_t n = read(s->fd, bytes, sizeof bytes);
    if (n > 0)
        take_control(l, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

/* ---- timer and signals ---- */

static void timer_ready(struct vlink_source *s)
{
    uint64_t expirations;
    if (read(s->fd, &expirations, sizeof expirations) < 0)
        return; /* nothing to clear: the loop looks at the clock anyway */
}

static void signals_ready(struct vlink_source *s)
{
    struct loop *l = (struct loop *)((char *)s - offsetof(struct loop, signals));
    if (vlink_signal_came(s))
        l->stop = true;
}

static int add_source(struct loop *l, struct vlink_source *s, int fd,
                      void (*ready)(struct vlink_source *s))
{
    *s = (struct vlink_source){ .fd = fd, .ready = ready };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
    return fd < 0 ? -1 : epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* A file cannot be waited for: its lines are obeyed at once. */
static int add_control(struct loop *l)
{
    if (!l->o->control || add_source(l, &l->control, STDIN_FILENO, control_ready) == 0)
        return 0;
    if (errno != EPERM)
        return -1;
    char bytes[LINE_ROOM];
    ssize_t n;
    while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        take_control(l, bytes, (size_t)n);
    return 0;
}

/* ---- one turn ---- */

static void apply_due(struct loop *l)
{
    if (l->zero == VLINK_NEVER)
        return;
    const struct vlink_change *c;
    while ((c = vlink_schedule_take(&l->o->schedule, l->now - l->zero))) {
        char why[VLINK_WHY_MAX];
        int link = vlink_options_find(l->o, c->link);
        if (vlink_relay_change(l->relay[link], c, l->now, why, sizeof why) < 0)
            fprintf(stderr, "vlink: %s\n", why);
    }
}

static void write_stats(struct loop *l, enum vlink_stats_kind kind)
{
    for (size_t i = 0; l->stats && i < l->o->n_links; i++)
        if (vlink_stats_write(l->stats, l->relay[i], l->now, l->now - l->ready_at, kind) < 0)
            l->stats_failed = true;
}

static vlink_time earliest(const struct loop *l)
{
    vlink_time next = l->next_stats;
    for (size_t i = 0; i < l->o->n_links; i++) {
        vlink_time t = vlink_relay_next(l->relay[i]);
        next = t < next ? t : next;
    }
    vlink_time change = vlink_schedule_next(&l->o->schedule);
    if (l->zero != VLINK_NEVER && change != VLINK_NEVER && l->zero + change < next)
        next = l->zero + change;
    if (l->o->duration_ns && l->ready_at + l->o->duration_ns < next)
        next = l->ready_at + l->o->duration_ns;
    return next;
}

static void set_timer(const struct loop *l)
{
    vlink_time next = earliest(l);
    struct itimerspec when = { 0 }; /* zero disarms */
    if (next != VLINK_NEVER) {
        when.it_value.tv_sec = (time_t)(next / 1000000000u);
        when.it_value.tv_nsec = (long)(next % 1000000000u);
    }
    timerfd_settime(l->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void turn(struct loop *l)
{
    struct epoll_event ev[EVENTS_MAX];
    set_timer(l);
    int n = epoll_wait(l->epoll_fd, ev, EVENTS_MAX, -1);
    l->now = vlink_clock();
    apply_due(l);
    for (int i = 0; i < n; i++) {
        struct vlink_source *s = ev[i].data.ptr;
        s->ready(s);
    }
    l->now = vlink_clock();
    if (l->zero == VLINK_NEVER && vlink_io_traffic(l->io))
        l->zero = l->now;
    for (size_t i = 0; i < l->o->n_links; i++)
        vlink_relay_send(l->relay[i], l->now);
    if (l->now >= l->next_stats) {
        write_stats(l, VLINK_STATS_INTERVAL);
        l->next_stats += l->o->stats_interval_ns;
    }
    if (l->o->duration_ns && l->now - l->ready_at >= l->o->duration_ns)
        l->stop = true;
}

/* ---- set-up ---- */

static int open_links(struct loop *l, char *why, size_t why_size)
{
    for (size_t i = 0; i < l->o->n_links; i++) {
        const struct vlink_spec *s = &l->o->link[i];
        const struct vlink_trace *traces[VLINK_WAYS] = { NULL, NULL };
        for (unsigned way = 0; way < VLINK_WAYS; way++) {
            if (!s->trace[way][0])
                continue;
            if (vlink_trace_read(&l->trace[i][way], s->trace[way], why, why_size) < 0)
                return -1;
            traces[way] = &l->trace[i][way];
        }
        uint64_t seed = l->o->seed * 0x9e3779b97f4a7c15u + VLINK_WAYS * i;
        if (vlink_relay_new(&l->relay[i], l->io, s, traces, seed, why, why_size) < 0)
            return -1;
    }
    return 0;
}

static int open_stats(struct loop *l, char *why, size_t why_size)
{
    const char *path = l->o->stats;
    if (!path[0])
        return 0;
    l->stats = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (l->stats)
        return 0;
    snprintf(why, why_size, "%.128s: %s", path, strerror(errno));
    return -1;
}

static int open_loop(struct loop *l, char *why, size_t why_size)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->io = vlink_io_new(l->epoll_fd);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (!l->io || add_source(l, &l->timer, timer, timer_ready) < 0 ||
        add_source(l, &l->signals, vlink_signals(), signals_ready) < 0) {
        snprintf(why, why_size, "cannot set up the event loop: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/* The ready line goes to standard error when standard output carries JSON. */
static void say_ready(const struct loop *l)
{
    FILE *to = l->stats == stdout ? stderr : stdout;
    for (size_t i = 0; i < l->o->n_links; i++) {
        const char *listen = l->o->link[i].listen, *port = strrchr(listen, ':');
        if (!port || strcmp(port, ":0") != 0)
            continue;
        char address[VLINK_TEXT_MAX];
        vlink_relay_address(l->relay[i], address, sizeof address);
        fprintf(to, "vlink: %s listens on %s\n", l->o->link[i].name, address);
    }
    fputs("vlink: ready\n", to);
    fflush(to);
}

static void close_loop(struct loop *l)
{
    for (size_t i = 0; i < l->o->n_links; i++) {
        vlink_relay_free(l->relay[i]);
        for (unsigned way = 0; way < VLINK_WAYS; way++)
            vlink_trace_fini(&l->trace[i][way]);
    }
    vlink_io_free(l->io);
    int fds[] = { l->timer.fd, l->signals.fd, l->epoll_fd };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (l->stats && l->stats != stdout)
        fclose(l->stats);
    free(l);
}

int vlink_run(struct vlink_options *o, char *why, size_t why_size)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    int result = -1;
    l->o = o;
    l->timer.fd = l->signals.fd = l->epoll_fd = -1;
    if (open_loop(l, why, why_size) < 0 || open_links(l, why, why_size) < 0 ||
        open_stats(l, why, why_size) < 0)
        goto close;
    l->now = l->ready_at = vlink_clock();
    l->zero = o->start_on_traffic ? VLINK_NEVER : l->now;
    l->next_stats = o->stats_interval_ns && l->stats ? l->now + o->stats_interval_ns : VLINK_NEVER;
    if (add_control(l) < 0) {
        snprintf(why, why_size, "--control: standard input cannot be read: %s", strerror(errno));
        goto close;
    }
    say_ready(l);
    while (!l->stop)
        turn(l);
    write_stats(l, VLINK_STATS_FINAL);
    result = l->stats_failed ? -1 : 0;
    if (result < 0)
        snprintf(why, why_size, "%.128s: statistics could not be written", o->stats);
close:
    close_loop(l);
    return result;
}
