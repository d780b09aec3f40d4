/* layers.c - counts what came of each layer; see layers.h for what each count means. */
#include "layers.h"

uint8_t layers_temporal(const struct layers *l, const struct picture *p, uint64_t number)
{
    if (p)
        return p->temporal;
    if (l->n_temporal < 2 || number <= l->last_t0)
        return 0;
    /* Nothing of it came. Layers nest dyadically: with three, the order is 0 2 1 2. */
    uint64_t position = (number - l->last_t0) % (1u << (l->n_temporal - 1));
    if (position == 0)
        return 0;
    return (uint8_t)(l->n_temporal - 1 - __builtin_ctzll(position));
}

void layers_arrived(struct layers *l, const struct svc_unit *unit)
{
    struct layers_count *c = &l->count[unit->layer.spatial][unit->layer.temporal];
    c->received++;
    if (l->counting && unit->picture >= l->first && unit->picture < l->passed)
        c->arrived++; /* after its time; those before it are counted as it passes */
}

static void count_passed(struct layers *l, const struct picture *p, uint8_t t)
{
    for (unsigned s = 0; s < l->n_spatial; s++) {
        struct layers_count *c = &l->count[s][t];
        if (!l->subscribed[s][t])
            continue;
        c->expected++;
        if (p && (p->layer[s].unit.bytes || p->layer[s].decoded)) {
            c->arrived++;
            c->in_time++;
        }
    }
}

void layers_passed(struct layers *l, uint64_t number, const struct picture *p, bool decoded)
{
    uint8_t t = layers_temporal(l, p, number);
    if (l->counting && number < l->passed)
        return;
    if (t == 0)
        l->last_t0 = number;
    l->passed = number + 1;
    if (!l->counting && decoded) {
        l->counting = true;
        l->first = number;
    }
    if (!l->counting)
        return;
    count_passed(l, p, t);
    if (!decoded && l->subscribed[0][t])
        l->base_lost++;
}

void layers_shown(struct layers *l, struct svc_layer best)
{
    for (unsigned s = 0; s <= best.spatial && s < l->n_spatial; s++)
        l->count[s][best.temporal].shown++;
    l->count[best.spatial][best.temporal].best++;
}
