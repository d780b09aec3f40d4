/*
 * test_keyphase.c - key updates between two production endpoints: by either side, by both at once,
 * by count, over paths of unlike delay, with every cipher. (What a peer must not do is in the
 * negative suite.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../../libtvl/core/conn.h"
#include "../../../../libtvl/core/error.h"
#include "transfer.h"

static uint64_t updates(const struct pair *p, int side)
{
    struct tvl_conn_stats s;

    tvl_conn_get_stats(p->conn[side], &s);
    return s.key_updates;
}

static uint64_t dropped(const struct pair *p, int side)
{
    struct tvl_conn_stats s;

    tvl_conn_get_stats(p->conn[side], &s);
    return s.packets_dropped;
}

static void chacha(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)cfg;
    tls->suites = "TLS_CHACHA20_POLY1305_SHA256";
}

static void aes256(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)cfg;
    tls->suites = "TLS_AES_256_GCM_SHA384";
}

static void test_by_either_side(void **state)
{
    static const struct pair_options os[] = {
        { .ipv6 = false },
        { .adjust = chacha },
        { .adjust = aes256 },
    };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const int side = (int)(i % 2);
        struct pair p;

        pair_init(&p, &os[i / 2]);
        pair_connect(&p, &os[i / 2]);
        assert_int_equal(tvl_conn_update_keys(p.conn[0], p.now), TVL_ERR_STATE);
        pair_run(&p, SECOND, NULL);
        for (unsigned k = 1; k <= 5; k++) {
            assert_int_equal(tvl_conn_update_keys(p.conn[side], p.now), 0);
            /* the next not before this one is acknowledged, and then some */
            assert_int_equal(tvl_conn_update_keys(p.conn[side], p.now), TVL_ERR_STATE);
            assert_int_equal(tvl_datagram_write(p.conn[side], (const uint8_t *)"x", 1), 0);
            pair_run(&p, 100000, NULL);
            assert_int_equal(tvl_conn_update_keys(p.conn[side], p.now), TVL_ERR_STATE);
            pair_run(&p, SECOND, NULL);
            assert_int_equal(updates(&p, 0), k);
            assert_int_equal(updates(&p, 1), k);
            assert_int_equal(dropped(&p, 0) + dropped(&p, 1), 0);
        }
        pair_fini(&p);
    }
}

static void test_both_at_once(void **state)
{
    const struct pair_options o = { .ipv6 = false };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, SECOND, NULL);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(tvl_conn_update_keys(p.conn[side], p.now), 0);
        assert_int_equal(tvl_datagram_write(p.conn[side], (const uint8_t *)"x", 1), 0);
    }
    pair_run(&p, SECOND, NULL);
    assert_int_equal(updates(&p, 0), 1); /* it is one update */
    assert_int_equal(updates(&p, 1), 1);
    assert_int_equal(p.seen[0][TVL_EVENT_DATAGRAM], 1);
    assert_int_equal(p.seen[1][TVL_EVENT_DATAGRAM], 1);
    pair_fini(&p);
}

static void every_hundred(const struct pair *p, int side, struct tvl_tls_config *tls,
                          struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->key_update_packets = side == PAIR_SERVER ? 100 : 0;
}

/* Three paths whose packets overtake each other by far; loss; one key after the other. */
static void test_over_paths(void **state)
{
    static const unsigned drop_nth[] = { 60, 20 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct pair_options o = { .adjust = every_hundred, .keepalive = 100000 };
        struct transfer t = { .total = 8000000 };
        struct pair p;

        pair_init(&p, &o);
        p.user = &t;
        p.on_event = transfer_serve;
        p.link[1].delay = 150000;
        p.link[2].delay = 40000;
        for (unsigned k = 0; k < 3; k++)
            p.link[k].drop_nth = drop_nth[i];
        pair_connect(&p, &o);
        assert_int_equal(pair_path_add(&p, 1), 1);
        assert_int_equal(pair_path_add(&p, 2), 2);
        pair_run(&p, 120 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        assert_true(updates(&p, PAIR_SERVER) >= 2);
        pair_run(&p, 2 * SECOND, NULL);
        assert_int_equal(updates(&p, PAIR_CLIENT), updates(&p, PAIR_SERVER));
        assert_int_equal(dropped(&p, 0) + dropped(&p, 1), 0);
        assert_non_null(p.conn[0]);
        pair_fini(&p);
    }
}

/* ---- the limits of a cipher, RFC 9001 6.6: counters are set near them by hand ---- */

static void test_a_used_up_key_ends_it(void **state)
{
    const struct pair_options o = { .ipv6 = false };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, SECOND, NULL);
    struct tvl_conn *c = p.conn[PAIR_CLIENT];
    const uint64_t limit = tvl_keys_seal_limit(&c->write[TVL_LEVEL_APP]);
    uint64_t id;

    c->phase.sealed = limit - TVL_KEYPHASE_MARGIN; /* a new key is due, and may be had */
    assert_int_equal(tvl_stream_open(c, TVL_UNI, &id), 0);
    assert_int_equal(tvl_stream_write(c, id, (const uint8_t *)"x", 1, false), 1);
    pair_run(&p, 1000, NULL);
    assert_int_equal(updates(&p, PAIR_CLIENT), 1);
    p.link[0].cut[PAIR_CLIENT] = true; /* no acknowledgement: no further one */
    c->phase.sealed = limit;
    assert_int_equal(tvl_stream_write(c, id, (const uint8_t *)"y", 1, false), 1);
    pair_run(&p, 5 * SECOND, NULL);
    assert_int_equal(p.closed[PAIR_CLIENT].closed.code, TVL_WIRE_AEAD_LIMIT_REACHED);
    assert_int_equal(p.closed[PAIR_SERVER].closed.code, TVL_WIRE_AEAD_LIMIT_REACHED);
    pair_fini(&p);
}

static void test_too_many_forgeries_end_it(void **state)
{
    const struct pair_options o = { .adjust = chacha };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, SECOND, NULL);
    struct tvl_conn *c = p.conn[PAIR_CLIENT];
    const struct tvl_path_config path = pair_path(&p, 0);
    const struct tvl_datagram d = { .local = path.local, .remote = path.remote, .len = 60 };
    uint8_t forged[60] = { 0x40 };

    memcpy(forged + 1, c->local_scid.b, c->local_scid.len);
    c->open_failures = tvl_keys_open_limit(&c->read[TVL_LEVEL_APP]) - 2;
    for (int i = 0; i < 2; i++) {
        uint8_t copy[60];

        memcpy(copy, forged, sizeof copy);
        assert_int_equal(p.seen[PAIR_CLIENT][TVL_EVENT_CLOSED], 0);
        assert_int_equal(tvl_endpoint_recv(p.ep[PAIR_CLIENT], &d, copy, p.now), TVL_ERR_PACKET);
        pair_run(&p, 1000, NULL);
    }
    assert_int_equal(p.closed[PAIR_CLIENT].closed.code, TVL_WIRE_AEAD_LIMIT_REACHED);
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_either_side),
        cmocka_unit_test(test_both_at_once),
        cmocka_unit_test(test_over_paths),
        cmocka_unit_test(test_a_used_up_key_ends_it),
        cmocka_unit_test(test_too_many_forgeries_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
