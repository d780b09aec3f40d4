/*
 * tvlsink_internal.h - between the element tvlsink (tvlsink.c) and its tracks (tvlsink_track.c): a
 * GstBaseSink a pad, which has the clock, preroll, EOS and flushes, and the catalog made of them.
 */
#ifndef GST_TVLSINK_INTERNAL_H
#define GST_TVLSINK_INTERNAL_H

#include "net_element.h"
#include "publish.h"

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

typedef struct TvlSink TvlSink;

/* Properties of GstBaseSink that are ours, too: each track's. */
enum of_base {
    BASE_SYNC,
    BASE_ASYNC,
    BASE_TS_OFFSET,
    BASE_MAX_LATENESS,
    BASE_PROCESSING_DEADLINE,
    BASE_RENDER_DELAY,
    BASE_N
};
enum track_of { OF_SVC, OF_AUDIO, OF_DATA, N_OF };

/* ---- a track ---- */

typedef struct {
    GstBaseSink base;
    TvlSink *sink; /* borrowed: it is the bin that has us */
    enum track_of of;
    guint number;      /* of its pad */
    gboolean implicit; /* nobody named the pad: it is for whatever fits nowhere else */
    /* under the sink's lock */
    GstCaps *caps; /* NULL: not yet */
    int which;     /* number of the video or sound; place among the opaque tracks, -1: none yet */
    gboolean ended;
    struct publisher_note note; /* as the tags have it */
    guint bitrate_bps;          /* of a sound, as the catalog has it; 0: not yet */
    gboolean tagged;            /* the tags say that */
    guint64 measured_bytes;
    gint64 measured_from, measure_us; /* media time; of the span under way */
} TvlSinkTrack;
struct TvlSink {
    GstBin bin;
    /* the object's lock is for these */
    struct tvl_net net;
    guint latency_ms;
    /* `lock` is for these */
    GMutex lock;
    GList *tracks;          /* of TvlSinkTrack, borrowed from the bin */
    GValue of_base[BASE_N]; /* properties of every track */
    struct publish *publish;
    guint looks; /* since the start; of the link's thread */
    guint next_number[N_OF];
};
typedef GstBinClass TvlSinkClass;

GType tvl_sink_track_get_type(void);
/* Under the sink's lock. Its tracks are published, if every one has its caps. */
void tvl_sink_describe(TvlSink *s);
/* Under the lock. What its stream said is not so any more. */
void tvl_sink_track_forget(TvlSinkTrack *t);

G_END_DECLS

#endif
