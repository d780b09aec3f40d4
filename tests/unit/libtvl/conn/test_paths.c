/*
 * test_paths.c - what a path does beside carrying bytes: the size of its datagrams, moving to
 * another address, marks of congestion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transfer.h"

static struct tvl_path_stats path_of(const struct pair *p, int side, uint32_t id)
{
    struct tvl_path_stats ps[2 * TVL_PATHS_MAX];
    const size_t n = tvl_paths(p->conn[side], ps, 2 * TVL_PATHS_MAX);

    for (size_t i = 0; i < n; i++)
        if (ps[i].id == id)
            return ps[i];
    fail_msg("side %d has no path %u", side, id);
    return ps[0];
}

/* ---- MTU ---- */

static void small_mtu_max(const struct pair *p, int side, struct tvl_tls_config *tls,
                          struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    cfg->mtu_max = side == PAIR_CLIENT ? 1250 : TVL_DATAGRAM_MAX;
}

static void test_mtu_is_found(void **state)
{
    static const struct {
        struct pair_options o;
        unsigned link_mtu;
        uint32_t least[2], most[2];
    } rows[] = {
        { { .ipv6 = false }, 0, { 1472, 1472 }, { 1472, 1472 } },
        { { .ipv6 = true }, 0, { 1452, 1452 }, { 1452, 1452 } },
        { { .ipv6 = false }, 1400, { 1384, 1384 }, { 1400, 1400 } },
        { { .ipv6 = false }, 1200, { 1200, 1200 }, { 1200, 1200 } },
        { { .adjust = small_mtu_max }, 0, { 1250, 1472 }, { 1250, 1472 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;

        pair_init(&p, &rows[i].o);
        p.link[0].mtu = rows[i].link_mtu;
        pair_connect(&p, &rows[i].o);
        pair_run(&p, 20 * SECOND, NULL);
        for (int side = 0; side < 2; side++) {
            const struct tvl_path_stats ps = path_of(&p, side, 0);

            assert_in_range(ps.mtu, rows[i].least[side], rows[i].most[side]);
            assert_int_equal(ps.packets_lost, 0); /* a lost probe is no lost packet */
            assert_in_range(tvl_datagram_room(p.conn[side]), ps.mtu - 100, ps.mtu - 40);
        }
        pair_fini(&p);
    }
}

/* Half way the path takes only small datagrams: what was cut for large ones is cut again. */
static void test_mtu_black_hole(void **state)
{
    (void)state;
    for (unsigned paths = 1; paths <= 2; paths++) {
        const struct pair_options o = { .keepalive = 200000 };
        struct transfer t = { .total = 2000000 };
        struct pair p;

        pair_init(&p, &o);
        p.user = &t;
        p.on_event = transfer_serve;
        p.link[0].drop_nth = p.link[1].drop_nth = 200; /* else the first window has no end */
        pair_connect(&p, &o);
        if (paths == 2)
            assert_int_equal(pair_path_add(&p, 1), 1);
        pair_run(&p, 60 * SECOND, transfer_third);
        assert_int_equal(path_of(&p, PAIR_SERVER, 0).mtu, 1472);
        p.link[0].mtu = p.link[1].mtu = 1300;
        const tvl_time from = p.now;
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(t.finished);
        assert_false(t.damaged);
        assert_true(p.now - from < 20 * SECOND);
        assert_in_range(path_of(&p, PAIR_SERVER, 0).mtu, 1200, 1300);
        pair_run(&p, 5 * SECOND, NULL);
        assert_in_range(path_of(&p, PAIR_SERVER, 0).mtu, 1284, 1300);
        pair_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mtu_is_found),
        cmocka_unit_test(test_mtu_black_hole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
