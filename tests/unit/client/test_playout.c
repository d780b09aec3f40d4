/* test_playout.c - the playout clock and the sound's plan, as tables and short scenarios. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "playout.h"
#include "sound_plan.h"

#define MS INT64_C(1000)
#define FRAME (40 * MS)

static struct playout started(void)
{
    struct playout p;
    playout_init(&p, 300 * MS, FRAME);
    playout_start(&p, 100, 5000 * MS, 1000 * MS);
    return p;
}

static void test_first_is_due_after_latency(void **state)
{
    (void)state;
    struct playout p = started();
    assert_int_equal(playout_due(&p, 5000 * MS), 1300 * MS);
    assert_int_equal(playout_due(&p, 5040 * MS), 1340 * MS);
    assert_int_equal(playout_media_now(&p, 1300 * MS), 5000 * MS);
}

static void test_next_pts(void **state)
{
    (void)state;
    static const struct {
        struct playout_view v;
        int64_t pts;
    } rows[] = {
        { { .has_next = true, .next_pts = 5003 * MS }, 5003 * MS },
        { { 0 }, 5000 * MS }, /* nothing known: a frame on */
        { { .has_later = true, .later = 101, .later_pts = 5050 * MS }, 5005 * MS }, /* half way */
        { { .has_later = true, .later = 103, .later_pts = 5120 * MS }, 5000 * MS },
        { { .has_later = true, .later = 101, .later_pts = 4000 * MS },
          5000 * MS }, /* backwards: no help */
        { { .has_later = true, .later = 101, .later_pts = 99000 * MS },
          5000 * MS }, /* a jump: no help */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct playout p = started();
        assert_int_equal(playout_next_pts(&p, &rows[i].v), rows[i].pts);
    }
}

static void test_pass_and_jump(void **state)
{
    (void)state;
    struct playout p = started();
    playout_pass(&p, 5000 * MS);
    assert_int_equal(p.next, 101);
    assert_false(playout_jumps(&p, 5040 * MS));
    assert_false(playout_jumps(&p, 9000 * MS));
    assert_true(playout_jumps(&p, 5000 * MS + PLAYOUT_JUMP_US));
    assert_true(playout_jumps(&p, 5000 * MS - PLAYOUT_JUMP_US));
}

static void test_stalls(void **state)
{
    (void)state;
    static const struct {
        int64_t gap, stall;
    } rows[] = { { 40 * MS, 0 },         { 80 * MS, 0 },         { 100 * MS, 0 },
                 { 101 * MS, 101 * MS }, { 200 * MS, 200 * MS }, { 40 * MS, 0 } };
    struct playout p = started();
    int64_t now = 1300 * MS;
    assert_int_equal(playout_shown(&p, now), 0); /* the first ends no gap */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        now += rows[i].gap;
        assert_int_equal(playout_shown(&p, now), rows[i].stall);
    }
    assert_int_equal(p.stalls, 2);
    assert_int_equal(p.stall_max_us, 200 * MS);
}

/* As the player does when a base unit comes `late` after its turn. */
static int64_t arrive(struct playout *p, struct playout_delay *d, int64_t pts, int64_t late)
{
    const struct playout_arrival in = playout_base_arrived(p, pts, playout_due(p, pts) + late);
    struct playout_change out;
    playout_delay_decide(d, &in, &out);
    playout_shift(p, out.shift_us);
    return out.shift_us;
}

/* A burst of late units, as after a path's death, is no reason to shift; lasting lateness is. */
static void test_rebuffer(void **state)
{
    (void)state;
    static const struct {
        int64_t late, spacing;
        int n;
        int64_t shift; /* of the last unit, 0: none at all */
    } rows[] = {
        { -10 * MS, 40 * MS, 50, 0 }, /* in time */
        { 30 * MS, 1 * MS, 20, 0 },   /* a burst */
        { 30 * MS, 200 * MS, 4, 0 },  /* too few */
        { 30 * MS, 125 * MS, 5, 30 * MS + PLAYOUT_SHIFT_MARGIN_US },
        { 9000 * MS, 125 * MS, 5, PLAYOUT_SHIFT_MAX_US },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct playout p = started();
        struct playout_delay d = { 0 };
        int64_t shift = 0, offset = p.offset_us;
        for (int n = 0; n < rows[i].n; n++) {
            int64_t pts = 5000 * MS + n * rows[i].spacing;
            assert_int_equal(shift, 0);
            shift = arrive(&p, &d, pts, rows[i].late);
        }
        assert_int_equal(shift, rows[i].shift);
        assert_int_equal(p.offset_us, offset + rows[i].shift);
        assert_int_equal(p.rebuffers, rows[i].shift ? 1 : 0);
    }
}

static void test_one_in_time_forgives(void **state)
{
    (void)state;
    struct playout p = started();
    struct playout_delay d = { 0 };
    for (int n = 0; n < 100; n++) {
        int64_t pts = 5000 * MS + n * 200 * MS;
        int64_t late = n % 4 == 3 ? -1 * MS : 50 * MS;
        assert_int_equal(arrive(&p, &d, pts, late), 0);
    }
}

static void test_drift_is_bounded(void **state)
{
    (void)state;
    struct playout p = started();
    struct playout_delay d = { 0 };
    int64_t offset = p.offset_us;
    for (int n = 0; n < 1000; n++)
        arrive(&p, &d, 5000 * MS + n * 200 * MS, 2000 * MS);
    assert_int_equal(p.offset_us - offset, PLAYOUT_EXTRA_MAX_US);
}

/* Base units come with a delay of their own, which the clock's offset covers or not. */
static unsigned watch(struct playout *p, struct playout_delay *d, int *n, int seconds,
                      int64_t margin, int64_t *least)
{
    unsigned moved = 0;
    for (int end = *n + seconds * 25; *n < end; ++*n) {
        int64_t pts = 5000 * MS + *n * FRAME, at = pts - 4000 * MS + 300 * MS - margin;
        int64_t shift = arrive(p, d, pts, at - playout_due(p, pts));
        moved += shift != 0;
        *least = shift < *least ? shift : *least;
    }
    return moved;
}

/* What a rebuffering took is given back little by little, after proof, and not below the target;
 * the proof that is wanted grows with each rebuffering. */
static void test_delay_returns_after_proof(void **state)
{
    (void)state;
    struct playout p = started();
    struct playout_delay d = { 0 };
    int64_t offset = p.offset_us, least = 0;
    int n = 0;
    assert_int_equal(watch(&p, &d, &n, 60, 100 * MS, &least), 0); /* nothing was taken */
    assert_true(watch(&p, &d, &n, 2, -50 * MS, &least) == 1 && d.extra_us > 50 * MS);
    const int64_t extra = d.extra_us;
    assert_int_equal(watch(&p, &d, &n, 9, 100 * MS, &least), 0);
    assert_int_equal(least, 0);
    assert_int_equal(watch(&p, &d, &n, 30, -extra + PLAYOUT_SPARE_US, &least),
                     0); /* none to spare */
    assert_int_equal(watch(&p, &d, &n, 11, 100 * MS, &least), 1);
    assert_int_equal(p.offset_us, offset + extra - PLAYOUT_GIVE_BACK_US);
    watch(&p, &d, &n, 20, 100 * MS, &least);
    assert_int_equal(least, -PLAYOUT_GIVE_BACK_US);
    assert_int_equal(p.offset_us, offset);
    assert_int_equal(p.rebuffers, 1);
    assert_int_equal(watch(&p, &d, &n, 2, -50 * MS, &least), 1);
    assert_int_equal(watch(&p, &d, &n, 19, 100 * MS, &least), 0);
    assert_int_equal(watch(&p, &d, &n, 2, 100 * MS, &least), 1);
    p.fresh = true; /* the clock starts anew */
    watch(&p, &d, &n, 1, 100 * MS, &least);
    assert_int_equal(d.extra_us, 0);
}

/* Low latency: what is not needed is given back after a window, what is missing is taken soon. */
static void test_low(void **state)
{
    (void)state;
    struct playout_delay d = { 0 };
    struct playout_arrival in = {
        .low = true, .extra_max_us = 360000, .reserve_us = 40000, .fresh = true
    };
    struct playout_change out;
    int64_t offset = 0;
    /* units come 200 ms before their turns, one of ten 20 ms later */
    for (int i = 0; i < 200; i++, in.now_us += 33333) {
        in.late_us = -200000 - offset + (i % 10 == 0 ? 20000 : 0);
        playout_delay_decide(&d, &in, &out);
        in.fresh = false;
        offset += out.shift_us;
    }
    assert_in_range(-in.late_us, 40000, 70000); /* the reserve, for the latest of them */
    const int64_t before = offset;
    int late = 0;
    for (int i = 0; i < 100; i++, in.now_us += 33333) { /* now they come 100 ms later */
        in.late_us = -100000 - offset;
        late += in.late_us > 0;
        playout_delay_decide(&d, &in, &out);
        offset += out.shift_us;
    }
    assert_in_range(late, PLAYOUT_LOW_LATE, 11);
    assert_true(offset > before);
    for (int i = 0; i < 200; i++, in.now_us += 33333) { /* a second off and on: not without end */
        in.late_us = (i % 2 ? 1000000 : -100000) - offset;
        playout_delay_decide(&d, &in, &out);
        offset += out.shift_us;
    }
    assert_in_range(100000 + offset, 0, 400000); /* what the earliest wait */
}

static void test_rewind(void **state)
{
    (void)state;
    struct playout p = started();
    for (int n = 0; n < 10; n++)
        playout_pass(&p, 5000 * MS + n * FRAME);
    playout_rewind(&p, 200, 0);
    assert_int_equal(p.next, 110); /* only back */
    playout_rewind(&p, 105, 5000 * MS + 5 * FRAME);
    assert_int_equal(p.next, 105);
    assert_int_equal(playout_next_pts(&p, &(struct playout_view){ 0 }), 5000 * MS + 5 * FRAME);
}

/* Base units of 25 pictures a second, from media time `from_ms` on: each `early_ms` before its turn
 * as the clock stood at first. How many until the clock leaps; 0: it does not. */
static int until_leap(struct playout *p, int64_t from_ms, int pictures, int64_t early_ms,
                      int64_t extra_ms)
{
    const int64_t offset = started().offset_us;
    for (int n = 0; n < pictures; n++) {
        const int64_t pts = from_ms * MS + n * FRAME;
        if (playout_leap(p, pts, pts + offset - early_ms * MS, extra_ms * MS))
            return n + 1;
    }
    return 0;
}

/* The clock stood still for three seconds: soon after all comes that much earlier, it leaps. */
static void test_leap(void **state)
{
    (void)state;
    struct playout p = started();
    const int64_t before = p.offset_us;
    assert_int_equal(until_leap(&p, 5000, 75, 300, 0), 0);
    const int n = until_leap(&p, 11000, 25, 3300, 0);
    assert_in_range(n, 2, 6);
    assert_int_equal(p.offset_us, before - 3000 * MS); /* due a latency after it came */
    assert_true(p.fresh);                              /* what the delay policy knew is over */
    assert_int_equal(until_leap(&p, 11000 + n * 40, 100, 3300, 0), 0);
    /* The backlog had come faster than it was made: what is left of it is noticed sooner. */
    p = started();
    assert_int_equal(until_leap(&p, 5000, 75, 300, 0), 0);
    assert_in_range(until_leap(&p, 11000, 25, 2900, 0), 2, 6);
    assert_in_range(until_leap(&p, 12000, 25, 3300, 0), 2, 6);
}

static void test_no_leap(void **state)
{
    (void)state;
    struct playout p = started();
    assert_int_equal(until_leap(&p, 5000, 75, 300, 0), 0);
    assert_int_equal(until_leap(&p, 8000, 3, 3300, 0), 0);  /* a few */
    assert_int_equal(until_leap(&p, 8120, 75, 1200, 0), 0); /* a network that has become faster */
    p = started();                                          /* it began behind live, and stays so */
    assert_int_equal(until_leap(&p, 5000, 20, 300, 0), 0);
    assert_int_equal(until_leap(&p, 5800, 300, 4300, 0), 0);
    p = started(); /* the delay policy moved the clock, for the network had been slow */
    assert_int_equal(until_leap(&p, 5000, 400, 100, 2500), 0);
    assert_int_equal(until_leap(&p, 21000, 75, 2800, 2500), 0);
    p = started(); /* what is kept comes ahead of its time, in seconds */
    assert_int_equal(until_leap(&p, 5000, 75, 300, 0), 0);
    for (int n = 0; n < 100; n++) {
        playout_leap_not(&p);
        assert_int_equal(until_leap(&p, 8000 + n * 40, 1, 4000, 0), 0);
    }
    assert_int_equal(until_leap(&p, 12000, 300, 4000, 0), 0);
}

static void test_sound_plan(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct sound_state s; /* media_now, queued, next, has, packet, frame, concealed, ahead */
        enum sound_action action;
        int64_t length;
    } rows[] = {
        { "enough queued", { 0, 80 * MS, 80 * MS, true, 80 * MS, 20 * MS, 0, 0 }, SOUND_WAIT, 0 },
        { "enough of little",
          { 0, 36 * MS, 36 * MS, true, 36 * MS, 20 * MS, 0, 36 * MS },
          SOUND_WAIT,
          0 },
        { "in step", { 0, 40 * MS, 40 * MS, true, 40 * MS, 20 * MS, 0, 0 }, SOUND_PLAY, 0 },
        { "a little early", { 0, 40 * MS, 75 * MS, true, 75 * MS, 20 * MS, 0, 0 }, SOUND_PLAY, 0 },
        { "too early", { 0, 0, 60 * MS, true, 60 * MS, 20 * MS, 0, 0 }, SOUND_SILENCE, 60 * MS },
        { "far too early",
          { 0, 0, 900 * MS, true, 900 * MS, 20 * MS, 0, 0 },
          SOUND_SILENCE,
          80 * MS },
        { "late, speed helps",
          { 100 * MS, 0, 40 * MS, true, 40 * MS, 20 * MS, 0, 0 },
          SOUND_PLAY,
          0 },
        { "too late", { 500 * MS, 0, 40 * MS, true, 40 * MS, 20 * MS, 0, 0 }, SOUND_DROP, 0 },
        { "its place is taken", { 0, 0, 40 * MS, true, 20 * MS, 20 * MS, 0, 0 }, SOUND_DROP, 0 },
        { "missing, time left", { 0, 60 * MS, 60 * MS, false, 0, 20 * MS, 0, 0 }, SOUND_WAIT, 0 },
        { "missing", { 0, 20 * MS, 20 * MS, false, 0, 20 * MS, 0, 0 }, SOUND_CONCEAL, 20 * MS },
        { "missing, and early",
          { 0, 20 * MS, 30 * MS, false, 0, 20 * MS, 0, 0 },
          SOUND_STRETCH,
          SOUND_STRETCH_US },
        { "a gap", { 0, 20 * MS, 20 * MS, true, 40 * MS, 20 * MS, 0, 0 }, SOUND_CONCEAL, 20 * MS },
        { "a long gap",
          { 0, 20 * MS, 20 * MS, false, 0, 20 * MS, 100 * MS, 0 },
          SOUND_SILENCE,
          20 * MS },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sound_step step = sound_plan(&rows[i].s);
        if (step.action != rows[i].action || step.length_us != rows[i].length)
            fail_msg("%s: action %d, length %lld", rows[i].what, (int)step.action,
                     (long long)step.length_us);
    }
}

static void test_sound_speed(void **state)
{
    (void)state;
    assert_true(sound_speed(0) == 1);
    for (int64_t off = -500 * MS; off <= 500 * MS; off += MS) {
        const double speed = sound_speed(off);
        assert_true(speed >= 0.95 && speed <= 1.05);
        assert_true(off == 0 || (off > 0) == (speed < 1)); /* early: slower */
        assert_true(off < -20 * MS || off > 20 * MS || (speed >= 0.9949 && speed <= 1.0051));
    }
}

/*
 * Hours with clocks of their own: of the sender, of the sound card, and ours. Pictures and sound
 * are played by what the sound card says is heard; nothing is left out or put in, they stay
 * together, and what waits here neither grows nor runs out.
 */
static void play_for_hours(double sender_ppm, double card_ppm, bool is_low)
{
    enum { FRAME_SOUND = 20000 };
    struct playout p;
    struct playout_delay d = { 0 };
    const double sender = 1 + sender_ppm / 1e6, card = 1 + card_ppm / 1e6;
    double queued = 0; /* sound that waits to be heard, us of the card's clock */
    int64_t next_sound = 0, next_video = 0, worst_skew = 0, slack_min = INT64_MAX, slack_max = 0;
    const int64_t end = 4 * 3600 * INT64_C(1000000);
    uint32_t random = 7;
    playout_init(&p, is_low ? 20 * MS : 300 * MS, FRAME);
    p.low = is_low;
    playout_start(&p, 0, 0, 0);
    for (int64_t now = 0; now < end; now += PLAYOUT_FOLLOW_US) {
        queued = queued > PLAYOUT_FOLLOW_US * card ? queued - PLAYOUT_FOLLOW_US * card : 0;
        while ((double)next_video / sender <= (double)now) { /* sent so far */
            random = random * 1664525u + 1013904223u;
            const int64_t jitter = (random >> 24) * 100; /* to 25 ms */
            const int64_t came = (int64_t)((double)next_video / sender) + jitter;
            const struct playout_arrival in = playout_base_arrived(&p, next_video, came);
            struct playout_change out;
            playout_delay_decide(&d, &in, &out);
            playout_shift(&p, out.shift_us);
            const int64_t slack = -in.late_us;
            slack_min = now > 2000000 && slack < slack_min ? slack : slack_min;
            slack_max = slack > slack_max ? slack : slack_max;
            next_video += FRAME;
        }
        const int64_t media_now = playout_media_now(&p, now);
        if (media_now < 0)
            continue;
        for (int i = 0; i < 8; i++) {
            const struct sound_state st = { .media_now_us = media_now,
                                            .queued_us = (int64_t)queued,
                                            .next_us = next_sound,
                                            .has_packet = true,
                                            .packet_us = next_sound,
                                            .frame_us = FRAME_SOUND };
            const struct sound_step step = sound_plan(&st);
            if (step.action == SOUND_WAIT)
                break;
            if (now > 2000000)
                assert_int_equal(step.action, SOUND_PLAY);
            if (step.action == SOUND_SILENCE) {
                queued += (double)step.length_us;
                continue;
            }
            queued += FRAME_SOUND / sound_speed(next_sound - (int64_t)queued - media_now);
            next_sound += FRAME_SOUND;
        }
        const int64_t heard = next_sound - (int64_t)queued;
        playout_follow(&p, heard, now);
        const int64_t skew =
            now - playout_due(&p, heard); /* a picture of that time is shown then */
        if (now > 2000000 && (skew > worst_skew || -skew > worst_skew))
            worst_skew = skew > 0 ? skew : -skew;
    }
    const int64_t least = is_low ? -PLAYOUT_LOW_MARGIN_US : 200 * MS,
                  most = is_low ? 80 * MS : 340 * MS;
    if (worst_skew > 20 * MS || slack_min < least || slack_max > most)
        fail_msg("sender %.0f ppm, card %.0f ppm: skew %lld us, slack %lld to %lld us", sender_ppm,
                 card_ppm, (long long)worst_skew, (long long)slack_min, (long long)slack_max);
    assert_true(is_low || d.rebuffers == 0); /* late units are what low latency goes by */
}

static void test_clocks_drift(void **state)
{
    (void)state;
    static const double rows[][2] = { { 0, 0 },    { 200, 0 },    { -200, 0 },   { 0, 200 },
                                      { 0, -200 }, { 200, -200 }, { -200, 200 }, { -300, -300 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int is_low = 0; is_low < 2; is_low++)
            play_for_hours(rows[i][0], rows[i][1], is_low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_is_due_after_latency),
        cmocka_unit_test(test_next_pts),
        cmocka_unit_test(test_pass_and_jump),
        cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_rebuffer),
        cmocka_unit_test(test_one_in_time_forgives),
        cmocka_unit_test(test_drift_is_bounded),
        cmocka_unit_test(test_delay_returns_after_proof),
        cmocka_unit_test(test_rewind),
        cmocka_unit_test(test_leap),
        cmocka_unit_test(test_no_leap),
        cmocka_unit_test(test_low),
        cmocka_unit_test(test_sound_plan),
        cmocka_unit_test(test_sound_speed),
        cmocka_unit_test(test_clocks_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
