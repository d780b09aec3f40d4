/* recvbuf.c - see recvbuf.h. */
#include "recvbuf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RING_FIRST 2048u

void tvl_recvbuf_init(struct tvl_recvbuf *b)
{
    *b = (struct tvl_recvbuf){ .final_size = TVL_SIZE_UNKNOWN };
    tvl_ranges_init(&b->got, TVL_RECVBUF_RANGES_MAX, TVL_RANGES_REFUSE);
}

static void free_ring(struct tvl_recvbuf *b)
{
    free(b->ring);
    b->ring = NULL;
    b->cap = 0;
}

void tvl_recvbuf_fini(struct tvl_recvbuf *b)
{
    free_ring(b);
    tvl_ranges_fini(&b->got);
}

void tvl_recvbuf_renew(struct tvl_recvbuf *b, size_t most)
{
    uint8_t *ring = b->ring;
    const size_t cap = b->cap;

    b->ring = NULL;
    tvl_recvbuf_fini(b);
    tvl_recvbuf_init(b);
    b->ring = ring;
    b->cap = cap;
    if (cap > most)
        free_ring(b);
}

void tvl_recvbuf_drop(struct tvl_recvbuf *b)
{
    tvl_recvbuf_fini(b);
    b->dropped = true;
}

static size_t place_of(const struct tvl_recvbuf *b, uint64_t offset)
{
    return (size_t)(offset - b->origin) & (b->cap - 1);
}

/* Bytes from `offset` on that lie in one piece in the ring. */
static size_t until_wrap(const struct tvl_recvbuf *b, uint64_t offset)
{
    return b->cap - place_of(b, offset);
}

static void copy_in(struct tvl_recvbuf *b, uint64_t offset, const uint8_t *bytes, size_t len)
{
    size_t first = until_wrap(b, offset);
    if (first > len)
        first = len;
    memcpy(b->ring + place_of(b, offset), bytes, first);
    if (len > first)
        memcpy(b->ring, bytes + first, len - first);
}

static void copy_over(struct tvl_recvbuf *to, const struct tvl_recvbuf *b, struct tvl_range x)
{
    while (x.from < x.to) {
        size_t len = until_wrap(b, x.from);
        if (len > x.to - x.from)
            len = (size_t)(x.to - x.from);
        copy_in(to, x.from, b->ring + place_of(b, x.from), len);
        x.from += len;
    }
}

/* The same bytes in a ring of `cap`, which holds them. */
static bool resize(struct tvl_recvbuf *b, size_t cap)
{
    struct tvl_recvbuf other = { .cap = cap, .ring = malloc(cap), .origin = b->origin };
    if (other.ring == NULL)
        return false;
    copy_over(&other, b, (struct tvl_range){ b->kept, b->base });
    for (uint32_t i = 0; i < b->got.count; i++)
        copy_over(&other, b, b->got.v[i]);
    free(b->ring);
    b->ring = other.ring;
    b->cap = other.cap;
    return true;
}

static bool grow(struct tvl_recvbuf *b, uint64_t need)
{
    size_t cap = b->cap == 0 ? RING_FIRST : b->cap;
    if (need > SIZE_MAX / 4)
        return false;
    while (cap < need)
        cap *= 2;
    return cap == b->cap || resize(b, cap);
}

void tvl_recvbuf_trim(struct tvl_recvbuf *b)
{
    if (b->got.count == 0 && b->kept == b->base) {
        free_ring(b);
        return;
    }
    const uint64_t end = b->got.count > 0 ? b->got.v[b->got.count - 1].to : b->base;
    const uint64_t span = end - b->kept;
    size_t cap = b->cap;
    while (cap > RING_FIRST && span <= cap / 4)
        cap /= 2;
    if (cap < b->cap)
        (void)resize(b, cap); /* without memory it stays as it is */
}

/* Keep what of [from, to) has not been kept yet; bytes[0] is the byte at `from`. */
static bool keep(struct tvl_recvbuf *b, uint64_t from, uint64_t to, const uint8_t *bytes)
{
    if (b->got.count == 0 && b->kept == b->base)
        b->origin = b->base; /* an empty ring begins anew: what was used last is in the cache */
    if (!grow(b, to - b->kept))
        return false;
    for (uint64_t at = from; at < to;) {
        const struct tvl_range *x = tvl_ranges_at_or_above(&b->got, at);
        uint64_t upto = x != NULL && x->from < to ? x->from : to;
        if (at < upto)
            copy_in(b, at, bytes + (at - from), (size_t)(upto - at));
        at = x != NULL && x->from < to ? x->to : to;
    }
    return tvl_ranges_add(&b->got, from, to) == 0;
}

int64_t tvl_recvbuf_take(struct tvl_recvbuf *b, uint64_t offset, const uint8_t *bytes, size_t len,
                         uint64_t limit)
{
    uint64_t to = offset + len;
    if (to > limit)
        return -TVL_WIRE_FLOW_CONTROL_ERROR;
    if (to > b->final_size)
        return -TVL_WIRE_FINAL_SIZE_ERROR;
    uint64_t from = offset > b->base ? offset : b->base;
    if (!b->dropped && from < to && !keep(b, from, to, bytes + (from - offset)))
        return -TVL_WIRE_INTERNAL_ERROR;
    uint64_t rise = to > b->highest ? to - b->highest : 0;
    b->highest += rise;
    return (int64_t)rise;
}

int tvl_recvbuf_finish(struct tvl_recvbuf *b, uint64_t size)
{
    if (size < b->highest || (b->final_size != TVL_SIZE_UNKNOWN && b->final_size != size))
        return -TVL_WIRE_FINAL_SIZE_ERROR;
    b->final_size = size;
    return 0;
}

void tvl_recvbuf_keep(struct tvl_recvbuf *b, size_t span)
{
    b->keep = span;
}

bool tvl_recvbuf_has(const struct tvl_recvbuf *b, uint64_t offset, size_t len)
{
    const uint64_t from = offset > b->base ? offset : b->base;
    const struct tvl_range *x = tvl_ranges_at_or_above(&b->got, from);

    if (b->ring == NULL || offset < b->kept)
        return false;
    return offset + len <= b->base || (x != NULL && x->from <= from && offset + len <= x->to);
}

void tvl_recvbuf_copy(const struct tvl_recvbuf *b, uint64_t offset, size_t len, uint8_t *out)
{
    const size_t first = until_wrap(b, offset) < len ? until_wrap(b, offset) : len;

    assert(tvl_recvbuf_has(b, offset, len));
    memcpy(out, b->ring + place_of(b, offset), first);
    if (len > first)
        memcpy(out + first, b->ring, len - first);
}

uint64_t tvl_recvbuf_readable(const struct tvl_recvbuf *b)
{
    if (b->got.count == 0 || b->got.v[0].from != b->base)
        return 0;
    return b->got.v[0].to - b->base;
}

const uint8_t *tvl_recvbuf_peek(const struct tvl_recvbuf *b, size_t *len)
{
    uint64_t readable = tvl_recvbuf_readable(b);
    if (readable == 0) {
        *len = 0;
        return NULL;
    }
    *len = until_wrap(b, b->base);
    if (*len > readable)
        *len = (size_t)readable;
    return b->ring + place_of(b, b->base);
}

void tvl_recvbuf_skip(struct tvl_recvbuf *b, size_t len)
{
    assert(len <= tvl_recvbuf_readable(b));
    b->base += len;
    if (b->base - b->kept > b->keep)
        b->kept = b->base - b->keep;
    tvl_ranges_forget_below(&b->got, b->base);
    if (tvl_recvbuf_at_end(b))
        free_ring(b);
}

size_t tvl_recvbuf_read(struct tvl_recvbuf *b, uint8_t *out, size_t cap)
{
    size_t done = 0;
    while (done < cap) {
        size_t len;
        const uint8_t *at = tvl_recvbuf_peek(b, &len);
        if (len == 0)
            break;
        if (len > cap - done)
            len = cap - done;
        memcpy(out + done, at, len);
        tvl_recvbuf_skip(b, len);
        done += len;
    }
    return done;
}

bool tvl_recvbuf_complete(const struct tvl_recvbuf *b)
{
    return b->final_size != TVL_SIZE_UNKNOWN && b->base + tvl_recvbuf_readable(b) == b->final_size;
}

bool tvl_recvbuf_at_end(const struct tvl_recvbuf *b)
{
    return b->base == b->final_size;
}
