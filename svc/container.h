/* container.h - the kinds of files that carry layered video, and what each can hold. */
#ifndef SVC_CONTAINER_H
#define SVC_CONTAINER_H

#include <libavutil/rational.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SVC_OPUS_RATE 48000
#define SVC_OPUS_PRE_SKIP 312 /* samples: libopus's look-ahead at 48 kHz */
#define SVC_OPUS_HEAD_BYTES 19

static const AVRational svc_us = { 1, 1000000 };

enum svc_container { SVC_NO_CONTAINER, SVC_MKV, SVC_WEBM, SVC_MP4, SVC_IVF, SVC_OBU_FILE };

/* By the first bytes of a file [64 are enough]; OBU: a temporal delimiter. */
enum svc_container svc_container_of_head(const uint8_t *head, size_t len);
/* By the ending of its name; MKV if it has none of ours. */
enum svc_container svc_container_of_path(const char *path);
bool svc_container_has_sound(enum svc_container c);
const char *svc_container_name(enum svc_container c); /* "mkv" ... */
/* libavformat's names */
const char *svc_container_demuxer(enum svc_container c);
const char *svc_container_muxer(enum svc_container c);
/* NULL: it can hold that; else why not. `codec` in RFC 6381 form. */
const char *svc_container_lacks(enum svc_container c, const char *codec, bool sound);

#endif
