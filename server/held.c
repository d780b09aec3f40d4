/* held.c - see held.h. */
#include "held.h"

/* The oldest whose fate is known. */
static void settle(struct held *h)
{
    while (h->n > 0 && h->pending[h->first].fate != HELD_PENDING) {
        const struct held_unit *u = &h->pending[h->first];

        if (u->fate == HELD_ACKED && svc_tracker_decodable(&h->known, &u->unit))
            svc_tracker_decoded(&h->known, &u->unit);
        h->first = (h->first + 1) % HELD_PENDING_MAX;
        h->n--;
    }
}

void held_sent(struct held *h, uint64_t stream, const struct svc_unit *unit)
{
    if (unit->layer.temporal > 0)
        return;
    if (h->n == HELD_PENDING_MAX) {
        h->pending[h->first].fate = HELD_LOST;
        settle(h);
    }
    struct held_unit *u = &h->pending[(h->first + h->n++) % HELD_PENDING_MAX];

    *u = (struct held_unit){ .stream = stream, .unit = *unit };
    u->unit.bytes = NULL;
}

static void decide(struct held *h, uint64_t stream, enum held_fate fate)
{
    for (size_t i = 0; i < h->n; i++) {
        struct held_unit *u = &h->pending[(h->first + i) % HELD_PENDING_MAX];

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
