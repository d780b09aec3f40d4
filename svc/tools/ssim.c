/*
 * ssim.c - SSIM after Wang et al. 2004 with the box windows of x264 and FFmpeg's ssim filter: sums
 * over 4x4 blocks, four of which make a window.
 */
#include "ssim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4
#define COLUMNS_MAX (4096 / BLOCK)
#define WINDOW_PIXELS 64

struct sums {
    uint32_t a, b, squares, product;
};

static void sum_row(struct sums *out, struct plane a, struct plane b, unsigned blocks)
{
    for (unsigned i = 0; i < blocks; i++) {
        struct sums s = { 0 };
        for (unsigned y = 0; y < BLOCK; y++) {
            const uint8_t *p = a.at + (ptrdiff_t)y * a.stride + (size_t)i * BLOCK;
            const uint8_t *q = b.at + (ptrdiff_t)y * b.stride + (size_t)i * BLOCK;
            for (unsigned x = 0; x < BLOCK; x++) {
                s.a += p[x];
                s.b += q[x];
                s.squares += (uint32_t)p[x] * p[x] + (uint32_t)q[x] * q[x];
                s.product += (uint32_t)p[x] * q[x];
            }
        }
        out[i] = s;
    }
}

static double window(const struct sums *top, const struct sums *bottom)
{
    const double c1 = .01 * .01 * 255 * 255 * WINDOW_PIXELS;
    const double c2 = .03 * .03 * 255 * 255 * WINDOW_PIXELS * (WINDOW_PIXELS - 1);
    double a = top[0].a + top[1].a + bottom[0].a + bottom[1].a;
    double b = top[0].b + top[1].b + bottom[0].b + bottom[1].b;
    double squares =
        (double)top[0].squares + top[1].squares + bottom[0].squares + bottom[1].squares;
    double product =
        (double)top[0].product + top[1].product + bottom[0].product + bottom[1].product;
    double variances = squares * WINDOW_PIXELS - a * a - b * b;
    double covariance = product * WINDOW_PIXELS - a * b;
    return (2 * a * b + c1 * WINDOW_PIXELS) * (2 * covariance + c2) /
           ((a * a + b * b + c1 * WINDOW_PIXELS) * (variances + c2));
}

double ssim_plane(struct plane a, struct plane b, unsigned width, unsigned height)
{
    struct sums rows[2][COLUMNS_MAX];
    unsigned columns = width / BLOCK, lines = height / BLOCK;
    if (columns < 2 || lines < 2 || columns > COLUMNS_MAX)
        return 0;
    double sum = 0;
    for (unsigned y = 0; y < lines; y++) {
        struct plane pa = { a.at + (ptrdiff_t)(y * BLOCK) * a.stride, a.stride };
        struct plane pb = { b.at + (ptrdiff_t)(y * BLOCK) * b.stride, b.stride };
        sum_row(rows[y & 1], pa, pb, columns);
        for (unsigned x = 0; y > 0 && x + 1 < columns; x++)
            sum += window(&rows[~y & 1][x], &rows[y & 1][x]);
    }
    return sum / ((columns - 1) * (lines - 1));
}

double psnr_plane(struct plane a, struct plane b, unsigned width, unsigned height)
{
    uint64_t squares = 0;
    for (unsigned y = 0; y < height; y++) {
        const uint8_t *p = a.at + (ptrdiff_t)y * a.stride, *q = b.at + (ptrdiff_t)y * b.stride;
        uint32_t row = 0;
        for (unsigned x = 0; x < width; x++) {
            int d = p[x] - q[x];
            row += (uint32_t)(d * d);
        }
        squares += row;
    }
    if (squares == 0)
        return 100;
    return 10 * log10(255.0 * 255.0 * width * height / (double)squares);
}
