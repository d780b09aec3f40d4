/*
 * interface.c - see interface.h. What the child process does:
 *
 *     tap:  enter the namespace ─► /dev/net/tun ─► configure ─► the descriptor back
 *     veth: enter an unnamed one ─► veth pair, other end into the namespace ─► packet socket on
 *           ours ─► enter the namespace ─► configure ─► the socket back
 */
#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink.h"

#define FAR "far" /* our end of a veth, alone in its namespace */

struct job {
    enum vlink_port_kind kind;
    const struct vlink_interface_place *place;
    int namespace_fd;
    char *why;
    size_t why_size;
};

static int fail(const struct job *j, const char *what)
{
    int error = errno;
    snprintf(j->why, j->why_size, "%s %s%s%.128s: %s: %s%s", vlink_port_kind_names[j->kind],
             j->place->interface, j->place->namespace_[0] ? " in " : "", j->place->namespace_, what,
             strerror(error),
             error == EEXIST ? "; another slice has a link of this name there" : "");
    return -1;
}

/* ---- namespaces ---- */

static int open_namespace(struct job *j)
{
    const char *name = j->place->namespace_;
    char path[VLINK_TEXT_MAX + 16];
    if (!name[0])
        snprintf(path, sizeof path, "/proc/self/ns/net");
    else if (strchr(name, '/'))
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "/run/netns/%s", name);
    j->namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
    return j->namespace_fd < 0 ? fail(j, "no such namespace") : 0;
}

/* Into the network namespace; where that is not allowed, first into the user namespace it is of,
 * which is allowed when our user made it. */
static int enter_namespace(const struct job *j)
{
    if (setns(j->namespace_fd, CLONE_NEWNET) == 0)
        return 0;
    if (errno != EPERM)
        return fail(j, "cannot enter the namespace");
    int user = ioctl(j->namespace_fd, NS_GET_USERNS);
    if (user < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(j->namespace_fd, CLONE_NEWNET) < 0) {
        errno = EPERM;
        return fail(j, "cannot enter the namespace (root can, or who made it with its own user "
                       "namespace)");
    }
    return 0;
}

/* ---- interfaces ---- */

/* What the sender leaves to hardware would reach us undone: checksums, and frames of 64 KiB. */
static int no_offloads(const struct job *j, const char *name)
{
    static const uint32_t commands[] = { ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO,
                                         ETHTOOL_SGRO };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -1 : 0;
    for (size_t i = 0; result == 0 && i < sizeof commands / sizeof *commands; i++) {
        struct ethtool_value value = { .cmd = commands[i], .data = 0 };
        struct ifreq ifr = { .ifr_data = (char *)&value };
        snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
        if (ioctl(fd, SIOCETHTOOL, &ifr) < 0 && errno != EOPNOTSUPP)
            result = -1;
    }
    if (result < 0)
        fail(j, "offloads cannot be switched off");
    if (fd >= 0)
        close(fd);
    return result;
}

/* Inside the namespace: MAC, MTU, up, address. */
static int configure(const struct job *j)
{
    const struct vlink_interface_place *p = j->place;
    const struct vlink_netlink_link link = {
        .name = p->interface, .mac = p->has_mac ? p->mac : NULL, .mtu = p->mtu, .up = true
    };
    if (vlink_netlink_set(&link) < 0)
        return fail(j, "cannot be set up");
    if (p->address[0] && vlink_netlink_address(p->interface, p->address) < 0)
        return fail(j, "cannot be given its address");
    return 0;
}

static int open_tap(const struct job *j)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    if (j->place->namespace_[0] && enter_namespace(j) < 0)
        return -1;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(j, "/dev/net/tun (a tap needs root, a veth does not)");
    memcpy(ifr.ifr_name, j->place->interface, sizeof ifr.ifr_name);
    if (if_nametoindex(j->place->interface)) {
        errno = EEXIST;
        return fail(j, "cannot be made");
    }
    if (ioctl(fd, TUNSETIFF, &ifr) < 0)
        return fail(j, "cannot be made");
    return configure(j) < 0 ? -1 : fd;
}

/* A socket for all frames that come to interface `FAR` of the namespace we are in. */
static int packet_socket(const struct job *j)
{
    const int on = 1;
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex(FAR) };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return fail(j, "packet socket");
    return fd;
}

/* Our end's own kernel shall say nothing. */
static void be_silent(void)
{
    int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* no IPv6 there */
    (void)!write(fd, "1", 1);
    close(fd);
}

static int open_veth(const struct job *j)
{
    /* Entered once now for its rights, where they come from its user namespace. */
    if (enter_namespace(j) < 0)
        return -1;
    if (if_nametoindex(j->place->interface)) {
        errno = EEXIST;
        return fail(j, "cannot be made");
    }
    if (unshare(CLONE_NEWNET) < 0)
        return fail(j, "a namespace for our end");
    be_silent();
    if (vlink_netlink_veth(FAR, j->place->interface, j->namespace_fd) < 0)
        return fail(j, "cannot be made");
    const struct vlink_netlink_link far = { .name = FAR, .mtu = j->place->mtu, .up = true };
    if (vlink_netlink_set(&far) < 0)
        return fail(j, "our end cannot be set up");
    int fd = no_offloads(j, FAR) < 0 ? -1 : packet_socket(j);
    if (fd < 0 || enter_namespace(j) < 0 || no_offloads(j, j->place->interface) < 0 ||
        configure(j) < 0)
        return -1;
    return fd;
}

/* ---- the child, and what it says ---- */

static void say_descriptor(int to, int fd)
{
    char byte = 0, room[CMSG_SPACE(sizeof fd)] = { 0 };
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    (void)!sendmsg(to, &msg, MSG_NOSIGNAL);
}

static _Noreturn void child(struct job *j, int to)
{
    int fd = open_namespace(j);
    if (fd == 0)
        fd = j->kind == VLINK_PORT_TAP ? open_tap(j) : open_veth(j);
    if (fd >= 0)
        say_descriptor(to, fd);
    else
        (void)!send(to, j->why, strlen(j->why), MSG_NOSIGNAL);
    _exit(0);
}

/* The descriptor, or -1 and the child's line in `why`. */
static int hear(int from, char *why, size_t why_size)
{
    char text[2 * VLINK_WHY_MAX] = "", room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { .iov_base = text, .iov_len = sizeof text - 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
    };
    ssize_t n;
    do
        n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS) {
        int fd;
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
        return fd;
    }
    snprintf(why, why_size, "%.255s", n > 0 ? text : "the process that makes interfaces died");
    return -1;
}

int vlink_interface_open(enum vlink_port_kind kind, const struct vlink_interface_place *place,
                         char *why, size_t why_size)
{
    int pair[2];
    struct job j = { .kind = kind, .place = place, .why = why, .why_size = why_size };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(&j, "socket");
    pid_t pid = fork();
    if (pid == 0)
        child(&j, pair[1]);
    close(pair[1]);
    int fd = pid < 0 ? fail(&j, "process") : hear(pair[0], why, why_size);
    close(pair[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return fd;
}
