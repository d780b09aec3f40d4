/* peer.c - see peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct vlink_peer_io {
    int epoll_fd;
    struct mmsghdr msg[VLINK_PEER_BATCH];
    struct iovec iov[VLINK_PEER_BATCH];
    uint8_t bytes[VLINK_PEER_BATCH][VLINK_WIRE_MAX + 1];
};

struct vlink_peer_io *vlink_peer_io_new(int epoll_fd)
{
    struct vlink_peer_io *io = calloc(1, sizeof *io);
    if (io)
        io->epoll_fd = epoll_fd;
    return io;
}

void vlink_peer_io_free(struct vlink_peer_io *io)
{
    free(io);
}

int vlink_peer_io_epoll(const struct vlink_peer_io *io)
{
    return io->epoll_fd;
}

void vlink_peer_init(struct vlink_peer *p, struct vlink_peer_io *io, int fd)
{
    memset(p, 0, sizeof *p);
    p->io = io;
    p->fd = fd;
    if (fd >= 0)
        vlink_enlarge_buffers(fd, VLINK_PEER_BUFFER);
}

static void pop(struct vlink_peer *p)
{
    vlink_frame_unref(p->queue[p->head]);
    p->head = (p->head + 1) % VLINK_PEER_QUEUE;
    p->n--;
}

void vlink_peer_fini(struct vlink_peer *p)
{
    while (p->n > 0)
        pop(p);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

bool vlink_peer_put(struct vlink_peer *p, struct vlink_frame *f)
{
    if (p->n == VLINK_PEER_QUEUE)
        return false;
    p->queue[(p->head + p->n++) % VLINK_PEER_QUEUE] = vlink_frame_ref(f);
    return true;
}

int vlink_peer_flush(struct vlink_peer *p)
{
    while (p->n > 0) {
        struct mmsghdr msg[VLINK_PEER_BATCH] = { 0 };
        struct iovec iov[VLINK_PEER_BATCH][2];
        uint8_t head[VLINK_PEER_BATCH][VLINK_WIRE_FRAME_HEAD];
        unsigned n = p->n < VLINK_PEER_BATCH ? (unsigned)p->n : VLINK_PEER_BATCH;
        for (unsigned i = 0; i < n; i++) {
            struct vlink_frame *f = p->queue[(p->head + i) % VLINK_PEER_QUEUE];
            iov[i][0].iov_base = head[i];
            iov[i][0].iov_len = vlink_wire_frame_head(f, head[i]);
            iov[i][1].iov_base = f->bytes;
            iov[i][1].iov_len = f->len;
            msg[i].msg_hdr.msg_iov = iov[i];
            msg[i].msg_hdr.msg_iovlen = 2;
        }
        int sent = sendmmsg(p->fd, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return errno == EAGAIN || errno == ENOBUFS ? 1 : -1;
        for (int i = 0; i < sent; i++)
            pop(p);
    }
    return 0;
}

int vlink_peer_say(struct vlink_peer *p, const struct vlink_wire *m)
{
    uint8_t message[VLINK_WIRE_NEWS_MAX];
    size_t len = vlink_wire_write(m, message);
    if (send(p->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
        return 0;
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 1 : -1;
}

struct vlink_frame *vlink_peer_frame(const struct vlink_wire *m)
{
    struct vlink_frame *f = vlink_frame_new(m->bytes, m->len);
    if (!f)
        return NULL;
    f->way = m->way;
    f->head_len = (uint16_t)m->head_len;
    memcpy(f->head, m->head, m->head_len);
    return f;
}

/* 0: go on, 1: no more for now, -1: the end. */
static int receive_batch(struct vlink_peer *p,
                         int (*take)(void *context, const struct vlink_wire *m, vlink_time now),
                         void *context)
{
    struct vlink_peer_io *io = p->io;
    for (unsigned i = 0; i < VLINK_PEER_BATCH; i++) {
        io->iov[i] = (struct iovec){ .iov_base = io->bytes[i], .iov_len = sizeof io->bytes[i] };
        io->msg[i].msg_hdr = (struct msghdr){ .msg_iov = &io->iov[i], .msg_iovlen = 1 };
    }
    int n = recvmmsg(p->fd, io->msg, VLINK_PEER_BATCH, MSG_DONTWAIT, NULL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -1;
    vlink_time now = vlink_clock();
    for (int i = 0; i < n; i++) {
        struct vlink_wire m;
        if (io->msg[i].msg_len == 0 || vlink_wire_read(&m, io->bytes[i], io->msg[i].msg_len) < 0 ||
            take(context, &m, now) < 0)
            return -1; /* an empty message is the end of the connection */
    }
    return n < (int)VLINK_PEER_BATCH;
}

int vlink_peer_receive(struct vlink_peer *p,
                       int (*take)(void *context, const struct vlink_wire *m, vlink_time now),
                       void *context)
{
    for (unsigned batch = 0; batch < VLINK_PEER_BATCHES; batch++) {
        int result = receive_batch(p, take, context);
        if (result != 0)
            return result < 0 ? -1 : 0;
    }
    return 0;
}
