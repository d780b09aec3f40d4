/* interfaces.c - asks the system which interfaces could reach the server. */
#include "interfaces.h"

#include <arpa/inet.h>
#include <ev.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bridges of containers and virtual machines lead nowhere. */
static bool is_inner(const char *name)
{
    static const char *const prefixes[] = { "docker", "br-", "veth", "virbr", "lxc", "cni" };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static const void *raw_address(const struct sockaddr *a, size_t *len)
{
    *len = a->sa_family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    return a->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
                                    : (const void *)&((const struct sockaddr_in *)a)->sin_addr;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    size_t len;
    if (a->sa_family != b->sa_family)
        return false;
    const void *x = raw_address(a, &len), *y = raw_address(b, &len);
    return memcmp(x, y, len) == 0;
}

/* Local address of the system's own choice towards the server; a connected UDP socket sends
 * nothing. 0 or -1. */
static int routed_address(const struct uri *server, struct sockaddr_storage *local)
{
    char port[8];
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found = NULL;
    socklen_t len = sizeof *local;
    int result = -1;
    snprintf(port, sizeof port, "%u", server->port);
    if (getaddrinfo(server->host, port, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
        getsockname(fd, (struct sockaddr *)local, &len) == 0)
        result = 0;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return result;
}

static bool listed(const struct path_spec *out, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(out[i].interface, name) == 0)
            return true;
    return false;
}

static bool usable(const struct ifaddrs *i, sa_family_t family)
{
    if (!i->ifa_addr || i->ifa_addr->sa_family != family || !(i->ifa_flags & IFF_UP) ||
        !(i->ifa_flags & IFF_RUNNING) || (i->ifa_flags & IFF_LOOPBACK) || is_inner(i->ifa_name))
        return false;
    return family != AF_INET6 ||
           !IN6_IS_ADDR_LINKLOCAL(
               &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr);
}

size_t interfaces_find(const struct uri *server, struct path_spec *out, size_t cap)
{
    struct sockaddr_storage local;
    struct ifaddrs *all = NULL;
    size_t n = 1;
    memset(&out[0], 0, sizeof out[0]);
    snprintf(out[0].name, sizeof out[0].name, "default");
    if (routed_address(server, &local) != 0 || getifaddrs(&all) != 0)
        return 1; /* the connection attempt will say what is wrong */
    const struct sockaddr *routed = (const struct sockaddr *)&local;
    const char *own = NULL;
    bool loopback = false;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && same_address(i->ifa_addr, routed)) {
            own = i->ifa_name;
            loopback = i->ifa_flags & IFF_LOOPBACK;
            break;
        }
    if (own)
        snprintf(out[0].name, sizeof out[0].name, "%.15s", own);
    for (const struct ifaddrs *i = all; i && n < cap && n < INTERFACES_MAX && !loopback;
         i = i->ifa_next) {
        if (!usable(i, local.ss_family) || (own && strcmp(own, i->ifa_name) == 0) ||
            listed(out + 1, n - 1, i->ifa_name) || strlen(i->ifa_name) >= sizeof out[n].interface)
            continue;
        memset(&out[n], 0, sizeof out[n]);
        snprintf(out[n].interface, sizeof out[n].interface, "%s", i->ifa_name);
        snprintf(out[n].name, sizeof out[n].name, "%s", i->ifa_name);
        n++;
    }
    freeifaddrs(all);
    return n;
}

/* ---- changes: rtnetlink(7), of which only that something was said counts ---- */

struct interfaces_watch {
    struct ev_loop *loop;
    ev_io io;
    void (*on_change)(void *user);
    void *user;
};

static void on_said(struct ev_loop *loop, ev_io *io, int events)
{
    struct interfaces_watch *w = io->data;
    char said[8192];
    (void)loop;
    (void)events;
    while (recv(io->fd, said, sizeof said, MSG_DONTWAIT) > 0)
        continue;
    w->on_change(w->user);
}

struct interfaces_watch *interfaces_watch_new(struct ev_loop *loop, void (*on_change)(void *user),
                                              void *user)
{
    const struct sockaddr_nl all = { .nl_family = AF_NETLINK,
                                     .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                                  RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                                  RTMGRP_IPV6_ROUTE };
    struct interfaces_watch *w = calloc(1, sizeof *w);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (!w || fd < 0 || bind(fd, (const struct sockaddr *)&all, sizeof all) != 0) {
        if (fd >= 0)
            close(fd);
        free(w);
        return NULL;
    }
    *w = (struct interfaces_watch){ .loop = loop, .on_change = on_change, .user = user };
    ev_io_init(&w->io, on_said, fd, EV_READ);
    w->io.data = w;
    ev_io_start(loop, &w->io);
    return w;
}

void interfaces_watch_free(struct interfaces_watch *w)
{
    if (!w)
        return;
    ev_io_stop(w->loop, &w->io);
    close(w->io.fd);
    free(w);
}
