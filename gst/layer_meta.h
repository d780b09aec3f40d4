/*
 * layer_meta.h - layer units of svc/ and the meta that says what they are (gst/tvl/layer.h): all
 * that struct svc_unit says beside the bytes, so that the elements need not parse headers.
 * svcav1enc and tvlsrc add it, svcav1dec, svcav1parse and tvlsink read it.
 */
#ifndef GST_LAYER_META_H
#define GST_LAYER_META_H

#include <gst/gst.h>
#include <gst/tvl/layer.h>

#include "svc/svc.h"

G_BEGIN_DECLS

/* As tvl_buffer_add_layer_meta, of what `unit` says, which is within its ranges. */
TvlLayerMeta *tvl_buffer_add_unit_meta(GstBuffer *buffer, const struct svc_unit *unit);
/* Whether `buffer` is a layer unit: a meta within its ranges, and bytes within the codec's. */
gboolean tvl_buffer_is_layer_unit(GstBuffer *buffer);
/* The unit that a buffer is, over `bytes` of a map of it that the caller holds: they are borrowed.
 * `pts` in microseconds, as the caller reckons them. */
void tvl_layer_meta_unit(const TvlLayerMeta *meta, const guint8 *bytes, gsize len, gint64 pts,
                         struct svc_unit *out);

G_END_DECLS

#endif
