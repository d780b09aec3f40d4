/*
 * layer_meta.h - what a layer unit is, on the buffer that carries it.
 *
 * Every buffer of the caps video/x-svc (layer_caps.h) is one layer unit and has one TvlLayerMeta.
 * It says all that struct svc_unit says beside the bytes, so that the elements need not parse
 * headers: svcav1enc and tvlsrc add it, svcav1dec, svcav1parse and tvlsink read it. Copies of a
 * whole buffer keep it; a part of a buffer has none. A meta is written once, before its buffer is
 * pushed.
 *
 * The buffer beside it: PTS and DTS in the segment's time (the unit's own pts is told by no one),
 * DURATION of the picture; flags
 *     DELTA_UNIT  not set: a key unit, decoding may start here
 *     MARKER      last unit of its picture that its element will push: decode now
 *     DROPPABLE   nothing reads it
 *     DISCONT     units of these layers were lost, or left out, before it
 */
#ifndef GST_LAYER_META_H
#define GST_LAYER_META_H

#include <gst/gst.h>

#include "svc/svc.h"

G_BEGIN_DECLS

typedef struct {
    GstMeta meta;
    guint64 picture;      /* number in decode order; +1 each from any start */
    guint8 spatial;       /* [0, SVC_SPATIAL_MAX) */
    guint8 temporal;      /* [0, SVC_TEMPORAL_MAX) */
    gboolean key;         /* base layer's key unit: decoding may start here */
    gboolean sync;        /* reads no other picture: whoever has the layer below may begin here */
    gint64 captured;      /* us since 1970 when the picture was taken; 0: not known */
    guint32 encode_us;    /* from then until its bytes were there; 0: not known */
    struct svc_deps deps; /* what it reads, and what it leaves in the slots */
} TvlLayerMeta;

GType tvl_layer_meta_api_get_type(void);
const GstMetaInfo *tvl_layer_meta_get_info(void);

/* Adds what `unit` says, and sets DELTA_UNIT and DROPPABLE of `buffer`, which is writable. The
 * buffer owns the meta. */
TvlLayerMeta *tvl_buffer_add_layer_meta(GstBuffer *buffer, const struct svc_unit *unit);
/* NULL: it has none. Borrowed from the buffer. */
TvlLayerMeta *tvl_buffer_get_layer_meta(GstBuffer *buffer);
/* Whether `buffer` is a layer unit: a meta within its ranges, and bytes within the codec's. */
gboolean tvl_buffer_is_layer_unit(GstBuffer *buffer);
/* The unit that a buffer is, over `bytes` of a map of it that the caller holds: they are borrowed.
 * `pts` in microseconds, as the caller reckons them. */
void tvl_layer_meta_unit(const TvlLayerMeta *meta, const guint8 *bytes, gsize len, gint64 pts,
                         struct svc_unit *out);

G_END_DECLS

#endif
