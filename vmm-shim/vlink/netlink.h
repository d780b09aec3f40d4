/* netlink.h - the few requests to the kernel's rtnetlink that ports need, in the namespace we are
 * in. Each returns 0, or -1 with errno. */
#ifndef VLINK_NETLINK_H
#define VLINK_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

/* A veth pair: `name` here, `peer` in the network namespace behind `peer_namespace_fd`. */
int vlink_netlink_veth(const char *name, const char *peer, int peer_namespace_fd);

struct vlink_netlink_link {
    const char *name;
    const uint8_t *mac; /* NULL: as it is */
    uint32_t mtu;       /* 0: as it is */
    bool up;
};
int vlink_netlink_set(const struct vlink_netlink_link *l);

/* "10.77.0.1/24" or an IPv6 address. */
int vlink_netlink_address(const char *interface, const char *text);

#endif
