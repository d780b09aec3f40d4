/*
 * test_sched.c - what every scheduler owes its host, and what minrtt and ecf pick.
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
                                                   .rtt_min = (x >> p) % 300000,
                                                   .room = (x >> (3 * p)) % 4 * 1000,
                                                   .cwnd = 12000,
                                                   .rate_bps = (x >> p) % 10000000 };
            const int got = ops->pick(s, path, n, &pkt, 1000 * (tvl_time)k);

            assert_true(got == TVL_SCHED_NONE || (got >= 0 && (size_t)got < n));
            if (got != TVL_SCHED_NONE)
                assert_true(path[got].room >= pkt.bytes);
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
        cmocka_unit_test(every_scheduler_keeps_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
