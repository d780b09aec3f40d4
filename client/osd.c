/*
 * osd.c - the on-screen display as a whole, and its first page: paths at the left, layers at the
 * right, the picture's figures in a strip at the foot. A small window shows less, not smaller.
 */
#include "osd_pen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CARD_HEIGHT 92.0f
#define CARD_LOW 58.0f /* without its plot */
#define CARDS_TOP 54.0f
#define CELL_MAX 88.0f
#define STRIP_HEIGHT 52.0f

static void draw_name(const struct pen *pen, const struct osd_path *path, float y, struct colour c)
{
    const bool live = path->state == TVL_PATH_UP && !path->off;
    const struct text_style name = osd_style(pen, PAINT_SANS, 14, live ? osd_ink : osd_dim);
    const struct text_style word = osd_style(pen, PAINT_SANS, 12, osd_state_colour(path));
    paint_box(pen->p, osd_scaled(pen, 36, y + 5, 3, 14), 1.5f * pen->k, c);
    const float after = 46 + osd_text(pen, 46, y + 17, &name, path->name) + 10;
    paint_box(pen->p, osd_scaled(pen, after, y + 9, 7, 7), 3.5f * pen->k, osd_state_colour(path));
    osd_text(pen, after + 12, y + 16.5f, &word, osd_state_word(path));
}

static void draw_path(const struct pen *pen, const struct osd_path *path, float y, float ceiling,
                      struct colour c)
{
    char text[48];
    const bool live = path->state == TVL_PATH_UP && !path->off;
    const bool told = path->sender.known; /* what matters is the way to us: the sender knows it */
    const double rtt_ms = told && path->sender.rtt_ms > 0 ? path->sender.rtt_ms : path->rtt_ms;
    const double loss = told && path->sender.loss >= 0 ? path->sender.loss : path->loss;
    const float foot = ceiling > 0 ? y + 77 : y + 43;
    draw_name(pen, path, y, c);
    snprintf(text, sizeof text, "%.2f", (double)path->rate_bps / 1e6);
    struct text_style rate = osd_style(pen, PAINT_MONO, 16, live ? osd_ink : osd_dim);
    rate.align = PAINT_RIGHT;
    osd_text(pen, 300, y + 17, &rate, text);
    osd_label(pen, 306, y + 17, "Mbit/s");
    if (ceiling > 0)
        osd_plot(pen, path->history_bps, osd_scaled(pen, 36, y + 26, 314, 34), ceiling,
                 live ? c : (struct colour){ c.r, c.g, c.b, 120 });
    osd_label(pen, 36, foot, "RTT");
    if (rtt_ms > 0)
        snprintf(text, sizeof text, rtt_ms < 10 ? "%.1f ms" : "%.0f ms", rtt_ms);
    else
        snprintf(text, sizeof text, "\u2013");
    osd_figure(pen, 130, foot, live ? osd_ink : osd_dim, text);
    osd_label(pen, 148, foot, "Loss");
    snprintf(text, sizeof text, "%.1f %%", 100 * loss);
    const struct colour tone = loss > 0.05 ? osd_bad : loss > 0.01 ? osd_fair : osd_ink;
    osd_figure(pen, 244, foot, live ? tone : osd_dim, text);
    osd_label(pen, 262, foot, "Share");
    snprintf(text, sizeof text, "%.0f %%", 100 * path->share);
    osd_figure(pen, 350, foot, live ? osd_ink : osd_dim, text);
}

static void draw_paths(const struct pen *pen, const struct osd_view *v, float foot)
{
    char text[64];
    float most = 0, room = foot - CARDS_TOP - 14, card = CARD_HEIGHT;
    size_t n = v->n_paths;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        for (size_t h = 0; h < OSD_HISTORY; h++)
            most = fmaxf(most, v->path[i].history_bps[h]);
    const float ceiling = osd_ceiling(most, 1e5f);
    if ((float)n * card > room)
        card = CARD_LOW;
    while (n > 1 && (float)n * card > room)
        n--; /* the window is not tall enough for more; page 3 is about them */
    osd_panel_at(pen, 20, 20, 346, CARDS_TOP - 12 + (float)n * card);
    const struct text_style head = osd_style(pen, PAINT_SANS, 12, osd_dim);
    osd_text(pen, 36, 43, &head, "PATHS");
    if (card < CARD_HEIGHT)
        snprintf(text, sizeof text, "%zu of %zu", n, v->n_paths);
    else
        snprintf(text, sizeof text, "30 s, 0 \u2013 %.4g Mbit/s", (double)ceiling / 1e6);
    struct text_style scale = osd_style(pen, PAINT_SANS, 12, osd_dim);
    scale.align = PAINT_RIGHT;
    osd_text(pen, 350, 43, &scale, text);
    for (size_t i = 0; i < n; i++) {
        const float y = CARDS_TOP + (float)i * card;
        if (i > 0)
            paint_box(pen->p, osd_scaled(pen, 36, y - 1, 314, 1), 0, osd_faint);
        draw_path(pen, &v->path[i], y + 2, card < CARD_HEIGHT ? 0 : ceiling, osd_path_colour(i));
    }
}

static struct colour layer_colour(const struct osd_layer *l)
{
    if (!l->subscribed || !l->expected)
        return osd_dim;
    return l->in_time >= 0.98 ? osd_good : l->in_time >= 0.6 ? osd_fair : osd_bad;
}

static void draw_layer(const struct pen *pen, const struct osd_layer *l, struct box b)
{
    char text[16];
    const struct colour c = layer_colour(l);
    const float radius = 5 * pen->k;
    const bool lit = l->subscribed && l->expected;
    paint_box(pen->p, b, radius, (struct colour){ c.r, c.g, c.b, lit ? 38 : 16 });
    if (lit && l->in_time > 0.01) { /* a bar along the foot: the part that came in time */
        const struct box bar = { b.x + radius, b.y + b.h - 5 * pen->k,
                                 (b.w - 2 * radius) * (float)l->in_time, 2.5f * pen->k };
        paint_box(pen->p, bar, 1.2f * pen->k, c);
    }
    if (l->shown)
        paint_frame(pen->p, b, radius, (struct colour){ c.r, c.g, c.b, 220 });
    struct text_style s = osd_style(pen, PAINT_MONO, 13, lit ? c : osd_dim);
    s.align = PAINT_CENTRE;
    if (!l->subscribed)
        snprintf(text, sizeof text, "off");
    else if (!l->expected)
        snprintf(text, sizeof text, "\u2013");
    else
        snprintf(text, sizeof text, "%.0f %%", 100 * l->in_time);
    paint_text(pen->p, b.x + b.w / 2, b.y + b.h / 2 + 3.5f * pen->k, &s, text);
}

static void draw_cells(const struct pen *pen, const struct osd_view *v, float foot)
{
    char text[32];
    const float right = pen->w - OSD_EDGE, room = right - 386 - 56;
    float cell = CELL_MAX, row_high = 40;
    if (v->n_spatial == 0)
        return;
    if (cell * (float)v->n_temporal > room)
        cell = fmaxf(50, room / (float)v->n_temporal);
    while (row_high > 28 && 80 + row_high * (float)v->n_spatial > foot)
        row_high -= 4;
    const float wide = 46 + cell * (float)v->n_temporal + 10, x = right - wide;
    osd_panel_at(pen, x, 20, wide, 60 + row_high * (float)v->n_spatial);
    const struct text_style head = osd_style(pen, PAINT_SANS, 12, osd_dim);
    osd_text(pen, x + 16, 43, &head, "LAYERS");
    struct text_style unit = osd_style(pen, PAINT_SANS, 12, osd_dim);
    unit.align = PAINT_RIGHT;
    osd_text(pen, right - 14, 43, &unit, wide > 210 ? "in time, last second" : "in time");
    for (unsigned t = 0; t < v->n_temporal; t++) {
        struct text_style s = osd_style(pen, PAINT_SANS, 12, osd_dim);
        s.align = PAINT_CENTRE;
        snprintf(text, sizeof text, "T%u", t);
        osd_text(pen, x + 46 + cell * (float)t + cell / 2 - 3, 63, &s, text);
    }
    for (unsigned row = 0; row < v->n_spatial; row++) {
        const unsigned s =
            v->n_spatial - 1u - row; /* the base at the foot, as layers are stacked */
        const float y = 70 + row_high * (float)row;
        const struct text_style name = osd_style(pen, PAINT_SANS, 13, osd_ink);
        snprintf(text, sizeof text, "S%u", s);
        osd_text(pen, x + 17, y + row_high / 2 + 2, &name, text);
        for (unsigned t = 0; t < v->n_temporal; t++)
            draw_layer(pen, &v->layer[s][t],
                       osd_scaled(pen, x + 46 + cell * (float)t, y, cell - 6, row_high - 6));
    }
}

/* One label over its figure in the strip, in a slot of its own so that nothing moves about. */
struct slot {
    const char *name;
    float wide; /* of the slot, units */
    struct colour c;
    char value[40];
};

static size_t strip_slots(const struct osd_view *v, struct slot *s)
{
    const int64_t ms = v->pts_us / 1000;
    size_t n = 0;
    s[n] = (struct slot){ "Picture", 116, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%u\u00d7%u", v->width, v->height);
    s[n] = (struct slot){ "Layer", 84, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "S%u T%u", v->shown.spatial, v->shown.temporal);
    s[n] = (struct slot){ "Frames/s", 84, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%.1f", v->fps);
    s[n] = (struct slot){ "Total rate", 140, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%.2f Mbit/s", (double)v->rate_bps / 1e6);
    s[n] = (struct slot){ "Delay", 96, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%.0f ms", v->latency_ms);
    s[n] = (struct slot){ "Stalls", 100, v->stalls ? osd_fair : osd_good, "" };
    if (v->stalls)
        snprintf(s[n++].value, sizeof s->value, "%u, %.0f ms", v->stalls, v->stall_max_ms);
    else
        snprintf(s[n++].value, sizeof s->value, "none");
    s[n] = (struct slot){ v->muted ? "Time (muted)" : "Time", 126, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%02d:%02d:%02d.%03d", (int)(ms / 3600000 % 100),
             (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
    s[n] = (struct slot){ "Frame", 90, osd_ink, "" };
    snprintf(s[n++].value, sizeof s->value, "%llu", (unsigned long long)v->picture);
    return n;
}

static void draw_strip(const struct pen *pen, const struct osd_view *v, float top)
{
    struct slot slot[8];
    float x = 36, need = 0;
    osd_panel_at(pen, OSD_EDGE, top, pen->w - 2 * OSD_EDGE, STRIP_HEIGHT);
    if (!v->playing) {
        const struct text_style s = osd_style(pen, PAINT_SANS, 16, osd_ink);
        osd_text(pen, 38, top + 32, &s, v->message ? v->message : "waiting");
        return;
    }
    size_t n = strip_slots(v, slot);
    for (size_t i = 0; i < n; i++)
        need += slot[i].wide;
    while (n > 1 && need > pen->w - 2 * OSD_EDGE - 24)
        need -= slot[--n].wide; /* the last are the least */
    const float gap = n > 1 ? fminf(24, (pen->w - 2 * OSD_EDGE - 24 - need) / (float)(n - 1)) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct text_style s = osd_style(pen, PAINT_MONO, 15, slot[i].c);
        osd_label(pen, x, top + 20, slot[i].name);
        osd_text(pen, x, top + 41, &s, slot[i].value);
        x += slot[i].wide + gap;
    }
}

static void draw_summary(const struct pen *pen, const struct osd_view *v)
{
    const float top = pen->h - OSD_EDGE - STRIP_HEIGHT;
    draw_paths(pen, v, top);
    draw_cells(pen, v, top);
    draw_strip(pen, v, top);
}

void osd_draw(struct paint *p, const struct osd_view *v, const struct osd_face *face)
{
    static void (*const pages[OSD_PAGES])(const struct pen *, const struct osd_view *) = {
        draw_summary, osd_draw_delay, osd_draw_paths, osd_draw_layers
    };
    const struct pen pen = osd_pen(p);
    if (v->page >= 1 && v->page <= OSD_PAGES && !v->help)
        pages[v->page - 1](&pen, v);
    if (v->status.line[0])
        osd_draw_status(&pen, &v->status);
    if (v->help)
        osd_draw_help(&pen);
    if (face->bar)
        osd_draw_bar(&pen, v);
    if (face->volume >= 0 && !face->bar)
        osd_draw_volume(&pen, face->volume, face->muted);
    if (face->say[0])
        osd_draw_say(&pen, face->say);
}
