/* transfer.c - one reliable stream of given length from server to client. Contract in bonding.h. */
#include <string.h>

#include "bonding.h"

struct sender {
    const struct transfer *t;
    uint64_t id, written, read;
    tvl_time began, ended;
    bool fin;
};

static void write_more(struct sender *s, struct tvl_conn *conn)
{
    static const uint8_t bytes[65536];

    while (s->written < s->t->bytes) {
        const uint64_t left = s->t->bytes - s->written;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        const int64_t r = tvl_stream_write(conn, s->id, bytes, n, n == left);

        if (r <= 0)
            return;
        s->written += (uint64_t)r;
        if ((size_t)r < n)
            return;
    }
}

static void read_all(struct sender *s, struct net *n, uint64_t id)
{
    uint8_t bytes[65536];
    bool fin = false;
    int64_t r;

    do {
        r = tvl_stream_read(net_conn(n, NET_CLIENT), id, bytes, sizeof bytes, &fin);
        s->read += r > 0 ? (uint64_t)r : 0;
    } while (r > 0 && !fin);
    if (fin && s->read == s->t->bytes) {
        s->fin = true;
        s->ended = net_now(n);
    }
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct sender *s = user;

    if (side == NET_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE)
        read_all(s, n, ev->stream.id);
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED &&
        tvl_stream_open(ev->conn, TVL_UNI, &s->id) == 0) {
        s->began = net_now(n);
        write_more(s, ev->conn);
    }
    if (side == NET_SERVER && ev->type == TVL_EVENT_STREAM_WRITABLE)
        write_more(s, ev->conn);
}

static bool is_done(void *user)
{
    return ((struct sender *)user)->fin;
}

struct transferred transfer_run(const struct net_config *cfg, const struct transfer *t)
{
    const struct net_app app = { .event = on_event, .done = is_done };
    struct sender s = { .t = t };
    struct transferred out = { .whole = false };
    struct tvl_conn_stats stats;
    struct net *n = net_new(cfg, &app, &s);

    if (!n)
        return out;
    out.whole = net_run(n, NET_START + t->limit);
    if (net_conn(n, NET_SERVER)) {
        tvl_conn_get_stats(net_conn(n, NET_SERVER), &stats);
        if (stats.stream_bytes_sent > 0)
            out.resent_share = (double)stats.stream_bytes_resent / (double)stats.stream_bytes_sent;
    }
    out.totals = *net_totals(n);
    if (out.whole) {
        out.seconds = (double)(s.ended - s.began) / 1e6;
        out.goodput_bps = (double)t->bytes * 8 / out.seconds;
    }
    net_free(n);
    return out;
}
