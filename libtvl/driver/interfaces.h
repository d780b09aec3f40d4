/*
 * interfaces.h - the network interfaces of this host and their addresses, kept up to date by
 * rtnetlink(7). No paths, no connections, no loop: the owner reads when the socket is readable.
 */
#ifndef TVL_DRIVER_INTERFACES_H
#define TVL_DRIVER_INTERFACES_H

#include <net/if.h>
#include <tvl/tvl.h>

#define TVL_INTERFACES_MAX 64 /* interfaces known at once; more are not seen */
#define TVL_ADDRESSES_MAX 256 /* addresses of all of them */

struct tvl_interface {
    unsigned index;
    char name[IF_NAMESIZE];
    bool running; /* up, and it has a carrier */
    bool loopback;
};

struct tvl_interface_address {
    unsigned index; /* of its interface */
    struct sockaddr_storage addr;
};

struct tvl_interfaces;

/* Opens the socket and asks for all there is. 0, TVL_ERR_NOMEM or TVL_ERR_SYS. */
int tvl_interfaces_new(struct tvl_interfaces **out);
void tvl_interfaces_free(struct tvl_interfaces *t);
int tvl_interfaces_fd(const struct tvl_interfaces *t);
/* Take what the kernel has said. True: something changed, be it only a route. */
bool tvl_interfaces_read(struct tvl_interfaces *t);

size_t tvl_interfaces_count(const struct tvl_interfaces *t);
const struct tvl_interface *tvl_interfaces_at(const struct tvl_interfaces *t, size_t i);
/* An address of the family that others can answer to (not link-local, not still being probed);
 * NULL: none. Stays the same while the interface keeps it. */
const struct sockaddr_storage *tvl_interfaces_address(const struct tvl_interfaces *t,
                                                      unsigned index, int family);
/* The interface that has this very address; NULL: none. The port is not looked at. */
const struct tvl_interface *tvl_interfaces_with(const struct tvl_interfaces *t,
                                                const struct sockaddr_storage *addr);

#endif
