/*
 * letter.h - what main loop and workers tell each other, and the box it lies in until the other
 * thread comes. Letters of one box are read in the order they were put in.
 *
 *     main loop -> worker   the answer to WANTED, then what is broadcast and how it changes;
 *                           what sessions are to do
 *     worker -> main loop   which broadcasts are wanted and left, what viewers lack, how the best
 *                           of them fares, who has gone
 */
#ifndef SERVER_LETTER_H
#define SERVER_LETTER_H

#include <pthread.h>
#include <stdbool.h>

#include "media.h"
#include "relay_note.h"
#include "snapshot.h"
#include "supplier.h"
#include "view.h"

#define LETTER_REASON_MAX 128

enum letter_kind {
    /* to a worker */
    LETTER_SHOWN,   /* ns is on: view, largest; media follow */
    LETTER_REFUSED, /* ns is not: code, reason */
    LETTER_MEDIA,   /* media */
    LETTER_NEEDS,   /* id: needed_bps of its tracks have changed */
    LETTER_LIVE,    /* id: live: how its encoder fares, about each second */
    LETTER_OVER,    /* id: code (enum moq_done_status), reason; no media follow */
    LETTER_ASKED,   /* id: what do those hold who have `spatial`? Answered by LETTER_HELD */
    LETTER_CENSUS,  /* census */
    LETTER_STOP,    /* session id: close it, with reason */
    LETTER_DONE,    /* all tracks of all sessions end, no session is taken any more */
    LETTER_LEAVE,   /* no session is taken any more; those that are there are told to leave within
                       `code` ms */
    LETTER_CLOSE,   /* all sessions are closed, with reason */
    LETTER_RELAY,   /* note (owned): both ways, see relay_note.h */
    /* to the main loop, each with the worker's number */
    LETTER_WANTED,  /* somebody asks for ns: LETTER_SHOWN or LETTER_REFUSED follows, now or later */
    LETTER_LEFT,    /* id: nobody there follows it any more */
    LETTER_WATCHED, /* id: somebody has come to track number `track`: not the catalog */
    LETTER_ANEW,    /* id: somebody there begins track number `track` anew */
    LETTER_CROWD,   /* id: `count` sessions watch it */
    LETTER_MISSED,  /* id: a viewer lacks what follows leans on, in `spatial`; held, if has_held,
                       is what all there hold who have that layer */
    LETTER_HELD,    /* id: answer to LETTER_ASKED, whose spatial is in `code`; spatial is
                       SVC_SPATIAL_MAX where nobody there has the layer */
    LETTER_BEST,    /* id: best, the best viewer there (best.takes 0: none), and wanted */
    LETTER_ENDED,   /* session (owned) and reason */
    LETTER_STATE,   /* count sessions are there; busy: some have something left to send */
};

struct census;

struct letter {
    struct letter *next;
    enum letter_kind kind;
    unsigned worker;
    uint64_t id; /* of a broadcast's run (view.id), or of a session */
    union {
        struct media *media;   /* a reference */
        struct census *census; /* a reference */
        struct relay_note *note;
        struct {
            struct view *view; /* a reference */
            struct moq_location largest[TRACKS_MAX];
            bool has_largest[TRACKS_MAX];
            uint64_t needed_bps[TRACKS_MAX]; /* LETTER_NEEDS too */
        };
        struct {
            uint8_t spatial, track;
            bool has_held;
            struct svc_tracker held;
        };
        struct {
            struct supplier_viewer best;
            uint8_t wanted; /* so many lowest spatial layers are taken by somebody there */
        };
        struct {
            size_t count;
            bool busy;
        };
        struct snapshot_session *session;
        struct live_stats live;
    };
    uint64_t code;
    char ns[VIEW_NS_MAX];
    char reason[LETTER_REASON_MAX];
};

/* All zero but its kind. NULL: no memory. */
struct letter *letter_new(enum letter_kind kind);
void letter_free(struct letter *l); /* and what it owns; NULL allowed */

struct letter_box {
    pthread_mutex_t lock;
    struct letter *first, **last;
    size_t n;
};

void letter_box_init(struct letter_box *b);
void letter_box_fini(struct letter_box *b); /* frees what is in it */
/* Takes `l`. True: the box was empty, so its reader has to be called. */
bool letter_box_put(struct letter_box *b, struct letter *l);
struct letter *letter_box_take(struct letter_box *b); /* all that is in it, linked by `next` */
size_t letter_box_count(struct letter_box *b);

#endif
