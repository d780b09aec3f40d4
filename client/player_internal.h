/* player_internal.h - the player's state, for player.c, which plays, and player_watch.c, which
 * tells. */
#ifndef CLIENT_PLAYER_INTERNAL_H
#define CLIENT_PLAYER_INTERNAL_H

#include "player.h"

#include "frames.h"
#include "playout.h"
#include "sound.h"
#include "timing.h"

#include <ev.h>

struct waiting { /* decoded, not yet due */
    bool is;
    struct svc_picture picture;
    int64_t due;
    struct delay_stamps at;
};

struct player {
    struct player_config cfg;
    struct svc_decoder *decoder;
    const char *codec; /* it is for: one of svc_codecs */
    struct picture_window window;
    struct playout clock;
    struct receiver receiver;
    struct demand_input evidence; /* since the last demand */
    struct layers layers;
    struct meter meter;
    struct sender_view sender; /* as it was said last, over this connection */
    struct osd_view view;
    struct waiting waiting;
    uint8_t whole[SVC_TEMPORAL_MAX]; /* highest spatial layer that pictures of that kind have */
    struct timing *timing;           /* NULL: not wanted */
    struct frames *frames;           /* NULL: not wanted */
    double volume;                   /* percent */
    uint64_t switches;               /* of the best layer, spatial */
    int64_t decode_max_us;
    enum svc_matrix matrix; /* taken when the bitstream names none: by the top layer's size */
    int64_t rtt_us;         /* least of the paths; 0: not known */
    bool offered[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX]; /* layers that may be asked for */
    struct sound *sound;
    ev_timer turn, sound_timer;
    bool stopped;
    int64_t margin_us, first_shown_us;
    int64_t first_seen_us; /* of all: before its turn, so that something is seen at once */
    struct preview {       /* the picture that the clock starts with, ahead of its turn */
        int64_t at;        /* when it is decoded; 0: nothing is to be */
        bool is;           /* `picture` is held, for the turn if nothing more comes of it */
        struct svc_picture picture;
    } preview;
    struct place {         /* taken over from another player */
        bool is, catching; /* since its clock started nothing was shown in its turn */
        int64_t pts_us, at_us, began_us;
        int64_t past_us; /* the last unit came that is before what is due */
    } place;
    struct player_moment moment[PLAYER_MOMENTS]; /* a ring */
    uint64_t moments;
    uint64_t last_picture, last_decoded;
    int64_t spread_us;
    int64_t came_us; /* the last unit of the video */
    unsigned stale_run;
    uint64_t frames_shown, frames_skipped, healed, refused, demand_changes;
    int top_spatial; /* since the last measurement; -1: nothing shown */
    bool no_more, finished, muted;
    bool suspended; /* nothing is expected, nothing is taken */
    bool limited;
    struct svc_layer limit; /* wanted */
    bool asked_any;
    struct svc_layer asked; /* the highest, by the last player_demand */
    bool heal_wanted;
};

/* ---- player_watch.c ---- */

double player_since_start(const struct player *p, int64_t now);
/* A line for the log and the report's events. */
void player_note(const struct player *p, const char *what);
/* What is to be added to player_clock for us since 1970. */
int64_t player_wall_us(void);
/* The waiting picture was handed to the screen at `due` and is seen at `now`. */
void player_account_shown(struct player *p, int64_t due, int64_t now);
/* The clock starts with `unit`. */
void player_start_clock(struct player *p, const struct svc_unit *unit, int64_t now);
/* A unit has come. */
void player_see_past(struct player *p, const struct svc_unit *unit, int64_t now);
/* The past is still coming, and is decoded once all its layers are there: until when; 0: it is not.
 */
int64_t player_awaits_past(struct player *p, int64_t now);
/* While it catches up: the waiting picture was seen elsewhere, or its time is over. */
bool player_has_passed(const struct player *p, int64_t now, int64_t next_due);
/* What comes now may be late: the time line is another's, and this one is catching up with it. */
bool player_catches_up(const struct player *p, int64_t now);
/* Which of the offered layers count as asked for. */
void player_count_asked(struct player *p);

#endif
