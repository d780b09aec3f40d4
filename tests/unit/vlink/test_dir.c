/* test_dir.c - the emulated direction against exact figures: times, drops, fates under a seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dir.h"
#include "spec.h"

#define MS 1000000ull

static struct vlink_dir *make(const struct vlink_config *c)
{
    struct vlink_dir *d = vlink_dir_new(c, 7, 0);
    assert_non_null(d);
    return d;
}

static void expect(struct vlink_dir *d, vlink_time now, uint64_t tag, vlink_time at,
                   enum vlink_fate fate)
{
    struct vlink_out out;
    assert_true(vlink_dir_take(d, now, &out));
    assert_int_equal(out.tag, tag);
    assert_int_equal(out.at, at);
    assert_int_equal(out.fate, fate);
}

static void expect_nothing(struct vlink_dir *d, vlink_time now)
{
    struct vlink_out out;
    assert_false(vlink_dir_take(d, now, &out));
}

static void test_serialisation_and_delay(void **state)
{
    (void)state;
    /* 1250 bytes = 10,000 bits at 1 Mbit/s = 10 ms, back to back, then 40 ms on the way. */
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1000000, .delay_ns = 40 * MS });
    assert_int_equal(vlink_dir_push(d, 1 * MS, 1250, 1), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 1 * MS, 1250, 2), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 15 * MS, 625, 3), VLINK_PASS);
    assert_int_equal(vlink_dir_wait(d, 15 * MS), 11 * MS);
    assert_int_equal(vlink_dir_next(d), 21 * MS);
    expect_nothing(d, 51 * MS - 1);
    assert_int_equal(vlink_dir_next(d), 51 * MS);
    expect(d, 51 * MS, 1, 51 * MS, VLINK_PASS);
    expect(d, 100 * MS, 2, 61 * MS, VLINK_PASS);
    expect(d, 100 * MS, 3, 66 * MS, VLINK_PASS);
    expect_nothing(d, 1000 * MS);
    assert_int_equal(vlink_dir_next(d), VLINK_NEVER);
    /* An idle link saves nothing up. */
    vlink_dir_push(d, 1000 * MS, 1250, 4);
    expect(d, 2000 * MS, 4, 1050 * MS, VLINK_PASS);
    vlink_dir_free(d);
}

/* 10 ms each: the second waits 20 ms until its last bit has left, the third 30. */
static void test_marks_what_waited(void **state)
{
    (void)state;
    struct vlink_dir *d =
        make(&(struct vlink_config){ .rate_bps = 1000000, .delay_ns = 5 * MS, .mark_ns = 20 * MS });
    for (uint64_t tag = 1; tag <= 3; tag++)
        vlink_dir_push(d, 1 * MS, 1250, tag);
    for (uint64_t tag = 1; tag <= 3; tag++) {
        struct vlink_out out;
        assert_true(vlink_dir_take(d, 100 * MS, &out));
        assert_int_equal(out.waited_ns, tag * 10 * MS);
        assert_true(out.marked == (tag == 3));
    }
    vlink_dir_free(d);
}

static void test_overhead_counts(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 8000000, .overhead_bytes = 28 });
    vlink_dir_push(d, 0, 972, 1); /* 1000 bytes on the link: 1 ms */
    assert_int_equal(vlink_dir_queue_bytes(d), 1000);
    expect(d, 5 * MS, 1, 1 * MS, VLINK_PASS);
    vlink_dir_push(d, 10 * MS, 0, 2); /* an empty datagram is one too */
    expect(d, 20 * MS, 2, 10 * MS + 28000, VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 30 * MS, 65535, 3), VLINK_DROP_BOUND);
    vlink_dir_free(d);
}

static void test_no_rate_passes_at_once(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .queue_bytes = 100 });
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(vlink_dir_push(d, 5, 100, i), VLINK_PASS);
    for (uint64_t i = 0; i < 1000; i++)
        expect(d, 5, i, 5, VLINK_PASS);
    vlink_dir_free(d);
}

static void test_queue_in_bytes(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1000000, .queue_bytes = 3000 });
    assert_int_equal(vlink_dir_push(d, 0, 1500, 1), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 0, 1400, 2), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 0, 101, 3), VLINK_DROP_QUEUE);
    assert_int_equal(vlink_dir_push(d, 0, 100, 4), VLINK_PASS);
    /* The first is out after 12 ms; only then is there room. */
    assert_int_equal(vlink_dir_push(d, 12 * MS - 1, 1500, 5), VLINK_DROP_QUEUE);
    assert_int_equal(vlink_dir_push(d, 12 * MS, 1500, 6), VLINK_PASS);
    const struct vlink_counts *c = vlink_dir_counts(d);
    assert_int_equal(c->fate[VLINK_DROP_QUEUE], 2);
    assert_int_equal(c->packets_in, 6);
    assert_int_equal(c->bytes_in, 1500 + 1400 + 101 + 100 + 1500 + 1500);
    vlink_dir_free(d);
}

static void test_queue_in_time(void **state)
{
    (void)state;
    /* 10 ms a packet, 20 ms of queue: three are in (waiting 0, 10, 20), the fourth would wait 30.
     */
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1000000, .queue_ns = 20 * MS });
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(vlink_dir_push(d, 0, 1250, i), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 0, 1250, 3), VLINK_DROP_QUEUE);
    assert_int_equal(vlink_dir_push(d, 10 * MS - 1, 1250, 4), VLINK_DROP_QUEUE);
    assert_int_equal(vlink_dir_push(d, 10 * MS, 1250, 5), VLINK_PASS);
    vlink_dir_free(d);
}

static void test_queue_bound(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1 });
    for (uint64_t i = 0; i < VLINK_QUEUE_PACKETS_MAX; i++)
        assert_int_equal(vlink_dir_push(d, 0, 1, i), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 0, 1, 99), VLINK_DROP_BOUND);
    vlink_dir_free(d);
}

static void test_trace(void **state)
{
    (void)state;
    uint32_t ms[] = { 2, 2, 5, 10 };
    struct vlink_trace trace = { .ms = ms, .n = 4 };
    struct vlink_dir *d = make(&(struct vlink_config){ .trace = &trace });
    /* Mahimahi's bytes: a packet may begin in one opportunity and end in the next, several may
     * share one, and what nobody uses is lost. */
    vlink_dir_push(d, 0, 1000, 1);
    vlink_dir_push(d, 0, 1000, 2); /* 500 in the first of 2 ms, 500 in the second, with 3 and 4 */
    vlink_dir_push(d, 0, 400, 3);
    vlink_dir_push(d, 0, 700, 4);
    vlink_dir_push(d, 0, 1, 5);
    assert_int_equal(vlink_dir_wait(d, 0), 5 * MS); /* beside the last byte of 5 */
    expect(d, 2 * MS, 1, 2 * MS, VLINK_PASS);
    expect(d, 2 * MS, 2, 2 * MS, VLINK_PASS);
    expect(d, 2 * MS, 3, 2 * MS, VLINK_PASS);
    expect_nothing(d, 2 * MS);
    assert_int_equal(vlink_dir_next(d), 5 * MS);
    expect(d, 5 * MS, 4, 5 * MS, VLINK_PASS);
    expect(d, 5 * MS, 5, 5 * MS, VLINK_PASS);
    /* Idle until 9 ms, then the loop: 10, then 12, 12, 15, 20. */
    vlink_dir_push(d, 9 * MS, 1500, 6);
    vlink_dir_push(d, 9 * MS, 3001, 7);
    assert_int_equal(vlink_dir_next(d), 10 * MS);
    expect(d, 30 * MS, 6, 10 * MS, VLINK_PASS);
    expect(d, 30 * MS, 7, 15 * MS, VLINK_PASS);
    /* An opportunity at the very moment of arrival has passed. */
    vlink_dir_push(d, 32 * MS, 1, 8);
    expect(d, 60 * MS, 8, 35 * MS, VLINK_PASS);
    vlink_dir_free(d);
}

static void test_trace_queue_in_time(void **state)
{
    (void)state;
    uint32_t ms[] = { 10 };
    struct vlink_trace trace = { .ms = ms, .n = 1 };
    struct vlink_dir *d = make(&(struct vlink_config){ .trace = &trace, .queue_ns = 25 * MS });
    assert_int_equal(vlink_dir_push(d, 0, 1500, 1), VLINK_PASS);
    assert_int_equal(vlink_dir_push(d, 0, 1500, 2), VLINK_PASS);       /* begins at 20 ms */
    assert_int_equal(vlink_dir_push(d, 0, 1500, 3), VLINK_DROP_QUEUE); /* would at 30 */
    vlink_dir_free(d);
}

struct loss_row {
    struct vlink_config cfg;
    unsigned lost_min, lost_max;   /* of 100,000 */
    unsigned burst_min, burst_max; /* mean run of losses, in thousandths */
};

/* Send one by one and tell what is lost and in how many runs. */
static void count_losses(const struct vlink_config *cfg, uint64_t seed, unsigned *lost,
                         unsigned *runs)
{
    struct vlink_dir *d = vlink_dir_new(cfg, seed, 0);
    bool was_lost = false;
    *lost = *runs = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        struct vlink_out out;
        assert_int_equal(vlink_dir_push(d, i * 1000, 100, i), VLINK_PASS);
        assert_true(vlink_dir_take(d, i * 1000, &out));
        bool is_lost = out.fate == VLINK_DROP_LOSS;
        *lost += is_lost;
        *runs += is_lost && !was_lost;
        was_lost = is_lost;
    }
    assert_int_equal(vlink_dir_counts(d)->fate[VLINK_DROP_LOSS], *lost);
    assert_int_equal(vlink_dir_counts(d)->fate[VLINK_PASS], 100000 - *lost);
    vlink_dir_free(d);
}

static void test_loss(void **state)
{
    (void)state;
    /* Gilbert-Elliott: share of time bad = p/(p+r); mean stay in bad = 1/r packets. */
    static const struct loss_row rows[] = {
        { { .loss_ppm = 0 }, 0, 0, 0, 0 },
        { { .loss_ppm = 1000000 }, 100000, 100000, 100000000, 100000000 },
        { { .loss_ppm = 10000 }, 900, 1100, 1000, 1030 },
        { { .ge = true, .ge_p_ppm = 10000, .ge_r_ppm = 200000, .ge_bad_ppm = 1000000 },
          4400,
          5100,
          4700,
          5300 }, /* 1/21 = 4762, bursts of 5 */
        { { .ge = true, .ge_p_ppm = 10000, .ge_r_ppm = 200000, .ge_bad_ppm = 500000 },
          2150,
          2600,
          1450,
          1850 }, /* a half of it */
        { { .ge = true, .ge_good_ppm = 10000, .ge_bad_ppm = 1000000 }, 900, 1100, 1000, 1030 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned lost, runs, again, runs_again;
        count_losses(&rows[i].cfg, 42, &lost, &runs);
        count_losses(&rows[i].cfg, 42, &again, &runs_again);
        assert_int_equal(lost, again);
        assert_int_equal(runs, runs_again);
        assert_in_range(lost, rows[i].lost_min, rows[i].lost_max);
        assert_in_range(runs ? (uint64_t)lost * 1000 / runs : 0, rows[i].burst_min,
                        rows[i].burst_max);
    }
}

/* Jitter must not change what a seed loses. */
static void test_jitter_leaves_loss_alone(void **state)
{
    (void)state;
    struct vlink_config plain = { .loss_ppm = 50000 };
    struct vlink_config jittered = {
        .loss_ppm = 50000, .delay_ns = 10 * MS, .jitter_ns = 5 * MS, .duplicate_ppm = 100000
    };
    struct vlink_dir *a = vlink_dir_new(&plain, 3, 0), *b = vlink_dir_new(&jittered, 3, 0);
    uint8_t lost[2][2000] = { { 0 } };
    struct vlink_dir *both[2] = { a, b };
    for (int k = 0; k < 2; k++) {
        struct vlink_out out;
        for (uint64_t i = 0; i < 2000; i++)
            vlink_dir_push(both[k], i, 100, i);
        while (vlink_dir_take(both[k], 1000 * MS, &out))
            lost[k][out.tag] = out.fate == VLINK_DROP_LOSS;
    }
    assert_memory_equal(lost[0], lost[1], sizeof lost[0]);
    vlink_dir_free(a);
    vlink_dir_free(b);
}

static void test_jitter_keeps_order(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .delay_ns = 10 * MS, .jitter_ns = 5 * MS });
    struct vlink_out out;
    uint64_t early = 0, late = 0;
    for (uint64_t i = 0; i < 5000; i++)
        vlink_dir_push(d, i * MS, 100, i);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_true(vlink_dir_take(d, 6000 * MS, &out));
        assert_int_equal(out.tag, i);
        uint64_t took = out.at - i * MS;
        assert_in_range(took, 5 * MS, 15 * MS);
        early += took < 9 * MS;
        late += took > 12 * MS;
    }
    assert_true(early > 50 && late > 1000); /* it does vary, and order pushes towards late */
    vlink_dir_free(d);
}

static void test_reordering(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){
        .delay_ns = 10 * MS, .reorder_ppm = 100000, .reorder_ns = 3 * MS + 1 });
    struct vlink_out out;
    unsigned overtaken = 0;
    uint64_t highest = 0;
    for (uint64_t i = 0; i < 10000; i++)
        vlink_dir_push(d, i * MS, 100, i);
    while (vlink_dir_take(d, 20000 * MS, &out)) {
        bool held = out.at != out.tag * MS + 10 * MS;
        assert_int_equal(out.at, out.tag * MS + 10 * MS + (held ? 3 * MS + 1 : 0));
        overtaken += out.tag < highest;
        highest = out.tag > highest ? out.tag : highest;
    }
    assert_in_range(overtaken, 900, 1100);
    assert_in_range(vlink_dir_counts(d)->reordered, 900, 1100);
    vlink_dir_free(d);
}

static void test_duplication(void **state)
{
    (void)state;
    struct vlink_dir *d = make(&(struct vlink_config){ .delay_ns = MS, .duplicate_ppm = 1000000 });
    struct vlink_out out;
    vlink_dir_push(d, 0, 100, 1);
    vlink_dir_push(d, 0, 100, 2);
    for (uint64_t i = 0; i < 4; i++) {
        assert_true(vlink_dir_take(d, MS, &out));
        assert_int_equal(out.tag, 1 + i / 2);
        assert_int_equal(out.last, i % 2);
        assert_int_equal(out.fate, VLINK_PASS);
    }
    expect_nothing(d, MS);
    const struct vlink_counts *c = vlink_dir_counts(d);
    assert_int_equal(c->packets_out, 4);
    assert_int_equal(c->bytes_out, 400);
    assert_int_equal(c->fate[VLINK_PASS], 2);
    assert_int_equal(c->duplicated, 2);
    vlink_dir_free(d);
}

static void test_rate_change_in_mid_packet(void **state)
{
    (void)state;
    struct vlink_config c = { .rate_bps = 1000000 };
    struct vlink_dir *d = make(&c);
    vlink_dir_push(d, 0, 1250, 1);
    vlink_dir_push(d, 0, 1250, 2);
    c.rate_bps = 500000; /* after 4 of 10 ms: the other 6 take 12 */
    vlink_dir_configure(d, 4 * MS, &c);
    expect(d, 100 * MS, 1, 16 * MS, VLINK_PASS);
    expect(d, 100 * MS, 2, 36 * MS, VLINK_PASS);
    vlink_dir_push(d, 100 * MS, 1250, 3);
    vlink_dir_push(d, 100 * MS, 1250, 4);
    c.rate_bps = 0;
    vlink_dir_configure(d, 101 * MS, &c);
    expect(d, 101 * MS, 3, 101 * MS, VLINK_PASS);
    expect(d, 101 * MS, 4, 101 * MS, VLINK_PASS);
    vlink_dir_free(d);
}

static void test_shorter_delay_keeps_order(void **state)
{
    (void)state;
    struct vlink_config c = { .delay_ns = 50 * MS };
    struct vlink_dir *d = make(&c);
    vlink_dir_push(d, 0, 100, 1);
    c.delay_ns = 10 * MS;
    vlink_dir_configure(d, 1 * MS, &c);
    vlink_dir_push(d, 2 * MS, 100, 2);
    vlink_dir_push(d, 45 * MS, 100, 3);
    expect(d, 100 * MS, 1, 50 * MS, VLINK_PASS);
    expect(d, 100 * MS, 2, 50 * MS, VLINK_PASS);
    expect(d, 100 * MS, 3, 55 * MS, VLINK_PASS);
    vlink_dir_free(d);
}

static void test_down_and_up(void **state)
{
    (void)state;
    struct vlink_config c = { .rate_bps = 1000000, .delay_ns = 5 * MS };
    struct vlink_dir *d = make(&c);
    vlink_dir_push(d, 0, 1250, 1); /* arrives at 15 ms */
    vlink_dir_push(d, 0, 1250, 2); /* on its way at 22 ms */
    vlink_dir_push(d, 0, 1250, 3); /* half sent */
    vlink_dir_push(d, 0, 1250, 4); /* waits */
    c.down = true;
    vlink_dir_configure(d, 22 * MS, &c); /* nobody has looked since 0: no matter */
    assert_int_equal(vlink_dir_push(d, 23 * MS, 100, 5), VLINK_DROP_DOWN);
    assert_int_equal(vlink_dir_queue_packets(d), 0);
    assert_int_equal(vlink_dir_queue_bytes(d), 0);
    expect(d, 30 * MS, 1, 15 * MS, VLINK_PASS);
    uint64_t seen = 0;
    for (int i = 0; i < 3; i++) {
        struct vlink_out out;
        assert_true(vlink_dir_take(d, 30 * MS, &out));
        assert_int_equal(out.fate, VLINK_DROP_DOWN);
        assert_int_equal(out.at, 22 * MS);
        assert_true(out.last);
        seen |= 1u << out.tag;
    }
    assert_int_equal(seen, 1u << 2 | 1u << 3 | 1u << 4);
    expect_nothing(d, 30 * MS);
    c.down = false;
    vlink_dir_configure(d, 40 * MS, &c);
    vlink_dir_push(d, 40 * MS, 1250, 6);
    expect(d, 100 * MS, 6, 55 * MS, VLINK_PASS);
    assert_int_equal(vlink_dir_counts(d)->fate[VLINK_DROP_DOWN], 4);
    vlink_dir_free(d);
}

/* Every packet comes out exactly once, whatever the settings and however often one looks; and the
 * result does not depend on how often. */
static uint64_t run_mixed(uint64_t step_ns)
{
    struct vlink_config c;
    vlink_config_init(&c);
    c.rate_bps = 4000000;
    c.delay_ns = 20 * MS;
    c.jitter_ns = 8 * MS;
    c.loss_ppm = 20000;
    c.ge = true;
    c.ge_p_ppm = 5000;
    c.ge_r_ppm = 100000;
    c.ge_bad_ppm = 700000;
    c.reorder_ppm = 10000;
    c.duplicate_ppm = 10000;
    struct vlink_dir *d = vlink_dir_new(&c, 99, 0);
    uint64_t digest = 1469598103934665603u, taken = 0, ended = 0;
    struct vlink_out out;
    for (uint64_t i = 0; i < 4000; i++) {
        vlink_time now = i * 2 * MS;
        for (vlink_time t = now - (i ? 2 * MS : 0); step_ns && t < now; t += step_ns)
            while (vlink_dir_take(d, t, &out)) {
                ended += out.last;
                digest = (digest ^ (out.at + out.tag * 31 + out.fate)) * 1099511628211u;
            }
        if (i == 1500 || i == 1800) {
            c.down = i == 1500;
            vlink_dir_configure(d, now, &c);
        }
        taken += vlink_dir_push(d, now, (uint32_t)(400 + i * 37 % 1000), i) == VLINK_PASS;
    }
    while (vlink_dir_take(d, 100000 * MS, &out)) {
        ended += out.last;
        digest = (digest ^ (out.at + out.tag * 31 + out.fate)) * 1099511628211u;
    }
    assert_int_equal(taken, ended);
    const struct vlink_counts *n = vlink_dir_counts(d);
    uint64_t sum = 0;
    for (int i = 0; i < VLINK_FATES; i++)
        sum += n->fate[i];
    assert_int_equal(sum, n->packets_in);
    assert_int_equal(vlink_dir_next(d), VLINK_NEVER);
    vlink_dir_free(d);
    return digest;
}

static void test_same_events_for_a_seed(void **state)
{
    (void)state;
    uint64_t digest = run_mixed(0);
    assert_int_equal(run_mixed(0), digest);
    assert_int_equal(run_mixed(2 * MS), digest);
    assert_int_equal(run_mixed(300000), digest);
}

/* What is being sent goes on with the rest of it: 5 of 10 ms at 1 Mbit/s are 625 bytes. */
static void test_trace_and_rate_change_places(void **state)
{
    (void)state;
    uint32_t each[] = { 4 }, two[] = { 7, 7 };
    const struct vlink_trace slow = { .ms = each, .n = 1 }, fast = { .ms = two, .n = 2 };
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1000000 });
    for (uint64_t tag = 1; tag <= 4; tag++)
        vlink_dir_push(d, 0, 1250, tag);
    vlink_dir_configure(d, 5 * MS, &(struct vlink_config){ .trace = &slow });
    /* Opportunities of 1500 bytes at 9, 13 ...: 625 + 875, 375 + 1125 of the next. */
    expect_nothing(d, 9 * MS - 1);
    expect(d, 9 * MS, 1, 9 * MS, VLINK_PASS);
    expect(d, 13 * MS, 2, 13 * MS, VLINK_PASS);
    expect_nothing(d, 13 * MS);
    vlink_dir_configure(d, 14 * MS, &(struct vlink_config){ .trace = &fast });
    expect(d, 21 * MS, 3, 21 * MS, VLINK_PASS); /* 14 + 7, counted from the change */
    expect(d, 21 * MS, 4, 21 * MS, VLINK_PASS);
    vlink_dir_push(d, 22 * MS, 2000, 5);
    vlink_dir_configure(d, 23 * MS, &(struct vlink_config){ .rate_bps = 1000000 });
    expect(d, 100 * MS, 5, 39 * MS, VLINK_PASS); /* all of its 16 ms are left */
    assert_int_equal(vlink_dir_next(d), VLINK_NEVER);
    vlink_dir_free(d);
}

static void test_hungry(void **state)
{
    (void)state;
    uint32_t ms[] = { 5, 5, 10 };
    const struct vlink_trace trace = { .ms = ms, .n = 3 };
    struct vlink_dir *d = make(&(struct vlink_config){ .rate_bps = 1000000 });
    assert_true(vlink_dir_hungry(d) && vlink_dir_event(d) == VLINK_NEVER);
    assert_int_equal(vlink_dir_wait_behind(d, 0, 1250), 10 * MS);
    vlink_dir_push(d, 0, 1250, 1);
    assert_true(!vlink_dir_hungry(d) && vlink_dir_event(d) == 10 * MS);
    assert_int_equal(vlink_dir_wait_behind(d, 0, 1250), 20 * MS);
    vlink_dir_free(d);
    d = make(&(struct vlink_config){ .trace = &trace });
    for (uint64_t tag = 1; tag <= 3; tag++) { /* 3000 bytes fill the two of the first 5 ms */
        assert_true(vlink_dir_hungry(d));
        vlink_dir_push(d, 0, 1000, tag);
    }
    assert_true(!vlink_dir_hungry(d) && vlink_dir_event(d) == 5 * MS);
    assert_int_equal(vlink_dir_wait_behind(d, 0, 1499), 10 * MS);
    assert_int_equal(vlink_dir_wait_behind(d, 0, 1500), 15 * MS);
    vlink_dir_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serialisation_and_delay),
        cmocka_unit_test(test_marks_what_waited),
        cmocka_unit_test(test_overhead_counts),
        cmocka_unit_test(test_trace_and_rate_change_places),
        cmocka_unit_test(test_hungry),
        cmocka_unit_test(test_no_rate_passes_at_once),
        cmocka_unit_test(test_queue_in_bytes),
        cmocka_unit_test(test_queue_in_time),
        cmocka_unit_test(test_queue_bound),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_trace_queue_in_time),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_jitter_leaves_loss_alone),
        cmocka_unit_test(test_jitter_keeps_order),
        cmocka_unit_test(test_reordering),
        cmocka_unit_test(test_duplication),
        cmocka_unit_test(test_rate_change_in_mid_packet),
        cmocka_unit_test(test_shorter_delay_keeps_order),
        cmocka_unit_test(test_down_and_up),
        cmocka_unit_test(test_same_events_for_a_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
