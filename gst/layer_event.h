/*
 * layer_event.h - "layers from this one up were lost": a custom upstream event.
 *
 *     TvlLayerRefresh, spatial = (uint) [0, SVC_SPATIAL_MAX),
 *         held = (GstArray of guint64) of each of the SVC_SLOTS slots what the receiver has there:
 *                picture number * SVC_SPATIAL_MAX + spatial layer, or G_MAXUINT64: nothing;
 *                missing: nothing is known to be there
 *
 * From svcav1dec, tvlsink or an application, up to svcav1enc, which predicts those layers anew at
 * its next T0 picture (svc_encoder_recover): from a long-term reference that the receiver holds,
 * else from the layer below; spatial 0 is a key picture if nothing else is left. Where a key
 * picture is wanted as such, that is GstForceKeyUnit, as everywhere.
 *
 *     gst_element_send_event(pipeline, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
 *         gst_structure_new("TvlLayerRefresh", "spatial", G_TYPE_UINT, 1, NULL)));
 */
#ifndef GST_LAYER_EVENT_H
#define GST_LAYER_EVENT_H

#include <gst/gst.h>

#include <gst/tvl/layer.h>

#include "svc/svc.h"

G_BEGIN_DECLS

/* `held`: by the picture numbers of the metas (layer_meta.h); NULL: nothing. */
GstEvent *tvl_layer_refresh_event_new(guint spatial, const struct svc_tracker *held);
/* FALSE: another event. A refresh without `spatial` means 0. `held` may be NULL. */
gboolean tvl_layer_refresh_event_parse(GstEvent *event, guint *spatial, struct svc_tracker *held);

/* Whether to ask: once, and again every half second of the stream while the layers stay away. */
struct tvl_layer_want {
    guint spatial; /* asked for from this one up; SVC_SPATIAL_MAX: nothing */
    GstClockTime at;
};
#define TVL_LAYER_WANT_NONE ((struct tvl_layer_want){ .spatial = SVC_SPATIAL_MAX })

/* Layers from `spatial` up are missing at the stream's time `now`: TRUE if they are to be asked
 * for, which is noted. SVC_SPATIAL_MAX: none is, FALSE. */
gboolean tvl_layer_want_due(struct tvl_layer_want *w, guint spatial, GstClockTime now);
/* `spatial` and all below it have come. */
void tvl_layer_want_met(struct tvl_layer_want *w, guint spatial);

G_END_DECLS

#endif
