/* schedule.c - see schedule.h. */
#include "schedule.h"

int vlink_schedule_add(struct vlink_schedule *s, const struct vlink_change *c)
{
    if (s->n == VLINK_CHANGES_MAX)
        return -1;
    size_t i = s->n++;
    for (; i > s->done && s->change[i - 1].at_ns > c->at_ns; i--)
        s->change[i] = s->change[i - 1];
    s->change[i] = *c;
    return 0;
}

vlink_time vlink_schedule_next(const struct vlink_schedule *s)
{
    return s->done < s->n ? s->change[s->done].at_ns : VLINK_NEVER;
}

const struct vlink_change *vlink_schedule_take(struct vlink_schedule *s, vlink_time elapsed_ns)
{
    if (vlink_schedule_next(s) > elapsed_ns)
        return NULL;
    return &s->change[s->done++];
}
