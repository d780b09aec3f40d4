/* osd_pen.c - see osd_pen.h. */
#include "osd_pen.h"

#include <math.h>
#include <string.h>

const struct colour osd_ink = { 236, 240, 245, 255 }, osd_dim = { 164, 173, 188, 255 },
                    osd_faint = { 255, 255, 255, 26 }, osd_panel = { 12, 15, 21, 212 },
                    osd_edge = { 255, 255, 255, 30 }, osd_cell = { 255, 255, 255, 14 },
                    osd_good = { 72, 199, 142, 255 }, osd_fair = { 242, 184, 75, 255 },
                    osd_bad = { 235, 94, 104, 255 };
static const struct colour path_colours[] = {
    { 88, 166, 255, 255 },  { 247, 147, 90, 255 }, { 188, 140, 255, 255 }, { 63, 205, 200, 255 },
    { 240, 120, 190, 255 }, { 210, 200, 90, 255 }, { 130, 200, 120, 255 }, { 170, 175, 190, 255 },
};

struct pen osd_pen(struct paint *p)
{
    int w, h;
    paint_size(p, &w, &h);
    const float k = fmaxf(OSD_SCALE_MIN, fminf((float)h / 720, (float)w / 1240));
    return (struct pen){ p, k, (float)w / k, (float)h / k };
}

struct box osd_scaled(const struct pen *pen, float x, float y, float w, float h)
{
    return (struct box){ x * pen->k, y * pen->k, w * pen->k, h * pen->k };
}

struct text_style osd_style(const struct pen *pen, enum paint_face face, float size,
                            struct colour c)
{
    return (struct text_style){ face, (int)lroundf(size * pen->k), PAINT_LEFT, c };
}

float osd_text(const struct pen *pen, float x, float y, const struct text_style *s,
               const char *text)
{
    return (float)paint_text(pen->p, x * pen->k, y * pen->k, s, text) / pen->k;
}

void osd_label(const struct pen *pen, float x, float y, const char *text)
{
    const struct text_style s = osd_style(pen, PAINT_SANS, 12, osd_dim);
    osd_text(pen, x, y, &s, text);
}

void osd_label_in(const struct pen *pen, float x, float y, float room, struct colour c,
                  const char *text)
{
    const struct text_style s = osd_style(pen, PAINT_SANS, 12, c);
    char cut[OSD_LINE_MAX];
    size_t n = strlen(text) < sizeof cut - 4 ? strlen(text) : sizeof cut - 4;
    memcpy(cut, text, n);
    cut[n] = '\0';
    while (n > 0 && (float)paint_text_width(pen->p, &s, cut) > room * pen->k) {
        n--;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) /* not within a letter */
            n--;
        memcpy(cut + n, "\u2026", sizeof "\u2026");
    }
    osd_text(pen, x, y, &s, cut);
}

void osd_figure(const struct pen *pen, float right, float y, struct colour c, const char *text)
{
    struct text_style s = osd_style(pen, PAINT_MONO, 13, c);
    s.align = PAINT_RIGHT;
    osd_text(pen, right, y, &s, text);
}

void osd_panel_at(const struct pen *pen, float x, float y, float w, float h)
{
    const struct box b = osd_scaled(pen, x, y, w, h);
    paint_box(pen->p, b, 10 * pen->k, osd_panel);
    paint_frame(pen->p, b, 10 * pen->k, osd_edge);
}

struct colour osd_path_colour(size_t i)
{
    return path_colours[i % (sizeof path_colours / sizeof path_colours[0])];
}

struct colour osd_state_colour(const struct osd_path *path)
{
    if (path->off)
        return osd_dim;
    switch (path->state) {
    case TVL_PATH_UP:
        return path->backup ? osd_dim : osd_good;
    case TVL_PATH_OPENING:
    case TVL_PATH_SUSPECT:
        return osd_fair;
    default:
        return osd_bad;
    }
}

const char *osd_state_word(const struct osd_path *path)
{
    if (path->off)
        return "switched off";
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

float osd_ceiling(float most, float least)
{
    const float value = fmaxf(most, least), decade = powf(10, floorf(log10f(value)));
    const float m = value / decade;
    return decade * (m <= 1 ? 1.0f : m <= 2 ? 2.0f : m <= 5 ? 5.0f : 10.0f);
}

void osd_plot(const struct pen *pen, const float *value, struct box b, float ceiling,
              struct colour c)
{
    float share[OSD_HISTORY];
    for (size_t i = 0; i < OSD_HISTORY; i++)
        share[i] = value[i] / ceiling;
    paint_box(pen->p, b, 4 * pen->k, osd_cell);
    paint_box(pen->p, (struct box){ b.x, b.y + b.h / 2, b.w, 1 }, 0, osd_faint);
    b.y += 3 * pen->k;
    b.h -= 4 * pen->k;
    paint_curve(pen->p, b, share, OSD_HISTORY, c);
}
