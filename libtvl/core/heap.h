/*
 * heap.h - binary min-heap of nodes embedded in their owners, ordered by (key, turn, tie).
 *
 * Push, remove and the smallest in O(log n). Room is reserved beforehand, so that push cannot fail.
 */
#ifndef TVL_CORE_HEAP_H
#define TVL_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tvl_heap_node {
    uint64_t key, turn, tie;
    size_t pos; /* 1-based place in the heap; 0: in none */
};

struct tvl_heap {
    struct tvl_heap_node **v;
    size_t count, cap;
};

#define TVL_HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void tvl_heap_fini(struct tvl_heap *h);                 /* a zeroed struct is an empty heap */
int tvl_heap_reserve(struct tvl_heap *h, size_t count); /* 0 or TVL_ERR_NOMEM */
void tvl_heap_push(struct tvl_heap *h, struct tvl_heap_node *n); /* not in a heap; room reserved */
void tvl_heap_remove(struct tvl_heap *h, struct tvl_heap_node *n); /* no-op when in none */
bool tvl_heap_before(const struct tvl_heap_node *a, const struct tvl_heap_node *b);
struct tvl_heap_node *tvl_heap_first(const struct tvl_heap *h); /* NULL: empty */
/* The smallest above (key, turn, tie); NULL: none. O(n) in those that are not above it. */
struct tvl_heap_node *tvl_heap_after(const struct tvl_heap *h, uint64_t key, uint64_t turn,
                                     uint64_t tie);

#endif
