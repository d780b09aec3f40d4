/*
 * capture.h - what comes in its own time, as a live feed wants it: cameras, screens, microphones,
 * streams of the network, pipelines of GStreamer.
 *
 *     reader thread:  open ─► read ─► capture_clock: when to play ─► pictures and sound that wait
 *     encoder's thread:  capture_await ─► capture_picture, capture_sound
 *
 * A source that is lost is opened again for ever, with growing waits; meanwhile there is a still
 * picture and silence, so that viewers stay. Pictures keep their shape, with black beside them,
 * where their size is not the one that is encoded; so a source may come back with another size.
 */
#ifndef SERVER_CAPTURE_H
#define SERVER_CAPTURE_H

#include <stdbool.h>
#include <svc/svc.h>

#define CAPTURE_WIDTH 1280 /* of what is not known before it comes, unless said */
#define CAPTURE_HEIGHT 720
#define CAPTURE_FPS 30
#define CAPTURE_PICTURES_MAX 8        /* that wait for their time; the oldest of more is left out */
#define CAPTURE_SOUND_MAX 48000       /* frames that wait */
#define CAPTURE_MARGIN_US 40000       /* jitter held back of a network's streams; devices: none */
#define CAPTURE_RETRY_MIN_US 500000   /* before a lost source is opened again, */
#define CAPTURE_RETRY_MAX_US 10000000 /* doubled each time up to this */
#define CAPTURE_LOST_US 2000000       /* without a picture for so long: the still one is shown */

struct capture_config {
    const char *input; /* as <source.h> says, or "gst:PIPELINE" whose end gives raw video */
    const char *sound; /* a device, or "gst:PIPELINE" that gives raw sound; NULL: the input's own */
    uint16_t width, height;    /* even; 0: a device's own, else CAPTURE_WIDTH, CAPTURE_HEIGHT */
    uint32_t fps_num, fps_den; /* likewise */
    int (*stop)(void *user);   /* not 0: a read that waits is to end */
    void *stop_user;
};

struct capture_info {
    uint16_t width, height;
    uint32_t fps_num, fps_den;
    uint8_t channels; /* [0, 2] */
};

struct capture_stats {
    bool signal;           /* pictures come */
    uint64_t losses;       /* times it was lost, or could not be opened */
    uint64_t left_out;     /* pictures for which there was no time */
    int64_t delay_us;      /* of the last picture, from its coming to its time */
    int64_t sound_skew_us; /* of the sound that waits, from where it should be */
};

struct capture;
/* Devices and pipelines are opened at once; what the network gives is waited for by nobody. 0, or
 * -1 with one line in `why` that names the source. Copies `cfg`, which owns its strings for the
 * capture's life. */
int capture_open(struct capture **out, const struct capture_config *cfg, char *why,
                 size_t why_size);
const struct capture_info *capture_info(const struct capture *c);
/* Waits for a picture whose time has come, at most until `until_us` (CLOCK_MONOTONIC). */
void capture_await(struct capture *c, uint64_t until_us);
/* The newest picture whose time has come, or the last one again, into `to` of the capture's size.
 */
void capture_picture(struct capture *c, const struct svc_image_buffer *to);
/* Sound of `n` frames from `at_us` on, which has passed; silence where there is none. */
void capture_sound(struct capture *c, uint64_t at_us, int16_t *out, size_t n);
void capture_get_stats(struct capture *c, struct capture_stats *out);
void capture_free(struct capture *c);

#endif
