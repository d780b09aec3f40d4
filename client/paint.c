/* paint.c - coverage-based drawing with straight-alpha compositing, and cached fonts. */
#include "paint.h"

#include <SDL.h>
#include <SDL_ttf.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const font_files[] = {
    [PAINT_SANS] = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    [PAINT_MONO] = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
};

struct paint {
    SDL_Surface *to;
    struct {
        TTF_Font *font;
        enum paint_face face;
        int size;
    } fonts[PAINT_SIZES_MAX];
    size_t n_fonts;
};

/* The font, opened on first use; the oldest makes room after a window was resized. */
static TTF_Font *font(struct paint *p, enum paint_face face, int size)
{
    for (size_t i = 0; i < p->n_fonts; i++)
        if (p->fonts[i].face == face && p->fonts[i].size == size)
            return p->fonts[i].font;
    TTF_Font *f = TTF_OpenFont(font_files[face], size);
    if (!f)
        return NULL;
    if (p->n_fonts == PAINT_SIZES_MAX) {
        TTF_CloseFont(p->fonts[0].font);
        for (size_t i = 1; i < p->n_fonts; i++)
            p->fonts[i - 1] = p->fonts[i];
        p->n_fonts--;
    }
    p->fonts[p->n_fonts].font = f;
    p->fonts[p->n_fonts].face = face;
    p->fonts[p->n_fonts++].size = size;
    return f;
}

struct paint *paint_new(char *why, size_t why_size)
{
    struct paint *p = calloc(1, sizeof *p);
    if (!p || TTF_Init() != 0) {
        snprintf(why, why_size, "no text drawing: %s", p ? TTF_GetError() : "out of memory");
        free(p);
        return NULL;
    }
    if (!font(p, PAINT_SANS, 14) || !font(p, PAINT_MONO, 14)) {
        snprintf(why, why_size, "no on-screen display, the DejaVu fonts are missing: %s",
                 TTF_GetError());
        paint_free(p);
        return NULL;
    }
    return p;
}

void paint_free(struct paint *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_fonts; i++)
        TTF_CloseFont(p->fonts[i].font);
    TTF_Quit();
    free(p);
}

void paint_target(struct paint *p, SDL_Surface *surface)
{
    p->to = surface;
}

void paint_size(const struct paint *p, int *width, int *height)
{
    *width = p->to->w;
    *height = p->to->h;
}

void paint_clear(struct paint *p)
{
    SDL_FillRect(p->to, NULL, 0);
}

static uint32_t *pixel(const struct paint *p, int x, int y)
{
    return (uint32_t *)(void *)((uint8_t *)p->to->pixels + (ptrdiff_t)y * p->to->pitch) + x;
}

/* Source over destination, both with straight alpha; alpha in [0, 1]. */
static void blend(uint32_t *dst, struct colour c, float alpha)
{
    if (alpha <= 0.002f)
        return;
    uint32_t d = *dst;
    float da = (float)(d >> 24) / 255.0f * (1.0f - alpha);
    float out = alpha + da;
    float k = alpha / out, m = da / out;
    uint32_t a = (uint32_t)(out * 255.0f + 0.5f);
    uint32_t r = (uint32_t)((float)c.r * k + (float)(d >> 16 & 255) * m + 0.5f);
    uint32_t g = (uint32_t)((float)c.g * k + (float)(d >> 8 & 255) * m + 0.5f);
    uint32_t b = (uint32_t)((float)c.b * k + (float)(d & 255) * m + 0.5f);
    *dst = a << 24 | r << 16 | g << 8 | b;
}

static float clamp01(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static int clamp_int(float v, int low, int high)
{
    return v < (float)low ? low : v > (float)high ? high : (int)v;
}

/* Distance of a pixel's centre from the rounded box's edge, negative inside. */
static float distance(struct box b, float radius, int x, int y)
{
    float dx = fabsf((float)x + 0.5f - (b.x + b.w / 2)) - (b.w / 2 - radius);
    float dy = fabsf((float)y + 0.5f - (b.y + b.h / 2)) - (b.h / 2 - radius);
    float ox = dx > 0 ? dx : 0, oy = dy > 0 ? dy : 0;
    float inner = dx > dy ? dx : dy;
    return sqrtf(ox * ox + oy * oy) + (inner < 0 ? inner : 0) - radius;
}

/* Calls for every pixel near the box; `ring` > 0 draws only the border of that thickness. */
static void draw_box(struct paint *p, struct box b, float radius, struct colour c, float ring)
{
    int x0 = clamp_int(floorf(b.x) - 1, 0, p->to->w), x1 = clamp_int(b.x + b.w + 2, 0, p->to->w);
    int y0 = clamp_int(floorf(b.y) - 1, 0, p->to->h), y1 = clamp_int(b.y + b.h + 2, 0, p->to->h);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float d = distance(b, radius, x, y);
            float cover = clamp01(0.5f - d);
            if (ring > 0)
                cover -= clamp01(0.5f - (d + ring));
            blend(pixel(p, x, y), c, cover * (float)c.a / 255.0f);
        }
}

void paint_box(struct paint *p, struct box b, float radius, struct colour c)
{
    draw_box(p, b, radius, c, 0);
}

void paint_frame(struct paint *p, struct box b, float radius, struct colour c)
{
    draw_box(p, b, radius, c, 1.2f);
}

/* Height of the curve above the box's floor at pixel column x, in pixels. */
static float curve_at(struct box b, const float *value, size_t n, float x)
{
    float at = (x - b.x) / b.w * (float)(n - 1);
    size_t i = (size_t)clamp_int(at, 0, (int)n - 2);
    float f = clamp01(at - (float)i);
    return clamp01(value[i] * (1 - f) + value[i + 1] * f) * b.h;
}

void paint_curve(struct paint *p, struct box b, const float *value, size_t n, struct colour c)
{
    if (n < 2)
        return;
    int x0 = clamp_int(b.x, 0, p->to->w), x1 = clamp_int(b.x + b.w, 0, p->to->w);
    int y0 = clamp_int(b.y - 2, 0, p->to->h), y1 = clamp_int(b.y + b.h + 1, 0, p->to->h);
    for (int x = x0; x < x1; x++) {
        float h = curve_at(b, value, n, (float)x + 0.5f);
        float slope = curve_at(b, value, n, (float)x + 1.0f) - curve_at(b, value, n, (float)x);
        float half = 0.8f * sqrtf(1 + slope * slope); /* the line's half height in this column */
        float top = b.y + b.h - h;
        for (int y = y0; y < y1; y++) {
            float below = (float)y + 0.5f - top;
            float line = clamp01(half + 0.5f - fabsf(below));
            float depth = (b.y + b.h - (float)y) / b.h;
            float area = clamp01(below + 0.5f) * (0.08f + 0.30f * clamp01(depth));
            if ((float)y >= b.y + b.h)
                area = 0;
            float alpha = line > area ? line : area;
            blend(pixel(p, x, y), c, alpha * (float)c.a / 255.0f);
        }
    }
}

int paint_text(struct paint *p, float x, float y, const struct text_style *s, const char *text)
{
    TTF_Font *f = font(p, s->face, s->size);
    SDL_Color white = { 255, 255, 255, 255 };
    SDL_Surface *glyphs = f && *text ? TTF_RenderUTF8_Blended(f, text, white) : NULL;
    if (!glyphs)
        return 0;
    int width = glyphs->w;
    float left = s->align == PAINT_RIGHT    ? x - (float)width
                 : s->align == PAINT_CENTRE ? x - (float)width / 2
                                            : x;
    int ox = (int)lroundf(left), oy = (int)lroundf(y) - TTF_FontAscent(f);
    for (int row = 0; row < glyphs->h; row++) {
        const uint32_t *src = (const uint32_t *)(const void *)((const uint8_t *)glyphs->pixels +
                                                               (ptrdiff_t)row * glyphs->pitch);
        for (int col = 0; col < width; col++) {
            int px = ox + col, py = oy + row;
            if (px >= 0 && py >= 0 && px < p->to->w && py < p->to->h)
                blend(pixel(p, px, py), s->colour,
                      (float)(src[col] >> 24) * (float)s->colour.a / (255.0f * 255.0f));
        }
    }
    SDL_FreeSurface(glyphs);
    return width;
}

int paint_text_width(struct paint *p, const struct text_style *s, const char *text)
{
    TTF_Font *f = font(p, s->face, s->size);
    int width = 0;
    return f && *text && TTF_SizeUTF8(f, text, &width, NULL) == 0 ? width : 0;
}
