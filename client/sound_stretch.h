/* sound_stretch.h - sound a little faster or slower, by a resampler: no pitch is heard to change.
 */
#ifndef CLIENT_SOUND_STRETCH_H
#define CLIENT_SOUND_STRETCH_H

#include <stdint.h>

struct sound_stretch;
/* At work at speed 1 too, so that nothing is heard of its being switched on. NULL: there is none.
 */
struct sound_stretch *sound_stretch_new(uint32_t rate, uint8_t channels);
void sound_stretch_free(struct sound_stretch *s); /* NULL allowed */
/* `frames` of `in` become `frames + more`, spread over them; how many went to `out` (room for
 * `most`), or -1: not by so much. */
int sound_stretch_run(struct sound_stretch *s, const int16_t *in, int frames, int more,
                      int16_t *out, int most);
int64_t sound_stretch_delay(const struct sound_stretch *s); /* us of sound in it */

#endif
