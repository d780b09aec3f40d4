/*
 * report.h - what playing was like, for machines: rows are added as things happen and written as
 * one JSON object at the end. Rows beyond the limits are counted, not kept.
 */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include "delay.h"
#include "layers.h"
#include "sender_view.h"

#include <tvl/tvl.h>

#define REPORT_ROWS_MAX 1000000 /* of each kind: nine hours of pictures at 30 per second */
#define REPORT_EVENTS_MAX 10000

struct json_t;

struct report_shown {
    uint64_t picture;
    int64_t pts_us;
    struct svc_layer layer;
    uint32_t crc32;
    double wall_ms; /* since the first shown picture */
    double latency_ms;
};

struct report_path_sample {
    uint32_t id; /* place among the paths, the same for all its lives */
    uint64_t rate_bps;
    enum tvl_path_state state;
    double rtt_ms;
};

struct report_sample { /* every 200 ms */
    double t_s;        /* since the player began */
    size_t n_paths;
    struct report_path_sample path[TVL_PATHS_MAX];
    uint16_t arrived[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX]; /* units, in these 200 ms */
    int top_spatial; /* of the last shown picture; -1: none in these 200 ms */
    uint64_t rate_bps;
};

struct report_path {
    char name[16];
    struct tvl_path_stats stats;
    double rate_bps_mean;      /* received */
    struct sender_path sender; /* what the sender said last; counts where known */
};

struct report_totals { /* negative: never happened */
    double startup_ms, connect_ms, duration_s;
    double wall_zero_ms; /* since the program began: when wall_ms of the shown pictures is 0 */
    /* Since the program's start: sockets are open, the handshake is complete, SETUP, the catalog
     * and the first unit have come; startup_ms is the end of it. */
    struct {
        double sockets_ms, connected_ms, setup_ms, catalog_ms, first_unit_ms;
    } startup;
    uint64_t frames_shown, frames_skipped, rebuffers, units_late_healed, units_refused;
    uint64_t demand_changes; /* times that other layers were asked for */
    double stall_ms_max;
    uint64_t audio_packets, audio_lost;
    double av_skew_ms, av_skew_ms_max; /* sound behind the picture, at the end and the most, means
                                          of 8 pictures; NaN: not known */
    const struct delay *delay;         /* NULL, or where the time goes; borrowed for the write */
    size_t n_paths;
    struct report_path path[TVL_PATHS_MAX];
    const struct layers *layers;                     /* borrowed for the write */
    const struct sender_view *sender;                /* likewise; NULL: not asked */
    struct json_t *handed_over_to, *taken_over_from; /* likewise; NULL: it was not */
};

struct report;
struct report *report_new(void); /* NULL: no memory */
void report_free(struct report *r);
void report_add_shown(struct report *r, const struct report_shown *row);
void report_add_sample(struct report *r, const struct report_sample *row);
/* `at_s` since the player began, `ms` the gap between two shown pictures. */
void report_add_stall(struct report *r, double at_s, double ms);
void report_add_event(struct report *r, double t_s, const char *what);

/* The whole as a JSON object that the caller owns; NULL: no memory. */
struct json_t *report_json(const struct report *r, const struct report_totals *t);
/* The same into a file, replaced as a whole; "-": to standard output. 0, or -1 with one line in
 * `why`. */
int report_write(const struct report *r, const struct report_totals *t, const char *file, char *why,
                 size_t why_size);

const char *report_state_word(enum tvl_path_state state);

#endif
