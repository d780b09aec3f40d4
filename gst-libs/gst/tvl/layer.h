/*
 * gst/tvl/layer.h - what a layer unit is, on the buffer that carries it: for elements and
 * applications beside ours. pkg-config: gstreamer-tvl-1.0.
 *
 * Every buffer of the caps video/x-svc is one layer unit - all of one spatial layer in one picture
 * - and has one TvlLayerMeta. The caps:
 *
 *     video/x-svc
 *         codec          (string) "av1", "vp9", "h264"; svcav1enc and svcav1dec: "av1"
 *         codec-string   (string) RFC 6381, "av01.0.05M.08"
 *         scalability    (string) W3C webrtc-svc, "L3T2", with "_KEY"
 *         width, height  (int) of the top layer; framerate (fraction) of all temporal layers
 *         layer-widths, layer-heights, layer-bitrates, layer-bitrates-max
 *                        (GstArray of int) by temporal, then spatial: index = temporal * spatial
 *                        layers + spatial; bits/s of each layer alone, 0: not known
 *
 * Fields that are missing are not known; codec and scalability are always there when caps are
 * fixed. The buffer beside its meta: PTS and DTS in the segment's time, DURATION of the picture;
 * flags
 *
 *     DELTA_UNIT  not set: a key unit, decoding may start here
 *     MARKER      last unit of its picture that its element will push: decode now
 *     DROPPABLE   nothing reads it
 *     DISCONT     units of these layers were lost, or left out, before it
 *
 * Layers that were lost are asked for by an upstream event, which svcav1enc obeys without a key
 * picture where it can, and tvlsrc passes on (spatial: from which layer up, 0: all):
 *
 *     gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
 *         gst_structure_new(TVL_LAYER_REFRESH, "spatial", G_TYPE_UINT, 1, NULL))
 *
 * Any thread may call these, as any of GstBuffer's. Read docs/examples/layers.c for a whole
 * program.
 */
#ifndef GST_TVL_LAYER_H
#define GST_TVL_LAYER_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define TVL_CAPS_LAYERS "video/x-svc"
#define TVL_LAYER_REFRESH "TvlLayerRefresh"

#define TVL_LAYER_SPATIAL_MAX 4  /* layers */
#define TVL_LAYER_TEMPORAL_MAX 4 /* layers */
#define TVL_LAYER_SLOTS 8        /* reference slots of the codec, at most */

typedef struct {     /* one slot that a unit reads, and what has to be there */
    guint8 slot;     /* [0, TVL_LAYER_SLOTS) */
    guint8 spatial;  /* layer of the unit expected there */
    guint64 picture; /* its picture */
} TvlLayerRead;

typedef struct {
    guint8 refreshes; /* bit i: slot i holds this unit afterwards */
    guint8 n_reads;   /* [0, TVL_LAYER_SLOTS]; 0: decodes alone */
    TvlLayerRead reads[TVL_LAYER_SLOTS];
} TvlLayerDeps;

/* Written once, before its buffer is pushed. Copies of a whole buffer keep it; a part of a buffer,
 * and what is made of several, has none. */
typedef struct {
    GstMeta meta;
    guint64 picture;   /* number in decode order; +1 each from any start */
    guint8 spatial;    /* [0, TVL_LAYER_SPATIAL_MAX) */
    guint8 temporal;   /* [0, TVL_LAYER_TEMPORAL_MAX) */
    gboolean key;      /* base layer's key unit: decoding may start here */
    gboolean sync;     /* reads no other picture: whoever has the layer below may begin here */
    gint64 captured;   /* us since 1970 when the picture was taken; 0: not known */
    guint32 encode_us; /* from then until its bytes were there; 0: not known */
    TvlLayerDeps deps; /* what it reads, and what it leaves in the slots */
} TvlLayerMeta;

#define TVL_GST_API __attribute__((visibility("default")))

#define TVL_LAYER_META_API_TYPE (tvl_layer_meta_api_get_type())
#define TVL_LAYER_META_INFO (tvl_layer_meta_get_info())
TVL_GST_API GType tvl_layer_meta_api_get_type(void);
TVL_GST_API const GstMetaInfo *tvl_layer_meta_get_info(void);

/* NULL: it has none. Borrowed from the buffer. */
TVL_GST_API TvlLayerMeta *tvl_buffer_get_layer_meta(GstBuffer *buffer);
/* Adds what `like` says (its member `meta` is not looked at), and sets DELTA_UNIT and DROPPABLE of
 * `buffer` by it. The buffer owns the meta. NULL: the buffer is not writable, or `like` is out of
 * the ranges above; nothing has changed then. */
TVL_GST_API TvlLayerMeta *tvl_buffer_add_layer_meta(GstBuffer *buffer, const TvlLayerMeta *like);

G_END_DECLS

#endif
