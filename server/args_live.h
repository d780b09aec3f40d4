/* args_live.h - the part of svc-server's command line that is about encoding. */
#ifndef SERVER_ARGS_LIVE_H
#define SERVER_ARGS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "live.h"

enum args_live_value {
    ARGS_LIVE_SOURCE,  /* "test", "test:960x540@30", or what FFmpeg reads */
    ARGS_LIVE_SOUND,   /* a device, or what GStreamer makes */
    ARGS_LIVE_LAYERS,  /* "L3T2" */
    ARGS_LIVE_CODEC,   /* of svc_codecs */
    ARGS_LIVE_BITRATE, /* "300,900,2400": kbit/s of each spatial layer */
    ARGS_LIVE_SIZE,    /* "960x540" */
    ARGS_LIVE_FPS,     /* "30", "29.97", "30000/1001" */
    ARGS_LIVE_KEY,     /* seconds */
    ARGS_LIVE_SPEED,   /* 7 to 10 */
    ARGS_LIVE_THREADS, /* 1 to 16 */
};

struct args_live {
    struct live_config config; /* config.input.kind is LIVE_NONE without a source */
    const char *said;          /* the last option that is about encoding, NULL: none */
    bool layers_said;
};

void args_live_init(struct args_live *a);
/* Value `text` of option `name`. 0, or -1 with one line in `why`. */
int args_live_set(struct args_live *a, enum args_live_value value, const char *name,
                  const char *text, char *why, size_t why_size);
/* When all have been set: whether they go together. As args_live_set. */
int args_live_check(struct args_live *a, char *why, size_t why_size);

#endif
