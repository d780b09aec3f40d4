/* udp.c - addresses as people write them, and UDP sockets. Contract in udp.h; udp_io.c reads and
 * writes them. */
#include "udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

socklen_t tvl_udp_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* How many addresses of `host` there are [1, cap], or TVL_ERR_ARG. */
static int lookup(struct sockaddr_storage *out, size_t cap, const char *host, const char *port,
                  int flags)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = flags };
    struct addrinfo *list = NULL;
    size_t n = 0;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return TVL_ERR_ARG;
    for (const struct addrinfo *i = list; i && n < cap; i = i->ai_next) {
        memset(&out[n], 0, sizeof out[n]);
        memcpy(&out[n++], i->ai_addr, i->ai_addrlen);
    }
    freeaddrinfo(list);
    return (int)n;
}

static int parse(struct sockaddr_storage *out, size_t cap, const char *text,
                 enum tvl_udp_names names)
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
    return lookup(out, cap, host, colon + 1, flags);
}

int tvl_udp_parse(struct sockaddr_storage *out, const char *text, enum tvl_udp_names names)
{
    return parse(out, 1, text, names) == 1 ? 0 : TVL_ERR_ARG;
}

int tvl_udp_parse_all(struct sockaddr_storage *out, size_t cap, const char *text)
{
    return parse(out, cap, text, TVL_UDP_RESOLVE);
}

int tvl_udp_parse_host(struct sockaddr_storage *out, const char *text)
{
    return lookup(out, 1, text, "0", AI_NUMERICHOST | AI_NUMERICSERV) == 1 ? 0 : TVL_ERR_ARG;
}

static bool set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* As large as may be: beyond the system's bound only with the right to. */
static void set_buffers(int fd)
{
    if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, TVL_UDP_BUFFER_BYTES))
        (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, TVL_UDP_BUFFER_BYTES);
    if (!set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, TVL_UDP_BUFFER_BYTES))
        (void)set_int(fd, SOL_SOCKET, SO_SNDBUF, TVL_UDP_BUFFER_BYTES);
}

/* Each is a wish, none is needed. */
static void set_wishes(struct tvl_udp *u, int family)
{
    const struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };
    int segment;
    socklen_t len = sizeof segment;

    set_buffers(u->fd);
    if (family == AF_INET6) {
        (void)set_int(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        (void)set_int(u->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        (void)set_int(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        (void)set_int(u->fd, IPPROTO_IP, IP_RECVTOS, 1); /* of mapped IPv4 */
    } else {
        (void)set_int(u->fd, IPPROTO_IP, IP_PKTINFO, 1);
        (void)set_int(u->fd, IPPROTO_IP, IP_RECVTOS, 1);
        (void)set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    }
    (void)set_int(u->fd, IPPROTO_UDP, UDP_GRO, 1);
    (void)set_int(u->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    u->joins = getsockopt(u->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &len) == 0;
    u->timed = setsockopt(u->fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof txtime) == 0;
}

int tvl_udp_open(struct tvl_udp *out, const struct tvl_udp_options *o, const char **what)
{
    struct tvl_udp u = { .fd = -1 };
    socklen_t len = sizeof u.bound;
    int saved;

    u.fd = socket(o->bind_to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *what = "socket";
    if (u.fd < 0)
        return TVL_ERR_SYS;
    set_wishes(&u, o->bind_to.ss_family);
    *what = "interface";
    if (o->interface && setsockopt(u.fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
                                   (socklen_t)strlen(o->interface) + 1) != 0)
        goto fail;
    *what = "shared port";
    if (o->share_port && !set_int(u.fd, SOL_SOCKET, SO_REUSEPORT, 1))
        goto fail;
    *what = "bind";
    if (bind(u.fd, (const struct sockaddr *)&o->bind_to, tvl_udp_len(&o->bind_to)) != 0 ||
        getsockname(u.fd, (struct sockaddr *)&u.bound, &len) != 0)
        goto fail;
    *out = u;
    return 0;
fail:
    saved = errno;
    close(u.fd);
    errno = saved;
    return TVL_ERR_SYS;
}
