/*
 * entropy.c - see entropy.h. OpenSSL 3.0 still asks an installed RAND_METHOD first; the call is
 * deprecated, and its successor is a provider of its own, much code for a test.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "entropy.h"

#include <openssl/rand.h>

#include "rng.h"

static struct vlink_rng rng;

static int fill(unsigned char *bytes, int n)
{
    for (int i = 0; i < n; i++)
        bytes[i] = (unsigned char)vlink_rng_next(&rng);
    return 1;
}

static int ready(void)
{
    return 1;
}

int sim_entropy_seed(uint64_t seed)
{
    static const RAND_METHOD method = { .bytes = fill, .pseudorand = fill, .status = ready };

    vlink_rng_init(&rng, seed, 500);
    return RAND_set_rand_method(&method) == 1 ? 0 : -1;
}
