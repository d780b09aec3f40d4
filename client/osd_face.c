/*
 * osd_face.c - what a person works the player by: the control bar, the volume, lines that are said,
 * what the session is about, and the list of keys.
 */
#include "osd_pen.h"

#include "keys.h"

#include <math.h>
#include <stdio.h>

#define BAR_HEIGHT 56.0f
#define VOLUME_MAX 130.0f
#define HELP_LINES_MAX 40

static const struct colour accent = { 88, 166, 255, 255 }, ground = { 255, 255, 255, 60 };

/* ---- the control bar ---- */

static struct pen pen_of(int w, int h)
{
    const float k = fmaxf(OSD_SCALE_MIN, fminf((float)h / 720, (float)w / 1240));
    return (struct pen){ NULL, k, (float)w / k, (float)h / k };
}

void osd_bar_layout(struct osd_bar_layout *out, int w, int h)
{
    const struct pen pen = pen_of(w, h);
    const float x = OSD_EDGE, wide = pen.w - 2 * OSD_EDGE, y = pen.h - OSD_EDGE - BAR_HEIGHT;
    const float right = x + wide;
    out->bar = osd_scaled(&pen, x, y, wide, BAR_HEIGHT);
    out->play = osd_scaled(&pen, x + 8, y + 8, 40, 40);
    out->full = osd_scaled(&pen, right - 48, y + 8, 40, 40);
    out->volume = osd_scaled(&pen, right - 152, y + 18, 96, 20);
    out->note = osd_scaled(&pen, right - 188, y + 8, 32, 40);
    out->live = osd_scaled(&pen, right - 262, y + 14, 64, 28);
    out->timeline = osd_scaled(&pen, x + 58, y + 18, fmaxf(40, wide - 58 - 262 - 70), 20);
}

static struct box inner(struct box b, float share)
{
    return (struct box){ b.x + b.w * (1 - share) / 2, b.y + b.h * (1 - share) / 2, b.w * share,
                         b.h * share };
}

/* A bar of `share` [0, 1] along the middle of the box. */
static void draw_slider(const struct pen *pen, struct box b, float share, struct colour c)
{
    const float thick = 5 * pen->k, y = b.y + b.h / 2, knob = 13 * pen->k;
    paint_box(pen->p, (struct box){ b.x, y - thick / 2, b.w, thick }, thick / 2, ground);
    paint_box(pen->p, (struct box){ b.x, y - thick / 2, fmaxf(thick, b.w * share), thick },
              thick / 2, c);
    paint_box(pen->p, (struct box){ b.x + b.w * share - knob / 2, y - knob / 2, knob, knob },
              knob / 2, osd_ink);
}

static void centred(const struct pen *pen, struct box b, float size, struct colour c,
                    const char *text)
{
    struct text_style s = osd_style(pen, PAINT_SANS, size, c);
    s.align = PAINT_CENTRE;
    paint_text(pen->p, b.x + b.w / 2, b.y + b.h / 2 + 0.36f * size * pen->k, &s, text);
}

static void draw_play(const struct pen *pen, struct box b, bool paused)
{
    const struct box i = inner(b, 0.45f);
    if (paused) {
        centred(pen, b, 24, osd_ink, "\u25b6");
        return;
    }
    paint_box(pen->p, (struct box){ i.x, i.y, i.w * 0.34f, i.h }, 1.5f * pen->k, osd_ink);
    paint_box(pen->p, (struct box){ i.x + i.w * 0.66f, i.y, i.w * 0.34f, i.h }, 1.5f * pen->k,
              osd_ink);
}

/* A loudspeaker: its box, its cone of three steps; crossed out when muted. */
static void draw_note(const struct pen *pen, struct box b, bool muted)
{
    const struct colour c = muted ? osd_dim : osd_ink;
    const float u = b.w / 16, y = b.y + b.h / 2, x = b.x + 2 * u;
    paint_box(pen->p, (struct box){ x, y - 2 * u, 4 * u, 4 * u }, 0, c);
    for (int i = 0; i < 8; i++)
        paint_box(pen->p,
                  (struct box){ x + (3 + 0.5f * (float)i) * u, y - (2 + 0.45f * (float)i) * u,
                                0.6f * u, (4 + 0.9f * (float)i) * u },
                  0, c);
    if (muted) {
        centred(pen, (struct box){ x + 7 * u, b.y, 7 * u, b.h }, 14, osd_bad, "\u2715");
        return;
    }
    paint_box(pen->p, (struct box){ x + 9 * u, y - 2.5f * u, 1.2f * u, 5 * u }, 0.6f * u, c);
    paint_box(pen->p, (struct box){ x + 11.5f * u, y - 4.5f * u, 1.2f * u, 9 * u }, 0.6f * u, c);
}

/* Four corners: outwards, or inwards when the screen is full. */
static void draw_full(const struct pen *pen, struct box b, bool full)
{
    const struct box i = inner(b, 0.46f);
    const float t = 2.2f * pen->k, l = i.w * 0.36f;
    for (int c = 0; c < 4; c++) {
        const bool right = c & 1, low = c & 2;
        const float x = right ? i.x + i.w - l : i.x, y = low ? i.y + i.h - l : i.y;
        const bool vertical_right = right != full, horizontal_low = low != full;
        paint_box(pen->p, (struct box){ vertical_right ? x + l - t : x, y, t, l }, 0, osd_ink);
        paint_box(pen->p, (struct box){ x, horizontal_low ? y + l - t : y, l, t }, 0, osd_ink);
    }
}

static void span(char *out, size_t cap, double seconds)
{
    const unsigned s = seconds > 0 ? (unsigned)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, cap, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, cap, "%u:%02u", s / 60, s % 60);
}

static void draw_timeline(const struct pen *pen, const struct osd_bar *bar,
                          const struct osd_bar_layout *at, int64_t pts_us)
{
    char text[40] = "-";
    const bool live = bar->behind_s < 1;
    const struct colour tone = live && !bar->paused ? osd_good : osd_dim;
    struct text_style s = osd_style(pen, PAINT_MONO, 13, osd_ink);
    const float y = at->timeline.y + at->timeline.h / 2 + 5 * pen->k;
    if (bar->has_window && bar->window_s > 0) {
        const double back = fmin(bar->behind_s / bar->window_s, 1);
        draw_slider(pen, at->timeline, (float)(1 - back), accent);
        span(text + 1, sizeof text - 1, bar->behind_s);
        s.align = PAINT_RIGHT;
        paint_text(pen->p, at->live.x - 10 * pen->k, y, &s, live ? "" : text);
    } else {
        span(text, sizeof text, (double)pts_us / 1e6);
        paint_text(pen->p, at->timeline.x, y, &s, text);
    }
    paint_frame(pen->p, at->live, 6 * pen->k, tone);
    centred(pen, at->live, 12, tone, "LIVE");
}

void osd_draw_bar(const struct pen *pen, const struct osd_view *v)
{
    struct osd_bar_layout at;
    int w, h;
    paint_size(pen->p, &w, &h);
    osd_bar_layout(&at, w, h);
    paint_box(pen->p, at.bar, 10 * pen->k, (struct colour){ 12, 15, 21, 235 });
    paint_frame(pen->p, at.bar, 10 * pen->k, osd_edge);
    draw_play(pen, at.play, v->bar.paused);
    draw_timeline(pen, &v->bar, &at, v->pts_us);
    draw_note(pen, at.note, v->muted);
    draw_slider(pen, at.volume, fminf(1, (float)v->bar.volume / VOLUME_MAX),
                v->muted ? osd_dim : accent);
    draw_full(pen, at.full, v->bar.fullscreen);
}

/* ---- lines ---- */

void osd_draw_volume(const struct pen *pen, double percent, bool muted)
{
    char text[32];
    const float wide = 300, x = (pen->w - wide) / 2, y = pen->h - OSD_EDGE - 120;
    osd_panel_at(pen, x, y, wide, 44);
    draw_note(pen, osd_scaled(pen, x + 12, y + 4, 32, 36), muted);
    draw_slider(pen, osd_scaled(pen, x + 54, y + 12, 160, 20),
                fminf(1, (float)percent / VOLUME_MAX), muted ? osd_dim : accent);
    snprintf(text, sizeof text, muted ? "muted" : "%.0f %%", percent);
    osd_figure(pen, x + wide - 14, y + 27, osd_ink, text);
}

void osd_draw_say(const struct pen *pen, const char *text)
{
    struct text_style s = osd_style(pen, PAINT_SANS, 15, osd_ink);
    const float wide =
        fminf(pen->w - 2 * OSD_EDGE, (float)paint_text_width(pen->p, &s, text) / pen->k + 36);
    const float x = (pen->w - wide) / 2, y = pen->h - OSD_EDGE - 168;
    osd_panel_at(pen, x, y, wide, 38);
    osd_panel_at(pen, x, y, wide, 38); /* twice: it may lie over a page */
    s.align = PAINT_CENTRE;
    osd_text(pen, pen->w / 2, y + 24, &s, text);
}

/* ---- the session ---- */

void osd_draw_status(const struct pen *pen, const struct osd_status *s)
{
    struct text_style line = osd_style(pen, PAINT_SANS, 18, osd_ink);
    struct text_style detail = osd_style(pen, PAINT_SANS, 14, osd_dim);
    const int line_w = paint_text_width(pen->p, &line, s->line);
    const int detail_w = paint_text_width(pen->p, &detail, s->detail);
    const float need = (float)(line_w > detail_w ? line_w : detail_w) / pen->k + 64;
    const float wide = fminf(pen->w - 2 * OSD_EDGE, fmaxf(340, need));
    const float high = 58 + (s->detail[0] ? 26.0f : 0) + (s->progress >= 0 ? 20.0f : 0);
    const float x = (pen->w - wide) / 2;
    float y = (pen->h - high) / 2;
    osd_panel_at(pen, x, y, wide, high);
    line.align = detail.align = PAINT_CENTRE;
    y += 35;
    osd_text(pen, pen->w / 2, y, &line, s->line);
    if (s->detail[0]) {
        y += 26;
        osd_text(pen, pen->w / 2, y, &detail, s->detail);
    }
    if (s->progress < 0)
        return;
    const struct box bar = osd_scaled(pen, x + 32, y + 16, wide - 64, 5);
    paint_box(pen->p, bar, 2.5f * pen->k, ground);
    paint_box(pen->p,
              (struct box){ bar.x, bar.y, bar.w * (float)fmin(fmax(s->progress, 0), 1), bar.h },
              2.5f * pen->k, accent);
}

/* ---- keys ---- */

struct help_line {
    char keys[64];
    const char *text;
};

void osd_draw_help(const struct pen *pen)
{
    struct help_line lines[HELP_LINES_MAX];
    size_t n = 0, at = 0;
    while (n < HELP_LINES_MAX &&
           keys_line(&at, lines[n].keys, sizeof lines[n].keys, &lines[n].text))
        n++;
    const float room = pen->h - 2 * OSD_EDGE - 62;
    const size_t columns = (float)n * 27 > room && pen->w > 700 ? 2 : 1;
    const size_t rows = (n + columns - 1) / columns;
    const float step = fminf(27, room / (float)rows),
                column = fminf(400, (pen->w - 60) / (float)columns);
    const float wide = column * (float)columns + 20, high = 62 + step * (float)rows;
    const float x = (pen->w - wide) / 2, y = (pen->h - high) / 2;
    const float size = fmaxf(11, fminf(14, step - 4)), tab = columns > 1 ? 96.0f : 120.0f;
    osd_panel_at(pen, x, y, wide, high);
    osd_panel_at(pen, x, y, wide, high); /* twice: a list is read, not glanced at */
    const struct text_style head = osd_style(pen, PAINT_SANS, 12, osd_dim);
    osd_text(pen, x + 24, y + 30, &head, "KEYS");
    for (size_t i = 0; i < n; i++) {
        const struct text_style key = osd_style(pen, PAINT_MONO, size, accent);
        const struct text_style what = osd_style(pen, PAINT_SANS, size, osd_ink);
        const float left = x + 24 + column * (float)(i / rows);
        const float row = y + 44 + step * (float)(i % rows) + step / 2;
        osd_text(pen, left, row, &key, lines[i].keys);
        osd_text(pen, left + tab, row, &what, lines[i].text);
    }
}
