/* entropy.h - virtio-rng as the board's source of randomness. */
#ifndef METAL_ENTROPY_H
#define METAL_ENTROPY_H

/* Looks for the device; without one the processor's RDRAND is all there is. */
void entropy_start(void);

#endif
