/*
 * tracks.h - what a layered file becomes on the wire: one track a layer, one for sound, the
 * catalog; their names, priorities and dependencies. Pure.
 */
#ifndef PEER_TRACKS_H
#define PEER_TRACKS_H

#include <moq/msf.h>
#include <svc/svc.h>

#define TRACKS_MAX (SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX + 4)
#define TRACKS_CATALOG_JSON_MAX 16384 /* bytes; 16 layers need about 6,000 */
#define TRACKS_SESSION "svc-session"  /* session_track.h: the track's name, and its packaging */
#define TRACKS_PRIORITY_AUDIO 1       /* of the publisher, smaller first */
#define TRACKS_TIMESCALE 1000000      /* all media times are us */

enum track_kind {
    TRACK_CATALOG,
    TRACK_AUDIO,
    TRACK_LAYER,
    TRACK_TIMELINE, /* of the window: which groups of track `of` were when (timeline.h) */
};

struct track {
    enum track_kind kind;
    char name[MSF_NAME_MAX];
    uint8_t priority;       /* publisher priority, smaller first */
    uint32_t flow;          /* of the transport: 0 is the base layer, as the schedulers take it */
    struct svc_layer layer; /* TRACK_LAYER */
    uint8_t of;             /* TRACK_TIMELINE: its number; of a layer those of all layers */
    uint64_t needed_bps;    /* TRACK_LAYER: means of this layer and of all that goes before it */
};

struct tracks {
    uint8_t video; /* of several in one broadcast: from 0, whose layers have the short names */
    size_t n; /* track[i].priority rises with i: catalog, sound if any, layers, timelines if any */
    struct track track[TRACKS_MAX];
};

/* `window`: the past can be asked for, so there are timelines. */
void tracks_init(struct tracks *t, const struct svc_stream_info *info, bool window);
/* Catalog and layers of video number `video` alone. */
void tracks_init_video(struct tracks *t, const struct svc_stream_info *info, uint8_t video);
/* Its spatial layers' own rates are now these; 0: not coded. */
void tracks_need(struct tracks *t, const struct svc_stream_info *info,
                 const uint32_t bitrate_bps[SVC_SPATIAL_MAX]);
/* Index, or -1. */
int tracks_find(const struct tracks *t, const char *name, size_t len);
int tracks_of_layer(const struct tracks *t, struct svc_layer layer);
int tracks_of_audio(const struct tracks *t);

/* The catalog that says so to a viewer. */
void tracks_catalog(const struct tracks *t, const struct svc_stream_info *info, uint32_t latency_ms,
                    uint64_t now_ms, struct msf_catalog *out);
/* Parts of one: appended while there is room. */
void tracks_catalog_layers(const struct tracks *t, const struct svc_stream_info *info,
                           uint32_t latency_ms, struct msf_catalog *out);
/* A sound, of which the caller gives name and what `info` says of audio; borrowed from `out`.
 * NULL: no room. */
struct msf_track *tracks_catalog_sound(const char *name, const struct svc_stream_info *info,
                                       uint32_t latency_ms, struct msf_catalog *out);

#endif
