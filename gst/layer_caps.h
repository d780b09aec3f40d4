/*
 * layer_caps.h - the caps of layer units (their fields: gst/tvl/layer.h), and what they say of the
 * stream.
 *
 * A media type of its own, because no stock element knows what to do with a single layer of a
 * picture: av1parse, which takes any video/x-av1, would put units into the wrong temporal units.
 * Fields that are missing are not known; codec and scalability are always there when caps are
 * fixed.
 */
#ifndef GST_LAYER_CAPS_H
#define GST_LAYER_CAPS_H

#include <gst/gst.h>

#include <gst/tvl/layer.h>

#include "svc/svc.h"

G_BEGIN_DECLS

/* What svcav1enc's src and svcav1dec's sink take, and a template for tvlsink, tvlsrc. */
#define TVL_CAPS_LAYERS_AV1 TVL_CAPS_LAYERS ", codec=(string)av1"
/* Whole temporal units with their delimiters, as any AV1 element knows them. */
#define TVL_CAPS_AV1 "video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu"

/* Caps of a stream; `structure` may be NULL: then scalability is "LxTy" of the numbers in `info`.
 * The caller's. */
GstCaps *tvl_layer_caps_new(const struct svc_stream_info *info,
                            const struct svc_structure *structure);
/* The other way, of fixed caps. FALSE: not such caps, or out of range. Audio of `out` is not
 * touched but zeroed. */
gboolean tvl_layer_caps_parse(const GstCaps *caps, struct svc_stream_info *out);

G_END_DECLS

#endif
