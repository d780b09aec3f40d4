/* heap.c - see heap.h. */
#include "heap.h"

#include <assert.h>
#include <stdlib.h>

#include <tvl/tvl.h>

#define HEAP_FIRST_CAP 16

void tvl_heap_fini(struct tvl_heap *h)
{
    free(h->v);
    *h = (struct tvl_heap){ 0 };
}

int tvl_heap_reserve(struct tvl_heap *h, size_t count)
{
    if (count <= h->cap)
        return 0;
    size_t cap = h->cap == 0 ? HEAP_FIRST_CAP : h->cap * 2;
    if (cap < count)
        cap = count;
    struct tvl_heap_node **v = realloc(h->v, cap * sizeof(struct tvl_heap_node *));
    if (v == NULL)
        return TVL_ERR_NOMEM;
    h->v = v;
    h->cap = cap;
    return 0;
}

bool tvl_heap_before(const struct tvl_heap_node *a, const struct tvl_heap_node *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    return a->turn != b->turn ? a->turn < b->turn : a->tie < b->tie;
}

static void put(struct tvl_heap *h, size_t at, struct tvl_heap_node *n)
{
    h->v[at] = n;
    n->pos = at + 1;
}

static void sift_up(struct tvl_heap *h, size_t at)
{
    struct tvl_heap_node *n = h->v[at];
    while (at > 0 && tvl_heap_before(n, h->v[(at - 1) / 2])) {
        put(h, at, h->v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, n);
}

static void sift_down(struct tvl_heap *h, size_t at)
{
    struct tvl_heap_node *n = h->v[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && tvl_heap_before(h->v[child + 1], h->v[child]))
            child++;
        if (!tvl_heap_before(h->v[child], n))
            break;
        put(h, at, h->v[child]);
        at = child;
    }
    put(h, at, n);
}

void tvl_heap_push(struct tvl_heap *h, struct tvl_heap_node *n)
{
    assert(n->pos == 0 && h->count < h->cap);
    h->v[h->count] = n;
    sift_up(h, h->count++);
}

void tvl_heap_remove(struct tvl_heap *h, struct tvl_heap_node *n)
{
    if (n->pos == 0)
        return;
    size_t at = n->pos - 1;
    assert(at < h->count && h->v[at] == n);
    struct tvl_heap_node *last = h->v[--h->count];
    n->pos = 0;
    if (last == n)
        return;
    put(h, at, last);
    sift_up(h, at);
    sift_down(h, last->pos - 1);
}

struct tvl_heap_node *tvl_heap_first(const struct tvl_heap *h)
{
    return h->count > 0 ? h->v[0] : NULL;
}

struct tvl_heap_node *tvl_heap_after(const struct tvl_heap *h, uint64_t key, uint64_t turn,
                                     uint64_t tie)
{
    const struct tvl_heap_node bound = { .key = key, .turn = turn, .tie = tie };
    struct tvl_heap_node *best = NULL;
    size_t at = 0;

    /* In preorder. Below one that is above the bound there is none smaller: it is not entered. */
    while (at < h->count) {
        const bool above = tvl_heap_before(&bound, h->v[at]);

        if (above && (!best || tvl_heap_before(h->v[at], best)))
            best = h->v[at];
        if (!above && 2 * at + 1 < h->count) {
            at = 2 * at + 1;
            continue;
        }
        while (at > 0 && (at % 2 == 0 || at + 1 >= h->count)) /* no sibling to the right */
            at = (at - 1) / 2;
        if (at == 0)
            break;
        at++;
    }
    return best;
}
