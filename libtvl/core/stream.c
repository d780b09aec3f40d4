/* stream.c - see stream.h. */
#include "stream.h"

#include <assert.h>
#include <stdlib.h>

struct tvl_stream *tvl_stream_new(uint64_t id)
{
    struct tvl_stream *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->id = id;
    s->rank = s->asked_rank = TVL_RANK_DEFAULT;
    s->deadline = TVL_TIME_NEVER;
    tvl_sendbuf_init(&s->out);
    tvl_recvbuf_init(&s->in);
    return s;
}

void tvl_stream_renew(struct tvl_stream *s, uint64_t id)
{
    tvl_sendbuf_renew(&s->out, TVL_STREAM_RENEW_RING);
    tvl_recvbuf_renew(&s->in, TVL_STREAM_RENEW_RING);
    *s = (struct tvl_stream){ .id = id,
                              .rank = TVL_RANK_DEFAULT,
                              .asked_rank = TVL_RANK_DEFAULT,
                              .deadline = TVL_TIME_NEVER,
                              .out = s->out,
                              .in = s->in };
}

void tvl_stream_free(struct tvl_stream *s)
{
    if (s == NULL)
        return;
    tvl_sendbuf_fini(&s->out);
    tvl_recvbuf_fini(&s->in);
    free(s);
}

/* ---- sending part ---- */

bool tvl_stream_awaits_ack(const struct tvl_stream *s)
{
    return s->send_state == TVL_SEND_READY || s->send_state == TVL_SEND_SEND ||
           s->send_state == TVL_SEND_DATA_SENT;
}

bool tvl_stream_can_write(const struct tvl_stream *s)
{
    return tvl_stream_awaits_ack(s) && !s->out.fin;
}

bool tvl_stream_send_over(const struct tvl_stream *s)
{
    return s->send_state == TVL_SEND_NONE || s->send_state == TVL_SEND_DATA_RECVD ||
           s->send_state == TVL_SEND_RESET_RECVD;
}

bool tvl_stream_has_again(const struct tvl_stream *s)
{
    return tvl_stream_awaits_ack(s) && tvl_sendbuf_has_again(&s->out);
}

bool tvl_stream_has_fresh(const struct tvl_stream *s)
{
    return tvl_stream_awaits_ack(s) && tvl_sendbuf_unsent(&s->out) > 0 && s->out.sent < s->send_max;
}

bool tvl_stream_is_blocked(const struct tvl_stream *s)
{
    return tvl_stream_awaits_ack(s) && tvl_sendbuf_unsent(&s->out) > 0 &&
           s->out.sent >= s->send_max;
}

int64_t tvl_stream_append(struct tvl_stream *s, const uint8_t *bytes, size_t len, bool fin)
{
    if (!tvl_stream_can_write(s))
        return TVL_ERR_STATE;
    int64_t taken = tvl_sendbuf_append(&s->out, bytes, len);
    if (taken < 0)
        return taken;
    s->written += (uint64_t)taken;
    s->short_write = (size_t)taken < len;
    if (fin && !s->short_write)
        tvl_sendbuf_finish(&s->out);
    return taken;
}

uint64_t tvl_stream_acked_bytes(const struct tvl_stream *s)
{
    if (!tvl_stream_awaits_ack(s) && s->send_state != TVL_SEND_DATA_RECVD)
        return s->acked_at_reset;
    return s->out.base + s->out.acked.total;
}

uint64_t tvl_stream_held(const struct tvl_stream *s)
{
    return s->out.end - s->out.base;
}

void tvl_stream_mark_sent(struct tvl_stream *s, const struct tvl_send_chunk *c)
{
    tvl_sendbuf_sent(&s->out, c->offset, c->len, c->fin);
    s->send_state = s->out.fin_sent ? TVL_SEND_DATA_SENT : TVL_SEND_SEND;
}

void tvl_stream_mark_acked(struct tvl_stream *s, uint64_t offset, size_t len, bool fin)
{
    if (!tvl_stream_awaits_ack(s))
        return;
    tvl_sendbuf_acked(&s->out, offset, len, fin);
    if (tvl_sendbuf_done(&s->out)) {
        s->send_state = TVL_SEND_DATA_RECVD;
        s->news |= TVL_NEWS_ACKED;
    }
}

bool tvl_stream_abort(struct tvl_stream *s, uint64_t code)
{
    if (!tvl_stream_awaits_ack(s))
        return false;
    s->reset_code = code;
    s->reset_size = s->out.sent;
    s->acked_at_reset = tvl_stream_acked_bytes(s);
    s->send_state = TVL_SEND_RESET_SENT;
    s->short_write = false;
    s->news &= ~(unsigned)TVL_NEWS_WRITABLE;
    s->want &= ~(unsigned)TVL_WANT_STREAM_DATA_BLOCKED;
    s->want |= TVL_WANT_RESET_STREAM;
    tvl_sendbuf_drop(&s->out);
    return true;
}

/* ---- receiving part ---- */

bool tvl_stream_recv_over(const struct tvl_stream *s)
{
    return s->recv_state == TVL_RECV_NONE || s->recv_state == TVL_RECV_DATA_READ ||
           s->recv_state == TVL_RECV_RESET_READ;
}

bool tvl_stream_can_read(const struct tvl_stream *s)
{
    return !s->stopped && (s->recv_state == TVL_RECV_RECV || s->recv_state == TVL_RECV_SIZE_KNOWN ||
                           s->recv_state == TVL_RECV_DATA_RECVD);
}

/* What follows for the state from what the buffer now knows. */
static void advance_recv(struct tvl_stream *s)
{
    if (s->recv_state == TVL_RECV_RECV && s->in.final_size != TVL_SIZE_UNKNOWN) {
        s->recv_state = TVL_RECV_SIZE_KNOWN;
        s->want &= ~(unsigned)TVL_WANT_MAX_STREAM_DATA;
    }
    if (s->recv_state == TVL_RECV_SIZE_KNOWN && tvl_recvbuf_complete(&s->in))
        s->recv_state = TVL_RECV_DATA_RECVD;
    if (s->stopped &&
        (s->recv_state == TVL_RECV_SIZE_KNOWN || s->recv_state == TVL_RECV_DATA_RECVD))
        s->recv_state = TVL_RECV_DATA_READ; /* the final size was all that was still needed */
}

int64_t tvl_stream_take(struct tvl_stream *s, const struct tvl_stream_piece *piece)
{
    uint64_t readable = tvl_recvbuf_readable(&s->in);
    int64_t rise = tvl_recvbuf_take(&s->in, piece->offset, piece->bytes, piece->len, s->recv_max);
    if (rise < 0)
        return rise;
    if (piece->fin) {
        int res = tvl_recvbuf_finish(&s->in, piece->offset + piece->len);
        if (res < 0)
            return res;
    }
    enum tvl_recv_state before = s->recv_state;
    advance_recv(s);
    bool came_to_end = before != s->recv_state && s->recv_state == TVL_RECV_DATA_RECVD;
    if (tvl_stream_can_read(s) && (came_to_end || tvl_recvbuf_readable(&s->in) > readable))
        s->news |= TVL_NEWS_READABLE;
    return rise;
}

int64_t tvl_stream_take_reset(struct tvl_stream *s, uint64_t code, uint64_t final_size)
{
    if (final_size > s->recv_max)
        return -TVL_WIRE_FLOW_CONTROL_ERROR;
    int res = tvl_recvbuf_finish(&s->in, final_size);
    if (res < 0)
        return res;
    uint64_t rise = final_size - s->in.highest;
    s->in.highest = final_size;
    /* Once all data is here a reset comes too late to matter (RFC 9000 3.2). */
    if (s->recv_state != TVL_RECV_RECV && s->recv_state != TVL_RECV_SIZE_KNOWN)
        return (int64_t)rise;
    tvl_recvbuf_drop(&s->in);
    s->peer_code = code;
    s->want &= ~(unsigned)(TVL_WANT_STOP_SENDING | TVL_WANT_MAX_STREAM_DATA);
    s->news &= ~(unsigned)TVL_NEWS_READABLE;
    if (s->stopped) {
        s->recv_state = TVL_RECV_RESET_READ; /* nobody is interested any more */
    } else {
        s->recv_state = TVL_RECV_RESET_RECVD;
        s->news |= TVL_NEWS_RESET;
    }
    return (int64_t)rise;
}

/* What follows once bytes were taken. */
static bool came_to_end(struct tvl_stream *s)
{
    const bool fin = s->recv_state == TVL_RECV_DATA_RECVD && tvl_recvbuf_at_end(&s->in);

    if (fin)
        s->recv_state = TVL_RECV_DATA_READ;
    if (fin || tvl_recvbuf_readable(&s->in) == 0)
        s->news &= ~(unsigned)TVL_NEWS_READABLE;
    return fin;
}

const uint8_t *tvl_stream_look(const struct tvl_stream *s, size_t *len, bool *fin)
{
    const uint8_t *bytes = tvl_recvbuf_peek(&s->in, len);

    *fin = s->recv_state == TVL_RECV_DATA_RECVD && s->in.base + *len == s->in.final_size;
    return bytes;
}

void tvl_stream_skip(struct tvl_stream *s, size_t len, bool *fin)
{
    assert(tvl_stream_can_read(s));
    tvl_recvbuf_skip(&s->in, len);
    *fin = came_to_end(s);
}

size_t tvl_stream_read_out(struct tvl_stream *s, uint8_t *out, size_t cap, bool *fin)
{
    assert(tvl_stream_can_read(s));
    size_t len = tvl_recvbuf_read(&s->in, out, cap);
    *fin = came_to_end(s);
    return len;
}

void tvl_stream_stop_reading(struct tvl_stream *s, uint64_t code)
{
    assert(tvl_stream_can_read(s));
    s->stopped = true;
    s->stop_code = code;
    s->news &= ~(unsigned)TVL_NEWS_READABLE;
    s->want &= ~(unsigned)TVL_WANT_MAX_STREAM_DATA;
    if (s->recv_state != TVL_RECV_DATA_RECVD)
        s->want |= TVL_WANT_STOP_SENDING;
    tvl_recvbuf_drop(&s->in);
    advance_recv(s);
}

uint64_t tvl_stream_consumed(const struct tvl_stream *s)
{
    return s->in.dropped ? s->in.highest : s->in.base;
}

bool tvl_stream_window_due(const struct tvl_stream *s)
{
    return s->recv_state == TVL_RECV_RECV && !s->stopped &&
           s->in.base + s->recv_window - s->recv_max >= s->recv_window / 2;
}
