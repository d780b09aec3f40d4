/* test_capture_clock.c - what comes in its own time is played in time, through jitter, drift and
 * steps of its clock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_clock.h"

#define PERIOD 33333
#define MARGIN 40000
#define FROM INT64_C(7000000000) /* of the source's clock, against ours */

static uint32_t seed;

static int64_t jitter(uint32_t most)
{
    seed = seed * 1664525u + 1013904223u;
    return (int64_t)((seed >> 8) % most);
}

struct outcome {
    unsigned late, anew; /* items for which it was too late; new beginnings */
    int64_t first, last; /* play time less the time of coming without jitter */
};

/* `n` items, each up to `most` us late; the source's clock runs `ppm` slow. */
static struct outcome run(struct capture_clock *c, unsigned n, uint32_t most, int64_t ppm)
{
    struct outcome o = { 0 };

    for (unsigned i = 0; i < n; i++) {
        const int64_t pts = FROM + (int64_t)i * PERIOD, sent = (int64_t)i * PERIOD;
        const int64_t at = sent + sent * ppm / 1000000;
        const int64_t now = at + jitter(most);
        bool anew;
        const int64_t play = capture_clock_play(c, pts, now, &anew);

        o.late += play < now;
        o.anew += anew;
        if (i == n / 10)
            o.first = play - at;
        o.last = play - at;
    }
    return o;
}

static void jitter_is_held_back(void **state)
{
    struct capture_clock c;

    (void)state;
    seed = 1;
    capture_clock_init(&c, MARGIN);
    const struct outcome o = run(&c, 3000, 100000, 0);
    assert_int_equal(o.late, 0); /* never asked for in the past */
    assert_int_equal(o.anew, 0);
    assert_in_range(o.last, 95000, 160000);
}

static void drift_is_followed(void **state)
{
    (void)state;
    for (int64_t ppm = -300; ppm <= 300; ppm += 600) { /* an hour */
        struct capture_clock c;

        seed = 2;
        capture_clock_init(&c, MARGIN);
        const struct outcome o = run(&c, 108000, 20000, ppm);
        assert_int_equal(o.late, 0);
        assert_int_equal(o.anew, 0);
        assert_in_range(o.last, 10000, 90000); /* an hour's drift is a second */
    }
}

static void what_came_late_once_is_forgotten(void **state)
{
    struct capture_clock c;
    bool anew;

    (void)state;
    seed = 3;
    capture_clock_init(&c, 0);
    (void)capture_clock_play(&c, FROM - PERIOD, 400000, &anew); /* the beginning of a burst */
    const struct outcome o = run(&c, 3000, 1000, 0);
    assert_in_range(o.last, 0, 30000);
    assert_int_equal(o.late, 0);
}

static void a_step_begins_anew(void **state)
{
    struct capture_clock c;
    bool anew;

    (void)state;
    capture_clock_init(&c, MARGIN);
    assert_int_equal(capture_clock_play(&c, FROM, 1000, &anew), 1000 + MARGIN);
    assert_false(anew);
    assert_int_equal(capture_clock_play(&c, 5, 2000, &anew), 2000 + MARGIN);
    assert_true(anew);
    assert_int_equal(capture_clock_play(&c, 1005, 3000, &anew), 3000 + MARGIN);
    assert_false(anew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_is_held_back),
        cmocka_unit_test(drift_is_followed),
        cmocka_unit_test(what_came_late_once_is_forgotten),
        cmocka_unit_test(a_step_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
