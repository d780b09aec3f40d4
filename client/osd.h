/*
 * osd.h - the on-screen display: what is known of paths, layers and the picture, drawn over it.
 * It draws a view, a plain record, and asks nobody.
 */
#ifndef CLIENT_OSD_H
#define CLIENT_OSD_H

#include "paint.h"

#include <svc/svc.h>
#include <tvl/tvl.h>

#define OSD_HISTORY 150 /* rate samples of a path: 30 s in steps of 200 ms */

struct osd_path {
    char name[16];
    enum tvl_path_state state;
    bool backup;
    uint64_t rate_bps;
    double rtt_ms;                  /* 0: none yet */
    double loss;                    /* [0, 1] */
    double share;                   /* of what all paths bring [0, 1] */
    float history_bps[OSD_HISTORY]; /* oldest first */
};

struct osd_layer {
    bool subscribed;
    bool expected;  /* something was due in the last second */
    double in_time; /* of that, the part that was there [0, 1] */
    bool shown;     /* in the picture on the screen */
};

struct osd_view {
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

/* Draws onto the target of `p`, whose size sets the scale. */
void osd_draw(struct paint *p, const struct osd_view *v);
void osd_draw_help(struct paint *p);

#endif
