/*
 * tracker.c - which units can be decoded: a model of the decoder's eight reference slots.
 *
 * A unit is decodable when every slot that it reads holds exactly the unit that the encoder had
 * there. Anything weaker lets decoders show wrong pictures without an error.
 */
#include "svc/svc.h"

bool svc_tracker_decodable(const struct svc_tracker *t, const struct svc_unit *unit)
{
    if (unit->key)
        return true;
    for (size_t i = 0; i < unit->deps.n_reads && i < SVC_SLOTS; i++) {
        const struct svc_read *read = &unit->deps.reads[i];
        if (read->slot >= SVC_SLOTS || !t->slot[read->slot].valid ||
            t->slot[read->slot].picture != read->picture ||
            t->slot[read->slot].spatial != read->spatial)
            return false;
    }
    return true;
}

void svc_tracker_decoded(struct svc_tracker *t, const struct svc_unit *unit)
{
    if (unit->key)
        *t = (struct svc_tracker){ 0 };
    for (size_t i = 0; i < SVC_SLOTS; i++) {
        if (!(unit->deps.refreshes >> i & 1))
            continue;
        t->slot[i].valid = true;
        t->slot[i].spatial = unit->layer.spatial;
        t->slot[i].picture = unit->picture;
    }
}

bool svc_tracker_harmless(const struct svc_tracker *t, const struct svc_unit *unit)
{
    for (int s = 0; s < SVC_SLOTS; s++)
        if (unit->deps.refreshes >> s & 1 && t->slot[s].valid &&
            (t->slot[s].picture > unit->picture ||
             (t->slot[s].picture == unit->picture && t->slot[s].spatial > unit->layer.spatial)))
            return false;
    return true;
}
