/*
 * test_udp.c - the socket layer on loopback: messages of several datagrams are cut and joined, one
 * by one where the kernel cannot; ECN bits and local addresses go both ways; errors are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "udp.h"

#define SEGMENT 1000u

struct ends {
    struct tvl_udp from, to;
    struct tvl_udp_message in[TVL_UDP_READS];
    uint8_t *bytes;
};

static struct tvl_udp open_on(const char *address)
{
    struct tvl_udp_options o = { .interface = NULL };
    const char *what = "";
    struct tvl_udp u;

    assert_int_equal(tvl_udp_parse(&o.bind_to, address, TVL_UDP_NUMERIC), 0);
    if (tvl_udp_open(&u, &o, &what) != 0)
        fail_msg("%s: %s: %s", address, what, strerror(errno));
    return u;
}

static void begin(struct ends *e, const char *from, const char *to)
{
    e->from = open_on(from);
    e->to = open_on(to);
    e->bytes = malloc((size_t)TVL_UDP_READS * TVL_UDP_MESSAGE_MAX);
    for (size_t i = 0; i < TVL_UDP_READS; i++)
        e->in[i].bytes = e->bytes + i * TVL_UDP_MESSAGE_MAX;
}

static void end(struct ends *e)
{
    close(e->from.fd);
    close(e->to.fd);
    free(e->bytes);
}

/* `n` datagrams of SEGMENT bytes in one message, the last shorter by one. */
static struct tvl_udp_message message(const struct ends *e, uint8_t *bytes, size_t n)
{
    struct tvl_udp_message m = { .bytes = bytes };

    m.dgram.local.ss_family = AF_UNSPEC;
    m.dgram.remote = e->to.bound;
    m.dgram.len = n * SEGMENT - 1;
    m.dgram.segment = n > 1 ? SEGMENT : m.dgram.len;
    for (size_t i = 0; i < m.dgram.len; i++)
        bytes[i] = (uint8_t)(i / SEGMENT + i);
    return m;
}

/* Read until `len` bytes are here; they must be those sent, in datagrams of SEGMENT. */
static void must_arrive(struct ends *e, const uint8_t *bytes, size_t len, uint8_t ecn)
{
    size_t got = 0;

    while (got < len) {
        struct pollfd p = { .fd = e->to.fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 5000), 1);
        const size_t n = tvl_udp_read(&e->to, e->in);
        for (size_t i = 0; i < n; i++) {
            const struct tvl_datagram *d = &e->in[i].dgram;

            assert_int_equal(d->ecn, ecn);
            assert_true(d->segment == SEGMENT || d->segment == d->len);
            assert_true(got + d->len <= len);
            assert_memory_equal(e->in[i].bytes, bytes + got, d->len);
            got += d->len;
        }
    }
    assert_int_equal(tvl_udp_read(&e->to, e->in), 0);
}

static void cut_and_joined(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = { { "127.0.0.1:0", "127.0.0.1:0" }, { "[::1]:0", "[::1]:0" } };
    static uint8_t bytes[64 * SEGMENT];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int joins = 0; joins < 2; joins++)
            for (uint8_t ecn = 0; ecn < 4; ecn++) {
                struct tvl_udp_message m[3];
                struct ends e;
                int error;

                begin(&e, rows[i].from, rows[i].to);
                e.from.joins = e.from.joins && joins;
                m[0] = message(&e, bytes, 60);
                m[1] = message(&e, bytes, 1);
                m[2] = message(&e, bytes, 40);
                for (size_t k = 0; k < 3; k++)
                    m[k].dgram.ecn = ecn;
                assert_int_equal(tvl_udp_write(&e.from, m, 1, &error), 1);
                assert_int_equal(error, 0);
                (void)message(&e, bytes, 60);
                must_arrive(&e, bytes, m[0].dgram.len, ecn);
                assert_int_equal(tvl_udp_write(&e.from, m + 1, 2, &error), 2);
                assert_int_equal(error, 0);
                size_t left = m[1].dgram.len + m[2].dgram.len;
                while (left > 0) {
                    struct pollfd p = { .fd = e.to.fd, .events = POLLIN };

                    assert_int_equal(poll(&p, 1, 5000), 1);
                    const size_t n = tvl_udp_read(&e.to, e.in);
                    for (size_t k = 0; k < n; k++)
                        left -= e.in[k].dgram.len;
                }
                end(&e);
            }
}

/* A socket for all addresses says to which one a datagram came, and answers from it. */
static void local_address(void **state)
{
    static uint8_t bytes[SEGMENT];
    struct sockaddr_storage asked;
    struct tvl_udp_message m;
    struct ends e;
    int error;

    (void)state;
    begin(&e, "127.0.0.1:0", "0.0.0.0:0");
    assert_int_equal(tvl_udp_parse(&asked, "127.0.0.7:0", TVL_UDP_NUMERIC), 0);
    ((struct sockaddr_in *)&asked)->sin_port = ((struct sockaddr_in *)&e.to.bound)->sin_port;
    m = message(&e, bytes, 1);
    m.dgram.remote = asked;
    assert_int_equal(tvl_udp_write(&e.from, &m, 1, &error), 1);
    struct pollfd p = { .fd = e.to.fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(tvl_udp_read(&e.to, e.in), 1);
    assert_memory_equal(&e.in[0].dgram.local, &asked, sizeof(struct sockaddr_in));
    assert_memory_equal(&e.in[0].dgram.remote, &e.from.bound, sizeof(struct sockaddr_in));

    struct tvl_udp_message back = e.in[0];
    assert_int_equal(tvl_udp_write(&e.to, &back, 1, &error), 1);
    p.fd = e.from.fd;
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(tvl_udp_read(&e.from, e.in), 1);
    assert_memory_equal(&e.in[0].dgram.remote, &asked, sizeof(struct sockaddr_in));
    end(&e);
}

/* What lay unread is known to have. */
static void waiting_is_told(void **state)
{
    const struct timespec pause = { .tv_nsec = 20000000 };
    static uint8_t bytes[SEGMENT];
    struct tvl_udp_message m;
    struct ends e;
    int error;

    (void)state;
    begin(&e, "127.0.0.1:0", "127.0.0.1:0");
    m = message(&e, bytes, 1);
    assert_int_equal(tvl_udp_write(&e.from, &m, 1, &error), 1);
    struct pollfd p = { .fd = e.to.fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 5000), 1);
    (void)nanosleep(&pause, NULL);
    e.in[0].dgram.waited = 0;
    assert_int_equal(tvl_udp_read(&e.to, e.in), 1);
    assert_true(e.in[0].dgram.waited >= 19000); /* us */
    end(&e);
}

static void oversized_is_not_ours(void **state)
{
    static uint8_t bytes[TVL_DATAGRAM_MAX + 1];
    struct tvl_udp_message m;
    struct ends e;
    int error;

    (void)state;
    begin(&e, "127.0.0.1:0", "127.0.0.1:0");
    m = message(&e, bytes, 1);
    m.dgram.len = m.dgram.segment = sizeof bytes;
    assert_int_equal(tvl_udp_write(&e.from, &m, 1, &error), 1);
    struct pollfd p = { .fd = e.to.fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(tvl_udp_read(&e.to, e.in), 1);
    assert_int_equal(e.in[0].dgram.len, 0);
    end(&e);
}

/* What the network refuses is lost and told; what follows it still leaves. */
static void refused_is_told(void **state)
{
    static uint8_t bytes[SEGMENT];
    struct tvl_udp_message m[2];
    struct ends e;
    int error;

    (void)state;
    begin(&e, "127.0.0.1:0", "127.0.0.1:0");
    m[0] = m[1] = message(&e, bytes, 1);
    /* 192.0.2.1 (RFC 5737) from a socket on loopback: no route may carry it */
    assert_int_equal(tvl_udp_parse(&m[0].dgram.remote, "192.0.2.1:9", TVL_UDP_NUMERIC), 0);
    assert_int_equal(tvl_udp_write(&e.from, m, 2, &error), 2);
    assert_true(error != 0);
    must_arrive(&e, bytes, m[1].dgram.len, 0);
    end(&e);
}

/* A segment above what passes is lost, and the kernel is still asked to cut the next message. */
static void too_large_a_segment(void **state)
{
    static uint8_t bytes[60 * SEGMENT];
    struct tvl_udp_message m;
    struct ends e;
    int error;

    (void)state;
    begin(&e, "127.0.0.1:0", "127.0.0.1:0");
    const bool joins = e.from.joins;
    m = message(&e, bytes, 60);
    m.dgram.segment = 0xffff;
    m.dgram.len = sizeof bytes;
    m.dgram.segment = sizeof bytes - 1;
    assert_int_equal(tvl_udp_write(&e.from, &m, 1, &error), 1);
    assert_int_equal(e.from.joins, joins);
    end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_and_joined),  cmocka_unit_test(local_address),
        cmocka_unit_test(waiting_is_told), cmocka_unit_test(oversized_is_not_ours),
        cmocka_unit_test(refused_is_told), cmocka_unit_test(too_large_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
