/*
 * send.c - objects of a struct moq_sending on their way out: each on a subgroup stream of its own
 * (moq_object_write), or as it came from another publisher (moq_object_relay).
 */
#include "session.h"

#include <stdlib.h>

#include "rank.h"

#define US_PER_MS 1000u
enum { ORDER_PUBLISHERS = 0 };
#define DATAGRAM_OVERHEAD_MAX 64 /* bytes of its fields, without properties and payload */
#define DATAGRAM_MAX 1500        /* bytes; none larger gets through */

void moq_sending_reset_objects(struct moq_sending *sd, uint64_t code)
{
    struct moq_session *s = sd->session;
    struct moq_stream *st;
    while ((st = sd->open.head ? sd->open.head : sd->streams.head)) {
        s->quic.reset(s->quic.ctx, st->id, code);
        moq_stream_kill(s, st);
    }
    sd->n_open = 0;
}

/* ---- what is wanted ---- */

bool moq_location_before(struct moq_location a, struct moq_location b)
{
    return a.group != b.group ? a.group < b.group : a.object < b.object;
}

void moq_sending_work_out_filter(struct moq_sending *sd)
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

static bool wanted(const struct moq_sending *sd, struct moq_location at)
{
    return sd->options.forward && !moq_location_before(at, sd->start) && at.group <= sd->end_group;
}

static bool object_valid(const struct moq_object *obj)
{
    bool status = obj->status == 0 || obj->status == 3 || obj->status == 4;
    bool bare = obj->status == 0 || (obj->payload.len == 0 && obj->properties.len == 0);
    return status && bare && obj->properties.len <= MOQ_PROPERTIES_MAX &&
           obj->payload.len <= MOQ_OBJECT_MAX;
}

/* Count it as published. 0: it goes; else why not. */
static int offer(struct moq_sending *sd, const struct moq_object *obj)
{
    bool open = sd->state == SENDING_ACCEPTED || sd->state == SENDING_OFFERED;
    if (!open || sd->session->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (!object_valid(obj))
        return MOQ_ERR_ARG;
    struct moq_location at = { obj->group, obj->object };
    bool goes = wanted(sd, at);
    if (!sd->has_largest || moq_location_before(sd->largest, at)) {
        sd->has_largest = true;
        sd->largest = at;
    }
    return goes ? 0 : MOQ_ERR_STATE;
}

/* ---- streams ---- */

static uint64_t rank_of(const struct moq_sending *sd, const struct moq_object *obj,
                        uint64_t subgroup)
{
    bool descending = sd->options.group_order == ORDER_PUBLISHERS
                          ? sd->track_descending
                          : sd->options.group_order == MOQ_ORDER_DESCENDING;
    return moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_OBJECT,
                                            .subscriber_priority = sd->options.priority,
                                            .publisher_priority = obj->priority,
                                            .descending = descending,
                                            .group = obj->group,
                                            .subgroup = subgroup });
}

static void smaller_nonzero(uint64_t *a, uint64_t b)
{
    if (b != 0 && (*a == 0 || b < *a))
        *a = b;
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

static void set_lifetime(const struct moq_sending *sd, uint64_t stream, uint64_t lifetime_us)
{
    struct moq_quic *q = &sd->session->quic;
    uint64_t lifetime = lifetime_of(sd, lifetime_us);
    if (lifetime != 0)
        q->set_lifetime(q->ctx, stream, lifetime, MOQ_STREAM_DELIVERY_TIMEOUT);
}

/* A stream of ours was opened: NULL when there is no memory, and it is reset. */
static struct moq_stream *own_stream(struct moq_sending *sd, uint64_t id,
                                     struct moq_stream_list *list)
{
    struct moq_session *s = sd->session;
    sd->streams_opened++;
    struct moq_stream *st = moq_stream_add(s, id, STREAM_OBJECT);
    if (!st) {
        s->quic.reset(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
        return NULL;
    }
    st->sending = sd;
    moq_stream_list_add(list, st);
    return st;
}

/* A stream for a subgroup, in `list`; NULL with *rc. */
static struct moq_stream *begin(struct moq_sending *sd, const struct moq_subgroup_header *h,
                                const struct moq_object *obj, struct moq_stream_list *list, int *rc)
{
    struct moq_session *s = sd->session;
    uint64_t id;
    *rc = MOQ_ERR_FULL;
    if (s->n_objects_out >= MOQ_STREAMS_MAX || s->quic.open(s->quic.ctx, true, &id) < 0)
        return NULL;
    struct moq_stream *st = own_stream(sd, id, list);
    *rc = MOQ_ERR_NOMEM;
    if (!st)
        return NULL;
    st->subgroup.header = *h;
    s->quic.set_rank(s->quic.ctx, id, rank_of(sd, obj, h->subgroup));
    *rc = 0;
    return st;
}

/* Fields and payload; the header first when the stream is new. */
static int write_object(struct moq_sending *sd, struct moq_stream *st, const struct moq_object *obj,
                        bool fin)
{
    struct moq_quic *q = &sd->session->quic;
    uint8_t head[MOQ_SUBGROUP_OVERHEAD_MAX + MOQ_PROPERTIES_MAX];
    struct moq_writer w = moq_writer_of(head, sizeof head);
    if (!st->subgroup.any)
        moq_subgroup_header_write(&w, &st->subgroup.header);
    moq_subgroup_object_write(&w, &st->subgroup, obj);
    bool only = obj->payload.len == 0;
    if (w.failed || q->write(q->ctx, st->id, head, moq_writer_len(&w), only && fin) < 0)
        return MOQ_ERR_QUIC;
    if (!only && q->write(q->ctx, st->id, obj->payload.bytes, obj->payload.len, fin) < 0)
        return MOQ_ERR_QUIC;
    return 0;
}

static void drop(struct moq_sending *sd, struct moq_stream *st, uint64_t code)
{
    struct moq_session *s = sd->session;
    s->quic.reset(s->quic.ctx, st->id, code);
    if (st->list == &sd->open)
        sd->n_open--;
    moq_stream_kill(s, st);
}

/* The whole stream by one call of the connection. */
static int send_at_once(struct moq_sending *sd, const struct moq_subgroup_header *h,
                        const struct moq_object *obj, uint64_t lifetime_us)
{
    struct moq_session *s = sd->session;
    uint8_t head[MOQ_SUBGROUP_OVERHEAD_MAX + MOQ_PROPERTIES_MAX];
    struct moq_writer w = moq_writer_of(head, sizeof head);
    struct moq_subgroup subgroup = { .header = *h };
    uint64_t id;
    moq_subgroup_header_write(&w, h);
    moq_subgroup_object_write(&w, &subgroup, obj);
    const struct moq_quic_message m = { .rank = rank_of(sd, obj, h->subgroup),
                                        .lifetime_us = lifetime_of(sd, lifetime_us),
                                        .code = MOQ_STREAM_DELIVERY_TIMEOUT,
                                        .head = head,
                                        .head_len = moq_writer_len(&w),
                                        .body = obj->payload.bytes,
                                        .body_len = obj->payload.len };
    if (w.failed)
        return MOQ_ERR_QUIC;
    if (s->n_objects_out >= MOQ_STREAMS_MAX || s->quic.send(s->quic.ctx, &m, &id) < 0)
        return MOQ_ERR_FULL;
    return own_stream(sd, id, &sd->streams) ? 0 : MOQ_ERR_NOMEM;
}

static int send_object(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    struct moq_subgroup_header h = { .alias = sd->alias,
                                     .group = obj->group,
                                     .has_subgroup = true, /* a loss can then be named */
                                     .subgroup = obj->object,
                                     .has_priority = true,
                                     .priority = obj->priority,
                                     .has_properties = obj->properties.len > 0,
                                     .first_object = true };
    int rc;
    if (sd->session->quic.send)
        return send_at_once(sd, &h, obj, lifetime_us);
    struct moq_stream *st = begin(sd, &h, obj, &sd->streams, &rc);
    if (!st)
        return rc;
    rc = write_object(sd, st, obj, true);
    if (rc < 0)
        drop(sd, st, MOQ_STREAM_INTERNAL);
    else
        set_lifetime(sd, st->id, lifetime_us);
    return rc;
}

int moq_object_write(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    int rc = offer(sd, obj);
    if (rc < 0)
        return rc;
    moq_session_enter(sd->session);
    rc = send_object(sd, obj, lifetime_us);
    moq_session_leave(sd->session);
    return rc;
}

/* ---- somebody else's ---- */

static struct moq_stream *find_open(const struct moq_sending *sd, uint64_t group, uint64_t subgroup)
{
    for (struct moq_stream *st = sd->open.head; st; st = st->next)
        if (st->subgroup.header.group == group && st->subgroup.header.subgroup == subgroup)
            return st;
    return NULL;
}

static int relay_datagram(struct moq_sending *sd, const struct moq_object *obj)
{
    struct moq_quic *q = &sd->session->quic;
    uint8_t bytes[DATAGRAM_MAX];
    struct moq_writer w = moq_writer_of(bytes, sizeof bytes);
    struct moq_datagram d = {
        .alias = sd->alias, .has_priority = true, .end_of_group = obj->end_of_group, .obj = *obj
    };
    moq_datagram_write(&w, &d);
    if (w.failed || q->datagram(q->ctx, bytes, moq_writer_len(&w)) < 0)
        return MOQ_ERR_QUIC;
    return 0;
}

static struct moq_subgroup_header header_of(const struct moq_sending *sd,
                                            const struct moq_object *obj)
{
    return (struct moq_subgroup_header){ .alias = sd->alias,
                                         .group = obj->group,
                                         .has_subgroup = true,
                                         .subgroup = obj->subgroup,
                                         .has_priority = true,
                                         .priority = obj->priority,
                                         .has_properties = obj->more || obj->properties.len > 0,
                                         .end_of_group = obj->end_of_group,
                                         .first_object = obj->first };
}

/* The stream that `obj` goes on: the open one when nothing is missing in between, or a new one. */
static struct moq_stream *stream_for(struct moq_sending *sd, const struct moq_object *obj, int *rc)
{
    struct moq_stream *st = find_open(sd, obj->group, obj->subgroup);
    *rc = 0;
    if (st && obj->has_previous && obj->previous == st->subgroup.last)
        return st;
    if (st)
        drop(sd, st, MOQ_STREAM_CANCELLED);
    if (sd->n_open >= MOQ_OPEN_SUBGROUPS_MAX)
        drop(sd, sd->open.head, MOQ_STREAM_EXCESSIVE_LOAD);
    const struct moq_subgroup_header h = header_of(sd, obj);
    st = begin(sd, &h, obj, &sd->open, rc);
    sd->n_open += st ? 1 : 0;
    return st;
}

static void to_written(struct moq_sending *sd, struct moq_stream *st)
{
    moq_stream_list_remove(st);
    sd->n_open--;
    moq_stream_list_add(&sd->streams, st);
}

static int relay_object(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    int rc;
    if (!obj->more && sd->session->quic.send && !find_open(sd, obj->group, obj->subgroup)) {
        const struct moq_subgroup_header h = header_of(sd, obj);
        return send_at_once(sd, &h, obj, lifetime_us);
    }
    struct moq_stream *st = stream_for(sd, obj, &rc);
    if (!st)
        return rc;
    rc = write_object(sd, st, obj, !obj->more);
    if (rc < 0) {
        drop(sd, st, MOQ_STREAM_INTERNAL);
        return rc;
    }
    set_lifetime(sd, st->id, lifetime_us); /* counted from its newest object */
    if (!obj->more)
        to_written(sd, st);
    return 0;
}

int moq_object_relay(struct moq_sending *sd, const struct moq_object *obj, uint64_t lifetime_us)
{
    int rc = offer(sd, obj);
    moq_session_enter(sd->session);
    if (rc == 0)
        rc = obj->datagram ? relay_datagram(sd, obj) : relay_object(sd, obj, lifetime_us);
    else if (sd->n_open > 0 && !obj->datagram) { /* one is left out: the rest is not "next" */
        struct moq_stream *st = find_open(sd, obj->group, obj->subgroup);
        if (st)
            drop(sd, st, MOQ_STREAM_CANCELLED);
    }
    moq_session_leave(sd->session);
    return rc;
}

void moq_subgroup_end(struct moq_sending *sd, uint64_t group, uint64_t subgroup, bool whole)
{
    struct moq_session *s = sd->session;
    struct moq_stream *st = find_open(sd, group, subgroup);
    if (!st || s->state != SESSION_OPEN)
        return;
    moq_session_enter(s);
    if (!whole || s->quic.write(s->quic.ctx, st->id, NULL, 0, true) < 0)
        drop(sd, st, MOQ_STREAM_CANCELLED);
    else
        to_written(sd, st);
    moq_session_leave(s);
}

/* ---- the end ---- */

void moq_sending_finish_when_sent(struct moq_sending *sd)
{
    struct moq_session *s = sd->session;
    if (sd->state != SENDING_DONE || sd->streams.head || !sd->request)
        return;
    struct moq_message done = { .type = MOQ_MSG_PUBLISH_DONE,
                                .publish_done = { .status = sd->status,
                                                  .stream_count = sd->streams_opened,
                                                  .reason = moq_bytes_of(sd->reason) } };
    struct moq_stream *request = sd->request;
    sd->request = NULL;
    moq_session_send(s, request->id, &done, true);
    moq_stream_drain(s, request);
    moq_sending_bury(sd);
}

void moq_sending_on_object_end(struct moq_session *s, struct moq_stream *st)
{
    struct moq_sending *sd = st->sending;
    if (st->list == &sd->open)
        sd->n_open--;
    moq_stream_kill(s, st);
    moq_sending_finish_when_sent(sd);
}
