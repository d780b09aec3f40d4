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

/* ---- moving ---- */

static void single_path(const struct pair *p, int side, struct tvl_tls_config *tls,
                        struct tvl_config *cfg)
{
    (void)p;
    (void)tls;
    (void)side;
    cfg->max_path_id = UINT32_MAX;
}

static const struct pair_options kinds[] = {
    { .ipv6 = false },
    { .ipv6 = true },
    { .adjust = single_path },
    { .adjust = single_path, .ipv6 = true },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void begin(struct pair *p, const struct pair_options *o, struct transfer *t)
{
    pair_init(p, o);
    p->user = t;
    p->on_event = transfer_serve;
    p->link[0].drop_nth = p->link[1].drop_nth = 200;
    pair_connect(p, o);
    pair_run(p, 60 * SECOND, transfer_third);
    assert_true(transfer_third(p));
}

static bool moved(struct pair *p)
{
    return path_of(p, PAIR_SERVER, 0).rebindings > 0;
}

/* The NAT in front of the client gives it another port, or another address, in mid-transfer. */
static void test_rebinding(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * KINDS; i++) {
        struct transfer t = { .total = 1000000 };
        struct pair p;

        begin(&p, &kinds[i % KINDS], &t);
        if (i < KINDS)
            p.link[0].nat.port = 6000;
        else
            p.link[0].nat.host = 7;
        const tvl_time from = p.now;
        pair_run(&p, 60 * SECOND, moved);
        assert_int_equal(path_of(&p, PAIR_SERVER, 0).srtt > 0, i < KINDS); /* RFC 9000 9.4 */
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        assert_true(p.now - from < 10 * SECOND);
        const struct tvl_path_stats ps = path_of(&p, PAIR_SERVER, 0);
        assert_int_equal(ps.rebindings, 1);
        assert_true(ps.validated);
        assert_int_equal(ps.state, TVL_PATH_UP);
        assert_int_equal(path_of(&p, PAIR_CLIENT, 0).rebindings, 0);
        pair_fini(&p);
    }
}

/* Which of our IDs and of the peer's is seen on which link. */
struct ids {
    struct transfer t; /* first: transfer_serve knows it */
    uint8_t seen[2][PAIR_LINKS][64][8];
    size_t n[2][PAIR_LINKS];
    size_t too_small; /* PATH_CHALLENGE and PATH_RESPONSE travel in full datagrams */
};

static void note_id(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                    const uint8_t *bytes)
{
    struct ids *ids = p->user;
    size_t *n = &ids->n[from][link];

    (void)d;
    if (bytes[0] & 0x80)
        return;
    for (size_t i = 0; i < *n; i++)
        if (memcmp(ids->seen[from][link][i], bytes + 1, 8) == 0)
            return;
    assert_true(*n < 64);
    memcpy(ids->seen[from][link][(*n)++], bytes + 1, 8);
}

static void assert_unlinkable(const struct ids *ids)
{
    for (int from = 0; from < 2; from++)
        for (size_t i = 0; i < ids->n[from][0]; i++)
            for (size_t k = 0; k < ids->n[from][1]; k++)
                assert_memory_not_equal(ids->seen[from][0][i], ids->seen[from][1][k], 8);
}

static void test_migration(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct ids *ids = calloc(1, sizeof *ids);
        struct pair p;

        assert_non_null(ids);
        ids->t.total = 1000000;
        begin(&p, &kinds[i], &ids->t);
        p.on_datagram = note_id;
        const struct tvl_path_config to = pair_path(&p, 1);
        assert_int_equal(tvl_path_migrate(p.conn[0], 0, &to, p.now), 0);
        p.link[0].cut[0] = p.link[0].cut[1] = true; /* make before break is not needed */
        const tvl_time from = p.now;
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(ids->t.finished && !ids->t.damaged);
        assert_true(p.now - from < 10 * SECOND);
        assert_unlinkable(ids);
        assert_true(ids->n[0][1] > 0 && ids->n[1][1] > 0);
        for (int side = 0; side < 2; side++) {
            const struct tvl_path_stats ps = path_of(&p, side, 0);

            assert_int_equal(ps.rebindings, 1);
            assert_true(ps.validated);
            assert_int_equal(ps.tag, side == PAIR_CLIENT ? 1 : 0);
        }
        /* and on, as often as one likes: each time there is a new ID */
        for (unsigned k = 0; k < 10; k++) {
            p.link[0].cut[0] = p.link[0].cut[1] = false;
            const struct tvl_path_config next = pair_path(&p, k % 2 ? 1 : 0);

            assert_int_equal(tvl_path_migrate(p.conn[0], 0, &next, p.now), 0);
            pair_run(&p, 5 * SECOND, NULL);
            assert_true(path_of(&p, PAIR_SERVER, 0).validated);
            assert_int_equal(path_of(&p, PAIR_SERVER, 0).rebindings, 2 + k);
        }
        pair_fini(&p);
        free(ids);
    }
}

/* Nobody answers at the new place: back to the old one, and nothing is lost but time. */
static void test_migration_to_nowhere(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct transfer t = { .total = 1000000 };
        struct pair p;

        begin(&p, &kinds[0], &t);
        p.link[1].cut[PAIR_SERVER] = way == 0;
        p.link[1].cut[PAIR_CLIENT] = way == 1;
        const struct tvl_path_config to = pair_path(&p, 1);
        assert_int_equal(tvl_path_migrate(p.conn[0], 0, &to, p.now), 0);
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        assert_int_equal(path_of(&p, PAIR_CLIENT, 0).tag, 0);
        pair_run(&p, 10 * SECOND, NULL);
        assert_true(path_of(&p, PAIR_CLIENT, 0).validated);
        assert_true(path_of(&p, PAIR_SERVER, 0).validated);
        pair_fini(&p);
    }
}

/*
 * RFC 9000 9.3.3: someone on the way sends a packet on from an address of its own. The server
 * believes it, asks at the old address as well, and is back as soon as the client has answered
 * there, though the application is silent. To the false address at most three times as much is sent
 * as came from there.
 */
static void test_forged_source(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p, &kinds[0]);
    pair_connect(&p, &kinds[0]);
    pair_run(&p, 5 * SECOND, NULL);
    p.link[0].nat.host = 66;
    assert_int_equal(tvl_datagram_write(p.conn[0], (const uint8_t *)"hello", 5), 0);
    pair_run(&p, 1, NULL); /* it is on its way */
    p.link[0].nat.host = 0;
    pair_run(&p, SECOND, moved);
    assert_true(moved(&p));
    const uint64_t before = path_of(&p, PAIR_SERVER, 0).bytes_sent;
    pair_run(&p, 25000, NULL); /* before the client's own probe time-out */
    struct tvl_path_stats ps = path_of(&p, PAIR_SERVER, 0);
    assert_int_equal(ps.rebindings, 2);
    assert_true(ps.validated);
    assert_true(ps.bytes_sent - before < 5000);
    const struct tvl_path_config home = pair_path(&p, 0);
    assert_memory_equal(&ps.remote, &home.local, sizeof(struct sockaddr_in));
    pair_fini(&p);
}

/* One path is rebound while another carries data: the other is not disturbed. */
static void test_rebinding_of_one(void **state)
{
    const struct pair_options o = { .keepalive = 100000 };
    struct transfer t = { .total = 3000000 };
    struct pair p;

    (void)state;
    pair_init(&p, &o);
    p.user = &t;
    p.on_event = transfer_serve;
    p.link[0].drop_nth = p.link[1].drop_nth = 200;
    pair_connect(&p, &o);
    assert_int_equal(pair_path_add(&p, 1), 1);
    pair_run(&p, 60 * SECOND, transfer_third);
    p.link[1].nat.host = 9;
    p.link[1].nat.port = 7777;
    pair_run(&p, 60 * SECOND, transfer_finished);
    assert_true(t.finished && !t.damaged);
    pair_run(&p, 3 * SECOND, NULL);
    assert_int_equal(path_of(&p, PAIR_SERVER, 0).rebindings, 0);
    assert_int_equal(path_of(&p, PAIR_SERVER, 1).rebindings, 1);
    assert_true(path_of(&p, PAIR_SERVER, 1).validated);
    assert_int_equal(path_of(&p, PAIR_SERVER, 1).state, TVL_PATH_UP);
    pair_fini(&p);
}

static void with_preferred(const struct pair *p, int side, struct tvl_tls_config *tls,
                           struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)tls;
    cfg->preferred_ipv4.sin_addr.s_addr = htonl(10u << 24 | 8u << 16 | 8u << 8 | 8u);
    cfg->preferred_ipv4.sin_port = htons(4434);
    cfg->preferred_ipv6.sin6_addr.s6_addr[0] = 0xfd;
    cfg->preferred_ipv6.sin6_addr.s6_addr[15] = 8;
    cfg->preferred_ipv6.sin6_port = htons(4434);
}

static uint16_t port_of(struct sockaddr_storage a)
{
    struct sockaddr_in6 sin6;
    struct sockaddr_in sin;

    memcpy(&sin, &a, sizeof sin);
    memcpy(&sin6, &a, sizeof sin6);
    return ntohs(a.ss_family == AF_INET ? sin.sin_port : sin6.sin6_port);
}

static void test_preferred_address(void **state)
{
    (void)state;
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        const struct pair_options o = { .adjust = with_preferred, .ipv6 = ipv6 };
        struct transfer t = { .total = 300000 };
        struct pair p;

        pair_init(&p, &o);
        p.user = &t;
        p.on_event = transfer_serve;
        pair_connect(&p, &o);
        pair_run(&p, 10 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        pair_run(&p, SECOND, NULL);
        assert_int_equal(port_of(path_of(&p, PAIR_CLIENT, 0).remote), 4434);
        assert_int_equal(port_of(path_of(&p, PAIR_SERVER, 0).local), 4434);
        assert_true(path_of(&p, PAIR_SERVER, 0).validated);
        pair_fini(&p);
    }
}

/* ---- ECN ---- */

static void no_ecn(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)tls;
    cfg->no_ecn = true;
}

static void count_marks(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                        const uint8_t *bytes)
{
    (void)link;
    (void)bytes;
    assert_true(d->ecn == 0 || d->ecn == 2);
    p->link[2].count += from == PAIR_SERVER && d->ecn == 2; /* a link that nobody uses */
}

static void test_ecn(void **state)
{
    static const struct {
        const char *what;
        struct pair_options o;
        bool clears, drops;
        unsigned ce_nth;
        bool capable;
        unsigned marked_least, marked_most;
    } rows[] = {
        { "clean", { .ipv6 = false }, false, false, 0, true, 200, 1000 },
        { "congested", { .ipv6 = false }, false, false, 50, true, 200, 1000 },
        { "cleared on the way", { .ipv6 = false }, true, false, 0, false, 1, 40 },
        { "marks kill", { .ipv6 = false }, false, true, 0, false, 1, 40 },
        { "not wanted", { .adjust = no_ecn }, false, false, 0, false, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct transfer t = { .total = 400000 };
        struct pair p;

        pair_init(&p, &rows[i].o);
        p.user = &t;
        p.on_event = transfer_serve;
        p.on_datagram = count_marks;
        p.link[0].clears_ecn = rows[i].clears;
        p.link[0].drops_ecn = rows[i].drops;
        p.link[0].ce_nth = rows[i].ce_nth;
        pair_connect(&p, &rows[i].o);
        pair_run(&p, 60 * SECOND, transfer_finished);
        assert_true(t.finished && !t.damaged);
        const struct tvl_path_stats ps = path_of(&p, PAIR_SERVER, 0);
        if (ps.ecn != rows[i].capable || p.link[2].count < rows[i].marked_least ||
            p.link[2].count > rows[i].marked_most)
            fail_msg("%s: capable %d, %u marked", rows[i].what, ps.ecn, p.link[2].count);
        assert_int_equal(ps.ecn_ce_sent > 0, rows[i].ce_nth > 0);
        if (rows[i].ce_nth) { /* congestion without a loss */
            assert_int_equal(ps.packets_lost, 0);
            assert_true(ps.cwnd < t.total / 4);
            assert_true(path_of(&p, PAIR_CLIENT, 0).ecn_ce_received > 0);
        }
        pair_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mtu_is_found),
        cmocka_unit_test(test_mtu_black_hole),
        cmocka_unit_test(test_rebinding),
        cmocka_unit_test(test_migration),
        cmocka_unit_test(test_migration_to_nowhere),
        cmocka_unit_test(test_forged_source),
        cmocka_unit_test(test_rebinding_of_one),
        cmocka_unit_test(test_preferred_address),
        cmocka_unit_test(test_ecn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
