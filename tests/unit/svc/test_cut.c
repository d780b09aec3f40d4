/* test_cut.c - scene cuts: found where there are some, and not in motion, noise, fades. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cut.h"

#define WIDTH 320
#define HEIGHT 180
#define PICTURES 40
#define AT 20

/* One picture's pixel: x and y, number of the picture, noise [0, 255]. */
typedef unsigned drawing(unsigned x, unsigned y, unsigned n, unsigned noise);

static unsigned still(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    (void)n;
    return (x * 7 + y * 3) / 8 % 256 + noise % 4;
}

static unsigned pan(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    return still(x + 9 * n, y, 0, noise);
}

static unsigned fade(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    return still(x, y, 0, noise) * (PICTURES - n) / PICTURES;
}

static unsigned noisy(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    (void)x, (void)y, (void)n;
    return noise;
}

static unsigned other(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    return n < AT ? still(x, y, n, noise) : (x / 40 + y / 40) % 2 * 160 + noise % 4;
}

static unsigned out_of_black(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    return n < AT ? 16 : still(x, y, n, noise);
}

static unsigned other_in_motion(unsigned x, unsigned y, unsigned n, unsigned noise)
{
    return n < AT ? (x * 2 + 2 * n) % 512 / 4 : 255 - pan(y, x, n, noise) / 2;
}

static void cuts_are_found_where_they_are(void **state)
{
    static const struct {
        drawing *draw;
        bool cut;
    } cases[] = { { still, false },         { pan, false },  { fade, false },
                  { noisy, false },         { other, true }, { out_of_black, true },
                  { other_in_motion, true } };
    static uint8_t luma[HEIGHT][WIDTH];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct svc_image img = {
            .width = WIDTH, .height = HEIGHT, .plane = { luma[0] }, .stride = { WIDTH }
        };
        struct svc_cut c = { 0 };
        uint32_t seed = 1;

        for (unsigned n = 0; n < PICTURES; n++) {
            for (unsigned y = 0; y < HEIGHT; y++)
                for (unsigned x = 0; x < WIDTH; x++) {
                    seed = seed * 1664525u + 1013904223u;
                    const unsigned v = cases[i].draw(x, y, n, seed >> 24);
                    luma[y][x] = (uint8_t)(v > 255 ? 255 : v);
                }
            if (svc_cut_between(&c, &img) != (cases[i].cut && n == AT))
                fail_msg("case %zu, picture %u", i, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(cuts_are_found_where_they_are) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
