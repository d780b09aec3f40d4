/* upstream.c - see upstream.h. */
#include "upstream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct vlink_upstream {
    struct vlink_source source; /* first */
    struct vlink_exit exit;
    struct vlink_link *link;
    struct vlink_peer_io *io;
    struct vlink_peer peer;
    struct vlink_parent parent;
    uint32_t depth;
    bool connected;       /* its first offer has come */
    vlink_time next_call; /* while nobody is there */
};

static void upstream_send(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct vlink_upstream *u =
        (struct vlink_upstream *)((char *)e - offsetof(struct vlink_upstream, exit));
    (void)now;
    if (!vlink_peer_put(&u->peer, f))
        vlink_link_not_sent(u->link, f);
}

static void lose_parent(struct vlink_upstream *u, vlink_time now)
{
    if (u->connected)
        vlink_link_set_parent(u->link, NULL, NULL, now, NULL, 0);
    u->connected = false;
    vlink_peer_fini(&u->peer);
    u->source.fd = -1;
    u->next_call = now + VLINK_UPSTREAM_AGAIN_NS;
}

/* A connection with our hello sent; -1 and `why`. */
static int call(struct vlink_upstream *u, char *why, size_t why_size)
{
    struct sockaddr_un address;
    struct vlink_wire hello = { .kind = VLINK_WIRE_HELLO,
                                .version = VLINK_WIRE_VERSION,
                                .weight = u->parent.weight };
    if (vlink_unix_address(&address, u->parent.socket, why, why_size) < 0)
        return -1;
    snprintf(hello.slice, sizeof hello.slice, "%s", u->parent.slice);
    snprintf(hello.link, sizeof hello.link, "%s", vlink_link_name(u->link));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    vlink_peer_init(&u->peer, u->io, fd);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        vlink_peer_say(&u->peer, &hello) != 0) {
        snprintf(why, why_size, "the parent's link at %.108s cannot be reached: %s",
                 u->parent.socket, strerror(errno));
        vlink_peer_fini(&u->peer);
        return -1;
    }
    return 0;
}

/* The parent's first offer. `why` NULL: it is taken as it is, the settings here were judged before.
 */
static int accept_offer(struct vlink_upstream *u, const struct vlink_wire *m, vlink_time now,
                        char *why, size_t why_size)
{
    if (m->depth + 1 > VLINK_DEPTH_MAX) {
        if (why)
            snprintf(why, why_size, "slices in slices go %u deep at most", VLINK_DEPTH_MAX);
        return -1;
    }
    if (vlink_link_set_parent(u->link, &u->exit, m->limit, now, why, why_size) < 0)
        return -1;
    u->depth = m->depth + 1;
    u->connected = true;
    return 0;
}

static int take_message(void *context, const struct vlink_wire *m, vlink_time now)
{
    struct vlink_upstream *u = context;
    struct vlink_frame *f;
    if (m->kind == VLINK_WIRE_OFFER && !u->connected)
        return accept_offer(u, m, now, NULL, 0);
    if (!u->connected)
        return -1;
    switch (m->kind) {
    case VLINK_WIRE_OFFER:
        if (m->depth + 1 > VLINK_DEPTH_MAX)
            return -1;
        u->depth = m->depth + 1;
        vlink_link_set_limit(u->link, m->limit, now);
        return 0;
    case VLINK_WIRE_CREDIT:
        vlink_link_credit(u->link, m->way, m->credit, now);
        return 0;
    case VLINK_WIRE_FRAME:
        f = vlink_peer_frame(m);
        if (f)
            vlink_link_returned(u->link, f, now);
        return 0;
    default:
        return -1;
    }
}

static void upstream_ready(struct vlink_source *s)
{
    struct vlink_upstream *u = (struct vlink_upstream *)s;
    if (vlink_peer_receive(&u->peer, take_message, u) < 0)
        lose_parent(u, vlink_clock());
}

static int watch(struct vlink_upstream *u)
{
    u->source = (struct vlink_source){ .fd = u->peer.fd, .ready = upstream_ready };
    return vlink_source_watch(vlink_peer_io_epoll(u->io), &u->source);
}

vlink_time vlink_upstream_run(struct vlink_upstream *u, vlink_time now)
{
    char why[VLINK_WHY_MAX];
    if (u->peer.fd < 0) {
        if (now < u->next_call)
            return u->next_call;
        if (call(u, why, sizeof why) < 0 || watch(u) < 0)
            lose_parent(u, now);
        return u->peer.fd < 0 ? u->next_call : VLINK_NEVER;
    }
    int result = vlink_peer_flush(&u->peer);
    if (result < 0)
        lose_parent(u, now);
    return result == 0 ? VLINK_NEVER : result > 0 ? now + VLINK_PEER_RETRY_NS : u->next_call;
}

/* The parent's answer to our hello, waited for. */
static int wait_for_offer(struct vlink_upstream *u, char *why, size_t why_size)
{
    uint8_t message[VLINK_WIRE_NEWS_MAX];
    struct vlink_wire m;
    struct pollfd p = { .fd = u->peer.fd, .events = POLLIN };
    int n = poll(&p, 1, VLINK_UPSTREAM_WAIT_MS);
    ssize_t len = n > 0 ? recv(u->peer.fd, message, sizeof message, MSG_DONTWAIT) : -1;
    if (len <= 0 || vlink_wire_read(&m, message, (size_t)len) < 0 ||
        (m.kind != VLINK_WIRE_OFFER && m.kind != VLINK_WIRE_REFUSED)) {
        snprintf(why, why_size, "the parent's link at %.108s %s", u->parent.socket,
                 n == 0 ? "does not answer" : "is full, or not a link of this version");
        return -1;
    }
    if (m.kind == VLINK_WIRE_OFFER)
        return accept_offer(u, &m, vlink_clock(), why, why_size);
    snprintf(why, why_size, "the parent's link refuses: %.200s", m.why);
    return -1;
}

int vlink_upstream_open(struct vlink_upstream **out, struct vlink_peer_io *io, struct vlink_link *l,
                        const struct vlink_parent *parent, char *why, size_t why_size)
{
    struct vlink_upstream *u = calloc(1, sizeof *u);
    if (!u) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    u->source.fd = u->peer.fd = -1;
    u->exit.send = upstream_send;
    u->link = l;
    u->io = io;
    u->parent = *parent;
    if (call(u, why, why_size) < 0 || wait_for_offer(u, why, why_size) < 0)
        goto close;
    if (watch(u) < 0) {
        snprintf(why, why_size, "the parent's link cannot be waited for: %s", strerror(errno));
        goto close;
    }
    *out = u;
    return 0;
close:
    vlink_upstream_close(u);
    return -1;
}

void vlink_upstream_close(struct vlink_upstream *u)
{
    if (!u)
        return;
    if (u->connected)
        vlink_link_set_parent(u->link, NULL, NULL, vlink_clock(), NULL, 0);
    vlink_peer_fini(&u->peer);
    free(u);
}

bool vlink_upstream_connected(const struct vlink_upstream *u)
{
    return u->connected;
}

const struct vlink_parent *vlink_upstream_parent(const struct vlink_upstream *u)
{
    return &u->parent;
}

uint32_t vlink_upstream_depth(const struct vlink_upstream *u)
{
    return u->depth;
}
