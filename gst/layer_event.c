/* layer_event.c - see layer_event.h. */
#include "layer_event.h"

#include <string.h>

static void put_held(GstStructure *s, const struct svc_tracker *held)
{
    GValue array = G_VALUE_INIT, item = G_VALUE_INIT;
    g_value_init(&array, GST_TYPE_ARRAY);
    g_value_init(&item, G_TYPE_UINT64);
    for (guint i = 0; i < SVC_SLOTS; i++) {
        g_value_set_uint64(&item, held->slot[i].valid ? held->slot[i].picture * SVC_SPATIAL_MAX +
                                                            held->slot[i].spatial
                                                      : G_MAXUINT64);
        gst_value_array_append_value(&array, &item);
    }
    gst_structure_take_value(s, "held", &array);
}

static void get_held(const GstStructure *s, struct svc_tracker *held)
{
    const GValue *array = gst_structure_get_value(s, "held");
    memset(held, 0, sizeof *held);
    if (!array || !GST_VALUE_HOLDS_ARRAY(array))
        return;
    for (guint i = 0; i < SVC_SLOTS && i < gst_value_array_get_size(array); i++) {
        const GValue *item = gst_value_array_get_value(array, i);
        if (!G_VALUE_HOLDS_UINT64(item) || g_value_get_uint64(item) == G_MAXUINT64)
            continue;
        held->slot[i].valid = true;
        held->slot[i].spatial = (uint8_t)(g_value_get_uint64(item) % SVC_SPATIAL_MAX);
        held->slot[i].picture = g_value_get_uint64(item) / SVC_SPATIAL_MAX;
    }
}

GstEvent *tvl_layer_refresh_event_new(guint spatial, const struct svc_tracker *held)
{
    GstStructure *s = gst_structure_new(TVL_LAYER_REFRESH, "spatial", G_TYPE_UINT, spatial, NULL);
    if (held)
        put_held(s, held);
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, s);
}

gboolean tvl_layer_refresh_event_parse(GstEvent *event, guint *spatial, struct svc_tracker *held)
{
    if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM ||
        !gst_event_has_name(event, TVL_LAYER_REFRESH))
        return FALSE;
    const GstStructure *s = gst_event_get_structure(event);
    gint as_int;
    if (!gst_structure_get_uint(s, "spatial", spatial)) /* gst-launch and Python make ints */
        *spatial = gst_structure_get_int(s, "spatial", &as_int) && as_int > 0 ? (guint)as_int : 0;
    if (held)
        get_held(s, held);
    return TRUE;
}

#define ASK_AGAIN (GST_SECOND / 2)

gboolean tvl_layer_want_due(struct tvl_layer_want *w, guint spatial, GstClockTime now)
{
    if (spatial >= SVC_SPATIAL_MAX ||
        (w->spatial <= spatial && now < w->at + ASK_AGAIN && now >= w->at))
        return FALSE;
    *w = (struct tvl_layer_want){ spatial, now };
    return TRUE;
}

void tvl_layer_want_met(struct tvl_layer_want *w, guint spatial)
{
    if (spatial >= w->spatial)
        w->spatial = SVC_SPATIAL_MAX;
}
