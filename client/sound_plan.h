/* sound_plan.h - what to do next with the sound, so that it keeps step with the pictures. Pure. */
#ifndef CLIENT_SOUND_PLAN_H
#define CLIENT_SOUND_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define SOUND_AHEAD_US 80000     /* sound decoded and queued ahead of being heard ... */
#define SOUND_AHEAD_LOW_US 36000 /* ... with low latency */
#define SOUND_TOLERANCE_US 40000 /* sound may be early by this before silence goes in */
#define SOUND_LATE_MAX_US 150000 /* and late by this, which speed makes up for */
#define SOUND_SPEED_MAX 0.05     /* more or less than 1: hardly heard; and 0.005 are not */
#define SOUND_SPEED_FINE 0.005
#define SOUND_FINE_US 20000         /* off its place by less it moves by the fine speed at most */
#define SOUND_STRETCH_US 10000      /* at a time; a multiple of Opus's 2.5 ms */
#define SOUND_CONCEAL_MAX_US 100000 /* longer gaps are silence */

struct sound_state {
    int64_t media_now_us; /* media time that is due now */
    int64_t queued_us;    /* sound queued and not yet heard */
    int64_t next_us;      /* media time of the sound that follows the queued */
    bool has_packet;      /* a packet waits */
    int64_t packet_us;    /* its media time */
    int64_t frame_us;     /* length of a packet */
    int64_t concealed_us; /* concealed without a break so far */
    int64_t ahead_us;     /* that is to be queued; 0: SOUND_AHEAD_US */
};

enum sound_action {
    SOUND_WAIT,    /* enough is queued */
    SOUND_PLAY,    /* decode the packet */
    SOUND_CONCEAL, /* stand in for a missing one: frame_us of it */
    SOUND_STRETCH, /* the same, `length_us` of it, but it waits: the sound was early anyway */
    SOUND_SILENCE, /* queue `length_us` of silence: the sound is early */
    SOUND_DROP,    /* throw the packet away: the sound is late */
};

struct sound_step {
    enum sound_action action;
    int64_t length_us;
};

struct sound_step sound_plan(const struct sound_state *s);
/* How fast to play what is heard `early_us` before its time (negative: behind it): 1 - 0.05 to
 * 1 + 0.05. */
double sound_speed(int64_t early_us);

#endif
