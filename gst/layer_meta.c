/* layer_meta.c - see layer_meta.h. */
#include "layer_meta.h"

GType tvl_layer_meta_api_get_type(void)
{
    static gsize type;
    static const gchar *tags[] = { NULL };
    if (g_once_init_enter(&type)) {
        GType registered = gst_meta_api_type_register("TvlLayerMetaAPI", tags);
        g_once_init_leave(&type, registered);
    }
    return (GType)type;
}

static gboolean meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer)
{
    (void)params;
    (void)buffer;
    memset((guint8 *)meta + sizeof *meta, 0, sizeof(TvlLayerMeta) - sizeof *meta);
    return TRUE;
}

static gboolean meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type,
                               gpointer data)
{
    (void)from;
    if (!GST_META_TRANSFORM_IS_COPY(type) || ((GstMetaTransformCopy *)data)->region)
        return FALSE;
    GstMeta *copy = gst_buffer_add_meta(to, tvl_layer_meta_get_info(), NULL);
    if (!copy)
        return FALSE;
    memcpy((guint8 *)copy + sizeof *copy, (const guint8 *)meta + sizeof *meta,
           sizeof(TvlLayerMeta) - sizeof *meta);
    return TRUE;
}

const GstMetaInfo *tvl_layer_meta_get_info(void)
{
    static const GstMetaInfo *info;
    if (g_once_init_enter(&info)) {
        const GstMetaInfo *registered =
            gst_meta_register(tvl_layer_meta_api_get_type(), "TvlLayerMeta", sizeof(TvlLayerMeta),
                              meta_init, NULL, meta_transform);
        g_once_init_leave(&info, registered);
    }
    return info;
}

static gboolean reads_no_other_picture(const struct svc_unit *unit)
{
    for (unsigned i = 0; i < unit->deps.n_reads; i++)
        if (unit->deps.reads[i].picture != unit->picture)
            return FALSE;
    return TRUE;
}

TvlLayerMeta *tvl_buffer_add_layer_meta(GstBuffer *buffer, const struct svc_unit *unit)
{
    TvlLayerMeta *m = (TvlLayerMeta *)gst_buffer_add_meta(buffer, tvl_layer_meta_get_info(), NULL);
    m->picture = unit->picture;
    m->spatial = unit->layer.spatial;
    m->temporal = unit->layer.temporal;
    m->key = unit->key;
    m->sync = reads_no_other_picture(unit);
    m->captured = unit->captured;
    m->encode_us = unit->encode_us;
    m->deps = unit->deps;
    if (unit->key)
        GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    else
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    /* A unit may be read by the next layer of its own picture: only without refresh is it alone. */
    if (unit->deps.refreshes == 0)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DROPPABLE);
    return m;
}

TvlLayerMeta *tvl_buffer_get_layer_meta(GstBuffer *buffer)
{
    return (TvlLayerMeta *)gst_buffer_get_meta(buffer, tvl_layer_meta_api_get_type());
}

gboolean tvl_buffer_is_layer_unit(GstBuffer *buffer)
{
    const TvlLayerMeta *m = tvl_buffer_get_layer_meta(buffer);
    const gsize len = gst_buffer_get_size(buffer);
    return m && m->spatial < SVC_SPATIAL_MAX && m->temporal < SVC_TEMPORAL_MAX &&
           m->deps.n_reads <= SVC_SLOTS && len > 0 && len <= SVC_UNIT_MAX;
}

void tvl_layer_meta_unit(const TvlLayerMeta *meta, const guint8 *bytes, gsize len, gint64 pts,
                         struct svc_unit *out)
{
    *out = (struct svc_unit){
        .bytes = bytes,
        .len = len,
        .picture = meta->picture,
        .pts = pts,
        .layer = { .spatial = meta->spatial, .temporal = meta->temporal },
        .key = meta->key,
        .captured = meta->captured,
        .encode_us = meta->encode_us,
        .deps = meta->deps,
    };
}
