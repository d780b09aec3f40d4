/*
 * lines.c - JSON lines over a descriptor (lines.h): bytes in, split, sorted; bytes out, queued.
 *
 *     on_io ─► take_in ─► split ─► sort ─► request of theirs ─► on_call
 *                                    ├──► answer to ours    ─► its callback
 *                                    └──► message           ─► on_message
 *
 * Callbacks may do anything to the channel, free it too: `busy` counts them, and what is freed
 * meanwhile goes when the last has returned.
 */
#include "lines.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_STEP 65536 /* bytes a read asks for */
#define READS_A_TURN 16 /* before the loop has its turn again */
#define TEXT_MAX 1024   /* of an error we write */

struct ask {
    struct ask *next;
    uint64_t id;
    vmm_answer_fn *fn;
    void *user;
    double timeout_s;
    ev_tstamp due; /* 0: never */
};

struct vmm_call {
    struct vmm_call *next;
    struct vmm_lines *channel; /* NULL: gone */
    json_t *id;
    void (*on_gone)(void *user);
    void *user;
};

struct vmm_lines {
    struct ev_loop *loop;
    const struct vmm_lines_handler *handler;
    void *user;
    int fd;
    int carried; /* goes along with the next bytes, -1: none */
    ev_io in, out;
    ev_timer timer; /* the earliest `due` */
    uint64_t last_id;
    struct ask *asks;
    size_t n_asks;
    struct vmm_call *calls;
    size_t n_calls;
    char *line; /* what has come of the next line */
    size_t line_len, line_room, searched;
    char *queue;
    size_t queue_at, queue_len, queue_room;
    unsigned busy;  /* callbacks that run */
    bool finishing; /* nothing more but the queue */
    bool paused;
    bool broken; /* `why`; its end is told from the loop */
    bool closed; /* told */
    bool freed;
    char why[200];
};

/* ---- life ---- */

static void on_in(struct ev_loop *loop, ev_io *w, int events);
static void on_out(struct ev_loop *loop, ev_io *w, int events);
static void on_time(struct ev_loop *loop, ev_timer *w, int events);

int vmm_lines_new(struct vmm_lines **out, struct ev_loop *loop, int fd,
                  const struct vmm_lines_handler *handler, void *user, char *why, size_t why_size)
{
    struct vmm_lines *l = calloc(1, sizeof *l);
    const int flags = fcntl(fd, F_GETFL);

    *out = NULL;
    if (!l || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        snprintf(why, why_size, "cannot use the descriptor: %s", strerror(l ? errno : ENOMEM));
        free(l);
        close(fd);
        return -1;
    }
    l->loop = loop;
    l->fd = fd;
    l->carried = -1;
    l->handler = handler;
    l->user = user;
    ev_io_init(&l->in, on_in, fd, EV_READ);
    ev_io_init(&l->out, on_out, fd, EV_WRITE);
    ev_timer_init(&l->timer, on_time, 0, 0);
    l->in.data = l->out.data = l->timer.data = l;
    ev_io_start(loop, &l->in);
    *out = l;
    return 0;
}

static void watch_nothing(struct vmm_lines *l)
{
    ev_io_stop(l->loop, &l->in);
    ev_io_stop(l->loop, &l->out);
    ev_timer_stop(l->loop, &l->timer);
}

static void enter(struct vmm_lines *l)
{
    l->busy++;
}

/* False: the channel is no more. */
static bool leave(struct vmm_lines *l)
{
    if (--l->busy || !l->freed)
        return !l->freed;
    free(l->line);
    free(l->queue);
    free(l);
    return false;
}

/* Ends what is open on both sides. */
static void end_all(struct vmm_lines *l, const char *why)
{
    while (l->asks) {
        struct ask *a = l->asks;

        l->asks = a->next;
        l->n_asks--;
        a->fn(a->user, VMM_FAILED, NULL, why);
        free(a);
    }
    while (l->calls) {
        struct vmm_call *c = l->calls;

        l->calls = c->next;
        l->n_calls--;
        c->channel = NULL;
        c->next = NULL;
        if (c->on_gone)
            c->on_gone(c->user);
    }
}

void vmm_lines_free(struct vmm_lines *l)
{
    if (!l || l->freed)
        return;
    enter(l);
    watch_nothing(l);
    if (l->fd >= 0)
        close(l->fd);
    if (l->carried >= 0)
        close(l->carried);
    l->fd = l->carried = -1;
    l->closed = l->freed = true;
    end_all(l, "the channel was closed here");
    leave(l);
}

/* Notes the end; the loop tells it, as we may be in anybody's call. */
static void break_off(struct vmm_lines *l, const char *why)
{
    if (l->broken || l->closed)
        return;
    l->broken = true;
    snprintf(l->why, sizeof l->why, "%s", why);
    ev_io_stop(l->loop, &l->out);
    ev_feed_event(l->loop, &l->in, EV_READ);
}

static void tell_closed(struct vmm_lines *l)
{
    if (l->closed)
        return;
    l->closed = true;
    watch_nothing(l);
    close(l->fd);
    l->fd = -1;
    end_all(l, l->why);
    if (!l->freed && l->handler->on_closed)
        l->handler->on_closed(l->user, l->why);
}

void vmm_lines_finish(struct vmm_lines *l)
{
    if (l->closed || l->broken || l->finishing)
        return;
    l->finishing = true;
    ev_io_stop(l->loop, &l->in);
    if (vmm_lines_queued(l) == 0)
        break_off(l, "finished");
}

void vmm_lines_pause(struct vmm_lines *l)
{
    l->paused = true;
    if (!l->broken) /* its end is on the way to be told */
        ev_io_stop(l->loop, &l->in);
}

void vmm_lines_resume(struct vmm_lines *l)
{
    if (!l->paused || l->closed)
        return;
    l->paused = false;
    if (l->finishing)
        return;
    ev_io_start(l->loop, &l->in);
    if (l->line_len) /* lines that were held here */
        ev_feed_event(l->loop, &l->in, EV_READ);
}

/* ---- out ---- */

size_t vmm_lines_queued(const struct vmm_lines *l)
{
    return l->queue_len - l->queue_at;
}

int vmm_lines_carry(struct vmm_lines *l, int fd)
{
    if (l->carried >= 0)
        close(l->carried);
    l->carried = l->closed ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return l->carried < 0 ? -1 : 0;
}

static ssize_t put_with_descriptor(struct vmm_lines *l, const void *data, size_t len)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } room = { 0 };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = room.bytes,
                        .msg_controllen = sizeof room.bytes };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &l->carried, sizeof(int));
    n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        close(l->carried);
        l->carried = -1;
    }
    return n;
}

/* Sockets must not raise SIGPIPE; devices know no send(). */
static ssize_t put(struct vmm_lines *l, const void *data, size_t len)
{
    ssize_t n;

    if (l->carried >= 0)
        return put_with_descriptor(l, data, len);
    n = send(l->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 && errno == ENOTSOCK ? write(l->fd, data, len) : n;
}

static void write_some(struct vmm_lines *l)
{
    while (l->queue_at < l->queue_len) {
        const ssize_t n = put(l, l->queue + l->queue_at, l->queue_len - l->queue_at);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            ev_io_start(l->loop, &l->out);
            return;
        }
        if (n < 0 && errno != EINTR) {
            char why[100];

            snprintf(why, sizeof why, "cannot write: %s", strerror(errno));
            break_off(l, why);
            return;
        }
        l->queue_at += n > 0 ? (size_t)n : 0;
    }
    l->queue_at = l->queue_len = 0;
    ev_io_stop(l->loop, &l->out);
    if (l->finishing)
        break_off(l, "finished");
}

static void on_out(struct ev_loop *loop, ev_io *w, int events)
{
    struct vmm_lines *l = w->data;

    (void)loop, (void)events;
    if (l->broken || l->closed)
        return;
    enter(l);
    write_some(l);
    if (!l->broken && l->queue_len == 0 && l->handler->on_drained)
        l->handler->on_drained(l->user);
    leave(l);
}

/* Room for `len` bytes at the end of the queue. */
static bool make_room(struct vmm_lines *l, size_t len)
{
    if (vmm_lines_queued(l) + len > VMM_LINES_QUEUE_MAX)
        return false;
    if (l->queue_at) {
        memmove(l->queue, l->queue + l->queue_at, vmm_lines_queued(l));
        l->queue_len -= l->queue_at;
        l->queue_at = 0;
    }
    if (l->queue_len + len > l->queue_room) {
        const size_t room = l->queue_len + len + 4096;
        char *grown = realloc(l->queue, room);

        if (!grown)
            return false;
        l->queue = grown;
        l->queue_room = room;
    }
    return true;
}

static int send_line(struct vmm_lines *l, json_t *m)
{
    char *text;
    size_t len;
    bool idle;

    if (!m || l->closed || l->broken || l->finishing)
        return -1;
    text = json_dumps(m, JSON_COMPACT);
    if (!text)
        return -1;
    len = strlen(text);
    idle = vmm_lines_queued(l) == 0;
    if (!make_room(l, len + 1)) {
        free(text);
        return -1;
    }
    memcpy(l->queue + l->queue_len, text, len);
    l->queue[l->queue_len + len] = '\n';
    l->queue_len += len + 1;
    free(text);
    if (idle)
        write_some(l);
    return 0;
}

int vmm_lines_send(struct vmm_lines *l, json_t *m)
{
    const int result = send_line(l, m);

    json_decref(m);
    return result;
}

/* ---- requests of ours ---- */

static void set_timer(struct vmm_lines *l)
{
    ev_tstamp first = 0;

    for (const struct ask *a = l->asks; a; a = a->next)
        if (a->due > 0 && (first <= 0 || a->due < first))
            first = a->due;
    ev_timer_stop(l->loop, &l->timer);
    if (first <= 0)
        return;
    ev_timer_set(&l->timer, first > ev_now(l->loop) ? first - ev_now(l->loop) : 0, 0);
    ev_timer_start(l->loop, &l->timer);
}

uint64_t vmm_lines_ask(struct vmm_lines *l, json_t *m, double timeout_s, vmm_answer_fn *fn,
                       void *user)
{
    struct ask *a = l->n_asks < VMM_LINES_ASKS_MAX ? calloc(1, sizeof *a) : NULL;
    const uint64_t id = l->last_id + 1;

    if (!a || json_object_set_new(m, "id", json_integer((json_int_t)id)) != 0 ||
        send_line(l, m) != 0) {
        json_decref(m);
        free(a);
        return 0;
    }
    json_decref(m);
    l->last_id = id;
    ev_now_update(l->loop);
    *a = (struct ask){ .next = l->asks,
                       .id = id,
                       .fn = fn,
                       .user = user,
                       .timeout_s = timeout_s,
                       .due = timeout_s > 0 ? ev_now(l->loop) + timeout_s : 0 };
    l->asks = a;
    l->n_asks++;
    if (a->due > 0)
        set_timer(l);
    return id;
}

void vmm_lines_ignore(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    (void)user, (void)kind, (void)m, (void)why;
}

static struct ask *take_ask(struct vmm_lines *l, uint64_t id)
{
    for (struct ask **at = &l->asks; *at; at = &(*at)->next) {
        struct ask *a = *at;

        if (a->id == id) {
            *at = a->next;
            l->n_asks--;
            return a;
        }
    }
    return NULL;
}

void vmm_lines_forget(struct vmm_lines *l, uint64_t id)
{
    free(take_ask(l, id));
}

/* The first that is due fails; others wait for the next turn. */
static void on_time(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_lines *l = w->data;
    struct ask *late = NULL;

    (void)events;
    for (struct ask *a = l->asks; a; a = a->next)
        if (a->due > 0 && a->due <= ev_now(loop) && (!late || a->due < late->due))
            late = a;
    enter(l);
    if (late) {
        char why[64];

        take_ask(l, late->id);
        snprintf(why, sizeof why, "no answer within %g s", late->timeout_s);
        late->fn(late->user, VMM_FAILED, NULL, why);
        free(late);
    }
    if (!l->closed)
        set_timer(l);
    leave(l);
}

static bool is_part(const json_t *m)
{
    return json_object_get(m, "out") || json_object_get(m, "err") || json_object_get(m, "out64") ||
           json_object_get(m, "err64") || json_object_get(m, "taken");
}

/* A text that fits one line. */
static void error_text(char *out, size_t size, const json_t *error)
{
    const char *text = json_string_value(error);

    if (!text)
        text = json_string_value(json_object_get(error, "desc"));
    snprintf(out, size, "%s", text ? text : "refused");
    for (char *p = out; *p; p++)
        if (*p == '\n')
            *p = ' ';
}

/* `m` answers `a`, which is in the list. */
static void answer(struct vmm_lines *l, struct ask *a, json_t *m)
{
    const json_t *error = json_object_get(m, "error");
    char why[TEXT_MAX] = "";

    if (!error && is_part(m)) {
        if (a->timeout_s > 0) {
            a->due = ev_now(l->loop) + a->timeout_s;
            set_timer(l);
        }
        a->fn(a->user, VMM_PART, m, "");
        return;
    }
    take_ask(l, a->id);
    if (error)
        error_text(why, sizeof why, error);
    a->fn(a->user, error ? VMM_FAILED : VMM_DONE, m, why);
    free(a);
}

/* ---- requests of theirs ---- */

static void refuse(struct vmm_lines *l, json_t *id, const char *text)
{
    if (vmm_lines_send(l, id ? json_pack("{s:O, s:s}", "id", id, "error", text)
                             : json_pack("{s:s}", "error", text)) != 0)
        break_off(l, "it does not read its answers");
}

static void take_call(struct vmm_lines *l, json_t *m)
{
    json_t *id = json_object_get(m, "id");
    struct vmm_call *c;

    if (!l->handler->on_call) {
        refuse(l, id, "no requests are taken here");
        return;
    }
    c = l->n_calls < VMM_LINES_CALLS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        refuse(l, id, "too many requests are open: wait for answers");
        return;
    }
    c->channel = l;
    c->id = json_incref(id);
    c->next = l->calls;
    l->calls = c;
    l->n_calls++;
    l->handler->on_call(l->user, c, m);
}

static int call_send(struct vmm_call *c, json_t *m)
{
    struct vmm_lines *l = c->channel;

    if (!l || (c->id && json_object_set(m, "id", c->id) != 0)) {
        json_decref(m);
        return -1;
    }
    if (vmm_lines_send(l, m) == 0)
        return 0;
    break_off(l, "it does not read its answers");
    return -1;
}

int vmm_call_part(struct vmm_call *call, json_t *m)
{
    return call_send(call, m);
}

void vmm_call_end(struct vmm_call *call, json_t *m)
{
    struct vmm_lines *l = call->channel;

    call_send(call, m);
    for (struct vmm_call **at = l ? &l->calls : NULL; at && *at; at = &(*at)->next)
        if (*at == call) {
            *at = call->next;
            l->n_calls--;
            break;
        }
    json_decref(call->id);
    free(call);
}

void vmm_call_ok(struct vmm_call *call, json_t *value)
{
    vmm_call_end(call, json_pack("{s:o}", "ok", value ? value : json_object()));
}

void vmm_call_error(struct vmm_call *call, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *said = json_string(text);

    vmm_call_end(call, json_pack("{s:o}", "error", said ? said : json_string("refused")));
}

void vmm_call_on_gone(struct vmm_call *call, void (*fn)(void *user), void *user)
{
    call->on_gone = fn;
    call->user = user;
}

struct vmm_lines *vmm_call_channel(const struct vmm_call *call)
{
    return call->channel;
}

/* ---- in ---- */

static void sort_message(struct vmm_lines *l, json_t *m)
{
    const json_t *id = json_object_get(m, "id");
    struct ask *a = NULL;

    if (json_object_get(m, "do")) {
        take_call(l, m);
        return;
    }
    for (a = json_is_integer(id) ? l->asks : NULL; a; a = a->next)
        if ((json_int_t)a->id == json_integer_value(id))
            break;
    if (a)
        answer(l, a, m);
    else if (l->handler->on_message)
        l->handler->on_message(l->user, m);
}

static void take_line(struct vmm_lines *l, const char *line, size_t len)
{
    json_error_t error;
    json_t *m;
    char why[TEXT_MAX];

    while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    if (len == 0)
        return;
    m = json_loadb(line, len, 0, &error);
    if (json_is_object(m)) {
        sort_message(l, m);
    } else {
        snprintf(why, sizeof why, "not a JSON object%s%s", m ? "" : ": ", m ? "" : error.text);
        if (l->handler->on_bad)
            l->handler->on_bad(l->user, why);
        else
            refuse(l, NULL, why);
    }
    json_decref(m);
}

/* Lines that are whole, until somebody stops us. */
static void split(struct vmm_lines *l)
{
    size_t begin = 0;

    while (!l->closed && !l->paused && !l->finishing) {
        const size_t left = l->line_len - l->searched;
        const char *end = left ? memchr(l->line + l->searched, '\n', left) : NULL;
        const size_t at = end ? (size_t)(end - l->line) : 0;

        if (!end) {
            l->searched = l->line_len;
            break;
        }
        l->searched = at + 1;
        take_line(l, l->line + begin, at - begin);
        begin = at + 1;
    }
    if (begin) {
        l->line_len -= begin;
        l->searched -= begin;
        memmove(l->line, l->line + begin, l->line_len);
    }
}

static bool line_room(struct vmm_lines *l)
{
    char *grown;

    if (l->line_room - l->line_len >= READ_STEP)
        return true;
    grown = realloc(l->line, l->line_len + 2 * READ_STEP);
    if (!grown)
        return false;
    l->line = grown;
    l->line_room = l->line_len + 2 * READ_STEP;
    return true;
}

/* One read. False: nothing more for now, or the end. */
static bool read_some(struct vmm_lines *l)
{
    ssize_t n;
    char why[100];

    if (l->line_len > VMM_LINE_MAX || !line_room(l)) {
        break_off(l, "a line is too long");
        return false;
    }
    n = read(l->fd, l->line + l->line_len, READ_STEP);
    if (n > 0) {
        l->line_len += (size_t)n;
        split(l);
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (n == 0 || errno == ECONNRESET) /* reset: it left before it had read all */
        snprintf(why, sizeof why, "the other side has closed");
    else
        snprintf(why, sizeof why, "cannot read: %s", strerror(errno));
    break_off(l, why);
    return false;
}

static void on_in(struct ev_loop *loop, ev_io *w, int events)
{
    struct vmm_lines *l = w->data;

    (void)loop, (void)events;
    if (l->closed)
        return;
    enter(l);
    if (l->line_len && !l->broken)
        split(l); /* what was held while paused */
    for (int i = 0; i < READS_A_TURN && !l->broken && !l->closed && !l->paused && !l->finishing;
         i++)
        if (!read_some(l))
            break;
    if (l->broken && !l->closed)
        tell_closed(l);
    leave(l);
}

/* ---- a side that has moved ---- */

void vmm_lines_number_from(struct vmm_lines *l, uint64_t id)
{
    if (l->last_id < id)
        l->last_id = id;
}

int vmm_lines_expect(struct vmm_lines *l, uint64_t id, vmm_answer_fn *fn, void *user)
{
    struct ask *a = l->closed || l->n_asks >= VMM_LINES_ASKS_MAX ? NULL : calloc(1, sizeof *a);

    if (!a)
        return -1;
    *a = (struct ask){ .next = l->asks, .id = id, .fn = fn, .user = user };
    l->asks = a;
    l->n_asks++;
    vmm_lines_number_from(l, id);
    return 0;
}

/* What has half come, before what has come here. */
static void take_half_line(struct vmm_lines *l, struct vmm_lines *from)
{
    char *both = realloc(from->line, from->line_len + l->line_len + READ_STEP);

    if (!both)
        return;
    if (l->line_len)
        memcpy(both + from->line_len, l->line, l->line_len);
    free(l->line);
    l->line = both;
    l->line_len += from->line_len;
    l->line_room = l->line_len + READ_STEP;
    l->searched = 0;
    from->line = NULL;
    from->line_len = from->line_room = from->searched = 0;
}

void vmm_lines_adopt(struct vmm_lines *l, struct vmm_lines *from)
{
    enter(from);
    from->paused = false; /* what it has said must not stay behind */
    split(from);
    while (!from->broken && !from->closed && read_some(from))
        ;
    if (l->last_id < from->last_id)
        l->last_id = from->last_id;
    while (from->asks) {
        struct ask *a = from->asks;

        from->asks = a->next;
        a->next = l->asks;
        l->asks = a;
    }
    l->n_asks += from->n_asks;
    from->n_asks = 0;
    if (from->line_len)
        take_half_line(l, from);
    leave(from);
    set_timer(l);
}

/* ---- connecting ---- */

int vmm_lines_dial(const char *path, char *why, size_t why_size)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const size_t len = strlen(path);
    int fd;

    if (len >= sizeof a.sun_path) {
        snprintf(why, why_size, "%s: longer than a socket's path may be", path);
        return -1;
    }
    memcpy(a.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
