/* session.c - life of a session, its entry points, control streams, SETUP, GOAWAY and time. What
 * arrives on a stream is handed to the file that knows the stream's kind; see session.h. */
#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rank.h"

#define ID_UNI 2u /* RFC 9000 2.1, a bit of a stream ID */
#define US_PER_MS 1000u

const char *moq_strerror(int error)
{
    switch (error) {
    case MOQ_ERR_ARG:
        return "argument outside its range";
    case MOQ_ERR_NOMEM:
        return "out of memory";
    case MOQ_ERR_STATE:
        return "not possible in this state";
    case MOQ_ERR_FULL:
        return "a limit is reached";
    case MOQ_ERR_WIRE:
        return "malformed bytes";
    case MOQ_ERR_QUIC:
        return "the connection refused";
    default:
        return error >= 0 ? "success" : "unknown error";
    }
}

/* ---- after the end: a connection that takes nothing ---- */

static int closed_open(void *ctx, bool uni, uint64_t *id)
{
    (void)ctx, (void)uni, (void)id;
    return MOQ_ERR_STATE;
}

static int closed_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    (void)ctx, (void)id, (void)bytes, (void)len, (void)fin;
    return MOQ_ERR_STATE;
}

static int closed_send(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    (void)ctx, (void)m, (void)id;
    return MOQ_ERR_STATE;
}

static int closed_code(void *ctx, uint64_t id, uint64_t code)
{
    (void)ctx, (void)id, (void)code;
    return MOQ_ERR_STATE;
}

static void closed_set_rank(void *ctx, uint64_t id, uint64_t rank)
{
    (void)ctx, (void)id, (void)rank;
}

static void closed_set_lifetime(void *ctx, uint64_t id, uint64_t us, uint64_t code)
{
    (void)ctx, (void)id, (void)us, (void)code;
}

static int closed_datagram(void *ctx, const uint8_t *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return MOQ_ERR_STATE;
}

static void closed_close(void *ctx, uint64_t code, const char *reason)
{
    (void)ctx, (void)code, (void)reason;
}

static const struct moq_quic closed_quic = {
    .open = closed_open,
    .write = closed_write,
    .send = closed_send,
    .reset = closed_code,
    .stop = closed_code,
    .set_rank = closed_set_rank,
    .set_lifetime = closed_set_lifetime,
    .datagram = closed_datagram,
    .close = closed_close,
};

/* ---- life ---- */

static char *copy_text(const char *text, bool *failed)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        *failed = true;
    return copy;
}

int moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                    const struct moq_quic *quic, const struct moq_handler *h, void *user)
{
    struct moq_bytes all[] = { moq_bytes_of(cfg->authority), moq_bytes_of(cfg->path),
                               moq_bytes_of(cfg->implementation) };
    const char *texts[] = { cfg->authority, cfg->path, cfg->implementation };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (texts[i] && strlen(texts[i]) > all[i].len)
            return MOQ_ERR_ARG;
    struct moq_session *s = calloc(1, sizeof *s);
    if (!s)
        return MOQ_ERR_NOMEM;
    int rc = moq_own_token_set(&s->token, &cfg->token);
    if (rc < 0) {
        moq_session_free(s);
        return rc;
    }
    s->tokens.max = cfg->token_cache;
    bool failed = false;
    s->server = cfg->server;
    s->authority = cfg->server ? NULL : copy_text(cfg->authority, &failed);
    s->path = cfg->server ? NULL : copy_text(cfg->path, &failed);
    s->implementation = copy_text(cfg->implementation, &failed);
    s->quic = *quic;
    s->handler = *h;
    s->user = user;
    s->next_request_id = cfg->server ? 1 : 0;
    if (failed) {
        moq_session_free(s);
        return MOQ_ERR_NOMEM;
    }
    *out = s;
    return 0;
}

static void empty_graveyard(struct moq_session *s)
{
    while (s->dead_streams) {
        struct moq_stream *st = s->dead_streams;
        s->dead_streams = st->next;
        moq_stream_bury(s, st);
    }
    while (s->dead_subscriptions) {
        struct moq_subscription *sub = s->dead_subscriptions;
        s->dead_subscriptions = sub->next;
        moq_subscription_free(sub);
    }
    while (s->dead_sendings) {
        struct moq_sending *sd = s->dead_sendings;
        s->dead_sendings = sd->next;
        moq_sending_free(sd);
    }
    while (s->dead_fetches) {
        struct moq_fetch *f = s->dead_fetches;
        s->dead_fetches = f->next;
        moq_fetch_free(f);
    }
    while (s->dead_asked) {
        struct moq_request *r = s->dead_asked;
        s->dead_asked = r->next;
        moq_asked_free(r);
    }
}

/* Everything there is, in no order: nothing looks at anything else any more. */
static void free_all(struct moq_session *s)
{
    for (size_t i = 0; i < s->n_buckets; i++)
        while (s->buckets[i]) {
            struct moq_stream *st = s->buckets[i];
            s->buckets[i] = st->hash_next;
            moq_stream_free(st);
        }
    free(s->buckets);
    while (s->subscriptions) {
        struct moq_subscription *sub = s->subscriptions;
        s->subscriptions = sub->next;
        moq_subscription_free(sub);
    }
    while (s->sendings) {
        struct moq_sending *sd = s->sendings;
        s->sendings = sd->next;
        moq_sending_free(sd);
    }
    while (s->fetches) {
        struct moq_fetch *f = s->fetches;
        s->fetches = f->next;
        moq_fetch_free(f);
    }
    while (s->asked) {
        struct moq_request *r = s->asked;
        s->asked = r->next;
        moq_asked_free(r);
    }
}

void moq_session_free(struct moq_session *s)
{
    if (!s)
        return;
    assert(s->depth == 0);
    free_all(s);
    empty_graveyard(s);
    moq_streams_free_spare(s);
    moq_token_cache_fini(&s->tokens);
    moq_own_token_fini(&s->token);
    free(s->authority);
    free(s->path);
    free(s->implementation);
    free(s);
}

void moq_session_enter(struct moq_session *s)
{
    s->depth++;
}

void moq_session_leave(struct moq_session *s)
{
    assert(s->depth > 0);
    if (--s->depth == 0)
        empty_graveyard(s);
}

static void shut(struct moq_session *s, uint64_t code, const char *reason)
{
    s->state = SESSION_CLOSED;
    struct moq_quic quic = s->quic;
    s->quic = closed_quic;
    quic.close(quic.ctx, code, reason);
}

void moq_session_close(struct moq_session *s, uint64_t code, const char *reason)
{
    if (s->state != SESSION_CLOSED)
        shut(s, code, reason ? reason : "");
}

void moq_session_fail(struct moq_session *s, uint64_t code, const char *reason)
{
    if (s->state == SESSION_CLOSED)
        return;
    shut(s, code, reason);
    if (s->handler.on_closed)
        s->handler.on_closed(s->user, code, reason);
}

struct moq_bytes moq_bytes_of(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len > MOQ_REASON_MAX)
        len = MOQ_REASON_MAX;
    return (struct moq_bytes){ .bytes = (const uint8_t *)text, .len = len };
}

void moq_reason_copy(char out[MOQ_REASON_MAX + 1], struct moq_bytes reason)
{
    size_t len = reason.len < MOQ_REASON_MAX ? reason.len : MOQ_REASON_MAX;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = reason.bytes[i];
        out[i] = (char)(c < ' ' || c == 0x7f ? '?' : c);
    }
    out[len] = '\0';
}

char *moq_reason_keep(struct moq_bytes reason)
{
    size_t len = reason.len < MOQ_REASON_MAX ? reason.len : MOQ_REASON_MAX;
    char text[MOQ_REASON_MAX + 1], *kept = malloc(len + 1);
    moq_reason_copy(text, reason);
    if (kept)
        memcpy(kept, text, len + 1);
    return kept;
}

int moq_session_send(struct moq_session *s, uint64_t stream, const struct moq_message *m, bool fin)
{
    uint8_t small[MOQ_FRAME_SMALL], *large = NULL, *bytes = small;
    int len = moq_message_encode(m, small, sizeof small);
    if (len < 0) { /* rare */
        bytes = large = malloc(MOQ_FRAME_MAX);
        if (!large)
            return MOQ_ERR_NOMEM;
        len = moq_message_encode(m, large, MOQ_FRAME_MAX);
    }
    if (len > 0 && s->quic.write(s->quic.ctx, stream, bytes, (size_t)len, fin) < 0) {
        moq_session_fail(s, MOQ_INTERNAL_ERROR, "a control message could not be sent");
        len = MOQ_ERR_QUIC;
    }
    free(large);
    return len < 0 ? len : 0;
}

/* ---- SETUP and the control streams ---- */

static void wait_early(struct moq_session *s, struct moq_stream *st)
{
    moq_stream_set_early(s, st, true);
    if (!st->list)
        moq_stream_list_add(&s->early, st);
}

/* Give the streams that waited another look; those that still cannot go on wait again. */
static void release_early(struct moq_session *s)
{
    size_t n = 0;
    for (struct moq_stream *st = s->early.head; st; st = st->next)
        n++;
    while (n-- > 0 && s->early.head && s->state != SESSION_CLOSED) {
        struct moq_stream *st = s->early.head;
        moq_stream_list_remove(st);
        moq_stream_set_early(s, st, false);
        moq_session_feed(s, st, NULL, 0);
    }
}

int moq_session_start(struct moq_session *s)
{
    if (s->state != SESSION_NEW)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    int rc = MOQ_ERR_FULL;
    if (s->quic.open(s->quic.ctx, true, &s->control_out) < 0)
        goto out;
    rc = MOQ_ERR_NOMEM;
    if (!moq_stream_add(s, s->control_out, STREAM_OWN_CONTROL))
        goto out;
    s->quic.set_rank(s->quic.ctx, s->control_out,
                     moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_CONTROL }));
    s->state = SESSION_STARTED;
    struct moq_message m = { .type = MOQ_MSG_SETUP,
                             .setup = { .has_path = s->path != NULL,
                                        .has_authority = s->authority != NULL,
                                        .path = moq_bytes_of(s->path),
                                        .authority = moq_bytes_of(s->authority),
                                        .implementation = moq_bytes_of(s->implementation),
                                        .token_cache = s->tokens.max } };
    if (s->token.storage)
        m.setup.tokens[m.setup.n_tokens++] = s->token.as_value;
    rc = moq_session_send(s, s->control_out, &m, false);
    if (rc == 0)
        release_early(s);
out:
    moq_session_leave(s);
    return rc;
}

/* Characters a URI part may have, roughly: printable, no blanks [RFC 3986]. */
static bool uri_text(struct moq_bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if (b.bytes[i] <= ' ' || b.bytes[i] >= 0x7f)
            return false;
    return true;
}

static void on_setup(struct moq_session *s, const struct moq_msg_setup *m)
{
    if (!s->server && m->has_path) {
        moq_session_fail(s, MOQ_INVALID_PATH, "PATH from a server");
        return;
    }
    if (!s->server && m->has_authority) {
        moq_session_fail(s, MOQ_INVALID_AUTHORITY, "AUTHORITY from a server");
        return;
    }
    if (!uri_text(m->path) ||
        (m->path.len > 0 && m->path.bytes[0] != '/' && m->path.bytes[0] != '?')) {
        moq_session_fail(s, MOQ_MALFORMED_PATH, "PATH is no path");
        return;
    }
    if (!uri_text(m->authority)) {
        moq_session_fail(s, MOQ_MALFORMED_AUTHORITY, "AUTHORITY is no authority");
        return;
    }
    uint64_t code = moq_token_cache_take(&s->tokens, m->tokens, m->n_tokens, true);
    if (code != 0) {
        moq_session_fail(s, code, "authorization token");
        return;
    }
    char name[MOQ_REASON_MAX + 1];
    moq_reason_copy(name, m->implementation);
    memcpy(s->peer_implementation, name, MOQ_IMPLEMENTATION_MAX);
    s->token.room = m->token_cache < SIZE_MAX ? (size_t)m->token_cache : SIZE_MAX;
    s->state = SESSION_OPEN;
    if (s->handler.on_setup)
        s->handler.on_setup(s->user, m->path, m->authority);
    moq_token_cache_settle(&s->tokens);
    if (s->state == SESSION_OPEN)
        release_early(s);
}

static void on_goaway(struct moq_session *s, const struct moq_msg_goaway *m)
{
    const char *wrong = s->goaway                     ? "a second GOAWAY"
                        : s->server && m->uri.len > 0 ? "GOAWAY with a URI from a client"
                        : !m->has_request_id          ? "GOAWAY without a request ID"
                                                      : NULL;
    if (wrong) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, wrong);
        return;
    }
    if (m->request_id % 2 != (s->server ? 1 : 0)) {
        moq_session_fail(s, MOQ_INVALID_REQUEST_ID, "GOAWAY's request ID is not ours");
        return;
    }
    s->goaway = true;
    if (s->handler.on_goaway)
        s->handler.on_goaway(s->user, m->uri, m->timeout_ms);
}

int moq_goaway(struct moq_session *s, const char *uri, uint64_t timeout_ms)
{
    size_t len = uri ? strlen(uri) : 0;
    if (s->state != SESSION_OPEN || s->goaway_sent)
        return MOQ_ERR_STATE;
    if (len > MOQ_URI_MAX || (len > 0 && !s->server) || timeout_ms > UINT64_MAX / US_PER_MS)
        return MOQ_ERR_ARG;
    struct moq_message m = {
        .type = MOQ_MSG_GOAWAY,
        .goaway = { .uri = { .bytes = (const uint8_t *)uri, .len = len },
                    .timeout_ms = timeout_ms,
                    .has_request_id = true,
                    .request_id = 2 * s->peer_ids.end + (s->server ? 0 : 1) },
    };
    moq_session_enter(s);
    int rc = moq_session_send(s, s->control_out, &m, false);
    if (rc == 0) {
        s->goaway_sent = true;
        s->goaway_timeout_us = timeout_ms * US_PER_MS;
    }
    moq_session_leave(s);
    return rc;
}

static void goaway_tick(struct moq_session *s)
{
    if (s->goaway_timeout_us == 0)
        return;
    if (s->goaway_deadline == 0)
        s->goaway_deadline =
            s->now > UINT64_MAX - s->goaway_timeout_us ? UINT64_MAX : s->now + s->goaway_timeout_us;
    if (s->now >= s->goaway_deadline && moq_session_requests(s) > 0)
        moq_session_fail(s, MOQ_GOAWAY_TIMEOUT, "requests still open after GOAWAY");
}

int moq_session_set_token(struct moq_session *s, const struct moq_token *token)
{
    return moq_own_token_set(&s->token, token);
}

size_t moq_tokens(const struct moq_session *s, const struct moq_token **out)
{
    *out = s->tokens.now;
    return s->tokens.n_now;
}

const char *moq_peer_implementation(const struct moq_session *s)
{
    return s->peer_implementation;
}

size_t moq_session_requests(const struct moq_session *s)
{
    return s->n_requests_in + s->n_requests_out;
}

static void on_control_message(struct moq_session *s, const struct moq_message *m)
{
    if (s->state == SESSION_STARTED && m->type == MOQ_MSG_SETUP)
        on_setup(s, &m->setup);
    else if (s->state == SESSION_OPEN && m->type == MOQ_MSG_GOAWAY)
        on_goaway(s, &m->goaway);
    else
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "message not allowed on the control stream");
}

static size_t control_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                           size_t len)
{
    size_t used = 0;
    st->need = 0;
    while (used < len && s->state != SESSION_CLOSED) {
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
            moq_session_fail(s, code, "malformed control message");
        else
            on_control_message(s, &m);
    }
    return used;
}

/* ---- what happens on streams ---- */

/* A unidirectional stream of the peer's: its control stream, or data that may have to wait. */
static size_t new_uni_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                           size_t len)
{
    uint64_t type;
    if (moq_vi64_decode(&type, bytes, len) == 0)
        return 0;
    if (s->state == SESSION_NEW || (s->state == SESSION_STARTED && type != MOQ_MSG_SETUP)) {
        wait_early(s, st);
        return 0;
    }
    if (type != MOQ_MSG_SETUP)
        return moq_receive_new_uni(s, st, bytes, len);
    if (s->has_control_in) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "a second control stream");
        return 0;
    }
    s->has_control_in = true;
    moq_stream_set_kind(s, st, STREAM_CONTROL);
    return control_take(s, st, bytes, len);
}

static size_t take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes, size_t len)
{
    switch (st->kind) {
    case STREAM_NEW_UNI:
        return new_uni_take(s, st, bytes, len);
    case STREAM_CONTROL:
        return control_take(s, st, bytes, len);
    case STREAM_REQUEST:
        if (s->state != SESSION_OPEN) {
            wait_early(s, st);
            return 0;
        }
        return moq_request_take(s, st, bytes, len);
    case STREAM_SENDING:
    case STREAM_SUBSCRIPTION:
    case STREAM_FETCH:
    case STREAM_ASKED:
        return moq_request_take(s, st, bytes, len);
    case STREAM_FETCH_IN:
        return moq_fetch_take(s, st, bytes, len);
    case STREAM_DATA:
        return moq_receive_data(s, st, bytes, len);
    case STREAM_ORPHAN:
        return 0;
    case STREAM_OWN_CONTROL:
    case STREAM_OBJECT:
    case STREAM_FETCH_OUT:
    case STREAM_DRAIN:
        break;
    }
    return len;
}

static void on_fin(struct moq_session *s, struct moq_stream *st)
{
    if (st->kind == STREAM_DRAIN) {
        moq_stream_kill(s, st);
        return;
    }
    if (st->kind == STREAM_CONTROL) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "control stream ended");
        return;
    }
    if (st->len > 0 || st->kind == STREAM_NEW_UNI || st->kind == STREAM_REQUEST) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "stream ended inside a message or object");
        return;
    }
    if (st->kind == STREAM_DATA)
        moq_receive_on_fin(s, st);
    else if (st->kind == STREAM_FETCH_IN)
        moq_fetch_on_data_fin(s, st);
    else
        moq_request_on_fin(s, st);
}

/* Memory or a bound of it is used up. */
static void on_overflow(struct moq_session *s, struct moq_stream *st)
{
    if (st->kind == STREAM_DATA)
        moq_receive_give_up(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    else if (st->kind == STREAM_FETCH_IN) {
        moq_stream_discard(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
        moq_fetch_on_data_lost(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    } else if (st->kind == STREAM_NEW_UNI || st->kind == STREAM_ORPHAN)
        moq_stream_discard(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    else if (st->kind == STREAM_REQUEST)
        moq_request_abort(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    else
        moq_session_fail(s, MOQ_INTERNAL_ERROR, "no memory for a control message");
}

void moq_session_feed(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len)
{
    bool held = st->len > 0;
    if (held && moq_stream_append(s, st, bytes, len) < 0) {
        on_overflow(s, st);
        return;
    }
    const uint8_t *view = held ? st->buf : bytes;
    size_t n = held ? st->len : len;
    size_t used = n > 0 && n >= st->need ? take(s, st, view, n) : 0;
    if (st->dead || s->state == SESSION_CLOSED)
        return;
    if (held)
        moq_stream_consume(s, st, used);
    else if (used < n && moq_stream_append(s, st, bytes + used, n - used) < 0) {
        on_overflow(s, st);
        return;
    }
    if (st->fin && !st->early)
        on_fin(s, st);
}

/* NULL: not to be looked at. */
static struct moq_stream *add_peer_stream(struct moq_session *s, uint64_t id)
{
    bool uni = (id & ID_UNI) != 0;
    struct moq_stream *st = moq_stream_add(s, id, uni ? STREAM_NEW_UNI : STREAM_REQUEST);
    if (!st) {
        moq_session_fail(s, MOQ_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    if (!uni)
        s->quic.set_rank(s->quic.ctx, id,
                         moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_REQUEST }));
    if (uni && s->n_uni_in > MOQ_STREAMS_MAX)
        moq_stream_discard(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    else if (!uni && s->n_requests_in > MOQ_REQUESTS_MAX)
        moq_request_abort(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
    return moq_stream_find(s, id);
}

void moq_session_on_data(struct moq_session *s, uint64_t stream, const uint8_t *bytes, size_t len,
                         bool fin, uint64_t now_us)
{
    s->now = now_us;
    if (s->state == SESSION_CLOSED)
        return;
    moq_session_enter(s);
    struct moq_stream *st = moq_stream_find(s, stream);
    if (!st && !moq_stream_is_ours(s, stream))
        st = add_peer_stream(s, stream);
    if (st && !st->fin) { /* nothing can follow the end */
        st->fin = fin;
        moq_session_feed(s, st, bytes, len);
    }
    moq_session_leave(s);
}

void moq_session_on_reset(struct moq_session *s, uint64_t stream, uint64_t code)
{
    struct moq_stream *st = moq_stream_find(s, stream);
    if (!st || s->state == SESSION_CLOSED)
        return;
    moq_session_enter(s);
    st->fin = true;
    switch (st->kind) {
    case STREAM_CONTROL:
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "control stream reset");
        break;
    case STREAM_DATA:
        moq_receive_on_reset(s, st, code);
        break;
    case STREAM_FETCH_IN:
        moq_fetch_on_data_lost(s, st, code);
        break;
    case STREAM_REQUEST:
    case STREAM_SENDING:
    case STREAM_SUBSCRIPTION:
    case STREAM_FETCH:
    case STREAM_ASKED:
        moq_request_on_abort(s, st, code);
        break;
    case STREAM_NEW_UNI:
    case STREAM_ORPHAN:
    case STREAM_DRAIN:
        moq_stream_kill(s, st);
        break;
    case STREAM_OWN_CONTROL:
    case STREAM_OBJECT:
    case STREAM_FETCH_OUT:
        break; /* we receive nothing there */
    }
    moq_session_leave(s);
}

void moq_session_on_stop(struct moq_session *s, uint64_t stream, uint64_t code)
{
    struct moq_stream *st = moq_stream_find(s, stream);
    if (!st || s->state == SESSION_CLOSED)
        return;
    moq_session_enter(s);
    if (st->kind == STREAM_OWN_CONTROL) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "control stream stopped");
    } else if (st->kind == STREAM_OBJECT) {
        s->quic.reset(s->quic.ctx, stream, MOQ_STREAM_CANCELLED);
        moq_sending_on_object_end(s, st);
    } else if (st->kind == STREAM_FETCH_OUT) {
        moq_fetch_on_data_stop(s, st);
    } else if ((stream & ID_UNI) == 0 && st->kind != STREAM_DRAIN) {
        moq_request_on_abort(s, st, code);
    }
    moq_session_leave(s);
}

void moq_session_on_stream_end(struct moq_session *s, uint64_t stream)
{
    struct moq_stream *st = moq_stream_find(s, stream);
    if (!st || s->state == SESSION_CLOSED)
        return;
    moq_session_enter(s);
    if (st->kind == STREAM_OBJECT)
        moq_sending_on_object_end(s, st);
    else if (st->kind == STREAM_FETCH_OUT)
        moq_fetch_on_data_end(s, st);
    moq_session_leave(s);
}

void moq_session_tick(struct moq_session *s, uint64_t now_us)
{
    s->now = now_us;
    if (s->state == SESSION_CLOSED || s->state == SESSION_NEW)
        return;
    moq_session_enter(s);
    if (s->state == SESSION_STARTED && s->setup_deadline == 0)
        s->setup_deadline = now_us + MOQ_SETUP_TIMEOUT_US;
    if (s->state == SESSION_STARTED && now_us >= s->setup_deadline)
        moq_session_fail(s, MOQ_CONTROL_MESSAGE_TIMEOUT, "no SETUP from the peer");
    if (s->state == SESSION_OPEN)
        moq_subscriptions_tick(s);
    moq_receive_settle_orphans(s);
    if (s->state == SESSION_OPEN)
        goaway_tick(s);
    moq_session_leave(s);
}
