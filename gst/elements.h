/* elements.h - the elements of the plug-in `tvl`, each registered by itself: a program that links
 * them statically calls GST_ELEMENT_REGISTER(svcav1enc, NULL) for those it wants. */
#ifndef GST_ELEMENTS_H
#define GST_ELEMENTS_H

#include <gst/gst.h>

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE(svcav1enc)
GST_ELEMENT_REGISTER_DECLARE(svcav1dec)
GST_ELEMENT_REGISTER_DECLARE(svcav1parse)
GST_ELEMENT_REGISTER_DECLARE(tvlsink)
GST_ELEMENT_REGISTER_DECLARE(tvlsrc)

G_END_DECLS

#endif
