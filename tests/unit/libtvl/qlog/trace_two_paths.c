/*
 * trace_two_paths.c - a connection to whose trace every kind of event belongs: two paths with loss,
 * one that dies and returns, one that moves, streams that expire, datagrams, a reason full of
 * quotes. Writes its qlog into the folder given; qlog_test.py reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <tvl/qlog.h>

#include "../conn/transfer.h"

static struct tvl_qlog *qlog[2]; /* one per endpoint */

static void trace_it(const struct pair *p, int side, struct tvl_tls_config *tls,
                     struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->trace = tvl_qlog_trace;
    cfg->trace_user = qlog[side];
    cfg->objective = side == PAIR_SERVER ? TVL_OBJECTIVE_THROUGHPUT : TVL_OBJECTIVE_NONE;
}

static void open_late_streams(struct pair *p)
{
    static const uint8_t bytes[20000];
    uint64_t id;

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(tvl_stream_open(p->conn[0], TVL_UNI, &id), 0);
        assert_int_equal(tvl_stream_set_deadline(p->conn[0], id, p->now + 30000 + i * 20000, 7), 0);
        assert_int_equal(tvl_stream_set_flow(p->conn[0], id, 3), 0);
        (void)tvl_stream_write(p->conn[0], id, bytes, sizeof bytes, true);
        (void)tvl_datagram_write_until(p->conn[0], bytes, 900, p->now + 50000);
    }
}

static void run(struct pair *p, struct transfer *t)
{
    static const struct tvl_flow_config repair = { .protection = TVL_FLOW_REPAIR };

    pair_run(p, 5 * SECOND, pair_both_connected);
    assert_int_equal(tvl_flow_set(p->conn[1], 0, &repair), 0);
    assert_int_equal(pair_path_add(p, 1), 1);
    pair_run(p, 5 * SECOND, transfer_third);
    open_late_streams(p);
    p->link[1].cut[0] = p->link[1].cut[1] = true;
    pair_run(p, SECOND, NULL);
    p->link[1].cut[0] = p->link[1].cut[1] = false;
    p->link[0].nat.port = 6000;
    pair_run(p, 60 * SECOND, transfer_finished);
    assert_true(t->finished && !t->damaged);
    assert_int_equal(tvl_path_abandon(p->conn[0], 1, p->now), 0);
    pair_run(p, SECOND, NULL);
    p->link[0].drop_nth = 0; /* the goodbye is not repeated to a server that has nothing to say */
    assert_int_equal(tvl_close(p->conn[0], 77, "\"quoted\" \\ \x01 \xc3\xa9", p->now), 0);
    pair_run(p, 5 * SECOND, pair_both_closed);
}

int main(int argc, char **argv)
{
    const struct pair_options o = { .adjust = trace_it };
    struct transfer t = { .total = 4000000 };
    struct pair p;

    if (argc != 2)
        return 64;
    for (int side = 0; side < 2; side++)
        if (tvl_qlog_new(&qlog[side], argv[1]) != 0)
            return 1;
    pair_init(&p, &o);
    p.on_event = transfer_serve;
    p.user = &t;
    p.link[0].drop_nth = 29;
    p.link[1].drop_nth = 31;
    pair_connect(&p, &o);
    run(&p, &t);
    pair_fini(&p);
    for (int side = 0; side < 2; side++) {
        printf("%llu bytes, %llu failures\n", (unsigned long long)tvl_qlog_bytes(qlog[side]),
               (unsigned long long)tvl_qlog_failures(qlog[side]));
        if (tvl_qlog_failures(qlog[side]) > 0)
            return 1;
        tvl_qlog_free(qlog[side]);
    }
    return 0;
}
