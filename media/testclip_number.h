/*
 * testclip_number.h - the machine-readable picture number at the bottom of the project's test clip.
 *
 * 24 black or white blocks over the full width, the lowest 1/24 of the height: 16 bits of the
 * number modulo 65536, highest first, then an 8-bit check. Large enough to survive coding at a
 * quarter of the size.
 */
#ifndef TESTCLIP_NUMBER_H
#define TESTCLIP_NUMBER_H

#include "svc/svc.h"

#define TESTCLIP_BLOCKS 24
#define TESTCLIP_STRIP_PARTS 24 /* the strip is this part of the height */

/* The 24 bits, the leftmost block highest. */
uint32_t testclip_pattern(uint16_t number);
/* The number, or -1: no readable strip. Any size from 96 x 48 on. */
int testclip_read_number(const struct svc_image *img);

#endif
