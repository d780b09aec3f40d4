/*
 * live_input.h - what a live feed encodes: the project's test clip, drawn as it goes, or anything
 * that FFmpeg or GStreamer reads. Pictures are put where the caller says, which is the only copy
 * made of them (of the test clip: none); sound is pulled for itself, so that both can keep time.
 */
#ifndef SERVER_LIVE_INPUT_H
#define SERVER_LIVE_INPUT_H

#include <stdbool.h>
#include <svc/svc.h>

#include "capture.h"

#define LIVE_RATE 48000

enum live_kind {
    LIVE_NONE,
    LIVE_TEST,
    LIVE_FILE,
    LIVE_CAPTURE, /* comes in its own time, see capture.h */
};

struct live_input_config {
    enum live_kind kind;
    const char *path;       /* LIVE_FILE, LIVE_CAPTURE: as <source.h> says; "-": standard input */
    const char *sound;      /* LIVE_CAPTURE: as capture_config.sound; NULL: the input's own */
    uint16_t width, height; /* even; 0: the source's */
    uint32_t fps_num, fps_den; /* 0: the source's */
    bool repeat;               /* LIVE_FILE: begin again at the end */
    int (*stop)(void *user);   /* not 0: a read that waits is to end; asked by the reading thread */
    void *stop_user;
};

struct live_input_info {
    uint16_t width, height;
    uint32_t fps_num, fps_den;
    uint8_t channels; /* [0, 2]; 0: no sound */
};

struct live_input;
/* 0, or -1 with one line in `why` that names the source. */
int live_input_open(struct live_input **out, const struct live_input_config *cfg, char *why,
                    size_t why_size);
const struct live_input_info *live_input_info(const struct live_input *in);
/* LIVE_CAPTURE: wait for a picture, at most until `until_us` (CLOCK_MONOTONIC). */
void live_input_await(struct live_input *in, uint64_t until_us);
/* The next picture into `to`, of the input's size. 1: it is there. 0: the end. -1: damaged. */
int live_input_picture(struct live_input *in, const struct svc_image_buffer *to);
/* As live_input_picture, for a picture that nobody wants. */
int live_input_skip(struct live_input *in);
/* Up to `n` frames (samples per channel), interleaved, of the sound that follows: how many. Fewer
 * than `n`: the sound ends there. `at_us`: of the first, LIVE_CAPTURE only (CLOCK_MONOTONIC). */
size_t live_input_sound(struct live_input *in, uint64_t at_us, int16_t *out, size_t n);
/* False: it is no LIVE_CAPTURE. `out` may be NULL. */
bool live_input_capture_stats(const struct live_input *in, struct capture_stats *out);
void live_input_free(struct live_input *in);

#endif
