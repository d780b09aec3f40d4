/* osd_pages.c - the further pages of the statistics: delay, paths, layers. */
#include "osd_pen.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

static const struct colour part_colours[DELAY_PARTS] = {
    { 188, 140, 255, 255 }, { 240, 120, 190, 255 }, { 88, 166, 255, 255 },
    { 63, 205, 200, 255 },  { 242, 184, 75, 255 },  { 130, 200, 120, 255 },
};

static void title(const struct pen *pen, float x, const char *name, float right, const char *more)
{
    const struct text_style head = osd_style(pen, PAINT_SANS, 12, osd_dim);
    struct text_style note = head;
    note.align = PAINT_RIGHT;
    osd_text(pen, x, 43, &head, name);
    osd_text(pen, right, 43, &note, more);
}

/* ---- delay ---- */

/* Whether the part is known. */
static bool is_known(const struct delay *d, int part)
{
    return d->has_capture || part >= DELAY_BUFFER;
}

static void draw_stack(const struct pen *pen, const struct delay *d, struct box b)
{
    float x = b.x;
    paint_box(pen->p, b, 4 * pen->k, osd_cell);
    if (d->total_ms <= 0)
        return;
    for (int i = 0; i < DELAY_PARTS; i++) {
        const float w = b.w * (float)(fmax(0, d->part_ms[i]) / d->total_ms);
        paint_box(pen->p, (struct box){ x, b.y, fmaxf(0, w - 1), b.h }, 0, part_colours[i]);
        x += w;
    }
}

static void draw_part(const struct pen *pen, const struct delay *d, int part, float y)
{
    static const char *const what[DELAY_PARTS] = {
        "taken until coded",          "waiting to be sent: the rest",   "half the least round trip",
        "for its turn and its sound", "by the codec, best layer shown", "onto the screen",
    };
    char text[32] = "\u2013";
    const bool known = is_known(d, part);
    const struct text_style name = osd_style(pen, PAINT_SANS, 14, known ? osd_ink : osd_dim);
    paint_box(pen->p, osd_scaled(pen, 36, y - 10, 11, 11), 2 * pen->k, part_colours[part]);
    osd_text(pen, 56, y, &name, delay_part_name((enum delay_part)part));
    osd_label(pen, 164, y, what[part]);
    if (known)
        snprintf(text, sizeof text, "%.1f", d->part_ms[part]);
    osd_figure(pen, 452, y, known ? osd_ink : osd_dim, text);
    osd_label(pen, 458, y, "ms");
}

static const char *delay_note(const struct delay *d, char *out, size_t cap)
{
    if (!d->has_capture)
        snprintf(out, cap, "The sender does not say when it took its pictures: since arrival.");
    else if (d->clock_ms != 0)
        snprintf(out, cap, "Clocks differ by about %.0f ms: queue and network are a guess.",
                 fabs(d->clock_ms));
    else
        snprintf(out, cap, "Measured by both clocks, which agree.");
    return out;
}

void osd_draw_delay(const struct pen *pen, const struct osd_view *v)
{
    char text[96];
    const struct delay *d = &v->delay;
    const float step = fminf(28, (pen->h - 2 * OSD_EDGE - 136) / DELAY_PARTS);
    float y = 118;
    osd_panel_at(pen, 20, 20, 476, 136 + step * DELAY_PARTS);
    title(pen, 36, "DELAY", 480,
          d->has_capture ? "from capture to display" : "from arrival to display");
    const struct text_style big = osd_style(pen, PAINT_MONO, 22, osd_ink);
    snprintf(text, sizeof text, d->any ? "%.0f ms" : "\u2013", d->total_ms);
    osd_text(pen, 36, 72, &big, text);
    draw_stack(pen, d, osd_scaled(pen, 150, 57, 330, 18));
    for (int i = 0; i < DELAY_PARTS; i++, y += step)
        draw_part(pen, d, i, y);
    osd_label(pen, 36, y + 8, delay_note(d, text, sizeof text));
}

/* ---- paths ---- */

#define ROW_HEIGHT 84.0f

static float most_of(const struct osd_view *v, size_t offset)
{
    float most = 0;
    for (size_t i = 0; i < v->n_paths; i++) {
        const float *h = (const float *)(const void *)((const char *)&v->path[i] + offset);
        for (size_t n = 0; n < OSD_HISTORY; n++)
            most = fmaxf(most, h[n]);
    }
    return most;
}

/* One graph with its newest figure; `scale` names the ceiling. */
static void draw_graph(const struct pen *pen, const float *history, struct box at, float ceiling,
                       struct colour c, const char *figure)
{
    const struct text_style s = osd_style(pen, PAINT_MONO, 13, osd_ink);
    osd_plot(pen, history, osd_scaled(pen, at.x, at.y + 20, at.w, at.h - 20), ceiling, c);
    osd_text(pen, at.x, at.y + 14, &s, figure);
}

static bool is_live(const struct osd_path *path)
{
    return path->state == TVL_PATH_UP && !path->off;
}

static struct colour graph_colour(const struct osd_path *path, size_t i)
{
    struct colour c = osd_path_colour(i);
    c.a = is_live(path) ? 255 : 110;
    return c;
}

/* Its key, its name and its state. */
static void draw_path_name(const struct pen *pen, const struct osd_path *path, size_t i, float y)
{
    char text[32];
    const struct text_style key = osd_style(pen, PAINT_MONO, 13, osd_ink);
    const struct text_style name =
        osd_style(pen, PAINT_SANS, 14, is_live(path) ? osd_ink : osd_dim);
    const struct text_style word = osd_style(pen, PAINT_SANS, 12, osd_state_colour(path));
    const struct box cap = osd_scaled(pen, 34, y + 6, 20, 20);
    paint_box(pen->p, cap, 4 * pen->k, (struct colour){ 255, 255, 255, 40 });
    snprintf(text, sizeof text, "%zu", i + 1);
    osd_text(pen, 40, y + 21, &key, text);
    osd_text(pen, 62, y + 21, &name, path->name);
    paint_box(pen->p, osd_scaled(pen, 36, y + 37, 7, 7), 3.5f * pen->k, osd_state_colour(path));
    osd_text(pen, 50, y + 45, &word, osd_state_word(path));
}

/* By what is known here. */
static void draw_path_row(const struct pen *pen, const struct osd_view *v, size_t i, float y)
{
    const struct osd_path *path = &v->path[i];
    char text[64];
    const struct colour c = graph_colour(path, i);
    const float left = 190, room = pen->w - 36 - left, gap = 14, wide = (room - 2 * gap) / 3;
    draw_path_name(pen, path, i, y);
    snprintf(text, sizeof text, "we send: %.10s", path->cc[0] ? path->cc : "\u2013");
    osd_label(pen, 36, y + 65, text);
    snprintf(text, sizeof text, "%.2f Mbit/s", (double)path->rate_bps / 1e6);
    draw_graph(pen, path->history_bps, (struct box){ left, y, wide, 72 },
               osd_ceiling(most_of(v, offsetof(struct osd_path, history_bps)), 1e5f), c, text);
    snprintf(text, sizeof text, path->rtt_ms > 0 ? "RTT %.1f ms" : "RTT \u2013", path->rtt_ms);
    draw_graph(pen, path->history_rtt_ms, (struct box){ left + wide + gap, y, wide, 72 },
               osd_ceiling(most_of(v, offsetof(struct osd_path, history_rtt_ms)), 10), c, text);
    snprintf(text, sizeof text, "loss %.1f %%", 100 * path->loss);
    draw_graph(pen, path->history_loss, (struct box){ left + 2 * (wide + gap), y, wide, 72 },
               osd_ceiling(most_of(v, offsetof(struct osd_path, history_loss)), 0.05f), c, text);
}

#define SENDER_COLUMNS 4 /* what comes here, and three graphs of the sender's */

struct column {
    const char *name;
    size_t history; /* offset in struct osd_path */
    float least;    /* of the ceiling */
};

static const struct column path_columns[SENDER_COLUMNS] = {
    { "comes here", offsetof(struct osd_path, history_bps), 1e5f },
    { "sender: can carry", offsetof(struct osd_path, sender_bps), 1e5f },
    { "sender: round trip", offsetof(struct osd_path, sender_rtt_ms), 10 },
    { "sender: loss", offsetof(struct osd_path, sender_loss), 0.05f },
};

static float column_ceiling(const struct osd_view *v, size_t column)
{
    return osd_ceiling(most_of(v, path_columns[column].history), path_columns[column].least);
}

static float column_width(const struct pen *pen)
{
    return (pen->w - 36 - 190 - 14 * (SENDER_COLUMNS - 1)) / SENDER_COLUMNS;
}

static float column_at(const struct pen *pen, size_t column)
{
    return 190 + (float)column * (column_width(pen) + 14);
}

static const char *column_figure(const struct osd_path *path, size_t column, char *out, size_t cap)
{
    const struct sender_path *s = &path->sender;
    const double value[SENDER_COLUMNS] = { (double)path->rate_bps / 1e6, s->rate_bps / 1e6,
                                           s->rtt_ms, 100 * s->loss };
    static const char *const forms[SENDER_COLUMNS] = { "%.2f Mbit/s", "%.2f Mbit/s", "%.1f ms",
                                                       "%.1f %%" };
    snprintf(out, cap, "\u2013");
    if (column == 0 || (s->known && value[column] >= 0))
        snprintf(out, cap, forms[column], value[column]);
    return out;
}

/* By what comes here, and what the sender says. */
static void draw_told_row(const struct pen *pen, const struct osd_view *v, size_t i, float y)
{
    const struct osd_path *path = &v->path[i];
    char text[OSD_LINE_MAX] = "the sender does not have it", figure[32];
    const struct colour c = graph_colour(path, i);
    draw_path_name(pen, path, i, y);
    for (size_t n = 0; n < SENDER_COLUMNS; n++) {
        const float *history =
            (const float *)(const void *)((const char *)path + path_columns[n].history);
        draw_graph(pen, history, (struct box){ column_at(pen, n), y, column_width(pen), 57 },
                   column_ceiling(v, n), c, column_figure(path, n, figure, sizeof figure));
    }
    if (path->sender.known)
        sender_controller_text(&path->sender, text, sizeof text);
    osd_label_in(pen, 36, y + 74, pen->w - 72, path->sender.known ? osd_ink : osd_dim, text);
}

static const char *paths_foot(const struct pen *pen, const struct osd_view *v)
{
    const bool wide = pen->w > 900;
    if (v->sender.known)
        return wide ? "The sender: what its controller lets it send, its round trips, and what it "
                      "lost in the last second. Number keys: path on or off."
                    : "Number keys: path on or off.";
    if (v->sender.silent)
        return wide ? "This server does not tell its side: RTT, loss and controller are of what "
                      "the player itself sends. Number keys: path on or off."
                    : "Loss and controller are of what we send: the server tells nothing.";
    return wide ? "Rate: what comes. RTT, loss and controller: of what the player itself sends; "
                  "the sender has said nothing yet. Number keys: path on or off."
                : "Loss and controller are of what we send. Number keys: on or off.";
}

static const char *paths_scale(const struct osd_view *v, char *out, size_t cap)
{
    const double here = (double)column_ceiling(v, 0) / 1e6;
    if (v->sender.known)
        snprintf(out, cap, "rate to %.4g and %.4g Mbit/s, RTT to %.4g ms, loss to %.0f %%; 30 s",
                 here, (double)column_ceiling(v, 1) / 1e6, (double)column_ceiling(v, 2),
                 100 * (double)column_ceiling(v, 3));
    else
        snprintf(
            out, cap, "rate to %.4g Mbit/s, RTT to %.4g ms, loss to %.0f %%; 30 s", here,
            (double)osd_ceiling(most_of(v, offsetof(struct osd_path, history_rtt_ms)), 10),
            100 * (double)osd_ceiling(most_of(v, offsetof(struct osd_path, history_loss)), 0.05f));
    return out;
}

void osd_draw_paths(const struct pen *pen, const struct osd_view *v)
{
    char text[96];
    const bool told = v->sender.known;
    const float head = told ? 16 : 0, room = pen->h - 2 * OSD_EDGE - 62 - head;
    size_t n = v->n_paths;
    while (n > 1 && (float)n * ROW_HEIGHT > room)
        n--;
    osd_panel_at(pen, 20, 20, pen->w - 40, 62 + head + (float)n * ROW_HEIGHT);
    title(pen, 36, "PATHS", pen->w - 36, paths_scale(v, text, sizeof text));
    for (size_t i = 0; told && i < SENDER_COLUMNS; i++)
        osd_label(pen, column_at(pen, i), 61, path_columns[i].name);
    for (size_t i = 0; i < n; i++) {
        const float y = 54 + head + (float)i * ROW_HEIGHT;
        if (i > 0)
            paint_box(pen->p, osd_scaled(pen, 36, y - 2, pen->w - 72, 1), 0, osd_faint);
        (told ? draw_told_row : draw_path_row)(pen, v, i, y);
    }
    const char *foot = paths_foot(pen, v);
    if (n < v->n_paths) {
        snprintf(text, sizeof text, "and %zu more. Number keys: path on or off.", v->n_paths - n);
        foot = text;
    }
    osd_label(pen, 36, 54 + head + (float)n * ROW_HEIGHT + 16, foot);
}

/* ---- layers ---- */

#define SAID_WIDE 262.0f /* of what the sender says of a layer, where it is not brief */

struct layer_columns { /* units; 0: there is none */
    float bar, said;
};

/* Of `room` for both: a bar, and what the sender says; in a small window only that, in brief. */
static struct layer_columns layer_columns(const struct osd_view *v, float room)
{
    if (!v->sender.known)
        return (struct layer_columns){ fmaxf(40, fminf(320, room)), 0 };
    if (room >= SAID_WIDE + 14 + 80)
        return (struct layer_columns){ fminf(200, room - SAID_WIDE - 14), SAID_WIDE };
    return (struct layer_columns){ 0, fmaxf(40, room) };
}

static void draw_said(const struct pen *pen, const struct osd_view *v, struct svc_layer l, float y,
                      struct layer_columns columns)
{
    const struct sender_layer *said = &v->sender.layer[l.spatial][l.temporal];
    char text[SENDER_TEXT_MAX] = "\u2013";
    struct colour c = osd_fair;
    if (said->known && columns.bar > 0)
        sender_layer_text(&v->sender, l, text, sizeof text);
    else if (said->known)
        sender_layer_brief(&v->sender, l, text, sizeof text);
    if (said->why == SENDER_WHY_SENT)
        c = osd_good;
    if (!said->known || said->why == SENDER_WHY_OFF || said->why == SENDER_WHY_IDLE)
        c = osd_dim;
    osd_label_in(pen, columns.bar > 0 ? 240 + columns.bar + 14 : 240, y, columns.said, c, text);
}

static void draw_layer_row(const struct pen *pen, const struct osd_view *v, unsigned s, unsigned t,
                           float y, struct layer_columns columns)
{
    const struct osd_layer *l = &v->layer[s][t];
    char text[32];
    const struct text_style name = osd_style(pen, PAINT_MONO, 13, l->shown ? osd_good : osd_ink);
    snprintf(text, sizeof text, "S%u T%u", s, t);
    osd_text(pen, 36, y, &name, text);
    if (!l->subscribed)
        snprintf(text, sizeof text, "off");
    else if (!l->expected)
        snprintf(text, sizeof text, "\u2013");
    else
        snprintf(text, sizeof text, "%.0f %%", 100 * l->in_time);
    osd_figure(pen, 150, y, l->subscribed && l->expected ? osd_ink : osd_dim, text);
    snprintf(text, sizeof text, "%.1f %%", 100 * l->residency);
    osd_figure(pen, 226, y, osd_ink, text);
    if (columns.said > 0)
        draw_said(pen, v, (struct svc_layer){ (uint8_t)s, (uint8_t)t }, y, columns);
    const struct box b = osd_scaled(pen, 240, y - 10, columns.bar, 11);
    if (columns.bar > 0)
        paint_box(pen->p, b, 3 * pen->k, osd_cell);
    if (columns.bar > 0 && l->residency > 0)
        paint_box(pen->p,
                  (struct box){ b.x, b.y, fmaxf(2, b.w * (float)fmin(1, l->residency)), b.h },
                  3 * pen->k, part_colours[2]);
}

#define FIGURES_MAX 10

struct line {
    const char *name;
    struct colour c;
    char value[40];
};

static size_t figures(const struct osd_view *v, struct line *l)
{
    size_t n = 0;
    const bool heard = !isnan(v->av_skew_ms);
    l[n] = (struct line){ "Buffer", osd_ink, "" };
    snprintf(l[n++].value, sizeof l->value, "%.0f ms", v->buffer_ms);
    l[n] = (struct line){ "Decoding", osd_ink, "" };
    snprintf(l[n++].value, sizeof l->value, "%.1f ms, most %.1f", v->decode_ms, v->decode_max_ms);
    l[n] = (struct line){ "Shown", osd_ink, "" };
    snprintf(l[n++].value, sizeof l->value, "%llu", (unsigned long long)v->frames_shown);
    l[n] = (struct line){ "Left out", v->frames_skipped ? osd_fair : osd_good, "" };
    snprintf(l[n++].value, sizeof l->value, "%llu", (unsigned long long)v->frames_skipped);
    l[n] = (struct line){ "Switches", osd_ink, "" };
    snprintf(l[n++].value, sizeof l->value, "%llu", (unsigned long long)v->switches);
    l[n] = (struct line){ "Rebufferings", v->rebuffers ? osd_fair : osd_good, "" };
    snprintf(l[n++].value, sizeof l->value, "%llu", (unsigned long long)v->rebuffers);
    l[n] = (struct line){ "Sound behind", fabs(v->av_skew_ms) > 40 ? osd_bad : osd_good, "" };
    if (heard)
        snprintf(l[n++].value, sizeof l->value, "%.0f ms, most %.0f", v->av_skew_ms,
                 v->av_skew_max_ms);
    else
        snprintf(l[n++].value, sizeof l->value, "no sound");
    if (v->sender.known && v->sender.sure_bps >= 0) {
        l[n] = (struct line){ "Can be sent", osd_ink, "" };
        snprintf(l[n++].value, sizeof l->value, "%.2f Mbit/s", v->sender.sure_bps / 1e6);
    }
    if (v->sender.known && v->sender.encoder.known && v->sender.encoder.load >= 0) {
        const struct sender_encoder *e = &v->sender.encoder;
        l[n] = (struct line){ "Encoder", e->load > 1 ? osd_bad : osd_good, "" };
        snprintf(l[n++].value, sizeof l->value, "load %.0f %%, speed %d", 100 * e->load, e->speed);
    }
    return n;
}

void osd_draw_layers(const struct pen *pen, const struct osd_view *v)
{
    struct line line[FIGURES_MAX];
    const size_t n = figures(v, line), rows = (size_t)v->n_spatial * v->n_temporal;
    const float room = pen->h - 2 * OSD_EDGE - 72, wide = 290;
    const struct layer_columns columns = layer_columns(v, pen->w - 2 * OSD_EDGE - wide - 12 - 240);
    const float between = columns.bar > 0 && columns.said > 0 ? 14 : 0;
    const float more = columns.bar + between + columns.said;
    const float step = rows ? fminf(24, room / (float)rows) : 24;
    const float left = 240 + more + 16 + 12;
    osd_panel_at(pen, 20, 20, 220 + more + 16, 60 + step * (float)rows);
    title(pen, 36, "LAYERS", 150, "in time");
    title(pen, 0, "", 226, "best");
    if (columns.bar > 0)
        osd_label(pen, 240, 43, "share of pictures");
    if (columns.said > 0)
        osd_label(pen, 240 + columns.bar + between, 43, "the sender");
    size_t at = 0;
    for (unsigned s = v->n_spatial; s-- > 0;)
        for (unsigned t = v->n_temporal; t-- > 0; at++)
            draw_layer_row(pen, v, s, t, 68 + step * (float)at, columns);
    osd_panel_at(pen, left, 20, wide, 52 + 26 * (float)n);
    title(pen, left + 16, "PLAYING", left + wide - 16, "");
    for (size_t i = 0; i < n; i++) {
        const float y = 70 + 26 * (float)i;
        const struct text_style name = osd_style(pen, PAINT_SANS, 13, osd_dim);
        osd_text(pen, left + 16, y, &name, line[i].name);
        osd_figure(pen, left + wide - 16, y, line[i].c, line[i].value);
    }
}
