/* publisher.c - struct moq_sending: the subscriptions of the peer, and the objects we send for
 * them, each on a subgroup stream of its own. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rank.h"

#define US_PER_MS 1000u
/* Properties of a track that concern the sender (draft-18 "MOQT Properties"). */
enum {
    PROPERTY_OBJECT_TIMEOUT = 0x02,
    PROPERTY_SUBGROUP_TIMEOUT = 0x06,
    PROPERTY_GROUP_ORDER = 0x22
};
enum { ORDER_PUBLISHERS = 0, ORDER_ASCENDING = 1, ORDER_DESCENDING = 2 };

void moq_sending_free(struct moq_sending *sd)
{
    free(sd->name_storage);
    free(sd);
}

/* `sd` is gone for everybody, once the stack is unwound. */
static void bury(struct moq_sending *sd)
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
}

static void reset_objects(struct moq_sending *sd, uint64_t code)
{
    struct moq_session *s = sd->session;
    while (sd->streams.head) {
        s->quic.reset(s->quic.ctx, sd->streams.head->id, code);
        moq_stream_kill(s, sd->streams.head);
    }
}

/* ---- what the subscriber wants ---- */

/* The first location that passes, from the filter and what was published before it came. */
static void work_out_filter(struct moq_sending *sd)
{
    const struct moq_subscribe_options *o = &sd->options;
    sd->start = (struct moq_location){ 0 };
    sd->end_group = o->filter == MOQ_FILTER_ABSOLUTE_RANGE ? o->end_group : UINT64_MAX;
    if (o->filter == MOQ_FILTER_ABSOLUTE_START || o->filter == MOQ_FILTER_ABSOLUTE_RANGE)
        sd->start = o->start;
    else if (o->filter == MOQ_FILTER_NEXT_GROUP && sd->has_largest)
        sd->start.group = sd->largest.group + 1;
    else if (o->filter == MOQ_FILTER_LARGEST_OBJECT && sd->has_largest)
        sd->start = (struct moq_location){ sd->largest.group, sd->largest.object + 1 };
}

static bool location_before(struct moq_location a, struct moq_location b)
{
    return a.group != b.group ? a.group < b.group : a.object < b.object;
}

static bool wanted(const struct moq_sending *sd, struct moq_location at)
{
    return sd->options.forward && !location_before(at, sd->start) && at.group <= sd->end_group;
}

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
    if ((p->has & MOQ_HAS_FILTER) != 0) {
        o->filter = p->filter.type;
        o->start = p->filter.start;
        o->end_group = p->filter.end_group;
    }
}

static const struct moq_sending *find_name(const struct moq_session *s, const struct moq_name *name)
{
    for (const struct moq_sending *sd = s->sendings; sd; sd = sd->next)
        if (sd->state != SENDING_DONE && moq_name_equal(&sd->name, name))
            return sd;
    return NULL;
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
    struct moq_sending *sd = calloc(1, sizeof *sd);
    if (!sd || moq_name_copy(&sd->name, &sd->name_storage, &m->name) < 0) {
        free(sd);
        moq_request_refuse(s, st, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    sd->session = s;
    sd->request = st;
    moq_subscribe_options_init(&sd->options);
    sd->options.filter = MOQ_FILTER_NONE; /* what a message without the parameter means */
    take_params(sd, &m->params);
    sd->next = s->sendings;
    s->sendings = sd;
    moq_stream_set_kind(s, st, STREAM_SENDING);
    st->sending = sd;
    s->handler.on_subscribe(s->user, sd, &sd->name, &sd->options);
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
    take_params(sd, &m->params);
    if (sd->state == SENDING_PENDING) { /* SUBSCRIBE_OK has to come first */
        if (++sd->updates_owed > MOQ_UPDATES_MAX)
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "too many updates before an answer");
        return;
    }
    if ((m->params.has & MOQ_HAS_FILTER) != 0)
        work_out_filter(sd);
    answer_update(sd);
    if (sd->state == SENDING_ACCEPTED && s->state == SESSION_OPEN && s->handler.on_update)
        s->handler.on_update(s->user, sd, &sd->options);
}

void moq_sending_on_abort(struct moq_sending *sd)
{
    struct moq_session *s = sd->session;
    bool known = sd->state == SENDING_PENDING || sd->state == SENDING_ACCEPTED;
    reset_objects(sd, MOQ_STREAM_CANCELLED);
    moq_request_abort(s, sd->request, MOQ_STREAM_CANCELLED);
    bury(sd);
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
            sd->track_descending = kvp.value == ORDER_DESCENDING;
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
    work_out_filter(sd);
    for (; sd->updates_owed > 0; sd->updates_owed--)
        answer_update(sd);
out:
    moq_session_leave(s);
    return rc;
}

int moq_reject(struct moq_sending *sd, uint64_t code, const char *reason)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_PENDING)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    moq_request_refuse(s, sd->request, code, reason);
    bury(sd);
    moq_session_leave(s);
    return 0;
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

/* ---- objects ---- */

static uint64_t rank_of(const struct moq_sending *sd, const struct moq_object *obj)
{
    bool descending = sd->options.group_order == ORDER_PUBLISHERS
                          ? sd->track_descending
                          : sd->options.group_order == ORDER_DESCENDING;
    return moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_OBJECT,
                                            .subscriber_priority = sd->options.priority,
                                            .publisher_priority = obj->priority,
                                            .descending = descending,
                                            .group = obj->group,
                                            .subgroup = obj->object });
}

/* The shortest of what the application, the subscriber and the track allow; 0: for ever. With one
 * object per subgroup both of the draft's time-outs run from the same moment. */
static uint64_t lifetime_of(const struct moq_sending *sd, uint64_t lifetime_us)
{
    uint64_t ms = sd->track_timeout_ms;
    smaller_nonzero(&ms, sd->options.delivery_timeout_ms);
    smaller_nonzero(&ms, sd->subgroup_timeout_ms);
    smaller_nonzero(&lifetime_us, ms > UINT64_MAX / US_PER_MS ? 0 : ms * US_PER_MS);
    return lifetime_us;
}

static int write_object(struct moq_sending *sd, uint64_t stream, const struct moq_object *obj)
{
    struct moq_quic *q = &sd->session->quic;
    uint8_t head[MOQ_SUBGROUP_OVERHEAD_MAX + MOQ_PROPERTIES_MAX];
    struct moq_writer w = moq_writer_of(head, sizeof head);
    struct moq_subgroup_header h = { .alias = sd->alias,
                                     .group = obj->group,
                                     .has_subgroup = true, /* a loss can then be named */
                                     .subgroup = obj->object,
                                     .has_priority = true,
                                     .priority = obj->priority,
                                     .has_properties = obj->properties.len > 0,
                                     .first_object = true };
    moq_subgroup_header_write(&w, &h);
    moq_subgroup_object_write(&w, &h, obj);
    bool only = obj->payload.len == 0;
    if (w.failed || q->write(q->ctx, stream, head, moq_writer_len(&w), only) < 0)
        return MOQ_ERR_QUIC;
    if (!only && q->write(q->ctx, stream, obj->payload.bytes, obj->payload.len, true) < 0)
        return MOQ_ERR_QUIC;
    return 0;
}

static bool object_valid(const struct moq_object *obj)
{
    bool status = obj->status == 0 || obj->status == 3 || obj->status == 4;
    bool bare = obj->status == 0 || (obj->payload.len == 0 && obj->properties.len == 0);
    return status && bare && obj->properties.len <= MOQ_PROPERTIES_MAX &&
           obj->payload.len <= MOQ_OBJECT_MAX;
}

static int send_object(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    struct moq_session *s = sd->session;
    uint64_t id;
    if (s->n_objects_out >= MOQ_STREAMS_MAX || s->quic.open(s->quic.ctx, true, &id) < 0)
        return MOQ_ERR_FULL;
    sd->streams_opened++;
    struct moq_stream *st = moq_stream_add(s, id, STREAM_OBJECT);
    int rc = MOQ_ERR_NOMEM;
    if (!st)
        goto reset;
    st->sending = sd;
    moq_stream_list_add(&sd->streams, st);
    s->quic.set_rank(s->quic.ctx, id, rank_of(sd, obj));
    rc = write_object(sd, id, obj);
    if (rc < 0)
        goto reset;
    uint64_t lifetime = lifetime_of(sd, lifetime_us);
    if (lifetime != 0)
        s->quic.set_lifetime(s->quic.ctx, id, lifetime, MOQ_STREAM_DELIVERY_TIMEOUT);
    return 0;
reset:
    s->quic.reset(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
    moq_stream_kill(s, st);
    return rc;
}

int moq_object_write(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_ACCEPTED || s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (!object_valid(obj))
        return MOQ_ERR_ARG;
    struct moq_location at = { obj->group, obj->object };
    bool goes = wanted(sd, at);
    if (!sd->has_largest || location_before(sd->largest, at)) {
        sd->has_largest = true;
        sd->largest = at;
    }
    if (!goes)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    int rc = send_object(sd, obj, lifetime_us);
    moq_session_leave(s);
    return rc;
}

/* ---- the end ---- */

static void finish_when_sent(struct moq_sending *sd)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_DONE || sd->streams.head)
        return;
    struct moq_message done = { .type = MOQ_MSG_PUBLISH_DONE,
                                .publish_done = { .status = sd->status,
                                                  .stream_count = sd->streams_opened,
                                                  .reason = moq_bytes_of(sd->reason) } };
    moq_session_send(s, sd->request->id, &done, true);
    moq_stream_drain(s, sd->request);
    bury(sd);
}

void moq_sending_on_object_end(struct moq_session *s, struct moq_stream *st)
{
    struct moq_sending *sd = st->sending;
    moq_stream_kill(s, st);
    finish_when_sent(sd);
}

int moq_done(struct moq_sending *sd, uint64_t status, const char *reason)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_ACCEPTED)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    sd->state = SENDING_DONE;
    sd->status = status;
    moq_reason_copy(sd->reason, moq_bytes_of(reason));
    finish_when_sent(sd);
    moq_session_leave(s);
    return 0;
}
