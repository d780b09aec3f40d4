/* playout.c - arithmetic of the playout clock, see playout.h for the contract. */
#include "playout.h"

void playout_init(struct playout *p, int64_t latency_us, int64_t frame_us)
{
    *p = (struct playout){ .latency_us = latency_us, .frame_us = frame_us };
}

void playout_start(struct playout *p, uint64_t picture, int64_t pts, int64_t now)
{
    p->started = true;
    p->offset_us = now + p->latency_us - pts;
    p->extra_us = 0;
    p->next = picture;
    p->last_pts = pts - p->frame_us;
    p->late_run = 0;
}

int64_t playout_next_pts(const struct playout *p, const struct playout_view *v)
{
    if (v->has_next)
        return v->next_pts;
    int64_t guess = p->last_pts + p->frame_us;
    if (!v->has_later || v->later <= p->next || v->later_pts <= p->last_pts ||
        playout_jumps(p, v->later_pts))
        return guess;
    /* next - 1 and `later` are known: the missing ones lie evenly between them */
    return p->last_pts + (v->later_pts - p->last_pts) / (int64_t)(v->later - p->next + 1);
}

int64_t playout_due(const struct playout *p, int64_t pts)
{
    return pts + p->offset_us;
}

bool playout_jumps(const struct playout *p, int64_t pts)
{
    return pts <= p->last_pts - PLAYOUT_JUMP_US || pts >= p->last_pts + PLAYOUT_JUMP_US;
}

void playout_pass(struct playout *p, int64_t pts)
{
    p->next++;
    p->last_pts = pts;
}

void playout_rewind(struct playout *p, uint64_t picture, int64_t pts)
{
    if (picture >= p->next)
        return;
    p->next = picture;
    p->last_pts = pts - p->frame_us;
}

int64_t playout_shown(struct playout *p, int64_t now)
{
    int64_t gap = p->shown_any ? now - p->last_shown_us : 0;
    p->shown_any = true;
    p->last_shown_us = now;
    if (2 * gap <= PLAYOUT_STALL_INTERVALS_X2 * p->frame_us)
        return 0;
    p->stalls++;
    if (gap > p->stall_max_us)
        p->stall_max_us = gap;
    return gap;
}

int64_t playout_base_arrived(struct playout *p, int64_t pts, int64_t now)
{
    int64_t late = now - playout_due(p, pts);
    if (late <= 0) {
        p->late_run = 0;
        return 0;
    }
    if (p->late_run++ == 0)
        p->late_since_us = now;
    if (p->late_run < PLAYOUT_LATE_RUN || now - p->late_since_us < PLAYOUT_LATE_SPAN_US)
        return 0;
    int64_t shift = late + PLAYOUT_SHIFT_MARGIN_US;
    if (shift > PLAYOUT_SHIFT_MAX_US)
        shift = PLAYOUT_SHIFT_MAX_US;
    if (shift > PLAYOUT_EXTRA_MAX_US - p->extra_us)
        shift = PLAYOUT_EXTRA_MAX_US - p->extra_us;
    p->late_run = 0;
    if (shift <= 0)
        return 0;
    p->offset_us += shift;
    p->extra_us += shift;
    p->rebuffers++;
    return shift;
}

int64_t playout_media_now(const struct playout *p, int64_t now)
{
    return now - p->offset_us;
}
