/* share.c - see share.h. Tags are bytes / weight in fixed point and may wrap: only their distance
 * from the virtual time counts, and that is bounded by one packet's. */
#include "share.h"

#include <assert.h>
#include <stdlib.h>

#define TAG_BITS 16
/* A finish tag is never further ahead of virtual time than one packet of the least weight. */
#define TAG_AHEAD_MAX ((uint64_t)(VLINK_PACKET_MAX + 1) << (TAG_BITS + 1))
#define FIRST_ROOM 16u

struct tenant {
    bool there;
    uint32_t weight;
    uint64_t start;  /* tag of the head, where one waits */
    uint64_t finish; /* tag of the one served last */
    struct vlink_share_item *ring;
    size_t room, head, n;
    uint64_t bytes;
};

struct vlink_share {
    uint64_t virtual_time;
    size_t packets;
    uint64_t bytes;
    unsigned places; /* tenants beyond are not there */
    struct tenant tenant[VLINK_TENANTS_MAX];
};

struct vlink_share *vlink_share_new(void)
{
    return calloc(1, sizeof(struct vlink_share));
}

void vlink_share_free(struct vlink_share *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < VLINK_TENANTS_MAX; i++)
        free(s->tenant[i].ring);
    free(s);
}

int vlink_share_join(struct vlink_share *s, uint32_t weight)
{
    assert(weight >= 1 && weight <= VLINK_WEIGHT_MAX);
    for (unsigned i = 0; i < VLINK_TENANTS_MAX; i++) {
        struct tenant *t = &s->tenant[i];
        if (t->there)
            continue;
        *t = (struct tenant){ .there = true, .weight = weight, .finish = s->virtual_time };
        s->places = i < s->places ? s->places : i + 1;
        return (int)i;
    }
    return -1;
}

void vlink_share_leave(struct vlink_share *s, unsigned tenant)
{
    struct tenant *t = &s->tenant[tenant];
    assert(t->there && t->n == 0);
    free(t->ring);
    *t = (struct tenant){ 0 };
    while (s->places > 0 && !s->tenant[s->places - 1].there)
        s->places--;
}

void vlink_share_weigh(struct vlink_share *s, unsigned tenant, uint32_t weight)
{
    assert(weight >= 1 && weight <= VLINK_WEIGHT_MAX);
    s->tenant[tenant].weight = weight;
}

static bool make_room(struct tenant *t)
{
    if (t->n < t->room)
        return true;
    if (t->n >= VLINK_SHARE_PACKETS_MAX)
        return false;
    size_t room = t->room ? 2 * t->room : FIRST_ROOM;
    struct vlink_share_item *ring = malloc(room * sizeof *ring);
    if (!ring)
        return false;
    for (size_t i = 0; i < t->n; i++)
        ring[i] = t->ring[(t->head + i) % t->room];
    free(t->ring);
    t->ring = ring;
    t->room = room;
    t->head = 0;
    return true;
}

/* The later of the two; a finish tag out of reach is left over from long ago. */
static uint64_t later(uint64_t finish, uint64_t virtual_time)
{
    return finish - virtual_time <= TAG_AHEAD_MAX ? finish : virtual_time;
}

bool vlink_share_push(struct vlink_share *s, const struct vlink_share_item *item)
{
    struct tenant *t = &s->tenant[item->tenant];
    assert(t->there && item->bytes >= 1 && item->bytes <= VLINK_PACKET_MAX);
    if (!make_room(t))
        return false;
    if (t->n == 0)
        t->start = later(t->finish, s->virtual_time);
    t->ring[(t->head + t->n++) % t->room] = *item;
    t->bytes += item->bytes;
    s->bytes += item->bytes;
    s->packets++;
    return true;
}

static void take_head(struct vlink_share *s, struct tenant *t, struct vlink_share_item *out)
{
    *out = t->ring[t->head];
    t->head = (t->head + 1) % t->room;
    t->n--;
    t->bytes -= out->bytes;
    s->bytes -= out->bytes;
    s->packets--;
}

/* Least start tag first; among equals the one that came first. */
static bool before(const struct tenant *a, const struct tenant *b, uint64_t virtual_time)
{
    uint64_t ahead_a = a->start - virtual_time, ahead_b = b->start - virtual_time;
    return ahead_a != ahead_b ? ahead_a < ahead_b : a->ring[a->head].came < b->ring[b->head].came;
}

bool vlink_share_pop(struct vlink_share *s, struct vlink_share_item *out)
{
    struct tenant *best = NULL;
    for (unsigned i = 0; i < s->places; i++) {
        struct tenant *t = &s->tenant[i];
        if (t->n > 0 && (!best || before(t, best, s->virtual_time)))
            best = t;
    }
    if (!best)
        return false;
    take_head(s, best, out);
    s->virtual_time = best->start;
    best->finish = best->start + ((uint64_t)out->bytes << TAG_BITS) / best->weight;
    best->start = best->finish;
    return true;
}

bool vlink_share_pop_of(struct vlink_share *s, unsigned tenant, struct vlink_share_item *out)
{
    struct tenant *t = &s->tenant[tenant];
    if (t->n == 0)
        return false;
    take_head(s, t, out);
    return true;
}

size_t vlink_share_packets(const struct vlink_share *s, unsigned tenant)
{
    return s->tenant[tenant].n;
}

uint64_t vlink_share_bytes(const struct vlink_share *s, unsigned tenant)
{
    return s->tenant[tenant].bytes;
}

size_t vlink_share_packets_all(const struct vlink_share *s)
{
    return s->packets;
}

uint64_t vlink_share_bytes_all(const struct vlink_share *s)
{
    return s->bytes;
}

vlink_time vlink_share_oldest(const struct vlink_share *s, unsigned tenant)
{
    const struct tenant *t = &s->tenant[tenant];
    return t->n ? t->ring[t->head].came : VLINK_NEVER;
}

uint64_t vlink_share_ahead(const struct vlink_share *s, unsigned tenant)
{
    const struct tenant *own = &s->tenant[tenant];
    uint64_t ahead = own->bytes;
    for (unsigned i = 0; i < s->places; i++) {
        const struct tenant *t = &s->tenant[i];
        if (i == tenant || t->n == 0)
            continue;
        /* While our bytes are served, another gets its part of the time, but no more than it has.
         */
        uint64_t part = own->bytes * t->weight / own->weight;
        ahead += part < t->bytes ? part : t->bytes;
    }
    return ahead;
}
