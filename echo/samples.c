/* samples.c - see samples.h. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

void samples_init(struct samples *s)
{
    memset(s, 0, sizeof *s);
}

void samples_fini(struct samples *s)
{
    if (!s)
        return;
    free(s->us);
    samples_init(s);
}

void samples_add(struct samples *s, uint64_t us)
{
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 64;
        uint32_t *more = s->n < SAMPLES_MAX ? realloc(s->us, cap * sizeof *more) : NULL;

        if (!more)
            return;
        s->us = more;
        s->cap = cap;
    }
    s->us[s->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint32_t samples_percentile(struct samples *s, double percent)
{
    size_t at;

    if (s->n == 0)
        return 0;
    qsort(s->us, s->n, sizeof *s->us, compare);
    at = (size_t)(percent / 100.0 * (double)s->n); /* nearest rank */
    if ((double)at * 100.0 == percent * (double)s->n && at > 0)
        at--;
    return s->us[at < s->n ? at : s->n - 1];
}
