/*
 * layer_caps.h - the caps of layer units, and what they say of the stream.
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
 * A media type of its own, because no stock element knows what to do with a single layer of a
 * picture: av1parse, which takes any video/x-av1, would put units into the wrong temporal units.
 * Fields that are missing are not known; codec and scalability are always there when caps are
 * fixed.
 */
#ifndef GST_LAYER_CAPS_H
#define GST_LAYER_CAPS_H

#include <gst/gst.h>

#include "svc/svc.h"

G_BEGIN_DECLS

#define TVL_CAPS_LAYERS "video/x-svc"
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
