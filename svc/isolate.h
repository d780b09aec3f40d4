/*
 * isolate.h - a codec's encoder in a process of its own: the distribution's libraries abort on what
 * they do not expect, and a library must not take its program along.
 *
 *     encoder.c ── svc_coding, by socket ──► child: the codec's encode
 *        │   picture, coded bytes: one piece of shared memory  │
 *        ◄── lengths, by socket ───────────────────────────────┘
 *
 * The child is forked, does nothing but code, and ends with its parent. When it has died, or has
 * not answered for SVC_ISOLATE_PATIENCE_MS, svc_isolate_encode says SVC_ERR_CODEC and a new one
 * starts with the next call, which has to code a key picture.
 */
#ifndef SVC_ISOLATE_H
#define SVC_ISOLATE_H

#include "codec.h"

#define SVC_ISOLATE_PATIENCE_MS 10000

struct svc_isolate;

/* As svc_codec.encoder_open, for an encoder over there. */
int svc_isolate_open(struct svc_isolate **out, const struct svc_codec *codec,
                     const struct svc_encoder_config *cfg, struct svc_stream_info *info);
/* As svc_codec.encode. A picture that is not yet in svc_isolate_image's place is copied there.
 * NULL: the one that is there. */
int svc_isolate_encode(struct svc_isolate *iso, const struct svc_image *img, uint64_t picture,
                       struct svc_coding *coding, size_t n);
/* Pictures that had to be copied. */
uint64_t svc_isolate_copies(const struct svc_isolate *iso);
/* Where a picture may be written that shall not be copied; valid until close. */
struct svc_image_buffer svc_isolate_image(struct svc_isolate *iso);
void svc_isolate_close(struct svc_isolate *iso);

#endif
