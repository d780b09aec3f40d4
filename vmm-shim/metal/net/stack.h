/*
 * stack.h - as much of IPv4 as a QUIC endpoint needs: ARP (RFC 826), IPv4 without fragments
 * (RFC 791), echo replies (RFC 792), UDP (RFC 768).
 *
 *     frame ──► net_take() ──► a UDP datagram for us, or an answer by `send`
 *     UDP   ──► net_udp()  ──► frame by `send`, once the neighbour is known
 *     time  ──► net_tick() ──► questions again, forgetting
 *
 * Pure: no clock, no device; tables of fixed size, all in the struct. Whatever comes in is hostile:
 * every length is checked before it is believed, an answer is never longer than its question, and a
 * neighbour is remembered only if it was asked for or asks us. Addresses are in host order.
 */
#ifndef METAL_STACK_H
#define METAL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_INTERFACES_MAX 8u
#define NET_NEIGHBOURS_MAX 64u
#define NET_FRAME_MAX 1514u   /* bytes of Ethernet, without checksum */
#define NET_PAYLOAD_MAX 1472u /* bytes of UDP payload in that */

struct net_interface {
    uint8_t mac[6];
    uint32_t address;
    unsigned prefix; /* [0, 32] */
    uint16_t mtu;    /* bytes of IP [576, 1500] */
};

enum net_neighbour_state { NET_UNUSED, NET_ASKED, NET_KNOWN };

struct net_neighbour {
    enum net_neighbour_state state;
    uint32_t address;
    size_t interface;
    uint8_t mac[6];
    uint64_t used_at, known_at, asked_at; /* us */
    unsigned tries;                       /* questions since the last answer */
    size_t waiting;                       /* bytes of the one frame that waits; 0: none */
    uint8_t frame[NET_FRAME_MAX];
};

struct net_counts {
    uint64_t frames, datagrams_in, datagrams_out, echoes, damaged, not_ours, no_route, no_neighbour;
};

struct net {
    struct net_interface interface[NET_INTERFACES_MAX];
    size_t n_interfaces;
    uint32_t gateway; /* for what is on no interface's network; 0: none */
    struct net_neighbour neighbour[NET_NEIGHBOURS_MAX];
    struct net_counts counts;
    void (*send)(void *user, size_t interface, const uint8_t *frame, size_t length);
    void *user;
};

struct net_datagram {
    uint32_t from, to;
    uint16_t from_port, to_port;
    uint8_t ecn; /* [0, 3] */
    size_t interface;
    uint8_t *payload; /* in the frame */
    size_t length;
};

/* `send` is called within the calls below and does not call back. */
void net_init(struct net *n, void (*send)(void *, size_t, const uint8_t *, size_t), void *user);
/* 0, or -1: too many, or a value out of range. */
int net_add(struct net *n, const struct net_interface *i);

/* A frame that came in at `interface`, `length` bytes; it may be written to. true: *out is a UDP
 * datagram to an address of ours. */
bool net_take(struct net *n, size_t interface, uint8_t *frame, size_t length, uint64_t now,
              struct net_datagram *out);
/*
 * Send a UDP datagram; `from` 0: the address of the interface it leaves by. 0, or -1: there is no
 * way there, or it is too long. If the neighbour is not known yet, it waits (only the last one
 * does).
 */
int net_udp(struct net *n, const struct net_datagram *d, uint64_t now);
/* The interface by which an address is reached, or -1; `from` as above. */
int net_route(const struct net *n, uint32_t from, uint32_t to);
/* Tell all who we are: after a start, and after a move to another host (RFC 5227 2.3). */
void net_announce(struct net *n);

uint64_t net_due(const struct net *n); /* of net_tick, us; UINT64_MAX: never */
void net_tick(struct net *n, uint64_t now);

#endif
