/*
 * door.c - a unix stream socket that others connect to (door.h).
 */
#include "door.h"

#include "lines.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define GUESTS_A_TURN 8

struct vmm_door {
    struct ev_loop *loop;
    ev_io io;
    int fd;
    void (*on_guest)(void *user, int fd);
    void *user;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    ino_t inode; /* the socket that is ours */
};

static void on_knock(struct ev_loop *loop, ev_io *w, int events)
{
    struct vmm_door *d = w->data;
    int fds[GUESTS_A_TURN], n = 0;
    void (*const on_guest)(void *, int) = d->on_guest;
    void *const user = d->user;

    (void)loop, (void)events;
    while (n < GUESTS_A_TURN &&
           (fds[n] = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        n++;
    for (int i = 0; i < n; i++) /* the door may be freed meanwhile */
        on_guest(user, fds[i]);
}

/* Removes a socket that nobody answers at. */
static int take_over(const char *path, char *why, size_t why_size)
{
    struct stat st;
    char ignored[200];
    int fd;

    if (lstat(path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(why, why_size, "%s: is there, and is no socket", path);
        return -1;
    }
    fd = vmm_lines_dial(path, ignored, sizeof ignored);
    if (fd >= 0) {
        close(fd);
        snprintf(why, why_size, "%s: another program answers there", path);
        return -1;
    }
    unlink(path);
    return 0;
}

static int listen_at(struct vmm_door *d)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct stat st;
    mode_t old;
    int bound;

    memcpy(a.sun_path, d->path, sizeof a.sun_path);
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0)
        return -1;
    old = umask(0177);
    bound = bind(d->fd, (const struct sockaddr *)&a, sizeof a);
    umask(old);
    if (bound != 0 || listen(d->fd, BACKLOG) != 0 || stat(d->path, &st) != 0)
        return -1;
    d->inode = st.st_ino;
    return 0;
}

int vmm_door_new(struct vmm_door **out, struct ev_loop *loop, const char *path,
                 void (*on_guest)(void *user, int fd), void *user, char *why, size_t why_size)
{
    struct vmm_door *d;

    *out = NULL;
    if (strlen(path) >= sizeof d->path) {
        snprintf(why, why_size, "%s: longer than a socket's path may be", path);
        return -1;
    }
    if (take_over(path, why, why_size) != 0)
        return -1;
    d = calloc(1, sizeof *d);
    if (d) {
        *d = (struct vmm_door){ .loop = loop, .fd = -1, .on_guest = on_guest, .user = user };
        snprintf(d->path, sizeof d->path, "%s", path);
    }
    if (!d || listen_at(d) != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (d && d->fd >= 0)
            close(d->fd);
        free(d);
        return -1;
    }
    ev_io_init(&d->io, on_knock, d->fd, EV_READ);
    d->io.data = d;
    ev_io_start(loop, &d->io);
    *out = d;
    return 0;
}

void vmm_door_free(struct vmm_door *d)
{
    struct stat st;

    if (!d)
        return;
    ev_io_stop(d->loop, &d->io);
    close(d->fd);
    if (stat(d->path, &st) == 0 && st.st_ino == d->inode)
        unlink(d->path);
    free(d);
}
