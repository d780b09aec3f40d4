/* osd_picture.c - draws the on-screen display over a made-up picture with made-up figures and saves
 * it as PNG, so that a person can judge it: osd_picture FILE [WIDTH HEIGHT [WHAT]], WHAT being of
 * `whats`. Without FILE it is a test: the display must draw inside any size without touching memory
 * beyond. */
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
    snprintf(p->cc, sizeof p->cc, "copa");
    for (int i = 0; i < OSD_HISTORY; i++) {
        p->history_rtt_ms[i] = (float)p->rtt_ms * (1 + 0.1f * sinf((float)i / 3));
        p->history_loss[i] = i % 40 < 3 ? 0.02f : 0;
    }
}

static void fill_sender_path(struct osd_path *p, const char *cc, const char *from, const char *why)
{
    struct sender_path *s = &p->sender;
    *s = (struct sender_path){ .known = true,
                               .rate_bps = 1.3 * (double)p->rate_bps,
                               .rtt_ms = p->rtt_ms + 3,
                               .loss = 0.012,
                               .cc_ago_s = 12 };
    snprintf(s->cc, sizeof s->cc, "%s", cc);
    snprintf(s->cc_from, sizeof s->cc_from, "%s", from);
    snprintf(s->cc_reason, sizeof s->cc_reason, "%s", why);
    for (int i = 0; i < OSD_HISTORY; i++) {
        p->sender_bps[i] = 1.3f * p->history_bps[i];
        p->sender_rtt_ms[i] = 1.1f * p->history_rtt_ms[i];
        p->sender_loss[i] = i % 60 < 9 ? 0.03f : 0.004f;
    }
}

static void say(struct sender_view *v, int s, int t, enum sender_why why, double mbps)
{
    v->layer[s][t] = (struct sender_layer){ .known = true,
                                            .why = why,
                                            .needed_bps = mbps * 1e6,
                                            .sending_bps = mbps * 3e5,
                                            .retry_ms = 2100,
                                            .left_out = 0.13 };
}

static void fill_sender(struct osd_view *v)
{
    v->sender = (struct sender_view){ .known = true, .sure_bps = 1.9e6, .top = 1 };
    v->sender.encoder = (struct sender_encoder){ .known = true, .speed = 8, .load = 0.62 };
    say(&v->sender, 0, 0, SENDER_WHY_SENT, 0.3);
    say(&v->sender, 0, 1, SENDER_WHY_SENT, 0.4);
    say(&v->sender, 1, 0, SENDER_WHY_SENT, 1.1);
    say(&v->sender, 1, 1, SENDER_WHY_QUEUE, 1.5);
    say(&v->sender, 2, 0, SENDER_WHY_RATE, 2.4);
    say(&v->sender, 2, 1, SENDER_WHY_BELOW, 2.9);
    fill_sender_path(&v->path[0], "copa", "", "configured");
    fill_sender_path(&v->path[1], "bbr", "copa",
                     "random losses of 2.3 %: foretold 0.91 of what there is, copa 0.44");
}

static void fill(struct osd_view *v)
{
    *v = (struct osd_view){
        .page = 1,
        .n_paths = 3,
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
        .rate_bps = 2810000,
        .delay = { .any = true,
                   .has_capture = true,
                   .part_ms = { 14.4, 3.1, 19.5, 61, 4.2, 1.1 },
                   .total_ms = 103.3 },
        .buffer_ms = 61,
        .decode_ms = 4.2,
        .decode_max_ms = 13.7,
        .av_skew_ms = -3,
        .av_skew_max_ms = 17,
        .frames_shown = 1830,
        .frames_skipped = 3,
        .switches = 4,
        .rebuffers = 1,
        .bar = { .volume = 80, .has_window = true, .window_s = 1800, .behind_s = 312 }
    };
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
                                                 .residency = s == 2   ? 0.41
                                                              : s == 1 ? 0.07
                                                                       : 0.02,
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

/* What a picture can be about. */
static const char *const whats[] = { "summary", "delay",  "paths",     "layers", "help",
                                     "start",   "outage", "bar",       "say",    "volume",
                                     "guess",   "sender", "kept-back", "silent", NULL };

static void set(struct osd_view *v, struct osd_face *face, const char *what)
{
    fill(v);
    *face = (struct osd_face){ .volume = -1 };
    for (unsigned i = 0; i < OSD_PAGES; i++)
        if (strcmp(what, whats[i]) == 0)
            v->page = i + 1;
    v->help = strcmp(what, "help") == 0;
    if (strcmp(what, "start") == 0) {
        v->playing = false;
        v->page = 0;
        v->status = (struct osd_status){ .line = "connecting by wlan0, wwan0 \u2026",
                                         .detail = "to server.example:4433",
                                         .progress = -1 };
    }
    if (strcmp(what, "outage") == 0) {
        v->page = 0;
        v->status = (struct osd_status){ .line = "no answer; next try in 3 s",
                                         .detail = "path wlan0: network is unreachable",
                                         .progress = 0.4,
                                         .dimmed = true };
    }
    if (strcmp(what, "sender") == 0 || strcmp(what, "kept-back") == 0) {
        fill_sender(v);
        v->page = strcmp(what, "sender") == 0 ? 3 : 4;
    }
    if (strcmp(what, "silent") == 0) {
        v->page = 3;
        v->sender.silent = true;
    }
    if (strcmp(what, "guess") == 0) {
        v->page = 2;
        v->delay.clock_ms = -312;
    }
    if (strcmp(what, "bar") == 0 || strcmp(what, "say") == 0 || strcmp(what, "volume") == 0)
        v->page = 0;
    face->bar = strcmp(what, "bar") == 0;
    if (strcmp(what, "say") == 0)
        snprintf(face->say, sizeof face->say, "saved as svc-player-20261127-190211.png");
    if (strcmp(what, "volume") == 0)
        face->volume = 80;
}

static int draw(struct paint *p, int w, int h, const char *what, const char *file)
{
    struct osd_view v;
    struct osd_face face;
    SDL_Surface *osd = SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
    if (!osd)
        return 1;
    set(&v, &face, what);
    paint_target(p, osd);
    paint_clear(p);
    osd_draw(p, &v, &face);
    int result = 0, drawn = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            drawn += ((uint32_t *)osd->pixels)[y * osd->pitch / 4 + x] != 0;
    if (drawn == 0)
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
                      argc > 4 ? argv[4] : whats[0], argv[1]);
    } else {
        static const int sizes[][2] = {
            { 1280, 720 }, { 640, 360 }, { 320, 180 }, { 64, 900 }, { 2560, 300 }
        };
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t n = 0; whats[n]; n++)
                result |= draw(p, sizes[i][0], sizes[i][1], whats[n], NULL);
    }
    paint_free(p);
    return result;
}
