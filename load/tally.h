/*
 * tally.h - what the subscribers of one thread got, counted as they get it; the tallies of all
 * threads add up to the report. Pure.
 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include <moq/msf.h>

#include "args.h"
#include "course.h"
#include "histogram.h"

#define TALLY_REASONS_MAX 8
#define TALLY_REASON_MAX 160 /* bytes with NUL */

struct tally_track {
    char name[MSF_NAME_MAX];
    struct course_count count;
    uint64_t bytes;    /* payload */
    uint64_t given_up; /* objects that the server reset on their way, as far as that was told */
};

struct tally_reason {
    char text[TALLY_REASON_MAX];
    uint64_t n;
};

struct tally {
    uint64_t begun, connected, watching, left; /* ever: connections begun; handshakes complete; with
                                                  a first object; that left by our own wish */
    uint64_t failed;                           /* ended otherwise; see reasons */
    struct tally_reason
        reason[TALLY_REASONS_MAX]; /* n = 0: none; the last takes all further ones */
    /* What follows is of the time that counts. */
    size_t n_tracks;
    struct tally_track track[MSF_TRACKS_MAX];
    struct board board[MSF_TRACKS_MAX];
    bool has_origin;       /* of late */
    int64_t late_least;    /* us, of the whole run: arrival on our clock less the media's time */
    struct histogram late; /* the same, of every object with a time */
    struct histogram
        connect;            /* us from the first packet to the handshake's end, of the whole run */
    struct histogram first; /* us from the first packet to the first object of sound or picture */
    uint64_t path_bytes[ARGS_PATHS_MAX]; /* UDP payload received, of those that are there or left */
};

/* The whole is large: keep it on the heap. */
void tally_init(struct tally *t);
/* About what arrival less media's time is, us; before the first tally_late, and the same in all
 * tallies that are merged. */
void tally_set_origin(struct tally *t, int64_t us);
/* The time that counts begins: counts of objects and their lateness begin again. */
void tally_restart(struct tally *t);
/* The number of a track by its name, [0, MSF_TRACKS_MAX), or -1: too many. */
int tally_track(struct tally *t, const char *name);
void tally_object(struct tally *t, int track, struct course *course, uint64_t group,
                  uint64_t object, size_t bytes);
void tally_late(struct tally *t, int64_t us);
void tally_fail(struct tally *t, const char *reason);
void tally_merge(struct tally *into, const struct tally *from);
/* Lateness above the least of all, us, that a share of [0, 1] of the objects are within. */
int64_t tally_late_share(const struct tally *t, double share);
struct course_count tally_objects(const struct tally *t, uint64_t *bytes, uint64_t *given_up);

#endif
