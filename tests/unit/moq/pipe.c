/* pipe.c - see pipe.h. */
#include "pipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct pipe_stream *pipe_find(struct pipe *p, int from, uint64_t id)
{
    for (size_t i = 0; i < p->n_streams; i++)
        if (p->streams[i].id == id && p->streams[i].from == from)
            return &p->streams[i];
    return NULL;
}

static struct pipe_stream *add(struct pipe *p, int from, uint64_t id)
{
    assert(p->n_streams < PIPE_STREAMS_MAX);
    struct pipe_stream *st = &p->streams[p->n_streams++];
    *st = (struct pipe_stream){ .id = id, .from = from };
    return st;
}

uint64_t pipe_newest(const struct pipe *p, int from, bool uni)
{
    return (p->end[from].opened[uni] - 1) * 4 + (uni ? 2 : 0) + (uint64_t)from;
}

static int do_open(void *ctx, bool uni, uint64_t *id)
{
    struct pipe_end *e = ctx;
    if (uni && e->opened[1] >= e->uni_limit)
        return MOQ_ERR_FULL;
    e->opened[uni]++;
    *id = pipe_newest(e->pipe, e->side, uni);
    add(e->pipe, e->side, *id);
    if (!uni)
        add(e->pipe, !e->side, *id);
    return 0;
}

static int do_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    struct pipe_end *e = ctx;
    struct pipe_stream *st = pipe_find(e->pipe, e->side, id);
    if (!st || st->fin || st->reset)
        return MOQ_ERR_STATE;
    st->bytes = realloc(st->bytes, st->len + len + 1);
    if (len > 0)
        memcpy(st->bytes + st->len, bytes, len);
    st->len += len;
    st->fin = fin;
    return 0;
}

static int do_reset(void *ctx, uint64_t id, uint64_t code)
{
    struct pipe_end *e = ctx;
    struct pipe_stream *st = pipe_find(e->pipe, e->side, id);
    if (!st || st->over || st->reset)
        return MOQ_ERR_STATE;
    st->reset = true;
    st->reset_code = code;
    return 0;
}

static int do_stop(void *ctx, uint64_t id, uint64_t code)
{
    struct pipe_end *e = ctx;
    struct pipe_stream *st = pipe_find(e->pipe, !e->side, id);
    if (!st || st->over)
        return MOQ_ERR_STATE;
    st->stop = true;
    st->stop_code = code;
    return 0;
}

static void do_set_rank(void *ctx, uint64_t id, uint64_t rank)
{
    struct pipe_end *e = ctx;
    pipe_find(e->pipe, e->side, id)->rank = rank;
}

static void do_set_lifetime(void *ctx, uint64_t id, uint64_t us, uint64_t code)
{
    struct pipe_end *e = ctx;
    (void)code;
    pipe_find(e->pipe, e->side, id)->lifetime_us = us;
}

static int do_datagram(void *ctx, const uint8_t *bytes, size_t len)
{
    struct pipe_end *e = ctx;
    moq_session_on_datagram(e->pipe->session[!e->side], bytes, len);
    return 0;
}

static void do_close(void *ctx, uint64_t code, const char *reason)
{
    struct pipe_end *e = ctx;
    (void)reason;
    assert(!e->closed && reason);
    e->closed = true;
    e->close_code = code;
}

struct moq_quic pipe_quic(struct pipe *p, int side)
{
    return (struct moq_quic){ .ctx = &p->end[side],
                              .open = do_open,
                              .write = do_write,
                              .reset = do_reset,
                              .stop = do_stop,
                              .set_rank = do_set_rank,
                              .set_lifetime = do_set_lifetime,
                              .datagram = do_datagram,
                              .close = do_close };
}

void pipe_init(struct pipe *p, uint64_t seed, size_t chunk_max)
{
    *p = (struct pipe){ .rng = { seed }, .chunk_max = chunk_max };
    p->streams = calloc(PIPE_STREAMS_MAX, sizeof *p->streams);
    for (int side = 0; side < 2; side++)
        p->end[side] = (struct pipe_end){ .pipe = p, .side = side, .uni_limit = UINT64_MAX };
}

void pipe_fini(struct pipe *p)
{
    for (int side = 0; side < 2; side++)
        moq_session_free(p->session[side]);
    for (size_t i = 0; i < p->n_streams; i++)
        free(p->streams[i].bytes);
    free(p->streams);
}

static bool pending(const struct pipe_stream *st)
{
    return !st->held && (st->stop || (!st->over && (st->reset || st->fin || st->at < st->len)));
}

static void deliver(struct pipe *p, struct pipe_stream *st)
{
    struct moq_session *to = p->session[!st->from], *from = p->session[st->from];
    uint64_t id = st->id;
    bool uni = (id & 2) != 0;
    if (st->stop) {
        st->stop = false;
        moq_session_on_stop(from, id, st->stop_code);
        return;
    }
    if (st->reset) {
        st->over = true; /* what was not delivered is lost */
        moq_session_on_reset(to, id, st->reset_code);
        return;
    }
    size_t n = st->len - st->at, most = 1 + mutate_below(&p->rng, p->chunk_max);
    n = n < most ? n : most;
    uint8_t *exact = malloc(n + 1); /* of exact size, for the sanitizer */
    memcpy(exact, st->bytes + st->at, n);
    st->at += n;
    bool fin = st->fin && st->at == st->len;
    st->over = fin;
    moq_session_on_data(to, id, exact, n, fin, p->now);
    free(exact);
    if (fin && uni)
        moq_session_on_stream_end(from, id);
}

void pipe_run(struct pipe *p)
{
    for (;;) {
        size_t n = 0, start = mutate_below(&p->rng, p->n_streams);
        while (n < p->n_streams && !pending(&p->streams[(start + n) % p->n_streams]))
            n++;
        if (n == p->n_streams)
            return;
        deliver(p, &p->streams[(start + n) % p->n_streams]);
    }
}
