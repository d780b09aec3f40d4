/* wire.c - see wire.h. */
#include "wire.h"

#define UNI_SHIFT \
    2 /* the low bits of a stream ID are its kind; ours of one kind count by 1 above */

static int hear_open(void *ctx, bool uni, uint64_t *id)
{
    struct wire *w = ctx;
    int result = w->inner.open(ctx, uni, id);
    if (result == 0 && uni)
        w->last_stream = *id;
    return result;
}

static void hear_rank(void *ctx, uint64_t id, uint64_t rank)
{
    struct wire *w = ctx;
    if (id == w->last_stream)
        w->last_rank = rank;
    w->inner.set_rank(ctx, id, rank);
}

void wire_init(struct wire *w, struct tvl_conn *conn, struct moq_quic *out)
{
    *w = (struct wire){ 0 };
    moq_tvl_init(&w->tvl, conn, &w->inner);
    *out = w->inner;
    out->open = hear_open;
    out->set_rank = hear_rank;
}

static struct wire_flight *place(struct wire *w, uint64_t stream)
{
    return &w->flight[(stream >> UNI_SHIFT) % WIRE_FLIGHTS_MAX];
}

void wire_note(struct wire *w, size_t track, uint32_t flow, uint64_t picture)
{
    *place(w, w->last_stream) = (struct wire_flight){
        .stream = w->last_stream, .picture = picture, .at = w->tvl.now, .track = (uint8_t)track
    };
    w->rank[track] = w->last_rank;
    (void)tvl_stream_set_flow(w->tvl.conn, w->last_stream, flow);
}

const struct wire_flight *wire_end(struct wire *w, uint64_t stream)
{
    struct wire_flight *f = place(w, stream);
    if (stream == 0 || f->stream != stream)
        return NULL;
    f->stream = 0;
    return f;
}

uint64_t wire_backlog(const struct wire *w, size_t track)
{
    for (size_t i = track + 1; i-- > 0;) /* no object yet: what goes before is the track before */
        if (w->rank[i])
            return tvl_backlog(w->tvl.conn, w->rank[i]);
    return 0;
}
