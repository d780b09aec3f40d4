/* timeline.c - see timeline.h. */
#include "timeline.h"

#include <jansson.h>

#include <stdlib.h>

#define PTS_MS_MAX (INT64_C(1) << 52)

/* 0, or -1. */
static int take(struct timeline_entry *out, const json_t *row)
{
    const json_t *place = json_array_get(row, 1);
    const json_t *ms = json_array_get(row, 0), *group = json_array_get(place, 0);

    if (!json_is_number(ms) || !json_is_integer(group) || json_integer_value(group) < 0 ||
        !(json_number_value(ms) >= 0 && json_number_value(ms) <= (double)PTS_MS_MAX))
        return -1;
    out->pts_us = (int64_t)(json_number_value(ms) * 1000);
    out->group = (uint64_t)json_integer_value(group);
    return 0;
}

int timeline_read(struct timeline *t, const char *json, size_t len)
{
    json_t *root = json_loadb(json, len, 0, NULL);
    const size_t all = json_array_size(root), first = all > TIMELINE_MAX ? all - TIMELINE_MAX : 0;
    struct timeline_entry *entry =
        json_is_array(root) ? calloc(all - first + 1, sizeof *entry) : NULL;
    size_t n = 0;

    for (size_t i = first; entry && i < all; i++) {
        if (take(&entry[n], json_array_get(root, i)) != 0)
            break;
        /* another run of the broadcast has times of its own: what was before it is out of reach */
        if (n > 0 &&
            (entry[n].pts_us <= entry[n - 1].pts_us || entry[n].group <= entry[n - 1].group)) {
            entry[0] = entry[n];
            n = 0;
        }
        n++;
    }
    json_decref(root);
    if (!entry)
        return -1;
    free(t->entry);
    *t = (struct timeline){ entry, n };
    return 0;
}

void timeline_fini(struct timeline *t)
{
    free(t->entry);
    *t = (struct timeline){ 0 };
}

size_t timeline_at(const struct timeline *t, int64_t pts_us)
{
    size_t i = 0;

    while (i + 1 < t->n && t->entry[i + 1].pts_us <= pts_us)
        i++;
    return i;
}

size_t timeline_of_group(const struct timeline *t, uint64_t group)
{
    size_t i = 0;

    while (i < t->n && t->entry[i].group < group)
        i++;
    return i;
}
