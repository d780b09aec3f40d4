/*
 * test_sched.c - what every scheduler owes its host, and what minrtt picks.
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
            struct tvl_sched_packet pkt = { .bytes = 1200, .deadline = TVL_TIME_NEVER };

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const size_t n = 1 + x % TVL_PATHS_MAX;

            for (size_t p = 0; p < n; p++)
                path[p] = (struct tvl_sched_path){ .id = (uint32_t)p,
                                                   .srtt = 1 + (x >> p) % 200000,
                                                   .rttvar = (x >> p) % 5000,
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
        cmocka_unit_test(every_scheduler_keeps_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
