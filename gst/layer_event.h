/*
 * layer_event.h - "layers from this one up were lost": a custom upstream event.
 *
 *     TvlLayerRefresh, spatial = (uint) [0, SVC_SPATIAL_MAX)
 *
 * From svcav1dec, tvlsink or an application, up to svcav1enc, which predicts those layers anew at
 * its next T0 picture (svc_encoder_recover); spatial 0 is a key picture if nothing else is left.
 * Where a key picture is wanted as such, that is GstForceKeyUnit, as everywhere.
 *
 *     gst_element_send_event(pipeline, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
 *         gst_structure_new("TvlLayerRefresh", "spatial", G_TYPE_UINT, 1, NULL)));
 */
#ifndef GST_LAYER_EVENT_H
#define GST_LAYER_EVENT_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define TVL_LAYER_REFRESH "TvlLayerRefresh"

GstEvent *tvl_layer_refresh_event_new(guint spatial);
/* FALSE: another event. A refresh without `spatial` means 0. */
gboolean tvl_layer_refresh_event_parse(GstEvent *event, guint *spatial);

G_END_DECLS

#endif
