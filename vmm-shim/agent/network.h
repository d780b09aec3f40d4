/*
 * network.h - the guest's NICs: found by MAC address, given address and MTU, set up; names of the
 * others; what tells a switch that the guest is here now.
 */
#ifndef AGENT_NETWORK_H
#define AGENT_NETWORK_H

#include <jansson.h>
#include <stdint.h>

#define NETWORK_NICS_MAX 32

struct network {
    struct nic {
        char interface[16], link[32], address[16];
        uint8_t mac[6];
        uint32_t ip; /* network byte order */
        int prefix;
    } nic[NETWORK_NICS_MAX];
    size_t n;
};

/* By guest.json. What fails is noted on the console; the others are set up all the same. */
void network_up(struct network *n, const json_t *guest);
/* Loopback, host name, /etc/hosts. */
void network_names(const json_t *guest);
/* The NIC with this MAC address gets another address, in a network of the same size; what is bound
 * to the old one has lost it. 0, or -1 with errno: ENODEV, no such NIC. */
int network_readdress(struct network *n, const uint8_t mac[6], uint32_t ip);
/* A gratuitous ARP request (RFC 5227 section 3) on each NIC. -1: on none. */
int network_announce(const struct network *n);
/* [{"interface", "link", "mac", "address", "rx_bytes", ...}] */
json_t *network_stats(const struct network *n);

#endif
