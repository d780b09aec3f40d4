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

static struct unit *open_unit(struct pair *p, struct units *u, size_t len, bool fin)
{
    static uint8_t bytes[1 << 20];
    struct unit *s = &u->unit[u->n++];

    assert_true(u->n <= UNITS_MAX && len <= sizeof bytes);
    *s = (struct unit){ .written = p->now };
    assert_int_equal(tvl_stream_open(p->conn[0], TVL_UNI, &s->id), 0);
    assert_int_equal(tvl_stream_set_flow(p->conn[0], s->id, 1), 0);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(s->id, i);
    assert_int_equal(tvl_stream_write(p->conn[0], s->id, bytes, len, fin), len);
    return s;
}

static struct unit *write_unit(struct pair *p, struct units *u, size_t len)
{
    return open_unit(p, u, len, true);
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

/* Data of a unit's packets goes by; the `dropped`-th from now on is lost. */
static unsigned dropped, gone_by;

static void drop_one(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                     const uint8_t *bytes)
{
    (void)d;
    (void)bytes;
    if (from == PAIR_CLIENT)
        p->link[link].cut[PAIR_SERVER] = ++gone_by == dropped;
}

/* Whichever of its packets is lost, the one with the end as well; a copy for a unit of one packet.
 */
static void each_of_its_packets(void **state)
{
    struct units u;
    struct pair p;

    (void)state;
    begin(&p, &u, 1);
    set(&p, &repair);
    p.on_datagram = drop_one;
    for (unsigned lost = 1; lost <= 4; lost++) {
        const size_t len = lost == 4 ? 500 : 4 * KB;
        struct unit *s;

        gone_by = 0;
        dropped = lost == 4 ? 1 : lost;
        s = write_unit(&p, &u, len);
        pair_run(&p, DELAY * 3 / 2, NULL);
        assert_false(s->damaged);
        assert_int_equal(s->read, len);
        assert_true(s->ended > 0);
        pair_run(&p, SECOND, NULL);
    }
    pair_fini(&p);
}

static void take_none(const struct pair *p, int side, struct tvl_tls_config *tls,
                      struct tvl_config *cfg)
{
    use_bbr(p, side, tls, cfg);
    if (side == PAIR_SERVER)
        cfg->repair_span = 0;
}

static void a_peer_that_takes_none(void **state)
{
    static const struct pair_options o = { .adjust = take_none };
    struct units u;
    struct pair p;

    (void)state;
    begin_with(&p, &u, 1, &o);
    set(&p, &repair);
    p.link[0].drop_nth = 30;
    send_units(&p, &u, 20, 18 * KB);
    assert_int_equal(late(&u, 10 * SECOND), 0);
    assert_false(stats(&p, 0).repair);
    assert_true(stats(&p, 1).repair);
    assert_int_equal(stats(&p, 0).repairs_sent, 0);
    pair_fini(&p);
}

static void as_much_as_is_lost(void **state)
{
    static const unsigned drop[] = { 0, 25, 0 };
    uint64_t sent[3], symbols[3];
    struct units u;
    struct pair p;

    (void)state;
    begin(&p, &u, 1);
    set(&p, &repair);
    warm_up(&p, &u);
    for (unsigned i = 0; i < 3; i++) {
        p.link[0].drop_nth = drop[i];
        if (i == 2) /* ten seconds on, it is forgotten */
            send_units(&p, &u, 200, 18 * KB);
        const struct tvl_conn_stats before = stats(&p, 0);
        send_units(&p, &u, 100, 18 * KB);
        sent[i] = stats(&p, 0).stream_bytes_sent - before.stream_bytes_sent;
        symbols[i] = stats(&p, 0).repair_bytes_sent - before.repair_bytes_sent;
    }
    assert_true(symbols[0] < sent[0] / 10);
    assert_true(symbols[1] > sent[1] / 8 && symbols[1] < sent[1] / 2);
    assert_int_equal(symbols[2], 0);
    pair_fini(&p);
}

static void use_minrtt(const struct pair *p, int side, struct tvl_tls_config *tls,
                       struct tvl_config *cfg)
{
    use_bbr(p, side, tls, cfg);
    cfg->sched = "minrtt";
}

/* Data goes over the quicker path, symbols over the other; when it is forbidden, or to be spared,
 * they do not. */
static void on_the_other_path(void **state)
{
    const struct tvl_flow_config pinned = {
        .protection = TVL_FLOW_REPAIR, .paths = TVL_FLOW_ONLY, .path = { { .id = 0 } }, .n_paths = 1
    };
    static const struct pair_options o = { .adjust = use_minrtt };
    struct tvl_path_stats before[2], after[2];

    (void)state;
    for (unsigned only = 0; only < 3; only++) {
        struct units u;
        struct pair p;

        begin_with(&p, &u, 2, &o);
        p.link[0].delay = DELAY / 2;
        set(&p, only == 1 ? &pinned : &repair);
        if (only == 2)
            assert_int_equal(tvl_path_set_backup(p.conn[1], 1, true, p.now), 0);
        warm_up(&p, &u);
        p.link[0].drop_nth = 20;
        send_units(&p, &u, 50, 10 * KB);
        assert_int_equal(tvl_paths(p.conn[0], before, 2), 2);
        const struct tvl_conn_stats was = stats(&p, 0);
        send_units(&p, &u, 50, 10 * KB);
        assert_int_equal(tvl_paths(p.conn[0], after, 2), 2);
        const uint64_t symbols = stats(&p, 0).repair_bytes_sent - was.repair_bytes_sent;
        const uint64_t other = after[1].bytes_sent - before[1].bytes_sent;
        assert_true(symbols > 30 * KB);
        if (only)
            assert_true(other < 10 * KB);
        else
            assert_true(other > symbols);
        assert_int_equal(late(&u, 10 * SECOND), 0);
        pair_fini(&p);
    }
}

/* What is more urgent does not wait for symbols: nothing of them leaves while there is such. */
static void behind_what_is_more_urgent(void **state)
{
    const struct tvl_flow_config later = { .protection = TVL_FLOW_REPAIR, .priority = 10 };
    static uint8_t bulk[4 << 20];
    struct units u;
    struct pair p;
    uint64_t id;

    (void)state;
    begin(&p, &u, 1);
    set(&p, &later);
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id), 0);
    write_unit(&p, &u, 300 * KB);
    pair_run(&p, 80000, NULL); /* the window is full, and symbols of what has left wait for room */
    const uint64_t before = stats(&p, 0).repairs_sent;
    assert_true(tvl_stream_write(p.conn[0], id, bulk, sizeof bulk, false) > 0);
    for (unsigned i = 0; tvl_backlog(p.conn[0], UINT64_C(1) << 32) > 100 * KB; i++) {
        assert_true(i < 1000);
        assert_int_equal(stats(&p, 0).repairs_sent, before);
        pair_run(&p, 10000, NULL);
    }
    pair_run(&p, 20 * SECOND, NULL);
    assert_true(stats(&p, 0).repairs_sent > before);
    pair_fini(&p);
}

/* The protection changes all the time while one stream flows over two lossy paths. */
static void changed_while_it_flows(void **state)
{
    static const struct tvl_flow_config rows[] = {
        { .protection = TVL_FLOW_UNPROTECTED }, { .protection = TVL_FLOW_DUPLICATE },
        { .protection = TVL_FLOW_REPAIR },      { .protection = TVL_FLOW_UNPROTECTED },
        { .protection = TVL_FLOW_REPAIR },
    };
    struct units u;
    struct pair p;
    unsigned turns = 0;

    (void)state;
    begin(&p, &u, 2);
    p.link[0].drop_nth = 15;
    p.link[1].drop_nth = 40;
    struct unit *s = write_unit(&p, &u, 1 << 20);
    for (; s->ended == 0 && turns < 400; turns++) {
        set(&p, &rows[turns % 5]);
        pair_run(&p, 37000, NULL);
    }
    assert_true(turns > 10);
    assert_false(s->damaged);
    assert_int_equal(s->read, 1 << 20);
    assert_true(stats(&p, 0).repairs_sent > 0);
    assert_true(stats(&p, 1).stream_bytes_recovered > 0);
    pair_fini(&p);
}

/* ---- reliability none ---- */

/* Symbols are all the help there is, and they help; nothing is sent twice. */
static void unreliable_but_repaired(void **state)
{
    struct tvl_flow_config c = { .reliability = TVL_FLOW_UNRELIABLE };
    unsigned ended[2] = { 0, 0 };

    (void)state;
    for (unsigned protected = 0; protected < 2; protected ++) {
        struct units u;
        struct pair p;

        begin(&p, &u, 1);
        warm_up(&p, &u);
        const uint64_t resent = stats(&p, 0).stream_bytes_resent;
        c.protection = protected ? TVL_FLOW_REPAIR : TVL_FLOW_UNPROTECTED;
        set(&p, &c);
        p.link[0].drop_nth = 30;
        send_units(&p, &u, 50, 18 * KB);
        for (size_t i = 0; i < u.n; i++) {
            assert_false(u.unit[i].damaged);
            assert_true((u.unit[i].ended > 0) != u.unit[i].reset);
            ended[protected] += u.unit[i].ended > 0;
        }
        assert_int_equal(stats(&p, 0).stream_bytes_resent, resent);
        pair_fini(&p);
    }
    assert_in_range(ended[0], 20, 40);
    assert_int_equal(ended[1], 50);
}

/* The tail is lost: probes ask for a sign of life, but the data is not sent again with them. */
static void unreliable_at_the_tail(void **state)
{
    const struct tvl_flow_config c = { .reliability = TVL_FLOW_UNRELIABLE, .code = 46 };
    struct units u;
    struct pair p;

    (void)state;
    begin(&p, &u, 1);
    set(&p, &c);
    const uint64_t resent = stats(&p, 0).stream_bytes_resent;
    p.link[0].cut[PAIR_SERVER] = true;
    struct unit *s = write_unit(&p, &u, 3 * KB);
    pair_run(&p, 50000, NULL);
    p.link[0].cut[PAIR_SERVER] = false;
    pair_run(&p, 5 * SECOND, NULL);
    assert_true(s->ended == 0);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 1);
    assert_int_equal(stats(&p, 0).stream_bytes_resent, resent);
    pair_fini(&p);
}

/* All bytes are there, and the end alone is lost: it comes again, for it is no byte. */
static void unreliable_and_its_end(void **state)
{
    const struct tvl_flow_config c = { .reliability = TVL_FLOW_UNRELIABLE, .code = 47 };
    struct units u;
    struct pair p;

    (void)state;
    begin(&p, &u, 1);
    set(&p, &c);
    struct unit *s = open_unit(&p, &u, 3 * KB, false);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(s->read, 3 * KB);
    p.link[0].cut[PAIR_SERVER] = true;
    assert_int_equal(tvl_stream_write(p.conn[0], s->id, NULL, 0, true), 0);
    pair_run(&p, 50000, NULL);
    p.link[0].cut[PAIR_SERVER] = false;
    pair_run(&p, 5 * SECOND, NULL);
    assert_true(s->ended > 0 && !s->reset);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 0);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits),          cmocka_unit_test(each_of_its_packets),
        cmocka_unit_test(a_peer_that_takes_none), cmocka_unit_test(as_much_as_is_lost),
        cmocka_unit_test(on_the_other_path),      cmocka_unit_test(behind_what_is_more_urgent),
        cmocka_unit_test(changed_while_it_flows), cmocka_unit_test(unreliable_but_repaired),
        cmocka_unit_test(unreliable_at_the_tail), cmocka_unit_test(unreliable_and_its_end),
    };
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
