/* sound_card.h - the loudspeaker: asks for samples on a thread of its own. */
#ifndef CLIENT_SOUND_CARD_H
#define CLIENT_SOUND_CARD_H

#include <stddef.h>
#include <stdint.h>

struct sound_card;
/* Fill `frames` samples of each channel, interleaved. On the card's thread, under its lock. */
typedef void sound_card_fn(void *user, int16_t *samples, size_t frames);
/* `*period`: frames at a time that are wished for; what the card takes. NULL and a warning: there
 * is none. It waits until it is started. */
struct sound_card *sound_card_open(uint32_t rate, uint8_t channels, size_t *period,
                                   sound_card_fn *fill, void *user);
/* All: NULL allowed, nothing happens. */
void sound_card_start(struct sound_card *c);
void sound_card_close(struct sound_card *c);
void sound_card_lock(struct sound_card *c);
void sound_card_unlock(struct sound_card *c);

#endif
