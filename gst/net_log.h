/* net_log.h - the debug category of what goes over the network: what peer/ says comes there, too.
 */
#ifndef GST_NET_LOG_H
#define GST_NET_LOG_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* "tvl", made at the first call; any thread. */
GstDebugCategory *tvl_debug_category(void);

G_END_DECLS

#endif
