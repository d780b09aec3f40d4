/*
 * test_health.c - when a path is left and when it is taken back: tables and short stories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/tvl.h>

#include "health.h"

#define T0 5000000u /* us */
#define MS 1000u

struct limit_row {
    const char *what;
    struct tvl_health_env env;
    tvl_time least, most; /* us of silence until suspect */
};

static const struct limit_row limit_rows[] = {
    { "a fast path is given time for timers", { 1 * MS, 100, 25 * MS, true, 0 }, 55 * MS, 55 * MS },
    { "three round trips with their spread",
      { 20 * MS, 2 * MS, 25 * MS, true, 0 },
      84 * MS,
      84 * MS },
    { "200 ms while others live", { 60 * MS, 10 * MS, 25 * MS, true, 0 }, 200 * MS, 200 * MS },
    { "a slow path may honestly take longer",
      { 300 * MS, 20 * MS, 25 * MS, true, 0 },
      400 * MS,
      500 * MS },
    { "a slow and steady path: an RTT 30 % up is no death",
      { 300 * MS, 1, 25 * MS, true, 0 },
      390 * MS,
      500 * MS },
    { "alone it has no cap", { 60 * MS, 10 * MS, 25 * MS, false, 0 }, 300 * MS, 300 * MS },
    { "before the first sample", { 333 * MS, 166 * MS, 25 * MS, true, 0 }, 999 * MS, 1100 * MS },
};

static void silence_has_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limit_rows / sizeof limit_rows[0]; i++) {
        const struct limit_row *row = &limit_rows[i];
        struct tvl_health h;

        tvl_health_init(&h);
        assert_true(tvl_health_next(&h, &row->env) == TVL_TIME_NEVER);
        tvl_health_sent(&h, T0);
        tvl_health_sent(&h, T0 + 5 * MS); /* more of the same moves nothing */
        const tvl_time doubt = tvl_health_next(&h, &row->env);
        const tvl_time usual = row->env.srtt + (4 * row->env.rttvar > TVL_HEALTH_DOUBT_SPREAD
                                                    ? 4 * row->env.rttvar
                                                    : TVL_HEALTH_DOUBT_SPREAD);

        assert_int_equal(tvl_health_check(&h, &row->env, doubt - 1), TVL_HEALTH_KEEP);
        if (doubt - T0 < row->least) { /* else the limit comes first */
            assert_int_equal(doubt - T0, usual);
            assert_int_equal(tvl_health_check(&h, &row->env, doubt), TVL_HEALTH_DOUBT);
            assert_true(h.doubted);
        }
        const tvl_time at = tvl_health_next(&h, &row->env);

        if (at - T0 < row->least || at - T0 > row->most)
            fail_msg("%s: suspect after %llu us", row->what, (unsigned long long)(at - T0));
        assert_int_equal(tvl_health_check(&h, &row->env, at - 1), TVL_HEALTH_KEEP);
        assert_int_equal(tvl_health_check(&h, &row->env, at), TVL_HEALTH_SUSPECT);
        assert_int_equal(tvl_health_check(&h, &row->env, at), TVL_HEALTH_KEEP); /* said once */
    }
}

static const struct tvl_health_env env = { 20 * MS, 2 * MS, 25 * MS, true, 0 }; /* limit 84 ms */

static void idle_is_not_suspect(void **state)
{
    struct tvl_health h;

    (void)state;
    tvl_health_init(&h);
    assert_int_equal(tvl_health_check(&h, &env, T0 + 3600000000u), TVL_HEALTH_KEEP);
    tvl_health_sent(&h, T0);
    assert_false(tvl_health_acked(&h, T0, 0, T0 + 20 * MS)); /* all answered */
    assert_true(tvl_health_next(&h, &env) == TVL_TIME_NEVER);
    assert_int_equal(tvl_health_check(&h, &env, T0 + 3600000000u), TVL_HEALTH_KEEP);
    tvl_health_sent(&h, T0 + 5000 * MS);                      /* the pause does not count */
    assert_true(tvl_health_next(&h, &env) == T0 + 5040 * MS); /* the doubt */
    tvl_health_idle(&h);
    assert_true(tvl_health_next(&h, &env) == TVL_TIME_NEVER);
}

static void every_answer_starts_the_clock_again(void **state)
{
    struct tvl_health h;
    tvl_time now = T0;

    (void)state;
    tvl_health_init(&h);
    tvl_health_sent(&h, now);
    for (unsigned i = 0; i < 100; i++) {
        now += 80 * MS;
        assert_int_equal(tvl_health_check(&h, &env, now), TVL_HEALTH_DOUBT);
        assert_int_equal(tvl_health_check(&h, &env, now), TVL_HEALTH_KEEP); /* said once */
        assert_false(tvl_health_acked(&h, now - 20 * MS, 3, now));
        assert_false(h.doubted); /* an answer dispels it */
    }
    assert_true(tvl_health_next(&h, &env) == now + 40 * MS);
}

/*
 * While data flows the next packet after the newest acknowledged left a round trip ago: it is due
 * now, so silence shows within the spread of the round trip.
 */
static void in_a_flow_silence_shows_at_once(void **state)
{
    struct tvl_health_env e = { 100 * MS, 2 * MS, 25 * MS, true, 0 };
    struct tvl_health h;
    tvl_time now = T0;

    (void)state;
    tvl_health_init(&h);
    for (unsigned i = 0; i < 300; i++) { /* one a millisecond, acknowledged a round trip later */
        now += MS;
        tvl_health_sent(&h, now);
        if (i < 100)
            continue;
        assert_false(tvl_health_acked(&h, now - 100 * MS, 100, now));
        e.unproved_at = now - 99 * MS;
        assert_int_equal(tvl_health_check(&h, &e, now), TVL_HEALTH_KEEP);
    }
    assert_int_equal(tvl_health_next(&h, &e) - now, 21 * MS); /* 1 ms until due, then the spread */
    assert_int_equal(tvl_health_check(&h, &e, now + 21 * MS), TVL_HEALTH_DOUBT);
    assert_int_equal(tvl_health_next(&h, &e) - now, 200 * MS);
    assert_int_equal(tvl_health_check(&h, &e, now + 200 * MS), TVL_HEALTH_SUSPECT);
}

/* A queue that grows makes packets late one after the other: their answers still come. */
static void late_answers_are_no_silence(void **state)
{
    struct tvl_health_env e = { 100 * MS, 2 * MS, 25 * MS, true, 0 };
    struct tvl_health h;
    tvl_time now = T0;

    (void)state;
    tvl_health_init(&h);
    tvl_health_sent(&h, now);
    for (unsigned i = 0; i < 100; i++) {
        now += TVL_HEALTH_DOUBT_GAP - MS;
        e.unproved_at = now - 300 * MS;
        assert_int_equal(tvl_health_check(&h, &e, now), TVL_HEALTH_KEEP);
        assert_false(tvl_health_acked(&h, now - 301 * MS, 100, now));
    }
}

static void old_proof_is_stale(void **state)
{
    struct tvl_health h;

    (void)state;
    tvl_health_init(&h);
    assert_true(tvl_health_is_stale(&h, T0)); /* nothing was ever proved */
    tvl_health_proved(&h, T0);
    assert_false(tvl_health_is_stale(&h, T0 + TVL_HEALTH_STALE));
    assert_true(tvl_health_is_stale(&h, T0 + TVL_HEALTH_STALE + 1));
    tvl_health_sent(&h, T0 + 1000 * MS);
    assert_true(tvl_health_is_stale(&h, T0 + 1000 * MS)); /* sending proves nothing */
    assert_false(tvl_health_acked(&h, T0 + 1000 * MS, 0, T0 + 1020 * MS));
    assert_false(tvl_health_is_stale(&h, T0 + 1020 * MS));
}

/* Asked so late that the answer comes before the proof is stale, and not sooner. */
static void proof_is_renewed_in_time(void **state)
{
    static const struct {
        tvl_time srtt, rttvar, ask; /* ms; ask: after the proof */
    } rows[] = { { 20, 5, 235 }, { 100, 20, 95 }, { 250, 50, 75 } };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tvl_health_env e = { .srtt = rows[i].srtt * MS,
                                          .rttvar = rows[i].rttvar * MS,
                                          .max_ack_delay = 25 * MS };
        struct tvl_health h;

        tvl_health_init(&h);
        tvl_health_proved(&h, T0);
        assert_false(tvl_health_is_ageing(&h, &e, T0 + rows[i].ask * MS));
        assert_true(tvl_health_is_ageing(&h, &e, T0 + rows[i].ask * MS + 1));
    }
}

static void a_sign_of_life_brings_the_probe_forward(void **state)
{
    struct tvl_health h;

    (void)state;
    tvl_health_init(&h);
    tvl_health_hint(&h, T0); /* not suspect: nothing */
    tvl_health_sent(&h, T0);
    assert_int_equal(tvl_health_check(&h, &env, T0 + 84 * MS), TVL_HEALTH_SUSPECT);
    tvl_health_hint(&h, T0 + 84 * MS + TVL_HEALTH_HINT_GAP - 1); /* one has only just left */
    assert_true(tvl_health_next(&h, &env) == T0 + 184 * MS);
    tvl_health_hint(&h, T0 + 84 * MS + TVL_HEALTH_HINT_GAP);
    assert_true(tvl_health_next(&h, &env) == T0 + 84 * MS + TVL_HEALTH_HINT_GAP);
}

/* Runs a suspect path until `end`, counts and checks the gaps between probes. */
static unsigned probe_until(struct tvl_health *h, tvl_time now, tvl_time end)
{
    tvl_time last = now, gap = 0;
    unsigned n = 0;

    for (now = tvl_health_next(h, &env); now < end; now = tvl_health_next(h, &env)) {
        assert_true(now > last);
        assert_true(now - last >= gap);
        assert_true(now - last >= TVL_HEALTH_PROBE_FIRST && now - last <= TVL_HEALTH_PROBE_LAST);
        gap = now - last;
        last = now;
        assert_int_equal(tvl_health_check(h, &env, now), TVL_HEALTH_PROBE);
        tvl_health_sent(h, now);
        n++;
    }
    assert_true(gap == TVL_HEALTH_PROBE_LAST);
    return n;
}

static void probes_grow_rare_and_one_answer_revives(void **state)
{
    struct tvl_health h;

    (void)state;
    tvl_health_init(&h);
    tvl_health_sent(&h, T0);
    assert_int_equal(tvl_health_check(&h, &env, T0 + 84 * MS), TVL_HEALTH_SUSPECT);
    tvl_health_idle(&h);               /* its data was taken away */
    tvl_health_sent(&h, T0 + 84 * MS); /* the first probe, at once */
    assert_in_range(probe_until(&h, T0 + 84 * MS, T0 + 10084 * MS), 32, 38);
    assert_true(h.suspect);
    /* an answer to something older, perhaps by another path */
    assert_false(tvl_health_acked(&h, T0 + 84 * MS - 1, 5, T0 + 10100 * MS));
    assert_true(h.suspect);
    assert_true(tvl_health_acked(&h, T0 + 84 * MS, 3, T0 + 10100 * MS));
    assert_false(h.suspect);
    assert_false(tvl_health_acked(&h, T0 + 10084 * MS, 0, T0 + 10101 * MS)); /* news only once */
    assert_true(tvl_health_next(&h, &env) == TVL_TIME_NEVER);
}

static void dies_twice(void **state)
{
    struct tvl_health h;
    tvl_time now = T0;

    (void)state;
    tvl_health_init(&h);
    for (unsigned i = 0; i < 2; i++) {
        tvl_health_sent(&h, now);
        assert_int_equal(tvl_health_check(&h, &env, now + 83 * MS), TVL_HEALTH_DOUBT);
        now += 84 * MS;
        assert_int_equal(tvl_health_check(&h, &env, now), TVL_HEALTH_SUSPECT);
        assert_true(tvl_health_next(&h, &env) == now + TVL_HEALTH_PROBE_FIRST);
        assert_true(tvl_health_acked(&h, now, 0, now + 20 * MS));
        now += 30 * MS;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_has_a_limit),
        cmocka_unit_test(idle_is_not_suspect),
        cmocka_unit_test(every_answer_starts_the_clock_again),
        cmocka_unit_test(in_a_flow_silence_shows_at_once),
        cmocka_unit_test(late_answers_are_no_silence),
        cmocka_unit_test(old_proof_is_stale),
        cmocka_unit_test(proof_is_renewed_in_time),
        cmocka_unit_test(a_sign_of_life_brings_the_probe_forward),
        cmocka_unit_test(probes_grow_rare_and_one_answer_revives),
        cmocka_unit_test(dies_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
