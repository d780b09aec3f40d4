/*
 * test_mpath.c - the life of many paths: opened and abandoned for ever, status and limits told,
 * standby paths asked, several servers' addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/trace.h>

#include "transfer.h"

#define FRAMES_MAX 0x4000

static unsigned sent[2][FRAMES_MAX]; /* frames by side and type, since the last begin */

static void count_frames(void *user, const struct tvl_trace_event *ev)
{
    unsigned *by_type = user;

    if (ev->type != TVL_TRACE_PACKET_SENT)
        return;
    for (size_t i = 0; i < ev->packet.n_frames && i < TVL_TRACE_FRAMES_MAX; i++)
        if (ev->packet.frame[i].type < FRAMES_MAX)
            by_type[ev->packet.frame[i].type]++;
}

static void watch(const struct pair *p, int side, struct tvl_tls_config *tls,
                  struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->trace = count_frames;
    cfg->trace_user = sent[side];
    memset(sent[side], 0, sizeof sent[side]);
}

static bool find(const struct pair *p, int side, uint32_t id, struct tvl_path_stats *out)
{
    struct tvl_path_stats ps[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(p->conn[side], ps, 2 * TVL_PATHS_MAX);

    for (size_t i = 0; i < n; i++)
        if (ps[i].id == id) {
            *out = ps[i];
            return true;
        }
    return false;
}

static bool path_is_up(struct pair *p)
{
    return p->last_path[1].path.id == *(unsigned *)p->user &&
           p->last_path[1].path.state == TVL_PATH_UP;
}

static void test_a_thousand_paths(void **state)
{
    const struct pair_options o = { .max_path_id = 2, .adjust = watch };
    struct tvl_path_stats ps[2 * TVL_PATHS_MAX];
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    pair_run(&p, 5 * SECOND, pair_both_connected);
    for (unsigned k = 1; k <= 1000; k++) {
        p.link[0].drop_nth = p.link[1].drop_nth = k % 10 == 0 ? 5 : 0;
        assert_int_equal(pair_path_add(&p, 1), k);
        p.user = &k;
        pair_run(&p, 20 * SECOND, path_is_up);
        if (p.last_path[1].path.id != k || p.last_path[1].path.state != TVL_PATH_UP)
            fail_msg("path %u: state %d of %u", k, p.last_path[1].path.state,
                     p.last_path[1].path.id);
        assert_int_equal(tvl_path_abandon(p.conn[k % 2], k, p.now), 0);
        pair_run(&p, 600000, NULL);
        p.link[0].drop_nth = p.link[1].drop_nth = 0;
        pair_run(&p, 600000, NULL);
        for (int side = 0; side < 2; side++)
            assert_in_range(tvl_paths(p.conn[side], ps, 2 * TVL_PATHS_MAX), 1, 3);
    }
    pair_run(&p, 5 * SECOND, NULL);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(tvl_paths(p.conn[side], ps, 2 * TVL_PATHS_MAX), 1);
        /* each says so once, but for losses and doubts */
        assert_in_range(sent[side][0x3e75], 1000, 1400);
    }
    pair_fini(&p);
}

/* The status of a path overtakes its first packet. */
static void test_early_status(void **state)
{
    const struct pair_options o = { .ipv6 = false };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.link[1].delay = 300000;
    pair_connect(&p, &o);
    pair_run(&p, SECOND, NULL);
    struct tvl_path_config path = pair_path(&p, 1);
    path.backup = true;
    assert_int_equal(tvl_path_add(p.conn[0], &path, p.now), 1);
    pair_run(&p, 200000, NULL);
    assert_false(find(&p, PAIR_SERVER, 1, &ps));
    pair_run(&p, SECOND, NULL);
    assert_true(find(&p, PAIR_SERVER, 1, &ps));
    assert_true(ps.backup);
    assert_int_equal(ps.state, TVL_PATH_UP);
    pair_fini(&p);
}

static void few_paths(const struct pair *p, int side, struct tvl_tls_config *tls,
                      struct tvl_config *cfg)
{
    watch(p, side, tls, cfg);
    if (side == PAIR_SERVER)
        cfg->max_path_id = 1;
}

/* A client that may not open another path says so, once, and goes on when one is given up. */
static void test_blocked(void **state)
{
    const struct pair_options o = { .adjust = few_paths };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    assert_int_equal(pair_path_add(&p, 2), 2);
    pair_run(&p, 5 * SECOND, NULL);
    assert_true(find(&p, PAIR_CLIENT, 2, &ps));
    assert_int_equal(ps.state, TVL_PATH_OPENING);
    assert_int_equal(sent[0][0x3e7b], 1); /* PATHS_BLOCKED */
    assert_int_equal(tvl_path_abandon(p.conn[0], 1, p.now), 0);
    pair_run(&p, 5 * SECOND, NULL);
    assert_true(find(&p, PAIR_SERVER, 2, &ps));
    assert_int_equal(ps.state, TVL_PATH_UP);
    pair_fini(&p);
}

/* A standby path that dies unused is known to be dead before it is needed; and where nothing is
 * sent at all, nothing is asked. */
static void test_standby(void **state)
{
    const struct pair_options o = { .adjust = watch };
    struct transfer t = { .total = 1 };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.user = &t;
    p.on_event = transfer_serve;
    pair_connect(&p, &o);
    struct tvl_path_config path = pair_path(&p, 1);
    path.backup = true;
    assert_int_equal(tvl_path_add(p.conn[0], &path, p.now), 1);
    pair_run(&p, 4 * SECOND, NULL);
    const uint64_t quiet = p.sent[0][1] + p.sent[1][1];
    pair_run(&p, 15 * SECOND, NULL);
    assert_int_equal(p.sent[0][1] + p.sent[1][1], quiet);
    for (unsigned i = 0; i < 50; i++) { /* ten a second on the other path */
        assert_int_equal(tvl_datagram_write(p.conn[1], (const uint8_t *)"x", 1), 0);
        pair_run(&p, 100000, NULL);
    }
    const uint64_t asked = p.sent[0][1] + p.sent[1][1] - quiet;
    assert_in_range(asked, 4, 24);
    assert_true(find(&p, PAIR_SERVER, 1, &ps));
    assert_int_equal(ps.state, TVL_PATH_UP);
    p.link[1].cut[0] = p.link[1].cut[1] = true;
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(tvl_datagram_write(p.conn[1], (const uint8_t *)"x", 1), 0);
        pair_run(&p, 100000, NULL);
    }
    for (int side = 0; side < 2; side++) {
        assert_true(find(&p, side, 1, &ps));
        assert_int_equal(ps.state, TVL_PATH_SUSPECT);
    }
    pair_fini(&p);
}

static void expect_state(struct pair *p, uint32_t path, enum tvl_path_state state)
{
    struct tvl_path_stats ps;

    for (int side = 0; side < 2; side++) {
        assert_true(find(p, side, path, &ps));
        assert_int_equal(ps.state, state);
    }
}

/*
 * A suspect path returns when the one beside it has just died: each side's answer must not wait for
 * that one, or both would stay where they are. `later` us shift their probes against each other.
 */
static void return_as_the_other_dies(tvl_time later)
{
    const struct pair_options o = { .ipv6 = false };
    struct transfer t = { .total = 1000 };
    struct pair p;

    pair_init(&p, &o);
    p.user = &t;
    p.on_event = transfer_serve;
    p.link[1].delay = 5000; /* so short that an answer gives no reason to ask again */
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    pair_run(&p, SECOND, NULL);
    p.link[1].cut[0] = p.link[1].cut[1] = true;
    for (int side = 0; side < 2; side++) {
        assert_int_equal(tvl_path_hint_down(p.conn[side], 1, p.now), 0);
        pair_run(&p, SECOND + later, NULL);
    }
    expect_state(&p, 1, TVL_PATH_SUSPECT);
    p.link[0].cut[0] = p.link[0].cut[1] = true;
    p.link[1].cut[0] = p.link[1].cut[1] = false;
    pair_run(&p, SECOND, NULL);
    expect_state(&p, 1, TVL_PATH_UP);
    pair_fini(&p);
}

static void test_return_as_the_other_dies(void **state)
{
    (void)state;
    for (tvl_time later = 0; later < 300000; later += 20000)
        return_as_the_other_dies(later);
}

/* A path in doubt is acknowledged over a shorter one: that way back is not the path's own. */
static void test_least_round_trip(void **state)
{
    static const tvl_time delay[2] = { 8000, 60000 };
    const struct pair_options o = { .ipv6 = false };
    struct transfer t = { .total = 1000 };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.user = &t;
    p.on_event = transfer_serve;
    for (int i = 0; i < 2; i++)
        p.link[i].delay = delay[i];
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    pair_run(&p, SECOND, NULL);
    p.link[1].cut[0] = p.link[1].cut[1] = true;
    for (int side = 0; side < 2; side++)
        assert_int_equal(tvl_path_hint_down(p.conn[side], 1, p.now), 0);
    pair_run(&p, SECOND, NULL);
    expect_state(&p, 1, TVL_PATH_SUSPECT);
    p.link[1].cut[0] = p.link[1].cut[1] = false;
    pair_run(&p, 3 * SECOND, NULL);
    expect_state(&p, 1, TVL_PATH_UP);
    for (int side = 0; side < 2; side++)
        for (uint32_t id = 0; id < 2; id++) {
            assert_true(find(&p, side, id, &ps));
            assert_in_range(ps.rtt_min, 2 * delay[id], 2 * delay[id] + 2000);
        }
    pair_fini(&p);
}

/* Each path may lead to another address of the server. */
static void test_several_servers(void **state)
{
    const struct pair_options o = { .ipv6 = false };
    struct transfer t = { .total = 1000000 };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.user = &t;
    p.on_event = transfer_serve;
    p.link[0].drop_nth = p.link[1].drop_nth = 100;
    pair_connect(&p, &o);
    struct tvl_path_config path = pair_path(&p, 1);
    struct sockaddr_in other;
    memcpy(&other, &path.remote, sizeof other);
    other.sin_addr.s_addr ^= htonl(3);
    memcpy(&path.remote, &other, sizeof other);
    assert_int_equal(tvl_path_add(p.conn[0], &path, p.now), 1);
    pair_run(&p, 30 * SECOND, transfer_finished);
    assert_true(t.finished && !t.damaged);
    assert_true(find(&p, PAIR_SERVER, 1, &ps));
    assert_memory_equal(&ps.local, &other, sizeof other);
    assert_int_equal(ps.rebindings, 0);
    assert_true(ps.bytes_sent > 100000);
    pair_fini(&p);
}

/* One connection over both families: path 0 as the pair was made, path 1 of the other. */
static void test_both_families(void **state)
{
    (void)state;
    for (int six = 0; six < 2; six++) {
        const struct pair_options o = { .ipv6 = six };
        struct transfer t = { .total = 3000000 };
        struct tvl_path_stats ps[2];
        struct pair p;

        pair_init(&p, &o);
        p.user = &t;
        p.on_event = transfer_serve;
        p.link[1].delay = p.link[0].delay;
        p.link[0].drop_nth = p.link[1].drop_nth = 100;
        pair_connect(&p, &o);
        p.ipv6 = !six;
        assert_int_equal(pair_path_add(&p, 1), 1);
        pair_run(&p, 30 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        assert_int_equal(tvl_paths(p.conn[PAIR_SERVER], ps, 2), 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(ps[i].remote.ss_family, six == i ? AF_INET : AF_INET6);
            assert_int_equal(ps[i].mtu, six == i ? 1472 : 1452);
            assert_true(ps[i].bytes_sent > 100000);
        }
        pair_fini(&p);
    }
}

/* The first packets of two new paths overtake each other. */
static void test_opened_out_of_order(void **state)
{
    const struct pair_options o = { .ipv6 = false };
    struct tvl_path_stats ps;
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.link[1].delay = 200000;
    pair_connect(&p, &o);
    pair_run(&p, SECOND, NULL);
    assert_int_equal(pair_path_add(&p, 1), 1);
    assert_int_equal(pair_path_add(&p, 2), 2);
    pair_run(&p, 2 * SECOND, NULL);
    for (uint32_t id = 1; id <= 2; id++) {
        assert_true(find(&p, PAIR_SERVER, id, &ps));
        assert_int_equal(ps.state, TVL_PATH_UP);
    }
    pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thousand_paths),
        cmocka_unit_test(test_early_status),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_standby),
        cmocka_unit_test(test_return_as_the_other_dies),
        cmocka_unit_test(test_least_round_trip),
        cmocka_unit_test(test_several_servers),
        cmocka_unit_test(test_opened_out_of_order),
        cmocka_unit_test(test_both_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
