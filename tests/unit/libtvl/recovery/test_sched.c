/*
 * test_sched.c - what every scheduler owes its host, and what each of them picks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include <tvl/sched.h>

struct pick_row {
    const char *what;
    struct tvl_sched_path path[4];
    size_t n;
    size_t bytes;
    int want;
};

#define PATH(rtt, free)                                                   \
    {                                                                     \
        .srtt = (rtt), .room = (free), .cwnd = 30000, .rate_bps = 1000000 \
    }

static const struct pick_row minrtt_rows[] = {
    { "the fastest", { PATH(40000, 9000), PATH(15000, 9000), PATH(30000, 9000) }, 3, 1200, 1 },
    { "the fastest that has room",
      { PATH(40000, 9000), PATH(15000, 0), PATH(30000, 9000) },
      3,
      1200,
      2 },
    { "room for part of it is none", { PATH(15000, 1199), PATH(40000, 1200) }, 2, 1200, 1 },
    { "nobody has room: hold it", { PATH(15000, 0), PATH(40000, 100) }, 2, 1200, TVL_SCHED_NONE },
    { "one path", { PATH(15000, 1200) }, 1, 1200, 0 },
    { "one full path", { PATH(15000, 0) }, 1, 1200, TVL_SCHED_NONE },
};

static void minrtt_picks(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("minrtt");

    (void)state;
    assert_non_null(ops);
    for (size_t i = 0; i < sizeof minrtt_rows / sizeof minrtt_rows[0]; i++) {
        const struct pick_row *row = &minrtt_rows[i];
        const struct tvl_sched_packet pkt = { .bytes = row->bytes, .deadline = TVL_TIME_NEVER };
        _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };
        const int got = ops->pick(s, row->path, row->n, &pkt, 1000);

        if (got != row->want)
            fail_msg("%s: picks %d", row->what, got);
    }
}

struct ecf_row {
    const char *what;
    struct tvl_sched_path path[3];
    size_t n;
    uint64_t waiting, credit;
    tvl_time deadline;
    int want;
};

#define NOW 5000000u /* us */
#define EVER TVL_TIME_NEVER
#define PLENTY UINT64_MAX
#define LINK(rtt, min, free, mbit)                                                  \
    {                                                                               \
        .srtt = (rtt), .rtt_min = (min), .room = (free), .rate_bps = (mbit)*1000000 \
    }

/* Arrival is srtt - rtt_min / 2; 8 Mbit/s carry 1000 bytes a millisecond. */
static const struct ecf_row ecf_rows[] = {
    { "the fastest that has room",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 9000, 8) },
      2,
      1200,
      PLENTY,
      EVER,
      1 },
    { "little waits: hold it for the fast one",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      1200,
      PLENTY,
      EVER,
      -1 },
    { "30 ms of data wait, and the slow path is 30 ms slower",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      30000,
      PLENTY,
      EVER,
      0 },
    { "a little less: hold it",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      29900,
      PLENTY,
      EVER,
      -1 },
    { "the same wait in the fast path's queue counts",
      { LINK(80000, 80000, 9000, 8), LINK(50000, 20000, 0, 8) },
      2,
      1200,
      PLENTY,
      EVER,
      0 },
    { "two faster ones carry it in half the time: hold it",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8), LINK(20000, 20000, 0, 8) },
      3,
      30000,
      PLENTY,
      EVER,
      -1 },
    { "twice as much waits: use the slow one",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8), LINK(20000, 20000, 0, 8) },
      3,
      60000,
      PLENTY,
      EVER,
      0 },
    { "the second is worth it, the third is not asked",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8), LINK(24000, 24000, 9000, 8) },
      3,
      9000,
      PLENTY,
      EVER,
      2 },
    { "the slow path would miss the deadline",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      99000,
      PLENTY,
      NOW + 39000,
      -1 },
    { "it would not",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      99000,
      PLENTY,
      NOW + 41000,
      0 },
    { "the fastest is used whatever the deadline",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 1500, 8) },
      2,
      99000,
      PLENTY,
      NOW + 1000,
      1 },
    { "the receiver's window would be used up before the slow packet is read",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      99000,
      49000,
      EVER,
      -1 },
    { "it lasts",
      { LINK(80000, 80000, 9000, 8), LINK(20000, 20000, 0, 8) },
      2,
      99000,
      51000,
      EVER,
      0 },
    { "nobody has room",
      { LINK(80000, 80000, 0, 8), LINK(20000, 20000, 0, 8) },
      2,
      99000,
      PLENTY,
      EVER,
      -1 },
};

static void ecf_picks(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("ecf");

    (void)state;
    assert_non_null(ops);
    for (size_t i = 0; i < sizeof ecf_rows / sizeof ecf_rows[0]; i++) {
        const struct ecf_row *row = &ecf_rows[i];
        const struct tvl_sched_packet pkt = {
            .bytes = 1200, .deadline = row->deadline, .waiting = row->waiting, .credit = row->credit
        };
        _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };
        const int got = ops->pick(s, row->path, row->n, &pkt, NOW);

        if (got != row->want)
            fail_msg("%s: picks %d", row->what, got);
    }
}

/* ---- roundrobin, weighted ---- */

static void roundrobin_takes_turns(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("roundrobin");
    struct tvl_sched_path path[] = { PATH(10000, 9000), PATH(90000, 9000), PATH(50000, 9000) };
    const struct tvl_sched_packet pkt = { .bytes = 1200, .deadline = TVL_TIME_NEVER };
    const int want[] = { 0, 1, 2, 0, 1, 2, 0 }, without[] = { 2, 0, 2, 0 };
    _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        path[i].id = 10 + i;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(ops->pick(s, path, 3, &pkt, 1000), want[i]);
    path[1].room = 1199;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ops->pick(s, path, 3, &pkt, 1000), without[i]);
}

static void weighted_shares_by_rate(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("weighted");
    struct tvl_sched_path path[] = { PATH(10000, 9000), PATH(90000, 9000), PATH(50000, 0) };
    const struct tvl_sched_packet pkt = { .bytes = 1200, .deadline = TVL_TIME_NEVER };
    _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };
    unsigned count[3] = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        path[i].id = i;
        path[i].rate_bps = (i + 1) * 1000000;
    }
    for (unsigned i = 0; i < 300; i++)
        count[ops->pick(s, path, 3, &pkt, 1000)]++;
    assert_in_range(count[0], 99, 101); /* 1 : 2 */
    assert_in_range(count[1], 199, 201);
    memset(count, 0, sizeof count);
    path[2].room = 9000; /* it does not get what it missed */
    for (unsigned i = 0; i < 600; i++)
        count[ops->pick(s, path, 3, &pkt, 1000)]++;
    assert_in_range(count[0], 98, 102); /* 1 : 2 : 3 */
    assert_in_range(count[1], 198, 202);
    assert_in_range(count[2], 298, 302);
}

/* ---- blest ---- */

static void blest_keeps_the_window_free(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("blest");
    /* meanwhile the fast one sends (30000 + 1200 * 3 / 2) * 4 = 127200 bytes */
    struct tvl_sched_path path[] = { PATH(80000, 9000), PATH(20000, 0) };
    struct tvl_sched_packet pkt = { .bytes = 1200, .credit = 128500, .deadline = TVL_TIME_NEVER };
    _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };

    (void)state;
    assert_int_equal(ops->pick(s, path, 2, &pkt, 1000), 0);
    pkt.credit = 128300;
    assert_int_equal(ops->pick(s, path, 2, &pkt, 1000), TVL_SCHED_NONE);
    path[1].room = 1200;
    assert_int_equal(ops->pick(s, path, 2, &pkt, 1000), 1);
    path[1].room = 0;
    pkt.credit = 0; /* the window was met: lambda rises to 1.01 */
    (void)ops->pick(s, path, 2, &pkt, 30000);
    pkt.credit = 128500;
    assert_int_equal(ops->pick(s, path, 2, &pkt, 40000), TVL_SCHED_NONE);
    pkt.credit = UINT64_MAX;
    assert_int_equal(ops->pick(s, path, 2, &pkt, 40000), 0);
}

/* ---- redundant ---- */

static void redundant_goes_everywhere(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("redundant");
    const struct tvl_sched_path path[] = { PATH(80000, 9000), PATH(20000, 9000), PATH(9000, 0),
                                           PATH(90000, 1200) };
    const struct tvl_sched_packet pkt = { .bytes = 1200, .deadline = TVL_TIME_NEVER };

    (void)state;
    assert_int_equal(ops->pick(NULL, path, 4, &pkt, 1000), 1);
    assert_int_equal(ops->also(NULL, path, 4, 1, &pkt, 1000), 1 | 4 | 8);
}

/* ---- layered ---- */

#define SURE(rtt, free)                                                                  \
    {                                                                                    \
        .srtt = (rtt), .rtt_min = (rtt), .spread = 1000, .room = (free), .cwnd = 100000, \
        .rate_bps = 8000000, .capacity_bps = 8000000, .full = true                       \
    }
#define DUE (NOW + 300000)

struct layered_row {
    const char *what;
    struct tvl_sched_path path[2];
    struct tvl_sched_packet pkt;
    tvl_time unproved_age; /* of path 0, */
    uint64_t in_flight;    /* and its queue */
    double loss;
    int want;
    uint64_t also; /* if that was picked */
};

static const struct layered_row layered_rows[] = {
    { .what = "base: both sure, the earlier",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = DUE },
      .want = 0,
      .also = TVL_SCHED_WATCH },
    { .what = "base: the earlier has no room, the other is as good",
      .path = { SURE(40000, 0), SURE(60000, 9000) },
      .pkt = { .deadline = DUE },
      .want = 1,
      .also = TVL_SCHED_WATCH },
    { .what = "base: what is overdue is in doubt",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = DUE },
      .unproved_age = 90000,
      .want = 1,
      .also = TVL_SCHED_WATCH },
    { .what = "base: so is what waits in a long queue",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = DUE },
      .in_flight = 250000,
      .want = 1,
      .also = TVL_SCHED_WATCH },
    { .what = "base: waits for the sure one's room rather than go where it will be late",
      .path = { SURE(40000, 9000), SURE(60000, 0) },
      .pkt = { .deadline = DUE },
      .in_flight = 290000,
      .want = TVL_SCHED_NONE },
    { .what = "base: little time is left, it goes twice",
      .path = { SURE(40000, 9000), SURE(44000, 9000) },
      .pkt = { .deadline = NOW + 30000 },
      .want = 0,
      .also = 2 },
    { .what = "upper: the earlier",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = DUE, .flow = 3 },
      .want = 0,
      .also = 0 },
    { .what = "upper: never behind more than the queue a base unit may find",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = DUE, .flow = 3 },
      .in_flight = 95000,
      .want = 1,
      .also = 0 },
    { .what = "upper: nor where it would be late",
      .path = { SURE(40000, 9000), SURE(60000, 0) },
      .pkt = { .deadline = NOW + 15000, .flow = 3 },
      .want = TVL_SCHED_NONE },
    { .what = "upper: a unit that nobody can deliver in time is held: 200 kB, 2 MB/s, 60 ms",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = NOW + 90000, .flow = 3, .left = 200000 },
      .want = TVL_SCHED_NONE },
    { .what = "upper: past its deadline it is there only because its flow is reliable, and goes",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = NOW - 1, .flow = 3, .left = 200000 },
      .want = 0,
      .also = 0 },
    { .what = "base: so is it, and does",
      .path = { SURE(40000, 9000), SURE(60000, 9000) },
      .pkt = { .deadline = NOW, .left = 200000 },
      .want = 0,
      .also = 0 },
};

static void layered_picks(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("layered");

    (void)state;
    for (size_t i = 0; i < sizeof layered_rows / sizeof layered_rows[0]; i++) {
        const struct layered_row *row = &layered_rows[i];
        struct tvl_sched_path path[2] = { row->path[0], row->path[1] };
        struct tvl_sched_packet pkt = row->pkt;

        pkt.bytes = 1200;
        path[0].unproved_age = row->unproved_age;
        path[0].in_flight = row->in_flight;
        path[0].loss = row->loss;
        const int got = ops->pick(NULL, path, 2, &pkt, NOW);

        if (got != row->want)
            fail_msg("%s: picks %d", row->what, got);
        if (got >= 0 && ops->also(NULL, path, 2, got, &pkt, NOW) != row->also)
            fail_msg("%s: also %llx", row->what,
                     (unsigned long long)ops->also(NULL, path, 2, got, &pkt, NOW));
    }
}

/* A base frame under way is followed: its path stalls, and a copy goes to the other. */
static void layered_copies_what_falls_behind(void **state)
{
    const struct tvl_sched_ops *ops = tvl_sched_find("layered");
    struct tvl_sched_path path[] = { SURE(40000, 9000), SURE(60000, 9000) };
    struct tvl_sched_packet pkt = { .bytes = 1200, .deadline = DUE, .age = 30000 };

    (void)state;
    path[0].unproved_age = 30000;
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 30000), TVL_SCHED_WATCH);
    pkt.age = path[0].unproved_age = 100000;
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 100000), 2);
    path[1].room = 0; /* as soon as there is room */
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 100000), TVL_SCHED_WATCH);
    pkt.flow = 2;
    path[1].room = 9000;
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 100000), 0);
    pkt.rescue = true;
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 100000), 2);
    path[0].unproved_age = 30000;
    pkt.age = 30000; /* no sooner than it falls behind */
    assert_int_equal(ops->also(NULL, path, 2, 0, &pkt, NOW + 30000), TVL_SCHED_WATCH);
}

static void every_scheduler_keeps_the_contract(void **state)
{
    (void)state;
    for (size_t i = 0; tvl_sched_all[i] != NULL; i++) {
        const struct tvl_sched_ops *ops = tvl_sched_all[i];
        _Alignas(8) unsigned char s[TVL_SCHED_STATE_MAX] = { 0 };
        uint64_t x = 88172645463325252u;

        assert_ptr_equal(tvl_sched_find(ops->name), ops);
        if (ops->init)
            ops->init(s, 0);
        for (unsigned k = 0; k < 20000; k++) {
            struct tvl_sched_path path[TVL_PATHS_MAX];
            struct tvl_sched_packet pkt = { .bytes = 1200,
                                            .deadline = k % 3 ? TVL_TIME_NEVER : 1000 * k + 50000,
                                            .flow = k % 5,
                                            .left = k % 7 * 1000,
                                            .waiting = k * 100,
                                            .credit = k % 2 ? UINT64_MAX : k };

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const size_t n = 1 + x % TVL_PATHS_MAX;

            for (size_t p = 0; p < n; p++)
                path[p] = (struct tvl_sched_path){ .id = (uint32_t)p,
                                                   .srtt = 1 + (x >> p) % 200000,
                                                   .rttvar = (x >> p) % 5000,
                                                   .spread = (double)((x >> p) % 50000),
                                                   .rtt_last = (x >> 2 * p) % 90000,
                                                   .rtt_min = (x >> p) % 300000,
                                                   .room = (x >> (3 * p)) % 4 * 1000,
                                                   .cwnd = 12000,
                                                   .rate_bps = (x >> p) % 10000000,
                                                   .capacity_bps = (x >> (2 * p)) % 10000000,
                                                   .full = x >> p & 1,
                                                   .swing = (double)(x >> p & 7) / 8,
                                                   .loss = (double)(x >> p & 15) / 16,
                                                   .unproved_age = (x >> p) % 90000 };
            const int got = ops->pick(s, path, n, &pkt, 1000 * (tvl_time)k);

            assert_true(got == TVL_SCHED_NONE || (got >= 0 && (size_t)got < n));
            if (got != TVL_SCHED_NONE)
                assert_true(path[got].room >= pkt.bytes);
            if (got != TVL_SCHED_NONE && ops->also) {
                const uint64_t mask = ops->also(s, path, n, got, &pkt, 1000 * (tvl_time)k);

                assert_true((mask & ~TVL_SCHED_WATCH) >> n == 0);
                assert_false(mask >> got & 1);
            }
        }
    }
    assert_null(tvl_sched_find("no such"));
    assert_null(tvl_sched_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minrtt_picks),
        cmocka_unit_test(ecf_picks),
        cmocka_unit_test(roundrobin_takes_turns),
        cmocka_unit_test(weighted_shares_by_rate),
        cmocka_unit_test(blest_keeps_the_window_free),
        cmocka_unit_test(redundant_goes_everywhere),
        cmocka_unit_test(layered_picks),
        cmocka_unit_test(layered_copies_what_falls_behind),
        cmocka_unit_test(every_scheduler_keeps_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
