/* shot.c - see shot.h. */
#include "shot.h"

#include <SDL_thread.h>
#include <png.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shot {
    SDL_Thread *thread;
    FILE *file;
    uint8_t *pixels;
    int w, h;
    enum shot_effort effort;
};

static int write_png(void *arg)
{
    struct shot *s = arg;
    png_image png = { .version = PNG_IMAGE_VERSION,
                      .width = (png_uint_32)s->w,
                      .height = (png_uint_32)s->h,
                      .format = PNG_FORMAT_BGR,
                      .flags = s->effort == SHOT_QUICK ? PNG_IMAGE_FLAG_FAST : 0 };

    for (size_t i = 0; i < (size_t)s->w * (size_t)s->h; i++) /* a window is opaque */
        memmove(s->pixels + 3 * i, s->pixels + 4 * i, 3);
    const int written = png_image_write_to_stdio(&png, s->file, 0, s->pixels, s->w * 3, NULL);
    const int closed = fclose(s->file);
    return written && closed == 0 ? 0 : -1;
}

int shot_begin(struct shot **out, const char *file, uint8_t *pixels, int w, int h,
               enum shot_effort effort, char *why, size_t why_size)
{
    struct shot *s = calloc(1, sizeof *s);

    if (!s) {
        snprintf(why, why_size, "cannot save %s: no memory", file);
        goto free_pixels;
    }
    *s = (struct shot){
        .pixels = pixels, .w = w, .h = h, .effort = effort, .file = fopen(file, "wb")
    };
    if (!s->file) {
        snprintf(why, why_size, "cannot save %s: %s", file, strerror(errno));
        goto free_pixels;
    }
    s->thread = SDL_CreateThread(write_png, "screenshot", s);
    if (!s->thread) {
        snprintf(why, why_size, "cannot save %s: %s", file, SDL_GetError());
        goto close_file;
    }
    *out = s;
    return 0;
close_file:
    fclose(s->file);
free_pixels:
    free(pixels);
    free(s);
    return -1;
}

int shot_end(struct shot *s)
{
    int result = 0;

    if (!s)
        return 0;
    SDL_WaitThread(s->thread, &result);
    free(s->pixels);
    free(s);
    return result;
}
