/*
 * course.h - what one subscriber got of one track, held against what was there to get: objects may
 * overtake each other within a window of groups; when a group has left it, what did not come of it
 * is missing. How many objects a group has is known from all subscribers together. Pure.
 */
#ifndef LOAD_COURSE_H
#define LOAD_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#define COURSE_GROUPS 8 /* that a subscriber may still get objects of */
#define BOARD_GROUPS 64 /* whose length is remembered */

struct board { /* of one track, of all subscribers of a thread; all zero at first */
    struct {
        uint64_t group;
        uint32_t n; /* objects, as far as anyone saw */
    } seen[BOARD_GROUPS];
};

void board_note(struct board *b, uint64_t group, uint64_t object);

struct course { /* all zero at first */
    bool begun;
    uint64_t newest; /* group */
    struct course_group {
        uint64_t group;
        uint32_t got;
        uint32_t from; /* the first object that was there to get */
        bool open;
    } at[COURSE_GROUPS];
};

struct course_count {
    uint64_t objects;
    uint64_t missing; /* of groups that are over */
    uint64_t stale;   /* came when their group was over already, and counted as missing */
};

/* An object came; the board knows of it. Adds to `count`. */
void course_object(struct course *c, const struct board *b, uint64_t group, uint64_t object,
                   struct course_count *count);

#endif
