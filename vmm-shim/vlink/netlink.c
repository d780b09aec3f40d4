/* netlink.c - see netlink.h. */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_ROOM 1024

/* Sends one request and waits for the kernel's yes or no. */
static int talk(struct nlmsghdr *request)
{
    char answer[8192];
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s)
        return -1;
    int result = -1;
    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    request->nlmsg_seq = 1;
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(s, request, request->nlmsg_len) >= 0) {
        ssize_t n = mnl_socket_recvfrom(s, answer, sizeof answer);
        result =
            n <= 0 ? -1 : mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(s), NULL, NULL);
    }
    int error = errno;
    mnl_socket_close(s);
    errno = error;
    return result < 0 ? -1 : 0;
}

static struct nlmsghdr *new_message(char *room, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *m = mnl_nlmsg_put_header(room);
    m->nlmsg_type = type;
    m->nlmsg_flags = flags;
    return m;
}

int vlink_netlink_veth(const char *name, const char *peer, int peer_namespace_fd)
{
    char room[MESSAGE_ROOM];
    struct nlmsghdr *m = new_message(room, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    struct nlattr *other = mnl_attr_nest_start(m, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, peer);
    mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_namespace_fd);
    mnl_attr_nest_end(m, other);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, info);
    return talk(m);
}

int vlink_netlink_set(const struct vlink_netlink_link *l)
{
    char room[MESSAGE_ROOM];
    struct nlmsghdr *m = new_message(room, RTM_NEWLINK, 0);
    struct ifinfomsg *head = mnl_nlmsg_put_extra_header(m, sizeof *head);
    head->ifi_index = (int)if_nametoindex(l->name);
    if (head->ifi_index == 0)
        return -1;
    head->ifi_flags = l->up ? IFF_UP : 0;
    head->ifi_change = IFF_UP;
    if (l->mac)
        mnl_attr_put(m, IFLA_ADDRESS, 6, l->mac);
    if (l->mtu)
        mnl_attr_put_u32(m, IFLA_MTU, l->mtu);
    return talk(m);
}

int vlink_netlink_address(const char *interface, const char *text)
{
    char room[MESSAGE_ROOM], host[INET6_ADDRSTRLEN] = "";
    uint8_t bytes[16];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : 0;
    char *end = NULL;
    unsigned long prefix = slash ? strtoul(slash + 1, &end, 10) : 0;
    errno = EINVAL;
    if (len == 0 || len >= sizeof host || !end || *end || end == slash + 1)
        return -1;
    memcpy(host, text, len);
    bool v6 = strchr(host, ':') != NULL;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, bytes) != 1 || prefix > (v6 ? 128 : 32)) {
        errno = EINVAL;
        return -1;
    }
    struct nlmsghdr *m = new_message(room, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof *head);
    head->ifa_family = v6 ? AF_INET6 : AF_INET;
    head->ifa_prefixlen = (uint8_t)prefix;
    head->ifa_flags = v6 ? IFA_F_NODAD : 0;
    head->ifa_index = if_nametoindex(interface);
    mnl_attr_put(m, IFA_LOCAL, v6 ? 16 : 4, bytes);
    mnl_attr_put(m, IFA_ADDRESS, v6 ? 16 : 4, bytes);
    return talk(m);
}
