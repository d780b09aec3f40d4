/*
 * sound.h - Opus packets to the loudspeaker, in step with the playout clock: a little faster or
 * slower where it is off its place, so that nothing is left out or put in. Without a device the
 * same is done against the clock, so that a machine's report tells of the sound as well.
 */
#ifndef CLIENT_SOUND_H
#define CLIENT_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUND_PACKETS_MAX 512 /* that wait; 10 s of 20 ms */
#define SOUND_PACKET_BYTES_MAX 1500
#define SOUND_NEEDS_US                                                        \
    20000 /* low latency: from a packet's coming to its being heard, at least \
           */

struct sound_config {
    uint32_t rate;    /* Hz: 8000, 12000, 16000, 24000 or 48000 */
    uint8_t channels; /* 1 or 2 */
    bool device;      /* false: decode, but play to nobody */
    bool muted;
    bool low;         /* low latency: less is queued */
    int64_t extra_us; /* what the loudspeaker takes beyond the card */
};

struct sound_counts {
    uint64_t packets, lost, refused, stretched;
};

struct sound;
/* 0, or -1 with one line in `why`; a missing sound device is no failure but one warning. */
int sound_new(struct sound **out, const struct sound_config *cfg, char *why, size_t why_size);
void sound_free(struct sound *s);
/* A packet came; copied. Too many, too large and doubles are dropped. */
void sound_put(struct sound *s, const uint8_t *opus, size_t len, int64_t pts);
/* What waits is of another place: dropped, and not missed. */
void sound_clear(struct sound *s);
/* Decode and queue what is due; call about every 10 ms. `media_now`: of the playout clock. */
void sound_run(struct sound *s, int64_t media_now, int64_t now);
/* The media time that is heard at `now`, by the sound card's clock. False: none is, or it is not
 * known, as after a gap. */
bool sound_heard(struct sound *s, int64_t now, int64_t *media_us);
void sound_set_volume(struct sound *s, double percent); /* [0, 130] */
void sound_set_muted(struct sound *s, bool muted);
struct sound_counts sound_get_counts(const struct sound *s);

#endif
