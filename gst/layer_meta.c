/* layer_meta.c - see layer_meta.h. */
#include "layer_meta.h"

#include <string.h>

G_STATIC_ASSERT(TVL_LAYER_SPATIAL_MAX == SVC_SPATIAL_MAX);
G_STATIC_ASSERT(TVL_LAYER_TEMPORAL_MAX == SVC_TEMPORAL_MAX);
G_STATIC_ASSERT(TVL_LAYER_SLOTS == SVC_SLOTS);

TvlLayerMeta *tvl_buffer_add_unit_meta(GstBuffer *buffer, const struct svc_unit *unit)
{
    TvlLayerMeta like = { .picture = unit->picture,
                          .spatial = unit->layer.spatial,
                          .temporal = unit->layer.temporal,
                          .key = unit->key,
                          .sync = TRUE,
                          .captured = unit->captured,
                          .encode_us = unit->encode_us,
                          .deps = { .refreshes = unit->deps.refreshes,
                                    .n_reads = unit->deps.n_reads } };
    for (guint i = 0; i < unit->deps.n_reads; i++) {
        const struct svc_read *r = &unit->deps.reads[i];
        like.deps.reads[i] = (TvlLayerRead){ r->slot, r->spatial, r->picture };
        like.sync &= r->picture == unit->picture;
    }
    return tvl_buffer_add_layer_meta(buffer, &like);
}

gboolean tvl_buffer_is_layer_unit(GstBuffer *buffer)
{
    const TvlLayerMeta *m = tvl_buffer_get_layer_meta(buffer);
    const gsize len = gst_buffer_get_size(buffer);
    if (!m || m->spatial >= SVC_SPATIAL_MAX || m->temporal >= SVC_TEMPORAL_MAX ||
        m->deps.n_reads > SVC_SLOTS || len == 0 || len > SVC_UNIT_MAX)
        return FALSE;
    for (guint i = 0; i < m->deps.n_reads; i++)
        if (m->deps.reads[i].slot >= SVC_SLOTS || m->deps.reads[i].spatial >= SVC_SPATIAL_MAX)
            return FALSE;
    return TRUE;
}

void tvl_layer_meta_unit(const TvlLayerMeta *meta, const guint8 *bytes, gsize len, gint64 pts,
                         struct svc_unit *out)
{
    memset(out, 0, sizeof *out);
    out->bytes = bytes;
    out->len = len;
    out->picture = meta->picture;
    out->pts = pts;
    out->layer = (struct svc_layer){ meta->spatial, meta->temporal };
    out->key = meta->key;
    out->captured = meta->captured;
    out->encode_us = meta->encode_us;
    out->deps.refreshes = meta->deps.refreshes;
    out->deps.n_reads = meta->deps.n_reads;
    for (guint i = 0; i < meta->deps.n_reads && i < SVC_SLOTS; i++) {
        const TvlLayerRead *r = &meta->deps.reads[i];
        out->deps.reads[i].slot = r->slot;
        out->deps.reads[i].spatial = r->spatial;
        out->deps.reads[i].picture = r->picture;
    }
}
