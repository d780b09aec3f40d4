/* serve.c - see serve.h. */
#include "serve.h"

static void set_window(struct tvl_conn *conn)
{
    const struct tvl_flow_config flow = { .window = SERVE_WINDOW };

    (void)tvl_flow_set(conn, 0, &flow);
}

static bool is_unidirectional(uint64_t id)
{
    return id & TVL_UNI;
}

/* Move what there is, until the reader or the writer has no more. */
static void move(struct echo_counts *counts, struct tvl_conn *conn, uint64_t id)
{
    const uint8_t *bytes;
    bool fin = false;

    for (;;) {
        int64_t n = tvl_stream_peek(conn, id, &bytes, &fin), taken = n;

        if (n < 0 || (n == 0 && !fin))
            return;
        if (!is_unidirectional(id))
            taken = tvl_stream_write(conn, id, bytes, (size_t)n, fin);
        if (taken < 0) { /* the client wants no answer any more */
            (void)tvl_stream_stop(conn, id, 0);
            return;
        }
        counts->bytes += (uint64_t)taken;
        if (taken == 0 && n > 0)
            return; /* WRITABLE follows */
        if (tvl_stream_consume(conn, id, (size_t)taken, &fin) != 0 || fin)
            return;
    }
}

void echo_serve_event(struct echo_counts *counts, const struct tvl_event *ev)
{
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        counts->connections++;
        set_window(ev->conn);
        break;
    case TVL_EVENT_STREAM_OPENED:
        counts->streams++;
        break;
    case TVL_EVENT_STREAM_READABLE:
    case TVL_EVENT_STREAM_WRITABLE:
        move(counts, ev->conn, ev->stream.id);
        break;
    case TVL_EVENT_STREAM_RESET: /* half an answer is none */
        (void)tvl_stream_reset(ev->conn, ev->stream.id, ev->stream.code);
        break;
    case TVL_EVENT_DATAGRAM:
        if (tvl_datagram_write(ev->conn, ev->datagram.bytes, ev->datagram.len) == 0)
            counts->datagrams++;
        else
            counts->datagrams_dropped++;
        break;
    default:
        break;
    }
}
