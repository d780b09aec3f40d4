/* request.c - messages on request streams, in either direction, and the peer's request IDs. */
#include "session.h"

/* Whether index `i` is new; remembers it. */
static bool take_index(struct moq_id_window *w, uint64_t i)
{
    if (i >= w->end) {
        uint64_t gap = i - w->end;
        for (uint64_t at = 0; at < MOQ_ID_WINDOW && at <= gap; at++) {
            uint64_t clear = (i - at) % MOQ_ID_WINDOW;
            w->bits[clear / 64] &= ~(UINT64_C(1) << clear % 64);
        }
        w->end = i + 1;
    } else if (w->end - i > MOQ_ID_WINDOW) {
        return false;
    }
    uint64_t bit = UINT64_C(1) << i % 64, *word = &w->bits[i % MOQ_ID_WINDOW / 64];
    bool is_new = (*word & bit) == 0;
    *word |= bit;
    return is_new;
}

static bool take_request_id(struct moq_session *s, uint64_t id)
{
    bool parity = id % 2 == (s->server ? 0 : 1);
    if (parity && take_index(&s->peer_ids, id / 2))
        return true;
    moq_session_fail(s, MOQ_INVALID_REQUEST_ID, "request ID of wrong parity or used before");
    return false;
}

static void on_goaway(struct moq_session *s, struct moq_stream *st, const struct moq_msg_goaway *m)
{
    if (st->goaway || m->has_request_id || (s->server && m->uri.len > 0))
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "GOAWAY not allowed on this request");
    st->goaway = true; /* we have nowhere to move the request to: it stays until the peer ends it */
}

static void on_first_message(struct moq_session *s, struct moq_stream *st,
                             const struct moq_message *m)
{
    if (!moq_message_opens_request(m->type)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "message cannot open a request stream");
        return;
    }
    uint64_t id = m->type == MOQ_MSG_SUBSCRIBE ? m->subscribe.request_id : m->other.request_id;
    if (!take_request_id(s, id))
        return;
    if (m->type == MOQ_MSG_SUBSCRIBE)
        moq_sending_on_subscribe(s, st, &m->subscribe);
    else
        moq_request_refuse(s, st, MOQ_REQ_NOT_SUPPORTED, "only SUBSCRIBE is supported");
}

static void on_message(struct moq_session *s, struct moq_stream *st, const struct moq_message *m)
{
    if (st->kind == STREAM_REQUEST)
        on_first_message(s, st, m);
    else if (m->type == MOQ_MSG_GOAWAY)
        on_goaway(s, st, &m->goaway);
    else if (st->kind == STREAM_SUBSCRIPTION)
        moq_subscription_on_message(st->subscription, m);
    else if (m->type != MOQ_MSG_REQUEST_UPDATE)
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "message not allowed from a subscriber");
    else if (take_request_id(s, m->request_update.request_id))
        moq_sending_on_update(st->sending, &m->request_update);
}

size_t moq_request_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                        size_t len)
{
    size_t used = 0;
    st->need = 0;
    while (used < len && !st->dead && s->state != SESSION_CLOSED) {
        uint64_t type, code;
        struct moq_bytes body;
        int n = moq_message_frame(bytes + used, len - used, &type, &body, &st->need);
        if (n < 0)
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "unknown message type");
        if (n <= 0)
            break;
        st->need = 0;
        used += (size_t)n;
        struct moq_message m;
        if (moq_message_parse(&m, type, body, &code) < 0)
            moq_session_fail(s, code, "malformed request message");
        else
            on_message(s, st, &m);
    }
    return used;
}

void moq_request_on_fin(struct moq_session *s, struct moq_stream *st)
{
    (void)s;
    /* A subscriber that ends its side only says that no update will come. */
    if (st->kind == STREAM_SUBSCRIPTION)
        moq_subscription_on_fin(st->subscription);
}

void moq_request_on_abort(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    if (st->kind == STREAM_SUBSCRIPTION)
        moq_subscription_on_abort(st->subscription, code);
    else if (st->kind == STREAM_SENDING)
        moq_sending_on_abort(st->sending);
    else
        moq_request_abort(s, st, MOQ_STREAM_CANCELLED);
}

void moq_request_abort(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    if (st->dead)
        return;
    s->quic.reset(s->quic.ctx, st->id, code);
    moq_stream_discard(s, st, code);
}

void moq_request_refuse(struct moq_session *s, struct moq_stream *st, uint64_t code,
                        const char *reason)
{
    struct moq_message m = { .type = MOQ_MSG_REQUEST_ERROR,
                             .request_error = { .code = code, .reason = moq_bytes_of(reason) } };
    moq_session_send(s, st->id, &m, true);
    moq_stream_drain(s, st);
}
