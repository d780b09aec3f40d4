/* control.c - see control.h. Nothing here waits: what cannot be written at once is kept. */
#include "control.h"

#include "log.h"

#include <ev.h>
#include <jansson.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINES_AT_ONCE                                                           \
    64 /* requests of one client that are seen to before others have their turn \
        */

struct observed {
    int64_t id;
    char property[CONTROL_PROPERTY_MAX];
    json_t *last;
};

struct client {
    struct control *control; /* NULL: free */
    ev_io readable, writable;
    char in[CONTROL_LINE_MAX + 1];
    size_t in_len;
    bool skipping; /* the rest of a line that was too long */
    char *out;
    size_t out_len, out_room;
    struct observed observed[CONTROL_OBSERVED_MAX];
    size_t n_observed;
};

struct control {
    struct ev_loop *loop;
    const struct control_handler *handler;
    void *user;
    ev_io accept;
    struct sockaddr_un at;
    struct client client[CONTROL_CLIENTS_MAX];
};

/* ---- clients ---- */

static void forget_observed(struct client *c, size_t i)
{
    json_decref(c->observed[i].last);
    c->observed[i] = c->observed[--c->n_observed];
}

static void leave(struct client *c)
{
    struct ev_loop *loop = c->control->loop;

    ev_io_stop(loop, &c->readable);
    ev_io_stop(loop, &c->writable);
    close(c->readable.fd);
    while (c->n_observed > 0)
        forget_observed(c, 0);
    free(c->out);
    *c = (struct client){ 0 };
}

/* False: the client is gone. */
static bool flush(struct client *c)
{
    size_t done = 0;

    while (done < c->out_len) {
        const ssize_t n =
            send(c->readable.fd, c->out + done, c->out_len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0) {
            leave(c);
            return false;
        }
        done += (size_t)n;
    }
    memmove(c->out, c->out + done, c->out_len - done);
    c->out_len -= done;
    if (c->out_len > 0)
        ev_io_start(c->control->loop, &c->writable);
    else
        ev_io_stop(c->control->loop, &c->writable);
    return true;
}

/* Takes `what`. False: the client is gone. */
static bool say(struct client *c, json_t *what)
{
    char *text = what ? json_dumps(what, JSON_COMPACT) : NULL;
    const size_t len = text ? strlen(text) : 0, wants = c->out_len + len + 1;

    json_decref(what);
    if (wants > c->out_room && wants <= CONTROL_BACKLOG_MAX) {
        char *grown = realloc(c->out, wants * 2);

        c->out = grown ? grown : c->out;
        c->out_room = grown ? wants * 2 : c->out_room;
    }
    if (!text || wants > c->out_room || wants > CONTROL_BACKLOG_MAX) {
        log_text(LOG_LEVEL_WARN, "control: a client that does not read is let go");
        free(text);
        leave(c);
        return false;
    }
    memcpy(c->out + c->out_len, text, len);
    c->out[c->out_len + len] = '\n';
    c->out_len = wants;
    free(text);
    return flush(c);
}

/* ---- requests ---- */

static int observe(struct client *c, const struct control_request *r, char *why, size_t why_size)
{
    json_t *value = c->control->handler->on_get(c->control->user, r->property);

    if (!value) {
        snprintf(why, why_size, "no such property");
        return -1;
    }
    json_decref(value);
    if (c->n_observed == CONTROL_OBSERVED_MAX) {
        snprintf(why, why_size, "at most %d properties can be observed", CONTROL_OBSERVED_MAX);
        return -1;
    }
    struct observed *o = &c->observed[c->n_observed++];
    *o = (struct observed){ .id = r->observer }; /* what it is now is told as its first change */
    memcpy(o->property, r->property, sizeof o->property);
    return 0;
}

static int unobserve(struct client *c, int64_t id, char *why, size_t why_size)
{
    const size_t before = c->n_observed;

    for (size_t i = c->n_observed; i-- > 0;)
        if (c->observed[i].id == id)
            forget_observed(c, i);
    if (c->n_observed < before)
        return 0;
    snprintf(why, why_size, "nothing is observed by that number");
    return -1;
}

static int obey(struct client *c, const struct control_request *r, json_t **data, char *why,
                size_t why_size)
{
    const struct control *k = c->control;

    switch (r->kind) {
    case CONTROL_COMMAND:
        return k->handler->on_command(k->user, &r->command, why, why_size);
    case CONTROL_GET:
        *data = k->handler->on_get(k->user, r->property);
        if (*data)
            return 0;
        snprintf(why, why_size, "no such property");
        return -1;
    case CONTROL_OBSERVE:
        return observe(c, r, why, why_size);
    case CONTROL_UNOBSERVE:
        return unobserve(c, r->observer, why, why_size);
    }
    return -1;
}

/* False: the client is gone. */
static bool take_line(struct client *c, const char *line, size_t len)
{
    struct control_request request;
    char why[200] = "";
    json_t *data = NULL, *answer = json_object();
    int result = control_request_read(&request, line, len, why, sizeof why);

    if (result == 0)
        result = obey(c, &request, &data, why, sizeof why);
    if (request.has_id)
        json_object_set_new(answer, "request_id", json_integer(request.id));
    json_object_set_new(answer, "error", json_string(result == 0 ? "success" : why));
    if (data)
        json_object_set_new(answer, "data", data);
    return say(c, answer);
}

/* The lines that have come. False: the client is gone. */
static bool take_lines(struct client *c)
{
    size_t at = 0;

    for (;;) {
        char *end = memchr(c->in + at, '\n', c->in_len - at);

        if (!end)
            break;
        const char *line = c->in + at;
        const size_t len = (size_t)(end - line);
        at += len + 1;
        const bool skip = c->skipping || len == 0;
        c->skipping = false;
        if (!skip && !take_line(c, line, len))
            return false;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    if (c->in_len < sizeof c->in)
        return true;
    c->in_len = 0; /* no line is that long */
    if (c->skipping)
        return true;
    c->skipping = true;
    char too_long[1] = { 0 };
    return take_line(c, too_long, 1);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct client *c = io->data;

    (void)loop;
    (void)events;
    for (int i = 0; i < LINES_AT_ONCE; i++) {
        const ssize_t n = recv(io->fd, c->in + c->in_len, sizeof c->in - c->in_len, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0) {
            leave(c);
            return;
        }
        c->in_len += (size_t)n;
        if (!take_lines(c))
            return;
    }
}

static void on_writable(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    (void)flush(io->data);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct control *k = io->data;
    const int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    for (size_t i = 0; fd >= 0 && i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &k->client[i];

        if (c->control)
            continue;
        *c = (struct client){ .control = k };
        ev_io_init(&c->readable, on_readable, fd, EV_READ);
        ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
        c->readable.data = c->writable.data = c;
        ev_io_start(loop, &c->readable);
        return;
    }
    if (fd >= 0)
        close(fd); /* one too many */
}

/* ---- what happens ---- */

void control_event(struct control *k, const char *name, json_t *data)
{
    json_t *event = data ? data : json_object();

    json_object_set_new(event, "event", json_string(name));
    for (size_t i = 0; k && i < CONTROL_CLIENTS_MAX; i++)
        if (k->client[i].control)
            (void)say(&k->client[i], json_incref(event));
    json_decref(event);
}

/* False: the client is gone. */
static bool look(struct client *c, struct observed *o)
{
    json_t *now = c->control->handler->on_get(c->control->user, o->property);

    if (!now || json_equal(now, o->last)) {
        json_decref(now);
        return true;
    }
    json_decref(o->last);
    o->last = now;
    return say(c, json_pack("{s:s,s:I,s:s,s:O}", "event", "property-change", "id",
                            (json_int_t)o->id, "name", o->property, "data", now));
}

void control_look(struct control *k)
{
    for (size_t i = 0; k && i < CONTROL_CLIENTS_MAX; i++) {
        struct client *c = &k->client[i];

        for (size_t j = 0; c->control && j < c->n_observed; j++)
            if (!look(c, &c->observed[j]))
                break;
    }
}

/* ---- life ---- */

/* A socket of that name whose player is dead is in the way; anything else is not ours to remove. */
static int make_way(const struct sockaddr_un *at, char *why, size_t why_size)
{
    struct stat st;

    if (lstat(at->sun_path, &st) != 0)
        return 0;
    if (S_ISSOCK(st.st_mode)) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int result = connect(fd, (const struct sockaddr *)at, sizeof *at);
        const bool dead = result != 0 && errno == ECONNREFUSED;

        if (fd >= 0)
            close(fd);
        if (dead && unlink(at->sun_path) == 0)
            return 0;
    }
    snprintf(why, why_size, "--control: %s is there already", at->sun_path);
    return -1;
}

int control_new(struct control **out, struct ev_loop *loop, const char *path,
                const struct control_handler *handler, void *user, char *why, size_t why_size)
{
    struct control *k = calloc(1, sizeof *k);
    const mode_t mask = umask(077);
    int fd = -1, result = -1;

    snprintf(why, why_size, "--control: no memory");
    if (!k)
        goto restore_mask;
    *k = (struct control){
        .loop = loop, .handler = handler, .user = user, .at = { .sun_family = AF_UNIX }
    };
    if (strlen(path) >= sizeof k->at.sun_path) {
        snprintf(why, why_size, "--control: %s is too long for a socket", path);
        goto free_control;
    }
    memcpy(k->at.sun_path, path, strlen(path) + 1);
    if (make_way(&k->at, why, why_size) != 0)
        goto free_control;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&k->at, sizeof k->at) != 0 ||
        listen(fd, CONTROL_CLIENTS_MAX) != 0) {
        snprintf(why, why_size, "--control: %s: %s", path, strerror(errno));
        goto close_socket;
    }
    ev_io_init(&k->accept, on_accept, fd, EV_READ);
    k->accept.data = k;
    ev_io_start(loop, &k->accept);
    *out = k;
    result = 0;
    goto restore_mask;
close_socket:
    if (fd >= 0)
        close(fd);
free_control:
    free(k);
restore_mask:
    (void)umask(mask);
    return result;
}

void control_free(struct control *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (k->client[i].control)
            leave(&k->client[i]);
    ev_io_stop(k->loop, &k->accept);
    close(k->accept.fd);
    (void)unlink(k->at.sun_path);
    free(k);
}
