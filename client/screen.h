/*
 * screen.h - where pictures go: an SDL2 window, or without one a surface in memory that can be
 * saved. Pictures fill it as large as their shape allows; the statistics lie over them.
 */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include "command.h"
#include "osd.h"

enum screen_kind { SCREEN_WINDOW, SCREEN_FULL, SCREEN_MEMORY };

struct screen_config {
    enum screen_kind kind;
    uint16_t width, height; /* pixels, to begin with */
    unsigned rotate;        /* the picture, degrees clockwise: 0, 90, 180, 270 */
    bool saves;             /* it will be asked for screenshots */
    const char *title;      /* borrowed for the call */
};

struct screen;

/* 0, or -1 with one line in `why`. Missing fonts cost the statistics and a warning, no more. */
int screen_new(struct screen **out, const struct screen_config *cfg, char *why, size_t why_size);
void screen_free(struct screen *s);
/* Pixels that pictures may fill; 0x0: not known. */
void screen_size(const struct screen *s, uint32_t *width, uint32_t *height);
/* What text the clipboard has, without what surrounds it. False: none, or no window. */
bool screen_clipboard(const struct screen *s, char *out, size_t cap);
/* Take a picture over; it is seen from the next screen_render on. */
int screen_show(struct screen *s, const struct svc_image *img);
/* Draw the display anew: what `view` says is wanted (NULL: nothing), and what the screen has to say
 * itself. Costs a few milliseconds. */
void screen_overlay(struct screen *s, const struct osd_view *view);
void screen_render(struct screen *s);
/*
 * Keys, mouse and window events since the last call, as commands (keys.h; the mouse works the
 * control bar, a double click is full screen, the window's cross is COMMAND_QUIT): how many of
 * `cap` [1, ...). COMMAND_FULLSCREEN is to be given to screen_set_fullscreen, the others to whom
 * they concern.
 */
size_t screen_commands(struct screen *s, struct command *out, size_t cap);
bool screen_is_fullscreen(const struct screen *s);
void screen_set_fullscreen(struct screen *s, bool on);
/* Say a line over the picture for two seconds: "path wlan0 is off", "saved as ...". Copied, cut. */
void screen_say(struct screen *s, const char *text);
/* The volume was set, [0, 130] percent: a bar shows it for two seconds. */
void screen_say_volume(struct screen *s, double percent, bool muted);
/* Something is to be drawn anew without a new picture: a line has had its two seconds, the mouse
 * moved. Then call screen_overlay and screen_render. */
bool screen_wants_drawing(struct screen *s);
/* What the shown picture's machine-readable number says, from the surface that is seen; -1: none.
 */
int screen_read_number(struct screen *s);
/* What is seen, as PNG; written while the pictures go on. 0, or -1 with one line in `why`. */
int screen_save(struct screen *s, const char *file, char *why, size_t why_size);
/* Wait until the last screenshot is written: 0, or -1 if it could not be (disk full, say). */
int screen_finish_saving(struct screen *s);

#endif
