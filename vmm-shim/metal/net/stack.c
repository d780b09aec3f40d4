/* stack.c - IPv4, ICMP and UDP. See stack.h; ARP is in neighbour.c. */
#include "stack.h"

#include <string.h>

#include "bytes.h"
#include "frame.h"
#include "neighbour.h"

enum ip { /* offsets in the header */
          IP_SERVICE = 1,
          IP_LENGTH = 2,
          IP_FRAGMENT = 6,
          IP_LIFE = 8,
          IP_PROTOCOL = 9,
          IP_SUM = 10,
          IP_FROM = 12,
          IP_TO = 16,
};
#define IP_HEADER 20u
#define IP_DO_NOT_FRAGMENT 0x4000u
#define IP_LIFETIME 64u
#define UDP_HEADER 8u
#define ICMP_HEADER 8u
#define ICMP_ECHO 8u
#define ICMP_ECHO_REPLY 0u

enum protocol { ICMP = 1, UDP = 17 };

void net_init(struct net *n, void (*send)(void *, size_t, const uint8_t *, size_t), void *user)
{
    memset(n, 0, sizeof *n);
    n->send = send;
    n->user = user;
}

int net_add(struct net *n, const struct net_interface *i)
{
    if (n->n_interfaces == NET_INTERFACES_MAX || i->prefix > 32 || i->mtu < 576 || i->mtu > 1500 ||
        i->address == 0)
        return -1;
    n->interface[n->n_interfaces++] = *i;
    return 0;
}

/* ---- out ---- */

static bool on_network(const struct net_interface *i, uint32_t address)
{
    const uint32_t mask = i->prefix ? UINT32_MAX << (32 - i->prefix) : 0;

    return (address & mask) == (i->address & mask);
}

/* The interface to leave by, and on *next who is to get the frame. */
static int route(const struct net *n, uint32_t from, uint32_t to, uint32_t *next)
{
    const uint32_t hops[2] = { to, n->gateway };

    for (unsigned h = 0; h < 2; h++)
        for (size_t i = 0; i < n->n_interfaces && hops[h]; i++)
            if ((from == 0 || from == n->interface[i].address) &&
                on_network(&n->interface[i], hops[h])) {
                *next = hops[h];
                return (int)i;
            }
    return -1;
}

int net_route(const struct net *n, uint32_t from, uint32_t to)
{
    uint32_t next;

    return route(n, from, to, &next);
}

static uint64_t sum_pseudo(uint32_t from, uint32_t to, enum protocol protocol, size_t length)
{
    return (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + (uint64_t)protocol +
           length;
}

static void write_ip(uint8_t *ip, uint32_t from, uint32_t to, uint8_t ecn, size_t length)
{
    memset(ip, 0, IP_HEADER);
    ip[0] = 0x45;
    ip[IP_SERVICE] = ecn;
    put16(ip + IP_LENGTH, (uint16_t)(IP_HEADER + UDP_HEADER + length));
    put16(ip + IP_FRAGMENT, IP_DO_NOT_FRAGMENT); /* so its identification is of no account */
    ip[IP_LIFE] = IP_LIFETIME;
    ip[IP_PROTOCOL] = UDP;
    put32(ip + IP_FROM, from);
    put32(ip + IP_TO, to);
    put16(ip + IP_SUM, fold16(sum16(ip, IP_HEADER, 0)));
}

static void write_udp(uint8_t *udp, const struct net_datagram *d, uint32_t from)
{
    const size_t length = UDP_HEADER + d->length;
    uint16_t sum;

    put16(udp, d->from_port);
    put16(udp + 2, d->to_port);
    put16(udp + 4, (uint16_t)length);
    put16(udp + 6, 0);
    memcpy(udp + UDP_HEADER, d->payload, d->length);
    sum = fold16(sum16(udp, length, sum_pseudo(from, d->to, UDP, length)));
    put16(udp + 6, sum ? sum : 0xffff); /* 0 would say: none */
}

int net_udp(struct net *n, const struct net_datagram *d, uint64_t now)
{
    uint8_t frame[NET_FRAME_MAX];
    uint32_t next;
    const int out = route(n, d->from, d->to, &next);

    if (out < 0 || d->length + UDP_HEADER + IP_HEADER > n->interface[out].mtu) {
        n->counts.no_route++;
        return -1;
    }
    const uint32_t from = n->interface[out].address;
    frame_header(frame, NULL, n->interface[out].mac, FRAME_IPV4);
    write_ip(frame + FRAME_HEADER, from, d->to, d->ecn & 3, d->length);
    write_udp(frame + FRAME_HEADER + IP_HEADER, d, from);
    n->counts.datagrams_out++;
    neighbour_send(n, (size_t)out, next, frame, FRAME_HEADER + IP_HEADER + UDP_HEADER + d->length,
                   now);
    return 0;
}

/* ---- in ---- */

/* An echo request becomes its own answer, and goes where it came from. */
static void take_icmp(struct net *n, size_t interface, uint8_t *frame, size_t header, size_t length)
{
    uint8_t *ip = frame + FRAME_HEADER, *icmp = ip + header;
    const uint32_t from = get32(ip + IP_FROM), to = get32(ip + IP_TO);

    if (length < ICMP_HEADER || fold16(sum16(icmp, length, 0)) != 0) {
        n->counts.damaged++;
        return;
    }
    if (icmp[0] != ICMP_ECHO || icmp[1] != 0 || header != IP_HEADER)
        return;
    icmp[0] = ICMP_ECHO_REPLY;
    put16(icmp + 2, 0);
    put16(icmp + 2, fold16(sum16(icmp, length, 0)));
    put32(ip + IP_FROM, to);
    put32(ip + IP_TO, from);
    ip[IP_LIFE] = IP_LIFETIME;
    put16(ip + IP_SUM, 0);
    put16(ip + IP_SUM, fold16(sum16(ip, header, 0)));
    frame_header(frame, frame + FRAME_FROM, n->interface[interface].mac, FRAME_IPV4);
    n->counts.echoes++;
    n->send(n->user, interface, frame, FRAME_HEADER + header + length);
}

static bool take_udp(struct net *n, const uint8_t *ip, uint8_t *udp, size_t length,
                     struct net_datagram *out)
{
    const uint32_t from = get32(ip + IP_FROM), to = get32(ip + IP_TO);
    size_t said;

    if (length < UDP_HEADER)
        goto damaged;
    said = get16(udp + 4);
    if (said < UDP_HEADER || said > length)
        goto damaged;
    if (get16(udp + 6) && fold16(sum16(udp, said, sum_pseudo(from, to, UDP, said))) != 0)
        goto damaged;
    out->from = from;
    out->to = to;
    out->from_port = get16(udp);
    out->to_port = get16(udp + 2);
    out->ecn = ip[IP_SERVICE] & 3;
    out->payload = udp + UDP_HEADER;
    out->length = said - UDP_HEADER;
    n->counts.datagrams_in++;
    return out->length > 0;
damaged:
    n->counts.damaged++;
    return false;
}

/* Whom one answers: not a group, not everybody, not oneself. */
static bool is_somebody(const struct net_interface *i, uint32_t from)
{
    const uint32_t host = i->prefix < 31 ? UINT32_MAX >> i->prefix : 0;

    return from != 0 && from >> 28 < 14 && from != i->address &&
           !(host && on_network(i, from) && (from & host) == host);
}

static bool take_ip(struct net *n, size_t interface, uint8_t *frame, size_t length,
                    struct net_datagram *out)
{
    const struct net_interface *i = &n->interface[interface];
    uint8_t *ip = frame + FRAME_HEADER;
    const size_t there = length - FRAME_HEADER;
    size_t header, said;

    if (there < IP_HEADER || ip[0] >> 4 != 4)
        goto damaged;
    header = (size_t)(ip[0] & 15) * 4;
    said = get16(ip + IP_LENGTH);
    if (header < IP_HEADER || said < header || said > there || fold16(sum16(ip, header, 0)) != 0)
        goto damaged;
    if (get32(ip + IP_TO) != i->address || !is_somebody(i, get32(ip + IP_FROM)) ||
        get16(ip + IP_FRAGMENT) & 0x3fff) { /* a fragment: ours are never */
        n->counts.not_ours++;
        return false;
    }
    if (ip[IP_PROTOCOL] == UDP)
        return take_udp(n, ip, ip + header, said - header, out);
    if (ip[IP_PROTOCOL] == ICMP)
        take_icmp(n, interface, frame, header, said - header);
    return false;
damaged:
    n->counts.damaged++;
    return false;
}

bool net_take(struct net *n, size_t interface, uint8_t *frame, size_t length, uint64_t now,
              struct net_datagram *out)
{
    if (interface >= n->n_interfaces)
        return false;
    n->counts.frames++;
    if (length < FRAME_HEADER || length > NET_FRAME_MAX) {
        n->counts.damaged++;
        return false;
    }
    const bool to_us = memcmp(frame, n->interface[interface].mac, 6) == 0;
    memset(out, 0, sizeof *out);
    out->interface = interface;
    if (get16(frame + FRAME_TYPE) == FRAME_ARP)
        neighbour_take(n, interface, frame, length, now);
    else if (get16(frame + FRAME_TYPE) == FRAME_IPV4 && to_us && !(frame[FRAME_FROM] & 1))
        return take_ip(n, interface, frame, length, out);
    else
        n->counts.not_ours++;
    return false;
}
