/*
 * test_conn.c - whole connections between two production endpoints: handshake, streams, datagrams,
 * paths that open, die, return and are abandoned, and every way to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transfer.h"

static bool client_closed(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CLOSED] > 0;
}

/* ---- tests ---- */

static void test_handshake(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct tvl_conn_stats s;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    assert_true(pair_both_connected(&p));
    assert_string_equal(tvl_conn_alpn(p.conn[0]), "test");
    assert_string_equal(tvl_conn_alpn(p.conn[1]), "test");
    uint8_t id[2][TVL_ORIGINAL_ID_MAX];
    const size_t len = tvl_conn_original_id(p.conn[0], id[0]);
    assert_in_range(len, 8, TVL_ORIGINAL_ID_MAX);
    assert_int_equal(tvl_conn_original_id(p.conn[1], id[1]), len);
    assert_memory_equal(id[0], id[1], len);
    tvl_conn_get_stats(p.conn[0], &s);
    assert_true(s.multipath);
    assert_true(s.handshake_time >= 20000 && s.handshake_time < 100000); /* one round trip or two */
    pair_fini(&p);
}

/* Batches: the same bytes arrive over one path and over several, and several leave in one call. */
static void test_batches(void **state)
{
    static const struct {
        size_t room;
        unsigned paths, drop_nth;
        int least;
    } rows[] = {
        { TVL_DATAGRAM_MAX, 1, 0, 1 },
        { 2 * TVL_DATAGRAM_MAX, 1, 0, 2 },
        { 65536, 1, 0, 8 },
        { 65536, 1, 20, 8 },
        { 65536, 3, 20, 8 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct pair_options o = { .batch = rows[i].room };
        struct transfer t = { .total = 1000000 };
        struct pair p;

        pair_init(&p, &o);
        assert_int_equal(tvl_endpoint_send_batch(p.ep[0], &(struct tvl_datagram){ .tag = 0 }, NULL,
                                                 TVL_DATAGRAM_MAX - 1, 0),
                         TVL_ERR_ARG);
        p.user = &t;
        p.on_event = transfer_serve;
        p.link[0].drop_nth = rows[i].drop_nth;
        pair_connect(&p, &o);
        for (unsigned k = 1; k < rows[i].paths; k++)
            assert_true(pair_path_add(&p, k) > 0);
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        assert_int_equal(t.received, t.total);
        assert_in_range(p.largest_batch, rows[i].least, rows[i].room / TVL_DATAGRAM_MAX + 11);
        pair_fini(&p);
    }
}

static void test_transfer_with_loss(void **state)
{
    static const unsigned drop_nth[] = { 0, 20, 7, 4 };

    (void)state;
    for (size_t i = 0; i < sizeof drop_nth / sizeof drop_nth[0]; i++) {
        const struct pair_options o = { .ca_file = NULL };
        struct transfer t = { .total = 300000 };
        struct pair p;

        pair_init(&p, &o);
        p.user = &t;
        p.on_event = transfer_serve;
        p.link[0].drop_nth = drop_nth[i];
        pair_connect(&p, &o);
        pair_run(&p, 120 * SECOND, transfer_finished);
        if (!t.finished)
            fail_msg("every %u-th lost: %u of %u bytes after %u s", drop_nth[i],
                     (unsigned)t.received, (unsigned)t.total, (unsigned)(p.now / SECOND));
        assert_false(t.damaged);
        assert_int_equal(t.received, t.total);
        pair_fini(&p);
    }
}

static void test_two_paths_share(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct transfer t = { .total = 3000000 };
    struct tvl_path_stats ps[TVL_PATHS_MAX];
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.link[0].drop_nth = p.link[1].drop_nth = 100; /* else the first window grows without end */
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    p.user = &t;
    p.on_event = transfer_serve;
    pair_run(&p, 120 * SECOND, transfer_finished);
    assert_true(t.finished);
    assert_false(t.damaged);
    assert_int_equal(tvl_paths(p.conn[0], ps, TVL_PATHS_MAX), 2);
    assert_int_equal(ps[0].state, TVL_PATH_UP);
    assert_int_equal(ps[1].state, TVL_PATH_UP);
    assert_int_equal(tvl_paths(p.conn[1], ps, TVL_PATHS_MAX), 2);
    assert_true(ps[0].bytes_sent > 100000); /* both carried their part */
    assert_true(ps[1].bytes_sent > 100000);
    pair_fini(&p);
}

/* ---- packets before their keys, RFC 9000 5.7 ---- */

static bool server_spoke(struct pair *p)
{
    return p->sent[PAIR_SERVER][0] > 0;
}

static bool client_connected(struct pair *p)
{
    return p->seen[PAIR_CLIENT][TVL_EVENT_CONNECTED] > 0;
}

/* The first datagram on its way to `side` is overtaken by all others; how many are under way. */
static unsigned overtake(struct pair *p, int side)
{
    unsigned n = 0;

    for (size_t i = 0; i < p->n_queue; i++)
        if (p->queue[i].to == side && n++ == 0)
            p->queue[i].at += 3000;
    return n;
}

static void write_at_once(struct pair *p, int side, const struct tvl_event *ev)
{
    uint64_t id;

    if (side != PAIR_CLIENT || ev->type != TVL_EVENT_CONNECTED)
        return;
    assert_int_equal(tvl_stream_open(p->conn[side], TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_write(p->conn[side], id, (const uint8_t *)"now", 3, true), 3);
}

/* Each flight of the handshake arrives back to front: three milliseconds are lost each way, no
 * packet, and no probe time-out. */
static void test_keys_come_late(void **state)
{
    const struct pair_options o = { .extra_names = 40 };
    struct tvl_path_stats ps;
    struct tvl_conn_stats cs;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.on_event = write_at_once;
    pair_connect(&p, &o);
    const tvl_time began = p.now;
    pair_run(&p, SECOND, server_spoke);
    assert_true(overtake(&p, PAIR_CLIENT) >= 2); /* Handshake before Initial */
    pair_run(&p, SECOND, client_connected);
    assert_int_equal(p.now - began, 23000);
    assert_true(overtake(&p, PAIR_SERVER) >= 2); /* 1-RTT before Handshake */
    pair_run(&p, 13000, NULL);
    assert_int_equal(p.seen[PAIR_SERVER][TVL_EVENT_STREAM_READABLE], 1);
    pair_run(&p, SECOND, NULL);
    for (int side = 0; side < 2; side++) {
        tvl_conn_get_stats(p.conn[side], &cs);
        assert_int_equal(cs.packets_dropped, 0);
        assert_int_equal(tvl_paths(p.conn[side], &ps, 1), 1);
        assert_int_equal(ps.packets_lost, 0);
    }
    pair_fini(&p);
}

/* One path dies in the middle, in both directions or in one; the data arrives, and it returns. */
static void test_path_death(void **state)
{
    static const bool cuts[][2] = { { true, true }, { true, false }, { false, true } };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (unsigned dead = 0; dead < 2; dead++) {
            const struct pair_options o = { .keepalive = 200000 };
            struct transfer t = { .total = 2000000 };
            struct pair p;
            tvl_time died;

            pair_init(&p, &o);
            p.link[0].drop_nth = p.link[1].drop_nth = 100;
            p.user = &t;
            p.on_event = transfer_serve;
            pair_connect(&p, &o);
            assert_int_equal(pair_path_add(&p, 1), 1);
            pair_run(&p, 60 * SECOND, transfer_third);
            died = p.now;
            p.link[dead].cut[0] = cuts[i][0];
            p.link[dead].cut[1] = cuts[i][1];
            pair_run(&p, 60 * SECOND, transfer_finished);
            assert_true(t.finished);
            assert_false(t.damaged);
            assert_true(p.now - died < 30 * SECOND);
            /* Where only the way back is cut, acknowledgements take the other path, and the way
             * there may go on. */
            if (cuts[i][0] &&
                (p.last_path[1].path.id != dead || p.last_path[1].path.state != TVL_PATH_SUSPECT))
                fail_msg("cut %zu of path %u: the server's last word is state %u of path %u", i,
                         dead, p.last_path[1].path.state, p.last_path[1].path.id);
            p.link[dead].cut[0] = p.link[dead].cut[1] = false;
            pair_run(&p, 2 * SECOND, NULL);
            assert_int_equal(p.last_path[1].path.id, dead);
            assert_int_equal(p.last_path[1].path.state, TVL_PATH_UP);
            struct tvl_path_stats ps[2];
            assert_int_equal(tvl_paths(p.conn[1], ps, 2), 2);
            assert_true(!cuts[i][0] || ps[dead].evacuations > 0);
            pair_fini(&p);
        }
    }
}

static void test_abandon_and_reopen(void **state)
{
    const struct pair_options o = { .max_path_id = 2 };
    struct tvl_path_stats ps[TVL_PATHS_MAX];
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    for (unsigned k = 1; k <= 20; k++) { /* far beyond the first limit of path IDs */
        const int id = pair_path_add(&p, 1);

        assert_int_equal(id, k);
        pair_run(&p, 5 * SECOND, NULL);
        assert_int_equal(p.last_path[1].path.id, k);
        assert_int_equal(p.last_path[1].path.state, TVL_PATH_UP);
        assert_int_equal(tvl_path_abandon(p.conn[k % 2], (uint32_t)id, p.now), 0);
        pair_run(&p, 5 * SECOND, NULL);
        assert_int_equal(p.last_path[0].path.state, TVL_PATH_ABANDONED);
        assert_int_equal(p.last_path[1].path.state, TVL_PATH_ABANDONED);
        assert_int_equal(tvl_paths(p.conn[0], ps, TVL_PATHS_MAX), 1); /* forgotten */
        assert_int_equal(tvl_paths(p.conn[1], ps, TVL_PATHS_MAX), 1);
    }
    pair_fini(&p);
}

/* PATH_STATUS_BACKUP and _AVAILABLE reach the peer, and the peer's data heeds them. */
static void test_status(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct transfer t = { .total = 200000 };
    struct tvl_path_stats ps[TVL_PATHS_MAX];
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.user = &t;
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    pair_run(&p, 2 * SECOND, NULL);
    assert_int_equal(tvl_path_set_backup(p.conn[0], 0, true, p.now), 0);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(tvl_paths(p.conn[1], ps, TVL_PATHS_MAX), 2);
    assert_true(ps[0].backup);
    assert_false(ps[1].backup);
    const uint64_t before = ps[0].bytes_sent;
    p.on_event = transfer_serve;
    assert_int_equal(tvl_stream_open(p.conn[1], TVL_UNI, &t.id), 0);
    transfer_write(&p, PAIR_SERVER, &t);
    pair_run(&p, 30 * SECOND, transfer_finished);
    assert_true(t.finished);
    assert_int_equal(tvl_paths(p.conn[1], ps, TVL_PATHS_MAX), 2);
    assert_true(ps[0].bytes_sent - before < 5000); /* though it is the faster one */
    assert_true(ps[1].bytes_sent > t.total);
    assert_int_equal(tvl_path_set_backup(p.conn[0], 0, false, p.now), 0);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(tvl_paths(p.conn[1], ps, TVL_PATHS_MAX), 2);
    assert_false(ps[0].backup);
    pair_fini(&p);
}

static void test_datagrams(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    uint8_t big[2000] = { 0 };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    assert_int_equal(tvl_datagram_write(p.conn[0], (const uint8_t *)"hello", 5), 0);
    assert_int_equal(tvl_datagram_write(p.conn[0], big, sizeof big), TVL_ERR_ARG);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(p.seen[1][TVL_EVENT_DATAGRAM], 1);
    pair_fini(&p);
}

/* More than the link takes at once: the early leave, the late are dropped at their deadline. */
static void test_datagrams_expire(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    const unsigned n = 200;
    uint8_t bytes[1000] = { 0 };
    struct tvl_conn_stats st;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    p.link[0].drop_nth = 11;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(tvl_datagram_write_until(p.conn[0], bytes, sizeof bytes, p.now + 5000), 0);
    assert_int_equal(tvl_datagram_write(p.conn[0], bytes, sizeof bytes), 0);
    pair_run(&p, 2 * SECOND, NULL);
    tvl_conn_get_stats(p.conn[0], &st);
    assert_in_range(st.datagrams_expired, 1, n - 5);
    assert_int_equal(st.datagrams_sent + st.datagrams_expired, n + 1);
    assert_int_equal(st.datagrams_acked + st.datagrams_lost, st.datagrams_sent);
    assert_int_equal(p.seen[1][TVL_EVENT_DATAGRAM], st.datagrams_acked);
    tvl_conn_get_stats(p.conn[1], &st);
    assert_int_equal(st.datagrams_received, p.seen[1][TVL_EVENT_DATAGRAM]);
    pair_fini(&p);
}

static void test_close(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    assert_int_equal(tvl_close(p.conn[0], 77, "done\nhere", p.now), 0);
    pair_run(&p, 5 * SECOND, pair_both_closed);
    assert_int_equal(p.closed[0].closed.kind, TVL_CLOSED_LOCAL);
    assert_int_equal(p.closed[1].closed.kind, TVL_CLOSED_PEER_APP);
    assert_int_equal(p.closed[1].closed.code, 77);
    assert_string_equal(p.closed[1].closed.reason, "done?here");
    pair_fini(&p);
}

static const char *const other_alpn[] = { "other", NULL };

static void test_refusals(void **state)
{
    struct test_pki_config pc = { .kind = TEST_PKI_ED25519, .authority = "Stranger" };
    struct test_pki stranger;

    (void)state;
    assert_int_equal(test_pki_init(&stranger, &pc), 0);
    const struct {
        struct pair_options o;
        uint64_t code;
    } table[] = {
        { { .ca_file = stranger.ca }, 0x100 + 48 },          /* unknown_ca */
        { { .server_name = "elsewhere.test" }, 0x100 + 42 }, /* bad_certificate */
        { { .client_alpn = other_alpn }, 0x100 + 120 },      /* no_application_protocol */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct pair p;

        pair_init(&p, &table[i].o);
        pair_connect(&p, &table[i].o);
        pair_run(&p, 15 * SECOND, pair_both_closed);
        assert_true(pair_both_closed(&p));
        assert_int_equal(p.closed[0].closed.kind, TVL_CLOSED_TLS);
        assert_int_equal(p.closed[0].closed.code, table[i].code);
        assert_int_equal(p.closed[1].closed.kind, TVL_CLOSED_TLS);
        pair_fini(&p);
    }
    test_pki_fini(&stranger);
}

static void test_no_answer(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.link[0].cut[1] = true;
    pair_connect(&p, &o);
    pair_run(&p, 15 * SECOND, client_closed);
    assert_int_equal(p.closed[0].closed.kind, TVL_CLOSED_NO_ANSWER);
    assert_true(p.sent[0][0] >= 4 && p.sent[0][0] < 20); /* it tried, with growing gaps */
    pair_fini(&p);
}

static void test_idle(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    pair_run(&p, 60 * SECOND, pair_both_closed);
    assert_int_equal(p.closed[0].closed.kind, TVL_CLOSED_IDLE);
    assert_int_equal(p.closed[1].closed.kind, TVL_CLOSED_IDLE);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_transfer_with_loss),
        cmocka_unit_test(test_two_paths_share),
        cmocka_unit_test(test_path_death),
        cmocka_unit_test(test_abandon_and_reopen),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_datagrams_expire),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_keys_come_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
