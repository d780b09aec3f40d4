/* args.h - the command line of svc-player, taken apart. Pure: opens and prints nothing. */
#ifndef CLIENT_ARGS_H
#define CLIENT_ARGS_H

#include "log.h"
#include "path_spec.h"
#include "uri.h"

#include <stdbool.h>
#include <stdint.h>

#define ARGS_PATHS_MAX 8 /* = TVL_PATHS_MAX */
#define ARGS_SCREENSHOTS_MAX 16
#define ARGS_LATENCY_MAX_MS 10000
#define ARGS_RECONNECT_HEADLESS_S 10 /* without --reconnect; in a window: for ever */
#define ARGS_VIDEOS_MAX 64           /* = MSF_TRACKS_MAX */
#define ARGS_PAGES 4                 /* of statistics */
#define ARGS_SIDE_MIN 64
#define ARGS_SIDE_MAX 8192

struct args_screenshot {
    char file[512];
    double at_s; /* after the first shown picture; negative: at the end */
};

struct args {
    struct uri uri;
    struct path_spec paths[ARGS_PATHS_MAX];
    size_t n_paths;
    const char *ca_file, *json_file, *keylog_file, *qlog_dir; /* of argv; NULL: not given */
    const char *cert_file, *key_file;                         /* likewise; both or none */
    const char *token;      /* a file's name or the token itself, likewise */
    const char *token_text; /* the token itself, never a file's name; not of argv; NULL: none */
    const char *hand_over, *take_over;    /* of argv; NULL: not given */
    const char *policy_log, *replay_file; /* likewise */
    const char *cc, *sched;               /* likewise */
    struct args_screenshot screenshots[ARGS_SCREENSHOTS_MAX];
    size_t n_screenshots;
    const char *control_socket, *record_file; /* likewise */
    const char *language;                     /* of several sounds; likewise */
    unsigned video;                           /* of several, from 1; 0: the first */
    double
        reconnect_s; /* go on trying so long; negative: for ever; see ARGS_RECONNECT_HEADLESS_S */
    bool reconnect_given;
    uint64_t frames;               /* end after so many shown pictures; 0: no limit */
    double duration_s;             /* 0: until the broadcast ends */
    uint32_t latency_ms;           /* 0: the catalog's */
    uint32_t latency_max_ms;       /* it may grow to; 0: PLAYOUT_EXTRA_MAX_US more */
    bool latency_low;              /* pictures are shown as soon as they are whole */
    const char *timing_file;       /* of argv; NULL: not given */
    const char *frames_dir;        /* likewise */
    unsigned statistics;           /* page to begin with; 0: none */
    unsigned rotate;               /* degrees clockwise: 0, 90, 180, 270 */
    int audio_delay_ms;            /* what the loudspeaker takes, as wireless ones do [0, 1000] */
    int max_spatial, max_temporal; /* -1: all */
    uint16_t width, height;        /* of the window */
    enum log_level log;
    bool headless, no_audio, fullscreen, mute;
};

enum args_result { ARGS_RUN, ARGS_REPLAY, ARGS_HAND_OVER, ARGS_HELP, ARGS_VERSION, ARGS_WRONG };

/* ARGS_WRONG: one line in `why`. `argv` must outlive `out`. */
enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size);

extern const char args_help[];     /* what --help prints: before the list of keys ... */
extern const char args_help_end[]; /* ... and after it */

#endif
