/*
 * convert.h - decoded pictures to the pixels of a screen: the matrix and range that the bitstream
 * says (ITU-R BT.601, BT.709, BT.2020; limited or full), 8, 10 or 12 bits, through libswscale.
 */
#ifndef CLIENT_CONVERT_H
#define CLIENT_CONVERT_H

#include <svc/svc.h>

struct convert;                    /* keeps what one kind of picture after the other needs */
struct convert *convert_new(void); /* NULL: no memory */
void convert_free(struct convert *c);
/* Into BGRA of the picture's size, `pitch` bytes a row. SVC_MATRIX_UNKNOWN is taken for BT.709. 0,
 * or -1: there is no way for such a picture. */
int convert_picture(struct convert *c, const struct svc_image *img, uint8_t *bgra, int pitch);

#endif
