/* sound_plan.c - the sound's clock is the queue: what is queued now is heard `queued_us` later. */
#include "sound_plan.h"

struct sound_step sound_plan(const struct sound_state *s)
{
    struct sound_step step = { SOUND_WAIT, 0 };
    if (s->queued_us >= SOUND_AHEAD_US)
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
        step.length_us = early > SOUND_AHEAD_US ? SOUND_AHEAD_US : early;
        return step;
    }
    if (early < -SOUND_TOLERANCE_US && s->has_packet && !gap) {
        step.action = SOUND_DROP;
        return step;
    }
    if (!gap) {
        step.action = SOUND_PLAY;
        return step;
    }
    if (s->queued_us > SOUND_AHEAD_US / 2)
        return step; /* it may still come */
    step.action = s->concealed_us < SOUND_CONCEAL_MAX_US ? SOUND_CONCEAL : SOUND_SILENCE;
    step.length_us = s->frame_us;
    return step;
}
