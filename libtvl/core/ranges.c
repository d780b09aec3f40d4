/* ranges.c - see ranges.h. */
#include "ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <tvl/tvl.h>

#define RANGES_FIRST_CAP 8
#define RANGES_KEEP 64 /* a larger array is halved when a quarter is used */

void tvl_ranges_init(struct tvl_ranges *r, uint32_t max, enum tvl_ranges_full when_full)
{
    assert(max >= 1);
    *r = (struct tvl_ranges){ .max = max, .when_full = when_full };
}

void tvl_ranges_fini(struct tvl_ranges *r)
{
    free(r->v);
    r->v = NULL;
    r->count = r->cap = 0;
    r->total = 0;
}

/* Index of the first range with to >= n: the first that touches or follows n. */
static uint32_t find_touching(const struct tvl_ranges *r, uint64_t n)
{
    uint32_t lo = 0;
    uint32_t hi = r->count;
    /* Nearly everything arrives in order: look at the top first. */
    if (hi > 0 && r->v[hi - 1].to < n)
        return hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->v[mid].to < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void erase(struct tvl_ranges *r, uint32_t at, uint32_t n)
{
    for (uint32_t i = at; i < at + n; i++)
        r->total -= r->v[i].to - r->v[i].from;
    memmove(&r->v[at], &r->v[at + n], (r->count - at - n) * sizeof(r->v[0]));
    r->count -= n;
    if (r->cap > RANGES_KEEP && r->count <= r->cap / 4) {
        struct tvl_range *v = realloc(r->v, r->cap / 2 * sizeof(v[0]));
        if (v != NULL) {
            r->v = v;
            r->cap /= 2;
        }
    }
}

/* Room for one more; TVL_ERR_FULL is left to the caller. */
static int grow(struct tvl_ranges *r)
{
    if (r->count < r->cap)
        return 0;
    uint32_t cap = r->cap == 0 ? RANGES_FIRST_CAP : r->cap * 2;
    if (cap > r->max || cap < r->cap)
        cap = r->max;
    struct tvl_range *v = realloc(r->v, cap * sizeof(v[0]));
    if (v == NULL)
        return TVL_ERR_NOMEM;
    r->v = v;
    r->cap = cap;
    return 0;
}

static int insert(struct tvl_ranges *r, uint32_t at, struct tvl_range x)
{
    if (r->count == r->max) {
        if (r->when_full == TVL_RANGES_REFUSE)
            return TVL_ERR_FULL;
        if (at == 0)
            return 0; /* the new one is the lowest: it is the one to be forgotten */
        erase(r, 0, 1);
        at--;
    }
    int res = grow(r);
    if (res < 0)
        return res;
    memmove(&r->v[at + 1], &r->v[at], (r->count - at) * sizeof(r->v[0]));
    r->v[at] = x;
    r->count++;
    r->total += x.to - x.from;
    return 0;
}

int tvl_ranges_add(struct tvl_ranges *r, uint64_t from, uint64_t to)
{
    if (from >= to)
        return 0;
    uint32_t at = r->count > 0 ? find_touching(r, from) : 0;
    if (at == r->count || r->v[at].from > to)
        return insert(r, at, (struct tvl_range){ from, to });

    struct tvl_range *x = &r->v[at];
    uint32_t last = at;
    while (last + 1 < r->count && r->v[last + 1].from <= to)
        last++;
    uint64_t new_from = from < x->from ? from : x->from;
    uint64_t new_to = to > r->v[last].to ? to : r->v[last].to;
    if (last > at)
        erase(r, at + 1, last - at);
    x = &r->v[at]; /* the array may have moved */
    r->total += (new_to - new_from) - (x->to - x->from);
    *x = (struct tvl_range){ new_from, new_to };
    return 0;
}

int tvl_ranges_remove(struct tvl_ranges *r, uint64_t from, uint64_t to)
{
    if (from >= to || r->count == 0)
        return 0;
    uint32_t at = find_touching(r, from);
    if (at < r->count && r->v[at].to == from)
        at++;
    if (at == r->count || r->v[at].from >= to)
        return 0;

    struct tvl_range *x = &r->v[at];
    if (x->from < from && x->to > to) { /* a hole in the middle */
        struct tvl_range upper = { to, x->to };
        uint64_t keep_to = x->to;
        r->total -= x->to - from;
        x->to = from;
        int res = insert(r, at + 1, upper);
        if (res < 0) {
            x = &r->v[at];
            x->to = keep_to;
            r->total += keep_to - from;
        }
        return res;
    }
    if (x->from < from) {
        r->total -= x->to - from;
        x->to = from;
        at++;
    }
    uint32_t end = at;
    while (end < r->count && r->v[end].to <= to)
        end++;
    erase(r, at, end - at);
    if (at < r->count && r->v[at].from < to) {
        r->total -= to - r->v[at].from;
        r->v[at].from = to;
    }
    return 0;
}

void tvl_ranges_forget_below(struct tvl_ranges *r, uint64_t below)
{
    uint32_t n = 0;
    while (n < r->count && r->v[n].to <= below)
        n++;
    if (n > 0)
        erase(r, 0, n);
    if (r->count > 0 && r->v[0].from < below) {
        r->total -= below - r->v[0].from;
        r->v[0].from = below;
    }
}

const struct tvl_range *tvl_ranges_at_or_above(const struct tvl_ranges *r, uint64_t n)
{
    if (r->count == 0)
        return NULL;
    uint32_t at = find_touching(r, n);
    if (at < r->count && r->v[at].to == n)
        at++;
    return at < r->count ? &r->v[at] : NULL;
}

bool tvl_ranges_contains(const struct tvl_ranges *r, uint64_t n)
{
    const struct tvl_range *x = tvl_ranges_at_or_above(r, n);
    return x != NULL && x->from <= n;
}

uint64_t tvl_ranges_largest(const struct tvl_ranges *r)
{
    assert(r->count > 0);
    return r->v[r->count - 1].to - 1;
}
