/* held.c - see held.h. */
#include "held.h"

#include <stdlib.h>
#include <string.h>

bool tvl_held_keep(struct tvl_held *h, const struct tvl_datagram *dgram, enum tvl_level level,
                   const uint8_t *bytes, size_t len)
{
    struct tvl_held_packet *p;

    if (h->n == TVL_HELD_MAX || len > sizeof p->bytes)
        return false;
    p = malloc(sizeof *p);
    if (!p)
        return false;
    p->dgram = *dgram;
    p->dgram.len = len;
    p->level = level;
    memcpy(p->bytes, bytes, len);
    h->packet[h->n++] = p;
    return true;
}

struct tvl_held_packet *tvl_held_take(struct tvl_held *h, enum tvl_level level)
{
    for (size_t i = 0; i < h->n; i++) {
        struct tvl_held_packet *p = h->packet[i];

        if (p->level != level)
            continue;
        h->n--;
        memmove(&h->packet[i], &h->packet[i + 1], (h->n - i) * sizeof h->packet[0]);
        return p;
    }
    return NULL;
}

void tvl_held_fini(struct tvl_held *h)
{
    while (h->n > 0)
        free(h->packet[--h->n]);
}
