/*
 * timeline.h - which group of a track was when: MSF's media timeline (draft-ietf-moq-msf, "Media
 * Timeline track"), a JSON array of [media time in ms, [group, object], wall clock in ms]. Pure.
 */
#ifndef PEER_TIMELINE_H
#define PEER_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_MAX 4096 /* entries kept; of more the newest */

struct timeline_entry {
    int64_t pts_us;
    uint64_t group;
};

struct timeline {                 /* zero is an empty one; timeline_fini */
    struct timeline_entry *entry; /* by rising time and group */
    size_t n;
};

/* 0, or -1: it is no timeline, and *t is as it was. */
int timeline_read(struct timeline *t, const char *json, size_t len);
void timeline_fini(struct timeline *t);
/* The last entry at `pts_us` or before it; the first, where all are later. t->n > 0. */
size_t timeline_at(const struct timeline *t, int64_t pts_us);
/* The entry of that group or the first after it; t->n: there is none. */
size_t timeline_of_group(const struct timeline *t, uint64_t group);

#endif
