/*
 * meter.h - turns counters into rates: every 200 ms it takes what the connection and the layers'
 * account say and makes the view for the screen and the row for the report. Pure.
 */
#ifndef CLIENT_METER_H
#define CLIENT_METER_H

#include "layers.h"
#include "osd.h"
#include "report.h"
#include "session.h"

#define METER_PERIOD_US 200000
#define METER_SECOND 5 /* samples that make the last second */

struct meter_path {
    char name[PATH_SPEC_NAME_MAX]; /* the key: a path that was opened anew keeps its place */
    bool off;                      /* switched off */
    struct tvl_path_stats last;
    struct tvl_path_stats before; /* sums of its earlier lives: bytes and packets */
    float history_bps[OSD_HISTORY], history_rtt_ms[OSD_HISTORY], history_loss[OSD_HISTORY];
    uint64_t lost[METER_SECOND + 1], sent[METER_SECOND + 1]; /* packets, newest first */
    uint64_t rate_bps;                                       /* mean of the last second */
    struct sender_path sender; /* as it was said last, if it is of this life; counts where known */
    float sender_bps[OSD_HISTORY], sender_rtt_ms[OSD_HISTORY], sender_loss[OSD_HISTORY];
};

struct meter { /* zero is a fresh one */
    struct meter_path path[TVL_PATHS_MAX];
    size_t n_paths;
    int64_t began_us, last_us;
    size_t samples;
    struct layers_count layer[METER_SECOND + 1][SVC_SPATIAL_MAX]
                             [SVC_TEMPORAL_MAX]; /* newest first */
    uint64_t shown[METER_SECOND + 1];
};

struct meter_input {
    int64_t now_us; /* a period or a little more after the last */
    const struct session_path *path;
    size_t n_paths;
    const struct layers *layers;
    const struct sender_view *sender; /* NULL: nothing is known */
    uint64_t frames_shown;
};

/* Fills the rates, paths and layers of `view` and all of `row` but t_s and top_spatial. */
void meter_sample(struct meter *m, const struct meter_input *in, struct osd_view *view,
                  struct report_sample *row);
/* Least smoothed round trip of the paths that are up, us; 0: not known. */
int64_t meter_least_rtt(const struct meter *m);
/* Paths that were up when the last sample was taken. */
size_t meter_paths_up(const struct meter *m);
/* The paths' totals over all their lives. Result: how many. */
size_t meter_paths(const struct meter *m, struct report_path *out);

#endif
