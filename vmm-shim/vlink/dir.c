/*
 * dir.c - see dir.h. Three parts, in the order a packet meets them: the queue with its server, the
 * fate (loss, delay, order), and the heap of what is under way. Everything happens in advance(),
 * which runs the server up to a time; push, take and configure call it first, so that no result
 * depends on how often the caller looks.
 */
#include "dir.h"

#include <assert.h>
#include <stdlib.h>

#include "rng.h"

#define NS_PER_S 1000000000u
#define BITS 8u
#define FIRST_ROOM 64u

__extension__ typedef unsigned __int128 wide;

struct waiting {
    uint64_t tag;
    vlink_time came;
    uint32_t bytes; /* without overhead */
    uint32_t cost;  /* with overhead */
};

struct flying {
    struct vlink_out out;
    uint64_t order; /* among equal times, first in first out */
};

struct vlink_dir {
    struct vlink_config cfg;
    struct vlink_counts counts;
    vlink_time start;
    struct vlink_rng loss, ge, jitter, reorder, duplicate;
    bool ge_bad;

    struct waiting *queue; /* ring; the head is being serialised */
    size_t queue_room, queue_head, queue_n;
    uint64_t queue_bytes;
    vlink_time finish;    /* rate: when the head's last bit leaves */
    uint32_t head_left;   /* trace: bytes of the head still to go */
    uint64_t opportunity; /* trace: the next one */

    vlink_time last_at; /* of the packets that keep order */
    struct flying *heap;
    size_t heap_room, heap_n;
    uint64_t order;
};

/* a * b / c, rounded up. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)(((wide)a * b + (c - 1)) / c);
}

static uint64_t serialise_ns(uint64_t bytes, uint64_t rate_bps)
{
    return rate_bps == 0 ? 0 : scale(bytes * BITS, NS_PER_S, rate_bps);
}

/* ---- the heap of what is under way: smallest (at, order) on top ---- */

static bool earlier(const struct flying *a, const struct flying *b)
{
    return a->out.at != b->out.at ? a->out.at < b->out.at : a->order < b->order;
}

static void swap(struct flying *a, struct flying *b)
{
    struct flying t = *a;
    *a = *b;
    *b = t;
}

static void heap_down(struct vlink_dir *d, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < d->heap_n; child++)
            if (earlier(&d->heap[child], &d->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(&d->heap[i], &d->heap[least]);
        i = least;
    }
}

/* The caller has made sure of room. */
static void fly(struct vlink_dir *d, const struct vlink_out *out)
{
    assert(d->heap_n < d->heap_room);
    size_t i = d->heap_n++;
    d->heap[i] = (struct flying){ .out = *out, .order = d->order++ };
    while (i > 0 && earlier(&d->heap[i], &d->heap[(i - 1) / 2])) {
        swap(&d->heap[i], &d->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

/* Room for everything that is queued and one more, each twice: what leaves the queue must fit. */
static bool heap_make_room(struct vlink_dir *d)
{
    size_t need = d->heap_n + 2 * (d->queue_n + 1);
    if (need <= d->heap_room)
        return true;
    if (d->heap_n >= VLINK_FLIGHT_PACKETS_MAX)
        return false;
    size_t room = need * 2;
    struct flying *heap = realloc(d->heap, room * sizeof *heap);
    if (!heap)
        return false;
    d->heap = heap;
    d->heap_room = room;
    return true;
}

/* ---- the fate of a packet whose last bit left at `at` ---- */

static bool is_lost(struct vlink_dir *d)
{
    const struct vlink_config *c = &d->cfg;
    bool lost = vlink_rng_chance(&d->loss, c->loss_ppm);
    if (!c->ge)
        return lost;
    if (vlink_rng_chance(&d->ge, d->ge_bad ? c->ge_r_ppm : c->ge_p_ppm))
        d->ge_bad = !d->ge_bad;
    return vlink_rng_chance(&d->ge, d->ge_bad ? c->ge_bad_ppm : c->ge_good_ppm) || lost;
}

static uint64_t draw_delay(struct vlink_dir *d)
{
    const struct vlink_config *c = &d->cfg;
    if (c->jitter_ns == 0)
        return c->delay_ns;
    uint64_t shifted = c->delay_ns + vlink_rng_below(&d->jitter, 2 * c->jitter_ns + 1);
    return shifted > c->jitter_ns ? shifted - c->jitter_ns : 0;
}

static void depart(struct vlink_dir *d, const struct waiting *w, vlink_time at)
{
    struct vlink_out out = { .at = at, .tag = w->tag, .bytes = w->bytes, .last = true };
    out.waited_ns = at - w->came;
    out.marked = d->cfg.mark_ns && out.waited_ns > d->cfg.mark_ns;
    if (is_lost(d)) {
        out.fate = VLINK_DROP_LOSS;
        fly(d, &out);
        return;
    }
    out.at += draw_delay(d);
    if (vlink_rng_chance(&d->reorder, d->cfg.reorder_ppm)) {
        out.at += d->cfg.reorder_ns;
        d->counts.reordered++;
    } else {
        out.at = out.at > d->last_at ? out.at : d->last_at;
        d->last_at = out.at;
    }
    if (vlink_rng_chance(&d->duplicate, d->cfg.duplicate_ppm)) {
        out.last = false;
        fly(d, &out);
        out.last = true;
        d->counts.duplicated++;
    }
    fly(d, &out);
}

/* ---- the queue and its server ---- */

static bool queue_make_room(struct vlink_dir *d)
{
    if (d->queue_n < d->queue_room)
        return true;
    if (d->queue_n >= VLINK_QUEUE_PACKETS_MAX)
        return false;
    size_t room = d->queue_room ? 2 * d->queue_room : FIRST_ROOM;
    struct waiting *queue = malloc(room * sizeof *queue);
    if (!queue)
        return false;
    for (size_t i = 0; i < d->queue_n; i++)
        queue[i] = d->queue[(d->queue_head + i) % d->queue_room];
    free(d->queue);
    d->queue = queue;
    d->queue_room = room;
    d->queue_head = 0;
    return true;
}

/* The head begins to be serialised at `at`. */
static void serve_head(struct vlink_dir *d, vlink_time at)
{
    uint32_t cost = d->queue[d->queue_head].cost;
    d->head_left = cost;
    d->finish = at + serialise_ns(cost, d->cfg.rate_bps);
}

static void pop_head(struct vlink_dir *d, struct waiting *head)
{
    *head = d->queue[d->queue_head];
    d->queue_head = (d->queue_head + 1) % d->queue_room;
    d->queue_n--;
    d->queue_bytes -= head->cost;
}

static void finish_head(struct vlink_dir *d, vlink_time at)
{
    struct waiting head;
    pop_head(d, &head);
    depart(d, &head, at);
    if (d->queue_n > 0)
        serve_head(d, at);
}

/* One opportunity carries VLINK_TRACE_BYTES of whatever waits; what nobody uses is gone. */
static void use_opportunity(struct vlink_dir *d, vlink_time at)
{
    uint32_t left = VLINK_TRACE_BYTES;
    while (left > 0 && d->queue_n > 0) {
        uint32_t part = left < d->head_left ? left : d->head_left;
        d->head_left -= part;
        left -= part;
        if (d->head_left == 0)
            finish_head(d, at);
    }
}

static vlink_time opportunity_at(const struct vlink_dir *d, uint64_t k)
{
    return d->start + vlink_trace_at(d->cfg.trace, k);
}

static void advance(struct vlink_dir *d, vlink_time now)
{
    if (!d->cfg.trace) {
        while (d->queue_n > 0 && d->finish <= now)
            finish_head(d, d->finish);
        return;
    }
    while (d->queue_n > 0 && opportunity_at(d, d->opportunity) <= now) {
        use_opportunity(d, opportunity_at(d, d->opportunity));
        d->opportunity++;
    }
    if (d->queue_n == 0)
        d->opportunity = vlink_trace_after(d->cfg.trace, now - d->start);
}

/* Bytes that wait, what has gone of the head not counted. */
static uint64_t left_bytes(const struct vlink_dir *d)
{
    if (d->queue_n == 0)
        return 0;
    return d->queue_bytes - d->queue[d->queue_head].cost + d->head_left;
}

uint64_t vlink_dir_wait_behind(const struct vlink_dir *d, vlink_time now, uint64_t bytes)
{
    if (d->queue_n == 0 && bytes == 0)
        return 0;
    vlink_time begin;
    if (d->cfg.trace) {
        uint64_t next =
            d->queue_n ? d->opportunity : vlink_trace_after(d->cfg.trace, now - d->start);
        begin = opportunity_at(d, next + (left_bytes(d) + bytes) / VLINK_TRACE_BYTES);
    } else if (d->queue_n > 0) {
        uint64_t behind = d->queue_bytes - d->queue[d->queue_head].cost;
        begin = d->finish + serialise_ns(behind + bytes, d->cfg.rate_bps);
    } else {
        begin = now + serialise_ns(bytes, d->cfg.rate_bps);
    }
    return begin > now ? begin - now : 0;
}

uint64_t vlink_dir_wait(const struct vlink_dir *d, vlink_time now)
{
    return vlink_dir_wait_behind(d, now, 0);
}

bool vlink_dir_hungry(const struct vlink_dir *d)
{
    if (d->queue_n == 0 || !d->cfg.trace)
        return d->queue_n == 0;
    /* Opportunities of one millisecond are served together. */
    uint64_t left = left_bytes(d);
    vlink_time at = opportunity_at(d, d->opportunity);
    for (uint64_t k = d->opportunity; opportunity_at(d, k) == at; k++) {
        if (left < VLINK_TRACE_BYTES)
            return true;
        left -= VLINK_TRACE_BYTES;
    }
    return false;
}

vlink_time vlink_dir_event(const struct vlink_dir *d)
{
    if (d->queue_n == 0)
        return VLINK_NEVER;
    return d->cfg.trace ? opportunity_at(d, d->opportunity) : d->finish;
}

void vlink_dir_advance(struct vlink_dir *d, vlink_time now)
{
    advance(d, now);
}

static bool queue_is_full(const struct vlink_dir *d, vlink_time now, uint32_t cost)
{
    if (d->cfg.queue_bytes && d->queue_bytes + cost > d->cfg.queue_bytes)
        return true;
    return d->cfg.queue_ns && vlink_dir_wait(d, now) > d->cfg.queue_ns;
}

static enum vlink_fate admit(struct vlink_dir *d, vlink_time now, uint32_t bytes, uint64_t tag)
{
    if (d->cfg.down)
        return VLINK_DROP_DOWN;
    if (bytes > VLINK_PACKET_MAX - d->cfg.overhead_bytes)
        return VLINK_DROP_BOUND;
    uint32_t cost = bytes + d->cfg.overhead_bytes;
    cost = cost ? cost : 1; /* an empty datagram still takes its turn */
    if (queue_is_full(d, now, cost))
        return VLINK_DROP_QUEUE;
    if (!queue_make_room(d) || !heap_make_room(d))
        return VLINK_DROP_BOUND;
    size_t at = (d->queue_head + d->queue_n) % d->queue_room;
    d->queue[at] = (struct waiting){ .tag = tag, .came = now, .bytes = bytes, .cost = cost };
    d->queue_n++;
    d->queue_bytes += cost;
    if (d->queue_n == 1)
        serve_head(d, now);
    advance(d, now); /* a link without a rate passes it at once */
    return VLINK_PASS;
}

enum vlink_fate vlink_dir_push(struct vlink_dir *d, vlink_time now, uint32_t bytes, uint64_t tag)
{
    advance(d, now);
    d->counts.packets_in++;
    d->counts.bytes_in += bytes;
    enum vlink_fate fate = admit(d, now, bytes, tag);
    if (fate != VLINK_PASS)
        d->counts.fate[fate]++;
    return fate;
}

bool vlink_dir_take(struct vlink_dir *d, vlink_time now, struct vlink_out *out)
{
    advance(d, now);
    if (d->heap_n == 0 || d->heap[0].out.at > now)
        return false;
    *out = d->heap[0].out;
    d->heap[0] = d->heap[--d->heap_n];
    heap_down(d, 0);
    if (out->last)
        d->counts.fate[out->fate]++;
    if (out->fate == VLINK_PASS) {
        d->counts.packets_out++;
        d->counts.bytes_out += out->bytes;
    }
    return true;
}

vlink_time vlink_dir_next(const struct vlink_dir *d)
{
    vlink_time next = d->heap_n ? d->heap[0].out.at : VLINK_NEVER;
    if (d->queue_n == 0)
        return next;
    vlink_time leaves = d->finish;
    if (d->cfg.trace)
        leaves = opportunity_at(d, d->opportunity + (d->head_left - 1) / VLINK_TRACE_BYTES);
    return leaves < next ? leaves : next;
}

/* Everything inside is lost at `now`, and comes out as such. */
static void lose_all(struct vlink_dir *d, vlink_time now)
{
    while (d->queue_n > 0) {
        struct waiting head;
        pop_head(d, &head);
        struct vlink_out out = {
            .at = now, .tag = head.tag, .bytes = head.bytes, .fate = VLINK_DROP_DOWN, .last = true
        };
        fly(d, &out);
    }
    for (size_t i = 0; i < d->heap_n; i++) {
        struct vlink_out *out = &d->heap[i].out;
        if (out->at <= now)
            continue;
        out->at = now;
        if (out->fate == VLINK_PASS)
            out->fate = VLINK_DROP_DOWN;
    }
    for (size_t i = d->heap_n; i-- > 0;)
        heap_down(d, i);
    d->last_at = now;
}

/* The head goes on with what is left of it under the new rate or trace. */
static void carry_head_over(struct vlink_dir *d, vlink_time now, const struct vlink_config *old)
{
    const struct vlink_config *c = &d->cfg;
    if (c->trace != old->trace) {
        if (!old->trace && old->rate_bps)
            d->head_left =
                (uint32_t)scale(d->finish - now, old->rate_bps, (uint64_t)NS_PER_S * BITS);
        d->head_left = d->head_left ? d->head_left : 1;
        d->finish = now + serialise_ns(d->head_left, c->rate_bps);
    } else if (!c->trace && c->rate_bps != old->rate_bps) {
        d->finish = c->rate_bps ? now + scale(d->finish - now, old->rate_bps, c->rate_bps) : now;
    }
}

void vlink_dir_configure(struct vlink_dir *d, vlink_time now, const struct vlink_config *cfg)
{
    advance(d, now);
    struct vlink_config old = d->cfg;
    d->cfg = *cfg;
    if (cfg->down)
        lose_all(d, now);
    if (cfg->trace && cfg->trace != old.trace) {
        d->start = now;
        d->opportunity = vlink_trace_after(cfg->trace, 0);
    }
    if (d->queue_n > 0)
        carry_head_over(d, now, &old);
    advance(d, now);
}

struct vlink_dir *vlink_dir_new(const struct vlink_config *cfg, uint64_t seed, vlink_time now)
{
    struct vlink_dir *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->cfg = *cfg;
    d->start = now;
    d->last_at = now;
    struct vlink_rng *rngs[] = { &d->loss, &d->ge, &d->jitter, &d->reorder, &d->duplicate };
    for (size_t i = 0; i < sizeof rngs / sizeof *rngs; i++)
        vlink_rng_init(rngs[i], seed, i);
    return d;
}

void vlink_dir_free(struct vlink_dir *d)
{
    if (!d)
        return;
    free(d->queue);
    free(d->heap);
    free(d);
}

const struct vlink_config *vlink_dir_config(const struct vlink_dir *d)
{
    return &d->cfg;
}

const struct vlink_counts *vlink_dir_counts(const struct vlink_dir *d)
{
    return &d->counts;
}

size_t vlink_dir_queue_packets(const struct vlink_dir *d)
{
    return d->queue_n;
}

uint64_t vlink_dir_queue_bytes(const struct vlink_dir *d)
{
    return d->queue_bytes;
}
