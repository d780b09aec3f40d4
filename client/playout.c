/* playout.c - arithmetic of the playout clock, see playout.h for the contract. */
#include "playout.h"

void playout_init(struct playout *p, int64_t latency_us, int64_t frame_us)
{
    *p = (struct playout){ .latency_us = latency_us,
                           .frame_us = frame_us,
                           .extra_max_us = PLAYOUT_EXTRA_MAX_US };
}

void playout_start(struct playout *p, uint64_t picture, int64_t pts, int64_t now)
{
    p->started = true;
    p->offset_us = now + p->latency_us - pts;
    p->next = picture;
    p->last_pts = pts - p->frame_us;
    p->fresh = true;
    p->lead = (struct playout_lead){ 0 };
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
    return pts + p->offset_us + p->follow_us;
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

struct playout_arrival playout_base_arrived(struct playout *p, int64_t pts, int64_t now)
{
    struct playout_arrival in = { .now_us = now,
                                  .late_us = now - playout_due(p, pts),
                                  .fresh = p->fresh,
                                  .low = p->low,
                                  .extra_max_us = p->extra_max_us,
                                  .reserve_us = p->latency_us };
    p->fresh = false;
    return in;
}

void playout_shift(struct playout *p, int64_t shift_us)
{
    p->offset_us += shift_us;
    if (shift_us < 0 && p->led) /* the sound gets there by and by, and the pictures with it */
        p->follow_us -= shift_us;
    p->rebuffers += shift_us > 0;
}

/* ---- leaps ---- */

void playout_leap_not(struct playout *p)
{
    p->lead = (struct playout_lead){ 0 };
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whether a unit that came so early is earlier than is usual; what is not makes the usual. */
static bool is_unusual(struct playout_lead *l, int64_t early, int64_t least, int64_t now)
{
    if (!l->watching)
        *l = (struct playout_lead){
            .watching = true, .best_us = early, .window_began_us = now, .began_us = now
        };
    const bool learning = now - l->began_us < PLAYOUT_LEAP_LEARN_US;
    if (!l->leapt && learning) {
        l->usual_us = l->best_us = greater(l->best_us, early);
        return false;
    }
    const int64_t most = l->leapt && learning ? PLAYOUT_LEAP_AGAIN_US : PLAYOUT_LEAP_US;
    if (early > greater(l->usual_us, least) + most)
        return true;
    l->best_us = greater(l->best_us, early);
    if (now - l->window_began_us < PLAYOUT_LEAP_WINDOW_US)
        return false;
    l->usual_us = l->best_us;
    l->best_us = early;
    l->window_began_us = now;
    return false;
}

bool playout_leap(struct playout *p, int64_t pts, int64_t now, int64_t extra_us)
{
    struct playout_lead *l = &p->lead;
    const int64_t early = playout_due(p, pts) - now;

    if (!is_unusual(l, early, p->latency_us + greater(extra_us, 0), now)) {
        l->early = false;
        return false;
    }
    if (!l->early) {
        l->early = true;
        l->early_since_us = now;
    }
    if (now - l->early_since_us < PLAYOUT_LEAP_SPAN_US)
        return false;
    p->offset_us = now + p->latency_us - pts;
    p->follow_us = 0;
    p->led = false;
    p->fresh = true;
    *l = (struct playout_lead){ .watching = true,
                                .leapt = true,
                                .usual_us = p->latency_us,
                                .best_us = p->latency_us,
                                .window_began_us = now,
                                .began_us = now };
    return true;
}

/* ---- the delay policy ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t late(struct playout_delay *d, const struct playout_arrival *in)
{
    d->watching = false;
    if (d->late_run++ == 0)
        d->late_since_us = in->now_us;
    if (d->late_run < PLAYOUT_LATE_RUN || in->now_us - d->late_since_us < PLAYOUT_LATE_SPAN_US)
        return 0;
    d->late_run = 0;
    int64_t shift = least(in->late_us + PLAYOUT_SHIFT_MARGIN_US, PLAYOUT_SHIFT_MAX_US);
    shift = least(shift, in->extra_max_us - d->extra_us);
    if (shift <= 0)
        return 0;
    d->rebuffers++;
    return shift;
}

static int64_t in_time(struct playout_delay *d, const struct playout_arrival *in)
{
    uint32_t doublings = d->rebuffers > 1 ? d->rebuffers - 1 : 0;
    int64_t proof = PLAYOUT_PROOF_US << least(doublings, PLAYOUT_PROOF_DOUBLINGS);
    d->late_run = 0;
    if (!d->watching || -in->late_us < PLAYOUT_SPARE_US + PLAYOUT_GIVE_BACK_US) {
        d->watching = true;
        d->early_since_us = in->now_us;
    }
    if (d->extra_us <= 0 || in->now_us - d->early_since_us < proof)
        return 0;
    d->early_since_us = in->now_us - proof + PLAYOUT_GIVE_BACK_EVERY_US;
    return -least(d->extra_us, PLAYOUT_GIVE_BACK_US);
}

/* As short as the last window would have borne. */
static int64_t low(struct playout_delay *d, const struct playout_arrival *in)
{
    const int64_t room = -in->late_us - in->reserve_us;
    int64_t shift = 0;
    if (!d->watching) {
        d->watching = true;
        d->window_began_us = in->now_us;
        d->least_us = room;
        d->latest_us = in->late_us;
        d->earliest_us = -in->late_us;
        d->late_run = 0;
    }
    d->least_us = least(d->least_us, room);
    d->latest_us = -least(-d->latest_us, -in->late_us);
    d->earliest_us = -least(-d->earliest_us, in->late_us);
    if (in->late_us > 0 && d->late_run++ == 0)
        d->late_since_us = in->now_us;
    if (d->late_run >= PLAYOUT_LOW_LATE && in->late_us > 0 &&
        in->now_us - d->late_since_us >= PLAYOUT_LOW_SPAN_US) {
        shift = least(d->latest_us + PLAYOUT_LOW_MARGIN_US, PLAYOUT_SHIFT_MAX_US);
        /* what the earliest then waits is bounded, and not what clocks may have drifted in hours */
        shift = least(shift, in->reserve_us + in->extra_max_us - d->earliest_us);
        shift = shift > 0 ? shift : 0;
        d->rebuffers += shift > 0;
    } else if (in->now_us - d->window_began_us < PLAYOUT_LOW_WINDOW_US) {
        return 0;
    } else if (d->late_run == 0 && d->least_us > PLAYOUT_LOW_MARGIN_US / 2) {
        shift = -d->least_us;
    }
    d->watching = false; /* a new window */
    return shift;
}

/* What the clocks have drifted apart, as far as it is to be made up for now. */
static int64_t drift(struct playout_delay *d, const struct playout_arrival *in)
{
    const int64_t early = -in->late_us;
    int64_t shift = 0;
    if (!d->drift_any || early > d->drift_best_us)
        d->drift_best_us = early;
    if (!d->drift_any)
        d->drift_began_us = in->now_us;
    d->drift_any = true;
    if (in->now_us - d->drift_began_us < PLAYOUT_DRIFT_WINDOW_US)
        return 0;
    const int64_t step = d->drift_best_us - d->drift_last_us;
    if (!d->drift_known || step > PLAYOUT_DRIFT_STEADY_US || step < -PLAYOUT_DRIFT_STEADY_US)
        d->drift_first_us += step; /* no clock runs so wrong: the way is another */
    const int64_t off = d->drift_best_us - d->drift_first_us;
    d->drift_last_us = d->drift_best_us;
    if (off > PLAYOUT_DRIFT_MIN_US)
        shift = -least(off, PLAYOUT_DRIFT_STEP_US);
    else if (off < -PLAYOUT_DRIFT_MIN_US)
        shift = least(-off, PLAYOUT_DRIFT_STEP_US);
    d->drift_known = true;
    d->drift_any = false;
    d->drift_last_us += shift;
    return shift;
}

void playout_delay_decide(struct playout_delay *d, const struct playout_arrival *in,
                          struct playout_change *out)
{
    if (in->fresh)
        *d = (struct playout_delay){ .rebuffers = d->rebuffers };
    out->shift_us = in->low ? low(d, in) : in->late_us > 0 ? late(d, in) : in_time(d, in);
    d->extra_us += out->shift_us;
    if (in->low)
        return;
    if (out->shift_us) { /* the fastest units have so much more time now */
        d->drift_first_us += out->shift_us;
        d->drift_best_us += out->shift_us;
        d->drift_last_us += out->shift_us;
    }
    out->shift_us += drift(d, in);
}

int64_t playout_media_now(const struct playout *p, int64_t now)
{
    return now - p->offset_us;
}

void playout_follow(struct playout *p, int64_t heard_us, int64_t now)
{
    const int64_t behind = playout_media_now(p, now) - heard_us;
    const bool near = behind < PLAYOUT_FOLLOW_MAX_US && behind > -PLAYOUT_FOLLOW_MAX_US;
    p->led = near;
    p->follow_us += ((near ? behind : 0) - p->follow_us) / PLAYOUT_FOLLOW_PARTS;
}

void playout_follow_none(struct playout *p)
{
    p->led = false;
    p->follow_us -= p->follow_us / PLAYOUT_FOLLOW_PARTS;
}
