/* test_score.c - what is made of rows of shown pictures, over a clip whose likeness is a formula.
 */
#include "score.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FRAME_MS 40. /* 25 per second */
#define END 100u
#define NEAR(a, b) assert_true((a) > (b)-1e-4 && (a) < (b) + 1e-4)

/* ---- the clip: two temporal layers; 0.9, 0.8, 0.7 by layer, and 0.1 less for each picture late
 * ---- */

uint64_t likeness_pictures(const struct likeness *l)
{
    (void)l;
    return 50;
}

double likeness_fps(const struct likeness *l)
{
    (void)l;
    return 1000 / FRAME_MS;
}

unsigned likeness_spatial(const struct likeness *l)
{
    (void)l;
    return 3;
}

unsigned likeness_temporal(const struct likeness *l, uint64_t picture)
{
    (void)l;
    return picture & 1;
}

struct likeness_pair likeness_of(struct likeness *l, uint64_t wanted, uint64_t shown,
                                 unsigned spatial)
{
    const double late = (double)(wanted - shown);

    (void)l;
    assert_true(shown <= wanted);
    return (struct likeness_pair){ .ssim = (float)(0.7 + 0.1 * spatial - 0.1 * late),
                                   .psnr = (float)(30 + 5. * spatial - 5 * late) };
}

/* ---- rows ---- */

struct show {
    struct score_row row[END];
    size_t n;
};

static void add(struct show *w, uint64_t picture, unsigned spatial)
{
    w->row[w->n++] = (struct score_row){ .picture = picture,
                                         .spatial = spatial,
                                         .at_ms = 500 + FRAME_MS * (double)picture,
                                         .delay_ms = 400,
                                         .carried_ms = (double)picture };
}

static struct score judge(const struct show *w)
{
    struct score s;

    assert_int_equal(score_rows(&s, NULL, w->row, w->n, END), 0);
    return s;
}

static void all_shown(void **state)
{
    struct show w = { .n = 0 };

    (void)state;
    for (uint64_t i = 0; i < END; i++)
        add(&w, i, 2);
    const struct score s = judge(&w);
    assert_int_equal(s.pictures, END);
    assert_int_equal(s.base_lost, 0);
    assert_int_equal(s.freezes, 0);
    assert_int_equal(s.switches, 0);
    NEAR(s.ssim_mean, 0.9);
    NEAR(s.ssim_db, 10.0);
    NEAR(s.psnr_p5, 40.0);
    NEAR(s.residency[3], 1.0);
    NEAR(s.delay_p95_ms, 400.0);
    NEAR(s.carried_p50_ms, 49.5);
    NEAR(s.held_p99_ms, 400 - 0.99);
    assert_int_equal(s.seconds, 4);
}

static void half_the_rate_is_no_freeze(void **state)
{
    struct show w = { .n = 0 };

    (void)state;
    for (uint64_t i = 0; i < END; i += 2)
        add(&w, i, 1);
    const struct score s = judge(&w);
    assert_int_equal(s.freezes, 0);
    assert_int_equal(s.base_lost, 0);
    NEAR(s.residency[0], 0.5);
    NEAR(s.ssim_mean, (0.8 + 0.7) / 2);
}

static void a_gap_keeps_the_last_picture(void **state)
{
    struct show w = { .n = 0 };

    (void)state;
    for (uint64_t i = 0; i < END; i++)
        if (i <= 40 || i > 45)
            add(&w, i, 2);
    const struct score s = judge(&w);
    assert_int_equal(s.base_lost, 2); /* 42, 44 */
    assert_int_equal(s.freezes, 1);
    NEAR(s.frozen_ms, 5 * FRAME_MS);
    NEAR(s.longest_ms, 6 * FRAME_MS);
    NEAR(s.ssim_mean, (95 * 0.9 + 0.8 + 0.7 + 0.6 + 0.5 + 0.4) / 100);
    NEAR(s.residency[0], 0.05);
    assert_int_equal(s.worst[0].wanted, 45);
    assert_int_equal(s.worst[0].shown, 40);
}

static void what_ends_early_is_frozen(void **state)
{
    struct show w = { .n = 0 };

    (void)state;
    for (uint64_t i = 10; i < 90; i++)
        add(&w, i, i < 50 ? 0 : 2);
    const struct score s = judge(&w);
    assert_int_equal(s.pictures, 90); /* before the first nothing is judged */
    assert_int_equal(s.freezes, 1);
    NEAR(s.frozen_ms, 10 * FRAME_MS);
    assert_int_equal(s.base_lost, 5);
    assert_int_equal(s.switches, 1);
}

static void pictures_beyond_the_end_do_not_count(void **state)
{
    struct show w = { .n = 0 };
    struct score s;

    (void)state;
    for (uint64_t i = 0; i < 99; i++)
        add(&w, i, 2);
    add(&w, 130, 0);
    s = judge(&w);
    assert_int_equal(s.shown, 99);
    assert_int_equal(s.freezes, 0);
    assert_int_equal(score_rows(&s, NULL, &w.row[99], 1, END), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shown),
        cmocka_unit_test(half_the_rate_is_no_freeze),
        cmocka_unit_test(a_gap_keeps_the_last_picture),
        cmocka_unit_test(what_ends_early_is_frozen),
        cmocka_unit_test(pictures_beyond_the_end_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
