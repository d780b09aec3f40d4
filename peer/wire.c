/* wire.c - see wire.h. */
#include "wire.h"

#include <stdlib.h>

#define UNI_SHIFT \
    2 /* the low bits of a stream ID are its kind; ours of one kind count by 1 above */

static int hear_send(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    struct wire *w = ctx;
    int result = w->inner.send(ctx, m, id);
    if (result == 0) {
        w->last_stream = *id;
        w->last_rank = m->rank;
    }
    return result;
}

void wire_init(struct wire *w, struct tvl_conn *conn, struct moq_quic *out)
{
    *w = (struct wire){ 0 };
    moq_tvl_init(&w->tvl, conn, &w->inner);
    *out = w->inner;
    out->send = hear_send;
}

void wire_fini(struct wire *w)
{
    free(w->flight);
    w->flight = NULL;
    w->cap = 0;
}

static struct wire_flight *place(const struct wire *w, uint64_t stream)
{
    return &w->flight[(stream >> UNI_SHIFT) & (w->cap - 1)];
}

/* Twice the room; what is in flight has places of its own there, too. */
static void grow(struct wire *w)
{
    const struct wire former = *w;
    const size_t cap = w->cap ? 2 * w->cap : WIRE_FLIGHTS_MIN;
    struct wire_flight *flight = calloc(cap, sizeof *flight);
    if (!flight)
        return; /* a flight is forgotten instead */
    w->flight = flight;
    w->cap = cap;
    for (size_t i = 0; i < former.cap; i++)
        if (former.flight[i].stream)
            *place(w, former.flight[i].stream) = former.flight[i];
    free(former.flight);
}

void wire_aim(struct wire *w, uint32_t flow)
{
    w->tvl.flow = flow;
}

void wire_note(struct wire *w, uint8_t watch, size_t track, uint64_t picture)
{
    while (w->cap < WIRE_FLIGHTS_MAX && (w->cap == 0 || place(w, w->last_stream)->stream)) {
        const size_t before = w->cap;
        grow(w);
        if (w->cap == before)
            break;
    }
    if (w->cap == 0)
        return;
    *place(w, w->last_stream) = (struct wire_flight){ .stream = w->last_stream,
                                                      .picture = picture,
                                                      .at = w->tvl.now,
                                                      .watch = watch,
                                                      .track = (uint8_t)track };
}

const struct wire_flight *wire_end(struct wire *w, uint64_t stream)
{
    struct wire_flight *f = w->cap ? place(w, stream) : NULL;
    if (stream == 0 || !f || f->stream != stream)
        return NULL;
    f->stream = 0;
    return f;
}

void wire_forget(struct wire *w, uint8_t watch)
{
    for (size_t i = 0; i < w->cap; i++)
        if (w->flight[i].watch == watch)
            w->flight[i].stream = 0;
}
