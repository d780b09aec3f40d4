/* crc.c - the fingerprint of a picture: CRC-32 (IEEE 802.3) of its visible pixels. */
#include "svc/svc.h"

#include <zlib.h>

static uLong crc_plane(uLong crc, const struct svc_image *img, int p)
{
    size_t width = p == 0 ? img->width : (img->width + 1u) / 2u;
    width *= img->depth > 8 ? 2 : 1;
    size_t height = p == 0 ? img->height : (img->height + 1u) / 2u;
    for (size_t y = 0; y < height; y++)
        crc = crc32(crc, img->plane[p] + (ptrdiff_t)y * img->stride[p], (uInt)width);
    return crc;
}

uint32_t svc_image_crc(const struct svc_image *img)
{
    uLong crc = crc32(0, NULL, 0);
    for (int p = 0; p < 3; p++)
        crc = crc_plane(crc, img, p);
    return (uint32_t)crc;
}
