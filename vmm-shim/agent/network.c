/* network.c - see network.h. By ioctl (netdevice(7)): a NIC is set up once, and nothing is listed.
 */
#include "agent/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/file.h"

#define NET "/sys/class/net"

/* Name of the interface with this MAC address, as in "52:54:00:00:00:01"; -1: none. */
static int find(const char *mac, char out[16])
{
    DIR *d = opendir(NET);
    int result = -1;
    char path[sizeof(NET) + 300], line[64];

    for (struct dirent *e; d && result < 0 && (e = readdir(d));) {
        snprintf(path, sizeof(path), NET "/%s/address", e->d_name);
        if (e->d_name[0] != '.' && strlen(e->d_name) < 16 &&
            file_line(path, line, sizeof(line)) == 0 && strcasecmp(line, mac) == 0) {
            memcpy(out, e->d_name, strlen(e->d_name) + 1);
            result = 0;
        }
    }
    if (d)
        closedir(d);
    return result;
}

static struct ifreq request(const char *interface)
{
    struct ifreq r = { .ifr_flags = 0 };

    memcpy(r.ifr_name, interface, strnlen(interface, sizeof(r.ifr_name) - 1));
    return r;
}

static int set_address(int fd, const char *interface, unsigned long what, uint32_t ip)
{
    struct ifreq r = request(interface);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = ip };

    memcpy(&r.ifr_addr, &in, sizeof(in));
    return ioctl(fd, what, &r);
}

static int set_up(int fd, const char *interface)
{
    struct ifreq r = request(interface);

    if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        return -1;
    r.ifr_flags = (short)(r.ifr_flags | IFF_UP | IFF_RUNNING);
    return ioctl(fd, SIOCSIFFLAGS, &r);
}

/* The mask after the address: the kernel thinks of classes when an address is set. */
static int set_both(int fd, const struct nic *n)
{
    const uint32_t mask =
        n->prefix > 0 && n->prefix <= 32 ? htonl(~UINT32_C(0) << (32 - n->prefix)) : 0;

    return set_address(fd, n->interface, SIOCSIFADDR, n->ip) < 0 ||
                   set_address(fd, n->interface, SIOCSIFNETMASK, mask) < 0
               ? -1
               : 0;
}

static int configure(int fd, const struct nic *n, int mtu)
{
    struct ifreq r = request(n->interface);

    r.ifr_mtu = mtu;
    if (mtu > 0 && ioctl(fd, SIOCSIFMTU, &r) < 0)
        return -1;
    return set_both(fd, n) < 0 || set_up(fd, n->interface) < 0 ? -1 : 0;
}

static void add(struct network *net, int fd, json_t *j)
{
    const char *mac = NULL, *address = NULL, *link = "";
    int mtu = 0;
    struct nic n = { .ip = 0 };

    if (json_unpack(j, "{s:s,s:s,s:i,s?i,s?s}", "mac", &mac, "address", &address, "prefix",
                    &n.prefix, "mtu", &mtu, "link", &link) < 0 ||
        inet_pton(AF_INET, address, &n.ip) != 1 ||
        sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &n.mac[0], &n.mac[1], &n.mac[2],
               &n.mac[3], &n.mac[4], &n.mac[5]) != 6) {
        note("a NIC of guest.json makes no sense");
        return;
    }
    snprintf(n.link, sizeof(n.link), "%s", link);
    snprintf(n.address, sizeof(n.address), "%.15s", address);
    if (find(mac, n.interface) < 0) {
        note("no NIC has the address %s", mac);
        return;
    }
    if (configure(fd, &n, mtu) < 0)
        note("%s: %s", n.interface, strerror(errno));
    if (net->n < NETWORK_NICS_MAX)
        net->nic[net->n++] = n;
}

void network_up(struct network *n, const json_t *guest)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t i;
    json_t *j;

    n->n = 0;
    if (set_up(fd, "lo") < 0)
        note("lo: %s", strerror(errno));
    json_array_foreach(json_object_get(guest, "nics"), i, j) add(n, fd, j);
    close(fd);
}

int network_readdress(struct network *n, const uint8_t mac[6], uint32_t ip)
{
    for (size_t i = 0; i < n->n; i++) {
        struct nic *nic = &n->nic[i];
        struct nic changed = *nic;
        const int fd =
            memcmp(nic->mac, mac, 6) == 0 ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

        if (memcmp(nic->mac, mac, 6) != 0)
            continue;
        changed.ip = ip;
        inet_ntop(AF_INET, &ip, changed.address, sizeof(changed.address));
        const int result = fd < 0 ? -1 : set_both(fd, &changed);
        if (fd >= 0)
            close(fd);
        if (result == 0)
            *nic = changed;
        return result;
    }
    errno = ENODEV;
    return -1;
}

void network_names(const json_t *guest)
{
    const char *node = json_string_value(json_object_get(guest, "node")), *name;
    json_t *address;
    FILE *f = fopen("/etc/hosts", "we");

    node = node ? node : "guest";
    if (sethostname(node, strlen(node)) < 0)
        note("%s: %s", node, strerror(errno));
    if (!f)
        return;
    fprintf(f, "127.0.0.1 localhost\n::1 localhost\n");
    json_object_foreach(json_object_get(guest, "hosts"), name, address)
        fprintf(f, "%s %s\n", json_string_value(address), name);
    if (!json_object_get(json_object_get(guest, "hosts"), node))
        fprintf(f, "127.0.1.1 %s\n", node);
    fclose(f);
}

static int announce(const struct nic *n)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ARP),
                              .sll_ifindex = (int)if_nametoindex(n->interface),
                              .sll_halen = 6 };
    struct ether_arp arp = { .arp_pro = htons(ETH_P_IP) };
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));

    memset(to.sll_addr, 0xff, 6);
    arp.arp_hrd = htons(ARPHRD_ETHER);
    arp.arp_hln = 6;
    arp.arp_pln = 4;
    arp.arp_op = htons(ARPOP_REQUEST);
    memcpy(arp.arp_sha, n->mac, 6);
    memcpy(arp.arp_spa, &n->ip, 4);
    memcpy(arp.arp_tpa, &n->ip, 4);
    const ssize_t sent =
        fd < 0 ? -1 : sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to));
    if (fd >= 0)
        close(fd);
    return sent == (ssize_t)sizeof(arp) ? 0 : -1;
}

int network_announce(const struct network *n)
{
    int result = n->n ? -1 : 0;

    for (size_t i = 0; i < n->n; i++)
        if (announce(&n->nic[i]) == 0)
            result = 0;
    return result;
}

json_t *network_stats(const struct network *n)
{
    static const char *const counters[] = { "rx_bytes", "rx_packets", "rx_dropped",
                                            "tx_bytes", "tx_packets", "tx_dropped" };
    json_t *all = json_array();

    for (size_t i = 0; i < n->n; i++) {
        const struct nic *c = &n->nic[i];
        json_t *one = json_pack("{s:s,s:s,s:s}", "interface", c->interface, "link", c->link,
                                "address", c->address);
        for (size_t k = 0; k < sizeof(counters) / sizeof(counters[0]); k++) {
            char path[96], line[32];
            snprintf(path, sizeof(path), NET "/%s/statistics/%s", c->interface, counters[k]);
            if (file_line(path, line, sizeof(line)) == 0)
                json_object_set_new(one, counters[k], json_integer(strtoll(line, NULL, 10)));
        }
        json_array_append_new(all, one);
    }
    return all;
}
