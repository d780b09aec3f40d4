/* transfer.c - a checked stream between the ends of a pair. Contract in transfer.h. */
#include "transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint8_t pattern(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8));
}

void transfer_write(struct pair *p, int side, struct transfer *t)
{
    uint8_t bytes[16384];

    while (t->written < t->total) {
        size_t n = sizeof bytes < t->total - t->written ? sizeof bytes : t->total - t->written;

        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(t->written + i);
        const int64_t r =
            tvl_stream_write(p->conn[side], t->id, bytes, n, t->written + n == t->total);
        assert_true(r >= 0);
        t->written += (uint64_t)r;
        if ((size_t)r < n)
            return;
    }
}

static void read_all(struct pair *p, int side, uint64_t id, struct transfer *t)
{
    uint8_t bytes[16384];
    bool fin = false;
    int64_t n;

    while ((n = tvl_stream_read(p->conn[side], id, bytes, sizeof bytes, &fin)) > 0 || fin) {
        for (int64_t i = 0; i < n; i++)
            t->damaged = t->damaged || bytes[i] != pattern(t->received + (uint64_t)i);
        t->received += (uint64_t)n;
        t->finished = t->finished || fin;
        if (fin)
            return;
    }
}

void transfer_serve(struct pair *p, int side, const struct tvl_event *ev)
{
    struct transfer *t = p->user;

    if (side == PAIR_SERVER && ev->type == TVL_EVENT_CONNECTED) {
        assert_int_equal(tvl_stream_open(ev->conn, TVL_UNI, &t->id), 0);
        t->started = true;
        transfer_write(p, side, t);
    } else if (side == PAIR_SERVER && ev->type == TVL_EVENT_STREAM_WRITABLE) {
        transfer_write(p, side, t);
    } else if (side == PAIR_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE) {
        read_all(p, side, ev->stream.id, t);
    }
}

bool transfer_finished(struct pair *p)
{
    return ((struct transfer *)p->user)->finished;
}

bool pair_both_connected(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CONNECTED] && p->seen[1][TVL_EVENT_CONNECTED];
}

bool pair_both_closed(struct pair *p)
{
    return p->seen[0][TVL_EVENT_CLOSED] && p->seen[1][TVL_EVENT_CLOSED];
}

bool transfer_third(struct pair *p)
{
    const struct transfer *t = p->user;

    return t->received > t->total / 3;
}
