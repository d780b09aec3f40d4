/* path_ids.c - a sliding set of path IDs. Contract in path_ids.h. */
#include "path_ids.h"

static uint64_t *word(struct tvl_path_ids *s, uint32_t id)
{
    return &s->used[id % TVL_PATH_IDS_WINDOW / 64];
}

bool tvl_path_ids_used(const struct tvl_path_ids *s, uint32_t id)
{
    if (id < s->low || id >= s->next)
        return id < s->low;
    return s->used[id % TVL_PATH_IDS_WINDOW / 64] >> id % 64 & 1;
}

static void drop_lowest(struct tvl_path_ids *s)
{
    *word(s, s->low) &= ~(UINT64_C(1) << s->low % 64);
    s->low++;
}

void tvl_path_ids_use(struct tvl_path_ids *s, uint32_t id)
{
    if (id < s->low)
        return;
    while (s->low < s->next && id - s->low >= TVL_PATH_IDS_WINDOW)
        drop_lowest(s);
    if (id - s->low >= TVL_PATH_IDS_WINDOW)
        s->low = id; /* nothing was in between */
    *word(s, id) |= UINT64_C(1) << id % 64;
    if (id >= s->next)
        s->next = id + 1;
    while (s->low < s->next && tvl_path_ids_used(s, s->low))
        drop_lowest(s);
}
