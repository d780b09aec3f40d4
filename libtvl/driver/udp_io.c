/* udp_io.c - messages in and out of a UDP socket, with what the kernel says beside them. Contract
 * in udp.h. */
#include "udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define WAITED_MAX 1000000u /* us: longer, and the clock was set meanwhile */

union control {
    max_align_t align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +
                  3 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint64_t)) +
                  CMSG_SPACE(sizeof(struct timespec))];
};

/* ---- in ---- */

static void note_local4(struct tvl_datagram *d, const struct cmsghdr *c,
                        const struct sockaddr_storage *bound)
{
    struct in_pktinfo info;
    struct sockaddr_in sin = { .sin_family = AF_INET };

    memcpy(&info, CMSG_DATA(c), sizeof info);
    sin.sin_addr = info.ipi_addr;
    sin.sin_port = ((const struct sockaddr_in *)bound)->sin_port;
    memcpy(&d->local, &sin, sizeof sin);
}

static void note_local6(struct tvl_datagram *d, const struct cmsghdr *c,
                        const struct sockaddr_storage *bound)
{
    struct in6_pktinfo info;
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

    memcpy(&info, CMSG_DATA(c), sizeof info);
    sin6.sin6_addr = info.ipi6_addr;
    sin6.sin6_port = ((const struct sockaddr_in6 *)bound)->sin6_port;
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
        sin6.sin6_scope_id = info.ipi6_ifindex;
    memcpy(&d->local, &sin6, sizeof sin6);
}

static int int_of(const struct cmsghdr *c)
{
    int value;

    memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
}

static tvl_time us_of(const struct timespec *t)
{
    return (tvl_time)t->tv_sec * 1000000u + (tvl_time)t->tv_nsec / 1000u;
}

/* When the kernel got it: the way ends there, not where we come to read it. */
static void note_wait(struct tvl_datagram *d, const struct cmsghdr *c)
{
    struct timespec came, now;

    memcpy(&came, CMSG_DATA(c), sizeof came);
    clock_gettime(CLOCK_REALTIME, &now);
    const tvl_time waited = us_of(&now) - us_of(&came); /* below 0 it is far too much */
    d->waited = waited <= WAITED_MAX ? waited : 0;
}

static void note(struct tvl_datagram *d, const struct cmsghdr *c,
                 const struct sockaddr_storage *bound)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
        note_local4(d, c, bound);
    else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
        note_local6(d, c, bound);
    else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
        d->ecn = *CMSG_DATA(c) & 3;
    else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
        d->ecn = (uint8_t)(int_of(c) & 3);
    else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
        d->segment = (size_t)int_of(c);
    else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
        note_wait(d, c);
}

size_t tvl_udp_read(const struct tvl_udp *u, struct tvl_udp_message in[TVL_UDP_READS])
{
    struct mmsghdr msg[TVL_UDP_READS];
    struct iovec iov[TVL_UDP_READS];
    union control control[TVL_UDP_READS];

    for (size_t i = 0; i < TVL_UDP_READS; i++) {
        iov[i] = (struct iovec){ in[i].bytes, TVL_UDP_MESSAGE_MAX };
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = &in[i].dgram.remote,
            .msg_namelen = sizeof in[i].dgram.remote,
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
            .msg_control = &control[i],
            .msg_controllen = sizeof control[i],
        };
    }
    const int n = recvmmsg(u->fd, msg, TVL_UDP_READS, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct tvl_datagram *d = &in[i].dgram;

        d->local = u->bound;
        d->ecn = 0;
        d->waited = 0;
        d->len = d->segment = msg[i].msg_len;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg[i].msg_hdr); c;
             c = CMSG_NXTHDR(&msg[i].msg_hdr, c))
            note(d, c, &u->bound);
        if (d->segment > TVL_DATAGRAM_MAX)
            d->len = d->segment = 0;
    }
    return n > 0 ? (size_t)n : 0;
}

/* ---- out ---- */

static void attach(struct msghdr *h, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)h->msg_control + h->msg_controllen);

    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    h->msg_controllen += CMSG_SPACE(len);
}

static void attach_local(struct msghdr *h, const struct tvl_datagram *d)
{
    const struct sockaddr_in *sin = (const void *)&d->local;
    const struct sockaddr_in6 *sin6 = (const void *)&d->local;

    if (d->local.ss_family == AF_INET && sin->sin_addr.s_addr != htonl(INADDR_ANY)) {
        const struct in_pktinfo info = { .ipi_spec_dst = sin->sin_addr };

        attach(h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (d->local.ss_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr)) {
        const struct in6_pktinfo info = { .ipi6_addr = sin6->sin6_addr };

        attach(h, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static bool is_ipv6(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 &&
           !IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool is_joined(const struct tvl_datagram *d)
{
    return d->segment > 0 && d->segment < d->len;
}

static void attach_all(const struct tvl_udp *u, struct msghdr *h, const struct tvl_datagram *d)
{
    const int ecn = d->ecn;

    attach_local(h, d);
    if (ecn && is_ipv6(&d->remote))
        attach(h, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof ecn);
    else if (ecn)
        attach(h, IPPROTO_IP, IP_TOS, &ecn, sizeof ecn);
    if (is_joined(d)) {
        const uint16_t segment = (uint16_t)d->segment;

        attach(h, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    if (u->timed && d->release_at > 0) {
        const uint64_t ns = d->release_at * 1000;

        attach(h, SOL_SOCKET, SCM_TXTIME, &ns, sizeof ns);
    }
}

/* As sendmmsg: how many of them, [1, TVL_UDP_WRITES], left; or -1 and errno. */
static int hand_over(const struct tvl_udp *u, const struct tvl_udp_message *m, size_t n)
{
    struct mmsghdr msg[TVL_UDP_WRITES];
    struct iovec iov[TVL_UDP_WRITES];
    union control control[TVL_UDP_WRITES];

    n = n < TVL_UDP_WRITES ? n : TVL_UDP_WRITES;
    for (size_t i = 0; i < n; i++) {
        memset(&control[i], 0, sizeof control[i]);
        iov[i] = (struct iovec){ m[i].bytes, m[i].dgram.len };
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = (void *)(uintptr_t)&m[i].dgram.remote,
            .msg_namelen = tvl_udp_len(&m[i].dgram.remote),
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
            .msg_control = &control[i],
        };
        attach_all(u, &msg[i].msg_hdr, &m[i].dgram);
        if (msg[i].msg_hdr.msg_controllen == 0)
            msg[i].msg_hdr.msg_control = NULL;
    }
    return sendmmsg(u->fd, msg, (unsigned)n, MSG_DONTWAIT);
}

/* The datagrams of a message one by one. 1, or -1 and errno: nothing left. */
static int hand_over_cut(const struct tvl_udp *u, const struct tvl_udp_message *m)
{
    struct tvl_udp_message one[TVL_UDP_WRITES];
    const size_t segment = m->dgram.segment;
    size_t n = 0;

    for (size_t at = 0; at < m->dgram.len && n < TVL_UDP_WRITES; at += segment) {
        one[n] = (struct tvl_udp_message){ m->dgram, m->bytes + at };
        one[n].dgram.len = m->dgram.len - at < segment ? m->dgram.len - at : segment;
        n++;
    }
    /* A socket that fills on the way loses the rest, as a full queue does. */
    return hand_over(u, one, n) > 0 ? 1 : -1;
}

static int hand_over_some(struct tvl_udp *u, const struct tvl_udp_message *m, size_t n)
{
    size_t run = 0;

    if (u->joins)
        return hand_over(u, m, n);
    if (is_joined(&m->dgram))
        return hand_over_cut(u, m);
    while (run < n && !is_joined(&m[run].dgram))
        run++;
    return hand_over(u, m, run);
}

size_t tvl_udp_write(struct tvl_udp *u, const struct tvl_udp_message *m, size_t n, int *error)
{
    size_t done = 0;

    *error = 0;
    while (done < n) {
        int sent = hand_over_some(u, m + done, n - done);

        /* An interface that cannot cut (EIO), or a segment above its MTU (EINVAL): the datagrams
         * alone tell which. */
        if (sent < 0 && u->joins && is_joined(&m[done].dgram) &&
            (errno == EIO || errno == EINVAL)) {
            sent = hand_over_cut(u, &m[done]);
            u->joins = sent < 0;
        }
        if (sent > 0) {
            done += (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            *error = errno;
            done++;
        }
    }
    return done;
}
