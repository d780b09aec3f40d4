/*
 * test_flow.c - whole connections under pressure: a receiver that never reads, streams that expire
 * while they are blocked, and what the statistics of flows and streams say of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transfer.h"

#define WINDOW (256u << 10)

static void small_windows(const struct pair *p, int side, struct tvl_tls_config *tls,
                          struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)tls;
    cfg->conn_window = cfg->stream_window = WINDOW;
}

static const struct pair_options narrow = { .adjust = small_windows };

static void connect_pair(struct pair *p)
{
    pair_init(p, &narrow);
    pair_connect(p, &narrow);
    pair_run(p, 5 * SECOND, pair_both_connected);
}

/* Write as much as is taken; how much that was. */
static uint64_t fill(struct pair *p, uint64_t id)
{
    static const uint8_t bytes[1 << 20];
    uint64_t all = 0;
    int64_t n;

    while ((n = tvl_stream_write(p->conn[0], id, bytes, sizeof bytes, false)) > 0)
        all += (uint64_t)n;
    assert_int_equal(n, 0);
    return all;
}

/*
 * Twenty streams are filled again and again for ten seconds, nobody reads: what the sender has
 * taken is its buffer and one window. Then the receiver reads, and writing goes on.
 */
static void test_reader_that_never_reads(void **state)
{
    static uint8_t out[WINDOW];
    uint64_t id[20], written = 0;
    struct tvl_conn_stats st;
    struct pair p;
    bool fin;

    (void)state;
    connect_pair(&p);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id[i]), 0);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 20; i++)
            written += fill(&p, id[i]);
        pair_run(&p, SECOND, NULL);
        assert_true(written <= TVL_CONN_BUFFER_MAX + WINDOW);
    }
    assert_int_equal(written, TVL_CONN_BUFFER_MAX + WINDOW);
    tvl_conn_get_stats(p.conn[1], &st);
    assert_int_equal(st.stream_bytes_received, WINDOW);
    p.seen[0][TVL_EVENT_STREAM_WRITABLE] = 0;
    for (unsigned i = 0; i < 60; i++) { /* ten megabytes and more: room to be woken for */
        for (unsigned s = 0; s < 20; s++)
            (void)tvl_stream_read(p.conn[1], id[s], out, sizeof out, &fin);
        pair_run(&p, SECOND / 10, NULL);
    }
    assert_true(p.seen[0][TVL_EVENT_STREAM_WRITABLE] > 0);
    assert_true(fill(&p, id[19]) > 0);
    pair_fini(&p);
}

/* ---- deadlines ---- */

struct expiry {
    tvl_time told[2]; /* when each side heard of it: expired, reset */
};

static void note_expiry(struct pair *p, int side, const struct tvl_event *ev)
{
    struct expiry *x = p->user;

    if (side == PAIR_CLIENT && ev->type == TVL_EVENT_STREAM_EXPIRED)
        x->told[side] = p->now;
    if (side == PAIR_SERVER && ev->type == TVL_EVENT_STREAM_RESET) {
        assert_int_equal(ev->stream.code, 33);
        x->told[side] = p->now;
    }
}

/* The stream is blocked by the receiver's window when its time is up: RESET_STREAM needs no credit
 * and arrives one way's time later. */
static void test_expires_while_blocked(void **state)
{
    struct tvl_flow_stats fs;
    struct expiry x = { { 0, 0 } };
    struct pair p;
    uint64_t id;

    (void)state;
    connect_pair(&p);
    p.on_event = note_expiry;
    p.user = &x;
    const tvl_time deadline = p.now + SECOND;
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_set_flow(p.conn[0], id, 5), 0);
    assert_int_equal(tvl_stream_set_deadline(p.conn[0], id, deadline, 33), 0);
    const uint64_t written = fill(&p, id);
    pair_run(&p, 2 * SECOND, NULL);
    assert_in_range(x.told[0], deadline, deadline + 1);
    assert_in_range(x.told[1], deadline + 10000, deadline + 10002); /* one way takes 10 ms */
    assert_int_equal(tvl_flow_get_stats(p.conn[0], 5, &fs), 0);
    assert_int_equal(fs.expired, 1);
    assert_int_equal(fs.bytes_expired, written);
    assert_int_equal(tvl_backlog(p.conn[0], UINT64_MAX), 0);
    assert_int_equal(tvl_flow_get_stats(p.conn[0], TVL_FLOWS_MAX, &fs), TVL_ERR_ARG);
    pair_fini(&p);
}

/* One packet of the stream is lost, and before the loss is known its time is up: nothing of it is
 * sent again. */
static void test_expired_is_not_repaired(void **state)
{
    static const uint8_t bytes[20000];
    struct tvl_conn_stats st;
    struct pair p;
    uint64_t id;

    (void)state;
    connect_pair(&p);
    pair_run(&p, SECOND, NULL);
    p.link[0].cut[PAIR_SERVER] = true;
    assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_set_deadline(p.conn[0], id, p.now + 5000, 33), 0);
    assert_int_equal(tvl_stream_write(p.conn[0], id, bytes, sizeof bytes, true), sizeof bytes);
    pair_run(&p, 6000, NULL);
    p.link[0].cut[PAIR_SERVER] = false;
    pair_run(&p, 2 * SECOND, NULL);
    assert_int_equal(p.seen[0][TVL_EVENT_STREAM_EXPIRED], 1);
    assert_int_equal(p.seen[1][TVL_EVENT_STREAM_RESET], 1);
    tvl_conn_get_stats(p.conn[0], &st);
    assert_true(st.stream_bytes_sent > 0);
    assert_int_equal(st.stream_bytes_resent, 0);
    assert_int_equal(st.streams_expired, 1);
    pair_fini(&p);
}

/* Small streams every 10 ms for two seconds, 50 ms each, on a link that loses every ninth. */
static void test_margins(void **state)
{
    static const uint8_t bytes[900];
    struct tvl_flow_stats fs;
    struct pair p;
    uint64_t id;

    (void)state;
    connect_pair(&p);
    p.link[0].drop_nth = 9;
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(tvl_stream_open(p.conn[0], TVL_UNI, &id), 0);
        assert_int_equal(tvl_stream_set_flow(p.conn[0], id, 1), 0);
        assert_int_equal(tvl_stream_set_deadline(p.conn[0], id, p.now + 50000, 1), 0);
        assert_int_equal(tvl_stream_write(p.conn[0], id, bytes, sizeof bytes, true), sizeof bytes);
        pair_run(&p, 10000, NULL);
    }
    pair_run(&p, SECOND, NULL);
    assert_int_equal(tvl_flow_get_stats(p.conn[0], 1, &fs), 0);
    assert_int_equal(fs.streams, 200);
    /* a loss of one, or of its acknowledgement, may take two or three beyond 50 ms */
    assert_true(fs.in_time >= 130 && fs.in_time < 200);
    assert_int_equal(fs.in_time + fs.expired, 200);
    assert_int_equal(fs.bytes_in_time, 900 * fs.in_time);
    assert_in_range(fs.margin_mean, 10000, 30000); /* a round trip of 20 ms, acks held up to 5 */
    assert_true(fs.margin_min >= 0 && fs.margin_min <= fs.margin_p10);
    assert_true(fs.margin_p10 <= fs.margin_mean);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_that_never_reads),
        cmocka_unit_test(test_expires_while_blocked),
        cmocka_unit_test(test_expired_is_not_repaired),
        cmocka_unit_test(test_margins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
