/* relay.c - see relay.h. */
#include "relay.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct packet {
    struct client *client;
    uint64_t client_id; /* tells a client from a later one in the same place */
    size_t len;
    uint8_t bytes[];
};

struct client {
    struct vlink_source source; /* connected to the target; fd -1: the place is free */
    struct vlink_relay *relay;
    struct sockaddr_storage addr;
    socklen_t addr_len;
    uint64_t id;
    vlink_time heard; /* from the client, ns */
};

struct vlink_relay {
    struct vlink_source source; /* first: the listen socket */
    struct vlink_io *io;
    char name[VLINK_NAME_MAX];
    struct sockaddr_storage target;
    socklen_t target_len;
    struct vlink_dir *dir[VLINK_WAYS];
    struct vlink_relay_counts counts;
    uint64_t next_client_id;
    struct client clients[VLINK_CLIENTS_MAX];
};

struct vlink_io {
    int epoll_fd;
    bool traffic;
    struct mmsghdr msg[VLINK_BATCH];
    struct iovec iov[VLINK_BATCH];
    struct sockaddr_storage from[VLINK_BATCH];
    uint8_t bytes[VLINK_BATCH][VLINK_DATAGRAM_MAX];
};

struct vlink_io *vlink_io_new(int epoll_fd)
{
    struct vlink_io *io = calloc(1, sizeof *io);
    if (io)
        io->epoll_fd = epoll_fd;
    return io;
}

void vlink_io_free(struct vlink_io *io)
{
    free(io);
}

bool vlink_io_traffic(const struct vlink_io *io)
{
    return io->traffic;
}

/* ---- sockets ---- */

static int resolve(const char *text, int flags, struct sockaddr_storage *addr, socklen_t *len,
                   char *why, size_t why_size)
{
    const char *colon = strrchr(text, ':');
    char host[VLINK_TEXT_MAX] = "";
    bool brackets = colon && colon - text >= 2 && text[0] == '[' && colon[-1] == ']';
    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - text - 2 * brackets), text + brackets);
    if (!colon || !host[0] || strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        snprintf(why, why_size, "\"%.128s\" is not ADDRESS:PORT", text);
        return -1;
    }
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = flags | AI_NUMERICSERV };
    struct addrinfo *found;
    int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error) {
        snprintf(why, why_size, "%.128s: %s", text, gai_strerror(error));
        return -1;
    }
    memcpy(addr, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int udp_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        vlink_enlarge_buffers(fd, VLINK_SOCKET_BUFFER);
    return fd;
}

/* ---- clients ---- */

static void client_ready(struct vlink_source *s);

static void client_close(struct client *c)
{
    if (c->source.fd >= 0)
        close(c->source.fd);
    c->source.fd = -1;
}

static int client_open(struct client *c, const struct sockaddr_storage *addr, socklen_t len)
{
    struct vlink_relay *r = c->relay;
    int fd = udp_socket(r->target.ss_family);
    if (fd < 0)
        return -1;
    c->source = (struct vlink_source){ .fd = fd, .ready = client_ready };
    if (connect(fd, (const struct sockaddr *)&r->target, r->target_len) < 0 ||
        vlink_source_watch(r->io->epoll_fd, &c->source) < 0) {
        client_close(c);
        return -1;
    }
    c->addr = *addr;
    c->addr_len = len;
    c->id = ++r->next_client_id;
    return 0;
}

/* The client at `addr`, a new one where need be; a full table gives up the longest silent one. */
static struct client *client_of(struct vlink_relay *r, const struct sockaddr_storage *addr,
                                socklen_t len)
{
    struct client *place = &r->clients[0];
    for (struct client *c = r->clients; c < r->clients + VLINK_CLIENTS_MAX; c++) {
        bool open = c->source.fd >= 0;
        if (open && c->addr_len == len && memcmp(&c->addr, addr, len) == 0)
            return c;
        if (place->source.fd >= 0 && (!open || c->heard < place->heard))
            place = c;
    }
    client_close(place);
    return client_open(place, addr, len) == 0 ? place : NULL;
}

/* ---- in ---- */

static int receive(struct vlink_io *io, int fd)
{
    for (int i = 0; i < VLINK_BATCH; i++) {
        io->iov[i] = (struct iovec){ .iov_base = io->bytes[i], .iov_len = VLINK_DATAGRAM_MAX };
        memset(&io->from[i], 0, sizeof io->from[i]);
        io->msg[i].msg_hdr = (struct msghdr){ .msg_name = &io->from[i],
                                              .msg_namelen = sizeof io->from[i],
                                              .msg_iov = &io->iov[i],
                                              .msg_iovlen = 1 };
    }
    int n = recvmmsg(fd, io->msg, VLINK_BATCH, MSG_DONTWAIT, NULL);
    io->traffic = io->traffic || n > 0;
    return n;
}

static void take_in(struct vlink_relay *r, enum vlink_way way, struct client *c, int i,
                    vlink_time now)
{
    const struct mmsghdr *m = &r->io->msg[i];
    if (m->msg_hdr.msg_flags & MSG_TRUNC) {
        r->counts.oversize++;
        return;
    }
    struct packet *p = c ? malloc(sizeof *p + m->msg_len) : NULL;
    if (!p) {
        r->counts.no_client++;
        return;
    }
    p->client = c;
    p->client_id = c->id;
    p->len = m->msg_len;
    memcpy(p->bytes, r->io->bytes[i], m->msg_len);
    if (vlink_dir_push(r->dir[way], now, m->msg_len, (uint64_t)(uintptr_t)p) != VLINK_PASS)
        free(p);
}

static void listen_ready(struct vlink_source *s)
{
    struct vlink_relay *r = (struct vlink_relay *)s;
    for (int batch = 0; batch < VLINK_BATCHES_MAX; batch++) {
        int n = receive(r->io, s->fd);
        vlink_time now = vlink_clock();
        for (int i = 0; i < n; i++) {
            struct client *c = client_of(r, &r->io->from[i], r->io->msg[i].msg_hdr.msg_namelen);
            if (c)
                c->heard = now;
            take_in(r, VLINK_UP, c, i, now);
        }
        if (n < VLINK_BATCH)
            return;
    }
}

static void client_ready(struct vlink_source *s)
{
    struct client *c = (struct client *)s;
    for (int batch = 0; batch < VLINK_BATCHES_MAX; batch++) {
        /* An error here is the target's ICMP "port unreachable": reading has cleared it. */
        int n = receive(c->relay->io, s->fd);
        vlink_time now = vlink_clock();
        for (int i = 0; i < n; i++)
            take_in(c->relay, VLINK_DOWN, c, i, now);
        if (n < VLINK_BATCH)
            return;
    }
}

/* ---- out ---- */

static void send_out(struct vlink_relay *r, enum vlink_way way, const struct packet *p)
{
    const struct client *c = p->client;
    if (c->source.fd < 0 || c->id != p->client_id) {
        r->counts.no_client++;
        return;
    }
    ssize_t n;
    if (way == VLINK_UP)
        n = send(c->source.fd, p->bytes, p->len, MSG_DONTWAIT);
    else
        n = sendto(r->source.fd, p->bytes, p->len, MSG_DONTWAIT, (const struct sockaddr *)&c->addr,
                   c->addr_len);
    r->counts.send_failures += n < 0;
}

void vlink_relay_send(struct vlink_relay *r, vlink_time now)
{
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        struct vlink_out out;
        while (vlink_dir_take(r->dir[way], now, &out)) {
            struct packet *p = (struct packet *)(uintptr_t)out.tag;
            if (out.fate == VLINK_PASS)
                send_out(r, way, p);
            if (out.last)
                free(p);
        }
    }
}

vlink_time vlink_relay_next(const struct vlink_relay *r)
{
    vlink_time up = vlink_dir_next(r->dir[VLINK_UP]), down = vlink_dir_next(r->dir[VLINK_DOWN]);
    return up < down ? up : down;
}

int vlink_relay_change(struct vlink_relay *r, const struct vlink_change *c, vlink_time now,
                       char *why, size_t why_size)
{
    struct vlink_config cfg[VLINK_WAYS];
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        cfg[way] = *vlink_dir_config(r->dir[way]);
        if (!(c->ways & 1u << way))
            continue;
        if (vlink_config_set(&cfg[way], c->key, c->value, why, why_size) < 0)
            return -1;
        if (cfg[way].trace && cfg[way].rate_bps) {
            snprintf(why, why_size, "%s follows a trace: its rate cannot be set", r->name);
            return -1;
        }
    }
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        vlink_dir_configure(r->dir[way], now, &cfg[way]);
    return 0;
}

/* ---- life ---- */

static int open_listen(struct vlink_relay *r, const struct vlink_spec *spec, char *why,
                       size_t why_size)
{
    struct sockaddr_storage addr;
    socklen_t len;
    if (resolve(spec->listen, AI_PASSIVE, &addr, &len, why, why_size) < 0 ||
        resolve(spec->to, 0, &r->target, &r->target_len, why, why_size) < 0)
        return -1;
    int fd = udp_socket(addr.ss_family);
    r->source = (struct vlink_source){ .fd = fd, .ready = listen_ready };
    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, len) < 0 ||
        vlink_source_watch(r->io->epoll_fd, &r->source) < 0) {
        snprintf(why, why_size, "cannot listen on %.128s: %s", spec->listen, strerror(errno));
        return -1;
    }
    return 0;
}

int vlink_relay_new(struct vlink_relay **out, struct vlink_io *io, const struct vlink_spec *spec,
                    const struct vlink_trace *const traces[VLINK_WAYS], uint64_t seed, char *why,
                    size_t why_size)
{
    struct vlink_relay *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    r->io = io;
    r->source.fd = -1;
    memcpy(r->name, spec->name, sizeof r->name);
    for (int i = 0; i < VLINK_CLIENTS_MAX; i++)
        r->clients[i] = (struct client){ .source.fd = -1, .relay = r };
    if (open_listen(r, spec, why, why_size) < 0)
        goto free_relay;
    vlink_time now = vlink_clock();
    for (unsigned way = 0; way < VLINK_WAYS; way++) {
        struct vlink_config cfg = spec->config[way];
        cfg.trace = traces[way];
        r->dir[way] = vlink_dir_new(&cfg, seed + way, now);
        if (!r->dir[way]) {
            snprintf(why, why_size, "out of memory");
            goto free_relay;
        }
    }
    *out = r;
    return 0;
free_relay:
    vlink_relay_free(r);
    return -1;
}

static void drain(struct vlink_dir *d)
{
    if (!d)
        return;
    struct vlink_out out;
    struct vlink_config down = *vlink_dir_config(d);
    down.down = true;
    vlink_time now = vlink_clock();
    vlink_dir_configure(d, now, &down);
    while (vlink_dir_take(d, now, &out))
        if (out.last)
            free((void *)(uintptr_t)out.tag);
    vlink_dir_free(d);
}

void vlink_relay_free(struct vlink_relay *r)
{
    if (!r)
        return;
    for (unsigned way = 0; way < VLINK_WAYS; way++)
        drain(r->dir[way]);
    for (int i = 0; i < VLINK_CLIENTS_MAX; i++)
        client_close(&r->clients[i]);
    if (r->source.fd >= 0)
        close(r->source.fd);
    free(r);
}

const char *vlink_relay_name(const struct vlink_relay *r)
{
    return r->name;
}

const struct vlink_dir *vlink_relay_dir(const struct vlink_relay *r, enum vlink_way way)
{
    return r->dir[way];
}

const struct vlink_relay_counts *vlink_relay_counts(const struct vlink_relay *r)
{
    return &r->counts;
}

size_t vlink_relay_clients(const struct vlink_relay *r)
{
    size_t n = 0;
    for (int i = 0; i < VLINK_CLIENTS_MAX; i++)
        n += r->clients[i].source.fd >= 0;
    return n;
}

void vlink_relay_address(const struct vlink_relay *r, char *text, size_t size)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[128] = "?", port[8] = "?";
    if (getsockname(r->source.fd, (struct sockaddr *)&addr, &len) == 0)
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, size, addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
