/*
 * osd.h - the on-screen display: what is known of paths, layers and the picture, drawn over it.
 * It draws a view, a plain record, and asks nobody.
 */
#ifndef CLIENT_OSD_H
#define CLIENT_OSD_H

#include "delay.h"
#include "paint.h"
#include "sender_view.h"

#include <svc/svc.h>
#include <tvl/tvl.h>

#define OSD_HISTORY 150 /* rate samples of a path: 30 s in steps of 200 ms */

struct osd_path {
    char name[16];
    char cc[16]; /* congestion control of what we send on it; empty: not known */
    enum tvl_path_state state;
    bool backup, off; /* off: switched off by the person */
    uint64_t rate_bps;
    double rtt_ms;                  /* 0: none yet */
    double loss;                    /* [0, 1] */
    double share;                   /* of what all paths bring [0, 1] */
    float history_bps[OSD_HISTORY]; /* oldest first */
    float history_rtt_ms[OSD_HISTORY], history_loss[OSD_HISTORY]; /* likewise */
    struct sender_path sender; /* what the sender says of its side of it; counts where known */
    float sender_bps[OSD_HISTORY], sender_rtt_ms[OSD_HISTORY], sender_loss[OSD_HISTORY];
};

struct osd_layer {
    bool subscribed;
    bool expected;    /* something was due in the last second */
    double in_time;   /* of that, the part that was there [0, 1] */
    bool shown;       /* in the picture on the screen */
    double residency; /* share of the pictures shown so far whose best layer it was [0, 1] */
};

#define OSD_PAGES 4 /* summary, delay, paths, layers */
#define OSD_LINE_MAX 256

struct osd_status {            /* of the session, over the last picture: when it does not play */
    char line[OSD_LINE_MAX];   /* "connecting by wlan0, wwan0 ..."; empty: nothing to say */
    char detail[OSD_LINE_MAX]; /* why, when the next try is; may be empty */
    double progress;           /* of waiting [0, 1]; negative: no count-down */
    bool dimmed;               /* the picture is old */
};

struct osd_bar { /* what the control bar shows; it appears when the mouse moves */
    bool paused, fullscreen, has_window;
    double volume;             /* percent [0, 130] */
    double window_s, behind_s; /* as struct session_status */
};

struct osd_view {
    unsigned page; /* of the statistics, [1, OSD_PAGES]; 0: none */
    bool help;     /* the list of keys */
    struct osd_status status;
    struct osd_bar bar;
    struct sender_view sender; /* its paths are at `path`, too */
    struct delay delay;
    double av_skew_ms, av_skew_max_ms; /* sound behind the picture; NaN: none is heard */
    double buffer_ms, decode_ms, decode_max_ms;
    uint64_t frames_shown, frames_skipped, rebuffers, switches;
    size_t n_paths;
    struct osd_path path[TVL_PATHS_MAX];
    uint8_t n_spatial, n_temporal;
    struct osd_layer layer[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    bool playing;        /* a picture was shown */
    const char *message; /* instead of it, e.g. "connecting"; may be NULL */
    uint16_t width, height;
    struct svc_layer shown;
    uint64_t picture;
    int64_t pts_us;
    double fps;
    double latency_ms;
    unsigned stalls;
    double stall_max_ms;
    uint64_t rate_bps; /* all paths */
    bool muted;
};

struct osd_face {           /* of the moment: what the screen itself adds */
    char say[OSD_LINE_MAX]; /* a line; empty: none */
    double volume;          /* was just set, percent; negative: was not */
    bool muted, bar;        /* bar: the control bar is out */
};

/* Where the control bar's parts are on a surface of w x h pixels. */
struct osd_bar_layout {
    struct box bar, play, timeline, live, note, volume, full;
};
void osd_bar_layout(struct osd_bar_layout *out, int w, int h);

/* Draws onto the target of `p`, whose size sets the scale. */
void osd_draw(struct paint *p, const struct osd_view *v, const struct osd_face *face);

#endif
