/* osd_picture.c - draws the on-screen display over a made-up picture with made-up figures and saves
 * it as PNG, so that a person can judge it: osd_picture FILE [WIDTH HEIGHT] [help|start]. Without
 * FILE it is a test: the display must draw inside any size without touching memory beyond. */
#include "osd.h"

#include <SDL.h>
#include <png.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill_path(struct osd_path *p, const char *name, float mbps, float dies_at)
{
    snprintf(p->name, sizeof p->name, "%s", name);
    p->state = TVL_PATH_UP;
    for (int i = 0; i < OSD_HISTORY; i++) {
        float t = (float)i / 5;
        float v = mbps * (0.9f + 0.06f * sinf(t * 2.1f) + 0.07f * sinf(t * 7.7f + mbps));
        p->history_bps[i] = t > dies_at ? 0 : 1e6f * v;
    }
    p->rate_bps = (uint64_t)p->history_bps[OSD_HISTORY - 1];
    p->rtt_ms = 14 + 11.0 * mbps;
}

static void fill(struct osd_view *v)
{
    *v = (struct osd_view){ .n_paths = 3,
                            .n_spatial = 3,
                            .n_temporal = 2,
                            .playing = true,
                            .width = 640,
                            .height = 360,
                            .shown = { 1, 0 },
                            .picture = 1834,
                            .pts_us = 61133000,
                            .fps = 30.0,
                            .latency_ms = 312,
                            .stalls = 1,
                            .stall_max_ms = 133,
                            .rate_bps = 2810000 };
    fill_path(&v->path[0], "wifi", 4.1f, 24);
    fill_path(&v->path[1], "lte", 2.6f, 99);
    fill_path(&v->path[2], "satellite", 0.2f, 99);
    v->path[0].state = TVL_PATH_SUSPECT;
    v->path[0].loss = 0.002;
    v->path[1].loss = 0.023;
    v->path[1].share = 0.93;
    v->path[2].share = 0.07;
    v->path[2].backup = true;
    v->path[2].rtt_ms = 612;
    for (int s = 0; s < 3; s++)
        for (int t = 0; t < 2; t++)
            v->layer[s][t] = (struct osd_layer){ .subscribed = true,
                                                 .expected = true,
                                                 .in_time = s == 2        ? 0.13
                                                            : s == 1 && t ? 0.87
                                                                          : 1,
                                                 .shown = s < 2 && t == 0 };
}

/* Something like a landscape, bright and dark, so that legibility shows. */
static uint32_t ground(int x, int y, int w, int h)
{
    float u = (float)x / (float)w, t = (float)y / (float)h;
    float hill = 0.6f + 0.1f * sinf(u * 9) + 0.03f * sinf(u * 31);
    float grain = 0.04f * sinf(u * 300) * sinf(t * 200);
    float r = t < hill ? 0.55f + 0.4f * t : 0.16f + 0.2f * u,
          g = t < hill ? 0.72f : 0.42f - 0.2f * t, b = t < hill ? 0.95f - 0.3f * t : 0.18f;
    uint32_t ir = (uint32_t)(255 * fminf(1, r + grain)), ig = (uint32_t)(255 * (g + grain)),
             ib = (uint32_t)(255 * (b + grain));
    return 0xff000000u | ir << 16 | ig << 8 | ib;
}

static int save(SDL_Surface *osd, const char *file)
{
    SDL_Surface *out =
        SDL_CreateRGBSurfaceWithFormat(0, osd->w, osd->h, 32, SDL_PIXELFORMAT_ARGB8888);
    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++)
            ((uint32_t *)out->pixels)[y * out->pitch / 4 + x] = ground(x, y, out->w, out->h);
    SDL_SetSurfaceBlendMode(osd, SDL_BLENDMODE_BLEND);
    SDL_BlitSurface(osd, NULL, out, NULL);
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)out->w,
                        .height = (png_uint_32)out->h,
                        .format = PNG_FORMAT_BGRA };
    int ok = png_image_write_to_file(&image, file, 0, out->pixels, out->pitch, NULL);
    SDL_FreeSurface(out);
    return ok ? 0 : 1;
}

static int draw(struct paint *p, int w, int h, const char *what, const char *file)
{
    struct osd_view v;
    SDL_Surface *osd = SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
    if (!osd)
        return 1;
    fill(&v);
    if (strcmp(what, "start") == 0) {
        v.playing = false;
        v.n_paths = v.n_spatial = 0;
        v.message = "connecting to 127.0.0.1:4433";
    }
    paint_target(p, osd);
    paint_clear(p);
    osd_draw(p, &v);
    if (strcmp(what, "help") == 0)
        osd_draw_help(p);
    int result = 0, set = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            set += ((uint32_t *)osd->pixels)[y * osd->pitch / 4 + x] != 0;
    if (set == 0)
        result = 1; /* nothing was drawn */
    if (file)
        result |= save(osd, file);
    SDL_FreeSurface(osd);
    return result;
}

int main(int argc, char **argv)
{
    char why[256];
    struct paint *p = paint_new(why, sizeof why);
    if (!p) {
        fprintf(stderr, "%s\n", why);
        return 77; /* skipped: no fonts here */
    }
    int result = 0;
    if (argc > 1) {
        result = draw(p, argc > 3 ? atoi(argv[2]) : 1280, argc > 3 ? atoi(argv[3]) : 720,
                      argc > 4 ? argv[4] : "", argv[1]);
    } else {
        static const int sizes[][2] = { { 1280, 720 }, { 320, 180 }, { 64, 900 }, { 2560, 300 } };
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            result |= draw(p, sizes[i][0], sizes[i][1], i & 1 ? "help" : "", NULL);
    }
    paint_free(p);
    return result;
}
