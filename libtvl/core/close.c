/* close.c - how a connection ends: closing and draining, RFC 9000 10. */
#include <stdio.h>
#include <string.h>

#include "send.h"
#include "trace.h"

static void copy_reason(char *out, const char *text, size_t len)
{
    size_t n = len < TVL_REASON_MAX - 1 ? len : TVL_REASON_MAX - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    out[n] = '\0';
}

static void end(struct tvl_conn *conn, enum tvl_conn_state state, enum tvl_close_kind kind)
{
    struct tvl_last_words *last = &conn->last;

    last->set = true;
    last->kind = kind;
    last->send = state == TVL_CONN_CLOSING;
    last->answer_at = 1;
    last->over_at = state == TVL_CONN_DEAD ? conn->now : conn->now + 3 * tvl_conn_pto_max(conn);
    conn->state = state;
    tvl_trace_closed(conn);
}

void tvl_close_with(struct tvl_conn *conn, enum tvl_wire_error code, uint64_t frame_type,
                    const char *reason)
{
    if (conn->last.set)
        return;
    conn->last.code = (uint64_t)code;
    conn->last.frame_type = frame_type;
    copy_reason(conn->last.reason, reason, strlen(reason));
    end(conn, TVL_CONN_CLOSING, TVL_CLOSED_ERROR);
}

void tvl_close_tls(struct tvl_conn *conn, uint8_t alert, const char *reason)
{
    if (conn->last.set)
        return;
    conn->last.code = TVL_WIRE_CRYPTO_ERROR + alert;
    conn->last.frame_type = TVL_FRAME_CRYPTO;
    copy_reason(conn->last.reason, reason, strlen(reason));
    end(conn, TVL_CONN_CLOSING, TVL_CLOSED_TLS);
}

void tvl_close_on_peer(struct tvl_conn *conn, const struct tvl_frame *f)
{
    const bool app = f->type == TVL_FRAME_CONNECTION_CLOSE_APP;
    const bool tls = !app && f->close.code >= TVL_WIRE_CRYPTO_ERROR &&
                     f->close.code < TVL_WIRE_CRYPTO_ERROR + 0x100;

    if (conn->last.set)
        return;
    conn->last.code = f->close.code;
    copy_reason(conn->last.reason, (const char *)f->close.reason, f->close.reason_len);
    end(conn, TVL_CONN_DRAINING,
        app ? TVL_CLOSED_PEER_APP : (tls ? TVL_CLOSED_TLS : TVL_CLOSED_PEER));
}

void tvl_close_silent(struct tvl_conn *conn, enum tvl_close_kind kind, const char *reason)
{
    if (conn->last.set)
        return;
    copy_reason(conn->last.reason, reason, strlen(reason));
    end(conn, TVL_CONN_DEAD, kind);
}

int tvl_close(struct tvl_conn *conn, uint64_t code, const char *reason, tvl_time now)
{
    if (code > TVL_VARINT_MAX)
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    conn->now = now;
    conn->last.app = true;
    conn->last.code = code;
    copy_reason(conn->last.reason, reason ? reason : "", reason ? strlen(reason) : 0);
    end(conn, TVL_CONN_CLOSING, TVL_CLOSED_LOCAL);
    tvl_conn_touch(conn);
    return 0;
}

/* ---- stateless reset, RFC 9000 10.3 ---- */

bool tvl_conn_could_be_reset(const struct tvl_datagram *dgram, const uint8_t *bytes)
{
    return dgram->len >= TVL_RESET_MIN && !(bytes[0] & 0x80);
}

bool tvl_conn_has_path_to(const struct tvl_conn *conn, const struct tvl_datagram *dgram)
{
    for (size_t i = 0; i < conn->n_paths; i++)
        if (tvl_path_place(conn->path[i], dgram))
            return true;
    return false;
}

bool tvl_conn_take_reset(struct tvl_conn *conn, const struct tvl_datagram *dgram,
                         const uint8_t *bytes, tvl_time now)
{
    if (!tvl_conn_alive(conn) || !tvl_conn_could_be_reset(dgram, bytes) ||
        !tvl_cids_is_reset(&conn->cids, bytes + dgram->len - TVL_RESET_TOKEN_SIZE))
        return false;
    conn->now = now;
    tvl_close_silent(conn, TVL_CLOSED_RESET, "stateless reset");
    return true;
}

/* RFC 9000 10.2.1: answer what still comes, ever more seldom. */
void tvl_close_on_packet(struct tvl_conn *conn)
{
    struct tvl_last_words *last = &conn->last;

    if (conn->state != TVL_CONN_CLOSING || last->send)
        return;
    if (++last->received >= last->answer_at) {
        last->received = 0;
        last->answer_at *= 2;
        last->send = true;
    }
}

/* ---- writing the goodbye ---- */

/* The goodbye goes out on every path: one that has died unnoticed would swallow it. */
static struct tvl_path *way_out(struct tvl_conn *conn, enum tvl_level level)
{
    struct tvl_last_words *last = &conn->last;

    if (level != TVL_LEVEL_APP)
        return last->next_path++ == 0 ? conn->path[0] : NULL;
    while (last->next_path < conn->n_paths) {
        struct tvl_path *p = conn->path[last->next_path++];

        if (p->at.has_cid)
            return p;
    }
    return NULL;
}

/* The highest level the peer can surely read. */
static enum tvl_level last_level(const struct tvl_conn *conn)
{
    if (tvl_keys_present(&conn->write[TVL_LEVEL_APP]) &&
        tvl_keys_present(&conn->read[TVL_LEVEL_APP]))
        return TVL_LEVEL_APP;
    return tvl_keys_present(&conn->write[TVL_LEVEL_HANDSHAKE]) ? TVL_LEVEL_HANDSHAKE
                                                               : TVL_LEVEL_INITIAL;
}

static size_t write_close(struct tvl_conn *conn, struct tvl_path *path, enum tvl_level level,
                          uint8_t *bytes, size_t pad_to)
{
    struct tvl_last_words *last = &conn->last;
    const bool app = last->app && level == TVL_LEVEL_APP;
    struct tvl_builder b;
    struct tvl_frame f = { .type =
                               app ? TVL_FRAME_CONNECTION_CLOSE_APP : TVL_FRAME_CONNECTION_CLOSE };

    f.close.code = last->app && !app ? TVL_WIRE_APPLICATION_ERROR : last->code;
    f.close.frame_type = last->frame_type;
    /* RFC 9000 10.2.3: the application's reason does not travel before 1-RTT */
    f.close.reason = (const uint8_t *)last->reason;
    f.close.reason_len = last->app && !app ? 0 : strlen(last->reason);
    if (!tvl_builder_begin(&b, path, level, bytes, TVL_MTU) || !tvl_builder_frame(&b, &f, NULL))
        return 0;
    b.trigger = "close";
    if (pad_to)
        tvl_builder_pad(&b, pad_to);
    return tvl_builder_finish(&b);
}

int tvl_close_send(struct tvl_conn *conn, struct tvl_datagram *dgram, uint8_t *bytes)
{
    const enum tvl_level level = last_level(conn);
    struct tvl_path *path;

    if (conn->state != TVL_CONN_CLOSING || !conn->last.send)
        return 0;
    while ((path = way_out(conn, level)) != NULL) {
        const size_t pad_to = level == TVL_LEVEL_INITIAL ? TVL_INITIAL_DATAGRAM_MIN : 0;
        const size_t len =
            tvl_path_allowance(path) < TVL_MTU ? 0 : write_close(conn, path, level, bytes, pad_to);

        if (len == 0)
            continue;
        *dgram = (struct tvl_datagram){
            .local = path->at.local, .remote = path->at.remote, .len = len, .tag = path->at.tag
        };
        conn->bytes_sent += len;
        path->bytes_sent += len;
        path->at.unproved_out += len; /* answers to many small packets count too: RFC 9000 8.1 */
        return 1;
    }
    conn->last.send = false;
    conn->last.next_path = 0;
    return 0;
}

bool tvl_conn_is_over(const struct tvl_conn *conn, tvl_time now)
{
    return conn->last.set && conn->last.told && now >= conn->last.over_at;
}
