/*
 * picture.c - the window of pictures under assembly: a ring by picture number. A slot belongs to
 * exactly one number of [floor, floor + PICTURE_WINDOW), so a unit finds its place without search.
 */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

static struct picture *slot(struct picture_window *w, uint64_t number)
{
    return &w->ring[number % PICTURE_WINDOW];
}

static bool inside(const struct picture_window *w, uint64_t number)
{
    return w->started && number >= w->floor && number - w->floor < PICTURE_WINDOW;
}

static void free_bytes(struct picture_window *w, struct picture_unit *u)
{
    if (!u->unit.bytes)
        return;
    w->bytes -= u->unit.len;
    free((void *)(uintptr_t)u->unit.bytes); /* ours: malloc in put */
    u->unit.bytes = NULL;
}

static void forget(struct picture_window *w, struct picture *p)
{
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        free_bytes(w, &p->layer[s]);
    memset(p, 0, sizeof *p);
}

static enum picture_result check(const struct picture_window *w, const struct picture *p,
                                 const struct svc_unit *unit)
{
    if (unit->layer.spatial >= SVC_SPATIAL_MAX || unit->layer.temporal >= SVC_TEMPORAL_MAX ||
        unit->len == 0 || unit->len > SVC_UNIT_MAX)
        return PICTURE_BAD;
    if (p->used) {
        const struct picture_unit *u = &p->layer[unit->layer.spatial];
        if (u->unit.bytes || u->decoded)
            return PICTURE_DUPLICATE;
        if (p->pts != unit->pts || p->temporal != unit->layer.temporal)
            return PICTURE_BAD;
    }
    return w->bytes + unit->len > PICTURE_BYTES_MAX ? PICTURE_FULL : PICTURE_TAKEN;
}

enum picture_result picture_window_put(struct picture_window *w, const struct svc_unit *unit,
                                       int64_t now_us)
{
    if (!w->started) {
        w->started = true;
        w->floor = unit->picture > PICTURE_WINDOW / 2 ? unit->picture - PICTURE_WINDOW / 2 : 0;
        w->newest = w->floor;
    }
    if (!inside(w, unit->picture))
        return unit->picture < w->floor ? PICTURE_STALE : PICTURE_AHEAD;
    struct picture *p = slot(w, unit->picture);
    enum picture_result result = check(w, p, unit);
    if (result != PICTURE_TAKEN)
        return result;
    uint8_t *copy = malloc(unit->len);
    if (!copy)
        return PICTURE_FULL;
    memcpy(copy, unit->bytes, unit->len);
    if (!p->used) {
        p->used = true;
        p->number = unit->picture;
        p->pts = unit->pts;
        p->temporal = unit->layer.temporal;
        p->first_arrival_us = now_us;
    }
    struct picture_unit *u = &p->layer[unit->layer.spatial];
    u->unit = *unit;
    u->unit.bytes = copy;
    u->arrived_us = now_us;
    w->bytes += unit->len;
    if (unit->picture > w->newest)
        w->newest = unit->picture;
    return PICTURE_TAKEN;
}

struct picture *picture_window_get(struct picture_window *w, uint64_t number)
{
    if (!inside(w, number) || !slot(w, number)->used)
        return NULL;
    return slot(w, number);
}

struct picture *picture_window_next(struct picture_window *w, uint64_t from)
{
    if (from < w->floor)
        from = w->floor;
    for (uint64_t n = from; w->started && n <= w->newest; n++) {
        struct picture *p = picture_window_get(w, n);
        if (p)
            return p;
    }
    return NULL;
}

void picture_window_forget_before(struct picture_window *w, uint64_t number)
{
    if (!w->started || number <= w->floor)
        return;
    uint64_t n = number - w->floor;
    for (uint64_t i = 0; i < n && i < PICTURE_WINDOW; i++)
        forget(w, slot(w, w->floor + i));
    w->floor = number;
    if (w->newest < number)
        w->newest = number;
}

void picture_window_consume(struct picture_window *w, struct picture *p, unsigned spatial)
{
    free_bytes(w, &p->layer[spatial]);
    p->layer[spatial].decoded = true;
}

void picture_window_clear(struct picture_window *w)
{
    for (size_t i = 0; i < PICTURE_WINDOW; i++)
        forget(w, &w->ring[i]);
    memset(w, 0, sizeof *w);
}
