/* mkv.h - what reader and writer of layered MKV files agree on. */
#ifndef SVC_MKV_H
#define SVC_MKV_H

#include <libavutil/rational.h>

#define SVC_OPUS_RATE 48000
#define SVC_OPUS_PRE_SKIP 312 /* samples: libopus's look-ahead at 48 kHz */
#define SVC_OPUS_HEAD_BYTES 19

static const AVRational svc_us = { 1, 1000000 };

#endif
