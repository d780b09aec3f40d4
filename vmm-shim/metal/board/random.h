/* random.h - a source of randomness that is found later (virtio-rng) goes before the processor's.
 */
#ifndef METAL_RANDOM_H
#define METAL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `read` runs within system calls: it calls nothing of the C library. */
void board_add_random(bool (*read)(void *user, uint8_t *out, size_t n), void *user);

#endif
