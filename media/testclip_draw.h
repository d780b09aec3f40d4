/*
 * testclip_draw.h - the project's test clip, picture by picture and beep by beep.
 *
 * A textured landscape that pans and zooms, textured discs that move over it, the picture
 * number large at the top left and as a strip at the bottom (testclip_number.h); sound is a soft
 * tone with a beep at each full second. Everything follows from the seed.
 */
#ifndef TESTCLIP_DRAW_H
#define TESTCLIP_DRAW_H

#include "svc/svc.h"

struct testclip;
struct testclip *testclip_new(uint16_t width, uint16_t height, uint32_t seed); /* NULL: memory */
/* Picture `number` at `seconds`; valid until the next call. */
struct svc_image testclip_draw(struct testclip *c, unsigned number, double seconds);
/* The same on memory of the caller's, of the clip's size. */
void testclip_draw_to(struct testclip *c, const struct svc_image_buffer *to, unsigned number,
                      double seconds);
void testclip_free(struct testclip *c);

#define TESTCLIP_RATE 48000
/* `n` mono samples from sample `at` on. */
void testclip_sound(uint64_t at, int16_t *out, size_t n);

#endif
