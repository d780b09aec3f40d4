/* path_stats.c - see path_stats.h. */
#include "path_stats.h"

#include "path_spec.h"

void tvl_path_stats_append(GValue *array, const gchar *name, const gchar *caller,
                           const struct tvl_path_stats *path)
{
    GValue v = G_VALUE_INIT;
    gchar remote[PATH_SPEC_ADDRESS_MAX];
    path_spec_address(&path->remote, remote);
    const gboolean up = path->state == TVL_PATH_UP && path->validated;
    GstStructure *s = gst_structure_new(
        "path", "name", G_TYPE_STRING, name, "remote", G_TYPE_STRING, remote, "up", G_TYPE_BOOLEAN,
        up, "backup", G_TYPE_BOOLEAN, (gboolean)path->backup, "rtt-us", G_TYPE_UINT64,
        (guint64)path->srtt, "rate-bps", G_TYPE_UINT64, path->delivery_bps, "bytes-sent",
        G_TYPE_UINT64, path->bytes_sent, "bytes-received", G_TYPE_UINT64, path->bytes_received,
        "packets-sent", G_TYPE_UINT64, path->packets_sent, "packets-received", G_TYPE_UINT64,
        path->packets_received, "packets-lost", G_TYPE_UINT64, path->packets_lost,
        "congestion-control", G_TYPE_STRING, path->cc ? path->cc : "", NULL);
    if (caller)
        gst_structure_set(s, "caller", G_TYPE_STRING, caller, NULL);
    g_value_init(&v, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&v, s);
    gst_value_array_append_and_take_value(array, &v);
}
