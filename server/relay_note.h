/*
 * relay_note.h - what the two halves of the relay tell each other, as the load of a LETTER_RELAY:
 * the main loop's (relay.h), which knows who publishes what, and each worker's (relay_side.h),
 * whose sessions publish and subscribe.
 *
 *   publisher's worker            main loop                    subscriber's worker
 *     ANNOUNCE, OFFER  ───►  who publishes what
 *     ◄─── ANSWER                                 ◄───  WANT
 *     ◄─── PULL          first subscriber of a track
 *     ON ───►                                     ───►  SHOWN
 *     MEDIA, END ───►                             ───►  MEDIA, END
 *     ◄─── DROP          the last one has left    ◄───  LEFT
 *     OFF, WITHDRAW ───►                          ───►  OVER, REFUSED
 */
#ifndef SERVER_RELAY_NOTE_H
#define SERVER_RELAY_NOTE_H

#include "media.h"

#define RELAY_REASON_MAX 128
#define RELAY_ACCEPTED UINT64_MAX /* code of RELAY_ANSWER */
#define RELAY_CACHE_MAX                                                                           \
    (1u << 20)                      /* bytes of the newest group that are kept for who comes late \
                                     */
#define RELAY_CACHE_OBJECTS_MAX 512 /* and objects */
#define RELAY_ANEW_APART_US \
    1000000 /* between requests for a new group of a track, from a worker and to its publisher */

enum relay_note_kind {
    /* to the main loop */
    RELAY_ANNOUNCE, /* session publishes the namespace `name`: number is its for ANSWER */
    RELAY_OFFER,    /* session publishes the track `name`, likewise; has_largest, properties */
    RELAY_WITHDRAW, /* session does not publish the namespace `name` any more */
    RELAY_GONE,     /* session is over: all that it published is */
    RELAY_WANT,     /* `name` is subscribed to there; wait_ms: so long it may wait */
    RELAY_LEFT,     /* track id: nobody there any more */
    RELAY_ANEW,     /* track id: somebody there lacks what follows leans on. Also to a worker, with
                       session and number: a group of that number or a later one is wanted */
    RELAY_ON,       /* track id is subscribed to: has_largest, properties */
    RELAY_OFF,      /* track id was refused, or is over: code, reason */
    /* to a worker */
    RELAY_ANSWER,  /* session, number: accepted (RELAY_ACCEPTED; id, if it is a track), or code */
    RELAY_PULL,    /* session: subscribe to `name`, which is track id */
    RELAY_FORWARD, /* track id, which was offered: forward */
    RELAY_DROP,    /* track id: cancel */
    RELAY_SHOWN,   /* `name` is track id: has_largest, properties; its newest group follows as MEDIA
                    */
    RELAY_REFUSED, /* `name`: code, reason */
    RELAY_OURS,    /* `name` was wanted and is a broadcast of our own: ask there */
    RELAY_OVER,    /* track id: code (enum moq_done_status), reason */
    RELAY_LISTED,  /* forward: the namespace `name` is there, or no longer; ours: of our own */
    /* both ways */
    RELAY_MEDIA, /* track id: media; forward: its subgroup has ended in order behind it */
    RELAY_END,   /* track id: the subgroup of location (group, subgroup) ends; forward: whole */
};

struct relay_note {
    enum relay_note_kind kind;
    uint64_t session, number, id;
    uint64_t code, wait_ms;
    bool has_largest, forward, ours;
    struct moq_location largest; /* RELAY_END: group and subgroup */
    struct media *media;         /* a reference; NULL: none */
    uint8_t *name;               /* owned; moq_name_pack(); NULL: none */
    size_t name_len;
    uint8_t *properties; /* owned; of the track; NULL: none */
    size_t properties_len;
    char reason[RELAY_REASON_MAX];
};

/* A name or other bytes that are kept; all zero: none. */
struct relay_kept {
    uint8_t *bytes; /* owned; free() */
    size_t len;
};
int relay_keep(struct relay_kept *k, const uint8_t *bytes, size_t len); /* 0, or -1: no memory */
int relay_keep_name(struct relay_kept *k, const struct moq_name *name); /* likewise */
bool relay_kept_is(const struct relay_kept *k, const uint8_t *bytes, size_t len);
void relay_name_of(const struct relay_kept *k, struct moq_name *out); /* borrows from `k` */

/* All else zero; `name` and `properties` may be NULL, and are copied. NULL: no memory. */
struct relay_note *relay_note_new(enum relay_note_kind kind, const struct moq_name *name,
                                  const struct moq_bytes *properties);
void relay_note_free(struct relay_note *n); /* NULL allowed */

#endif
