/* clip.h - a small moving picture for the tests, and what the codecs' judges make of it. */
#ifndef CLIP_H
#define CLIP_H

#include "judge.h"
#include "svc/svc.h"

struct clip {
    uint16_t width, height;
    uint8_t *bytes; /* one picture, I420 */
};

void clip_init(struct clip *c, uint16_t width, uint16_t height);
/* The picture `n`; valid until the next call. */
struct svc_image clip_draw(struct clip *c, unsigned n);
void clip_fini(struct clip *c);

/* As judge_new and judge_decode, which must not fail: the picture's CRC. */
struct judge *clip_judge(const char *codec);
uint32_t clip_judged(struct judge *j, const struct svc_unit *unit);

/* A coded clip kept in memory, with the judge's CRC of every layer. */
struct kept {
    const char *codec;
    unsigned n;
    uint8_t n_spatial;
    struct svc_unit (*unit)[SVC_SPATIAL_MAX]; /* [n] */
    uint32_t (*crc)[SVC_SPATIAL_MAX];
    struct svc_stream_info info;
};
struct kept *kept_new(const struct svc_encoder_config *cfg, unsigned n);
void kept_free(struct kept *k);

/* How a kept clip comes through a bad network. */
struct trial {
    unsigned loss_percent; /* of the units never come */
    unsigned late_percent; /* of the others come 1 to 4 pictures late */
    uint32_t seed;
};
struct outcome {
    uint64_t units, lost, late, late_taken;
    uint64_t shown, wrong; /* wrong: differs from the judge's in bits, size or number */
    uint64_t errors;       /* of the decoder */
};
/* Adds to *out. The decoder gets what arrives in the order of arrival. */
void kept_try(const struct kept *k, const struct trial *trial, struct outcome *out);

#endif
