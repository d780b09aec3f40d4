/* path_stats.h - a path in the `stats` of tvlsrc and of tvlsink. */
#ifndef GST_PATH_STATS_H
#define GST_PATH_STATS_H

#include <gst/gst.h>
#include <tvl/tvl.h>

G_BEGIN_DECLS

/* Appends the structure "path" to an array. `caller`: at a listener the address of whose path it
 * is, as caller-added has it; NULL: none. */
void tvl_path_stats_append(GValue *array, const gchar *name, const gchar *caller,
                           const struct tvl_path_stats *path);

G_END_DECLS

#endif
