/* rng.c - see rng.h; no state outside the structure. */
#include "rng.h"

#define PPM 1000000u

static uint64_t splitmix(uint64_t *x)
{
    *x += 0x9e3779b97f4a7c15u;
    uint64_t z = *x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void vlink_rng_init(struct vlink_rng *r, uint64_t seed, uint64_t stream)
{
    uint64_t key = stream;
    uint64_t x = seed ^ splitmix(&key);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&x);
}

uint64_t vlink_rng_next(struct vlink_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t vlink_rng_below(struct vlink_rng *r, uint64_t bound)
{
    return vlink_rng_next(r) % bound;
}

bool vlink_rng_chance(struct vlink_rng *r, uint32_t ppm)
{
    if (ppm == 0)
        return false;
    return vlink_rng_below(r, PPM) < ppm;
}
