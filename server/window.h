/*
 * window.h - the recent past of one broadcast, for viewers who pause, seek back or join: objects as
 * they were sent, by track, in a file without a name that is written round and round. One thread
 * puts, any thread reads.
 *
 *     main loop:  window_put ─► [ oldest ... newest ] ─► window_read  :workers, for FETCH
 */
#ifndef SERVER_WINDOW_H
#define SERVER_WINDOW_H

#include <moq/moq.h>

#include "tracks.h"

#define WINDOW_BYTES_MIN (1u << 20)
#define WINDOW_FOLDER_MAX 4096
#define WINDOW_BYTES_MAX (UINT64_C(1) << 40)

struct window_config {
    const char *folder; /* where the file is; NULL: in memory */
    uint64_t span_us;   /* how far back */
    uint64_t bytes_max; /* of the file [WINDOW_BYTES_MIN, WINDOW_BYTES_MAX]; room for it is taken at
                           once. When they do not suffice for the span, it is shorter */
};

struct window_object {     /* all zero at first; window_object_fini */
    struct moq_object moq; /* payload and properties point into `bytes` */
    int64_t pts;           /* us, media time */
    uint8_t *bytes;        /* owned, grows */
    size_t cap;
};

struct window_time { /* where a group begins */
    uint64_t group;
    int64_t pts;      /* us, media time of its first object */
    uint64_t wall_ms; /* since 1970 */
};

/* The folder that a file of that name is in. */
void window_folder(const char *path, char out[WINDOW_FOLDER_MAX]);

struct window; /* counted */
/* 0, or -1 with one line in `why`: no room. */
int window_new(struct window **out, const struct window_config *cfg, char *why, size_t why_size);
struct window *window_ref(struct window *w); /* any thread; returns `w` */
void window_unref(struct window *w);         /* any thread; NULL allowed */

/* An object was made: `pts` its media time, `now_us` of any clock that does not step, `wall_ms`
 * since 1970. Objects of a track come in ascending order. 0, or -1: it could not be written
 * (errno), and is missing. */
int window_put(struct window *w, size_t track, const struct moq_object *obj, int64_t pts,
               uint64_t now_us, uint64_t wall_ms);
/* The first and last object of the track that are there; false: none. The first one begins a group.
 */
bool window_range(struct window *w, size_t track, struct moq_location *first,
                  struct moq_location *last);
/* The first object of the track at `from` or after it. 1: it is in *out. 0: there is none. -1: it
 * cannot be read, or no memory. */
int window_read(struct window *w, size_t track, struct moq_location from,
                struct window_object *out);
/* Where the last group below `group` begins; false: there is none that is whole. */
bool window_group_below(struct window *w, size_t track, uint64_t group, struct moq_location *out);
void window_object_fini(struct window_object *o);
/* Where the groups of the track begin, oldest first, the newest `cap`: how many. */
size_t window_groups(struct window *w, size_t track, struct window_time *out, size_t cap);
/* How far back it reaches now, us. */
uint64_t window_span_us(struct window *w);

#endif
