/* layer.c - see gst/tvl/layer.h. */
#include <gst/tvl/layer.h>

#include <string.h>

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

static void copy_words(GstMeta *to, const GstMeta *from)
{
    memcpy((guint8 *)to + sizeof *to, (const guint8 *)from + sizeof *from,
           sizeof(TvlLayerMeta) - sizeof *to);
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
    copy_words(copy, meta);
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

TvlLayerMeta *tvl_buffer_get_layer_meta(GstBuffer *buffer)
{
    return (TvlLayerMeta *)gst_buffer_get_meta(buffer, tvl_layer_meta_api_get_type());
}

static gboolean in_range(const TvlLayerMeta *m)
{
    if (m->spatial >= TVL_LAYER_SPATIAL_MAX || m->temporal >= TVL_LAYER_TEMPORAL_MAX ||
        m->deps.n_reads > TVL_LAYER_SLOTS)
        return FALSE;
    for (guint i = 0; i < m->deps.n_reads; i++)
        if (m->deps.reads[i].slot >= TVL_LAYER_SLOTS ||
            m->deps.reads[i].spatial >= TVL_LAYER_SPATIAL_MAX)
            return FALSE;
    return TRUE;
}

TvlLayerMeta *tvl_buffer_add_layer_meta(GstBuffer *buffer, const TvlLayerMeta *like)
{
    if (!in_range(like) || !gst_buffer_is_writable(buffer))
        return NULL;
    TvlLayerMeta *m = (TvlLayerMeta *)gst_buffer_add_meta(buffer, tvl_layer_meta_get_info(), NULL);
    copy_words(&m->meta, &like->meta);
    if (m->key)
        GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    else
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    /* A unit may be read by the next layer of its own picture: only without refresh is it alone. */
    if (m->deps.refreshes == 0)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DROPPABLE);
    return m;
}
