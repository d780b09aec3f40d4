/* schedule.h - timed changes in the order they fall due. Pure. */
#ifndef VLINK_SCHEDULE_H
#define VLINK_SCHEDULE_H

#include "spec.h"

struct vlink_schedule {                            /* zero is an empty one */
    struct vlink_change change[VLINK_CHANGES_MAX]; /* by time, then by order of adding */
    size_t n, done;
};

/* 0, or -1: VLINK_CHANGES_MAX reached. */
int vlink_schedule_add(struct vlink_schedule *s, const struct vlink_change *c);
/* When the next change falls due, ns after the schedule's zero; VLINK_NEVER: none left. */
vlink_time vlink_schedule_next(const struct vlink_schedule *s);
/* The next change that was due until `elapsed_ns`, each once; NULL: none. */
const struct vlink_change *vlink_schedule_take(struct vlink_schedule *s, vlink_time elapsed_ns);

#endif
