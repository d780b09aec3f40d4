/* moq_tvl.c - struct moq_quic over a libtvl connection, and its events to a session. The one file
 * of moq that knows libtvl; see <moq/moq_tvl.h>. */
#include <moq/moq_tvl.h>

#define READ_CHUNK 16384 /* bytes per tvl_stream_read() */

static int do_open(void *ctx, bool uni, uint64_t *id)
{
    struct moq_tvl *t = ctx;
    return tvl_stream_open(t->conn, uni ? TVL_UNI : TVL_BIDI, id) < 0 ? MOQ_ERR_QUIC : 0;
}

static int do_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    struct moq_tvl *t = ctx;
    static const uint8_t nothing[1];
    int64_t took = tvl_stream_write(t->conn, id, bytes ? bytes : nothing, len, fin);
    /* A part is as bad as none: the session resets the stream, or closes. */
    return took < 0 || (uint64_t)took < len ? MOQ_ERR_QUIC : 0;
}

static tvl_time deadline_of(const struct moq_tvl *t, uint64_t us)
{
    return us == 0 || us >= TVL_TIME_NEVER - t->now ? TVL_TIME_NEVER : t->now + us;
}

static int do_send(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    struct moq_tvl *t = ctx;
    const struct tvl_stream_order order = { .dir = TVL_UNI,
                                            .rank = m->rank,
                                            .deadline = deadline_of(t, m->lifetime_us),
                                            .code = m->code,
                                            .flow = t->flow };
    const struct tvl_part part[] = { { m->head, m->head_len }, { m->body, m->body_len } };
    return tvl_stream_send(t->conn, &order, part, m->body_len > 0 ? 2 : 1, id) < 0 ? MOQ_ERR_QUIC
                                                                                   : 0;
}

static int do_reset(void *ctx, uint64_t id, uint64_t code)
{
    struct moq_tvl *t = ctx;
    return tvl_stream_reset(t->conn, id, code) < 0 ? MOQ_ERR_QUIC : 0;
}

static int do_stop(void *ctx, uint64_t id, uint64_t code)
{
    struct moq_tvl *t = ctx;
    return tvl_stream_stop(t->conn, id, code) < 0 ? MOQ_ERR_QUIC : 0;
}

static void do_set_rank(void *ctx, uint64_t id, uint64_t rank)
{
    struct moq_tvl *t = ctx;
    tvl_stream_set_rank(t->conn, id, rank);
}

static void do_set_lifetime(void *ctx, uint64_t id, uint64_t us, uint64_t code)
{
    struct moq_tvl *t = ctx;
    tvl_stream_set_deadline(t->conn, id, deadline_of(t, us), code);
}

static int do_datagram(void *ctx, const uint8_t *bytes, size_t len)
{
    struct moq_tvl *t = ctx;
    return tvl_datagram_write(t->conn, bytes, len) < 0 ? MOQ_ERR_QUIC : 0;
}

static void do_close(void *ctx, uint64_t code, const char *reason)
{
    struct moq_tvl *t = ctx;
    tvl_close(t->conn, code, reason, t->now);
}

void moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out)
{
    *t = (struct moq_tvl){ .conn = conn };
    *out = (struct moq_quic){ .ctx = t,
                              .open = do_open,
                              .write = do_write,
                              .send = do_send,
                              .reset = do_reset,
                              .stop = do_stop,
                              .set_rank = do_set_rank,
                              .set_lifetime = do_set_lifetime,
                              .datagram = do_datagram,
                              .close = do_close };
}

/* Bounded by what the connection's windows let the peer send ahead. */
static void read_all(struct moq_tvl *t, struct moq_session *s, uint64_t id)
{
    uint8_t bytes[READ_CHUNK];
    for (;;) {
        bool fin = false;
        int64_t got = tvl_stream_read(t->conn, id, bytes, sizeof bytes, &fin);
        if (got < 0 || (got == 0 && !fin))
            return;
        moq_session_on_data(s, id, bytes, (size_t)got, fin, t->now);
        if (fin)
            return;
    }
}

void moq_tvl_on_event(struct moq_tvl *t, struct moq_session *s, const struct tvl_event *ev,
                      tvl_time now)
{
    t->now = now;
    switch (ev->type) {
    case TVL_EVENT_STREAM_READABLE:
        read_all(t, s, ev->stream.id);
        break;
    case TVL_EVENT_STREAM_RESET:
        moq_session_on_reset(s, ev->stream.id, ev->stream.code);
        break;
    case TVL_EVENT_STREAM_STOPPED:
        moq_session_on_stop(s, ev->stream.id, ev->stream.code);
        break;
    case TVL_EVENT_STREAM_ACKED:
    case TVL_EVENT_STREAM_EXPIRED:
        moq_session_on_stream_end(s, ev->stream.id);
        break;
    case TVL_EVENT_DATAGRAM:
        moq_session_on_datagram(s, ev->datagram.bytes, ev->datagram.len);
        break;
    case TVL_EVENT_ACCEPTED:
    case TVL_EVENT_CONNECTED:
    case TVL_EVENT_CLOSED:
    case TVL_EVENT_PATH:
    case TVL_EVENT_CONTROLLER:
    case TVL_EVENT_STREAMS:
    case TVL_EVENT_STREAM_OPENED:
    case TVL_EVENT_STREAM_WRITABLE:
        break;
    }
}
