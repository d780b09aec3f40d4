/*
 * snapshot.h - what the server is doing at one moment, as plain values: taken by the server's core,
 * shown by the control interface, the metrics and the reports, which ask nothing else. One snapshot
 * belongs to whoever took it; nothing in it points into the running server.
 */
#ifndef SERVER_SNAPSHOT_H
#define SERVER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tvl/tvl.h>

#include "address.h"
#include "live.h"
#include "tracks.h"

#define SNAPSHOT_TEXT_MAX 128
#define SNAPSHOT_PATHS_MAX 8 /* of a session; the first so many */

struct snapshot_track { /* of one session: what is sent to it of a track, from its beginning */
    uint8_t track;      /* index in its source's tracks */
    bool subscribed;
    bool takes; /* is subscribed, and forward is on */
    uint64_t offered, sent, bytes;
    uint64_t dropped_broken, dropped_rate, dropped_queue, dropped_full, expired;
    uint64_t delay_us;                    /* the last object, from queued to acknowledged */
    int64_t margin_min_us, margin_p10_us; /* before their deadlines: see tvl_flow_stats */
};

struct snapshot_session {
    uint64_t id; /* unique for the life of the process, also over workers */
    uint32_t worker;
    char remote[ADDRESS_TEXT_MAX];   /* address of its first path */
    char implementation[64];         /* as it said in SETUP; may be empty */
    char subject[SNAPSHOT_TEXT_MAX]; /* of its token or certificate; may be empty */
    char ns[SNAPSHOT_TEXT_MAX];      /* what it watches or publishes, of several the first that it
                                        still does; may be empty. The tracks are of this one */
    bool publishes;
    uint64_t age_us, backlog_bytes, rate_bps, sent_bytes, resent_bytes;
    bool multipath;
    double loss; /* [0, 1] */
    int top;     /* highest spatial layer going well; -1: none */
    size_t n_paths, n_tracks;
    struct tvl_path_stats path[SNAPSHOT_PATHS_MAX];
    struct snapshot_track track[TRACKS_MAX];
};

struct snapshot_told { /* what the encoder is told of one spatial layer's own rate, bits/s */
    uint32_t now_bps, min_bps, mean_bps; /* while somebody took it; 0: left out */
};

enum snapshot_state { SOURCE_IDLE, SOURCE_STARTING, SOURCE_RUNNING, SOURCE_ENDED, SOURCE_FAILED };

struct snapshot_source {
    char ns[SNAPSHOT_TEXT_MAX];
    const char *kind; /* "file", "live", "upstream", "publish"; static */
    enum snapshot_state state;
    char why[SNAPSHOT_TEXT_MAX]; /* SOURCE_FAILED */
    size_t viewers;
    uint64_t objects, bytes; /* that came out of it */
    struct tracks tracks;    /* n = 0: not known yet */
    bool has_live;
    struct live_stats live;
    struct snapshot_told told[SVC_SPATIAL_MAX]; /* n_told of them */
    size_t n_told;
    bool records;
    uint64_t recorded_bytes, window_us;
};

struct snapshot_totals { /* over every session that ever was, those that have gone included */
    uint64_t sent_bytes, received_bytes; /* UDP payload, all paths */
    uint64_t resent_bytes;               /* of streams, sent again */
    uint64_t packets_sent, packets_lost;
    uint64_t units_offered, units_sent; /* of all tracks */
    uint64_t units_dropped_broken, units_dropped_rate, units_dropped_queue, units_dropped_full;
    uint64_t units_expired;
};

struct snapshot {
    uint64_t up_us, wall_ms; /* since the start; since 1970 */
    bool ready, draining;
    uint64_t sessions_total, refused_total; /* that ever came; of them turned away */
    size_t n_sessions, n_sources, workers;
    struct snapshot_session *session;
    struct snapshot_source *source;
    struct tvl_endpoint_stats endpoint; /* sums over the workers */
    struct snapshot_totals totals;
};

void snapshot_free(struct snapshot *s); /* NULL allowed */

#endif
