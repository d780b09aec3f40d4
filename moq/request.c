/* request.c - messages on request streams, in either direction, and the request IDs of both. */
#include "rank.h"
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

/* ---- what comes ---- */

static void on_goaway(struct moq_session *s, struct moq_stream *st, const struct moq_msg_goaway *m)
{
    if (st->goaway || m->has_request_id || (s->server && m->uri.len > 0))
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "GOAWAY not allowed on this request");
    st->goaway = true; /* we have nowhere to move the request to: it stays until the peer ends it */
}

static void on_first_message(struct moq_session *s, struct moq_stream *st,
                             const struct moq_message *m)
{
    if (s->goaway_sent) {
        moq_request_refuse(s, st, MOQ_REQ_GOING_AWAY, "this session is going away");
        return;
    }
    switch (m->type) {
    case MOQ_MSG_SUBSCRIBE:
        moq_sending_on_subscribe(s, st, &m->subscribe);
        break;
    case MOQ_MSG_PUBLISH:
        moq_subscription_on_publish(s, st, &m->publish);
        break;
    case MOQ_MSG_FETCH:
        moq_fetch_on_request(s, st, &m->fetch);
        break;
    default:
        moq_asked_on_request(s, st, m);
    }
}

static bool is_answer(uint64_t type)
{
    return type == MOQ_MSG_REQUEST_OK || type == MOQ_MSG_REQUEST_ERROR;
}

static void on_sending_message(struct moq_session *s, struct moq_stream *st,
                               const struct moq_message *m)
{
    if (m->type == MOQ_MSG_REQUEST_UPDATE)
        moq_sending_on_update(st->sending, &m->request_update);
    else if (is_answer(m->type) && moq_stream_is_ours(s, st->id))
        moq_sending_on_answer(st->sending, m);
    else
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "message not allowed from a subscriber");
}

static void dispatch(struct moq_session *s, struct moq_stream *st, const struct moq_message *m)
{
    switch (st->kind) {
    case STREAM_REQUEST:
        on_first_message(s, st, m);
        break;
    case STREAM_SUBSCRIPTION:
        if (m->type == MOQ_MSG_REQUEST_UPDATE && !moq_stream_is_ours(s, st->id))
            moq_subscription_on_update(st->subscription, &m->request_update);
        else
            moq_subscription_on_message(st->subscription, m);
        break;
    case STREAM_SENDING:
        on_sending_message(s, st, m);
        break;
    case STREAM_FETCH:
        moq_fetch_on_message(st->fetch, m);
        break;
    default:
        moq_asked_on_message(st->asked, m);
    }
}

static void on_message(struct moq_session *s, struct moq_stream *st, struct moq_message *m)
{
    bool first = st->kind == STREAM_REQUEST;
    if (first && !moq_message_opens_request(m->type)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "message cannot open a request stream");
        return;
    }
    if (m->type == MOQ_MSG_GOAWAY) {
        on_goaway(s, st, &m->goaway);
        return;
    }
    if (!first && moq_message_opens_request(m->type)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "a second request on one stream");
        return;
    }
    const struct moq_params *params = moq_message_params_of(m);
    if (params) {
        if (!take_request_id(s, m->request_id))
            return;
        uint64_t code = moq_token_cache_take(&s->tokens, params->tokens, params->n_tokens, false);
        if (code != 0) {
            moq_session_fail(s, code, "authorization token");
            return;
        }
    }
    if (moq_stream_is_ours(s, st->id))
        moq_own_token_answered(&s->token, st->id);
    dispatch(s, st, m);
    moq_token_cache_settle(&s->tokens);
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
    if (st->kind == STREAM_SUBSCRIPTION)
        moq_subscription_on_fin(st->subscription);
    else if (st->kind == STREAM_SENDING)
        moq_sending_on_fin(st->sending);
    else if (st->kind == STREAM_FETCH)
        moq_fetch_on_fin(st->fetch);
    else if (st->kind == STREAM_ASKED)
        moq_asked_on_fin(st->asked);
}

void moq_request_on_abort(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    if (st->kind == STREAM_SUBSCRIPTION)
        moq_subscription_on_abort(st->subscription, code);
    else if (st->kind == STREAM_SENDING)
        moq_sending_on_abort(st->sending, code);
    else if (st->kind == STREAM_FETCH)
        moq_fetch_on_abort(st->fetch, code);
    else if (st->kind == STREAM_ASKED)
        moq_asked_on_abort(st->asked, code);
    else
        moq_request_abort(s, st, MOQ_STREAM_CANCELLED);
}

/* ---- what goes ---- */

int moq_request_allowed(const struct moq_session *s)
{
    if ((s->state != SESSION_OPEN && s->state != SESSION_STARTED) || s->goaway)
        return MOQ_ERR_STATE; /* the peer keeps what is ahead of its SETUP, or of ours */
    return s->n_requests_out < MOQ_REQUESTS_MAX ? 0 : MOQ_ERR_FULL;
}

struct moq_stream *moq_request_begin(struct moq_session *s, enum stream_kind kind,
                                     struct moq_message *m, int *rc)
{
    uint64_t id;
    *rc = MOQ_ERR_FULL;
    if (s->quic.open(s->quic.ctx, false, &id) < 0)
        return NULL;
    struct moq_stream *st = moq_stream_add(s, id, kind);
    *rc = MOQ_ERR_NOMEM;
    if (!st)
        goto reset;
    s->quic.set_rank(s->quic.ctx, id, moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_REQUEST }));
    m->request_id = s->next_request_id;
    moq_own_token_attach(&s->token, moq_message_params_of(m), id);
    *rc = moq_session_send(s, id, m, false);
    if (*rc < 0)
        goto kill;
    s->next_request_id += 2;
    return st;
kill:
    moq_stream_kill(s, st);
reset:
    s->quic.reset(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
    s->quic.stop(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
    return NULL;
}

void moq_request_abort(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    if (st->dead)
        return;
    s->quic.reset(s->quic.ctx, st->id, code);
    moq_stream_discard(s, st, code);
}

void moq_request_finish(struct moq_session *s, struct moq_stream *st)
{
    s->quic.write(s->quic.ctx, st->id, NULL, 0, true);
    moq_stream_drain(s, st);
}

void moq_request_ok(struct moq_session *s, struct moq_stream *st)
{
    moq_session_send(s, st->id, &(struct moq_message){ .type = MOQ_MSG_REQUEST_OK }, false);
}

void moq_request_error(struct moq_session *s, struct moq_stream *st,
                       const struct moq_msg_request_error *error)
{
    const struct moq_message m = { .type = MOQ_MSG_REQUEST_ERROR, .request_error = *error };
    moq_session_send(s, st->id, &m, true);
    moq_stream_drain(s, st);
}

void moq_request_refuse(struct moq_session *s, struct moq_stream *st, uint64_t code,
                        const char *reason)
{
    const struct moq_msg_request_error error = { .code = code, .reason = moq_bytes_of(reason) };
    moq_request_error(s, st, &error);
}
