/* port.c - see port.h. */
#include "agent/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/file.h"

#define PORTS "/sys/class/virtio-ports"

static int find(const char *name, char *device, size_t size)
{
    DIR *d = opendir(PORTS);
    int result = -1;
    char path[sizeof(PORTS) + 300], line[128];

    for (struct dirent *e; d && result < 0 && (e = readdir(d));) {
        snprintf(path, sizeof(path), PORTS "/%s/name", e->d_name);
        if (e->d_name[0] != '.' && file_line(path, line, sizeof(line)) == 0 &&
            strcmp(line, name) == 0)
            result = snprintf(device, size, "/dev/%s", e->d_name) < (int)size ? 0 : -1;
    }
    if (d)
        closedir(d);
    return result;
}

int port_open(struct port *p, const char *name, int wait_ms)
{
    char device[300];
    const struct timespec pause = { .tv_nsec = 2000000 };

    *p = (struct port){ .fd = -1, .in = malloc(PORT_LINE_MAX), .out = malloc(PORT_QUEUE_MAX) };
    if (!p->in || !p->out)
        return -1;
    /* It is there before it can be opened (ENXIO). */
    for (int waited = 0; waited <= wait_ms; waited += 2) {
        if (find(name, device, sizeof(device)) == 0 &&
            (p->fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC)) >= 0)
            return 0;
        nanosleep(&pause, NULL);
    }
    return -1;
}

static void forget_connection(struct port *p)
{
    p->in_len = p->given = 0;
    p->skipping = false;
    p->sent = p->line; /* that line from its beginning */
}

static void fill(struct port *p)
{
    if (p->given) {
        memmove(p->in, p->in + p->given, p->in_len - p->given);
        p->in_len -= p->given;
        p->given = 0;
    }
    p->more = true;
    while (p->in_len < PORT_LINE_MAX) {
        const ssize_t n = read(p->fd, p->in + p->in_len, PORT_LINE_MAX - p->in_len);
        if (n > 0)
            p->in_len += (size_t)n;
        else if (n == 0 || errno != EINTR) {
            p->more = false;
            return;
        }
    }
}

static void drain(struct port *p)
{
    while (p->sent < p->out_len) {
        const ssize_t n = write(p->fd, p->out + p->sent, p->out_len - p->sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        p->sent += (size_t)n;
        const char *end = memrchr(p->out, '\n', p->sent);
        if (end)
            p->line = (size_t)(end - p->out) + 1;
    }
    if (p->line) {
        memmove(p->out, p->out + p->line, p->out_len - p->line);
        p->out_len -= p->line;
        p->sent -= p->line;
        p->line = 0;
    }
}

enum port_news port_work(struct port *p)
{
    struct pollfd now = { .fd = p->fd, .events = POLLIN | POLLOUT };
    const bool was = p->connected;

    poll(&now, 1, 0);
    p->connected = !(now.revents & (POLLHUP | POLLERR | POLLNVAL));
    if (was && !p->connected) {
        forget_connection(p);
        return PORT_WENT;
    }
    if (!p->connected)
        return PORT_SAME;
    fill(p);
    if (was)
        drain(p);
    return was ? PORT_SAME : PORT_CAME;
}

char *port_line(struct port *p, size_t *len, bool *too_long)
{
    *too_long = false;
    for (;;) {
        char *start = p->in + p->given;
        char *end = memchr(start, '\n', p->in_len - p->given);
        if (!end && p->in_len - p->given < PORT_LINE_MAX)
            return NULL;
        if (!end) { /* full, and no end yet */
            p->in_len = p->given = 0;
            p->skipping = true;
            fill(p);
            continue;
        }
        p->given = (size_t)(end - p->in) + 1;
        *len = (size_t)(end - start);
        *too_long = p->skipping;
        p->skipping = false;
        if (*len || *too_long)
            return start;
    }
}

size_t port_room(const struct port *p)
{
    const size_t used = p->out_len + PORT_RESERVE;

    return used < PORT_QUEUE_MAX ? PORT_QUEUE_MAX - used : 0;
}

int port_say(struct port *p, json_t *j)
{
    const size_t room = PORT_QUEUE_MAX - p->out_len;
    const size_t n =
        j && room > 1 ? json_dumpb(j, p->out + p->out_len, room - 1, JSON_COMPACT) : room;

    json_decref(j);
    if (n == 0 || n > room - 1)
        return -1;
    p->out[p->out_len + n] = '\n';
    p->out_len += n + 1;
    if (p->connected)
        drain(p);
    return 0;
}
