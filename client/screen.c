/*
 * screen.c - presentation through SDL2: one streaming texture for the picture, one for the
 * display, composed by a renderer onto a window or onto a surface. No waiting for the display's
 * refresh: the playout clock decides when a picture is seen.
 */
#include "screen.h"

#include "controls.h"
#include "convert.h"
#include "log.h"
#include "shot.h"
#include "testclip_number.h"

#include <SDL.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_MS 2000
#define SHAPE_NEAR 1.02
#define DIM 150 /* of 255: how dark an old picture gets */

struct screen {
    enum screen_kind kind;
    SDL_Window *window;  /* NULL: SCREEN_MEMORY */
    SDL_Surface *memory; /* SCREEN_MEMORY */
    SDL_Renderer *renderer;
    SDL_Texture *picture, *overlay;
    struct convert *convert;
    int picture_w, picture_h;
    double shape;        /* width over height, as it is to be seen */
    int shape_w;         /* of the picture that said so */
    unsigned rotate;     /* degrees clockwise, a multiple of 90 */
    SDL_Surface *canvas; /* of the display, as large as the output */
    struct paint *paint; /* NULL: no fonts */
    bool overlay_visible, dimmed;
    bool number_wanted; /* SCREEN_MEMORY: composes each picture, so that it can be read */
    bool wants_drawing;
    struct controls controls;
    struct osd_face face;
    uint64_t say_until_ms, volume_until_ms; /* 0: not out */
    struct shot *saving;                    /* the last screenshot, if not waited for yet */
};

/* ---- life ---- */

static int open_window(struct screen *s, const struct screen_config *cfg)
{
    uint32_t flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;
    if (s->kind == SCREEN_FULL)
        flags |= SDL_WINDOW_FULLSCREEN_DESKTOP;
    s->window = SDL_CreateWindow(cfg->title, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED,
                                 cfg->width, cfg->height, flags);
    if (!s->window)
        return -1;
    s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_ACCELERATED);
    if (!s->renderer)
        s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE);
    return s->renderer ? 0 : -1;
}

static int open_memory(struct screen *s, const struct screen_config *cfg)
{
    s->memory =
        SDL_CreateRGBSurfaceWithFormat(0, cfg->width, cfg->height, 32, SDL_PIXELFORMAT_ARGB8888);
    if (!s->memory)
        return -1;
    s->renderer = SDL_CreateSoftwareRenderer(s->memory);
    return s->renderer ? 0 : -1;
}

static void set_hints(void)
{
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* the event loop has its own */
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "0");
    SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
}

int screen_new(struct screen **out, const struct screen_config *cfg, char *why, size_t why_size)
{
    char what[200];
    struct screen *s = calloc(1, sizeof *s);
    if (!s || !(s->convert = convert_new())) {
        snprintf(why, why_size, "no memory for the screen");
        free(s);
        return -1;
    }
    s->kind = cfg->kind;
    s->rotate = cfg->rotate;
    s->face.volume = -1;
    set_hints();
    if (cfg->kind != SCREEN_MEMORY && SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) {
        snprintf(why, why_size, "no display: %s (--headless plays without one)", SDL_GetError());
        convert_free(s->convert);
        free(s);
        return -1;
    }
    if (cfg->kind == SCREEN_MEMORY ? open_memory(s, cfg) : open_window(s, cfg)) {
        snprintf(why, why_size, "cannot open a window: %s", SDL_GetError());
        screen_free(s);
        return -1;
    }
    s->paint = paint_new(what, sizeof what);
    if (!s->paint)
        log_text(LOG_LEVEL_WARN, "%s", what);
    controls_init(&s->controls);
    *out = s;
    return 0;
}

void screen_free(struct screen *s)
{
    if (!s)
        return;
    (void)screen_finish_saving(s);
    paint_free(s->paint);
    SDL_FreeSurface(s->canvas);
    if (s->overlay)
        SDL_DestroyTexture(s->overlay);
    if (s->picture)
        SDL_DestroyTexture(s->picture);
    if (s->renderer)
        SDL_DestroyRenderer(s->renderer);
    if (s->window)
        SDL_DestroyWindow(s->window);
    SDL_FreeSurface(s->memory);
    convert_free(s->convert);
    if (s->kind != SCREEN_MEMORY)
        SDL_QuitSubSystem(SDL_INIT_VIDEO);
    free(s);
}

/* ---- the picture ---- */

static int fit_texture(struct screen *s, int w, int h)
{
    if (s->picture && s->picture_w == w && s->picture_h == h)
        return 0;
    if (s->picture)
        SDL_DestroyTexture(s->picture);
    s->picture =
        SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_ARGB8888, SDL_TEXTUREACCESS_STREAMING, w, h);
    s->picture_w = w;
    s->picture_h = h;
    return s->picture ? 0 : -1;
}

/* Lower layers have the shape of the whole, but for rounding: they fill the same rectangle. */
static void learn_shape(struct screen *s, const struct svc_image *img)
{
    const double par = img->par_num ? (double)img->par_num / img->par_den : 1;
    const double shape = par * img->width / img->height;
    const bool other = shape > s->shape * SHAPE_NEAR || s->shape > shape * SHAPE_NEAR;
    if (!other && img->width < s->shape_w)
        return;
    s->shape = shape;
    s->shape_w = img->width;
}

int screen_show(struct screen *s, const struct svc_image *img)
{
    void *pixels;
    int pitch;
    if (fit_texture(s, img->width, img->height) != 0 ||
        SDL_LockTexture(s->picture, NULL, &pixels, &pitch) != 0)
        return -1;
    const int result = convert_picture(s->convert, img, pixels, pitch);
    SDL_UnlockTexture(s->picture);
    learn_shape(s, img);
    return result;
}

void screen_size(const struct screen *s, uint32_t *width, uint32_t *height)
{
    int w = 0, h = 0;
    bool known = SDL_GetRendererOutputSize(s->renderer, &w, &h) == 0 && w > 0 && h > 0;
    *width = known ? (uint32_t)w : 0;
    *height = known ? (uint32_t)h : 0;
}

/* Where the picture goes, turned: as large as its shape allows; empty without one. */
static SDL_Rect picture_place(const struct screen *s, int w, int h)
{
    SDL_Rect to = { 0 };
    if (!s->picture)
        return to;
    const bool lies = s->rotate % 180 != 0;
    const double pw = lies ? 1 : s->shape, ph = lies ? s->shape : 1;
    const double fit = SDL_min((double)w / pw, (double)h / ph);
    to.w = (int)(pw * fit + 0.5);
    to.h = (int)(ph * fit + 0.5);
    to.x = (w - to.w) / 2;
    to.y = (h - to.h) / 2;
    return to;
}

static void draw_picture(struct screen *s, int w, int h)
{
    const SDL_Rect at = picture_place(s, w, h);
    if (s->rotate == 0) {
        SDL_RenderCopy(s->renderer, s->picture, NULL, &at);
        return;
    }
    /* SDL turns about the middle of where the picture would be before it is turned */
    SDL_Rect to = at;
    if (s->rotate % 180 != 0) {
        to.w = at.h;
        to.h = at.w;
        to.x = at.x + (at.w - to.w) / 2;
        to.y = at.y + (at.h - to.h) / 2;
    }
    SDL_RenderCopyEx(s->renderer, s->picture, NULL, &to, s->rotate, NULL, SDL_FLIP_NONE);
}

static void compose(struct screen *s)
{
    int w, h;
    if (SDL_GetRendererOutputSize(s->renderer, &w, &h) != 0)
        return;
    SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
    SDL_RenderClear(s->renderer);
    if (s->picture)
        draw_picture(s, w, h);
    if (s->picture && s->dimmed && s->overlay_visible) {
        SDL_SetRenderDrawBlendMode(s->renderer, SDL_BLENDMODE_BLEND);
        SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, DIM);
        SDL_RenderFillRect(s->renderer, NULL);
        SDL_SetRenderDrawBlendMode(s->renderer, SDL_BLENDMODE_NONE);
    }
    if (s->overlay_visible)
        SDL_RenderCopy(s->renderer, s->overlay, NULL, NULL);
}

void screen_render(struct screen *s)
{
    if (s->kind == SCREEN_MEMORY && !s->number_wanted)
        return; /* composed when it is saved */
    compose(s);
    if (s->kind == SCREEN_MEMORY)
        SDL_RenderFlush(s->renderer);
    else
        SDL_RenderPresent(s->renderer);
}

/* What is seen in `at`, BGRA, to be freed; NULL: cannot be had. */
static uint8_t *read_pixels(struct screen *s, const SDL_Rect *at)
{
    uint8_t *pixels = at->w > 0 && at->h > 0 ? malloc((size_t)at->w * (size_t)at->h * 4) : NULL;
    compose(s);
    if (pixels &&
        SDL_RenderReadPixels(s->renderer, at, SDL_PIXELFORMAT_ARGB8888, pixels, at->w * 4) != 0) {
        free(pixels);
        pixels = NULL;
    }
    return pixels;
}

int screen_read_number(struct screen *s)
{
    int w, h;
    s->number_wanted = true;
    if (SDL_GetRendererOutputSize(s->renderer, &w, &h) != 0)
        return -1;
    const SDL_Rect at = picture_place(s, w, h);
    uint8_t *pixels = read_pixels(s, &at);
    if (!pixels)
        return -1;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)at.w * at.h; i++)
        pixels[i] = pixels[4 * i + 1]; /* the blocks are grey: green is as good as luma */
    const struct svc_image img = {
        .width = (uint16_t)at.w, .height = (uint16_t)at.h, .plane = { pixels }, .stride = { at.w }
    };
    const int number = testclip_read_number(&img);
    free(pixels);
    return number;
}

/* ---- what lies over it ---- */

/* Canvas and texture of the display, of the output's present size. */
static bool fit_canvas(struct screen *s)
{
    int w, h;
    if (!s->paint || SDL_GetRendererOutputSize(s->renderer, &w, &h) != 0 || w < 1 || h < 1)
        return false;
    if (s->canvas && s->canvas->w == w && s->canvas->h == h)
        return true;
    SDL_FreeSurface(s->canvas);
    if (s->overlay)
        SDL_DestroyTexture(s->overlay);
    s->canvas = SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
    s->overlay =
        SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_ARGB8888, SDL_TEXTUREACCESS_STREAMING, w, h);
    if (!s->canvas || !s->overlay)
        return false;
    SDL_SetTextureBlendMode(s->overlay, SDL_BLENDMODE_BLEND);
    paint_target(s->paint, s->canvas);
    return true;
}

void screen_overlay(struct screen *s, const struct osd_view *view)
{
    const bool any = view && (view->page || view->help || view->status.line[0] || s->face.bar ||
                              s->face.say[0] || s->face.volume >= 0);
    if (view)
        controls_know(&s->controls, &view->bar);
    s->dimmed = view && view->status.line[0] && view->status.dimmed;
    s->overlay_visible = any && fit_canvas(s);
    if (!s->overlay_visible)
        return;
    paint_clear(s->paint);
    osd_draw(s->paint, view, &s->face);
    SDL_UpdateTexture(s->overlay, NULL, s->canvas->pixels, s->canvas->pitch);
}

void screen_say(struct screen *s, const char *text)
{
    snprintf(s->face.say, sizeof s->face.say, "%s", text);
    s->say_until_ms = SDL_GetTicks64() + SAY_MS;
    s->wants_drawing = true;
}

void screen_say_volume(struct screen *s, double percent, bool muted)
{
    s->face.volume = percent;
    s->face.muted = muted;
    s->volume_until_ms = SDL_GetTicks64() + SAY_MS;
    s->wants_drawing = true;
}

bool screen_wants_drawing(struct screen *s)
{
    const uint64_t now = SDL_GetTicks64();
    bool wanted = s->wants_drawing;
    s->wants_drawing = false;
    if (s->say_until_ms && now >= s->say_until_ms) {
        s->face.say[0] = '\0';
        s->say_until_ms = 0;
        wanted = true;
    }
    if (s->volume_until_ms && now >= s->volume_until_ms) {
        s->face.volume = -1;
        s->volume_until_ms = 0;
        wanted = true;
    }
    const bool bar = controls_bar_out(&s->controls, now);
    if (bar != s->face.bar) {
        s->face.bar = bar;
        wanted = true;
        if (s->window)
            SDL_ShowCursor(bar ? SDL_ENABLE : SDL_DISABLE);
    }
    return wanted;
}

/* ---- the person ---- */

size_t screen_commands(struct screen *s, struct command *out, size_t cap)
{
    size_t n = 0;
    SDL_Event e;
    if (s->kind == SCREEN_MEMORY)
        return 0;
    while (n < cap && SDL_PollEvent(&e)) {
        int w = 0, h = 0, ww = 0, wh = 0;
        SDL_GetRendererOutputSize(s->renderer, &w, &h);
        SDL_GetWindowSize(s->window, &ww, &wh); /* the mouse's units; pixels on HiDPI are more */
        controls_size(&s->controls, w, h, ww, wh);
        s->wants_drawing |= e.type == SDL_WINDOWEVENT || e.type == SDL_MOUSEBUTTONDOWN;
        n += controls_take(&s->controls, &e, SDL_GetTicks64(), &out[n]);
    }
    return n;
}

bool screen_is_fullscreen(const struct screen *s)
{
    return s->kind == SCREEN_FULL;
}

void screen_set_fullscreen(struct screen *s, bool on)
{
    if (!s->window)
        return;
    s->kind = on ? SCREEN_FULL : SCREEN_WINDOW;
    SDL_SetWindowFullscreen(s->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
}

/* ---- screenshots ---- */

int screen_finish_saving(struct screen *s)
{
    const int result = shot_end(s->saving);

    s->saving = NULL;
    return result;
}

int screen_save(struct screen *s, const char *file, char *why, size_t why_size)
{
    SDL_Rect all = { 0 };

    if (screen_finish_saving(s) != 0) {
        snprintf(why, why_size, "the screenshot before %s could not be saved", file);
        return -1;
    }
    SDL_GetRendererOutputSize(s->renderer, &all.w, &all.h);
    uint8_t *pixels = read_pixels(s, &all);
    if (!pixels) {
        snprintf(why, why_size, "cannot save %s: %s", file,
                 all.w < 1 || all.h < 1 ? "the window has no size" : SDL_GetError());
        return -1;
    }
    return shot_begin(&s->saving, file, pixels, all.w, all.h, SHOT_SMALL, why, why_size);
}

bool screen_clipboard(const struct screen *s, char *out, size_t cap)
{
    char *text = s->window ? SDL_GetClipboardText() : NULL;
    const char *from = text ? text + strspn(text, " \t\r\n") : "";
    const size_t len = strcspn(from, " \t\r\n");
    const bool fits = len > 0 && len < cap;

    if (fits) {
        memcpy(out, from, len);
        out[len] = '\0';
    }
    SDL_free(text);
    return fits;
}
