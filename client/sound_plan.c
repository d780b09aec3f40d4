/* sound_plan.c - the sound's clock is the queue: what is queued now is heard `queued_us` later. */
#include "sound_plan.h"

struct sound_step sound_plan(const struct sound_state *s)
{
    struct sound_step step = { SOUND_WAIT, 0 };
    const int64_t ahead = s->ahead_us ? s->ahead_us : SOUND_AHEAD_US;
    if (s->queued_us >= ahead)
        return step;
    /* media time that will be due when what is queued next is heard */
    int64_t due = s->media_now_us + s->queued_us;
    if (s->has_packet && s->packet_us < s->next_us - s->frame_us / 2) {
        step.action = SOUND_DROP; /* its place is already filled */
        return step;
    }
    bool gap = !s->has_packet || s->packet_us > s->next_us + s->frame_us / 2;
    int64_t early = s->next_us - due;
    if (early > SOUND_TOLERANCE_US) {
        step.action = SOUND_SILENCE;
        step.length_us = early > ahead ? ahead : early;
        return step;
    }
    if (early < -SOUND_LATE_MAX_US && s->has_packet && !gap) {
        step.action = SOUND_DROP;
        return step;
    }
    if (!gap) {
        step.action = SOUND_PLAY;
        return step;
    }
    if (s->queued_us > ahead / 2)
        return step; /* it may still come */
    if (early >= SOUND_STRETCH_US / 2 && s->concealed_us < SOUND_CONCEAL_MAX_US) {
        step.action = SOUND_STRETCH;
        step.length_us = SOUND_STRETCH_US;
        return step;
    }
    step.action = s->concealed_us < SOUND_CONCEAL_MAX_US ? SOUND_CONCEAL : SOUND_SILENCE;
    step.length_us = s->frame_us;
    return step;
}

double sound_speed(int64_t early_us)
{
    const double off = (double)early_us, size = off < 0 ? -off : off;
    double change = size / SOUND_FINE_US * SOUND_SPEED_FINE;
    if (size > SOUND_FINE_US) /* in step again within a second or so */
        change = SOUND_SPEED_FINE + (size - SOUND_FINE_US) / 500000;
    if (change > SOUND_SPEED_MAX)
        change = SOUND_SPEED_MAX;
    return off > 0 ? 1 - change : 1 + change;
}
