/* crc.c - the fingerprint of a picture: CRC-32 (IEEE 802.3) of its visible pixels. */
#include "svc/svc.h"

#include <libavutil/crc.h>

static uint32_t crc_plane(const AVCRC *table, uint32_t crc, const struct svc_image *img, int p)
{
    size_t width = p == 0 ? img->width : (img->width + 1u) / 2u;
    width *= img->depth > 8 ? 2 : 1;
    size_t height = p == 0 ? img->height : (img->height + 1u) / 2u;
    for (size_t y = 0; y < height; y++)
        crc = av_crc(table, crc, img->plane[p] + (ptrdiff_t)y * img->stride[p], width);
    return crc;
}

uint32_t svc_image_crc(const struct svc_image *img)
{
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
    uint32_t crc = UINT32_MAX;
    for (int p = 0; p < 3; p++)
        crc = crc_plane(table, crc, img, p);
    return ~crc;
}
