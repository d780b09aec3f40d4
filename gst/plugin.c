/* plugin.c - the plug-in `tvl`: registers its elements. */
#include "elements.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    gboolean any = GST_ELEMENT_REGISTER(svcav1enc, plugin);
    any |= GST_ELEMENT_REGISTER(svcav1dec, plugin);
    any |= GST_ELEMENT_REGISTER(svcav1parse, plugin);
    any |= GST_ELEMENT_REGISTER(tvlsink, plugin);
    any |= GST_ELEMENT_REGISTER(tvlsrc, plugin);
    return any;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, tvl,
                  "Layered video over several paths: AV1 in layers, Media over QUIC", plugin_init,
                  PACKAGE_VERSION, "MIT/X11", PACKAGE, PACKAGE_ORIGIN)
