/*
 * live.h - the feed that is encoded while it runs, once for all viewers.
 *
 *     own thread:  input ─► the encoder's picture memory ─► svc_encoder (own process) ─► ring
 *                  sound ─► Opus ────────────────────────────────────────────────────►   │
 *     event loop:  ◄── ev_async, packets ────────────────────────────────────────────────┘
 *
 * The loop never waits for a picture. The thread keeps time: each picture is begun when it is due;
 * pace (svc/pace.h) makes the encoder faster, or leaves layers out, before it falls behind, and
 * pictures that are late all the same are left out. Picture bytes are copied at most once, into the
 * encoder's memory.
 */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "encoder_orders.h"
#include "feed.h"
#include "live_input.h"

#define LIVE_RING_MAX 256          /* packets on their way to the loop; then the encoder waits */
#define LIVE_LATE_PERIODS 3        /* a picture that late is left out, */
#define LIVE_LEFT_OUT_MAX 8        /* but never more in a row than so many */
#define LIVE_CLOCK_LATE_US 1000000 /* the clock is set anew when everything is that late */
#define LIVE_ERRORS_MAX 30         /* pictures in a row that cannot be coded: the end */

struct live_config {
    struct live_input_config input;
    struct svc_encoder_config encoder; /* width, height and rate of pictures are the input's */
    double key_interval_s;             /* 0: encoder.key_interval, in pictures */
    uint32_t sound_packet_us;          /* 10, 20, 40 or 60 ms of sound go together */
};

struct live_stats {
    uint64_t pictures;      /* coded */
    uint64_t left_out_late; /* for want of time */
    uint64_t left_out_pace; /* of temporal layers that pace has switched off */
    uint64_t keys, refreshes;
    uint64_t copies;   /* pictures that were copied a second time */
    uint64_t restarts; /* of the encoder's process */
    uint64_t errors;   /* pictures that could not be coded */
    uint64_t bytes[SVC_SPATIAL_MAX];
    uint8_t speed, n_temporal, n_spatial; /* now */
    uint64_t pace_downs, pace_ups;
    double load;                   /* of pace, [0, ...) */
    uint64_t late_us, late_max_us; /* the last picture, and the most there was */
    uint64_t took_us;              /* the last picture, from due to handed over */
    bool captures;                 /* what comes in its own time: */
    struct capture_stats capture;
};

/* Its own thread opens input and encoder, which may take long: feed_info() is NULL until on_open,
 * then it has the targets as rates. Copies `cfg`. 0, or -1 with one line in `why`. */
int live_open(struct feed **out, const struct feed_sink *sink, const struct live_config *cfg,
              char *why, size_t why_size);

#endif
