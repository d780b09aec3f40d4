/*
 * paint.h - a small rasteriser for the on-screen display: smooth rounded boxes, curves and text on
 * a surface with straight alpha. SDL's own line drawing has no smooth edges, and its blits darken
 * what lies over a transparent ground.
 */
#ifndef CLIENT_PAINT_H
#define CLIENT_PAINT_H

#include <SDL_surface.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAINT_SIZES_MAX 24 /* font sizes in use at one time, both faces together */

struct colour {
    uint8_t r, g, b, a;
};

enum paint_face { PAINT_SANS, PAINT_MONO };
enum paint_align { PAINT_LEFT, PAINT_RIGHT, PAINT_CENTRE };

struct box { /* pixels */
    float x, y, w, h;
};

struct text_style {
    enum paint_face face;
    int size; /* pixels of the em square */
    enum paint_align align;
    struct colour colour;
};

struct paint;
/* NULL when the fonts are not to be had; `why` gets one line. Starts SDL_ttf. */
struct paint *paint_new(char *why, size_t why_size);
void paint_free(struct paint *p);
/* Everything below goes to `surface` (SDL_PIXELFORMAT_ARGB8888), borrowed until the next target. */
void paint_target(struct paint *p, SDL_Surface *surface);
void paint_size(const struct paint *p, int *width, int *height); /* of the target */
void paint_clear(struct paint *p);
void paint_box(struct paint *p, struct box b, float radius, struct colour c);
/* A ring of one pixel and a bit inside the box. */
void paint_frame(struct paint *p, struct box b, float radius, struct colour c);
/* Values in [0, 1] over the box, evenly spaced: a line with a fading area below it. */
void paint_curve(struct paint *p, struct box b, const float *value, size_t n, struct colour c);
/* `y` is the base line; the result is the text's width. */
int paint_text(struct paint *p, float x, float y, const struct text_style *s, const char *text);
/* What paint_text would return. */
int paint_text_width(struct paint *p, const struct text_style *s, const char *text);

#endif
