/* control.c - see control.h. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define READ_BYTES 16384u

struct client {
    struct vlink_source source; /* fd -1: the place is free */
    struct vlink_control *control;
    char *line; /* VLINK_REQUEST_BYTES_MAX + 1 */
    size_t line_len;
    bool too_long;
    char *out; /* not yet taken by the kernel */
    size_t out_len, out_sent;
};

struct vlink_control {
    struct vlink_source source; /* first: the listening socket */
    int epoll_fd;
    struct vlink_net *net;
    char path[VLINK_SOCKET_PATH_MAX];
    struct client client[VLINK_CONTROL_CLIENTS_MAX];
};

/* ---- a line and its answer ---- */

char *vlink_control_answer(struct vlink_net *net, const char *line, size_t len)
{
    char why[2 * VLINK_WHY_MAX] = "";
    struct vlink_request *r = malloc(sizeof *r); /* too large for a careful stack */
    if (!r)
        return NULL;
    json_t *ok = NULL;
    if (vlink_request_parse(r, line, len, why, sizeof why) == 0)
        ok = vlink_net_obey(net, r, why, sizeof why);
    json_t *answer = json_object();
    if (r->has_id)
        json_object_set_new(answer, "id", json_integer(r->id));
    if (ok)
        json_object_set_new(answer, "ok", ok);
    else
        json_object_set_new(answer, "error", json_string(why));
    free(r);
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(answer);
    size_t n = text ? strlen(text) : 0;
    char *with_end = text ? realloc(text, n + 2) : NULL;
    if (!with_end) {
        free(text);
        return NULL;
    }
    memcpy(with_end + n, "\n", 2);
    return with_end;
}

/* ---- clients ---- */

static void client_close(struct client *c)
{
    if (c->source.fd >= 0)
        close(c->source.fd);
    free(c->line);
    free(c->out);
    struct vlink_control *control = c->control;
    *c = (struct client){ .source.fd = -1, .control = control };
}

static void want(const struct client *c, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = (void *)(uintptr_t)&c->source };
    epoll_ctl(c->control->epoll_fd, EPOLL_CTL_MOD, c->source.fd, &ev);
}

/* -1: the client has gone. */
static int client_flush(struct client *c)
{
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->source.fd, c->out + c->out_sent, c->out_len - c->out_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            want(c, EPOLLIN | EPOLLOUT);
            return 0;
        }
        if (n <= 0)
            return -1;
        c->out_sent += (size_t)n;
    }
    c->out_len = c->out_sent = 0;
    want(c, EPOLLIN);
    return 0;
}

static int client_say(struct client *c, const char *text)
{
    size_t n = strlen(text), left = c->out_len - c->out_sent;
    if (left + n > VLINK_CONTROL_OUT_MAX)
        return -1; /* it does not read */
    if (left)
        memmove(c->out, c->out + c->out_sent, left);
    char *out = realloc(c->out, left + n);
    if (!out)
        return -1;
    memcpy(out + left, text, n);
    c->out = out;
    c->out_len = left + n;
    c->out_sent = 0;
    return client_flush(c);
}

static int obey(struct client *c, const char *line, size_t len)
{
    char *answer = vlink_control_answer(c->control->net, line, len);
    int result = answer ? client_say(c, answer) : -1;
    free(answer);
    return result;
}

/* One whole line that is in the buffer; 1: done, 0: none, -1: the client has gone. */
static int take_line(struct client *c)
{
    char *end = memchr(c->line, '\n', c->line_len);
    if (!end) {
        if (c->line_len <= VLINK_REQUEST_BYTES_MAX)
            return 0;
        c->too_long = true; /* its rest is thrown away */
        c->line_len = 0;
        return 0;
    }
    size_t len = (size_t)(end - c->line);
    int result = 1;
    if (c->too_long)
        result = client_say(c, "{\"error\":\"a request is longer than 65536 bytes\"}\n");
    else if (len > 0)
        result = obey(c, c->line, len);
    c->too_long = false;
    if (result < 0)
        return -1;
    c->line_len -= len + 1;
    memmove(c->line, end + 1, c->line_len);
    return 1;
}

static void client_ready(struct vlink_source *s)
{
    struct client *c = (struct client *)((char *)s - offsetof(struct client, source));
    if (c->out_len > 0 && client_flush(c) < 0) {
        client_close(c);
        return;
    }
    if (c->out_len > 0)
        return; /* answers go first: who does not read is not read */
    size_t room = VLINK_REQUEST_BYTES_MAX + 1 - c->line_len;
    ssize_t n =
        recv(s->fd, c->line + c->line_len, room < READ_BYTES ? room : READ_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        client_close(c);
        return;
    }
    c->line_len += n > 0 ? (size_t)n : 0;
    int result;
    while ((result = take_line(c)) > 0)
        continue;
    if (result < 0)
        client_close(c);
}

static void accept_ready(struct vlink_source *s)
{
    struct vlink_control *control = (struct vlink_control *)s;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *c = control->client;
    while (c < control->client + VLINK_CONTROL_CLIENTS_MAX && c->source.fd >= 0)
        c++;
    if (c == control->client + VLINK_CONTROL_CLIENTS_MAX) {
        static const char full[] = "{\"error\":\"there are 16 clients already\"}\n";
        (void)!send(fd, full, sizeof full - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
        return;
    }
    c->source = (struct vlink_source){ .fd = fd, .ready = client_ready, .late = true };
    c->line = malloc(VLINK_REQUEST_BYTES_MAX + 2);
    if (!c->line || vlink_source_watch(control->epoll_fd, &c->source) < 0)
        client_close(c);
}

/* ---- life ---- */

int vlink_control_open(struct vlink_control **out, int epoll_fd, struct vlink_net *net,
                       const char *path, char *why, size_t why_size)
{
    struct sockaddr_un address;
    if (vlink_unix_address(&address, path, why, why_size) < 0 ||
        vlink_unix_clear(path, why, why_size) < 0)
        return -1;
    struct vlink_control *c = calloc(1, sizeof *c);
    if (!c) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < VLINK_CONTROL_CLIENTS_MAX; i++)
        c->client[i] = (struct client){ .source.fd = -1, .control = c };
    c->epoll_fd = epoll_fd;
    c->net = net;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->source = (struct vlink_source){ .fd = fd, .ready = accept_ready, .late = true };
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        snprintf(why, why_size, "cannot bind %.108s: %s", path, strerror(errno));
        goto close;
    }
    snprintf(c->path, sizeof c->path, "%s", path);
    if (vlink_unix_own(path, "", why, why_size) < 0)
        goto close;
    if (listen(fd, BACKLOG) < 0 || vlink_source_watch(epoll_fd, &c->source) < 0) {
        snprintf(why, why_size, "cannot listen on %.108s: %s", path, strerror(errno));
        goto close;
    }
    *out = c;
    return 0;
close:
    vlink_control_close(c);
    return -1;
}

void vlink_control_close(struct vlink_control *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < VLINK_CONTROL_CLIENTS_MAX; i++)
        client_close(&c->client[i]);
    if (c->source.fd >= 0)
        close(c->source.fd);
    if (c->path[0])
        unlink(c->path);
    free(c);
}
