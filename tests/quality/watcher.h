/*
 * watcher.h - the receiving side of a run: svc-player's session, player and report as they ship,
 * without a screen, on virtual time. Never includes the server's headers.
 */
#ifndef QUALITY_WATCHER_H
#define QUALITY_WATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
struct watcher;

struct watcher_path {
    const char *name;
    unsigned link; /* of links.h */
};

struct watcher_config {               /* all borrowed for the call */
    const char *ca;                   /* file */
    const struct watcher_path *paths; /* the first carries the handshake */
    size_t n_paths;                   /* [1, ARGS_PATHS_MAX] */
    bool decode;                      /* and not on paper */
    uint32_t width, height;           /* of the display, pixels; 0: that of the top layer */
    const char *policy;               /* file for the receiver's decisions; NULL: none */
};

/* Begins to connect. 0, or -1 with one line. */
int watcher_new(struct watcher **out, const struct watcher_config *cfg, char *why, size_t why_size);
void watcher_free(struct watcher *w);
/* The player's report as svc-player --json writes it; owned by the caller. */
struct json_t *watcher_report(const struct watcher *w);
/* When the unit of a picture came whole, by the loop's clock; 0: it did not. */
int64_t watcher_arrival(const struct watcher *w, uint64_t picture, unsigned spatial);
int64_t watcher_began(const struct watcher *w);
/* One line, "" while all is well. */
const char *watcher_failure(const struct watcher *w);

#endif
