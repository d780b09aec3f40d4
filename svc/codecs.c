/* codecs.c - the backends there are. A small build for guests has small.c in its place. */
#include "codec.h"

const struct svc_codec *const svc_codec_all[] = { &svc_codec_av1, &svc_codec_vp9, &svc_codec_h264,
                                                  NULL };
const char *const svc_codecs[] = { "av1", "vp9", "h264", NULL };
