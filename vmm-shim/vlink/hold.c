/* hold.c - see hold.h: a binary heap. */
#include "hold.h"

#include <stdlib.h>

#define FIRST_ROOM 16u

void vlink_hold_fini(struct vlink_hold *h)
{
    free(h->heap);
    *h = (struct vlink_hold){ 0 };
}

static bool before(const struct vlink_held *a, const struct vlink_held *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct vlink_held *a, struct vlink_held *b)
{
    struct vlink_held t = *a;
    *a = *b;
    *b = t;
}

bool vlink_hold_put(struct vlink_hold *h, vlink_time at, void *thing)
{
    if (h->n == h->room) {
        size_t room = h->room ? 2 * h->room : FIRST_ROOM;
        struct vlink_held *heap =
            h->n < VLINK_HOLD_MAX ? realloc(h->heap, room * sizeof *heap) : NULL;
        if (!heap)
            return false;
        h->heap = heap;
        h->room = room;
    }
    size_t i = h->n++;
    h->heap[i] = (struct vlink_held){ .at = at, .order = h->order++, .thing = thing };
    for (; i > 0 && before(&h->heap[i], &h->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&h->heap[i], &h->heap[(i - 1) / 2]);
    return true;
}

vlink_time vlink_hold_next(const struct vlink_hold *h)
{
    return h->n ? h->heap[0].at : VLINK_NEVER;
}

void *vlink_hold_take(struct vlink_hold *h, vlink_time now)
{
    if (h->n == 0 || h->heap[0].at > now)
        return NULL;
    void *thing = h->heap[0].thing;
    h->heap[0] = h->heap[--h->n];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++)
            if (before(&h->heap[child], &h->heap[least]))
                least = child;
        if (least == i)
            return thing;
        swap(&h->heap[i], &h->heap[least]);
        i = least;
    }
}
