/*
 * timers.c - everything that happens because time passes. All clocks of a connection:
 *
 *     handshake    given up when it takes too long          conn.began_at
 *     idle         RFC 9000 10.1                            conn.idle_since
 *     closing      end of closing or draining               last.over_at
 *     loss, PTO    per packet number space, RFC 9002 6      recovery
 *     ACK delay    per packet number space                  ack
 *     challenge    per path, RFC 9000 8.2.1                 path.challenge
 *     health       per path: silence, probes                health
 *     keep-alive   per path, client                         path.received_at
 *     forgetting   per abandoned path                       path.forget_at
 *     pacing       per path, while data waits               pacer
 *     deadlines    per stream, per datagram                 streams, dgrams
 *     repair       per block: it closes, its verdict is due repair_out
 *     trimming     memory of a connection gone quiet        conn.idle_since
 *     old keys     after a key update                       keyphase
 *
 * Others report what happened; only this file asks what time it is.
 */
#include "conn.h"
#include "copies.h"
#include "trace.h"

#define TRIM_AFTER 1000000u /* us of silence */

static tvl_time earlier(tvl_time a, tvl_time b)
{
    return a < b ? a : b;
}

tvl_time tvl_conn_pto_max(const struct tvl_conn *conn)
{
    tvl_time pto = 0;

    for (size_t i = 0; i < conn->n_paths; i++) {
        const tvl_time t =
            tvl_rtt_pto_base(&conn->path[i]->cc.rtt) + conn->path[i]->app.sent.max_ack_delay;

        if (conn->path[i]->state != TVL_PATH_ABANDONED && t > pto)
            pto = t;
    }
    return pto ? pto : TVL_RTT_INITIAL * 3;
}

tvl_time tvl_conn_retry_at(const struct tvl_conn *conn, tvl_time t)
{
    return conn->tried && t <= conn->now ? TVL_TIME_NEVER : t;
}

static tvl_time idle_at(const struct tvl_conn *conn)
{
    const tvl_time least = 3 * tvl_conn_pto_max(conn);

    if (conn->idle_timeout == 0)
        return TVL_TIME_NEVER;
    return conn->idle_since + (conn->idle_timeout > least ? conn->idle_timeout : least);
}

static tvl_time space_next(const struct tvl_conn *conn, const struct tvl_space *s,
                           enum tvl_level level)
{
    if (!tvl_keys_present(&conn->write[level]))
        return TVL_TIME_NEVER;
    return earlier(tvl_recovery_next_time(&s->sent),
                   tvl_conn_retry_at(conn, tvl_ack_due(&s->received)));
}

/* When pacing, or nothing but the present, lets waiting data leave. */
static tvl_time data_next(const struct tvl_conn *conn)
{
    tvl_time t = TVL_TIME_NEVER;

    if (!tvl_handshake_is_done(conn) ||
        (!tvl_conn_data_waits(conn) && !tvl_copies_wait(conn) && !tvl_repair_waits(conn)))
        return t;
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_is_up(conn->path[i]))
            t = earlier(
                t, tvl_conn_retry_at(conn, tvl_path_cc_next_send(&conn->path[i]->cc, conn->now)));
    return t;
}

tvl_time tvl_conn_next_tick(const struct tvl_conn *conn)
{
    tvl_time t;

    if (!tvl_conn_alive(conn))
        return conn->last.over_at;
    t = idle_at(conn);
    if (conn->state == TVL_CONN_HANDSHAKE)
        t = earlier(t, conn->began_at + conn->cfg->handshake_timeout);
    if (!conn->confirmed) {
        t = earlier(t, space_next(conn, &conn->initial, TVL_LEVEL_INITIAL));
        t = earlier(t, space_next(conn, &conn->handshake, TVL_LEVEL_HANDSHAKE));
    }
    for (size_t i = 0; i < conn->n_paths; i++)
        t = earlier(t, tvl_path_next_time(conn->path[i]));
    t = earlier(t, tvl_streams_next_deadline(&conn->streams));
    t = earlier(t, tvl_dgrams_next_deadline(&conn->dgrams));
    t = earlier(t, tvl_repair_next(conn));
    if (conn->streams.large)
        t = earlier(t, conn->idle_since + TRIM_AFTER);
    t = earlier(t, tvl_keyphase_next(&conn->phase));
    return earlier(t, data_next(conn));
}

static unsigned tick_space(struct tvl_conn *conn, struct tvl_space *s, enum tvl_level level)
{
    if (!tvl_keys_present(&conn->write[level]))
        return 0;
    if (conn->now >= tvl_recovery_next_time(&s->sent))
        tvl_trace_timer(conn, conn->path[0], tvl_recovery_clock(&s->sent));
    const unsigned probes = tvl_recovery_on_timeout(&s->sent, conn->now);
    if (probes > s->probes)
        s->probes = probes;
    return probes;
}

/*
 * When one of the two spaces times out, what the other has in flight goes again too: neither is of
 * use to the peer without the other, and they share the backoff (RFC 9002 6.2.4).
 */
static void tick_handshake_spaces(struct tvl_conn *conn)
{
    const unsigned initial = tick_space(conn, &conn->initial, TVL_LEVEL_INITIAL);
    const unsigned handshake = tick_space(conn, &conn->handshake, TVL_LEVEL_HANDSHAKE);

    if (initial > conn->handshake.probes && conn->handshake.sent.n_eliciting > 0)
        conn->handshake.probes = initial;
    if (handshake > conn->initial.probes && conn->initial.sent.n_eliciting > 0)
        conn->initial.probes = handshake;
}

static void trim(struct tvl_conn *conn)
{
    tvl_streams_trim(&conn->streams);
    for (size_t i = 0; i < conn->n_paths; i++)
        tvl_recovery_quiet(&conn->path[i]->app.sent, conn->now);
}

void tvl_conn_tick(struct tvl_conn *conn, tvl_time now)
{
    conn->now = now;
    conn->tried = false;
    if (!tvl_conn_alive(conn))
        return;
    if (conn->state == TVL_CONN_HANDSHAKE && now >= conn->began_at + conn->cfg->handshake_timeout) {
        tvl_close_silent(conn, TVL_CLOSED_NO_ANSWER, "no answer in time");
        return;
    }
    if (now >= idle_at(conn)) {
        tvl_trace_timer(conn, NULL, "idle");
        tvl_close_silent(conn, TVL_CLOSED_IDLE, "idle time-out");
        return;
    }
    if (!conn->confirmed)
        tick_handshake_spaces(conn);
    for (size_t i = conn->n_paths; i-- > 0;) /* downwards: a path may go */
        tvl_path_tick(conn->path[i], now);
    if (tvl_handshake_is_done(conn))
        tvl_streams_tick(&conn->streams, now);
    tvl_dgrams_tick(&conn->dgrams, now);
    tvl_repair_tick(conn);
    if (conn->streams.large && now >= conn->idle_since + TRIM_AFTER)
        trim(conn);
    tvl_keyphase_tick(conn, now);
}
