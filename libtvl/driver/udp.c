/* udp.c - UDP sockets for the driver. Contract in udp.h. */
#include "udp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

socklen_t tvl_udp_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int lookup(struct sockaddr_storage *out, const char *host, const char *port, int flags)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = flags };
    struct addrinfo *list = NULL;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return TVL_ERR_ARG;
    memset(out, 0, sizeof *out);
    memcpy(out, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return 0;
}

int tvl_udp_parse(struct sockaddr_storage *out, const char *text, enum tvl_udp_names names)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t len;
    char *end;
    int flags = AI_NUMERICSERV | (names == TVL_UDP_NUMERIC ? AI_NUMERICHOST : 0);

    if (!colon || colon[1] == '\0')
        return TVL_ERR_ARG;
    const unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > 65535)
        return TVL_ERR_ARG;
    len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return TVL_ERR_ARG; /* a bare IPv6 address: where would its port begin? */
    }
    if (len == 0 || len >= sizeof host)
        return TVL_ERR_ARG;
    memcpy(host, text, len);
    host[len] = '\0';
    return lookup(out, host, colon + 1, flags);
}

int tvl_udp_parse_host(struct sockaddr_storage *out, const char *text)
{
    return lookup(out, text, "0", AI_NUMERICHOST | AI_NUMERICSERV);
}

static void set_int(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value); /* each is a wish, none is needed */
}

static void set_wishes(int fd, int family)
{
    set_int(fd, SOL_SOCKET, SO_RCVBUF, TVL_UDP_BUFFER_BYTES);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, TVL_UDP_BUFFER_BYTES);
    if (family == AF_INET6) {
        set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    } else {
        set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
        set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
        set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    }
}

int tvl_udp_open(const struct tvl_udp_options *o, const char **what)
{
    int saved;
    const int fd = socket(o->bind_to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *what = "socket";
    if (fd < 0)
        return TVL_ERR_SYS;
    set_wishes(fd, o->bind_to.ss_family);
    *what = "interface";
    if (o->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
                                   (socklen_t)strlen(o->interface) + 1) != 0)
        goto fail;
    *what = "bind";
    if (bind(fd, (const struct sockaddr *)&o->bind_to, tvl_udp_len(&o->bind_to)) != 0)
        goto fail;
    return fd;
fail:
    saved = errno;
    close(fd);
    errno = saved;
    return TVL_ERR_SYS;
}

union control {
    max_align_t align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
                  CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void set_local(struct tvl_datagram *d, const struct cmsghdr *c,
                      const struct sockaddr_storage *bound)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        struct sockaddr_in sin = { .sin_family = AF_INET };

        memcpy(&info, CMSG_DATA(c), sizeof info);
        sin.sin_addr = info.ipi_addr;
        sin.sin_port = ((const struct sockaddr_in *)bound)->sin_port;
        memcpy(&d->local, &sin, sizeof sin);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

        memcpy(&info, CMSG_DATA(c), sizeof info);
        sin6.sin6_addr = info.ipi6_addr;
        sin6.sin6_port = ((const struct sockaddr_in6 *)bound)->sin6_port;
        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            sin6.sin6_scope_id = info.ipi6_ifindex;
        memcpy(&d->local, &sin6, sizeof sin6);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
        d->ecn = *CMSG_DATA(c) & 3;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
        int tclass;

        memcpy(&tclass, CMSG_DATA(c), sizeof tclass);
        d->ecn = (uint8_t)(tclass & 3);
    }
}

size_t tvl_udp_read(int fd, const struct sockaddr_storage *bound, struct tvl_udp_batch *batch)
{
    struct mmsghdr msg[TVL_UDP_BATCH];
    struct iovec iov[TVL_UDP_BATCH];
    union control control[TVL_UDP_BATCH];
    size_t kept = 0;

    memset(msg, 0, sizeof msg);
    for (size_t i = 0; i < TVL_UDP_BATCH; i++) {
        memset(&batch->dgram[i], 0, sizeof batch->dgram[i]);
        iov[i] = (struct iovec){ batch->bytes[i], sizeof batch->bytes[i] };
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->dgram[i].remote,
            .msg_namelen = sizeof batch->dgram[i].remote,
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
            .msg_control = &control[i],
            .msg_controllen = sizeof control[i],
        };
    }
    const int n = recvmmsg(fd, msg, TVL_UDP_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct tvl_datagram *d = &batch->dgram[i];

        d->len = msg[i].msg_len <= TVL_DATAGRAM_MAX ? msg[i].msg_len : 0; /* 0: not for us */
        d->local = *bound;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg[i].msg_hdr); c;
             c = CMSG_NXTHDR(&msg[i].msg_hdr, c))
            set_local(d, c, bound);
        kept = (size_t)i + 1;
    }
    return kept;
}

static void attach_local(struct msghdr *h, union control *control, const struct tvl_datagram *d)
{
    if (d->local.ss_family == AF_INET) {
        struct in_pktinfo info = { .ipi_spec_dst =
                                       ((const struct sockaddr_in *)&d->local)->sin_addr };

        if (info.ipi_spec_dst.s_addr == htonl(INADDR_ANY))
            return;
        h->msg_control = control;
        h->msg_controllen = CMSG_SPACE(sizeof info);
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else if (d->local.ss_family == AF_INET6) {
        struct in6_pktinfo info = { .ipi6_addr =
                                        ((const struct sockaddr_in6 *)&d->local)->sin6_addr };

        if (IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr))
            return;
        h->msg_control = control;
        h->msg_controllen = CMSG_SPACE(sizeof info);
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
}

size_t tvl_udp_write(int fd, struct tvl_udp_batch *batch, size_t first, size_t n)
{
    struct mmsghdr msg[TVL_UDP_BATCH];
    struct iovec iov[TVL_UDP_BATCH];
    union control control[TVL_UDP_BATCH];

    memset(msg, 0, sizeof msg);
    memset(control, 0, sizeof control);
    for (size_t i = first; i < n; i++) {
        iov[i] = (struct iovec){ batch->bytes[i], batch->dgram[i].len };
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->dgram[i].remote,
            .msg_namelen = tvl_udp_len(&batch->dgram[i].remote),
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
        };
        attach_local(&msg[i].msg_hdr, &control[i], &batch->dgram[i]);
    }
    while (first < n) {
        const int sent = sendmmsg(fd, msg + first, (unsigned)(n - first), MSG_DONTWAIT);

        if (sent > 0)
            first += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return first;
        else if (errno != EINTR)
            first++; /* refused: lost, and recovery will notice */
    }
    return n;
}
