/* held.c - see held.h. */
#include "held.h"

#include <stdlib.h>

#define CAP_MIN 8 /* units */

void held_fini(struct held *h)
{
    free(h->pending);
    *h = (struct held){ 0 };
}

/* The oldest whose fate is known. */
static void settle(struct held *h)
{
    while (h->n > 0 && h->pending[h->first].fate != HELD_PENDING) {
        const struct held_unit *u = &h->pending[h->first];

        if (u->fate == HELD_ACKED && svc_tracker_decodable(&h->known, &u->unit))
            svc_tracker_decoded(&h->known, &u->unit);
        h->first = (h->first + 1) % h->cap;
        h->n--;
    }
}

/* Room for one more, or as much as there was: without memory, too, the oldest counts as lost. */
static void make_room(struct held *h)
{
    const size_t cap = h->cap ? 2 * h->cap : CAP_MIN;
    struct held_unit *more;

    if (h->n < h->cap || h->cap == HELD_PENDING_MAX)
        return;
    more = malloc(cap * sizeof *more);
    if (!more)
        return;
    for (size_t i = 0; i < h->n; i++)
        more[i] = h->pending[(h->first + i) % h->cap];
    free(h->pending);
    h->pending = more;
    h->first = 0;
    h->cap = cap;
}

void held_sent(struct held *h, uint64_t stream, const struct svc_unit *unit)
{
    if (unit->layer.temporal > 0)
        return;
    make_room(h);
    if (h->cap == 0)
        return;
    if (h->n == h->cap) {
        h->pending[h->first].fate = HELD_LOST;
        settle(h);
    }
    struct held_unit *u = &h->pending[(h->first + h->n++) % h->cap];

    *u = (struct held_unit){ .stream = stream, .unit = *unit };
    u->unit.bytes = NULL;
}

static void decide(struct held *h, uint64_t stream, enum held_fate fate)
{
    for (size_t i = 0; i < h->n; i++) {
        struct held_unit *u = &h->pending[(h->first + i) % h->cap];

        if (u->stream == stream && u->fate == HELD_PENDING) {
            u->fate = fate;
            break;
        }
    }
    settle(h);
}

void held_acked(struct held *h, uint64_t stream)
{
    decide(h, stream, HELD_ACKED);
}

void held_lost(struct held *h, uint64_t stream)
{
    decide(h, stream, HELD_LOST);
}
