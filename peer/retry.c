/* retry.c - see retry.h. */
#include "retry.h"

/* In [0, 1): splitmix64, by Sebastiano Vigna, public domain. */
static double draw(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

double retry_wait(struct retry *r)
{
    double wait = RETRY_FIRST_S;

    if (r->failed++ == 0)
        return 0;
    for (unsigned i = 2; i < r->failed && wait < RETRY_MOST_S; i++)
        wait *= 2;
    if (wait > RETRY_MOST_S)
        wait = RETRY_MOST_S;
    return wait * (1 - RETRY_JITTER + 2 * RETRY_JITTER * draw(&r->seed));
}

void retry_reset(struct retry *r)
{
    r->failed = 0;
}
