/*
 * shift.h - playing a broadcast's past: FETCHes of its tracks from the server's window, a stretch
 * from one key picture to the next at a time, given out at the pace of the playhead. Near the end
 * the live tracks take over at their next key picture; up to there the rest of the last group is
 * fetched as it grows, and what is missing before that picture when it has come.
 *
 *     seek --timeline--> stretch --near its end--> next stretch ... --the newest--> tail --live
 * key--> over
 */
#ifndef PEER_SHIFT_H
#define PEER_SHIFT_H

#include "timeline.h"

#include <moq/moq.h>
#include <moq/msf.h>

#include <stdbool.h>

#define SHIFT_AHEAD_US 4000000 /* given out so long before its time */
#define SHIFT_HELD_BYTES_MAX                                                              \
    (64u << 20)                   /* of what waits for that; then it is given out earlier \
                                   */
#define SHIFT_TAIL_US 400000      /* the newest group is asked for again after so long */
#define SHIFT_NEAR_US 1000000     /* of what is there not more is left to show: ... */
#define SHIFT_TAIL_NEAR_US 100000 /* ... so soon */
#define SHIFT_TRACKS_MAX MSF_TRACKS_MAX

struct shift_track {
    char name[MSF_NAME_MAX];
    bool sound; /* else a layer */
    bool base;  /* the layer that all others lean on */
    uint8_t priority;
};

struct shift_handler { /* all required */
    /* In the order of each track; borrowed. */
    void (*on_object)(void *user, size_t track, const struct moq_object *obj);
    /* The live tracks are to be sent from now on; later, they have taken over. */
    void (*on_tail)(void *user);
    void (*on_over)(void *user);
    /* It does not go on; nothing comes any more. */
    void (*on_failed)(void *user, const char *why);
    /* Media time of an object, us; negative: it has none. */
    int64_t (*pts_of)(void *user, size_t track, const struct moq_object *obj);
};

/* The catalog's timeline of a track of that role; NULL: none. Borrowed. */
const char *shift_timeline_of(const struct msf_catalog *c, const char *role);
struct shift;
int shift_new(struct shift **out, struct moq_session *moq, const char *ns,
              const struct shift_handler *handler, void *user);
void shift_free(struct shift *s); /* together with its moq session */
/* Names of the timelines' tracks, the second NULL for a broadcast without sound; copied. These and
 * the tracks are set before the first seek, and again only while it is idle. */
void shift_set_timelines(struct shift *s, const char *timeline, const char *timeline_sound);
/* Which there are; copied. */
void shift_set_tracks(struct shift *s, const struct shift_track *track, size_t n);

/* Play from about there; what was going on is dropped. 0, or negative (enum moq_error). */
int shift_seek(struct shift *s, int64_t pts_us);
void shift_stop(struct shift *s);          /* nothing is given out any more */
bool shift_is_idle(const struct shift *s); /* nothing is being given out */
/* Ask how far back it goes, now and then: shift_window knows afterwards. */
void shift_look(struct shift *s);
/* Oldest and newest key picture that are kept; false: not known. */
bool shift_window(const struct shift *s, int64_t *from_us, int64_t *to_us);

/* Often: `position_us` is the media time that is shown, `now` any monotonic clock, us. */
void shift_tick(struct shift *s, int64_t position_us, uint64_t now);
/* The live base track has begun that group: on_over; what of the groups before it is still on its
 * way, or was not asked for yet, is given out all the same. */
void shift_live_key(struct shift *s, uint64_t group);
/* Of the moq session's handler. */
void shift_on_object(struct shift *s, struct moq_fetch *f, const struct moq_object *obj);
void shift_on_done(struct shift *s, struct moq_fetch *f);
void shift_on_refused(struct shift *s, struct moq_fetch *f, uint64_t code, const char *reason);

#endif
