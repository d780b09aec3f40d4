/* testclip_number.c - see testclip_number.h. */
#include "testclip_number.h"

#define WIDTH_MIN 96
#define HEIGHT_MIN 48
#define THRESHOLD 126 /* between video black (16) and white (235) */

uint32_t testclip_pattern(uint16_t number)
{
    /* CRC-8, polynomial 0x07, so that one wrong block is noticed. */
    unsigned crc = 0xa5;
    for (int byte = 1; byte >= 0; byte--) {
        crc ^= number >> (8 * byte) & 0xffu;
        for (int i = 0; i < 8; i++)
            crc = crc & 0x80 ? (crc << 1 ^ 0x07u) & 0xffu : crc << 1;
    }
    return (uint32_t)number << 8 | crc;
}

/* Mean luma over the middle half of block `i`. */
static unsigned block_mean(const struct svc_image *img, unsigned i)
{
    unsigned strip = img->height / TESTCLIP_STRIP_PARTS;
    unsigned top = img->height - strip + strip / 4, bottom = img->height - strip / 4;
    unsigned left = img->width * (4 * i + 1) / (4 * TESTCLIP_BLOCKS);
    unsigned right = img->width * (4 * i + 3) / (4 * TESTCLIP_BLOCKS);
    unsigned sum = 0;
    for (unsigned y = top; y < bottom; y++)
        for (unsigned x = left; x < right; x++)
            sum += img->plane[0][(ptrdiff_t)y * img->stride[0] + x];
    return sum / ((bottom - top) * (right - left));
}

int testclip_read_number(const struct svc_image *img)
{
    if (img->width < WIDTH_MIN || img->height < HEIGHT_MIN)
        return -1;
    uint32_t bits = 0;
    for (unsigned i = 0; i < TESTCLIP_BLOCKS; i++)
        bits = bits << 1 | (block_mean(img, i) > THRESHOLD);
    uint16_t number = (uint16_t)(bits >> 8);
    return testclip_pattern(number) == bits ? number : -1;
}
