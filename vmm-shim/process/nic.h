/*
 * nic.h - a network interface of a namespace whose other end is a descriptor: one frame a read, one
 * frame a write, nothing before it. A tap, or a veth whose peer is read by a packet socket.
 *
 * The descriptor is what the slice's network process is handed; the interface goes when it is
 * closed (tap) or its namespace ends (veth). Errors: -1 and one line in `why`.
 */
#ifndef VMM_NIC_H
#define VMM_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_NIC_NAME_MAX 16
#define VMM_NIC_MTU 1500

struct vmm_nic {
    char name[VMM_NIC_NAME_MAX]; /* "eth0" */
    uint8_t mac[6];
    uint32_t address; /* IPv4, host order; 0: none */
    unsigned prefix;  /* [0, 32] */
    unsigned mtu;     /* 0: VMM_NIC_MTU */
    bool veth;        /* else a tap */
};

/*
 * Makes `nic` in the network namespace `ns` (descriptor), up and addressed, checksums made by the
 * kernel. Needs CAP_NET_ADMIN there, and a tap /dev/net/tun. Returns the descriptor (non-blocking,
 * closed on exec) or -1. Calls setns() of the calling thread and goes back.
 */
int vmm_nic_make(int ns, const struct vmm_nic *nic, char *why, size_t why_size);

/* Opens the namespace called `name` (of `ip netns`) or at path `name`: a descriptor, or -1. */
int vmm_nic_namespace(const char *name, char *why, size_t why_size);

/* Removes a veth made above from `ns`; a tap goes by itself. 0, or -1. */
int vmm_nic_remove(int ns, const char *name, char *why, size_t why_size);

#endif
