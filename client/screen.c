/*
 * screen.c - presentation through SDL2: one streaming texture for the picture, one for the
 * statistics, composed by a renderer onto a window or onto a surface. No waiting for the display's
 * refresh: the playout clock decides when a picture is seen.
 */
#include "screen.h"

#include "log.h"
#include "testclip_number.h"

#include <SDL.h>
#include <png.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct screen {
    enum screen_kind kind;
    SDL_Window *window;  /* NULL: SCREEN_MEMORY */
    SDL_Surface *memory; /* SCREEN_MEMORY */
    SDL_Renderer *renderer;
    SDL_Texture *picture, *overlay;
    int picture_w, picture_h;
    SDL_Surface *canvas; /* of the statistics, as large as the output */
    struct paint *paint; /* NULL: no fonts */
    bool overlay_visible;
    bool number_wanted; /* SCREEN_MEMORY: composes each picture, so that it can be read */
    SDL_Thread *saving; /* the last screenshot, if not waited for yet */
};

static int open_window(struct screen *s, const struct screen_config *cfg)
{
    uint32_t flags = SDL_WINDOW_RESIZABLE;
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

int screen_new(struct screen **out, const struct screen_config *cfg, char *why, size_t why_size)
{
    char what[200];
    struct screen *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "no memory for the screen");
        return -1;
    }
    s->kind = cfg->kind;
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "linear");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* the event loop has its own */
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "0");
    if (cfg->kind != SCREEN_MEMORY && SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) {
        snprintf(why, why_size, "no display: %s (--headless plays without one)", SDL_GetError());
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
    if (s->kind != SCREEN_MEMORY)
        SDL_QuitSubSystem(SDL_INIT_VIDEO);
    free(s);
}

int screen_show(struct screen *s, const struct svc_image *img)
{
    if (s->picture && (s->picture_w != img->width || s->picture_h != img->height)) {
        SDL_DestroyTexture(s->picture);
        s->picture = NULL;
    }
    if (!s->picture) {
        s->picture = SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_IYUV,
                                       SDL_TEXTUREACCESS_STREAMING, img->width, img->height);
        s->picture_w = img->width;
        s->picture_h = img->height;
    }
    if (!s->picture)
        return -1;
    return SDL_UpdateYUVTexture(s->picture, NULL, img->plane[0], (int)img->stride[0], img->plane[1],
                                (int)img->stride[1], img->plane[2], (int)img->stride[2]);
}

void screen_size(const struct screen *s, uint32_t *width, uint32_t *height)
{
    int w = 0, h = 0;
    bool known = SDL_GetRendererOutputSize(s->renderer, &w, &h) == 0 && w > 0 && h > 0;
    *width = known ? (uint32_t)w : 0;
    *height = known ? (uint32_t)h : 0;
}

/* Canvas and texture of the statistics, of the output's present size. */
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
    s->overlay_visible = view && fit_canvas(s);
    if (!s->overlay_visible)
        return;
    paint_clear(s->paint);
    osd_draw(s->paint, view);
    SDL_UpdateTexture(s->overlay, NULL, s->canvas->pixels, s->canvas->pitch);
}

void screen_overlay_help(struct screen *s)
{
    if (!fit_canvas(s))
        return;
    if (!s->overlay_visible)
        paint_clear(s->paint);
    s->overlay_visible = true;
    osd_draw_help(s->paint);
    SDL_UpdateTexture(s->overlay, NULL, s->canvas->pixels, s->canvas->pitch);
}

/* Where the picture goes: as large as its shape allows; empty without one. */
static SDL_Rect picture_place(const struct screen *s, int w, int h)
{
    SDL_Rect to = { 0 };
    if (!s->picture)
        return to;
    /* every layer has the shape of the whole, so lower ones fill the same rectangle */
    const double fit = SDL_min((double)w / s->picture_w, (double)h / s->picture_h);
    to.w = (int)(s->picture_w * fit + 0.5);
    to.h = (int)(s->picture_h * fit + 0.5);
    to.x = (w - to.w) / 2;
    to.y = (h - to.h) / 2;
    return to;
}

static void compose(struct screen *s)
{
    int w, h;
    if (SDL_GetRendererOutputSize(s->renderer, &w, &h) != 0)
        return;
    const SDL_Rect to = picture_place(s, w, h);
    SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
    SDL_RenderClear(s->renderer);
    if (s->picture)
        SDL_RenderCopy(s->renderer, s->picture, NULL, &to);
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

int screen_read_number(struct screen *s)
{
    int w, h, number = -1;
    s->number_wanted = true;
    if (SDL_GetRendererOutputSize(s->renderer, &w, &h) != 0)
        return -1;
    const SDL_Rect at = picture_place(s, w, h);
    uint8_t *pixels = at.w > 0 && at.h > 0 ? malloc((size_t)at.w * (size_t)at.h * 4) : NULL;
    if (!pixels)
        return -1;
    compose(s);
    if (SDL_RenderReadPixels(s->renderer, &at, SDL_PIXELFORMAT_ARGB8888, pixels, at.w * 4) == 0) {
        for (ptrdiff_t i = 0; i < (ptrdiff_t)at.w * at.h; i++)
            pixels[i] = pixels[4 * i + 1]; /* the blocks are grey: green is as good as luma */
        const struct svc_image img = { .width = (uint16_t)at.w,
                                       .height = (uint16_t)at.h,
                                       .plane = { pixels },
                                       .stride = { at.w } };
        number = testclip_read_number(&img);
    }
    free(pixels);
    return number;
}

static unsigned key_command(struct screen *s, const SDL_KeyboardEvent *key)
{
    switch (key->keysym.sym) {
    case SDLK_q:
    case SDLK_ESCAPE:
        return SCREEN_QUIT;
    case SDLK_i:
        return SCREEN_TOGGLE_STATISTICS;
    case SDLK_m:
        return SCREEN_TOGGLE_MUTE;
    case SDLK_h:
    case SDLK_QUESTION:
    case SDLK_SLASH: /* '?' without the shift, where it is that key */
        return SCREEN_TOGGLE_HELP;
    case SDLK_f:
        s->kind = s->kind == SCREEN_FULL ? SCREEN_WINDOW : SCREEN_FULL;
        SDL_SetWindowFullscreen(s->window,
                                s->kind == SCREEN_FULL ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
        return 0;
    default:
        return 0;
    }
}

unsigned screen_poll(struct screen *s)
{
    unsigned commands = 0;
    SDL_Event e;
    if (s->kind == SCREEN_MEMORY)
        return 0;
    for (int i = 0; i < 64 && SDL_PollEvent(&e); i++) {
        if (e.type == SDL_QUIT)
            commands |= SCREEN_QUIT;
        else if (e.type == SDL_KEYDOWN && !e.key.repeat)
            commands ^= key_command(s, &e.key);
    }
    return commands;
}

/* Compressing takes a few frames' time: pictures go on meanwhile. */
struct save_job {
    FILE *file;
    uint8_t *pixels; /* BGRA */
    int w, h;
};

static int save_thread(void *arg)
{
    struct save_job *job = arg;
    png_image png = { .version = PNG_IMAGE_VERSION,
                      .width = (png_uint_32)job->w,
                      .height = (png_uint_32)job->h,
                      .format = PNG_FORMAT_BGRA };

    for (size_t i = 0; i < (size_t)job->w * (size_t)job->h; i++)
        job->pixels[4 * i + 3] = 255; /* a window is opaque, whatever its pixels say */
    const int written = png_image_write_to_stdio(&png, job->file, 0, job->pixels, job->w * 4, NULL);
    const int closed = fclose(job->file);
    free(job->pixels);
    free(job);
    return written && closed == 0 ? 0 : -1;
}

int screen_finish_saving(struct screen *s)
{
    int result = 0;

    if (s->saving)
        SDL_WaitThread(s->saving, &result);
    s->saving = NULL;
    return result;
}

int screen_save(struct screen *s, const char *file, char *why, size_t why_size)
{
    struct save_job *job = calloc(1, sizeof *job);

    if (screen_finish_saving(s) != 0 || !job) {
        snprintf(why, why_size, "the screenshot before %s could not be saved", file);
        goto free_job;
    }
    SDL_GetRendererOutputSize(s->renderer, &job->w, &job->h);
    if (job->w < 1 || job->h < 1) {
        snprintf(why, why_size, "cannot save %s: the window has no size", file);
        goto free_job;
    }
    job->pixels = malloc((size_t)job->w * (size_t)job->h * 4);
    compose(s);
    if (!job->pixels || SDL_RenderReadPixels(s->renderer, NULL, SDL_PIXELFORMAT_ARGB8888,
                                             job->pixels, job->w * 4) != 0) {
        snprintf(why, why_size, "cannot save %s: %s", file,
                 job->pixels ? SDL_GetError() : "no memory");
        goto free_pixels;
    }
    job->file = fopen(file, "wb");
    if (!job->file) {
        snprintf(why, why_size, "cannot save %s: %s", file, strerror(errno));
        goto free_pixels;
    }
    s->saving = SDL_CreateThread(save_thread, "screenshot", job);
    if (!s->saving) {
        snprintf(why, why_size, "cannot save %s: %s", file, SDL_GetError());
        goto close_file;
    }
    return 0;
close_file:
    fclose(job->file);
free_pixels:
    free(job->pixels);
free_job:
    free(job);
    return -1;
}
