/* net_log.c - see net_log.h; where log_text of peer/ goes in a plug-in. */
#include "net_log.h"

#include "log.h"

GstDebugCategory *tvl_debug_category(void)
{
    static gsize category;
    if (g_once_init_enter(&category)) {
        gsize made =
            (gsize)_gst_debug_category_new("tvl", 0, "multipath streaming over MoQT: the network");
        g_once_init_leave(&category, made);
    }
    return (GstDebugCategory *)category;
}

void log_set_level(enum log_level level)
{
    (void)level; /* GST_DEBUG decides */
}

/* What fails is reported by the elements on the bus; that an outage is being seen to is no warning
 * of GStreamer's. */
void log_text(enum log_level level, const char *format, ...)
{
    static const GstDebugLevel levels[] = { GST_LEVEL_ERROR, GST_LEVEL_INFO, GST_LEVEL_INFO,
                                            GST_LEVEL_DEBUG };
    GstDebugCategory *cat = tvl_debug_category();
    va_list args;
    va_start(args, format);
    if (cat)
        gst_debug_log_valist(cat, levels[level], __FILE__, "log_text", __LINE__, NULL, format,
                             args);
    va_end(args);
}
