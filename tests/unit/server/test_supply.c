/*
 * test_supply.c - what the encoder is told: tables of single decisions, and a small world of an
 * encoder that does as it is told, a queue and a link, in which the rates must settle; its log is
 * decided again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sender.h"

#include <string.h>

#define LATENCY_US 400000
#define S0 300000u
#define S1 900000u
#define S2 2400000u
#define AUDIO 96000u
#define ALL (S0 + S1 + S2 + AUDIO)
#define T0_UNITS 3 /* of a layer in a period: 15 a second */

/* Everything that is coded is sent, nothing waits. */
static struct supply_input good(int64_t now_us)
{
    struct supply_input in = { .now_us = now_us,
                               .n_spatial = 3,
                               .wanted = 3,
                               .configured_bps = { S0, S1, S2 },
                               .audio_bps = AUDIO,
                               .latency_us = LATENCY_US,
                               .who = 1,
                               .paths = 1,
                               .rate_bps = 10000000,
                               .delivered_bps = ALL };
    for (unsigned s = 0; s < 3; s++)
        in.offered[s] = in.sent[s] = T0_UNITS;
    return in;
}

/* Fresh, and past the grace of a young path. */
static struct supply old(struct supply_decision *out)
{
    struct supply s = { 0 };
    for (int n = 0; n <= 5; n++) {
        const struct supply_input in = good(n * SUPPLY_PERIOD_US - 1000000);
        supply_decide(&s, &in, out);
    }
    return s;
}

static void check(const char *what, const struct supply_decision *got, unsigned n,
                  const uint32_t *rates, enum supply_reason reason)
{
    if (got->n_spatial != n || got->reason != reason ||
        memcmp(got->bitrate_bps, rates, sizeof got->bitrate_bps) != 0)
        fail_msg("%s: %u layers of %u %u %u, %s", what, got->n_spatial, got->bitrate_bps[0],
                 got->bitrate_bps[1], got->bitrate_bps[2], supply_reason_text(got->reason));
}

/* One input, at full rates. */
static void test_down(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned dropped[3], expired[3];
        uint32_t queue_us, delivered, rate, paths;
        uint32_t want; /* of the top layer */
        enum supply_reason reason;
    } rows[] = {
        { "all well", { 0 }, { 0 }, 0, ALL, 5000000, 1, S2, SUPPLY_SAME },
        { "late", { 0 }, { 0, 0, 1 }, 0, ALL, 5000000, 1, S2 / 100 * 85, SUPPLY_FAULT },
        { "dropped", { 0, 0, 1 }, { 0 }, 0, ALL, 5000000, 1, S2 / 100 * 85, SUPPLY_FAULT },
        { "base", { 0 }, { 1 }, 0, ALL, 5000000, 1, S2 / 100 * 85, SUPPLY_FAULT },
        { "a queue that drains", { 0 }, { 0 }, 160000, ALL, 5000000, 1, S2, SUPPLY_SAME },
        { "one that does not", { 0 }, { 0 }, 160001, ALL, 5000000, 1, 2030400, SUPPLY_QUEUE },
        { "to what passes", { 0 }, { 0 }, 170000, 3000000, 5000000, 1, 1404000, SUPPLY_QUEUE },
        { "by the controller", { 0 }, { 0 }, 170000, 5000000, 3000000, 1, 1404000, SUPPLY_QUEUE },
        { "not all at once", { 0 }, { 0 }, 170000, 1000000, 5000000, 1, S2 / 2, SUPPLY_QUEUE },
        { "no more was sent", { 0, 0, 1 }, { 0 }, 0, 2000000, 5000000, 1, 2040000, SUPPLY_FAULT },
        { "an outage", { 0, 0, 9 }, { 9, 9, 9 }, 900000, 0, 5000000, 1, S2, SUPPLY_SAME },
        { "a path has come", { 0, 0, 9 }, { 0 }, 170000, ALL, 5000000, 2, S2, SUPPLY_SAME },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct supply_decision out;
        struct supply s = old(&out);
        struct supply_input in = good(SUPPLY_PERIOD_US);
        memcpy(in.dropped, rows[i].dropped, sizeof rows[i].dropped);
        memcpy(in.expired, rows[i].expired, sizeof rows[i].expired);
        in.queue_us = rows[i].queue_us;
        in.delivered_bps = rows[i].delivered;
        in.rate_bps = rows[i].rate;
        in.paths = rows[i].paths;
        supply_decide(&s, &in, &out);
        const uint32_t want[SVC_SPATIAL_MAX] = { S0, S1, rows[i].want };
        check(rows[i].what, &out, 3, want, rows[i].reason);
    }
}

/* Faults without end: a cut every 300 ms or more, the top layer first; the base last, never out. */
static void test_layers_go_from_the_top(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    unsigned cuts = 0;
    uint32_t before[SVC_SPATIAL_MAX] = { S0, S1, S2 };
    for (int n = 1; n <= 200; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US / 2);
        in.dropped[0] = 1;
        supply_decide(&s, &in, &out);
        for (unsigned i = 0; i + 1 < out.n_spatial; i++)
            assert_int_equal(out.bitrate_bps[i], before[i]); /* only the top layer's */
        assert_true(out.bitrate_bps[2] == 0 || out.bitrate_bps[2] >= S2 / 100 * 35);
        assert_true(out.bitrate_bps[0] >= S0 / 100 * 35);
        cuts += out.reason != SUPPLY_SAME;
        assert_true(cuts <= 1 + (unsigned)n / 3);
    }
    check("in the end", &out, 1, (uint32_t[SVC_SPATIAL_MAX]){ S0 / 100 * 35 }, SUPPLY_SAME);
}

/* A clean second, then 5 % of what is configured each second. */
static void test_up(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    struct supply_input in = good(0);
    s.rate_bps[2] = S2 / 2;
    in.expired[2] = 1;
    in.queue_us = 170000;
    in.delivered_bps = ALL - S2 / 2;
    supply_decide(&s, &in, &out);
    const uint32_t low = out.bitrate_bps[2];
    assert_in_range(low, S2 / 4, S2 / 100 * 43);
    for (int n = 1; n <= 100; n++) {
        in = good(n * SUPPLY_PERIOD_US);
        if (n < 10)
            in.queue_us = 50000; /* it drains */
        supply_decide(&s, &in, &out);
        /* From n == 9 on it is clean; the step that is near the failure waits for its back-off. */
        const uint32_t steps = n < 14 ? 0 : ((uint32_t)n - 9) / 5;
        const uint32_t want = low + steps * (S2 / 20);
        assert_int_equal(out.bitrate_bps[2], want < S2 ? want : S2);
    }
    assert_int_equal(out.bitrate_bps[2], S2);
}

/* What expires within the latency after a cut was sent before it; what is dropped was not. */
static void test_no_cut_for_the_past(void **state)
{
    (void)state;
    static const struct {
        int64_t after_us;
        unsigned dropped, expired;
        bool cut;
    } rows[] = {
        { 200000, 1, 0, false }, { 300000, 1, 0, true },         { 300000, 0, 1, false },
        { 400000, 0, 1, false }, { LATENCY_US + 1, 0, 1, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct supply_decision out;
        struct supply s = old(&out);
        struct supply_input in = good(SUPPLY_PERIOD_US);
        in.expired[2] = 1;
        supply_decide(&s, &in, &out);
        assert_int_equal(out.reason, SUPPLY_FAULT);
        in = good(SUPPLY_PERIOD_US + rows[i].after_us);
        in.dropped[2] = rows[i].dropped;
        in.expired[2] = rows[i].expired;
        supply_decide(&s, &in, &out);
        assert_int_equal(out.reason, rows[i].cut ? SUPPLY_FAULT : SUPPLY_SAME);
    }
}

static void test_waiting_for_a_refresh_is_no_proof(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    s.rate_bps[2] = S2 / 2;
    for (int n = 1; n < 30; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        in.sent[2] = 0;
        supply_decide(&s, &in, &out);
        assert_int_equal(out.bitrate_bps[2], S2 / 2);
    }
}

/* A layer that fails whenever it is coded: it is tried after 2, 4, 8, 16, 32, 32 ... seconds. */
static void test_back_off(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    int64_t tried_us = 0;
    unsigned tries = 0;
    for (int64_t now_us = SUPPLY_PERIOD_US; tries < 7; now_us += SUPPLY_PERIOD_US) {
        assert_true(now_us < 200000000);
        const unsigned coded = out.n_spatial;
        struct supply_input in = good(now_us);
        in.dropped[2] = coded == 3;
        supply_decide(&s, &in, &out);
        if (out.n_spatial == 2 && coded == 3)
            tried_us = now_us;
        if (out.reason != SUPPLY_RETURN)
            continue;
        assert_int_equal(out.bitrate_bps[2], S2 / 100 * 35);
        const int64_t wait_us = (int64_t)2000000 << (tries < 4 ? tries : 4);
        assert_in_range(now_us - tried_us, wait_us, wait_us + SUPPLY_PERIOD_US);
        tries++;
    }
}

/* A young path's faults, and a layer that others leave out: no evidence, no return. */
static void test_what_is_not_heeded(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = { 0 };
    for (int n = 0; n <= 6; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        in.expired[0] = 1;
        supply_decide(&s, &in, &out);
        assert_int_equal(out.reason, n == 0 ? SUPPLY_BEGIN : n < 5 ? SUPPLY_SAME : SUPPLY_FAULT);
        if (n == 5)
            break;
    }
    s = old(&out);
    s.allowed = 2; /* the third was left out, and nobody asks for it now */
    for (int n = 1; n <= 60; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        in.wanted = n <= 50 ? 2 : 3;
        supply_decide(&s, &in, &out);
        assert_int_equal(out.n_spatial, n <= 50 ? 2 : 3);
    }
}

/* A layer that is asked for again has to prove itself first. */
static void test_coming_back_is_no_proof(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    s.rate_bps[2] = S2 / 2;
    for (int n = 1; n <= 16; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        in.wanted = n <= 10 ? 2 : 3;
        supply_decide(&s, &in, &out);
        const uint32_t want = n <= 10 ? 0 : n < 16 ? S2 / 2 : S2 / 2 + S2 / 20;
        assert_int_equal(out.bitrate_bps[2], want);
    }
}

/* Steps up stop where T1 has to make room. */
static void test_thinning_is_no_proof(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    s.rate_bps[2] = S2 / 2;
    for (int n = 1; n < 60; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        in.thinned[1] = n % 4 == 0; /* no fault: three of four inputs are without */
        supply_decide(&s, &in, &out);
        assert_int_equal(out.bitrate_bps[2], S2 / 2);
    }
}

/* What failed at a sum is forgotten ten seconds after that sum, or more, was last faulty; a fault
 * far below it begins with a short wait again. */
static void test_memory(void **state)
{
    (void)state;
    struct supply_decision out;
    struct supply s = old(&out);
    s.failed_bps = ALL;
    s.failures = 3;
    s.fault_at_us = s.above_since_us = 0;
    for (int n = 1; n <= 50; n++) {
        struct supply_input in = good(n * SUPPLY_PERIOD_US);
        assert_int_equal(s.failures, 3);
        supply_decide(&s, &in, &out);
    }
    assert_int_equal(s.failures, 0);
    s.failed_bps = 2 * ALL;
    s.failures = 3;
    struct supply_input in = good(11000000);
    in.dropped[2] = 1;
    supply_decide(&s, &in, &out);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.failed_bps, ALL);
    s.failures = 3; /* from its last fault on, not from its first */
    s.failed_bps = S0;
    for (int n = 0; n < 20; n++) {
        in = good(11000000 + n * SUPPLY_PERIOD_US);
        in.dropped[2] = n == 15;
        s.failed_bps = S0;
        supply_decide(&s, &in, &out);
    }
    assert_int_equal(s.above_since_us, 11000000 + 15 * SUPPLY_PERIOD_US);
}

static void test_nobody(void **state)
{
    (void)state;
    struct supply s = { 0 };
    struct supply_decision out;
    static const struct {
        uint8_t wanted, want;
        enum supply_reason reason;
    } rows[] = {
        { 0, 1, SUPPLY_SAME },   { 1, 1, SUPPLY_BEGIN },  { 3, 3, SUPPLY_WANTED },
        { 3, 3, SUPPLY_SAME },   { 2, 2, SUPPLY_WANTED }, { 3, 3, SUPPLY_WANTED },
        { 0, 1, SUPPLY_WANTED }, { 3, 3, SUPPLY_BEGIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct supply_input in = good((int64_t)i * SUPPLY_PERIOD_US);
        in.wanted = rows[i].wanted;
        supply_decide(&s, &in, &out);
        const uint32_t all[SVC_SPATIAL_MAX] = { S0, rows[i].want > 1 ? S1 : 0,
                                                rows[i].want > 2 ? S2 : 0 };
        check("a row", &out, rows[i].want, all, rows[i].reason);
    }
}

static void test_nonsense_is_harmless(void **state)
{
    (void)state;
    static const uint8_t rows[][2] = { { 0, 0 }, { 0, 3 }, { 3, 4 }, { 5, 5 }, { 255, 255 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct supply_decision out;
        struct supply s = old(&out), before = s;
        struct supply_input in = good(SUPPLY_PERIOD_US);
        in.n_spatial = rows[i][0];
        in.wanted = rows[i][1];
        supply_decide(&s, &in, &out);
        check("nonsense", &out, 1, (uint32_t[SVC_SPATIAL_MAX]){ 0 }, SUPPLY_SAME);
        assert_memory_equal(&s, &before, sizeof s);
    }
}

/* ---- a world ---- */

#define PICTURE_US 33333
#define PICTURES_A_KEY 60

struct world {
    double capacity_bps, queue_bits;
    double seen_bps, delivered_bps; /* the controller's estimate; acknowledged, smoothed */
    int64_t time_us, decided_us;
    uint64_t picture, random;
    uint64_t sync[3]; /* from this picture on the layer can be followed (again) */
    struct supply_input next;
    struct sender s;
    struct supply_decision now;
    FILE *log;
    /* Of the last pass(): */
    unsigned downs, faults, least_coded, base_faults;
    double told_bits;
};

static double noise(struct world *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(w->random >> 40) / (1 << 24);
}

/* As policy.h has it: the base is always sent, others while they are through in time. */
static void offer(struct world *w, unsigned s, bool t0, double bits)
{
    const double wait_us = (w->queue_bits + bits) / w->capacity_bps * 1e6;
    const bool synced = w->picture >= w->sync[s];
    if (t0)
        w->next.offered[s]++;
    if (!synced || (s > 0 && wait_us > LATENCY_US * (t0 ? 0.75 : 0.4))) {
        w->next.thinned[s] += synced && !t0;
        if (t0 && synced) {
            w->next.dropped[s]++;
            for (unsigned u = s; u < 3; u++)
                w->sync[u] = w->picture + 8;
        }
        return;
    }
    w->queue_bits += bits;
    if (t0)
        w->next.sent[s]++;
    if (t0 && wait_us > LATENCY_US * 2)
        w->next.expired[s]++;
}

static void code(struct world *w)
{
    const bool t0 = w->picture % 2 == 0, key = w->picture % PICTURES_A_KEY == 0;
    w->queue_bits += AUDIO * PICTURE_US / 1e6;
    for (unsigned s = 0; s < w->now.n_spatial; s++) {
        /* A key picture has the bits of four, which the others pay. */
        const double share = key ? 4 : 0.95 * (t0 ? 1.2 : 0.8);
        const double mean = w->now.bitrate_bps[s] * (PICTURE_US / 1e6);
        if (key)
            w->sync[s] = w->picture;
        offer(w, s, t0, mean * share * (0.8 + 0.4 * noise(w)));
    }
    const double passes = w->capacity_bps * PICTURE_US / 1e6;
    const double passed = w->queue_bits < passes ? w->queue_bits : passes;
    w->queue_bits -= passed;
    w->delivered_bps += (passed / PICTURE_US * 1e6 - w->delivered_bps) / 5;
    w->seen_bps += (w->capacity_bps * (0.85 + 0.4 * noise(w)) - w->seen_bps) / 8;
}

static void judge(struct world *w)
{
    struct supply_input in = good(w->time_us);
    for (unsigned s = 0; s < 3; s++) {
        in.offered[s] = w->next.offered[s];
        in.sent[s] = w->next.sent[s];
        in.dropped[s] = w->next.dropped[s];
        in.expired[s] = w->next.expired[s];
        in.thinned[s] = w->next.thinned[s];
        w->faults += in.dropped[s] + in.expired[s];
    }
    w->base_faults += in.dropped[0] + in.expired[0];
    in.rate_bps = (uint64_t)w->seen_bps;
    in.delivered_bps = (uint64_t)w->delivered_bps;
    in.queue_us = w->next.queue_us;
    sender_supply(&w->s, w->log, &in, &w->now);
    const enum supply_reason why = w->now.reason;
    w->downs += why == SUPPLY_FAULT || why == SUPPLY_QUEUE || why == SUPPLY_LEFT_OUT ||
                why == SUPPLY_THINNED;
    w->next = (struct supply_input){ .queue_us = UINT32_MAX };
}

static double told(const struct world *w)
{
    double sum = AUDIO;
    for (unsigned s = 0; s < w->now.n_spatial; s++)
        sum += w->now.bitrate_bps[s];
    return sum;
}

static void pass(struct world *w, double seconds)
{
    const int64_t end_us = w->time_us + (int64_t)(seconds * 1e6);
    w->downs = w->faults = w->base_faults = 0;
    w->told_bits = 0;
    w->least_coded = w->now.n_spatial;
    for (; w->time_us < end_us; w->picture++, w->time_us += PICTURE_US) {
        code(w);
        const uint32_t queue_us = (uint32_t)(w->queue_bits / w->seen_bps * 1e6);
        if (queue_us < w->next.queue_us)
            w->next.queue_us = queue_us;
        if (w->time_us - w->decided_us >= SUPPLY_PERIOD_US) {
            w->decided_us = w->time_us;
            judge(w);
        }
        if (w->now.n_spatial < w->least_coded)
            w->least_coded = w->now.n_spatial;
        w->told_bits += told(w) * PICTURE_US / 1e6;
    }
}

static struct world world(double capacity_bps, uint64_t seed)
{
    struct world w = { .capacity_bps = capacity_bps,
                       .seen_bps = capacity_bps,
                       .random = seed,
                       .now = { .n_spatial = 3, .bitrate_bps = { S0, S1, S2 } },
                       .next = { .queue_us = UINT32_MAX },
                       .log = tmpfile() };
    assert_non_null(w.log);
    return w;
}

static void check_log(struct world *w)
{
    struct decision_verdict v;
    rewind(w->log);
    assert_int_equal(decision_replay(w->log, &sender_policy, &v), 0);
    assert_int_equal(v.differed, 0);
    assert_true(v.made > 100);
    fclose(w->log);
}

/* On a link of a share of what is configured: used well, hardly ever too much, and never in
 * turns. */
static void test_it_settles(void **state)
{
    (void)state;
    static const struct {
        unsigned percent; /* of all that is configured */
        unsigned used;    /* of what the link carries, or all: per cent at least */
    } rows[] = {
        { 200, 100 }, { 120, 99 }, { 100, 97 }, { 80, 95 },
        { 60, 95 },   { 50, 65 }, /* two layers need 35 % of ALL, the third 58 % at least */
        { 36, 90 },   { 25, 90 },  { 12, 80 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct world w = world(ALL / 100. * rows[i].percent, seed);
            pass(&w, 90);
            pass(&w, 300);
            const double fits = w.capacity_bps < ALL ? w.capacity_bps : ALL;
            const double used = w.told_bits / 300 / fits * 100;
            if (used < rows[i].used || w.downs > 12 || w.faults > 12 || w.base_faults > 0)
                fail_msg("%u %%: used %.0f %%, %u downs, %u faults, %u of the base",
                         rows[i].percent, used, w.downs, w.faults, w.base_faults);
            check_log(&w);
        }
}

/* The link falls to a third, and returns. */
static void test_it_follows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world w = world(ALL * 1.3, seed);
        pass(&w, 20);
        assert_int_equal(told(&w), ALL);
        w.capacity_bps /= 3;
        pass(&w, 3);
        assert_true(told(&w) < w.capacity_bps);
        assert_int_equal(w.base_faults, 0);
        pass(&w, 20);
        assert_true(w.faults < 10);
        assert_int_equal(w.base_faults, 0);
        w.capacity_bps *= 3;
        pass(&w, 40);
        assert_int_equal(told(&w), ALL);
        assert_int_equal(w.downs, 0);
        check_log(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_layers_go_from_the_top),
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_no_cut_for_the_past),
        cmocka_unit_test(test_waiting_for_a_refresh_is_no_proof),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_what_is_not_heeded),
        cmocka_unit_test(test_coming_back_is_no_proof),
        cmocka_unit_test(test_thinning_is_no_proof),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_nonsense_is_harmless),
        cmocka_unit_test(test_it_settles),
        cmocka_unit_test(test_it_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
