/*
 * way.h - what one connection gets of the layers of a broadcast's videos, and how: the policy's
 * units (policy.h), of each video by itself, each on the flow of its layer, as protected as it asks
 * for; what the other end is known to hold (held.h), and which layers it lacks. Told when streams
 * end. Without I/O.
 */
#ifndef PEER_WAY_H
#define PEER_WAY_H

#include "held.h"
#include "policy.h"
#include "tracks.h"
#include "wire.h"

#define WAY_VIDEOS_MAX 4

struct way_video {
    struct policy policy;
    struct held held;
    uint64_t rank[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX]; /* of the last unit; 0: none yet */
    uint64_t delay_us[SVC_SPATIAL_MAX]; /* of the unit of temporal layer 0 acknowledged last, from
                                           its writing until then; 0: none yet */
    uint8_t missed; /* the lowest spatial layer that is broken there; SVC_SPATIAL_MAX: none */
};

struct way {                           /* at one place for its life: moq holds a pointer to it */
    struct wire wire;                  /* first; its `tvl` is the session's */
    uint8_t protection[TVL_FLOWS_MAX]; /* enum policy_protection, as was set */
    struct way_video video[WAY_VIDEOS_MAX];
};

void way_init(struct way *w, struct tvl_conn *conn, struct moq_quic *out);
void way_fini(struct way *w);

/* Streams of what is written next are of `flow` [0, TVL_FLOWS_MAX), protected like this. */
void way_aim(struct way *w, uint32_t flow, enum policy_protection protection);
struct way_unit { /* what is to be judged */
    size_t video; /* [0, WAY_VIDEOS_MAX) */
    const struct tracks *tracks;
    size_t track;        /* of `tracks`, its layer's */
    uint64_t beside_bps; /* what else goes before it: of other videos, sounds */
    const struct svc_unit *unit;
};
/* Whether the unit goes there now, `w->wire.tvl.now`, and for how long; `budget_us` is the latency.
 * Then, once it was written, way_sent. */
struct policy_order way_judge(struct way *w, const struct way_unit *u, uint64_t budget_us);
void way_sent(struct way *w, size_t video, const struct svc_unit *unit);

/* Streams that are none of ours, and paths, may be told as well. */
void way_event(struct way *w, const struct tvl_event *ev, tvl_time now);
/* From which spatial layer up a video has to be predicted anew; SVC_SPATIAL_MAX: nothing has. */
unsigned way_missed(struct way *w, size_t video);

#endif
