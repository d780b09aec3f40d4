/*
 * sound_out.h - the way from samples to the ear: a queue that the sound card empties, or without
 * one the clock in its place. It knows when a sample that is queued now will be heard.
 *
 *     sound_out_write --> queue --every `period`--> buffer of the card --> heard
 */
#ifndef CLIENT_SOUND_OUT_H
#define CLIENT_SOUND_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUND_OUT_QUEUE_US 1000000 /* at most queued */

struct sound_out_config {
    uint32_t rate;    /* Hz */
    uint8_t channels; /* 1 or 2 */
    bool device;      /* false, or none to be had: the clock plays */
    bool quick;       /* small buffers, for low latency */
    int64_t extra_us; /* what the loudspeaker takes beyond the card */
};

struct sound_out;
struct sound_out *sound_out_new(const struct sound_out_config *cfg); /* NULL: no memory */
void sound_out_free(struct sound_out *o);
/* `frames` samples of each channel, interleaved; what does not fit is dropped. */
void sound_out_write(struct sound_out *o, const int16_t *samples, size_t frames, int64_t now_us);
/* How long from now until a sample would be heard that is written now, us. What is in the card is
 * two of its buffers, as SDL has it: one that plays and one that waits. */
int64_t sound_out_delay(struct sound_out *o, int64_t now_us);
void sound_out_clear(struct sound_out *o);

#endif
