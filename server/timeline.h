/*
 * timeline.h - which group of a track was when: MSF's media timeline (draft-ietf-moq-msf, "Media
 * Timeline track"), a JSON array of [media time in ms, [group, object], wall clock in ms since
 * 1970], made from a window.
 */
#ifndef SERVER_TIMELINE_H
#define SERVER_TIMELINE_H

#include "window.h"

#define TIMELINE_ENTRIES_MAX 2048 /* of more groups only every second one is told, or third ... */
#define TIMELINE_APART_US 1000000 /* groups that are nearer to the last one told are left out */

/* Of the window's track `of`, oldest first, with a NUL; `*len` without. The caller frees it. NULL:
 * no memory. */
char *timeline_make(struct window *w, size_t of, size_t *len);

#endif
