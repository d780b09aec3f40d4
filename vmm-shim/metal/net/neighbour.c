/* neighbour.c - see neighbour.h; net_announce, net_due and net_tick of stack.h. */
#include "neighbour.h"

#include "frame.h"

#define ARP_LENGTH 28u
#define ASK_EVERY 1000000u /* us */
#define TRIES 3u
#define FRESH 60000000u /* us that an answer is believed unasked */

enum arp { /* offsets behind the Ethernet header */
           ARP_KIND = 0,
           ARP_OPERATION = 6,
           ARP_FROM_MAC = 8,
           ARP_FROM = 14,
           ARP_TO_MAC = 18,
           ARP_TO = 24,
};
enum operation { REQUEST = 1, REPLY = 2 };

static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t kind[6] = { 0, 1, 8, 0, 6, 4 }; /* Ethernet, IPv4, their lengths */

static void send_arp(struct net *n, size_t interface, enum operation operation,
                     const uint8_t to_mac[6], uint32_t to)
{
    const struct net_interface *i = &n->interface[interface];
    uint8_t frame[FRAME_HEADER + ARP_LENGTH], *arp = frame + FRAME_HEADER;

    frame_header(frame, to_mac, i->mac, FRAME_ARP);
    memcpy(arp + ARP_KIND, kind, sizeof kind);
    put16(arp + ARP_OPERATION, (uint16_t)operation);
    memcpy(arp + ARP_FROM_MAC, i->mac, 6);
    put32(arp + ARP_FROM, i->address);
    memset(arp + ARP_TO_MAC, 0, 6);
    if (operation == REPLY)
        memcpy(arp + ARP_TO_MAC, to_mac, 6);
    put32(arp + ARP_TO, to);
    n->send(n->user, interface, frame, sizeof frame);
}

static void ask(struct net *n, struct net_neighbour *e, uint64_t now)
{
    e->asked_at = now;
    e->tries++;
    send_arp(n, e->interface, REQUEST, everybody, e->address);
}

static struct net_neighbour *find(struct net *n, size_t interface, uint32_t address)
{
    for (size_t i = 0; i < NET_NEIGHBOURS_MAX; i++) {
        struct net_neighbour *e = &n->neighbour[i];

        if (e->state != NET_UNUSED && e->address == address && e->interface == interface)
            return e;
    }
    return NULL;
}

static void forget(struct net *n, struct net_neighbour *e)
{
    n->counts.no_neighbour += e->waiting > 0;
    e->state = NET_UNUSED;
    e->waiting = 0;
}

/* A new entry, in the place of the one that was not used for longest. */
static struct net_neighbour *make(struct net *n, size_t interface, uint32_t address, uint64_t now)
{
    struct net_neighbour *e = &n->neighbour[0];

    for (size_t i = 0; i < NET_NEIGHBOURS_MAX && e->state != NET_UNUSED; i++)
        if (n->neighbour[i].state == NET_UNUSED || n->neighbour[i].used_at < e->used_at)
            e = &n->neighbour[i];
    if (e->state != NET_UNUSED)
        forget(n, e);
    e->state = NET_ASKED;
    e->address = address;
    e->interface = interface;
    e->used_at = now;
    e->tries = 0;
    return e;
}

static void learn(struct net *n, struct net_neighbour *e, const uint8_t mac[6], uint64_t now)
{
    e->state = NET_KNOWN;
    memcpy(e->mac, mac, 6);
    e->known_at = now;
    e->tries = 0;
    if (e->waiting == 0)
        return;
    memcpy(e->frame, mac, 6);
    n->send(n->user, e->interface, e->frame, e->waiting);
    e->waiting = 0;
}

void neighbour_send(struct net *n, size_t interface, uint32_t address, uint8_t *frame,
                    size_t length, uint64_t now)
{
    struct net_neighbour *e = find(n, interface, address);

    if (!e) {
        e = make(n, interface, address, now);
        ask(n, e, now);
    }
    e->used_at = now;
    if (e->state == NET_KNOWN) {
        memcpy(frame, e->mac, 6);
        n->send(n->user, interface, frame, length);
        if (now - e->known_at >= FRESH && now - e->asked_at >= ASK_EVERY)
            ask(n, e, now);
        return;
    }
    n->counts.no_neighbour += e->waiting > 0; /* the newer one waits */
    memcpy(e->frame, frame, length);
    e->waiting = length;
}

void neighbour_take(struct net *n, size_t interface, const uint8_t *frame, size_t length,
                    uint64_t now)
{
    const struct net_interface *i = &n->interface[interface];
    const uint8_t *arp = frame + FRAME_HEADER, *mac = arp + ARP_FROM_MAC;

    if (length < FRAME_HEADER + ARP_LENGTH || memcmp(arp + ARP_KIND, kind, sizeof kind) != 0 ||
        mac[0] & 1) {
        n->counts.damaged++;
        return;
    }
    const uint32_t from = get32(arp + ARP_FROM);
    const bool asks_us = get16(arp + ARP_OPERATION) == REQUEST && get32(arp + ARP_TO) == i->address;
    struct net_neighbour *e = find(n, interface, from);
    if (from == i->address) /* somebody has our address: nothing can be done about it here */
        return;
    if (!e && asks_us && from != 0)
        e = make(n, interface, from, now);
    if (e)
        learn(n, e, mac, now);
    if (asks_us)
        send_arp(n, interface, REPLY, mac, from);
}

void net_announce(struct net *n)
{
    for (size_t i = 0; i < n->n_interfaces; i++)
        send_arp(n, i, REQUEST, everybody, n->interface[i].address);
}

static bool is_asked(const struct net_neighbour *e)
{
    return e->state != NET_UNUSED && e->tries > 0;
}

uint64_t net_due(const struct net *n)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < NET_NEIGHBOURS_MAX; i++)
        if (is_asked(&n->neighbour[i]) && n->neighbour[i].asked_at + ASK_EVERY < due)
            due = n->neighbour[i].asked_at + ASK_EVERY;
    return due;
}

void net_tick(struct net *n, uint64_t now)
{
    for (size_t i = 0; i < NET_NEIGHBOURS_MAX; i++) {
        struct net_neighbour *e = &n->neighbour[i];

        if (!is_asked(e) || now - e->asked_at < ASK_EVERY)
            continue;
        if (e->tries < TRIES)
            ask(n, e, now);
        else
            forget(n, e);
    }
}
