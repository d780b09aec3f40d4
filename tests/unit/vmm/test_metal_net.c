/*
 * test_metal_net.c - the bare-metal guest's ARP, IPv4, ICMP and UDP, frame by frame.
 *
 * The other end here is another instance of the same stack or frames made by hand; what either
 * sends is checked by checksums of this file's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "net/bytes.h"
#include "net/stack.h"

#define US 0x0a4d0002u   /* 10.77.0.2 */
#define PEER 0x0a4d0001u /* 10.77.0.1 */
#define FAR 0x08080808u
#define SECOND 1000000u
#define ETHER 14
#define IP_AT ETHER
#define UDP_AT (ETHER + 20)

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 2 }, peer_mac[6] = { 2, 0, 0, 0, 0, 1 };

struct world {
    struct net net;
    uint8_t frame[NET_FRAME_MAX]; /* sent last */
    size_t length, sent, interface;
};

static void on_send(void *user, size_t interface, const uint8_t *frame, size_t length)
{
    struct world *w = user;

    assert_true(length <= NET_FRAME_MAX);
    memcpy(w->frame, frame, length);
    w->length = length;
    w->interface = interface;
    w->sent++;
}

static void begin(struct world *w)
{
    struct net_interface i = { .address = US, .prefix = 24, .mtu = 1500 };

    memset(w, 0, sizeof *w);
    memcpy(i.mac, our_mac, 6);
    net_init(&w->net, on_send, w);
    assert_int_equal(net_add(&w->net, &i), 0);
}

static size_t make_arp(uint8_t *f, unsigned operation, uint32_t from, uint32_t to)
{
    static const uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, 0 };

    memset(f, 255, 6);
    memcpy(f + 6, peer_mac, 6);
    put16(f + 12, 0x0806);
    memcpy(f + ETHER, head, sizeof head);
    put16(f + ETHER + 6, (uint16_t)operation);
    memcpy(f + ETHER + 8, peer_mac, 6);
    put32(f + ETHER + 14, from);
    memset(f + ETHER + 18, 0, 6);
    put32(f + ETHER + 24, to);
    return ETHER + 28;
}

static void seal_ip(uint8_t *f)
{
    put16(f + IP_AT + 10, 0);
    put16(f + IP_AT + 10, fold16(sum16(f + IP_AT, 20, 0)));
}

static void seal_udp(uint8_t *f, size_t n)
{
    uint64_t sum = 17 + n;

    sum = sum16(f + IP_AT + 12, 8, sum);
    put16(f + UDP_AT + 6, 0);
    put16(f + UDP_AT + 6, fold16(sum16(f + UDP_AT, n, sum)));
}

/* From PEER's port 9 to US, port 4433: `n` bytes of payload. */
static size_t make_udp(uint8_t *f, size_t n)
{
    memset(f, 0, UDP_AT + 8);
    memcpy(f, our_mac, 6);
    memcpy(f + 6, peer_mac, 6);
    put16(f + 12, 0x0800);
    f[IP_AT] = 0x45;
    f[IP_AT + 1] = 2; /* ECT(0) */
    put16(f + IP_AT + 2, (uint16_t)(28 + n));
    f[IP_AT + 8] = 64;
    f[IP_AT + 9] = 17;
    put32(f + IP_AT + 12, PEER);
    put32(f + IP_AT + 16, US);
    put16(f + UDP_AT, 9);
    put16(f + UDP_AT + 2, 4433);
    put16(f + UDP_AT + 4, (uint16_t)(8 + n));
    for (size_t i = 0; i < n; i++)
        f[UDP_AT + 8 + i] = (uint8_t)i;
    seal_ip(f);
    seal_udp(f, 8 + n);
    return UDP_AT + 8 + n;
}

static struct net_datagram datagram(uint32_t to, uint8_t *bytes, size_t n)
{
    return (struct net_datagram){
        .to = to, .from_port = 4433, .to_port = 9, .ecn = 1, .payload = bytes, .length = n
    };
}

static void answers_who_asks_for_us(void **state)
{
    struct world w;
    uint8_t f[64];
    struct net_datagram d;

    (void)state;
    begin(&w);
    assert_false(net_take(&w.net, 0, f, make_arp(f, 1, PEER, US), 1, &d));
    assert_int_equal(w.sent, 1);
    assert_memory_equal(w.frame, peer_mac, 6);
    assert_int_equal(get16(w.frame + ETHER + 6), 2);
    assert_memory_equal(w.frame + ETHER + 8, our_mac, 6);
    assert_int_equal(get32(w.frame + ETHER + 14), US);
    (void)net_take(&w.net, 0, f, make_arp(f, 1, PEER, US + 1), 1, &d); /* not for us */
    (void)net_take(&w.net, 0, f, make_arp(f, 2, PEER + 7, US), 1, &d); /* unasked: not remembered */
    assert_int_equal(w.sent, 1);
    uint8_t bytes[4] = { 0 };
    struct net_datagram out = datagram(PEER + 7, bytes, 4);
    assert_int_equal(net_udp(&w.net, &out, 2), 0);
    assert_int_equal(get16(w.frame + 12), 0x0806); /* so it is asked for */
}

static void a_datagram_waits_for_its_neighbour(void **state)
{
    struct world w;
    uint8_t f[64], bytes[100];
    struct net_datagram d, out = datagram(PEER, bytes, sizeof bytes);

    (void)state;
    begin(&w);
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(net_udp(&w.net, &out, 0), 0);
    assert_int_equal(w.sent, 1); /* the question */
    assert_int_equal(get32(w.frame + ETHER + 24), PEER);
    (void)net_take(&w.net, 0, f, make_arp(f, 2, PEER, US), 5, &d);
    assert_int_equal(w.sent, 2);
    assert_memory_equal(w.frame, peer_mac, 6);
    assert_memory_equal(w.frame + 6, our_mac, 6);
    assert_int_equal(w.length, UDP_AT + 8 + sizeof bytes);
    assert_int_equal(fold16(sum16(w.frame + IP_AT, 20, 0)), 0);
    assert_int_equal(w.frame[IP_AT + 1] & 3, 1);
    assert_int_equal(get16(w.frame + IP_AT + 6), 0x4000);
    assert_int_equal(fold16(sum16(w.frame + UDP_AT, 108, sum16(w.frame + IP_AT + 12, 8, 17 + 108))),
                     0);
    assert_memory_equal(w.frame + UDP_AT + 8, bytes, sizeof bytes);
    assert_int_equal(net_udp(&w.net, &out, 6), 0); /* now at once */
    assert_int_equal(w.sent, 3);
    assert_int_equal(get16(w.frame + 12), 0x0800);
}

static void a_neighbour_that_is_silent_is_forgotten(void **state)
{
    struct world w;
    uint8_t bytes[4] = { 0 };
    struct net_datagram out = datagram(PEER, bytes, sizeof bytes);

    (void)state;
    begin(&w);
    assert_true(net_due(&w.net) == UINT64_MAX);
    (void)net_udp(&w.net, &out, 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(net_due(&w.net) == i * SECOND);
        net_tick(&w.net, i * SECOND - 1); /* too early: nothing */
        assert_int_equal(w.sent, i);
        net_tick(&w.net, i * SECOND);
    }
    assert_int_equal(w.sent, 3);
    assert_int_equal(w.net.counts.no_neighbour, 1);
    assert_true(net_due(&w.net) == UINT64_MAX);
}

/* After a minute a neighbour is asked again, and used until it does not answer. */
static void what_is_old_is_asked_again(void **state)
{
    struct world w;
    uint8_t f[64], bytes[4] = { 0 };
    struct net_datagram d, out = datagram(PEER, bytes, sizeof bytes);
    const uint64_t later = 61u * SECOND;

    (void)state;
    begin(&w);
    (void)net_take(&w.net, 0, f, make_arp(f, 1, PEER, US), 0, &d);
    (void)net_udp(&w.net, &out, later);
    assert_int_equal(w.sent, 3); /* answer, datagram, question */
    assert_int_equal(get16(w.frame + 12), 0x0806);
    (void)net_udp(&w.net, &out, later + 10);
    assert_int_equal(w.sent, 4);
    (void)net_take(&w.net, 0, f, make_arp(f, 2, PEER, US), later + 20, &d);
    assert_true(net_due(&w.net) == UINT64_MAX);
}

static void the_table_is_bounded(void **state)
{
    struct world w;
    uint8_t f[64], bytes[4] = { 0 };
    struct net_datagram d, out;

    (void)state;
    begin(&w);
    w.net.interface[0].prefix = 8;
    (void)net_take(&w.net, 0, f, make_arp(f, 1, PEER, US), 0, &d);
    for (uint32_t i = 0; i < 1000; i++) {
        out = datagram(0x0a000000u + i + 1, bytes, sizeof bytes);
        (void)net_udp(&w.net, &out, i + 1);
        out = datagram(PEER, bytes, sizeof bytes); /* used all the time: it stays */
        (void)net_udp(&w.net, &out, i + 1);
        assert_int_equal(get16(w.frame + 12), 0x0800);
    }
}

static void a_ping_returns(void **state)
{
    struct world w;
    uint8_t f[128];
    struct net_datagram d;
    size_t n;

    (void)state;
    begin(&w);
    n = make_udp(f, 40);
    f[IP_AT + 9] = 1;
    seal_ip(f);
    memset(f + UDP_AT, 0, 4);
    f[UDP_AT] = 8;
    put16(f + UDP_AT + 2, fold16(sum16(f + UDP_AT, 48, 0)));
    assert_false(net_take(&w.net, 0, f, n, 0, &d));
    assert_int_equal(w.sent, 1);
    assert_int_equal(w.length, n);
    assert_memory_equal(w.frame, peer_mac, 6);
    assert_int_equal(w.frame[UDP_AT], 0);
    assert_int_equal(fold16(sum16(w.frame + UDP_AT, 48, 0)), 0);
    assert_int_equal(fold16(sum16(w.frame + IP_AT, 20, 0)), 0);
    assert_int_equal(get32(w.frame + IP_AT + 12), US);
    assert_int_equal(get32(w.frame + IP_AT + 16), PEER);
}

static void ways(void **state)
{
    struct world w;
    struct net_interface second = { .address = 0x0a4d0102, .prefix = 24, .mtu = 600 };
    uint8_t bytes[1473] = { 0 };
    struct net_datagram out;

    (void)state;
    begin(&w);
    assert_int_equal(net_add(&w.net, &second), 0);
    assert_int_equal(net_route(&w.net, 0, 0x0a4d0105), 1);
    assert_int_equal(net_route(&w.net, US, 0x0a4d0105), -1); /* not by that card */
    assert_int_equal(net_route(&w.net, 0, FAR), -1);
    w.net.gateway = PEER;
    assert_int_equal(net_route(&w.net, 0, FAR), 0);
    out = datagram(FAR, bytes, 10);
    assert_int_equal(net_udp(&w.net, &out, 0), 0);
    assert_int_equal(get32(w.frame + ETHER + 24), PEER); /* the gateway is asked for */
    out = datagram(FAR, bytes, 1473);
    assert_int_equal(net_udp(&w.net, &out, 0), -1);
    out = datagram(0x0a4d0105, bytes, 573);
    assert_int_equal(net_udp(&w.net, &out, 0), -1); /* longer than that card's MTU */
    out.length = 572;
    assert_int_equal(net_udp(&w.net, &out, 0), 0);
    second.mtu = 1501;
    assert_int_equal(net_add(&w.net, &second), -1);
}

/* A right datagram, changed at one place (and sealed anew where said): taken or not. */
struct row {
    const char *what;
    size_t at;
    uint8_t value;
    bool seal_ip, seal_udp;
    size_t cut; /* bytes that the frame is shorter; SIZE_MAX - n: longer, as padding */
    bool taken;
};

static const struct row rows[] = {
    { "as it is", IP_AT, 0x45, false, false, 0, true },
    { "another version", IP_AT, 0x65, true, false, 0, false },
    { "a header shorter than 20 bytes", IP_AT, 0x44, true, false, 0, false },
    { "a header longer than the packet", IP_AT, 0x4f, true, false, 0, false },
    { "a length beyond the frame", IP_AT + 3, 129, true, false, 0, false },
    { "a length below the header", IP_AT + 3, 19, true, false, 0, false },
    { "a wrong sum of the header", IP_AT + 8, 63, false, false, 0, false },
    { "more fragments follow", IP_AT + 6, 0x20, true, false, 0, false },
    { "a later fragment", IP_AT + 7, 1, true, false, 0, false },
    { "may not be fragmented", IP_AT + 6, 0x40, true, false, 0, true },
    { "for another address", IP_AT + 19, 3, true, true, 0, false },
    { "from the network's broadcast address", IP_AT + 15, 255, true, true, 0, false },
    { "from a group", IP_AT + 12, 224, true, true, 0, false },
    { "another protocol", IP_AT + 9, 6, true, false, 0, false },
    { "for another card", 5, 9, false, false, 0, false },
    { "from a group of cards", 6, 3, false, false, 0, false },
    { "another kind of frame", 13, 0xdd, false, false, 0, false },
    { "a changed byte", UDP_AT + 20, 0xee, false, false, 0, false },
    { "a UDP length below its header", UDP_AT + 5, 7, false, false, 0, false },
    { "a UDP length beyond the packet", UDP_AT + 5, 109, false, false, 0, false },
    { "cut within the payload", IP_AT, 0x45, false, false, 1, false },
    { "cut within the UDP header", IP_AT, 0x45, false, false, 103, false },
    { "cut within the IP header", IP_AT, 0x45, false, false, 110, false },
    { "cut within the Ethernet header", IP_AT, 0x45, false, false, 130, false },
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct world w;
        uint8_t f[200];
        struct net_datagram d;
        const size_t n = make_udp(f, 100);

        begin(&w);
        print_message("%s\n", r->what);
        f[r->at] = r->value;
        if (r->seal_ip)
            seal_ip(f);
        if (r->seal_udp)
            seal_udp(f, 108);
        assert_int_equal(net_take(&w.net, 0, f, n - r->cut, 0, &d), r->taken);
        assert_int_equal(w.sent, 0);
        if (!r->taken)
            continue;
        assert_int_equal(d.length, 100);
        assert_int_equal(d.payload[99], 99);
        assert_int_equal(d.from, PEER);
        assert_int_equal(d.to_port, 4433);
        assert_int_equal(d.ecn, 2);
    }
}

/* Frames of Ethernet are at least 60 bytes: what stands behind the packet is not payload. */
static void padding_is_not_payload(void **state)
{
    struct world w;
    uint8_t f[128];
    struct net_datagram d;

    (void)state;
    begin(&w);
    memset(f, 0xaa, sizeof f);
    (void)make_udp(f, 3);
    assert_true(net_take(&w.net, 0, f, 60, 0, &d));
    assert_int_equal(d.length, 3);
    put16(f + UDP_AT + 6, 0); /* no checksum: allowed */
    assert_true(net_take(&w.net, 0, f, 60, 0, &d));
}

static void announces_itself(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    net_announce(&w.net);
    assert_int_equal(w.sent, 1);
    assert_int_equal(get32(w.frame + ETHER + 14), US);
    assert_int_equal(get32(w.frame + ETHER + 24), US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_who_asks_for_us),
        cmocka_unit_test(a_datagram_waits_for_its_neighbour),
        cmocka_unit_test(a_neighbour_that_is_silent_is_forgotten),
        cmocka_unit_test(what_is_old_is_asked_again),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(a_ping_returns),
        cmocka_unit_test(ways),
        cmocka_unit_test(every_row),
        cmocka_unit_test(padding_is_not_payload),
        cmocka_unit_test(announces_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
