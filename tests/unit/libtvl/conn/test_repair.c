/*
 * test_repair.c - flows protected by repair symbols over whole connections: what is lost is there
 * without waiting for what is sent again, byte by byte; on which path symbols go; how many; and
 * that the protection may change while data flow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transfer.h"

#define KB 1000u
#define DELAY 100000u /* us each way */
#define UNITS_MAX 512

struct unit { /* a stream of the client's: bytes are the offset and the stream, mixed */
    uint64_t id, read;
    tvl_time written, ended; /* 0: not yet */
    bool damaged, reset;
};

struct units {
    struct unit unit[UNITS_MAX];
    size_t n;
};

static uint8_t pattern(uint64_t id, uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8) + id * 7);
}

static struct unit *unit_of(struct units *u, uint64_t id)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->unit[i].id == id)
            return &u->unit[i];
    return NULL;
}

static void on_event(struct pair *p, int side, const struct tvl_event *ev)
{
    static uint8_t bytes[1 << 16];
    struct units *u = p->user;
    struct unit *s;
    bool fin = false;
    int64_t n;

    if (side != PAIR_SERVER || !u ||
        (ev->type != TVL_EVENT_STREAM_READABLE && ev->type != TVL_EVENT_STREAM_RESET))
        return;
    s = unit_of(u, ev->stream.id);
    if (!s)
        return;
    s->reset = ev->type == TVL_EVENT_STREAM_RESET;
    while (!s->reset && !fin &&
           (n = tvl_stream_read(p->conn[side], s->id, bytes, sizeof bytes, &fin)) >= 0 &&
           (n > 0 || fin)) {
        for (int64_t i = 0; i < n; i++)
            s->damaged = s->damaged || bytes[i] != pattern(s->id, s->read + (uint64_t)i);
        s->read += (uint64_t)n;
        s->ended = fin ? p->now : s->ended;
    }
}

static bool both_up(struct pair *p)
{
    return p->last_path[PAIR_CLIENT].path.id == 1 &&
           p->last_path[PAIR_CLIENT].path.state == TVL_PATH_UP;
}

static void begin_with(struct pair *p, struct units *u, unsigned links,
                       const struct pair_options *o)
{
    memset(u, 0, sizeof *u);
    pair_init(p, o);
    for (unsigned i = 0; i < links; i++)
        p->link[i].delay = DELAY;
    pair_connect(p, o);
    pair_run(p, 5 * SECOND, pair_both_connected);
    if (links > 1) {
        assert_int_equal(pair_path_add(p, 1), 1);
        pair_run(p, 5 * SECOND, both_up);
    }
    pair_run(p, SECOND, NULL);
    p->on_event = on_event;
    p->user = u;
}

/* A controller that does not take random loss for a full queue: the window is not what is tested.
 */
static void use_bbr(const struct pair *p, int side, struct tvl_tls_config *tls,
                    struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)tls;
    cfg->cc = "bbr";
}

static void begin(struct pair *p, struct units *u, unsigned links)
{
    static const struct pair_options o = { .adjust = use_bbr };

    begin_with(p, u, links, &o);
}

static void set(struct pair *p, const struct tvl_flow_config *cfg)
{
    assert_int_equal(tvl_flow_set(p->conn[0], 1, cfg), 0);
}

static struct unit *write_unit(struct pair *p, struct units *u, size_t len)
{
    static uint8_t bytes[1 << 20];
    struct unit *s = &u->unit[u->n++];

    assert_true(u->n <= UNITS_MAX && len <= sizeof bytes);
    *s = (struct unit){ .written = p->now };
    assert_int_equal(tvl_stream_open(p->conn[0], TVL_UNI, &s->id), 0);
    assert_int_equal(tvl_stream_set_flow(p->conn[0], s->id, 1), 0);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(s->id, i);
    assert_int_equal(tvl_stream_write(p->conn[0], s->id, bytes, len, true), len);
    return s;
}

static struct tvl_conn_stats stats(struct pair *p, int side)
{
    struct tvl_conn_stats s;

    tvl_conn_get_stats(p->conn[side], &s);
    return s;
}

/* Units one after the other over a path that drops every so many'th datagram. */
static void send_units(struct pair *p, struct units *u, unsigned n, size_t len)
{
    for (unsigned i = 0; i < n; i++) {
        write_unit(p, u, len);
        pair_run(p, 40000, NULL);
    }
    pair_run(p, 3 * SECOND, NULL);
}

/* The window has to be large enough for what is sent afterwards. */
static void warm_up(struct pair *p, struct units *u)
{
    write_unit(p, u, 1 << 19);
    write_unit(p, u, 1 << 19);
    pair_run(p, 2 * SECOND, NULL);
    for (unsigned i = 0; i < 30; i++) {
        write_unit(p, u, 18 * KB);
        pair_run(p, 40000, NULL);
    }
    u->n = 0;
}

static unsigned late(const struct units *u, tvl_time limit)
{
    unsigned n = 0;

    for (size_t i = 0; i < u->n; i++) {
        assert_false(u->unit[i].damaged);
        n += u->unit[i].ended == 0 || u->unit[i].ended - u->unit[i].written > limit;
    }
    return n;
}

static const struct tvl_flow_config repair = { .protection = TVL_FLOW_REPAIR };

/* ---- tests ---- */

/* Every 30th datagram is lost: of a unit of 14 about one in two is hit, and waits a round trip. */
static void nothing_waits(void **state)
{
    for (unsigned protected = 0; protected < 2; protected ++) {
        struct units u;
        struct pair p;

        (void)state;
        begin(&p, &u, 1);
        warm_up(&p, &u);
        p.link[0].drop_nth = 30;
        if (protected)
            set(&p, &repair);
        send_units(&p, &u, 50, 18 * KB);
        const struct tvl_conn_stats sent = stats(&p, 0), got = stats(&p, 1);
        assert_true(sent.repair);
        if (protected) {
            assert_int_equal(late(&u, DELAY + DELAY / 2), 0);
            assert_true(got.stream_bytes_recovered > 10 * KB);
            assert_true(sent.repairs_sent > 50 && got.repairs_received > 50);
            /* what the peer has recovered is not sent again */
            assert_true(sent.stream_bytes_resent < got.stream_bytes_recovered / 4);
            assert_true(sent.repair_bytes_sent < sent.stream_bytes_sent / 2);
        } else {
            assert_true(late(&u, DELAY + DELAY / 2) > 10);
            assert_int_equal(sent.repairs_sent, 0);
        }
        assert_int_equal(late(&u, 10 * SECOND), 0);
        pair_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits),
    };
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
