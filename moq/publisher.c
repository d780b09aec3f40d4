/* publisher.c - struct moq_sending: what we publish, because the peer subscribes or because we
 * offer it (PUBLISH). Its objects: send.c. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* Properties of a track that concern the sender (draft-18 "MOQT Properties"). */
enum {
    PROPERTY_OBJECT_TIMEOUT = 0x02,
    PROPERTY_SUBGROUP_TIMEOUT = 0x06,
    PROPERTY_GROUP_ORDER = 0x22
};

void moq_sending_free(struct moq_sending *sd)
{
    moq_kept_name_fini(&sd->name);
    free(sd->reason);
    free(sd);
}

void moq_sending_bury(struct moq_sending *sd)
{
    struct moq_session *s = sd->session;
    struct moq_sending **at = &s->sendings;
    while (*at && *at != sd)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = sd->next;
    sd->state = SENDING_GONE;
    sd->next = s->dead_sendings;
    s->dead_sendings = sd;
    moq_fetches_on_joined(sd);
}

/* ---- what the subscriber wants ---- */

static void take_params(struct moq_sending *sd, const struct moq_params *p)
{
    struct moq_subscribe_options *o = &sd->options;
    if ((p->has & MOQ_HAS_PRIORITY) != 0)
        o->priority = (uint8_t)p->priority;
    if ((p->has & MOQ_HAS_FORWARD) != 0)
        o->forward = p->forward != 0;
    if ((p->has & MOQ_HAS_GROUP_ORDER) != 0)
        o->group_order = (uint8_t)p->group_order;
    if ((p->has & MOQ_HAS_OBJECT_TIMEOUT) != 0)
        o->delivery_timeout_ms = p->object_timeout_ms;
    if ((p->has & MOQ_HAS_SUBGROUP_TIMEOUT) != 0)
        sd->subgroup_timeout_ms = p->subgroup_timeout_ms;
    o->has_new_group = (p->has & MOQ_HAS_NEW_GROUP) != 0; /* asked for once */
    o->new_group = p->new_group;
    if ((p->has & MOQ_HAS_FILTER) != 0) {
        o->filter = p->filter.type;
        o->start = p->filter.start;
        o->end_group = p->filter.end_group;
    }
}

static const struct moq_sending *find_name(const struct moq_session *s, const struct moq_name *name)
{
    for (const struct moq_sending *sd = s->sendings; sd; sd = sd->next)
        if (sd->state != SENDING_DONE && moq_kept_name_is(&sd->name, name))
            return sd;
    return NULL;
}

static struct moq_sending *add(struct moq_session *s, const struct moq_name *name)
{
    struct moq_sending *sd = calloc(1, sizeof *sd);
    if (!sd || moq_name_keep(&sd->name, name) < 0) {
        free(sd);
        return NULL;
    }
    sd->session = s;
    moq_subscribe_options_init(&sd->options);
    sd->options.filter = MOQ_FILTER_NONE; /* what a message without the parameter means */
    sd->next = s->sendings;
    s->sendings = sd;
    return sd;
}

void moq_sending_on_subscribe(struct moq_session *s, struct moq_stream *st,
                              const struct moq_msg_subscribe *m)
{
    if (moq_name_reserved(&m->name) || !s->handler.on_subscribe) {
        moq_request_refuse(s, st, MOQ_REQ_DOES_NOT_EXIST, "no such track");
        return;
    }
    if (find_name(s, &m->name)) {
        moq_request_refuse(s, st, MOQ_REQ_DUPLICATE_SUBSCRIPTION, "subscribed already");
        return;
    }
    struct moq_sending *sd = add(s, &m->name);
    if (!sd) {
        moq_request_refuse(s, st, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    sd->request = st;
    sd->request_id = m->request_id;
    take_params(sd, &m->params);
    sd->options.rendezvous_ms = m->params.rendezvous_timeout_ms;
    moq_stream_set_kind(s, st, STREAM_SENDING);
    st->sending = sd;
    s->handler.on_subscribe(s->user, sd, &m->name, &sd->options);
}

struct moq_sending *moq_sending_by_request(struct moq_session *s, uint64_t request_id)
{
    for (struct moq_sending *sd = s->sendings; sd; sd = sd->next)
        if (sd->request_id == request_id &&
            (sd->state == SENDING_PENDING || sd->state == SENDING_ACCEPTED))
            return sd;
    return NULL;
}

/* What the peer is told now is where its joining FETCH ends. */
static void save_joining(struct moq_sending *sd)
{
    sd->has_joining = sd->has_largest;
    sd->joining = sd->largest;
}

static void answer_update(struct moq_sending *sd)
{
    struct moq_message ok = { .type = MOQ_MSG_REQUEST_OK };
    if (sd->has_largest)
        ok.request_ok.params =
            (struct moq_params){ .has = MOQ_HAS_LARGEST, .largest = sd->largest };
    moq_session_send(sd->session, sd->request->id, &ok, false);
}

void moq_sending_on_update(struct moq_sending *sd, const struct moq_msg_request_update *m)
{
    struct moq_session *s = sd->session;
    if (!moq_params_within(&m->params, MOQ_SUBSCRIBER_PARAMS | MOQ_HAS_TOKEN)) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "update not allowed on a subscription");
        return;
    }
    bool was_off = !sd->options.forward;
    take_params(sd, &m->params);
    if (sd->state == SENDING_PENDING ||
        sd->state == SENDING_OFFERED) { /* SUBSCRIBE_OK has to come first */
        if (++sd->updates_owed > MOQ_UPDATES_MAX)
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "too many updates before an answer");
        return;
    }
    if ((m->params.has & MOQ_HAS_FILTER) != 0)
        moq_sending_work_out_filter(sd);
    if (was_off && sd->options.forward)
        save_joining(sd);
    answer_update(sd);
    if (sd->state == SENDING_ACCEPTED && s->state == SESSION_OPEN && s->handler.on_update)
        s->handler.on_update(s->user, sd, &sd->options);
}

void moq_sending_on_abort(struct moq_sending *sd, uint64_t code)
{
    struct moq_session *s = sd->session;
    bool known = sd->state == SENDING_PENDING || sd->state == SENDING_ACCEPTED;
    bool offered = sd->state == SENDING_OFFERED;
    moq_sending_reset_objects(sd, MOQ_STREAM_CANCELLED);
    moq_request_abort(s, sd->request, MOQ_STREAM_CANCELLED);
    moq_sending_bury(sd);
    if (offered && s->handler.on_publish_refused)
        s->handler.on_publish_refused(s->user, sd, code, "cancelled by the subscriber");
    if (known && s->handler.on_cancelled)
        s->handler.on_cancelled(s->user, sd);
}

/* ---- what the application says ---- */

static void smaller_nonzero(uint64_t *a, uint64_t b)
{
    if (b != 0 && (*a == 0 || b < *a))
        *a = b;
}

static int take_track_properties(struct moq_sending *sd, struct moq_bytes properties)
{
    if (!moq_kvp_valid(properties))
        return MOQ_ERR_ARG;
    struct moq_reader r = moq_reader_of(properties.bytes, properties.len);
    struct moq_kvp kvp = { 0 };
    while (moq_kvp_read(&r, &kvp) > 0) {
        if (kvp.type == PROPERTY_OBJECT_TIMEOUT || kvp.type == PROPERTY_SUBGROUP_TIMEOUT)
            smaller_nonzero(&sd->track_timeout_ms, kvp.value);
        else if (kvp.type == PROPERTY_GROUP_ORDER)
            sd->track_descending = kvp.value == MOQ_ORDER_DESCENDING;
    }
    return 0;
}

int moq_accept(struct moq_sending *sd, const struct moq_location *largest,
               struct moq_bytes track_properties)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_PENDING || s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (take_track_properties(sd, track_properties) < 0)
        return MOQ_ERR_ARG;
    struct moq_message ok = { .type = MOQ_MSG_SUBSCRIBE_OK,
                              .subscribe_ok = { .alias = s->next_alias,
                                                .properties = track_properties } };
    if (largest)
        ok.subscribe_ok.params = (struct moq_params){ .has = MOQ_HAS_LARGEST, .largest = *largest };
    moq_session_enter(s);
    int rc = moq_session_send(s, sd->request->id, &ok, false);
    if (rc < 0)
        goto out;
    sd->alias = s->next_alias++;
    sd->has_largest = largest != NULL;
    if (largest)
        sd->largest = *largest;
    sd->state = SENDING_ACCEPTED;
    moq_sending_work_out_filter(sd);
    save_joining(sd);
    for (; sd->updates_owed > 0; sd->updates_owed--)
        answer_update(sd);
    moq_fetches_on_joined(sd);
out:
    moq_session_leave(s);
    return rc;
}

static int reject(struct moq_sending *sd, const struct moq_msg_request_error *error)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_PENDING)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    moq_request_error(s, sd->request, error);
    moq_sending_bury(sd);
    moq_session_leave(s);
    return 0;
}

int moq_reject(struct moq_sending *sd, uint64_t code, const char *reason)
{
    return reject(sd,
                  &(struct moq_msg_request_error){ .code = code, .reason = moq_bytes_of(reason) });
}

int moq_reject_for_now(struct moq_sending *sd, uint64_t code, const char *reason, uint64_t retry_ms)
{
    return reject(sd, &(struct moq_msg_request_error){ .code = code,
                                                       .retry_ms_plus_1 = retry_ms + 1,
                                                       .reason = moq_bytes_of(reason) });
}

void moq_sending_set_user(struct moq_sending *sd, void *user)
{
    sd->user = user;
}

void *moq_sending_user(const struct moq_sending *sd)
{
    return sd->user;
}

const struct moq_subscribe_options *moq_sending_options(const struct moq_sending *sd)
{
    return &sd->options;
}

int moq_done(struct moq_sending *sd, uint64_t status, const char *reason)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_ACCEPTED && sd->state != SENDING_OFFERED)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    while (sd->open.head) /* nobody will say whether they are whole */
        moq_subgroup_end(sd, sd->open.head->subgroup.header.group,
                         sd->open.head->subgroup.header.subgroup, false);
    sd->state = SENDING_DONE;
    sd->status = status;
    sd->reason = moq_reason_keep(moq_bytes_of(reason));
    moq_sending_finish_when_sent(sd);
    moq_session_leave(s);
    return 0;
}

/* ---- PUBLISH ---- */

int moq_publish(struct moq_session *s, const struct moq_name *name,
                const struct moq_publish_options *o, void *user, struct moq_sending **out)
{
    int rc = moq_request_allowed(s);
    if (rc < 0)
        return rc;
    if (!moq_name_valid(name) || !moq_kvp_valid(o->properties))
        return MOQ_ERR_ARG;
    if (find_name(s, name))
        return MOQ_ERR_STATE;
    struct moq_message m = {
        .type = MOQ_MSG_PUBLISH,
        .publish = { .name = *name, .alias = s->next_alias, .properties = o->properties },
    };
    m.publish.params = (struct moq_params){ .largest = o->largest, .expires_ms = o->expires_ms };
    m.publish.params.has |= o->has_largest ? MOQ_HAS_LARGEST : 0u;
    m.publish.params.has |= o->expires_ms > 0 ? MOQ_HAS_EXPIRES : 0u;
    m.publish.params.has |= o->forward ? 0u : MOQ_HAS_FORWARD; /* 0 */
    moq_session_enter(s);
    rc = MOQ_ERR_NOMEM;
    struct moq_sending *sd = add(s, name);
    if (!sd)
        goto out;
    (void)take_track_properties(sd, o->properties);
    sd->state = SENDING_OFFERED;
    sd->user = user;
    sd->options.forward = o->forward;
    sd->alias = s->next_alias;
    sd->has_largest = o->has_largest;
    sd->largest = o->largest;
    sd->end_group = UINT64_MAX;
    save_joining(sd);
    sd->request = moq_request_begin(s, STREAM_SENDING, &m, &rc);
    if (!sd->request) {
        moq_sending_bury(sd);
        goto out;
    }
    sd->request->sending = sd;
    sd->request_id = m.publish.request_id;
    s->next_alias++;
    *out = sd;
out:
    moq_session_leave(s);
    return rc;
}

#define PUBLISH_OK_PARAMS (MOQ_SUBSCRIBER_PARAMS | MOQ_HAS_GROUP_ORDER | MOQ_HAS_EXPIRES)

static void on_published(struct moq_sending *sd, const struct moq_msg_request_ok *m)
{
    struct moq_session *s = sd->session;
    if (!moq_params_within(&m->params, PUBLISH_OK_PARAMS) || m->properties.len > 0) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "PUBLISH_OK with what it may not have");
        return;
    }
    bool done = sd->state == SENDING_DONE;
    sd->options.forward = true; /* what leaving it out means */
    take_params(sd, &m->params);
    if (done) /* PUBLISH_DONE is on its way */
        return;
    sd->state = SENDING_ACCEPTED;
    if ((m->params.has & MOQ_HAS_FILTER) != 0)
        moq_sending_work_out_filter(sd);
    for (; sd->updates_owed > 0; sd->updates_owed--)
        answer_update(sd);
    if (s->handler.on_published)
        s->handler.on_published(s->user, sd, &sd->options);
}

void moq_sending_on_answer(struct moq_sending *sd, const struct moq_message *m)
{
    struct moq_session *s = sd->session;
    bool pending = sd->state == SENDING_OFFERED, done = sd->state == SENDING_DONE;
    if (!pending && !done) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "a second answer to PUBLISH");
    } else if (m->type == MOQ_MSG_REQUEST_OK) {
        on_published(sd, &m->request_ok);
    } else {
        char reason[MOQ_REASON_MAX + 1];
        moq_reason_copy(reason, m->request_error.reason);
        moq_sending_reset_objects(sd, MOQ_STREAM_CANCELLED);
        moq_request_finish(s, sd->request);
        moq_sending_bury(sd);
        if (pending && s->handler.on_publish_refused)
            s->handler.on_publish_refused(s->user, sd, m->request_error.code, reason);
    }
}

/* The subscriber has no more to say: no update will come. */
void moq_sending_on_fin(struct moq_sending *sd)
{
    if (sd->state == SENDING_OFFERED)
        moq_session_fail(sd->session, MOQ_PROTOCOL_VIOLATION, "PUBLISH ended without an answer");
}
