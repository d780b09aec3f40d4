/*
 * codec.h - what a codec library has to give: one table per backend, all listed in codecs.c.
 *
 * encoder.c and decoder.c do what is the same for all (structure, rates, dependencies, the
 * tracker); a backend turns pictures into bytes under given references and quantizers, and back.
 */
#ifndef SVC_CODEC_H
#define SVC_CODEC_H

#include "structure.h"

struct svc_coding { /* one layer of one picture */
    struct svc_layer layer;
    struct svc_refs refs;
    uint8_t quantizer;    /* AV1 scale [0, 63] */
    uint8_t speed;        /* as svc_encoder_config.speed; a backend may ignore it */
    const uint8_t *bytes; /* result; the backend's until its next call */
    size_t len;
};

struct svc_codec {
    const char *name;    /* of svc_codecs */
    const char *rfc6381; /* how svc_stream_info.codec begins */
    uint8_t n_spatial_max, n_temporal_max;
    bool long_term; /* the encoder can keep and read long-term references */
    bool in_order;  /* slots are not named but counted: a late unit cannot be decoded any more */

    /* An encoder for `cfg`, which has been checked; `info` gives the layers' sizes, its `codec` is
     * the backend's to fill in. */
    int (*encoder_open)(void **state, const struct svc_encoder_config *cfg,
                        struct svc_stream_info *info);
    /* The `n` lowest layers of a picture. 0 or SVC_ERR_CODEC, SVC_ERR_NOMEM. */
    int (*encode)(void *state, const struct svc_image *img, uint64_t picture,
                  struct svc_coding *coding, size_t n);
    void (*encoder_close)(void *state);

    int (*decoder_open)(void **state, unsigned threads);
    /* One unit whose references are there. 0: out->image and out->opaque are set. */
    int (*decode)(void *state, const struct svc_unit *unit, struct svc_picture *out);
    void (*release)(void *opaque);
    void (*flush)(void *state); /* after damaged bits: as it was when opened */
    void (*decoder_close)(void *state);
};

extern const struct svc_codec svc_codec_av1, svc_codec_vp9, svc_codec_h264;
extern const struct svc_codec *const svc_codec_all[]; /* NULL-ended */
/* By name, or by the beginning of an RFC 6381 string; NULL: no such. */
const struct svc_codec *svc_codec_find(const char *name);
/* Width of a pixel over its height is num / den; about square, or 0: square. */
void svc_image_set_par(struct svc_image *img, uint32_t num, uint32_t den);

#endif
