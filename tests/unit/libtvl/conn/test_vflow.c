/*
 * test_vflow.c - virtual flows over whole connections of two paths: each property of struct
 * tvl_flow_config, and that it may change while data flow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transfer.h"

#define KB 1000u
#define STREAMS 2

struct flows { /* what the server has read of each of the client's streams */
    uint64_t id[STREAMS], read[STREAMS];
    tvl_time ended[STREAMS], began[STREAMS]; /* 0: not yet */
};

static void on_event(struct pair *p, int side, const struct tvl_event *ev)
{
    static uint8_t bytes[1 << 16];
    struct flows *f = p->user;
    int64_t n;
    bool fin;

    if (side != PAIR_SERVER || ev->type != TVL_EVENT_STREAM_READABLE || !f)
        return;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (f->id[i] != ev->stream.id)
            continue;
        f->began[i] = f->began[i] ? f->began[i] : p->now;
        while ((n = tvl_stream_read(p->conn[side], f->id[i], bytes, sizeof bytes, &fin)) > 0) {
            f->read[i] += (uint64_t)n;
            if (fin)
                f->ended[i] = p->now;
        }
    }
}

static bool both_up(struct pair *p)
{
    return p->seen[PAIR_CLIENT][TVL_EVENT_PATH] >= 1 && p->last_path[PAIR_CLIENT].path.id == 1 &&
           p->last_path[PAIR_CLIENT].path.state == TVL_PATH_UP;
}

/* Two paths, both known to deliver; stream i is in flow i + 1. */
static void begin(struct pair *p, struct flows *f)
{
    static const struct pair_options o = { .ca_file = NULL };

    memset(f, 0, sizeof *f);
    pair_init(p, &o);
    pair_connect(p, &o);
    pair_run(p, 5 * SECOND, pair_both_connected);
    assert_int_equal(pair_path_add(p, 1), 1);
    pair_run(p, 5 * SECOND, both_up);
    pair_run(p, SECOND / 10, NULL);
    p->on_event = on_event;
    p->user = f;
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal(tvl_stream_open(p->conn[0], TVL_UNI, &f->id[i]), 0);
        assert_int_equal(tvl_stream_set_rank(p->conn[0], f->id[i], 100), 0);
        assert_int_equal(tvl_stream_set_flow(p->conn[0], f->id[i], i + 1), 0);
    }
}

static uint64_t write_some(struct pair *p, uint64_t id, size_t len, bool fin)
{
    static const uint8_t bytes[4 << 20];
    const int64_t n = tvl_stream_write(p->conn[0], id, bytes, len, fin);

    assert_true(n >= 0);
    return (uint64_t)n;
}

static void set(struct pair *p, uint32_t flow, const struct tvl_flow_config *cfg)
{
    assert_int_equal(tvl_flow_set(p->conn[0], flow, cfg), 0);
}

static uint64_t path_bytes(const struct pair *p, uint32_t id)
{
    struct tvl_path_stats s[2];

    assert_int_equal(tvl_paths(p->conn[0], s, 2), 2);
    return s[id].bytes_sent;
}

/* ---- window, priority, share ---- */

static void window(void **state)
{
    const struct tvl_flow_config c = { .window = 64 * KB }, none = { .window = 0 };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    assert_int_equal(tvl_stream_set_flow(p.conn[0], f.id[1], 1), 0);
    set(&p, 1, &c);
    assert_int_equal(write_some(&p, f.id[0], 40 * KB, false), 40 * KB);
    assert_int_equal(write_some(&p, f.id[1], 40 * KB, false), 24 * KB);
    assert_int_equal(write_some(&p, f.id[0], 40 * KB, false), 0);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_WRITABLE], 0);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_WRITABLE], 2);
    assert_int_equal(write_some(&p, f.id[1], 100 * KB, false), 64 * KB);
    set(&p, 1, &none); /* while it is full */
    assert_int_equal(write_some(&p, f.id[1], 500 * KB, false), 500 * KB);
    pair_run(&p, 2 * SECOND, NULL);
    assert_int_equal(f.read[1], 588 * KB);
    pair_fini(&p);
}

static void priority(void **state)
{
    const struct tvl_flow_config first = { .priority = -10 }, last = { .priority = 10 };
    struct tvl_stream_stats st;
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 2, &first);
    for (unsigned i = 0; i < STREAMS; i++)
        write_some(&p, f.id[i], 600 * KB, true);
    pair_run(&p, SECOND / 20, NULL);
    assert_true(f.read[1] > 0 && f.read[0] == 0);
    set(&p, 2, &last); /* the other way round, in the middle of it */
    const uint64_t at = f.read[1];

    pair_run(&p, 10 * SECOND, NULL);
    assert_int_equal(f.read[0] + f.read[1], 1200 * KB);
    assert_true(f.ended[0] < f.ended[1] && at < 600 * KB);
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &f.id[0]), 0);
    assert_int_equal(tvl_stream_set_flow(p.conn[0], f.id[0], 2), 0);
    assert_int_equal(tvl_stream_set_rank(p.conn[0], f.id[0], 7), 0);
    assert_int_equal(tvl_stream_get_stats(p.conn[0], f.id[0], &st), 0);
    assert_int_equal(st.rank, 7); /* as it was asked for */
    pair_fini(&p);
}

static uint64_t sent(const struct pair *p, uint64_t id)
{
    struct tvl_stream_stats st;

    assert_int_equal(tvl_stream_get_stats(p->conn[0], id, &st), 0);
    return st.sent;
}

static void share(void **state)
{
    const struct tvl_flow_config three = { .share = 3 }, one = { .share = 1 };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &three);
    set(&p, 2, &one);
    for (unsigned i = 0; i < STREAMS; i++)
        write_some(&p, f.id[i], 4000 * KB, true);
    while (sent(&p, f.id[0]) < 300 * KB)
        pair_run(&p, 500, NULL);
    const uint64_t a = sent(&p, f.id[0]), b = sent(&p, f.id[1]);
    const double ratio = (double)a / (double)b;

    assert_true(ratio > 2.8 && ratio < 3.2);
    set(&p, 1, &one);
    set(&p, 2, &three);
    while (sent(&p, f.id[1]) < b + 300 * KB)
        pair_run(&p, 500, NULL);
    assert_in_range(sent(&p, f.id[0]) - a, 85 * KB, 150 * KB);
    pair_fini(&p);
}

/* A flow that comes late gets its share of what is left, not what it has missed. */
static void latecomer(void **state)
{
    const struct tvl_flow_config one = { .share = 1 };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &one);
    set(&p, 2, &one);
    write_some(&p, f.id[0], 4000 * KB, true);
    while (sent(&p, f.id[0]) < 500 * KB)
        pair_run(&p, 500, NULL);
    const uint64_t a = sent(&p, f.id[0]);

    write_some(&p, f.id[1], 2000 * KB, true);
    while (sent(&p, f.id[1]) < 300 * KB)
        pair_run(&p, 500, NULL);
    assert_in_range(sent(&p, f.id[0]) - a, 250 * KB, 350 * KB);
    pair_fini(&p);
}

/* ---- deadlines and reliability ---- */

static void lifetime(void **state)
{
    const struct tvl_flow_config c = { .lifetime = 200000, .code = 44 };
    struct tvl_stream_stats st;
    struct tvl_flow_stats fs;
    struct flows f;
    struct pair p;
    uint64_t id;

    (void)state;
    begin(&p, &f);
    set(&p, 5, &c);
    p.link[0].cut[PAIR_SERVER] = p.link[1].cut[PAIR_SERVER] = true;
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_set_flow(p.conn[0], id, 5), 0);
    assert_int_equal(tvl_stream_get_stats(p.conn[0], id, &st), 0);
    assert_in_range(st.deadline, p.now + 200000 - SECOND / 10, p.now + 200000);
    write_some(&p, id, 5 * KB, true);
    pair_run(&p, 210000, NULL);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 1);
    assert_int_equal(tvl_flow_get_stats(p.conn[0], 5, &fs), 0);
    assert_int_equal(fs.expired, 1);
    pair_fini(&p);
}

/* The same outage; a reliable flow's deadline passes and everything arrives after all. */
static void reliable_beyond_the_deadline(void **state)
{
    const struct tvl_flow_config c = { .reliability = TVL_FLOW_RELIABLE };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &c);
    p.link[0].cut[PAIR_SERVER] = p.link[1].cut[PAIR_SERVER] = true;
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal(tvl_stream_set_deadline(p.conn[0], f.id[i], p.now + 50000, 9), 0);
        write_some(&p, f.id[i], 5 * KB, true);
    }
    pair_run(&p, 100000, NULL);
    p.link[0].cut[PAIR_SERVER] = p.link[1].cut[PAIR_SERVER] = false;
    pair_run(&p, 3 * SECOND, NULL);
    assert_int_equal(f.read[0], 5 * KB);
    assert_int_equal(f.read[1], 0);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 1);
    pair_fini(&p);
}

static void unreliable(void **state)
{
    const struct tvl_flow_config c = { .reliability = TVL_FLOW_UNRELIABLE, .code = 45 };
    struct tvl_conn_stats before, after;
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &c);
    tvl_conn_get_stats(p.conn[0], &before);
    write_some(&p, f.id[0], 100 * KB, true);
    pair_run(&p, SECOND, NULL); /* nothing is lost: it is like any other */
    assert_int_equal(f.read[0], 100 * KB);
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &f.id[0]), 0);
    assert_int_equal(tvl_stream_set_flow(p.conn[0], f.id[0], 1), 0);
    p.link[0].drop_nth = p.link[1].drop_nth = 7;
    write_some(&p, f.id[0], 100 * KB, true);
    pair_run(&p, SECOND, NULL);
    tvl_conn_get_stats(p.conn[0], &after);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 1);
    assert_int_equal(p.seen[1][TVL_EVENT_STREAM_RESET], 1);
    assert_int_equal(after.stream_bytes_resent, before.stream_bytes_resent);
    pair_fini(&p);
}

/* ---- paths ---- */

static void send_all(struct pair *p, struct flows *f, unsigned i, size_t len)
{
    const uint64_t goal = f->read[i] + write_some(p, f->id[i], len, false);

    pair_run(p, 3 * SECOND, NULL);
    assert_int_equal(f->read[i], goal);
}

static void pinned_and_excluded(void **state)
{
    struct tvl_flow_config c = { .paths = TVL_FLOW_ONLY, .path = { { .id = 1 } }, .n_paths = 1 };
    uint64_t was[2];
    struct flows f;
    struct pair p;

    (void)state;
    for (unsigned round = 0; round < 2; round++) { /* pinned to 1, then excluded from it */
        begin(&p, &f);
        c.paths = round ? TVL_FLOW_EXCEPT : TVL_FLOW_ONLY;
        set(&p, 1, &c);
        for (uint32_t i = 0; i < 2; i++)
            was[i] = path_bytes(&p, i);
        send_all(&p, &f, 0, 600 * KB);
        const uint64_t there = path_bytes(&p, !round) - was[!round];
        const uint64_t elsewhere = path_bytes(&p, round) - was[round];

        assert_true(there > 600 * KB);
        assert_true(elsewhere < 20 * KB); /* probes and acknowledgements */
        pair_fini(&p);
    }
}

/* A stream that must wait for its path is no obstacle for one behind it, and goes once it may. */
static void pinned_to_a_path_that_is_not_there(void **state)
{
    const struct tvl_flow_config only = { .paths = TVL_FLOW_ONLY,
                                          .path = { { .id = 9 } },
                                          .n_paths = 1 };
    const struct tvl_flow_config any = { .paths = TVL_FLOW_ANY_PATH };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &only);
    write_some(&p, f.id[0], 50 * KB, true);
    send_all(&p, &f, 1, 50 * KB);
    assert_int_equal(f.read[0], 0);
    assert_int_equal(tvl_datagram_write(p.conn[0], (const uint8_t *)"hi", 2), 0);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(p.seen[1][TVL_EVENT_DATAGRAM], 1);
    set(&p, 1, &any);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(f.read[0], 50 * KB);
    pair_fini(&p);
}

static void metered(void **state)
{
    struct tvl_flow_config c = { .paths = TVL_FLOW_METERED,
                                 .path = { { .id = 1, .budget = 100 * KB } },
                                 .n_paths = 1 };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    set(&p, 1, &c);
    const uint64_t was = path_bytes(&p, 1);

    send_all(&p, &f, 0, 2000 * KB);
    const uint64_t first = path_bytes(&p, 1) - was;

    assert_in_range(first, 100 * KB, 125 * KB); /* headers, probes, acknowledgements too */
    c.path[0].budget = 200 * KB;                /* another hundred, and nothing else there is */
    set(&p, 1, &c);
    p.link[0].cut[0] = p.link[0].cut[1] = true;
    write_some(&p, f.id[0], 500 * KB, false);
    pair_run(&p, 5 * SECOND, NULL);
    assert_in_range(path_bytes(&p, 1) - was - first, 75 * KB, 125 * KB);
    assert_true(f.read[0] < 2120 * KB);
    pair_fini(&p);
}

/* One path loses everything: with a copy on the other nothing waits until that is noticed. */
static void duplicate(void **state)
{
    const struct tvl_flow_config c = { .protection = TVL_FLOW_DUPLICATE };

    (void)state;
    for (unsigned cut = 0; cut < 2; cut++)
        for (unsigned protected = 0; protected < 2; protected ++) {
            struct flows f;
            struct pair p;

            begin(&p, &f);
            p.link[0].delay = p.link[1].delay = 10000;
            pair_run(&p, SECOND, NULL);
            if (protected)
                set(&p, 1, &c);
            p.link[cut].cut[PAIR_SERVER] = true;
            write_some(&p, f.id[0], 9 * KB, true);
            pair_run(&p, 13000, NULL);
            if (protected)
                assert_int_equal(f.read[0], 9 * KB);
            else if (cut == 0) /* the first choice of the scheduler */
                assert_int_equal(f.ended[0], 0);
            pair_run(&p, 3 * SECOND, NULL);
            assert_int_equal(f.read[0], 9 * KB);
            pair_fini(&p);
        }
}

static void wrong_values(void **state)
{
    const struct tvl_flow_config ok = { .share = 1 };
    const struct tvl_flow_config bad[] = {
        { .share = TVL_FLOW_SHARE_MAX + 1 },
        { .priority = TVL_FLOW_PRIORITY_MAX + 1 },
        { .priority = -TVL_FLOW_PRIORITY_MAX - 1 },
        { .n_paths = TVL_PATHS_MAX + 1 },
        { .paths = (enum tvl_flow_paths)4 },
        { .reliability = (enum tvl_flow_reliability)3 },
        { .protection = (enum tvl_flow_protection)4 },
        { .code = UINT64_C(1) << 62 },
    };
    struct flows f;
    struct pair p;

    (void)state;
    begin(&p, &f);
    assert_int_equal(tvl_flow_set(p.conn[0], TVL_FLOWS_MAX, &ok), TVL_ERR_ARG);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(tvl_flow_set(p.conn[0], 1, &bad[i]), TVL_ERR_ARG);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window),
        cmocka_unit_test(priority),
        cmocka_unit_test(share),
        cmocka_unit_test(latecomer),
        cmocka_unit_test(lifetime),
        cmocka_unit_test(reliable_beyond_the_deadline),
        cmocka_unit_test(unreliable),
        cmocka_unit_test(pinned_and_excluded),
        cmocka_unit_test(pinned_to_a_path_that_is_not_there),
        cmocka_unit_test(metered),
        cmocka_unit_test(duplicate),
        cmocka_unit_test(wrong_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
