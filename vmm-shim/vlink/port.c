/* port.c - see port.h. */
#include "port.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "interface.h"

#define VLAN_BYTES 4u

const char *const vlink_port_kind_names[VLINK_PORT_KINDS] = { "unix", "tap", "veth" };

struct vlink_port_io {
    int epoll_fd;
    struct mmsghdr msg[VLINK_PORT_BATCH];
    struct iovec iov[VLINK_PORT_BATCH];
    struct control {
        _Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control[VLINK_PORT_BATCH];
    /* A VLAN tag that the kernel took off goes back in: room for it in front. */
    uint8_t bytes[VLINK_PORT_BATCH][VLAN_BYTES + VLINK_FRAME_MAX + 1];
};

struct vlink_port {
    struct vlink_source source; /* first */
    struct vlink_exit exit;
    struct vlink_port_io *io;
    struct vlink_link *link;
    unsigned place;
    enum vlink_port_kind kind;
    struct sockaddr_un local, remote; /* VLINK_PORT_UNIX */
    struct vlink_frame *queue[VLINK_PORT_QUEUE];
    size_t head, n;
    vlink_time retry_at, retry_ns, stalled_at; /* 0: no need */
    vlink_time rests_until;                    /* 0: it is read */
    unsigned lost;                             /* of the frames of this wake-up, at once */
    struct vlink_port_io_counts counts;
};

struct vlink_port_io *vlink_port_io_new(int epoll_fd)
{
    struct vlink_port_io *io = calloc(1, sizeof *io);
    if (io)
        io->epoll_fd = epoll_fd;
    return io;
}

void vlink_port_io_free(struct vlink_port_io *io)
{
    free(io);
}

/* ---- in ---- */

static void take_in(struct vlink_port *p, const uint8_t *bytes, size_t len, vlink_time now)
{
    if (len > VLINK_FRAME_MAX) {
        p->counts.oversize++;
        return;
    }
    struct vlink_frame *f = vlink_frame_new(bytes, len);
    if (!f || !vlink_link_port_in(p->link, p->place, f, now))
        p->lost++;
}

/* A packet socket's kernel took the tag off: back in, in front of what is read. */
static size_t restore_tag(uint8_t *frame, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        struct tpacket_auxdata aux;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
            return 0;
        unsigned type = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100u;
        memmove(frame - VLAN_BYTES, frame, 12); /* the addresses */
        frame[8] = (uint8_t)(type >> 8);
        frame[9] = (uint8_t)type;
        frame[10] = (uint8_t)(aux.tp_vlan_tci >> 8);
        frame[11] = (uint8_t)aux.tp_vlan_tci;
        return VLAN_BYTES;
    }
    return 0;
}

/* How many came; the kernel's buffers may hold more when it is VLINK_PORT_BATCH. */
static unsigned receive_socket(struct vlink_port *p)
{
    struct vlink_port_io *io = p->io;
    bool packet = p->kind == VLINK_PORT_VETH;
    for (unsigned i = 0; i < VLINK_PORT_BATCH; i++) {
        io->iov[i] = (struct iovec){ .iov_base = io->bytes[i] + VLAN_BYTES,
                                     .iov_len = sizeof io->bytes[i] - VLAN_BYTES };
        io->msg[i].msg_hdr =
            (struct msghdr){ .msg_iov = &io->iov[i],
                             .msg_iovlen = 1,
                             .msg_control = packet ? io->control[i].room : NULL,
                             .msg_controllen = packet ? sizeof io->control[i].room : 0 };
    }
    int n = recvmmsg(p->source.fd, io->msg, VLINK_PORT_BATCH, MSG_DONTWAIT, NULL);
    vlink_time now = vlink_clock();
    for (int i = 0; i < n; i++) {
        uint8_t *frame = io->bytes[i] + VLAN_BYTES;
        size_t tag = packet && io->msg[i].msg_len >= VLINK_FRAME_MIN
                         ? restore_tag(frame, &io->msg[i].msg_hdr)
                         : 0;
        take_in(p, frame - tag, io->msg[i].msg_len + tag, now);
    }
    return n > 0 ? (unsigned)n : 0;
}

static unsigned receive_tap(struct vlink_port *p)
{
    unsigned n = 0;
    for (; n < VLINK_PORT_BATCH; n++) {
        ssize_t len = read(p->source.fd, p->io->bytes[0], sizeof p->io->bytes[0]);
        if (len <= 0)
            break;
        take_in(p, p->io->bytes[0], (size_t)len, vlink_clock());
    }
    return n;
}

static void want(const struct vlink_port *p, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = (void *)(uintptr_t)&p->source };
    epoll_ctl(p->io->epoll_fd, EPOLL_CTL_MOD, p->source.fd, &ev);
}

static void port_ready(struct vlink_source *s)
{
    struct vlink_port *p = (struct vlink_port *)s;
    p->lost = 0;
    for (unsigned batch = 0; batch < VLINK_PORT_BATCHES; batch++) {
        unsigned n = p->kind == VLINK_PORT_TAP ? receive_tap(p) : receive_socket(p);
        if (n < VLINK_PORT_BATCH)
            break;
    }
    if (p->lost < VLINK_PORT_REST_LEAST)
        return;
    vlink_time now = vlink_clock();
    uint64_t rest = vlink_link_port_rest(p->link, p->place, now, VLINK_PORT_REST_NS);
    if (rest == 0)
        return;
    p->rests_until = now + rest;
    want(p, 0);
}

/* When a port that rests is read again; VLINK_NEVER: it is being read. */
static vlink_time wake(struct vlink_port *p, vlink_time now)
{
    if (!p->rests_until)
        return VLINK_NEVER;
    if (now < p->rests_until)
        return p->rests_until;
    p->rests_until = 0;
    want(p, EPOLLIN);
    return VLINK_NEVER;
}

/* ---- out ---- */

static void pop(struct vlink_port *p)
{
    vlink_frame_unref(p->queue[p->head]);
    p->head = (p->head + 1) % VLINK_PORT_QUEUE;
    p->n--;
}

/* Up to a batch from the queue's head; how many went, or -1 and errno. */
static int send_batch(struct vlink_port *p)
{
    struct mmsghdr msg[VLINK_PORT_BATCH];
    struct iovec iov[VLINK_PORT_BATCH];
    unsigned n = p->n < VLINK_PORT_BATCH ? (unsigned)p->n : VLINK_PORT_BATCH;
    if (p->kind == VLINK_PORT_TAP) {
        const struct vlink_frame *f = p->queue[p->head];
        return write(p->source.fd, f->bytes, f->len) < 0 ? -1 : 1;
    }
    memset(msg, 0, n * sizeof *msg);
    for (unsigned i = 0; i < n; i++) {
        struct vlink_frame *f = p->queue[(p->head + i) % VLINK_PORT_QUEUE];
        iov[i] = (struct iovec){ .iov_base = f->bytes, .iov_len = f->len };
        msg[i].msg_hdr.msg_iov = &iov[i];
        msg[i].msg_hdr.msg_iovlen = 1;
        if (p->kind == VLINK_PORT_UNIX) {
            msg[i].msg_hdr.msg_name = &p->remote;
            msg[i].msg_hdr.msg_namelen = sizeof p->remote;
        }
    }
    return sendmmsg(p->source.fd, msg, n, MSG_DONTWAIT);
}

/* The head could not be sent. False: it waits for room. */
static bool give_up_head(struct vlink_port *p, int error, vlink_time now)
{
    if (error == EAGAIN || error == ENOBUFS) {
        uint64_t doubled = p->retry_ns ? 2 * p->retry_ns : VLINK_RETRY_FIRST_NS;
        p->stalled_at = p->retry_ns ? p->stalled_at : now;
        p->retry_ns = doubled < VLINK_RETRY_LAST_NS ? doubled : VLINK_RETRY_LAST_NS;
        bool stalled = now - p->stalled_at > VLINK_STALLED_NS;
        p->retry_at = now + (stalled ? VLINK_RETRY_STALLED_NS : p->retry_ns);
        return false;
    }
    if (error == ECONNREFUSED || error == ENOENT || error == ENOTCONN || error == ENETDOWN)
        p->counts.no_peer++;
    else
        p->counts.failed++;
    pop(p);
    return true;
}

/* Gives the kernel what waits. VLINK_NEVER, or when to try again. */
static vlink_time send_queue(struct vlink_port *p, vlink_time now)
{
    if (p->n > 0 && now < p->retry_at)
        return p->retry_at;
    p->retry_at = 0;
    while (p->n > 0) {
        int sent = send_batch(p);
        if (sent > 0)
            p->retry_ns = 0;
        for (int i = 0; i < sent; i++)
            pop(p);
        if (sent <= 0 && errno != EINTR && !give_up_head(p, errno, now))
            return p->retry_at;
    }
    return VLINK_NEVER;
}

vlink_time vlink_port_run(struct vlink_port *p, vlink_time now)
{
    vlink_time retry = send_queue(p, now), rest = wake(p, now);
    return retry < rest ? retry : rest;
}

static void port_send(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct vlink_port *p = (struct vlink_port *)((char *)e - offsetof(struct vlink_port, exit));
    if (p->n == VLINK_PORT_QUEUE)
        send_queue(p, now);
    if (p->n == VLINK_PORT_QUEUE) {
        p->counts.no_room++;
        return;
    }
    p->queue[(p->head + p->n++) % VLINK_PORT_QUEUE] = vlink_frame_ref(f);
}

/* ---- unix sockets ---- */

int vlink_unix_address(struct sockaddr_un *out, const char *path, char *why, size_t why_size)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof out->sun_path) {
        snprintf(why, why_size, "\"%.120s\": a socket's path has 1 to %zu bytes", path,
                 sizeof out->sun_path - 1);
        return -1;
    }
    memcpy(out->sun_path, path, len);
    return 0;
}

/* Whether somebody has bound the socket at `path`: a datagram socket is told so in any case. */
static bool is_in_use(const char *path)
{
    struct sockaddr_un address;
    char why[VLINK_WHY_MAX];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool used = fd >= 0 && vlink_unix_address(&address, path, why, sizeof why) == 0 &&
                (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                 errno != ECONNREFUSED);
    if (fd >= 0)
        close(fd);
    return used;
}

int vlink_unix_clear(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0; /* bind will say */
    const char *wrong = "there is a file that is not a socket";
    if (S_ISSOCK(st.st_mode))
        wrong = is_in_use(path)    ? "a process uses this socket"
                : unlink(path) < 0 ? strerror(errno)
                                   : NULL;
    if (!wrong)
        return 0;
    snprintf(why, why_size, "%.108s: %s", path, wrong);
    return -1;
}

int vlink_unix_own(const char *path, const char *user, char *why, size_t why_size)
{
    if (chmod(path, 0600) < 0) {
        snprintf(why, why_size, "%.108s: %s", path, strerror(errno));
        return -1;
    }
    if (!user[0])
        return 0;
    char *end;
    unsigned long number = strtoul(user, &end, 10);
    uid_t uid = (uid_t)number;
    if (*end) {
        const struct passwd *pw = getpwnam(user);
        if (!pw) {
            snprintf(why, why_size, "there is no user \"%.31s\"", user);
            return -1;
        }
        uid = pw->pw_uid;
    }
    if (chown(path, uid, (gid_t)-1) < 0) {
        snprintf(why, why_size, "%.108s: cannot be given to user %.31s: %s", path, user,
                 strerror(errno));
        return -1;
    }
    return 0;
}

static int bind_unix(struct vlink_port *p, const struct vlink_unix_place *place, char *why,
                     size_t why_size)
{
    struct sockaddr_un local;
    if (vlink_unix_address(&local, place->local, why, why_size) < 0 ||
        vlink_unix_address(&p->remote, place->remote, why, why_size) < 0 ||
        vlink_unix_clear(place->local, why, why_size) < 0)
        return -1;
    p->source.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->source.fd < 0 || bind(p->source.fd, (const struct sockaddr *)&local, sizeof local) < 0) {
        snprintf(why, why_size, "cannot bind %.108s: %s", place->local, strerror(errno));
        return -1;
    }
    p->local = local; /* ours to remove */
    return vlink_unix_own(place->local, place->user, why, why_size);
}

/* ---- life ---- */

static struct vlink_port *new_port(struct vlink_port_io *io, enum vlink_port_kind kind)
{
    struct vlink_port *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->source = (struct vlink_source){ .fd = -1, .ready = port_ready };
    p->exit.send = port_send;
    p->io = io;
    p->kind = kind;
    return p;
}

static int join(struct vlink_port *p, struct vlink_link *l, const char *name, enum vlink_way side,
                char *why, size_t why_size)
{
    if (p->kind != VLINK_PORT_TAP)
        vlink_enlarge_buffers(p->source.fd, VLINK_PORT_BUFFER);
    int place = vlink_link_port_add(l, name, side, &p->exit, why, why_size);
    if (place < 0)
        return -1;
    p->link = l;
    p->place = (unsigned)place;
    if (vlink_source_watch(p->io->epoll_fd, &p->source) < 0) {
        snprintf(why, why_size, "port %s cannot be waited for: %s", name, strerror(errno));
        return -1;
    }
    return 0;
}

int vlink_port_open_unix(struct vlink_port **out, struct vlink_port_io *io, struct vlink_link *l,
                         const char *name, enum vlink_way side,
                         const struct vlink_unix_place *place, char *why, size_t why_size)
{
    struct vlink_port *p = new_port(io, VLINK_PORT_UNIX);
    if (!p) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    if (bind_unix(p, place, why, why_size) < 0 || join(p, l, name, side, why, why_size) < 0) {
        vlink_port_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

int vlink_port_open_interface(struct vlink_port **out, struct vlink_port_io *io,
                              struct vlink_link *l, const char *name, enum vlink_way side,
                              enum vlink_port_kind kind, const struct vlink_interface_place *place,
                              char *why, size_t why_size)
{
    struct vlink_port *p = new_port(io, kind);
    if (!p) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    p->source.fd = vlink_interface_open(kind, place, why, why_size);
    if (p->source.fd < 0 || join(p, l, name, side, why, why_size) < 0) {
        vlink_port_close(p);
        return -1;
    }
    *out = p;
    return 0;
}

void vlink_port_close(struct vlink_port *p)
{
    if (!p)
        return;
    if (p->link)
        vlink_link_port_remove(p->link, p->place);
    while (p->n > 0)
        pop(p);
    if (p->source.fd >= 0)
        close(p->source.fd);
    if (p->local.sun_path[0])
        unlink(p->local.sun_path);
    free(p);
}

unsigned vlink_port_place(const struct vlink_port *p)
{
    return p->place;
}

enum vlink_port_kind vlink_port_kind(const struct vlink_port *p)
{
    return p->kind;
}

const struct vlink_port_io_counts *vlink_port_io_counts(const struct vlink_port *p)
{
    return &p->counts;
}

size_t vlink_port_waiting(const struct vlink_port *p)
{
    return p->n;
}
