/* tenants.c - see tenants.h. */
#include "tenants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

struct conn {
    struct vlink_source source; /* first; fd as in peer, -1: the place is free */
    struct vlink_exit exit;
    struct vlink_tenants *door;
    struct vlink_peer peer;
    int place; /* in the link; -1: has not said hello */
    char slice[VLINK_NAME_MAX];
    uint64_t credit_said[VLINK_WAYS];
    struct vlink_wire offer_said; /* kind 0: none yet */
};

struct vlink_tenants {
    struct vlink_source source; /* first: the listening socket */
    struct vlink_peer_io *io;
    struct vlink_link *link;
    char path[VLINK_SOCKET_PATH_MAX];
    struct conn *conn[VLINK_TENANTS_MAX];
};

static void conn_close(struct conn *c)
{
    struct vlink_tenants *door = c->door;
    if (c->place >= 0)
        vlink_link_tenant_remove(door->link, (unsigned)c->place);
    vlink_peer_fini(&c->peer);
    for (size_t i = 0; i < VLINK_TENANTS_MAX; i++)
        if (door->conn[i] == c)
            door->conn[i] = NULL;
    free(c);
}

/* A frame that passed the link goes back to its child; where there is no room it is lost. */
static void conn_send(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct conn *c = (struct conn *)((char *)e - offsetof(struct conn, exit));
    (void)now;
    if (!vlink_peer_put(&c->peer, f) && vlink_peer_flush(&c->peer) == 0)
        vlink_peer_put(&c->peer, f);
}

static int refuse(struct conn *c, const char *why)
{
    struct vlink_wire m = { .kind = VLINK_WIRE_REFUSED };
    snprintf(m.why, sizeof m.why, "%s", why);
    vlink_peer_say(&c->peer, &m);
    return -1;
}

static int take_hello(struct conn *c, const struct vlink_wire *m)
{
    char name[2 * VLINK_NAME_MAX], why[VLINK_WHY_MAX];
    if (c->place >= 0)
        return -1;
    if (m->version != VLINK_WIRE_VERSION)
        return refuse(c, "the parent's network process is of another version");
    if (m->weight < 1 || m->weight > VLINK_WEIGHT_MAX)
        return refuse(c, "weight must be from 1 to 1000");
    snprintf(name, sizeof name, "%s/%s", m->slice, m->link);
    snprintf(c->slice, sizeof c->slice, "%s", m->slice);
    c->place = vlink_link_tenant_add(c->door->link, name, m->weight, &c->exit, why, sizeof why);
    return c->place < 0 ? refuse(c, why) : 0;
}

static int take_message(void *context, const struct vlink_wire *m, vlink_time now)
{
    struct conn *c = context;
    if (m->kind == VLINK_WIRE_HELLO)
        return take_hello(c, m);
    if (m->kind != VLINK_WIRE_FRAME || c->place < 0)
        return -1;
    struct vlink_frame *f = vlink_peer_frame(m);
    if (f)
        vlink_link_tenant_in(c->door->link, (unsigned)c->place, f, now);
    return 0;
}

static void conn_ready(struct vlink_source *s)
{
    struct conn *c = (struct conn *)s;
    if (vlink_peer_receive(&c->peer, take_message, c) < 0)
        conn_close(c);
}

static void accept_ready(struct vlink_source *s)
{
    struct vlink_tenants *t = (struct vlink_tenants *)s;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    size_t i = 0;
    while (i < VLINK_TENANTS_MAX && t->conn[i])
        i++;
    struct conn *c = i < VLINK_TENANTS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    t->conn[i] = c;
    c->source = (struct vlink_source){ .fd = fd, .ready = conn_ready };
    c->exit.send = conn_send;
    c->door = t;
    c->place = -1;
    vlink_peer_init(&c->peer, t->io, fd);
    if (vlink_source_watch(vlink_peer_io_epoll(t->io), &c->source) < 0)
        conn_close(c);
}

/* ---- what children are told ---- */

static bool same_limit(const struct vlink_limit *a, const struct vlink_limit *b)
{
    return a->down == b->down && a->rate_bps == b->rate_bps && a->delay_ns == b->delay_ns &&
           a->loss_ppm == b->loss_ppm;
}

static int say_offer(struct conn *c, uint32_t depth)
{
    struct vlink_wire m = { .kind = VLINK_WIRE_OFFER,
                            .version = VLINK_WIRE_VERSION,
                            .depth = depth };
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        m.limit[way] = vlink_link_limit(c->door->link, way);
    const struct vlink_wire *said = &c->offer_said;
    if (said->kind == m.kind && said->depth == depth &&
        same_limit(&said->limit[VLINK_UP], &m.limit[VLINK_UP]) &&
        same_limit(&said->limit[VLINK_DOWN], &m.limit[VLINK_DOWN]))
        return 0;
    int result = vlink_peer_say(&c->peer, &m);
    if (result == 0)
        c->offer_said = m;
    return result;
}

static int say_credit(struct conn *c)
{
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        struct vlink_wire m = { .kind = VLINK_WIRE_CREDIT,
                                .way = way,
                                .credit = vlink_link_tenant_credit(c->door->link,
                                                                   (unsigned)c->place, way) };
        if (m.credit == c->credit_said[way])
            continue;
        int result = vlink_peer_say(&c->peer, &m);
        if (result != 0)
            return result;
        c->credit_said[way] = m.credit;
    }
    return 0;
}

vlink_time vlink_tenants_run(struct vlink_tenants *t, uint32_t depth, vlink_time now)
{
    vlink_time next = VLINK_NEVER;
    for (size_t i = 0; i < VLINK_TENANTS_MAX; i++) {
        struct conn *c = t->conn[i];
        if (!c || c->place < 0)
            continue;
        int result = say_offer(c, depth);
        if (result == 0)
            result = say_credit(c);
        if (result == 0)
            result = vlink_peer_flush(&c->peer);
        if (result < 0)
            conn_close(c);
        else if (result > 0)
            next = now + VLINK_PEER_RETRY_NS;
    }
    return next;
}

size_t vlink_tenants_remove(struct vlink_tenants *t, const char *slice)
{
    size_t n = 0;
    for (size_t i = 0; i < VLINK_TENANTS_MAX; i++) {
        struct conn *c = t->conn[i];
        if (!c || c->place < 0 || strcmp(c->slice, slice) != 0)
            continue;
        conn_close(c);
        n++;
    }
    return n;
}

/* ---- life ---- */

int vlink_tenants_open(struct vlink_tenants **out, struct vlink_peer_io *io, struct vlink_link *l,
                       const char *path, char *why, size_t why_size)
{
    struct sockaddr_un address;
    if (vlink_unix_address(&address, path, why, why_size) < 0 ||
        vlink_unix_clear(path, why, why_size) < 0)
        return -1;
    struct vlink_tenants *t = calloc(1, sizeof *t);
    if (!t) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    t->io = io;
    t->link = l;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    t->source = (struct vlink_source){ .fd = fd, .ready = accept_ready };
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        snprintf(why, why_size, "cannot bind %.108s: %s", path, strerror(errno));
        goto close;
    }
    snprintf(t->path, sizeof t->path, "%s", path);
    if (vlink_unix_own(path, "", why, why_size) < 0)
        goto close;
    if (listen(fd, BACKLOG) < 0 || vlink_source_watch(vlink_peer_io_epoll(io), &t->source) < 0) {
        snprintf(why, why_size, "cannot listen on %.108s: %s", path, strerror(errno));
        goto close;
    }
    *out = t;
    return 0;
close:
    vlink_tenants_close(t);
    return -1;
}

void vlink_tenants_close(struct vlink_tenants *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < VLINK_TENANTS_MAX; i++)
        if (t->conn[i])
            conn_close(t->conn[i]);
    if (t->source.fd >= 0)
        close(t->source.fd);
    if (t->path[0])
        unlink(t->path);
    free(t);
}

const char *vlink_tenants_path(const struct vlink_tenants *t)
{
    return t->path;
}
