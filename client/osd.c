/*
 * osd.c - lays the on-screen display out: paths at the left, layers at the right, the picture's
 * figures in a strip at the foot. All measures are for a height of 720 and grow with the window.
 */
#include "osd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct colour ink = { 236, 240, 245, 255 }, dim = { 150, 160, 176, 255 },
                           faint = { 255, 255, 255, 26 }, panel = { 12, 15, 21, 204 },
                           edge = { 255, 255, 255, 30 }, cell = { 255, 255, 255, 14 },
                           good = { 72, 199, 142, 255 }, fair = { 242, 184, 75, 255 },
                           bad = { 235, 94, 104, 255 };
static const struct colour path_colours[] = {
    { 88, 166, 255, 255 },  { 247, 147, 90, 255 }, { 188, 140, 255, 255 }, { 63, 205, 200, 255 },
    { 240, 120, 190, 255 }, { 210, 200, 90, 255 }, { 130, 200, 120, 255 }, { 170, 175, 190, 255 },
};

/* Where one panel is being filled. */
struct pen {
    struct paint *p;
    float k; /* scale */
};

static struct box scaled(const struct pen *pen, float x, float y, float w, float h)
{
    return (struct box){ x * pen->k, y * pen->k, w * pen->k, h * pen->k };
}

static struct text_style style(const struct pen *pen, enum paint_face face, float size,
                               struct colour c)
{
    return (struct text_style){ face, (int)lroundf(size * pen->k), PAINT_LEFT, c };
}

static void label(const struct pen *pen, float x, float y, const char *text)
{
    struct text_style s = style(pen, PAINT_SANS, 11, dim);
    paint_text(pen->p, x * pen->k, y * pen->k, &s, text);
}

static void figure(const struct pen *pen, float right, float y, struct colour c, const char *text)
{
    struct text_style s = style(pen, PAINT_MONO, 13, c);
    s.align = PAINT_RIGHT;
    paint_text(pen->p, right * pen->k, y * pen->k, &s, text);
}

static void draw_panel(const struct pen *pen, struct box b)
{
    paint_box(pen->p, b, 10 * pen->k, panel);
    paint_frame(pen->p, b, 10 * pen->k, edge);
}

static struct colour state_colour(const struct osd_path *path)
{
    switch (path->state) {
    case TVL_PATH_UP:
        return path->backup ? dim : good;
    case TVL_PATH_OPENING:
        return fair;
    case TVL_PATH_SUSPECT:
        return fair;
    default:
        return bad;
    }
}

static const char *state_word(const struct osd_path *path)
{
    switch (path->state) {
    case TVL_PATH_UP:
        return path->backup ? "standby" : "up";
    case TVL_PATH_OPENING:
        return "opening";
    case TVL_PATH_SUSPECT:
        return "no answer";
    default:
        return "down";
    }
}

/* One scale for all plots, so that their heights compare: 1, 2 or 5 times a power of ten. */
static float plot_ceiling(const struct osd_view *v)
{
    float most = 1e5f;
    for (size_t i = 0; i < v->n_paths; i++)
        for (size_t n = 0; n < OSD_HISTORY; n++)
            most = fmaxf(most, v->path[i].history_bps[n]);
    float decade = powf(10, floorf(log10f(most)));
    float m = most / decade;
    return decade * (m <= 1 ? 1.0f : m <= 2 ? 2.0f : m <= 5 ? 5.0f : 10.0f);
}

static void draw_plot(const struct pen *pen, const struct osd_path *path, struct box b,
                      float ceiling, struct colour c)
{
    float scaled_value[OSD_HISTORY];
    for (size_t i = 0; i < OSD_HISTORY; i++)
        scaled_value[i] = path->history_bps[i] / ceiling;
    paint_box(pen->p, b, 4 * pen->k, cell);
    paint_box(pen->p, (struct box){ b.x, b.y + b.h / 2, b.w, 1 }, 0, faint);
    b.y += 3 * pen->k;
    b.h -= 4 * pen->k;
    paint_curve(pen->p, b, scaled_value, OSD_HISTORY, c);
}

#define CARD_HEIGHT 92.0f
#define STRIP_TOP (720.0f - 20 - 52)

static void draw_path(const struct pen *pen, const struct osd_path *path, float y, float ceiling,
                      struct colour c)
{
    char text[48];
    bool live = path->state == TVL_PATH_UP;
    struct text_style name = style(pen, PAINT_SANS, 14, live ? ink : dim);
    struct text_style word = style(pen, PAINT_SANS, 11, state_colour(path));
    paint_box(pen->p, scaled(pen, 36, y + 5, 3, 14), 1.5f * pen->k, c);
    int width = paint_text(pen->p, 46 * pen->k, (y + 17) * pen->k, &name, path->name);
    float after = 46 + (float)width / pen->k + 10;
    paint_box(pen->p, scaled(pen, after, y + 9, 7, 7), 3.5f * pen->k, state_colour(path));
    paint_text(pen->p, (after + 12) * pen->k, (y + 16.5f) * pen->k, &word, state_word(path));
    snprintf(text, sizeof text, "%5.2f", (double)path->rate_bps / 1e6);
    struct text_style rate = style(pen, PAINT_MONO, 16, live ? ink : dim);
    rate.align = PAINT_RIGHT;
    paint_text(pen->p, 306 * pen->k, (y + 17) * pen->k, &rate, text);
    label(pen, 311, y + 17, "Mbit/s");
    draw_plot(pen, path, scaled(pen, 36, y + 26, 314, 34), ceiling,
              live ? c : (struct colour){ c.r, c.g, c.b, 120 });
    label(pen, 36, y + 77, "RTT");
    if (path->rtt_ms > 0)
        snprintf(text, sizeof text, path->rtt_ms < 10 ? "%.1f ms" : "%.0f ms", path->rtt_ms);
    else
        snprintf(text, sizeof text, "\u2013");
    figure(pen, 126, y + 77, live ? ink : dim, text);
    label(pen, 148, y + 77, "Loss");
    snprintf(text, sizeof text, "%.1f %%", 100 * path->loss);
    struct colour tone = path->loss > 0.05 ? bad : path->loss > 0.01 ? fair : ink;
    figure(pen, 240, y + 77, live ? tone : dim, text);
    label(pen, 262, y + 77, "Share");
    snprintf(text, sizeof text, "%.0f %%", 100 * path->share);
    figure(pen, 350, y + 77, live ? ink : dim, text);
}

static void draw_paths(const struct pen *pen, const struct osd_view *v)
{
    if (v->n_paths == 0)
        return;
    char text[64];
    float ceiling = plot_ceiling(v), room = 720.0f - 24 - 46 - 110;
    size_t n = v->n_paths;
    while (n > 1 && (float)n * CARD_HEIGHT > room)
        n--; /* the window is not tall enough for more */
    draw_panel(pen, scaled(pen, 20, 20, 346, 42 + (float)n * CARD_HEIGHT));
    struct text_style head = style(pen, PAINT_SANS, 12, dim);
    paint_text(pen->p, 36 * pen->k, 43 * pen->k, &head, "PATHS");
    snprintf(text, sizeof text, "plots: 30 s, 0 \u2013 %.4g Mbit/s", (double)ceiling / 1e6);
    struct text_style scale = style(pen, PAINT_SANS, 10, dim);
    scale.align = PAINT_RIGHT;
    paint_text(pen->p, 350 * pen->k, 43 * pen->k, &scale, text);
    for (size_t i = 0; i < n; i++) {
        float y = 54 + (float)i * CARD_HEIGHT;
        if (i > 0)
            paint_box(pen->p, scaled(pen, 36, y - 1, 314, 1), 0, faint);
        draw_path(pen, &v->path[i], y + 2, ceiling,
                  path_colours[i % (sizeof path_colours / sizeof path_colours[0])]);
    }
}

static struct colour layer_colour(const struct osd_layer *l)
{
    if (!l->subscribed || !l->expected)
        return dim;
    return l->in_time >= 0.98 ? good : l->in_time >= 0.6 ? fair : bad;
}

static void draw_layer(const struct pen *pen, const struct osd_layer *l, struct box b)
{
    char text[16];
    struct colour c = layer_colour(l);
    float radius = 5 * pen->k;
    bool lit = l->subscribed && l->expected;
    paint_box(pen->p, b, radius, (struct colour){ c.r, c.g, c.b, lit ? 38 : 16 });
    if (lit && l->in_time > 0.01) { /* a bar along the foot: the part that came in time */
        struct box bar = { b.x + radius, b.y + b.h - 5 * pen->k,
                           (b.w - 2 * radius) * (float)l->in_time, 2.5f * pen->k };
        paint_box(pen->p, bar, 1.2f * pen->k, c);
    }
    if (l->shown)
        paint_frame(pen->p, b, radius, (struct colour){ c.r, c.g, c.b, 220 });
    struct text_style s = style(pen, PAINT_MONO, 13, lit ? c : dim);
    s.align = PAINT_CENTRE;
    if (!l->subscribed)
        snprintf(text, sizeof text, "off");
    else if (!l->expected)
        snprintf(text, sizeof text, "\u2013");
    else
        snprintf(text, sizeof text, "%.0f %%", 100 * l->in_time);
    paint_text(pen->p, b.x + b.w / 2, b.y + b.h / 2 + 3.5f * pen->k, &s, text);
}

static void draw_layers(const struct pen *pen, const struct osd_view *v, float right)
{
    if (v->n_spatial == 0)
        return;
    char text[32];
    float wide = 46 + 88.0f * (float)v->n_temporal + 10, x = right - wide;
    float high = 80 + 40.0f * (float)v->n_spatial;
    draw_panel(pen, scaled(pen, x, 20, wide, high - 20));
    struct text_style head = style(pen, PAINT_SANS, 12, dim);
    paint_text(pen->p, (x + 16) * pen->k, 43 * pen->k, &head, "LAYERS");
    struct text_style unit = style(pen, PAINT_SANS, 10, dim);
    unit.align = PAINT_RIGHT;
    paint_text(pen->p, (right - 16) * pen->k, 43 * pen->k, &unit, "in time, last second");
    for (unsigned t = 0; t < v->n_temporal; t++) {
        struct text_style s = style(pen, PAINT_SANS, 11, dim);
        s.align = PAINT_CENTRE;
        snprintf(text, sizeof text, "T%u", t);
        paint_text(pen->p, (x + 46 + 88.0f * (float)t + 41) * pen->k, 62 * pen->k, &s, text);
    }
    for (unsigned row = 0; row < v->n_spatial; row++) {
        unsigned s = v->n_spatial - 1u - row; /* the base at the foot, as layers are stacked */
        float y = 70 + 40.0f * (float)row;
        struct text_style name = style(pen, PAINT_SANS, 12, ink);
        snprintf(text, sizeof text, "S%u", s);
        paint_text(pen->p, (x + 17) * pen->k, (y + 21) * pen->k, &name, text);
        for (unsigned t = 0; t < v->n_temporal; t++)
            draw_layer(pen, &v->layer[s][t], scaled(pen, x + 46 + 88.0f * (float)t, y, 82, 34));
    }
}

/* One label over its figure in the strip, in a slot of its own so that nothing moves about. */
static void strip_item(const struct pen *pen, float x, const char *name, const char *value,
                       struct colour c)
{
    struct text_style s = style(pen, PAINT_MONO, 15, c);
    label(pen, x, STRIP_TOP + 20, name);
    paint_text(pen->p, x * pen->k, (STRIP_TOP + 40) * pen->k, &s, value);
}

static void draw_clock(const struct pen *pen, const struct osd_view *v, float right)
{
    char text[64];
    snprintf(text, sizeof text, "%llu", (unsigned long long)v->picture);
    strip_item(pen, right - 226, "Frame", text, ink);
    int64_t ms = v->pts_us / 1000;
    snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", (int)(ms / 3600000 % 100),
             (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
    strip_item(pen, right - 126, v->muted ? "Time (muted)" : "Time", text, ink);
}

static void draw_strip(const struct pen *pen, const struct osd_view *v, float right)
{
    char text[64];
    draw_panel(pen, scaled(pen, 20, STRIP_TOP, right - 20, 52));
    if (!v->playing) {
        struct text_style s = style(pen, PAINT_SANS, 16, ink);
        paint_text(pen->p, 38 * pen->k, (STRIP_TOP + 32) * pen->k, &s,
                   v->message ? v->message : "waiting");
        return;
    }
    snprintf(text, sizeof text, "%u\u00d7%u", v->width, v->height);
    strip_item(pen, 36, "Picture", text, ink);
    snprintf(text, sizeof text, "S%u T%u", v->shown.spatial, v->shown.temporal);
    strip_item(pen, 156, "Layer", text, ink);
    snprintf(text, sizeof text, "%.1f", v->fps);
    strip_item(pen, 246, "Frames/s", text, ink);
    snprintf(text, sizeof text, "%.2f Mbit/s", (double)v->rate_bps / 1e6);
    strip_item(pen, 336, "Total rate", text, ink);
    snprintf(text, sizeof text, "%.0f ms", v->latency_ms);
    strip_item(pen, 486, "Latency", text, ink);
    snprintf(text, sizeof text, v->stalls ? "%u, longest %.0f ms" : "none", v->stalls,
             v->stall_max_ms);
    strip_item(pen, 596, "Stalls", text, v->stalls ? fair : good);
    draw_clock(pen, v, right);
}

static struct pen pen_for(struct paint *p, float *right)
{
    int w, h;
    paint_size(p, &w, &h);
    /* a narrow window shrinks the display rather than cut it */
    float k = fminf((float)h / 720, (float)w / 1240);
    *right = (float)w / k - 20;
    return (struct pen){ p, k };
}

void osd_draw(struct paint *p, const struct osd_view *v)
{
    float right;
    struct pen pen = pen_for(p, &right);
    draw_paths(&pen, v);
    draw_layers(&pen, v, right);
    draw_strip(&pen, v, right);
}

void osd_draw_help(struct paint *p)
{
    static const char *const keys[][2] = {
        { "i", "statistics on or off" }, { "f", "full screen" }, { "m", "sound on or off" },
        { "h  ?", "this list" },         { "q  Esc", "quit" },
    };
    float right;
    struct pen pen = pen_for(p, &right);
    size_t n = sizeof keys / sizeof keys[0];
    float x = (right + 20) / 2 - 150, y = 230;
    draw_panel(&pen, scaled(&pen, x, y, 300, 62 + 30 * (float)n));
    struct text_style head = style(&pen, PAINT_SANS, 12, dim);
    paint_text(p, (x + 24) * pen.k, (y + 34) * pen.k, &head, "KEYS");
    for (size_t i = 0; i < n; i++) {
        struct text_style key = style(&pen, PAINT_MONO, 14, ink);
        struct text_style what = style(&pen, PAINT_SANS, 14, ink);
        float row = y + 66 + 30 * (float)i;
        paint_text(p, (x + 24) * pen.k, row * pen.k, &key, keys[i][0]);
        paint_text(p, (x + 110) * pen.k, row * pen.k, &what, keys[i][1]);
    }
}
