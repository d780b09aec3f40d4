/* interfaces.c - rtnetlink through libmnl. Contract in interfaces.h. */
#include "interfaces.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 32768 /* of one read: what the kernel puts into one */
#define OPER_UNKNOWN 0     /* RFC 2863 as in linux/if.h, which does not go with net/if.h */
#define OPER_UP 6

enum dump { DUMP_NONE, DUMP_LINKS, DUMP_ADDRESSES }; /* the answer that is being read */

struct tvl_interfaces {
    struct mnl_socket *nl;
    struct tvl_interface link[TVL_INTERFACES_MAX];
    size_t n_links;
    struct tvl_interface_address addr[TVL_ADDRESSES_MAX];
    size_t n_addrs;
    unsigned seq;
    enum dump dump;
    bool again;   /* messages were missed: ask for everything once more */
    bool changed; /* and not told yet */
};

/* ---- the tables ---- */

static struct tvl_interface *find_link(struct tvl_interfaces *t, unsigned index)
{
    for (size_t i = 0; i < t->n_links; i++)
        if (t->link[i].index == index)
            return &t->link[i];
    return NULL;
}

static void drop_addresses(struct tvl_interfaces *t, unsigned index)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n_addrs; i++)
        if (t->addr[i].index != index)
            t->addr[kept++] = t->addr[i];
    t->n_addrs = kept;
}

struct link_attributes {
    const char *name;
    uint8_t oper;
};

static int on_link_attribute(const struct nlattr *a, void *user)
{
    struct link_attributes *out = user;

    if (mnl_attr_get_type(a) == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
        out->name = mnl_attr_get_str(a);
    else if (mnl_attr_get_type(a) == IFLA_OPERSTATE && mnl_attr_validate(a, MNL_TYPE_U8) >= 0)
        out->oper = mnl_attr_get_u8(a);
    return MNL_CB_OK;
}

static void take_link(struct tvl_interfaces *t, const struct nlmsghdr *h)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    const unsigned index = (unsigned)info->ifi_index;
    struct tvl_interface *link = find_link(t, index);
    struct link_attributes said = { .name = "", .oper = OPER_UNKNOWN };

    if (info->ifi_family != AF_UNSPEC)
        return; /* a bridge telling of its ports */
    t->changed = true;
    if (h->nlmsg_type == RTM_DELLINK) {
        drop_addresses(t, index);
        if (link)
            *link = t->link[--t->n_links];
        return;
    }
    (void)mnl_attr_parse(h, sizeof *info, on_link_attribute, &said);
    if (!link && t->n_links < TVL_INTERFACES_MAX)
        link = &t->link[t->n_links++];
    if (!link)
        return;
    *link = (struct tvl_interface){
        .index = index,
        .loopback = (info->ifi_flags & IFF_LOOPBACK) != 0,
        .running = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING) &&
                   (said.oper == OPER_UNKNOWN || said.oper == OPER_UP),
    };
    strncat(link->name, said.name, sizeof link->name - 1);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->ss_family != b->ss_family)
        return false;
    return a->ss_family == AF_INET6
               ? memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0
               : a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

struct address_attributes {
    const struct nlattr *address, *local;
    uint32_t flags;
};

static int on_address_attribute(const struct nlattr *a, void *user)
{
    struct address_attributes *out = user;

    if (mnl_attr_get_type(a) == IFA_ADDRESS)
        out->address = a;
    else if (mnl_attr_get_type(a) == IFA_LOCAL)
        out->local = a;
    else if (mnl_attr_get_type(a) == IFA_FLAGS && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
        out->flags = mnl_attr_get_u32(a);
    return MNL_CB_OK;
}

/* The address a message is about; false: it holds none of ours. */
static bool address_of(const struct nlmsghdr *h, struct sockaddr_storage *out, uint32_t *flags)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    struct address_attributes said = { .flags = info->ifa_flags };
    struct sockaddr_in *sin = (void *)out;
    struct sockaddr_in6 *sin6 = (void *)out;

    memset(out, 0, sizeof *out);
    (void)mnl_attr_parse(h, sizeof *info, on_address_attribute, &said);
    *flags = said.flags;
    /* on a point-to-point link IFA_ADDRESS is the other end's */
    const struct nlattr *a = said.local ? said.local : said.address;
    const size_t len = a ? mnl_attr_get_payload_len(a) : 0;
    if (info->ifa_family == AF_INET && len == sizeof sin->sin_addr) {
        sin->sin_family = AF_INET;
        memcpy(&sin->sin_addr, mnl_attr_get_payload(a), len);
        return true;
    }
    if (info->ifa_family == AF_INET6 && len == sizeof sin6->sin6_addr) {
        sin6->sin6_family = AF_INET6;
        memcpy(&sin6->sin6_addr, mnl_attr_get_payload(a), len);
        return true;
    }
    return false;
}

static void take_address(struct tvl_interfaces *t, const struct nlmsghdr *h)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(h);
    struct tvl_interface_address fresh = { .index = info->ifa_index };
    uint32_t flags;
    size_t i = 0;

    if (!address_of(h, &fresh.addr, &flags))
        return;
    t->changed = true;
    while (i < t->n_addrs &&
           (t->addr[i].index != fresh.index || !same_host(&t->addr[i].addr, &fresh.addr)))
        i++;
    const bool good = h->nlmsg_type == RTM_NEWADDR &&
                      !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) &&
                      (info->ifa_scope < RT_SCOPE_LINK || info->ifa_family == AF_INET);
    if (!good && i < t->n_addrs) {
        t->n_addrs--;
        memmove(&t->addr[i], &t->addr[i + 1], (t->n_addrs - i) * sizeof t->addr[0]);
    } else if (good && i == t->n_addrs && t->n_addrs < TVL_ADDRESSES_MAX) {
        t->addr[t->n_addrs++] = fresh;
    }
}

/* ---- the socket ---- */

static int ask(struct tvl_interfaces *t, uint16_t type, enum dump dump)
{
    char buffer[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct rtgenmsg))] = { 0 };
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);

    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_seq = ++t->seq;
    ((struct rtgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct rtgenmsg)))->rtgen_family =
        AF_UNSPEC;
    t->dump = dump;
    return mnl_socket_sendto(t->nl, h, h->nlmsg_len) < 0 ? TVL_ERR_SYS : 0;
}

static int ask_for_all(struct tvl_interfaces *t)
{
    t->n_links = t->n_addrs = 0;
    t->again = false;
    return ask(t, RTM_GETLINK, DUMP_LINKS);
}

static int on_message(const struct nlmsghdr *h, void *user)
{
    struct tvl_interfaces *t = user;

    switch (h->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link(t, h);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        take_address(t, h);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        t->changed = true;
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

/* End of a dump, or an error: links are asked for first, then addresses. */
static void on_end(struct tvl_interfaces *t)
{
    if (t->dump == DUMP_LINKS)
        (void)ask(t, RTM_GETADDR, DUMP_ADDRESSES);
    else
        t->dump = DUMP_NONE;
}

bool tvl_interfaces_read(struct tvl_interfaces *t)
{
    static _Thread_local _Alignas(8) char buffer[BUFFER_BYTES];
    ssize_t n;

    while ((n = mnl_socket_recvfrom(t->nl, buffer, sizeof buffer)) != 0) {
        if (n < 0 && errno == ENOBUFS)
            t->again = true;
        else if (n < 0 && errno != EINTR)
            break;
        /* seq and port 0: what the kernel tells unasked is wanted as well */
        else if (n > 0 && mnl_cb_run(buffer, (size_t)n, 0, 0, on_message, t) <= MNL_CB_STOP)
            on_end(t);
        if (t->again && t->dump == DUMP_NONE)
            (void)ask_for_all(t);
    }
    if (t->dump != DUMP_NONE)
        return false; /* half a table would look as if interfaces had gone */
    const bool changed = t->changed;
    t->changed = false;
    return changed;
}

static int open_socket(struct tvl_interfaces *t)
{
    const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                            RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

    t->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!t->nl || mnl_socket_bind(t->nl, groups, MNL_SOCKET_AUTOPID) < 0)
        return TVL_ERR_SYS;
    return ask_for_all(t);
}

int tvl_interfaces_new(struct tvl_interfaces **out)
{
    struct tvl_interfaces *t = calloc(1, sizeof *t);
    int r;

    if (!t)
        return TVL_ERR_NOMEM;
    r = open_socket(t);
    /* The kernel answers within the call: all is here once both dumps are read. */
    for (unsigned i = 0; r == 0 && i < 2; i++)
        (void)tvl_interfaces_read(t);
    if (r != 0) {
        tvl_interfaces_free(t);
        return r;
    }
    *out = t;
    return 0;
}

void tvl_interfaces_free(struct tvl_interfaces *t)
{
    if (!t)
        return;
    if (t->nl)
        (void)mnl_socket_close(t->nl);
    free(t);
}

int tvl_interfaces_fd(const struct tvl_interfaces *t)
{
    return mnl_socket_get_fd(t->nl);
}

/* ---- questions ---- */

size_t tvl_interfaces_count(const struct tvl_interfaces *t)
{
    return t->n_links;
}

const struct tvl_interface *tvl_interfaces_at(const struct tvl_interfaces *t, size_t i)
{
    return &t->link[i];
}

const struct sockaddr_storage *tvl_interfaces_address(const struct tvl_interfaces *t,
                                                      unsigned index, int family)
{
    for (size_t i = 0; i < t->n_addrs; i++)
        if (t->addr[i].index == index && t->addr[i].addr.ss_family == family)
            return &t->addr[i].addr;
    return NULL;
}

const struct tvl_interface *tvl_interfaces_with(const struct tvl_interfaces *t,
                                                const struct sockaddr_storage *addr)
{
    for (size_t i = 0; i < t->n_addrs; i++)
        if (same_host(&t->addr[i].addr, addr))
            for (size_t k = 0; k < t->n_links; k++)
                if (t->link[k].index == t->addr[i].index)
                    return &t->link[k];
    return NULL;
}
