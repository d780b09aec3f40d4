/* rounds.c - see rounds.h. */
#include "rounds.h"

size_t rounds_take(struct rounds *t, size_t n)
{
    if (t->left == 0 || t->left > n)
        t->left = n;
    t->left--;
    return t->next++ % n;
}

void rounds_stay(struct rounds *t)
{
    t->left = 0;
    t->next--;
}

bool rounds_left(const struct rounds *t)
{
    return t->left > 0;
}
