/*
 * source.h - whatever FFmpeg reads, as pictures at a fixed size and rate and 48 kHz sound.
 *
 * Picture n is the source's picture nearest to n / fps after the first. The same source with the
 * same settings gives the same pictures, so a picture's number names it. What comes in its own
 * time, a camera or a stream of the network, is read with source_read instead: as it comes.
 *
 * A path is what FFmpeg takes as an input, "v4l2:DEVICE", "x11:DISPLAY", "alsa:DEVICE" or
 * "pulse:SOURCE"; then "#NAME=VALUE&NAME=VALUE..." may follow: options of FFmpeg's for it, such as
 * v4l2:/dev/video0#video_size=1280x720&framerate=30.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "svc/svc.h"

#define SOURCE_RATE 48000
#define SOURCE_WAITING_MAX 4096 /* packets of a track */

struct source_config {
    const char *path;          /* "-": standard input */
    uint16_t width, height;    /* 0: the source's, made even */
    uint32_t fps_num, fps_den; /* 0: the source's */
    int64_t duration;          /* us, 0: all of it */
    unsigned threads;          /* for decoding */
    bool quick;                /* scale bilinear, for live use, rather than bicubic */
    bool realtime;             /* nothing is read ahead or held back: for source_read */
    bool fit;                  /* keep the shape, with black beside it, where size differs */
    bool sound_only;           /* a source without pictures will do */
    uint8_t channels;          /* of sound [1, 2]; 0: the source's */
    int (*stop)(void *user);   /* not 0: a read that waits shall end; asked by the reading thread.
                                  NULL: never */
    void *stop_user;
};

struct source_info {
    uint16_t width, height;
    uint32_t fps_num, fps_den;
    uint8_t channels;    /* 0: no sound */
    uint64_t n_pictures; /* estimate, 0: not known */
};

enum source_kind { SOURCE_PICTURE, SOURCE_SOUND };

struct source_item {
    enum source_kind kind;
    struct svc_image image; /* borrowed until the next call */
    uint64_t number;
    const int16_t *samples; /* interleaved, borrowed until the next call */
    size_t n_frames;        /* samples per channel */
    int64_t pts;            /* source_read: us, by the source's clock */
};

struct source;
int source_open(struct source **out, const struct source_config *cfg, char *why, size_t size);
const struct source_info *source_info(const struct source *s);
/* Pictures are put there, which has source_info's size, from now on: what is decoded is copied, or
 * scaled, once. Borrowed until the next call or source_free. */
void source_write_to(struct source *s, const struct svc_image_buffer *to);
/* Pictures and sound by time. 1: an item. 0: the end. Negative enum svc_error: damaged. */
int source_next(struct source *s, struct source_item *out);
/* One kind alone, as far ahead of the other as is wanted; of what comes of the other on the way
 * SOURCE_WAITING_MAX packets are kept. Results as of source_next. */
int source_next_picture(struct source *s, struct source_item *out);
int source_next_sound(struct source *s, struct source_item *out);
/* As source_next_picture, but the picture is not made: only its number is used up. */
int source_skip_picture(struct source *s);
/* The next picture or piece of sound as it comes, unnumbered; waits for it. Results as of
 * source_next. Not to be mixed with the others. */
int source_read(struct source *s, struct source_item *out);
/* Stretch the sound that follows by `frames` (negative: shorten) over the next `over` frames,
 * unheard if it is less than about one in a hundred. */
void source_stretch_sound(struct source *s, int frames, int over);
/* Whether `path` comes in its own time: a device, or a stream of the network. */
bool source_is_realtime(const char *path);
/* Whether it can be opened without waiting for anybody: a device. */
bool source_is_device(const char *path);
/* From the beginning again, numbers too. 0, or SVC_ERR_FILE: it cannot, as a pipe cannot. */
int source_rewind(struct source *s);
void source_free(struct source *s);

#endif
