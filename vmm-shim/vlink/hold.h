/* hold.h - things that wait for their time, earliest first, equal ones in order. Pure, bounded. */
#ifndef VLINK_HOLD_H
#define VLINK_HOLD_H

#include "dir.h"

#define VLINK_HOLD_MAX 4096u

struct vlink_hold { /* zero is an empty one */
    struct vlink_held {
        vlink_time at;
        uint64_t order;
        void *thing;
    } * heap;
    size_t n, room;
    uint64_t order;
};

void vlink_hold_fini(struct vlink_hold *h); /* things inside are forgotten */
/* False: VLINK_HOLD_MAX or memory. */
bool vlink_hold_put(struct vlink_hold *h, vlink_time at, void *thing);
vlink_time vlink_hold_next(const struct vlink_hold *h);      /* VLINK_NEVER: empty */
void *vlink_hold_take(struct vlink_hold *h, vlink_time now); /* NULL: none is due */

#endif
