/* past.c - see past.h. */
#include "past.h"

#include <stdlib.h>
#include <utlist.h>

struct past_fetch {
    struct past_fetch *next;
    struct moq_fetch *fetch;
    struct window *window;
    size_t track;
    struct moq_location at, start, end; /* end: the first that is not wanted */
    bool descending;
};

static bool before(struct moq_location a, struct moq_location b)
{
    return a.group != b.group ? a.group < b.group : a.object < b.object;
}

static void forget(struct past *p, struct past_fetch *f)
{
    LL_DELETE(p->first, f);
    p->n--;
    window_unref(f->window);
    free(f);
}

/* `end` of the options as the first location that is not wanted. */
static struct moq_location end_of(const struct moq_fetch_options *o)
{
    if (o->end.object != 0)
        return o->end;
    return (struct moq_location){ o->end.group == UINT64_MAX ? UINT64_MAX : o->end.group + 1, 0 };
}

/* The group begins the walk downwards, or is passed by. False: there is none below. */
static bool enter_below(struct past_fetch *f, uint64_t group)
{
    struct moq_location at;

    if (!window_group_below(f->window, f->track, group, &at) || at.group < f->start.group)
        return false;
    f->at = at.group == f->start.group && before(at, f->start) ? f->start : at;
    return true;
}

void past_begin(struct past *p, struct moq_fetch *fetch, struct window *w, size_t track,
                const struct moq_fetch_options *o)
{
    struct moq_location first, last, end = end_of(o);

    if (!w || !window_range(w, track, &first, &last)) {
        moq_fetch_reject(fetch, MOQ_REQ_DOES_NOT_EXIST, "nothing of it is kept");
        return;
    }
    const struct moq_location after = { last.group, last.object + 1 };
    end = before(after, end) ? after : end;
    const struct moq_location start = before(o->start, first) ? first : o->start;
    if (!before(start, end)) {
        moq_fetch_reject(fetch, MOQ_REQ_INVALID_RANGE, "nothing of that range is kept");
        return;
    }
    struct past_fetch *f = p->n < PAST_FETCHES_MAX ? calloc(1, sizeof *f) : NULL;
    if (!f) {
        moq_fetch_reject(fetch, MOQ_REQ_EXCESSIVE_LOAD, "too many fetches at once");
        return;
    }
    *f = (struct past_fetch){ .fetch = fetch,
                              .window = window_ref(w),
                              .track = track,
                              .at = start,
                              .start = start,
                              .end = end,
                              .descending = o->order == MOQ_ORDER_DESCENDING };
    if (moq_fetch_accept(fetch, false, end, (struct moq_bytes){ 0 }) < 0) {
        window_unref(f->window);
        free(f);
        return;
    }
    LL_APPEND(p->first, f);
    p->n++;
    if (f->descending)
        (void)enter_below(f, end.object > 0 ? end.group + 1 : end.group);
    past_pump(p);
}

/* The next object into p->object. As window_read. */
static int next(struct past *p, struct past_fetch *f)
{
    for (;;) {
        const uint64_t group = f->at.group;
        const int got = window_read(f->window, f->track, f->at, &p->object);
        if (got < 0)
            return got;
        const struct moq_location at = { p->object.moq.group, p->object.moq.object };
        const bool in_range = got == 1 && before(at, f->end);
        if (!f->descending)
            return in_range;
        if (in_range && at.group == group)
            return 1;
        if (!enter_below(f, group))
            return 0;
    }
}

/* False: it is over. */
static bool pump_one(struct past *p, struct past_fetch *f)
{
    for (;;) {
        const uint64_t stream = moq_fetch_stream(f->fetch);
        if (stream != UINT64_MAX && p->queued(p->ctx, stream) >= PAST_QUEUE_MAX)
            return true;
        const int got = next(p, f);
        if (got == 0) {
            moq_fetch_end(f->fetch);
            return false;
        }
        const int err = got < 0 ? MOQ_ERR_QUIC : moq_fetch_write(f->fetch, &p->object.moq);
        if (err == MOQ_ERR_FULL)
            return true; /* no stream to be had yet */
        if (err < 0) {
            moq_fetch_abort(f->fetch, MOQ_STREAM_INTERNAL);
            return false;
        }
        p->objects++;
        p->bytes += p->object.moq.payload.len;
        f->at = (struct moq_location){ p->object.moq.group, p->object.moq.object + 1 };
    }
}

void past_pump(struct past *p)
{
    struct past_fetch *f, *next_one;

    LL_FOREACH_SAFE(p->first, f, next_one)
    {
        if (!pump_one(p, f))
            forget(p, f);
    }
}

void past_cancelled(struct past *p, struct moq_fetch *fetch)
{
    struct past_fetch *f;

    LL_SEARCH_SCALAR(p->first, f, fetch, fetch);
    if (f)
        forget(p, f);
}

void past_give_one(struct moq_fetch *f, const struct moq_fetch_options *o,
                   const struct moq_object *obj)
{
    const struct moq_location at = { obj->group, obj->object };
    const struct moq_location after = { obj->group, obj->object + 1 };

    if (before(at, o->start) || !before(at, end_of(o))) {
        moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "there is nothing in that range");
        return;
    }
    if (moq_fetch_accept(f, false, after, (struct moq_bytes){ 0 }) < 0)
        return;
    if (moq_fetch_write(f, obj) < 0)
        moq_fetch_abort(f, MOQ_STREAM_INTERNAL);
    else
        moq_fetch_end(f);
}

void past_fini(struct past *p)
{
    while (p->first)
        forget(p, p->first);
    window_object_fini(&p->object);
}
