/* histogram.c - see histogram.h. */
#include "histogram.h"

void histogram_add(struct histogram *h, int64_t us)
{
    const int64_t off = us - h->origin;
    int64_t at = HISTOGRAM_BELOW + off / HISTOGRAM_BIN_US - (off % HISTOGRAM_BIN_US < 0);

    if (at < 0)
        at = 0;
    if (at >= HISTOGRAM_BINS)
        at = HISTOGRAM_BINS - 1;
    h->bin[at]++;
    h->n++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->n += from->n;
    for (size_t i = 0; i < HISTOGRAM_BINS; i++)
        into->bin[i] += from->bin[i];
}

int64_t histogram_share(const struct histogram *h, double share)
{
    const double wanted = share * (double)h->n;
    uint64_t seen = 0;

    if (h->n == 0)
        return h->origin;
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        seen += h->bin[i];
        if (seen > 0 && (double)seen >= wanted)
            return h->origin + ((int64_t)i + 1 - HISTOGRAM_BELOW) * HISTOGRAM_BIN_US;
    }
    return h->origin;
}
