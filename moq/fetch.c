/*
 * fetch.c - struct moq_fetch: objects of the past, asked for and answered. The request has its
 * stream, the objects have another one; they end in any order, and `f` lives until both are known
 * (subscriber) or written (publisher).
 */
#include "session.h"

#include <stdlib.h>

#include "rank.h"

void moq_fetch_options_init(struct moq_fetch_options *o)
{
    *o = (struct moq_fetch_options){ .kind = MOQ_FETCH_STANDALONE,
                                     .end = { .group = UINT64_MAX },
                                     .order = MOQ_ORDER_ASCENDING,
                                     .priority = MOQ_DEFAULT_PRIORITY };
}

void moq_fetch_free(struct moq_fetch *f)
{
    moq_kept_name_fini(&f->name);
    free(f);
}

static void bury(struct moq_fetch *f)
{
    struct moq_session *s = f->session;
    struct moq_fetch **at = &s->fetches;
    while (*at && *at != f)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = f->next;
    f->state = FETCH_GONE;
    f->request = f->data = NULL;
    f->next = s->dead_fetches;
    s->dead_fetches = f;
}

static struct moq_fetch *add(struct moq_session *s, const struct moq_fetch_options *o)
{
    struct moq_fetch *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->session = s;
    f->options = *o;
    f->place.descending = o->order == MOQ_ORDER_DESCENDING;
    f->next = s->fetches;
    s->fetches = f;
    return f;
}

/* Whether a range ends before it begins; `end` as struct moq_fetch_options has it. */
static bool ends_before(struct moq_location end, struct moq_location start)
{
    if (end.group != start.group)
        return end.group < start.group;
    return end.object != 0 && end.object <= start.object;
}

/* ---- subscriber ---- */

static bool options_valid(const struct moq_fetch_options *o, const struct moq_name *name)
{
    if (o->order != MOQ_ORDER_ASCENDING && o->order != MOQ_ORDER_DESCENDING)
        return false;
    if (o->kind == MOQ_FETCH_STANDALONE)
        return name && moq_name_valid(name) && !ends_before(o->end, o->start);
    return (o->kind == MOQ_FETCH_RELATIVE || o->kind == MOQ_FETCH_ABSOLUTE) && o->join &&
           o->join->request;
}

int moq_fetch(struct moq_session *s, const struct moq_name *name, const struct moq_fetch_options *o,
              void *user, struct moq_fetch **out)
{
    int rc = moq_request_allowed(s);
    if (rc < 0)
        return rc;
    if (!options_valid(o, name))
        return MOQ_ERR_ARG;
    struct moq_message m = { .type = MOQ_MSG_FETCH,
                             .fetch = { .kind = o->kind, .start = o->start, .end = o->end } };
    if (o->kind == MOQ_FETCH_STANDALONE) {
        m.fetch.name = *name;
    } else {
        m.fetch.join_id = o->join->request_id;
        m.fetch.join_start = o->join_groups;
    }
    m.fetch.params = (struct moq_params){ .priority = o->priority, .group_order = o->order };
    m.fetch.params.has |= o->priority != MOQ_DEFAULT_PRIORITY ? MOQ_HAS_PRIORITY : 0u;
    m.fetch.params.has |= o->order != MOQ_ORDER_ASCENDING ? MOQ_HAS_GROUP_ORDER : 0u;
    moq_session_enter(s);
    struct moq_fetch *f = add(s, o);
    rc = MOQ_ERR_NOMEM;
    if (!f)
        goto out;
    f->ours = true;
    f->state = FETCH_ASKED;
    f->user = user;
    f->options.join = NULL; /* it may die before we do */
    f->request = moq_request_begin(s, STREAM_FETCH, &m, &rc);
    if (!f->request) {
        bury(f);
        goto out;
    }
    f->request->fetch = f;
    f->id = m.fetch.request_id;
    *out = f;
out:
    moq_session_leave(s);
    return rc;
}

static struct moq_fetch *find_ours(struct moq_session *s, uint64_t id)
{
    for (struct moq_fetch *f = s->fetches; f; f = f->next)
        if (f->ours && f->id == id)
            return f;
    return NULL;
}

size_t moq_fetch_new_stream(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                            size_t len)
{
    uint64_t id;
    int used = moq_fetch_header_parse(&id, bytes, len);
    if (used <= 0)
        return 0;
    struct moq_fetch *f = find_ours(s, id);
    bool once_ours = id % 2 == s->next_request_id % 2 && id < s->next_request_id;
    if ((f && f->data_seen) || (!f && !once_ours)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "fetch stream that was not asked for");
        return len;
    }
    if (!f) { /* given up meanwhile */
        moq_stream_discard(s, st, MOQ_STREAM_CANCELLED);
        return len;
    }
    moq_stream_set_kind(s, st, STREAM_FETCH_IN);
    st->fetch = f;
    f->data = st;
    f->data_seen = true;
    return (size_t)used + moq_fetch_take(s, st, bytes + used, len - (size_t)used);
}

static void take_item(struct moq_fetch *f, const struct moq_fetch_item *item)
{
    struct moq_session *s = f->session;
    const struct moq_handler *h = &s->handler;
    struct moq_location at = { item->obj.group, item->obj.object };
    if (item->kind == FETCH_OBJECT && h->on_fetch_object)
        h->on_fetch_object(s->user, f, &item->obj);
    else if (item->kind == FETCH_UNKNOWN && h->on_fetch_unknown)
        h->on_fetch_unknown(s->user, f, at);
}

size_t moq_fetch_take(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                      size_t len)
{
    size_t used = 0;
    st->need = 0;
    while (used < len && !st->dead && s->state == SESSION_OPEN) {
        struct moq_fetch_item item;
        int n = moq_fetch_item_parse(&st->fetch->place, bytes + used, len - used, &item, &st->need);
        if (n == MOQ_ERR_FULL) {
            moq_stream_discard(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
            moq_fetch_on_data_lost(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
        } else if (n < 0) {
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "malformed object of a fetch");
        }
        if (n <= 0)
            break;
        st->need = 0;
        used += (size_t)n;
        take_item(st->fetch, &item);
    }
    return used;
}

static void done(struct moq_fetch *f, bool whole, uint64_t code)
{
    struct moq_session *s = f->session;
    if (f->request && whole)
        moq_request_finish(s, f->request);
    else if (f->request)
        moq_request_abort(s, f->request, MOQ_STREAM_CANCELLED);
    if (f->data)
        moq_stream_discard(s, f->data, MOQ_STREAM_CANCELLED);
    bury(f);
    if (s->handler.on_fetch_done)
        s->handler.on_fetch_done(s->user, f, whole, code);
}

void moq_fetch_on_data_fin(struct moq_session *s, struct moq_stream *st)
{
    struct moq_fetch *f = st->fetch;
    moq_stream_kill(s, st);
    f->data = NULL;
    f->whole = true;
    if (f->state == FETCH_ACCEPTED)
        done(f, true, 0);
}

void moq_fetch_on_data_lost(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    struct moq_fetch *f = st->fetch;
    moq_stream_kill(s, st);
    f->data = NULL;
    done(f, false, code);
}

static void on_fetch_ok(struct moq_fetch *f, const struct moq_msg_fetch_ok *m)
{
    struct moq_session *s = f->session;
    const struct moq_fetch_options *o = &f->options;
    struct moq_location start = { 0 };
    if (o->kind == MOQ_FETCH_STANDALONE)
        start = o->start;
    else if (o->kind == MOQ_FETCH_ABSOLUTE)
        start.group = o->join_groups;
    if (ends_before(m->end, start)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "FETCH_OK ends before its start");
        return;
    }
    if (moq_kvp_has_mandatory(m->properties)) {
        done(f, false, MOQ_REQ_UNSUPPORTED_EXTENSION);
        return;
    }
    f->state = FETCH_ACCEPTED;
    if (s->handler.on_fetch_accepted)
        s->handler.on_fetch_accepted(s->user, f, m->end_of_track != 0, m->end);
    if (f->state == FETCH_ACCEPTED && f->whole && s->state == SESSION_OPEN)
        done(f, true, 0);
}

static void on_refused(struct moq_fetch *f, const struct moq_msg_request_error *m)
{
    struct moq_session *s = f->session;
    char reason[MOQ_REASON_MAX + 1];
    moq_reason_copy(reason, m->reason);
    if (s->server && m->redirect_uri.len > 0) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "redirect with a URI from a client");
        return;
    }
    moq_request_finish(s, f->request);
    if (f->data)
        moq_stream_discard(s, f->data, MOQ_STREAM_CANCELLED);
    bury(f);
    if (s->handler.on_fetch_refused)
        s->handler.on_fetch_refused(s->user, f, m->code, reason);
}

/* ---- publisher ---- */

static void refuse(struct moq_fetch *f, uint64_t code, const char *reason)
{
    struct moq_session *s = f->session;
    if (f->data) {
        s->quic.reset(s->quic.ctx, f->data->id, MOQ_STREAM_CANCELLED);
        moq_stream_kill(s, f->data);
    }
    moq_request_refuse(s, f->request, code, reason);
    bury(f);
}

/* To the application; all of the request is known. */
static void ask(struct moq_fetch *f)
{
    struct moq_session *s = f->session;
    struct moq_name name;
    f->state = FETCH_ASKED;
    if (ends_before(f->options.end, f->options.start)) {
        refuse(f, MOQ_REQ_INVALID_RANGE, "the range ends before it begins");
        return;
    }
    moq_kept_name_get(&f->name, &name);
    s->handler.on_fetch(s->user, f, &name, &f->options);
}

/* The subscription is answered: its joining location says where the fetch ends. */
static void ask_joined(struct moq_fetch *f, const struct moq_sending *sd)
{
    struct moq_fetch_options *o = &f->options;
    if (!sd->options.forward || !sd->has_joining) {
        refuse(f, MOQ_REQ_INVALID_RANGE,
               sd->options.forward ? "nothing was published yet" : "forward is off");
        return;
    }
    struct moq_location at = sd->joining;
    uint64_t back = o->join_groups < at.group ? o->join_groups : at.group;
    o->start.group = o->kind == MOQ_FETCH_RELATIVE ? at.group - back : o->join_groups;
    o->end = (struct moq_location){ at.group, at.object == UINT64_MAX ? 0 : at.object + 1 };
    ask(f);
}

void moq_fetches_on_joined(struct moq_sending *sd)
{
    struct moq_session *s = sd->session;
    struct moq_fetch *f = s->fetches;
    while (f && s->state == SESSION_OPEN) {
        if (f->join != sd) {
            f = f->next;
            continue;
        }
        f->join = NULL; /* each turn has one less to find */
        if (sd->state == SENDING_ACCEPTED)
            ask_joined(f, sd);
        else
            refuse(f, MOQ_REQ_INVALID_JOINING_REQUEST_ID, "the subscription is over");
        f = s->fetches;
    }
}

static void take_params(struct moq_fetch_options *o, const struct moq_params *p)
{
    if ((p->has & MOQ_HAS_PRIORITY) != 0)
        o->priority = (uint8_t)p->priority;
    if ((p->has & MOQ_HAS_GROUP_ORDER) != 0)
        o->order = (enum moq_order)p->group_order;
}

static void join(struct moq_fetch *f, struct moq_sending *sd)
{
    struct moq_name name;
    moq_kept_name_get(&sd->name, &name);
    if (moq_name_keep(&f->name, &name) < 0) {
        refuse(f, MOQ_REQ_INTERNAL, "out of memory");
    } else if (sd->state == SENDING_PENDING) {
        f->join = sd;
        f->state = FETCH_WAITING;
    } else {
        ask_joined(f, sd);
    }
}

void moq_fetch_on_request(struct moq_session *s, struct moq_stream *st,
                          const struct moq_msg_fetch *m)
{
    struct moq_fetch_options o;
    moq_fetch_options_init(&o);
    take_params(&o, &m->params);
    o.kind = (enum moq_fetch_kind)m->kind;
    o.start = m->start;
    o.end = m->end;
    o.join_groups = m->join_start;
    bool standalone = o.kind == MOQ_FETCH_STANDALONE;
    if (!s->handler.on_fetch) {
        moq_request_refuse(s, st, MOQ_REQ_NOT_SUPPORTED, "nothing to fetch here");
        return;
    }
    if (standalone && moq_name_reserved(&m->name)) {
        moq_request_refuse(s, st, MOQ_REQ_DOES_NOT_EXIST, "no such track");
        return;
    }
    struct moq_sending *sd = standalone ? NULL : moq_sending_by_request(s, m->join_id);
    if (!standalone && !sd) {
        moq_request_refuse(s, st, MOQ_REQ_INVALID_JOINING_REQUEST_ID, "no such subscription");
        return;
    }
    struct moq_fetch *f = add(s, &o);
    if (!f) {
        moq_request_refuse(s, st, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    f->id = m->request_id;
    f->state = FETCH_ASKED;
    f->request = st;
    moq_stream_set_kind(s, st, STREAM_FETCH);
    st->fetch = f;
    if (sd)
        join(f, sd);
    else if (moq_name_keep(&f->name, &m->name) < 0)
        refuse(f, MOQ_REQ_INTERNAL, "out of memory");
    else
        ask(f);
}

static void on_update(struct moq_fetch *f, const struct moq_params *p)
{
    struct moq_session *s = f->session;
    if (!moq_params_within(p, MOQ_HAS_PRIORITY | MOQ_HAS_TOKEN)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "update not allowed on a fetch");
        return;
    }
    take_params(&f->options, p);
    if (f->state == FETCH_ACCEPTED)
        moq_request_ok(s, f->request);
    else if (++f->updates_owed > MOQ_UPDATES_MAX)
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "too many updates before an answer");
}

int moq_fetch_accept(struct moq_fetch *f, bool end_of_track, struct moq_location end,
                     struct moq_bytes properties)
{
    struct moq_session *s = f->session;
    if (f->ours || f->state != FETCH_ASKED || s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (ends_before(end, f->options.start) || !moq_kvp_valid(properties))
        return MOQ_ERR_ARG;
    struct moq_message ok = {
        .type = MOQ_MSG_FETCH_OK,
        .fetch_ok = { .end_of_track = end_of_track, .end = end, .properties = properties }
    };
    moq_session_enter(s);
    int rc = moq_session_send(s, f->request->id, &ok, false);
    f->state = FETCH_ACCEPTED;
    for (; f->updates_owed > 0; f->updates_owed--)
        moq_request_ok(s, f->request);
    moq_session_leave(s);
    return rc;
}

int moq_fetch_reject(struct moq_fetch *f, uint64_t code, const char *reason)
{
    struct moq_session *s = f->session;
    if (f->ours || f->state != FETCH_ASKED)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    refuse(f, code, reason);
    moq_session_leave(s);
    return 0;
}

static int open_data(struct moq_fetch *f, uint8_t priority)
{
    struct moq_session *s = f->session;
    uint64_t id;
    if (s->n_objects_out >= MOQ_STREAMS_MAX || s->quic.open(s->quic.ctx, true, &id) < 0)
        return MOQ_ERR_FULL;
    struct moq_stream *st = moq_stream_add(s, id, STREAM_FETCH_OUT);
    if (!st) {
        s->quic.reset(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
        return MOQ_ERR_NOMEM;
    }
    st->fetch = f;
    f->data = st;
    /* Behind what is live at the same priorities: groups are counted from the far end. */
    s->quic.set_rank(s->quic.ctx, id,
                     moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_OBJECT,
                                                      .subscriber_priority = f->options.priority,
                                                      .publisher_priority = priority,
                                                      .descending = true }));
    uint8_t head[2 * MOQ_VI64_MAX];
    struct moq_writer w = moq_writer_of(head, sizeof head);
    moq_fetch_header_write(&w, f->id);
    return s->quic.write(s->quic.ctx, id, head, moq_writer_len(&w), false) < 0 ? MOQ_ERR_QUIC : 0;
}

static int write_item(struct moq_fetch *f, const struct moq_fetch_item *item)
{
    struct moq_session *s = f->session;
    const struct moq_object *obj = &item->obj;
    if (f->ours || (f->state != FETCH_ASKED && f->state != FETCH_ACCEPTED) ||
        s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (!moq_fetch_follows(&f->place, obj->group, obj->object))
        return MOQ_ERR_ARG;
    int rc = f->data ? 0 : open_data(f, obj->priority);
    if (rc < 0)
        return rc;
    uint8_t head[MOQ_FETCH_OVERHEAD_MAX + MOQ_PROPERTIES_MAX];
    struct moq_writer w = moq_writer_of(head, sizeof head);
    moq_fetch_item_write(&w, &f->place, item);
    struct moq_quic *q = &s->quic;
    if (w.failed || q->write(q->ctx, f->data->id, head, moq_writer_len(&w), false) < 0)
        return MOQ_ERR_QUIC;
    if (obj->payload.len > 0 &&
        q->write(q->ctx, f->data->id, obj->payload.bytes, obj->payload.len, false) < 0)
        return MOQ_ERR_QUIC;
    return 0;
}

int moq_fetch_write(struct moq_fetch *f, const struct moq_object *obj)
{
    if (obj->status != 0 || obj->properties.len > MOQ_PROPERTIES_MAX ||
        obj->payload.len > MOQ_OBJECT_MAX)
        return MOQ_ERR_ARG;
    moq_session_enter(f->session);
    int rc = write_item(f, &(struct moq_fetch_item){ .kind = FETCH_OBJECT, .obj = *obj });
    moq_session_leave(f->session);
    return rc;
}

int moq_fetch_write_unknown(struct moq_fetch *f, struct moq_location to)
{
    if (f->place.any && to.group == f->place.group)
        return MOQ_ERR_ARG; /* the draft's coding has no such range */
    moq_session_enter(f->session);
    int rc = write_item(
        f, &(struct moq_fetch_item){ .kind = FETCH_UNKNOWN,
                                     .obj = { .group = to.group, .object = to.object } });
    moq_session_leave(f->session);
    return rc;
}

int moq_fetch_end(struct moq_fetch *f)
{
    struct moq_session *s = f->session;
    if (f->ours || f->state != FETCH_ACCEPTED || s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    int rc = f->data ? 0 : open_data(f, MOQ_DEFAULT_PRIORITY);
    if (rc < 0)
        goto out;
    s->quic.write(s->quic.ctx, f->data->id, NULL, 0, true);
    f->data->fetch = NULL;
    moq_request_finish(s, f->request);
    bury(f);
out:
    moq_session_leave(s);
    return rc;
}

uint64_t moq_fetch_stream(const struct moq_fetch *f)
{
    return f->data ? f->data->id : UINT64_MAX;
}

/* ---- both ---- */

static void give_up(struct moq_fetch *f, uint64_t code)
{
    struct moq_session *s = f->session;
    if (f->data && f->ours)
        moq_stream_discard(s, f->data, code);
    else if (f->data) {
        s->quic.reset(s->quic.ctx, f->data->id, code);
        moq_stream_kill(s, f->data);
    }
    moq_request_abort(s, f->request, code);
    bury(f);
}

void moq_fetch_abort(struct moq_fetch *f, uint64_t code)
{
    struct moq_session *s = f->session;
    if (f->state == FETCH_GONE)
        return;
    moq_session_enter(s);
    give_up(f, code);
    moq_session_leave(s);
}

void moq_fetch_on_message(struct moq_fetch *f, const struct moq_message *m)
{
    bool asked = f->ours && f->state == FETCH_ASKED;
    if (!f->ours && m->type == MOQ_MSG_REQUEST_UPDATE)
        on_update(f, &m->request_update.params);
    else if (asked && m->type == MOQ_MSG_FETCH_OK)
        on_fetch_ok(f, &m->fetch_ok);
    else if (asked && m->type == MOQ_MSG_REQUEST_ERROR)
        on_refused(f, &m->request_error);
    else
        moq_session_fail(f->session, MOQ_PROTOCOL_VIOLATION, "message not allowed on a fetch");
}

void moq_fetch_on_fin(struct moq_fetch *f)
{
    if (f->ours && f->state == FETCH_ASKED)
        moq_session_fail(f->session, MOQ_PROTOCOL_VIOLATION, "request ended without an answer");
}

static void on_cancelled(struct moq_fetch *f)
{
    struct moq_session *s = f->session;
    bool known = f->state == FETCH_ASKED || f->state == FETCH_ACCEPTED;
    give_up(f, MOQ_STREAM_CANCELLED);
    if (known && s->handler.on_fetch_cancelled)
        s->handler.on_fetch_cancelled(s->user, f);
}

void moq_fetch_on_abort(struct moq_fetch *f, uint64_t code)
{
    if (f->ours)
        done(f, false, code);
    else
        on_cancelled(f);
}

void moq_fetch_on_data_stop(struct moq_session *s, struct moq_stream *st)
{
    if (st->fetch) {
        on_cancelled(st->fetch);
        return;
    }
    s->quic.reset(s->quic.ctx, st->id, MOQ_STREAM_CANCELLED);
    moq_stream_kill(s, st);
}

void moq_fetch_on_data_end(struct moq_session *s, struct moq_stream *st)
{
    if (st->fetch)
        on_cancelled(st->fetch);
    else
        moq_stream_kill(s, st);
}

void moq_fetch_set_user(struct moq_fetch *f, void *user)
{
    f->user = user;
}

void *moq_fetch_user(const struct moq_fetch *f)
{
    return f->user;
}
