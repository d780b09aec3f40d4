/* test_tools.c - the tools' parsing of values, and SSIM and PSNR against known figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "options.h"
#include "seen.h"
#include "ssim.h"

static void values_are_parsed_whole_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t num, den; /* 0: refused */
    } rates[] = { { "30", 30, 1 },
                  { "29.97", 30000, 1001 },
                  { "23.976", 24000, 1001 },
                  { "12.5", 12500, 1000 },
                  { "30000/1001", 30000, 1001 },
                  { "0", 0, 0 },
                  { "-1", 0, 0 },
                  { "30x", 0, 0 },
                  { "30/0", 0, 0 },
                  { "nan", 0, 0 },
                  { "", 0, 0 },
                  { "1000/1", 0, 0 } };
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint32_t num = 0, den = 0;
        assert_int_equal(parse_rate(rates[i].text, &num, &den), rates[i].num != 0);
        assert_int_equal(num, rates[i].num);
        assert_int_equal(den, rates[i].den);
    }
    uint16_t w, h;
    assert_true(parse_size("640x360", &w, &h));
    assert_true(w == 640 && h == 360);
    static const char *const bad_sizes[] = { "640", "640x", "641x360", "62x64", "640x360x", "x" };
    for (size_t i = 0; i < sizeof(bad_sizes) / sizeof(bad_sizes[0]); i++)
        assert_false(parse_size(bad_sizes[i], &w, &h));
    uint32_t v[3];
    assert_int_equal(parse_list("300,900,2400", 8, 100000, v, 3), 3);
    assert_int_equal(v[2], 2400);
    assert_int_equal(parse_list("300", 8, 100000, v, 3), 1);
    static const char *const bad_lists[] = { "", ",", "300,", "1,2", "300,x", "9,9,9,9", "-9" };
    for (size_t i = 0; i < sizeof(bad_lists) / sizeof(bad_lists[0]); i++)
        assert_int_equal(parse_list(bad_lists[i], 8, 100000, v, 3), 0);
    double s;
    assert_true(parse_seconds("1.5", &s) && s == 1.5);
    assert_false(parse_seconds("0", &s) || parse_seconds("nan", &s) || parse_seconds("1s", &s));
}

static void likeness_has_the_known_values(void **state)
{
    (void)state;
    static uint8_t a[64 * 64], b[64 * 64];
    for (size_t i = 0; i < sizeof(a); i++) {
        a[i] = (uint8_t)(i * 7 + i / 64 * 13);
        b[i] = a[i];
    }
    struct plane pa = { a, 64 }, pb = { b, 64 };
    assert_true(ssim_plane(pa, pb, 64, 64) > 0.999999);
    assert_true(psnr_plane(pa, pb, 64, 64) == 100);
    for (size_t i = 0; i < sizeof(a); i++)
        b[i] = (uint8_t)(a[i] ^ 1); /* every pixel is off by 1: 10 lg 255^2 = 48.13 dB */
    double psnr = psnr_plane(pa, pb, 64, 64);
    assert_true(psnr > 48.13 && psnr < 48.14);
    double near = ssim_plane(pa, pb, 64, 64);
    for (size_t i = 0; i < sizeof(a); i++)
        b[i] = (uint8_t)~a[i];
    assert_true(near < 1 && near > 0.99);
    assert_true(ssim_plane(pa, pb, 64, 64) < 0);
    assert_true(ssim_plane(pa, pb, 4, 4) == 0);
}

/* Of 40 pictures 30 with S2, 6 with S0 only, 4 that stay as they were. */
static void what_is_seen_is_counted(void **state)
{
    struct seen s = { 0 };
    struct likeness mean;

    (void)state;
    assert_true(seen_summary(&s).mean.ssim == 0);
    for (unsigned i = 0; i < 40; i++) {
        const bool top = i % 4 != 0;

        if (i % 10 == 4) {
            assert_int_equal(seen_frozen(&s, (struct likeness){ 0.25, 10 }), 0);
            continue;
        }
        seen_layer(&s, 0, 100, (struct likeness){ 0.5, 20 });
        if (top)
            seen_layer(&s, 2, 900, (struct likeness){ 0.75, 40 });
        assert_int_equal(seen_shown(&s, (struct svc_layer){ top ? 2 : 0, i % 2 },
                                    (struct likeness){ top ? 0.75 : 0.5, top ? 40 : 20 }),
                         0);
    }
    assert_int_equal(s.n, 40);
    assert_int_equal(s.frozen, 4);
    assert_int_equal(seen_by_spatial(&s, 0, &mean), 8);
    assert_true(mean.ssim == 0.5 && mean.psnr == 20);
    assert_int_equal(seen_by_spatial(&s, 2, &mean), 28);
    assert_int_equal(seen_by_spatial(&s, 1, &mean), 0);
    assert_int_equal(s.shown[2][1], 20);
    assert_int_equal(s.layer[0], 36);
    assert_int_equal(s.layer_bytes[2], 28 * 900);
    assert_true(seen_layer_mean(&s, 0).psnr == 20);
    const struct seen_summary all = seen_summary(&s);

    assert_true(all.mean.ssim == (28 * 0.75 + 8 * 0.5 + 4 * 0.25) / 40);
    assert_true(all.p5.ssim == 0.25 && all.p5.psnr == 10);
    assert_true(seen_db(0.9) > 9.999 && seen_db(0.9) < 10.001 && seen_db(1) == 100);
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_seen_is_counted),
        cmocka_unit_test(values_are_parsed_whole_or_refused),
        cmocka_unit_test(likeness_has_the_known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
