/* layer_event.c - see layer_event.h. */
#include "layer_event.h"

GstEvent *tvl_layer_refresh_event_new(guint spatial)
{
    return gst_event_new_custom(
        GST_EVENT_CUSTOM_UPSTREAM,
        gst_structure_new(TVL_LAYER_REFRESH, "spatial", G_TYPE_UINT, spatial, NULL));
}

gboolean tvl_layer_refresh_event_parse(GstEvent *event, guint *spatial)
{
    if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM ||
        !gst_event_has_name(event, TVL_LAYER_REFRESH))
        return FALSE;
    const GstStructure *s = gst_event_get_structure(event);
    gint as_int;
    if (!gst_structure_get_uint(s, "spatial", spatial)) /* gst-launch and Python make ints */
        *spatial = gst_structure_get_int(s, "spatial", &as_int) && as_int > 0 ? (guint)as_int : 0;
    return TRUE;
}
