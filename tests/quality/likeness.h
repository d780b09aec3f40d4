/*
 * likeness.h - how like the source each picture of a layered clip is, at display size.
 *
 * A picture decoded with all layers up to S is the same whenever it is shown: the tracker lets
 * nothing else through. So the pixels are made once per clip and kept in CACHE.planes: the source's
 * luma and that of every layer, enlarged to the display. What is compared is kept in CACHE.pairs,
 * and a run that meets no new pair looks at no pixel.
 */
#ifndef QUALITY_LIKENESS_H
#define QUALITY_LIKENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKENESS_PSNR_MAX 60. /* dB: better counts as that */

struct likeness_config {
    const char *layered, *source; /* files; the source's picture n is the layered one's */
    const char *cache;            /* path without its ending; the folder exists */
    uint16_t width, height;       /* of the display; 0: the top layer's */
};

struct likeness;

/* Makes the planes if they are missing. 0, or -1 with one line. */
int likeness_new(struct likeness **out, const struct likeness_config *cfg, char *why,
                 size_t why_size);
void likeness_free(struct likeness *l); /* new pairs are written */

uint64_t likeness_pictures(const struct likeness *l);
double likeness_fps(const struct likeness *l);
unsigned likeness_spatial(const struct likeness *l); /* layers */
unsigned likeness_temporal(const struct likeness *l, uint64_t picture);
/* Of the decoded picture, at its own size. */
uint32_t likeness_crc(const struct likeness *l, uint64_t picture, unsigned spatial);

struct likeness_pair {
    float ssim; /* luma, [0, 1] */
    float psnr; /* luma, dB */
};
/* The display shows `shown`, decoded up to `spatial`, when it should show `wanted`. Picture numbers
 * count on over the clip's repetitions. */
struct likeness_pair likeness_of(struct likeness *l, uint64_t wanted, uint64_t shown,
                                 unsigned spatial);

#endif
