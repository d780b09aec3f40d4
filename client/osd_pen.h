/* osd_pen.h - what the pages of the on-screen display share: measures, colours, lettering. */
#ifndef CLIENT_OSD_PEN_H
#define CLIENT_OSD_PEN_H

#include "osd.h"

#define OSD_SCALE_MIN                                                                        \
    0.9f               /* smaller letters are not legible: a small window shows less instead \
                        */
#define OSD_EDGE 20.0f /* free around the display */

/* Where a page is drawn; lengths are in units that are pixels at 1280 x 720. */
struct pen {
    struct paint *p;
    float k;    /* pixels of a unit */
    float w, h; /* of the whole, units */
};

extern const struct colour osd_ink, osd_dim, osd_faint, osd_panel, osd_edge, osd_cell, osd_good,
    osd_fair, osd_bad;

struct pen osd_pen(struct paint *p);
struct box osd_scaled(const struct pen *pen, float x, float y, float w, float h);
struct text_style osd_style(const struct pen *pen, enum paint_face face, float size,
                            struct colour c);
/* `y` is the base line. Result: the width, units. */
float osd_text(const struct pen *pen, float x, float y, const struct text_style *s,
               const char *text);
void osd_label(const struct pen *pen, float x, float y, const char *text);
/* The same, shortened to `room` units where it is longer. */
void osd_label_in(const struct pen *pen, float x, float y, float room, struct colour c,
                  const char *text);
void osd_figure(const struct pen *pen, float right, float y, struct colour c, const char *text);
void osd_panel_at(const struct pen *pen, float x, float y, float w, float h);
struct colour osd_path_colour(size_t i);
struct colour osd_state_colour(const struct osd_path *path);
const char *osd_state_word(const struct osd_path *path);
/* 1, 2 or 5 times a power of ten, not below `most`, and not below `least`. */
float osd_ceiling(float most, float least);
/* `value` [OSD_HISTORY] over 0 to `ceiling`. */
void osd_plot(const struct pen *pen, const float *value, struct box b, float ceiling,
              struct colour c);

/* The pages, from 2 on; osd.c has the first. */
void osd_draw_delay(const struct pen *pen, const struct osd_view *v);
void osd_draw_paths(const struct pen *pen, const struct osd_view *v);
void osd_draw_layers(const struct pen *pen, const struct osd_view *v);
/* What lies over a page: osd_face.c. */
void osd_draw_status(const struct pen *pen, const struct osd_status *s);
void osd_draw_help(const struct pen *pen);
void osd_draw_bar(const struct pen *pen, const struct osd_view *v);
void osd_draw_volume(const struct pen *pen, double percent, bool muted);
void osd_draw_say(const struct pen *pen, const char *text);

#endif
