/* namespaces.c - struct moq_request: PUBLISH_NAMESPACE, SUBSCRIBE_NAMESPACE, SUBSCRIBE_TRACKS and
 * TRACK_STATUS, asked by us or by the peer. All have one answer; all but the last then live on
 * until one side ends their stream. */
#include "session.h"

#include <stdlib.h>

static const uint64_t type_of[] = {
    [MOQ_REQUEST_PUBLISH_NAMESPACE] = MOQ_MSG_PUBLISH_NAMESPACE,
    [MOQ_REQUEST_SUBSCRIBE_NAMESPACE] = MOQ_MSG_SUBSCRIBE_NAMESPACE,
    [MOQ_REQUEST_SUBSCRIBE_TRACKS] = MOQ_MSG_SUBSCRIBE_TRACKS,
    [MOQ_REQUEST_TRACK_STATUS] = MOQ_MSG_TRACK_STATUS,
};
#define N_KINDS (sizeof type_of / sizeof type_of[0])

static enum moq_request_kind kind_of(uint64_t type)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (type_of[i] == type)
            return (enum moq_request_kind)i;
    return MOQ_REQUEST_TRACK_STATUS; /* nothing else is left */
}

static void free_known(struct moq_request *r, struct moq_known_namespace **at)
{
    struct moq_known_namespace *k = *at;
    *at = k->next;
    r->n_known--;
    moq_kept_name_fini(&k->ns);
    free(k);
}

void moq_asked_free(struct moq_request *r)
{
    while (r->known)
        free_known(r, &r->known);
    moq_kept_name_fini(&r->name);
    free(r);
}

static void bury(struct moq_request *r)
{
    struct moq_session *s = r->session;
    struct moq_request **at = &s->asked;
    while (*at && *at != r)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = r->next;
    r->state = ASKED_GONE;
    r->stream = NULL;
    r->next = s->dead_asked;
    s->dead_asked = r;
}

static void over(struct moq_request *r, uint64_t code, const char *reason)
{
    struct moq_session *s = r->session;
    bury(r);
    if (s->handler.on_request_end)
        s->handler.on_request_end(s->user, r, code, reason);
}

static struct moq_request *add(struct moq_session *s, enum moq_request_kind kind,
                               const struct moq_name *name)
{
    struct moq_request *r = calloc(1, sizeof *r);
    if (!r || moq_name_keep(&r->name, name) < 0) {
        free(r);
        return NULL;
    }
    r->session = s;
    r->kind = kind;
    r->next = s->asked;
    s->asked = r;
    return r;
}

/* The namespace `ns` among those told; else where the list ends. */
static struct moq_known_namespace **find_known(struct moq_request *r, const struct moq_name *ns)
{
    struct moq_known_namespace **at = &r->known;
    while (*at && !moq_kept_name_is(&(*at)->ns, ns))
        at = &(*at)->next;
    return at;
}

static int add_known(struct moq_request *r, const struct moq_name *ns)
{
    if (r->n_known >= MOQ_NAMESPACES_MAX)
        return MOQ_ERR_FULL;
    struct moq_known_namespace *k = calloc(1, sizeof *k);
    if (!k || moq_name_keep(&k->ns, ns) < 0) {
        free(k);
        return MOQ_ERR_NOMEM;
    }
    k->next = r->known;
    r->known = k;
    r->n_known++;
    return 0;
}

/* ---- ours ---- */

int moq_request(struct moq_session *s, enum moq_request_kind kind, const struct moq_name *name,
                void *user, struct moq_request **out)
{
    int rc = moq_request_allowed(s);
    if (rc < 0)
        return rc;
    if (!moq_name_valid(name) || (size_t)kind >= N_KINDS)
        return MOQ_ERR_ARG;
    struct moq_name asked = *name;
    if (kind != MOQ_REQUEST_TRACK_STATUS)
        asked.track = (struct moq_bytes){ 0 };
    struct moq_message m = { .type = type_of[kind] };
    if (kind == MOQ_REQUEST_TRACK_STATUS)
        m.subscribe.name = asked;
    else
        m.namespaces.ns = asked;
    moq_session_enter(s);
    struct moq_request *r = add(s, kind, &asked);
    rc = MOQ_ERR_NOMEM;
    if (!r)
        goto out;
    r->ours = true;
    r->forward = true;
    r->user = user;
    struct moq_stream *st = moq_request_begin(s, STREAM_ASKED, &m, &rc);
    if (!st) {
        bury(r);
        goto out;
    }
    st->asked = r;
    r->stream = st;
    *out = r;
out:
    moq_session_leave(s);
    return rc;
}

static bool join_names(const struct moq_request *r, const struct moq_name *suffix,
                       struct moq_name *out)
{
    moq_kept_name_get(&r->name, out);
    if (suffix->n_ns > MOQ_NAMESPACE_FIELDS_MAX - out->n_ns)
        return false;
    for (size_t i = 0; i < suffix->n_ns; i++)
        out->ns[out->n_ns++] = suffix->ns[i];
    out->track = suffix->track;
    return moq_name_valid(out);
}

static void on_suffix(struct moq_request *r, const struct moq_message *m)
{
    struct moq_session *s = r->session;
    struct moq_name ns;
    if (!join_names(r, &m->suffix.name, &ns)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "namespace too large");
        return;
    }
    if (m->type == MOQ_MSG_PUBLISH_BLOCKED) {
        if (s->handler.on_track_blocked)
            s->handler.on_track_blocked(s->user, r, &ns);
        return;
    }
    bool there = m->type == MOQ_MSG_NAMESPACE;
    struct moq_known_namespace **known = find_known(r, &ns);
    if (!there && !*known) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "NAMESPACE_DONE without NAMESPACE");
        return;
    }
    if (there && *known)
        return;
    if (there && add_known(r, &ns) < 0) {
        moq_request_abort(s, r->stream, MOQ_STREAM_EXCESSIVE_LOAD);
        over(r, MOQ_REQ_NAMESPACE_TOO_LARGE, "more namespaces than we hold");
        return;
    }
    if (!there)
        free_known(r, known);
    if (s->handler.on_namespace)
        s->handler.on_namespace(s->user, r, &ns, there);
}

static void on_status(struct moq_request *r, const struct moq_msg_request_ok *m)
{
    struct moq_session *s = r->session;
    if (!moq_params_within(&m->params, MOQ_HAS_EXPIRES | MOQ_HAS_LARGEST)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "parameter not allowed in TRACK_STATUS_OK");
        return;
    }
    moq_request_finish(s, r->stream);
    bury(r);
    bool has_largest = (m->params.has & MOQ_HAS_LARGEST) != 0;
    if (s->handler.on_track_status)
        s->handler.on_track_status(s->user, r, has_largest ? &m->params.largest : NULL,
                                   m->properties);
}

static void on_answer(struct moq_request *r, const struct moq_message *m)
{
    struct moq_session *s = r->session;
    if (m->type == MOQ_MSG_REQUEST_ERROR) {
        const struct moq_msg_request_error *e = &m->request_error;
        char reason[MOQ_REASON_MAX + 1];
        moq_reason_copy(reason, e->reason);
        bool scoped = r->kind != MOQ_REQUEST_TRACK_STATUS;
        if ((s->server && e->redirect_uri.len > 0) || (scoped && e->redirect_name.track.len > 0)) {
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "redirect that is not allowed");
            return;
        }
        moq_request_finish(s, r->stream);
        over(r, e->code, reason);
    } else if (r->kind == MOQ_REQUEST_TRACK_STATUS) {
        on_status(r, &m->request_ok);
    } else if (m->request_ok.params.has != 0 || m->request_ok.properties.len > 0) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "REQUEST_OK with what it may not have");
    } else {
        r->state = ASKED_ACCEPTED;
        if (s->handler.on_request_ok)
            s->handler.on_request_ok(s->user, r);
    }
}

/* ---- the peer's ---- */

static bool overlaps(const struct moq_session *s, enum moq_request_kind kind,
                     const struct moq_name *prefix)
{
    for (const struct moq_request *r = s->asked; r; r = r->next) {
        struct moq_name other;
        if (r->ours || r->kind != kind)
            continue;
        moq_kept_name_get(&r->name, &other);
        if (moq_name_begins(prefix, &other) || moq_name_begins(&other, prefix))
            return true;
    }
    return false;
}

static bool is_prefix(enum moq_request_kind kind)
{
    return kind == MOQ_REQUEST_SUBSCRIBE_NAMESPACE || kind == MOQ_REQUEST_SUBSCRIBE_TRACKS;
}

void moq_asked_on_request(struct moq_session *s, struct moq_stream *st, const struct moq_message *m)
{
    enum moq_request_kind kind = kind_of(m->type);
    bool status = kind == MOQ_REQUEST_TRACK_STATUS;
    const struct moq_name *name = status ? &m->subscribe.name : &m->namespaces.ns;
    const struct moq_params *params = status ? &m->subscribe.params : &m->namespaces.params;
    if (!s->handler.on_request) {
        moq_request_refuse(s, st, MOQ_REQ_NOT_SUPPORTED, "not supported here");
        return;
    }
    if (moq_name_reserved(name)) {
        moq_request_refuse(s, st, MOQ_REQ_DOES_NOT_EXIST, "reserved namespace");
        return;
    }
    if (is_prefix(kind) && overlaps(s, kind, name)) {
        moq_request_refuse(s, st, MOQ_REQ_PREFIX_OVERLAP, "asked for already, in part or whole");
        return;
    }
    struct moq_request *r = add(s, kind, name);
    if (!r) {
        moq_request_refuse(s, st, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    r->forward = (params->has & MOQ_HAS_FORWARD) == 0 || params->forward != 0;
    r->stream = st;
    moq_stream_set_kind(s, st, STREAM_ASKED);
    st->asked = r;
    s->handler.on_request(s->user, r, name);
}

static void on_update(struct moq_request *r, const struct moq_params *params)
{
    struct moq_session *s = r->session;
    uint32_t allowed = MOQ_HAS_TOKEN | (is_prefix(r->kind) ? MOQ_HAS_PREFIX : 0u);
    if (r->kind == MOQ_REQUEST_TRACK_STATUS || !moq_params_within(params, allowed)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "update not allowed on this request");
    } else if ((params->has & MOQ_HAS_PREFIX) != 0) { /* ask anew instead: it costs the same */
        moq_request_refuse(s, r->stream, MOQ_REQ_NOT_SUPPORTED, "prefixes do not change here");
        over(r, MOQ_REQ_NOT_SUPPORTED, "update of the prefix");
    } else if (r->state == ASKED_ACCEPTED) {
        moq_request_ok(s, r->stream);
    } else if (++r->updates_owed > MOQ_UPDATES_MAX) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "too many updates before an answer");
    }
}

int moq_request_accept(struct moq_request *r)
{
    struct moq_session *s = r->session;
    if (r->ours || r->state != ASKED_PENDING || r->kind == MOQ_REQUEST_TRACK_STATUS ||
        s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    r->state = ASKED_ACCEPTED;
    moq_request_ok(s, r->stream);
    for (; r->updates_owed > 0; r->updates_owed--)
        moq_request_ok(s, r->stream);
    moq_session_leave(s);
    return 0;
}

int moq_request_reject(struct moq_request *r, uint64_t code, const char *reason)
{
    struct moq_session *s = r->session;
    if (r->ours || r->state != ASKED_PENDING)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    moq_request_refuse(s, r->stream, code, reason);
    bury(r);
    moq_session_leave(s);
    return 0;
}

int moq_track_status(struct moq_request *r, const struct moq_location *largest,
                     struct moq_bytes properties)
{
    struct moq_session *s = r->session;
    if (r->ours || r->state != ASKED_PENDING || r->kind != MOQ_REQUEST_TRACK_STATUS ||
        s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (!moq_kvp_valid(properties))
        return MOQ_ERR_ARG;
    struct moq_message ok = { .type = MOQ_MSG_REQUEST_OK,
                              .request_ok = { .properties = properties } };
    if (largest)
        ok.request_ok.params = (struct moq_params){ .has = MOQ_HAS_LARGEST, .largest = *largest };
    moq_session_enter(s);
    int rc = moq_session_send(s, r->stream->id, &ok, true);
    moq_stream_drain(s, r->stream);
    bury(r);
    moq_session_leave(s);
    return rc;
}

static int say(struct moq_request *r, uint64_t type, const struct moq_name *name)
{
    struct moq_session *s = r->session;
    struct moq_message m = { .type = type };
    struct moq_name prefix;
    moq_kept_name_get(&r->name, &prefix);
    for (size_t i = prefix.n_ns; i < name->n_ns; i++)
        m.suffix.name.ns[m.suffix.name.n_ns++] = name->ns[i];
    m.suffix.name.track = name->track;
    return moq_session_send(s, r->stream->id, &m, false);
}

static int may_say(const struct moq_request *r, enum moq_request_kind kind,
                   const struct moq_name *name)
{
    struct moq_name prefix;
    if (r->ours || r->state != ASKED_ACCEPTED || r->kind != kind ||
        r->session->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    moq_kept_name_get(&r->name, &prefix);
    return moq_name_valid(name) && moq_name_begins(name, &prefix) ? 0 : MOQ_ERR_ARG;
}

int moq_namespace(struct moq_request *r, const struct moq_name *ns, bool there)
{
    struct moq_name bare = *ns;
    bare.track = (struct moq_bytes){ 0 };
    int rc = may_say(r, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, &bare);
    if (rc < 0)
        return rc;
    struct moq_known_namespace **known = find_known(r, &bare);
    if (there == (*known != NULL))
        return MOQ_ERR_STATE;
    if (there)
        rc = add_known(r, &bare);
    else
        free_known(r, known);
    moq_session_enter(r->session);
    if (rc == 0)
        rc = say(r, there ? MOQ_MSG_NAMESPACE : MOQ_MSG_NAMESPACE_DONE, &bare);
    moq_session_leave(r->session);
    return rc;
}

int moq_track_blocked(struct moq_request *r, const struct moq_name *name)
{
    int rc = may_say(r, MOQ_REQUEST_SUBSCRIBE_TRACKS, name);
    if (rc < 0)
        return rc;
    moq_session_enter(r->session);
    rc = say(r, MOQ_MSG_PUBLISH_BLOCKED, name);
    moq_session_leave(r->session);
    return rc;
}

/* ---- both ---- */

static bool is_suffix_of(const struct moq_request *r, uint64_t type)
{
    if (r->kind == MOQ_REQUEST_SUBSCRIBE_NAMESPACE)
        return type == MOQ_MSG_NAMESPACE || type == MOQ_MSG_NAMESPACE_DONE;
    return r->kind == MOQ_REQUEST_SUBSCRIBE_TRACKS && type == MOQ_MSG_PUBLISH_BLOCKED;
}

void moq_asked_on_message(struct moq_request *r, const struct moq_message *m)
{
    bool answer = m->type == MOQ_MSG_REQUEST_OK || m->type == MOQ_MSG_REQUEST_ERROR;
    if (!r->ours && m->type == MOQ_MSG_REQUEST_UPDATE)
        on_update(r, &m->request_update.params);
    else if (r->ours && r->state == ASKED_PENDING && answer)
        on_answer(r, m);
    else if (r->ours && r->state == ASKED_ACCEPTED && is_suffix_of(r, m->type))
        on_suffix(r, m);
    else
        moq_session_fail(r->session, MOQ_PROTOCOL_VIOLATION, "message not allowed on this request");
}

/* The peer has nothing more to say. A status needs no more; a prefix is given up by it, and so is
 * everything by the side that answers. A published namespace goes on: it ends by a reset. */
void moq_asked_on_fin(struct moq_request *r)
{
    struct moq_session *s = r->session;
    if (r->ours && r->state == ASKED_PENDING) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "request ended without an answer");
    } else if (r->ours || is_prefix(r->kind)) {
        moq_request_finish(s, r->stream);
        over(r, MOQ_STREAM_CANCELLED, "ended by the peer");
    }
}

void moq_asked_on_abort(struct moq_request *r, uint64_t code)
{
    moq_request_abort(r->session, r->stream, MOQ_STREAM_CANCELLED);
    over(r, code, "cancelled by the peer");
}

void moq_request_end(struct moq_request *r)
{
    struct moq_session *s = r->session;
    if (r->state == ASKED_GONE)
        return;
    moq_session_enter(s);
    moq_request_abort(s, r->stream, MOQ_STREAM_CANCELLED);
    bury(r);
    moq_session_leave(s);
}

enum moq_request_kind moq_request_kind(const struct moq_request *r)
{
    return r->kind;
}

bool moq_request_forward(const struct moq_request *r)
{
    return r->forward;
}

void moq_request_set_user(struct moq_request *r, void *user)
{
    r->user = user;
}

void *moq_request_user(const struct moq_request *r)
{
    return r->user;
}
