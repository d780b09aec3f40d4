/*
 * view.h - one run of a broadcast as viewers know it: constant from its making, counted, read by
 * all threads. What changes while it runs comes to them by letters (letter.h).
 */
#ifndef SERVER_VIEW_H
#define SERVER_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <moq/moq.h>

#include "tracks.h"

struct window;

#define VIEW_NS_MAX 256 /* bytes of a namespace as text, with its NUL */

struct view {
    atomic_uint refs;
    uint64_t id; /* of the run: unique for the life of the process, not 0 */
    char ns[VIEW_NS_MAX];
    struct tracks tracks;
    uint64_t latency_us;
    bool coded;            /* an encoder answers to what viewers lack */
    struct window *window; /* the past, a reference; NULL: none is kept */
    uint64_t catalog_group;
    size_t catalog_len;
    char catalog[]; /* JSON */
};

/* With one reference, and one to the window; everything else is copied. `ns` is shorter than
 * VIEW_NS_MAX. NULL: no memory. */
struct view *view_new(const struct view *head, const char *catalog, size_t catalog_len);
struct view *view_ref(struct view *v); /* any thread; returns `v` */
void view_unref(struct view *v);       /* any thread; NULL allowed */

#endif
