/* capture_reader.h - one way to read a source in its own time: by FFmpeg, or by GStreamer. All
 * calls but the opening of a device are on the reading thread. */
#ifndef SERVER_CAPTURE_READER_H
#define SERVER_CAPTURE_READER_H

#include <stdbool.h>
#include <svc/svc.h>

struct capture_reader_config {
    const char *input;
    bool sound_only;
    uint16_t width, height;    /* 0: its own */
    uint32_t fps_num, fps_den; /* likewise */
    uint8_t channels;          /* likewise */
    int (*stop)(void *user);
    void *stop_user;
};

struct capture_reader_info {
    uint16_t width, height; /* 0: sound only */
    uint32_t fps_num, fps_den;
    uint8_t channels; /* 0: none */
};

struct capture_item {
    bool picture;
    int64_t pts;            /* us, by the source's clock */
    struct svc_image image; /* picture; borrowed until the next call */
    const int16_t *samples; /* sound, 48 kHz, interleaved; borrowed likewise */
    size_t n_frames;
};

struct capture_reader_ops {
    /* 0, or -1 with one line in `why`. */
    int (*open)(void **out, const struct capture_reader_config *cfg,
                struct capture_reader_info *info, char *why, size_t why_size);
    /* Waits. 1: an item. 0: it has ended. -1: it is damaged. */
    int (*read)(void *reader, struct capture_item *out);
    /* Stretch the sound that follows by `frames` over the next `over`. */
    void (*stretch)(void *reader, int frames, int over);
    void (*free)(void *reader);
};

extern const struct capture_reader_ops capture_reader_libav, capture_reader_gst;

#endif
