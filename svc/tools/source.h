/*
 * source.h - any file that FFmpeg reads, as pictures at a fixed size and rate and 48 kHz sound.
 *
 * Picture n is the source's picture nearest to n / fps after the first. The same source with the
 * same settings gives the same pictures, so a picture's number names it.
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
/* From the beginning again, numbers too. 0, or SVC_ERR_FILE: it cannot, as a pipe cannot. */
int source_rewind(struct source *s);
void source_free(struct source *s);

#endif
