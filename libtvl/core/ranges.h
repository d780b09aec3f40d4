/*
 * ranges.h - a bounded set of 64-bit numbers kept as disjoint half-open ranges.
 *
 * Used for packet numbers received and for the bytes of a stream. Ranges are sorted upwards and
 * never touch: [1,3) and [3,5) become [1,5). Memory is taken at the first add and grows to `max`
 * ranges. Cost: a binary search plus a move of what lies above.
 */
#ifndef TVL_CORE_RANGES_H
#define TVL_CORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tvl_range {
    uint64_t from, to; /* [from, to), from < to */
};

enum tvl_ranges_full {
    TVL_RANGES_REFUSE,      /* a full set answers TVL_ERR_FULL and stays as it is */
    TVL_RANGES_DROP_LOWEST, /* a full set forgets its lowest range */
};

struct tvl_ranges {
    struct tvl_range *v; /* `count` of them, rising */
    uint32_t count, cap, max;
    enum tvl_ranges_full when_full;
    uint64_t total; /* numbers in the set */
};

/* `max` >= 1. Allocates nothing. */
void tvl_ranges_init(struct tvl_ranges *r, uint32_t max, enum tvl_ranges_full when_full);
void tvl_ranges_fini(struct tvl_ranges *r); /* the set is then empty and may be used again */

/* 0, TVL_ERR_NOMEM or TVL_ERR_FULL (nothing changed). An empty range (from >= to) does nothing. */
int tvl_ranges_add(struct tvl_ranges *r, uint64_t from, uint64_t to);
/* Same results: taking the middle out of a range makes one more. */
int tvl_ranges_remove(struct tvl_ranges *r, uint64_t from, uint64_t to);
/* Forget everything below `below`; cannot fail. */
void tvl_ranges_forget_below(struct tvl_ranges *r, uint64_t below);

bool tvl_ranges_contains(const struct tvl_ranges *r, uint64_t n);
/* First range that ends above `n` (it may hold n), or NULL. Valid until the next change. */
const struct tvl_range *tvl_ranges_at_or_above(const struct tvl_ranges *r, uint64_t n);
/* Largest number; the set must not be empty. */
uint64_t tvl_ranges_largest(const struct tvl_ranges *r);

#endif
