/* track_caps.h - the caps of what a catalog offers. */
#ifndef GST_TRACK_CAPS_H
#define GST_TRACK_CAPS_H

#include "subscription.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* The caller's; `base`: the video's base layer, in the catalog. */
GstCaps *track_video_caps(const struct msf_catalog *c, const struct subscription_plan *p,
                          const struct msf_track *base);
GstCaps *track_sound_caps(const struct msf_track *t);
/* The text of what of these caps, which are fixed, comes through track_data_caps; FALSE: it does
 * not fit, `out` is "". */
gboolean track_caps_text(const GstCaps *caps, gchar *out, gsize size);
/* Of an opaque track: its publisher's caps, where they are fixed and of plain values (numbers,
 * texts, fractions, bytes); else their name alone, where it is a media type. */
GstCaps *track_data_caps(const struct msf_track *t);
/* Language, title, and of a sound the bit rate; the caller's. NULL: none is said. */
GstTagList *track_tags(const struct msf_track *t);

G_END_DECLS

#endif
