/* controls.h - window events to commands: keys by the table of keys.h, the mouse by the control
 * bar. Knows of no window, only of events and sizes. */
#ifndef CLIENT_CONTROLS_H
#define CLIENT_CONTROLS_H

#include "command.h"
#include "osd.h"

#include <SDL_events.h>

#define CONTROLS_BAR_MS 2500 /* after the mouse was last moved the bar, and the cursor, go away */
#define CONTROLS_WHEEL 5     /* percent of volume */

struct controls {
    int w, h;                /* of the surface, pixels */
    double scale_x, scale_y; /* pixels of the mouse's unit */
    struct osd_bar bar;      /* as it is drawn */
    uint64_t moved_ms;       /* 0: not yet */
    bool over;               /* the mouse rests on the bar, which stays then */
    bool dragging;           /* the volume */
};

void controls_init(struct controls *c);
void controls_know(struct controls *c, const struct osd_bar *bar);
/* Of the surface in pixels, and of the window in the mouse's units. */
void controls_size(struct controls *c, int w, int h, int window_w, int window_h);
/* 1: *out is what the event asks for; 0: nothing. */
size_t controls_take(struct controls *c, const SDL_Event *e, uint64_t now_ms, struct command *out);
bool controls_bar_out(const struct controls *c, uint64_t now_ms);

#endif
