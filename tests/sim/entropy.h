/*
 * entropy.h - makes OpenSSL's randomness a function of a seed, in this process: with it a world
 * runs alike twice down to the bits of its handshakes, which matter where a fault flips one.
 */
#ifndef SIM_ENTROPY_H
#define SIM_ENTROPY_H

#include <stdint.h>

/* From now on all of it comes from `seed`. 0, or -1. */
int sim_entropy_seed(uint64_t seed);

#endif
