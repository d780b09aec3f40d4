/* track_caps.h - the caps of what a catalog offers. */
#ifndef GST_TRACK_CAPS_H
#define GST_TRACK_CAPS_H

#include "subscription.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* The caller's. NULL: the plan has no video. */
GstCaps *track_video_caps(const struct msf_catalog *c, const struct subscription_plan *p);
GstCaps *track_sound_caps(const struct msf_track *t);
/* Of an opaque track: what its publisher calls it, where that is a media type. */
GstCaps *track_data_caps(const struct msf_track *t);

G_END_DECLS

#endif
