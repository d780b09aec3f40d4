/* gather.c - see gather.h. */
#include "gather.h"

#include <string.h>

void gather_init(struct gather *g, uint8_t n_layers, void (*drop)(void *item))
{
    memset(g, 0, sizeof *g);
    g->n_layers = n_layers;
    g->drop = drop;
}

void gather_reset(struct gather *g)
{
    for (size_t i = 0; i < g->n; i++)
        for (unsigned l = 0; l < GATHER_LAYERS_MAX; l++)
            if (g->picture[i].item[l])
                g->drop(g->picture[i].item[l]);
    g->n = 0;
    g->began = false;
}

/* Where `number` is, or would be put: most come at the end. */
static size_t place_of(const struct gather *g, uint64_t number)
{
    size_t i = g->n;
    while (i > 0 && g->picture[i - 1].number >= number)
        i--;
    return i;
}

enum gather_result gather_put(struct gather *g, uint64_t number, unsigned layer, bool key,
                              int64_t due_us, void *item)
{
    if (g->began && number <= g->last)
        return GATHER_LATE;
    const size_t at = place_of(g, number);
    struct gather_picture *p = &g->picture[at];
    if (at == g->n || p->number != number) {
        if (g->n == GATHER_PICTURES_MAX)
            return GATHER_FULL;
        memmove(p + 1, p, (g->n - at) * sizeof *p);
        *p = (struct gather_picture){ .number = number, .due_us = due_us };
        g->n++;
    } else if (p->item[layer]) {
        return GATHER_TWICE;
    }
    p->item[layer] = item;
    p->key = p->key || key;
    return GATHER_TAKEN;
}

static bool is_whole(const struct gather *g, const struct gather_picture *p)
{
    unsigned n = 0;
    for (unsigned l = 0; l < GATHER_LAYERS_MAX; l++)
        n += p->item[l] != NULL;
    return g->n_layers > 0 && n >= g->n_layers;
}

bool gather_next(struct gather *g, int64_t now_us, struct gather_picture *out)
{
    if (g->n == 0)
        return false;
    const struct gather_picture *p = &g->picture[0];
    const bool turn = p->key || (g->began && p->number == g->last + 1);
    if (p->due_us > now_us && !(turn && is_whole(g, p)) && g->n < GATHER_PICTURES_MAX)
        return false;
    *out = *p;
    g->began = true;
    g->last = p->number;
    g->n--;
    memmove(g->picture, g->picture + 1, g->n * sizeof g->picture[0]);
    return true;
}

int64_t gather_due(const struct gather *g)
{
    return g->n ? g->picture[0].due_us : INT64_MAX;
}
