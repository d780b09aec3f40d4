/*
 * path_ids.h - which path IDs of a connection are used up. An ID is used once (it enters the
 * nonce), in rising order by the client, but first packets of new paths overtake each other, so the
 * ends remember the gaps. Those more than TVL_PATH_IDS_WINDOW behind the highest are given up.
 */
#ifndef TVL_CORE_PATH_IDS_H
#define TVL_CORE_PATH_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define TVL_PATH_IDS_WINDOW 512

struct tvl_path_ids {                        /* zeroed: none is used */
    uint32_t low, next;                      /* all below `low` are used, none from `next` on */
    uint64_t used[TVL_PATH_IDS_WINDOW / 64]; /* ring by ID, [low, next) */
};

bool tvl_path_ids_used(const struct tvl_path_ids *s, uint32_t id);
void tvl_path_ids_use(struct tvl_path_ids *s, uint32_t id);
/* Client: the lowest above all that were used. */
static inline uint32_t tvl_path_ids_next(const struct tvl_path_ids *s)
{
    return s->next;
}

#endif
