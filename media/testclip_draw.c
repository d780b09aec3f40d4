/* testclip_draw.c - see testclip_draw.h. */
#include "testclip_draw.h"
#include "testclip_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXTURE_BITS 10
#define TEXTURE (1 << TEXTURE_BITS) /* side of the texture, which repeats */
#define OCTAVES 7
#define FALL 0.56f /* of the amplitude per octave: like natural pictures */
#define DISCS 7
#define FIX 16 /* bits behind the point of texture coordinates */
#define DIGITS 5
#define PI 3.14159265358979323846

struct disc {
    double x, y, speed_x, speed_y, phase, radius; /* of the width, per second, radians */
    uint8_t u, v;
    int brightness;
};

struct testclip {
    uint16_t width, height;
    uint8_t *pixels;            /* I420, for testclip_draw */
    struct svc_image_buffer to; /* what is drawn on */
    uint8_t *texture;           /* luma, TEXTURE x TEXTURE */
    struct disc disc[DISCS];
};

/* 5 x 7 digits, a row per byte, the highest of five bits left. */
static const uint8_t font[10][7] = {
    { 0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e }, { 0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e },
    { 0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f }, { 0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e },
    { 0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02 }, { 0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e },
    { 0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e }, { 0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08 },
    { 0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e }, { 0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c },
};

static uint32_t hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

static float lattice(uint32_t seed, int x, int y)
{
    return (float)(hash(seed ^ hash((uint32_t)x * 2654435761u ^ (uint32_t)y)) >> 8) / 16777216.0f;
}

static float smooth(float t)
{
    return t * t * (3 - 2 * t);
}

/* Value noise with `cells` cells over the texture's side, so that it repeats. */
static float noise(uint32_t seed, int cells, int x, int y)
{
    int cell = TEXTURE / cells;
    int cx = x / cell, cy = y / cell;
    float fx = smooth((float)(x % cell) / (float)cell),
          fy = smooth((float)(y % cell) / (float)cell);
    int nx = (cx + 1) % cells, ny = (cy + 1) % cells;
    float top = lattice(seed, cx, cy) * (1 - fx) + lattice(seed, nx, cy) * fx;
    float bottom = lattice(seed, cx, ny) * (1 - fx) + lattice(seed, nx, ny) * fx;
    return top * (1 - fy) + bottom * fy;
}

static void make_texture(struct testclip *c, uint32_t seed)
{
    for (int y = 0; y < TEXTURE; y++) {
        for (int x = 0; x < TEXTURE; x++) {
            float sum = 0, amplitude = 1, total = 0;
            for (int o = 0; o < OCTAVES; o++) {
                sum += amplitude * noise(seed + (uint32_t)o, 4 << o, x, y);
                total += amplitude;
                amplitude *= FALL;
            }
            /* Contour lines give edges, which noise alone has not. */
            float height = sum / total;
            float line = fabsf(height * 12 - rintf(height * 12));
            float luma = 20 + 215 * height - (line < 0.06f ? 34 : 0);
            c->texture[y * TEXTURE + x] = (uint8_t)(luma < 16 ? 16 : luma > 235 ? 235 : luma);
        }
    }
}

static void make_discs(struct testclip *c, uint32_t seed)
{
    for (int i = 0; i < DISCS; i++) {
        uint32_t h = hash(seed + 77u * (uint32_t)i);
        c->disc[i] = (struct disc){
            .x = 0.2 + 0.6 * (h & 255) / 255,
            .y = 0.2 + 0.6 * (h >> 8 & 255) / 255,
            .speed_x = 0.3 + 0.7 * (h >> 16 & 255) / 255,
            .speed_y = 0.3 + 0.7 * (h >> 24) / 255,
            .phase = i,
            .radius = 0.035 + 0.01 * i,
            .u = (uint8_t)(64 + (h >> 5 & 127)),
            .v = (uint8_t)(64 + (h >> 13 & 127)),
            .brightness = (int)(h >> 9 & 63) - 20,
        };
    }
}

struct testclip *testclip_new(uint16_t width, uint16_t height, uint32_t seed)
{
    struct testclip *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->width = width;
    c->height = height;
    c->pixels = malloc((size_t)width * height * 3 / 2);
    c->texture = malloc((size_t)TEXTURE * TEXTURE);
    if (!c->pixels || !c->texture) {
        testclip_free(c);
        return NULL;
    }
    make_texture(c, hash(seed));
    make_discs(c, seed);
    return c;
}

void testclip_free(struct testclip *c)
{
    if (!c)
        return;
    free(c->pixels);
    free(c->texture);
    free(c);
}

/* Bilinear, coordinates with FIX bits behind the point. */
static inline uint8_t sample(const struct testclip *c, uint32_t x, uint32_t y)
{
    const uint32_t mask = TEXTURE - 1;
    uint32_t x0 = x >> FIX & mask, y0 = y >> FIX & mask;
    uint32_t x1 = (x0 + 1) & mask, y1 = (y0 + 1) & mask;
    uint32_t fx = x >> (FIX - 8) & 255, fy = y >> (FIX - 8) & 255;
    const uint8_t *a = c->texture + (y0 << TEXTURE_BITS), *b = c->texture + (y1 << TEXTURE_BITS);
    uint32_t top = a[x0] * (256 - fx) + a[x1] * fx;
    uint32_t bottom = b[x0] * (256 - fx) + b[x1] * fx;
    return (uint8_t)((top * (256 - fy) + bottom * fy + 32768) >> 16);
}

static uint32_t to_fix(double v)
{
    return (uint32_t)(int64_t)floor(v * (1 << FIX));
}

static void draw_landscape(struct testclip *c, double seconds)
{
    double zoom = (1.0 + 0.12 * sin(seconds * 0.5)) * 1280 / c->width * 0.6;
    double left = 40 * seconds - zoom * c->width / 2;
    double top = 90 * sin(seconds * 0.35) - zoom * c->height / 2;
    uint32_t step = to_fix(zoom);
    for (unsigned y = 0; y < c->height; y++) {
        uint32_t ty = to_fix(top + zoom * y), tx = to_fix(left);
        uint8_t *row = c->to.plane[0] + (ptrdiff_t)y * c->to.stride[0];
        for (unsigned x = 0; x < c->width; x++, tx += step)
            row[x] = sample(c, tx, ty);
    }
    for (unsigned y = 0; y < c->height / 2u; y++) {
        uint32_t ty = to_fix((top + zoom * 2 * y) / 4);
        uint8_t *u = c->to.plane[1] + (ptrdiff_t)y * c->to.stride[1];
        uint8_t *v = c->to.plane[2] + (ptrdiff_t)y * c->to.stride[2];
        for (unsigned x = 0; x < c->width / 2u; x++) {
            uint8_t t = sample(c, to_fix((left + zoom * 2 * x) / 4), ty);
            u[x] = (uint8_t)(104 + t / 6);
            v[x] = (uint8_t)(150 - t / 5);
        }
    }
}

static void disc_row(struct testclip *c, const struct disc *d, int y, int from, int to, int dx)
{
    uint8_t *row = c->to.plane[0] + y * c->to.stride[0];
    uint8_t *u = c->to.plane[1] + y / 2 * c->to.stride[1];
    uint8_t *v = c->to.plane[2] + y / 2 * c->to.stride[2];
    for (int x = from < 0 ? 0 : from; x < to && x < c->width; x++) {
        int t = sample(c, (uint32_t)(x - dx) << (FIX - 1), (uint32_t)(y * 3) << (FIX - 2));
        int luma = t / 2 + 64 + d->brightness;
        row[x] = (uint8_t)luma;
        if (y % 2 == 0 && x % 2 == 0) {
            u[x / 2] = d->u;
            v[x / 2] = d->v;
        }
    }
}

static void draw_disc(struct testclip *c, const struct disc *d, double seconds)
{
    double x = (d->x + 0.25 * sin(d->speed_x * seconds + d->phase)) * c->width;
    double y = (d->y + 0.25 * sin(d->speed_y * seconds + 2 * d->phase)) * c->height;
    double r = d->radius * c->width;
    for (int row = (int)(y - r) < 0 ? 0 : (int)(y - r); row < y + r && row < c->height; row++) {
        double half = sqrt(fmax(0, r * r - (row - y) * (row - y)));
        disc_row(c, d, row, (int)(x - half), (int)(x + half), (int)x);
    }
}

static void fill(struct testclip *c, int left, int top, int width, int height, uint8_t luma)
{
    for (int y = top; y < top + height && y < c->height; y++) {
        int w = left + width > c->width ? c->width - left : width;
        if (w <= 0)
            return;
        memset(c->to.plane[0] + y * c->to.stride[0] + left, luma, (size_t)w);
        for (int p = 1; p < 3; p++)
            memset(c->to.plane[p] + y / 2 * c->to.stride[p] + left / 2, 128, (size_t)(w + 1) / 2);
    }
}

static void draw_number(struct testclip *c, unsigned number)
{
    int dot = c->height / 72 > 1 ? c->height / 72 : 1;
    /* top centre: a player's statistics stand in the corners */
    int left = (c->width - (DIGITS * 6 + 1) * dot) / 2, top = dot * 3;
    fill(c, left & ~1, top & ~1, (DIGITS * 6 + 1) * dot, 9 * dot, 24);
    for (int i = DIGITS - 1; i >= 0; i--, number /= 10) {
        const uint8_t *rows = font[number % 10];
        for (int y = 0; y < 7; y++)
            for (int x = 0; x < 5; x++)
                if (rows[y] >> (4 - x) & 1)
                    fill(c, left + (i * 6 + x + 1) * dot, top + (y + 1) * dot, dot, dot, 230);
    }
}

static void draw_strip(struct testclip *c, unsigned number)
{
    int strip = c->height / TESTCLIP_STRIP_PARTS;
    uint32_t bits = testclip_pattern((uint16_t)number);
    for (int i = 0; i < TESTCLIP_BLOCKS; i++) {
        int left = c->width * i / TESTCLIP_BLOCKS, right = c->width * (i + 1) / TESTCLIP_BLOCKS;
        bool white = bits >> (TESTCLIP_BLOCKS - 1 - i) & 1;
        fill(c, left, c->height - strip, right - left, strip, white ? 235 : 16);
    }
}

void testclip_draw_to(struct testclip *c, const struct svc_image_buffer *to, unsigned number,
                      double seconds)
{
    c->to = *to;
    draw_landscape(c, seconds);
    for (int i = 0; i < DISCS; i++)
        draw_disc(c, &c->disc[i], seconds);
    draw_number(c, number);
    draw_strip(c, number);
}

struct svc_image testclip_draw(struct testclip *c, unsigned number, double seconds)
{
    const size_t luma = (size_t)c->width * c->height;
    const struct svc_image_buffer to = {
        .width = c->width,
        .height = c->height,
        .plane = { c->pixels, c->pixels + luma, c->pixels + luma + luma / 4 },
        .stride = { c->width, c->width / 2, c->width / 2 },
    };
    testclip_draw_to(c, &to, number, seconds);
    return (struct svc_image){ .width = c->width,
                               .height = c->height,
                               .plane = { to.plane[0], to.plane[1], to.plane[2] },
                               .stride = { to.stride[0], to.stride[1], to.stride[2] } };
}

#define BEEP_SAMPLES 4800 /* 0.1 s */

void testclip_sound(uint64_t at, int16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t t = at + i, in_second = t % TESTCLIP_RATE;
        double v = 0.05 * sin(2 * PI * 220 * (double)in_second / TESTCLIP_RATE);
        if (in_second < BEEP_SAMPLES) {
            double envelope = sin(PI * (double)in_second / BEEP_SAMPLES);
            v += 0.4 * envelope * sin(2 * PI * 880 * (double)in_second / TESTCLIP_RATE);
        }
        out[i] = (int16_t)lrint(v * 32000);
    }
}
