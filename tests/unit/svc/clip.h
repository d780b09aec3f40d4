/* clip.h - a small moving picture for the tests, and libaom's decoder as the reference. */
#ifndef CLIP_H
#define CLIP_H

#include "svc/svc.h"

struct clip {
    uint16_t width, height;
    uint8_t *bytes; /* one picture, I420 */
};

void clip_init(struct clip *c, uint16_t width, uint16_t height);
/* The picture `n`; valid until the next call. */
struct svc_image clip_draw(struct clip *c, unsigned n);
void clip_fini(struct clip *c);

struct reference;
struct reference *reference_new(void);
/* CRC of what libaom makes of the unit; 0 if it gave no picture. */
uint32_t reference_decode(struct reference *r, const struct svc_unit *unit);
void reference_free(struct reference *r);

/* A coded clip kept in memory, with the reference's CRC of every layer. */
#define KEPT_MAX 80
struct kept {
    unsigned n;
    uint8_t n_spatial;
    struct svc_unit unit[KEPT_MAX][SVC_SPATIAL_MAX];
    uint32_t crc[KEPT_MAX][SVC_SPATIAL_MAX];
    struct svc_stream_info info;
};
struct kept *kept_new(const struct svc_encoder_config *cfg, unsigned n);
void kept_free(struct kept *k);

#endif
