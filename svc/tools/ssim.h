/* ssim.h - likeness of two luma planes. */
#ifndef SSIM_H
#define SSIM_H

#include <stddef.h>
#include <stdint.h>

struct plane {
    const uint8_t *at;
    ptrdiff_t stride; /* bytes */
};

/* Mean SSIM over windows of 8x8 that overlap by 4, as FFmpeg's filter; sides at least 8. */
double ssim_plane(struct plane a, struct plane b, unsigned width, unsigned height);
/* dB; 100 where the planes are equal. */
double psnr_plane(struct plane a, struct plane b, unsigned width, unsigned height);

#endif
