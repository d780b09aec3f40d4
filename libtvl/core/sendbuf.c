/* sendbuf.c - see sendbuf.h. */
#include "sendbuf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RING_LEAST 256u  /* bytes of the smallest ring */
#define RING_FIRST 2048u /* of one that is cut */
#define RING_FEW 4096u   /* that may lie idle until its stream is forgotten */

void tvl_sendbuf_init(struct tvl_sendbuf *b)
{
    *b = (struct tvl_sendbuf){ 0 };
    tvl_ranges_init(&b->acked, TVL_SENDBUF_RANGES_MAX, TVL_RANGES_REFUSE);
    tvl_ranges_init(&b->lost, TVL_SENDBUF_RANGES_MAX, TVL_RANGES_REFUSE);
}

static void free_ring(struct tvl_sendbuf *b)
{
    free(b->ring);
    b->ring = NULL;
    b->cap = 0;
}

void tvl_sendbuf_fini(struct tvl_sendbuf *b)
{
    free_ring(b);
    tvl_ranges_fini(&b->acked);
    tvl_ranges_fini(&b->lost);
}

void tvl_sendbuf_renew(struct tvl_sendbuf *b, size_t most)
{
    uint8_t *ring = b->ring;
    const size_t cap = b->cap;

    b->ring = NULL;
    tvl_sendbuf_fini(b);
    tvl_sendbuf_init(b);
    b->ring = ring;
    b->cap = cap;
    if (cap > most)
        free_ring(b);
}

void tvl_sendbuf_drop(struct tvl_sendbuf *b)
{
    tvl_sendbuf_fini(b);
    b->base = b->end = b->sent;
    b->fin_lost = b->lost_all = false;
}

size_t tvl_sendbuf_room(const struct tvl_sendbuf *b)
{
    return TVL_STREAM_BUFFER_MAX - (size_t)(b->end - b->base);
}

/* Bytes from `offset` on that lie in one piece in the ring. */
static size_t until_wrap(const struct tvl_sendbuf *b, uint64_t offset)
{
    return b->cap - (size_t)(offset & (b->cap - 1));
}

static void copy_in(struct tvl_sendbuf *b, uint64_t offset, const uint8_t *bytes, size_t len)
{
    size_t first = until_wrap(b, offset);
    if (first > len)
        first = len;
    memcpy(b->ring + (offset & (b->cap - 1)), bytes, first);
    if (len > first)
        memcpy(b->ring, bytes + first, len - first);
}

/* The same bytes in a ring of `cap`, which holds them. */
static int resize(struct tvl_sendbuf *b, size_t cap)
{
    struct tvl_sendbuf other = { .cap = cap, .ring = malloc(cap) };
    if (other.ring == NULL)
        return TVL_ERR_NOMEM;
    for (uint64_t at = b->base; at < b->end;) {
        size_t len = until_wrap(b, at);
        if (len > b->end - at)
            len = (size_t)(b->end - at);
        copy_in(&other, at, b->ring + (at & (b->cap - 1)), len);
        at += len;
    }
    free(b->ring);
    b->ring = other.ring;
    b->cap = other.cap;
    return 0;
}

static int grow(struct tvl_sendbuf *b, size_t need)
{
    size_t cap = b->cap == 0 ? RING_LEAST : b->cap;
    while (cap < need)
        cap *= 2;
    return cap == b->cap ? 0 : resize(b, cap);
}

void tvl_sendbuf_trim(struct tvl_sendbuf *b)
{
    size_t cap = b->cap;
    if (b->base == b->end) {
        free_ring(b);
        return;
    }
    while (cap > RING_FIRST && b->end - b->base <= cap / 4)
        cap /= 2;
    if (cap < b->cap)
        (void)resize(b, cap); /* without memory it stays as it is */
}

int tvl_sendbuf_reserve(struct tvl_sendbuf *b, size_t len)
{
    return grow(b, (size_t)(b->end - b->base) + len);
}

int64_t tvl_sendbuf_append(struct tvl_sendbuf *b, const uint8_t *bytes, size_t len)
{
    assert(!b->fin);
    size_t room = tvl_sendbuf_room(b);
    if (len > room)
        len = room;
    if (len == 0)
        return 0;
    int res = tvl_sendbuf_reserve(b, len);
    if (res < 0)
        return res;
    copy_in(b, b->end, bytes, len);
    b->end += len;
    return (int64_t)len;
}

void tvl_sendbuf_finish(struct tvl_sendbuf *b)
{
    b->fin = true;
}

/* ---- what goes next ---- */

/* First lost piece that is not acknowledged after all; prunes what is. */
static bool first_lost(struct tvl_sendbuf *b, struct tvl_range *out)
{
    if (b->lost_all && tvl_ranges_add(&b->lost, b->base, b->sent) == 0)
        b->lost_all = false;
    while (b->lost.count > 0) {
        struct tvl_range x = b->lost.v[0];
        const struct tvl_range *a = tvl_ranges_at_or_above(&b->acked, x.from);
        if (a != NULL && a->from <= x.from) {
            tvl_ranges_forget_below(&b->lost, a->to);
            continue;
        }
        *out = x;
        if (a != NULL && a->from < x.to)
            out->to = a->from;
        return true;
    }
    return false;
}

static void fill_chunk(const struct tvl_sendbuf *b, struct tvl_range x, size_t max_len,
                       struct tvl_send_chunk *out)
{
    size_t len = until_wrap(b, x.from);
    if (len > x.to - x.from)
        len = (size_t)(x.to - x.from);
    if (len > max_len)
        len = max_len;
    *out = (struct tvl_send_chunk){
        .bytes = b->ring + (x.from & (b->cap - 1)),
        .offset = x.from,
        .len = len,
        .fin = b->fin && x.from + len == b->end,
        .again = x.from < b->sent,
    };
}

bool tvl_sendbuf_next(struct tvl_sendbuf *b, size_t max_len, uint64_t limit,
                      struct tvl_send_chunk *out)
{
    struct tvl_range x;
    if (first_lost(b, &x)) {
        fill_chunk(b, x, max_len, out);
        return max_len > 0;
    }
    if (b->fin && b->sent == b->end && (!b->fin_sent || b->fin_lost)) {
        *out = (struct tvl_send_chunk){ .offset = b->end, .fin = true, .again = true };
        return true;
    }
    x.from = b->sent;
    x.to = limit < b->end ? limit : b->end;
    if (x.from >= x.to || max_len == 0)
        return false;
    fill_chunk(b, x, max_len, out);
    return true;
}

bool tvl_sendbuf_outstanding(const struct tvl_sendbuf *b, uint64_t *from, uint64_t to,
                             size_t max_len, struct tvl_send_chunk *out)
{
    struct tvl_range x = { *from > b->base ? *from : b->base, to < b->sent ? to : b->sent };
    const struct tvl_range *a = tvl_ranges_at_or_above(&b->acked, x.from);

    if (a != NULL && a->from <= x.from) {
        x.from = a->to;
        a = tvl_ranges_at_or_above(&b->acked, x.from);
    }
    if (x.from >= x.to)
        return false;
    if (a != NULL && a->from < x.to)
        x.to = a->from;
    *from = x.from;
    fill_chunk(b, x, max_len, out);
    return true;
}

void tvl_sendbuf_copy(const struct tvl_sendbuf *b, uint64_t offset, size_t len, uint8_t *out)
{
    const size_t first = until_wrap(b, offset) < len ? until_wrap(b, offset) : len;

    assert(offset >= b->base && offset + len <= b->end);
    memcpy(out, b->ring + (offset & (b->cap - 1)), first);
    if (len > first)
        memcpy(out + first, b->ring, len - first);
}

bool tvl_sendbuf_has_again(const struct tvl_sendbuf *b)
{
    if (b->lost.count > 0 || b->lost_all)
        return true;
    return b->fin && b->sent == b->end && (!b->fin_sent || b->fin_lost);
}

bool tvl_sendbuf_has_lost(const struct tvl_sendbuf *b)
{
    return b->lost.count > 0 || b->lost_all;
}

/* ---- what became of it ---- */

void tvl_sendbuf_sent(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t to = offset + len;
    assert(offset <= b->sent && to <= b->end && (!fin || (b->fin && to == b->end)));
    /* A failed removal leaves the piece marked lost: it is merely sent twice. */
    (void)tvl_ranges_remove(&b->lost, offset, to);
    if (to > b->sent)
        b->sent = to;
    if (fin) {
        b->fin_sent = true;
        b->fin_lost = false;
    }
}

static void mark_lost(struct tvl_sendbuf *b, uint64_t from, uint64_t to)
{
    while (from < to) {
        const struct tvl_range *a = tvl_ranges_at_or_above(&b->acked, from);
        uint64_t upto = a != NULL && a->from < to ? a->from : to;
        if (from < upto && tvl_ranges_add(&b->lost, from, upto) < 0) {
            b->lost_all = true;
            tvl_ranges_forget_below(&b->lost, UINT64_MAX);
            return;
        }
        from = a != NULL && a->from < to ? a->to : to;
    }
}

static void release_front(struct tvl_sendbuf *b)
{
    if (b->acked.count > 0 && b->acked.v[0].from <= b->base) {
        b->base = b->acked.v[0].to;
        tvl_ranges_forget_below(&b->acked, b->base);
        tvl_ranges_forget_below(&b->lost, b->base);
    }
    if (b->base == b->end && b->fin && b->cap > RING_FEW) /* a small one: for the next stream */
        free_ring(b);
}

void tvl_sendbuf_acked(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t from = offset > b->base ? offset : b->base;
    uint64_t to = offset + len < b->sent ? offset + len : b->sent;
    if (fin && b->fin_sent) {
        b->fin_acked = true;
        b->fin_lost = false;
    }
    if (from >= to)
        return;
    if (from == b->base && b->acked.count == 0) { /* the usual case needs no set */
        b->base = to;
        tvl_ranges_forget_below(&b->lost, to);
    } else if (tvl_ranges_add(&b->acked, from, to) == 0) {
        (void)tvl_ranges_remove(&b->lost, from, to); /* kept by failure: `acked` wins in next */
    } else {
        mark_lost(b, from, to); /* what cannot be remembered is sent again */
    }
    release_front(b);
}

void tvl_sendbuf_lost(struct tvl_sendbuf *b, uint64_t offset, size_t len, bool fin)
{
    uint64_t from = offset > b->base ? offset : b->base;
    uint64_t to = offset + len < b->sent ? offset + len : b->sent;
    mark_lost(b, from, to);
    if (fin && b->fin_sent && !b->fin_acked)
        b->fin_lost = true;
}

/* ---- figures ---- */

uint64_t tvl_sendbuf_unsent(const struct tvl_sendbuf *b)
{
    return b->end - b->sent;
}

uint64_t tvl_sendbuf_in_flight(const struct tvl_sendbuf *b)
{
    uint64_t settled = b->acked.total + b->lost.total;
    uint64_t span = b->sent - b->base;
    return b->lost_all || settled > span ? 0 : span - settled;
}

bool tvl_sendbuf_done(const struct tvl_sendbuf *b)
{
    return b->fin && b->fin_acked && b->base == b->end;
}
