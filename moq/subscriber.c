/* subscriber.c - struct moq_subscription: our subscriptions, from SUBSCRIBE to the last stream
 * after PUBLISH_DONE. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rank.h"

#define PROPERTY_PUBLISHER_PRIORITY 0x0e
#define UNSUPPORTED_EXTENSION 0x33 /* REQUEST_ERROR code */
#define US_PER_MS 1000u
#define DELIVERY_TIMEOUT_MS_MAX (24 * 3600 * 1000ull) /* counted for PUBLISH_DONE's timer */

void moq_subscribe_options_init(struct moq_subscribe_options *o)
{
    *o = (struct moq_subscribe_options){ .priority = MOQ_DEFAULT_PRIORITY,
                                         .forward = true,
                                         .filter = MOQ_FILTER_NEXT_GROUP };
}

void moq_subscription_free(struct moq_subscription *sub)
{
    free(sub->name_storage);
    free(sub);
}

static void bury(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    struct moq_subscription **at = &s->subscriptions;
    while (*at && *at != sub)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = sub->next;
    s->n_subscriptions--;
    sub->state = SUB_GONE;
    sub->next = s->dead_subscriptions;
    s->dead_subscriptions = sub;
}

static void discard_streams(struct moq_subscription *sub, uint64_t code)
{
    while (sub->streams.head)
        moq_stream_discard(sub->session, sub->streams.head, code);
}

/* ---- asking ---- */

static bool options_valid(const struct moq_subscribe_options *o)
{
    return o->group_order <= 2 && (unsigned)o->filter <= MOQ_FILTER_ABSOLUTE_RANGE &&
           (o->filter != MOQ_FILTER_ABSOLUTE_RANGE || o->end_group >= o->start.group);
}

static bool filters_equal(const struct moq_subscribe_options *a,
                          const struct moq_subscribe_options *b)
{
    return a->filter == b->filter && a->start.group == b->start.group &&
           a->start.object == b->start.object && a->end_group == b->end_group;
}

static void put_filter(struct moq_params *p, const struct moq_subscribe_options *o)
{
    p->has |= MOQ_HAS_FILTER;
    p->filter = (struct moq_param_filter){ .type = o->filter,
                                           .start = o->start,
                                           .end_group = o->end_group };
    if (o->filter == MOQ_FILTER_NONE) /* no parameter can take a filter away; this passes all */
        p->filter = (struct moq_param_filter){ .type = MOQ_FILTER_ABSOLUTE_START };
}

/* What `to` has other than `from`. */
static struct moq_params params_between(const struct moq_subscribe_options *from,
                                        const struct moq_subscribe_options *to)
{
    struct moq_params p = { .object_timeout_ms = to->delivery_timeout_ms,
                            .forward = to->forward,
                            .priority = to->priority };
    if (to->delivery_timeout_ms != from->delivery_timeout_ms)
        p.has |= MOQ_HAS_OBJECT_TIMEOUT;
    if (to->forward != from->forward)
        p.has |= MOQ_HAS_FORWARD;
    if (to->priority != from->priority)
        p.has |= MOQ_HAS_PRIORITY;
    if (!filters_equal(from, to))
        put_filter(&p, to);
    return p;
}

static int send_subscribe(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    struct moq_subscribe_options absent; /* what leaving every parameter out means */
    moq_subscribe_options_init(&absent);
    absent.filter = MOQ_FILTER_NONE;
    absent.start = sub->options.filter == MOQ_FILTER_NONE ? sub->options.start : absent.start;
    absent.end_group = sub->options.filter == MOQ_FILTER_NONE ? sub->options.end_group : 0;
    struct moq_message m = { .type = MOQ_MSG_SUBSCRIBE,
                             .subscribe = { .request_id = s->next_request_id,
                                            .name = sub->name,
                                            .params = params_between(&absent, &sub->options) } };
    if (sub->options.group_order != 0) {
        m.subscribe.params.has |= MOQ_HAS_GROUP_ORDER;
        m.subscribe.params.group_order = sub->options.group_order;
    }
    int rc = moq_session_send(s, sub->request->id, &m, false);
    if (rc == 0)
        s->next_request_id += 2;
    return rc;
}

static int open_request(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    uint64_t id;
    if (s->quic.open(s->quic.ctx, false, &id) < 0)
        return MOQ_ERR_FULL;
    sub->request = moq_stream_add(s, id, STREAM_SUBSCRIPTION);
    if (!sub->request) {
        s->quic.reset(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
        s->quic.stop(s->quic.ctx, id, MOQ_STREAM_INTERNAL);
        return MOQ_ERR_NOMEM;
    }
    sub->request->subscription = sub;
    s->quic.set_rank(s->quic.ctx, id, moq_rank(&(struct moq_rank_key){ .kind = MOQ_RANK_REQUEST }));
    return send_subscribe(sub);
}

int moq_subscribe(struct moq_session *s, const struct moq_name *name,
                  const struct moq_subscribe_options *o, void *user, struct moq_subscription **out)
{
    if (s->state != SESSION_OPEN || s->goaway)
        return MOQ_ERR_STATE;
    if (!moq_name_valid(name) || !options_valid(o))
        return MOQ_ERR_ARG;
    if (s->n_subscriptions >= MOQ_REQUESTS_MAX)
        return MOQ_ERR_FULL;
    struct moq_subscription *sub = calloc(1, sizeof *sub);
    if (!sub)
        return MOQ_ERR_NOMEM;
    sub->session = s;
    sub->options = sub->wanted = *o;
    sub->user = user;
    sub->default_priority = MOQ_DEFAULT_PRIORITY;
    int rc = moq_name_copy(&sub->name, &sub->name_storage, name);
    if (rc < 0) {
        free(sub);
        return rc;
    }
    moq_session_enter(s);
    sub->next = s->subscriptions;
    s->subscriptions = sub;
    s->n_subscriptions++;
    rc = open_request(sub);
    if (rc < 0)
        moq_subscription_cancel(sub, MOQ_STREAM_INTERNAL);
    else
        *out = sub;
    moq_session_leave(s);
    return rc;
}

static int send_update(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    struct moq_message m = { .type = MOQ_MSG_REQUEST_UPDATE,
                             .request_update = {
                                 .request_id = s->next_request_id,
                                 .params = params_between(&sub->options, &sub->wanted) } };
    sub->update_wanted = false;
    if (m.request_update.params.has == 0)
        return 0;
    int rc = moq_session_send(s, sub->request->id, &m, false);
    if (rc < 0)
        return rc;
    s->next_request_id += 2;
    sub->updates_unanswered++;
    sub->options = sub->wanted;
    return 0;
}

int moq_subscription_update(struct moq_subscription *sub, const struct moq_subscribe_options *o)
{
    struct moq_session *s = sub->session;
    if (s->state != SESSION_OPEN || sub->state == SUB_DONE || sub->state == SUB_GONE)
        return MOQ_ERR_STATE;
    if (!options_valid(o) || o->group_order != sub->options.group_order)
        return MOQ_ERR_ARG;
    if (sub->updates_unanswered >= MOQ_UPDATES_MAX)
        return MOQ_ERR_FULL;
    sub->wanted = *o;
    sub->update_wanted = true;
    if (sub->state == SUB_PENDING) /* goes out after SUBSCRIBE_OK */
        return 0;
    moq_session_enter(s);
    int rc = send_update(sub);
    moq_session_leave(s);
    return rc;
}

void moq_subscription_cancel(struct moq_subscription *sub, uint64_t code)
{
    struct moq_session *s = sub->session;
    if (sub->request)
        moq_request_abort(s, sub->request, code);
    sub->request = NULL;
    discard_streams(sub, code);
    bury(sub);
    moq_receive_settle_orphans(s);
}

void moq_unsubscribe(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    moq_session_enter(s);
    if (sub->state != SUB_GONE)
        moq_subscription_cancel(sub, MOQ_STREAM_CANCELLED);
    moq_session_leave(s);
}

void *moq_subscription_user(const struct moq_subscription *sub)
{
    return sub->user;
}

/* ---- being answered ---- */

struct moq_subscription *moq_subscription_by_alias(struct moq_session *s, uint64_t alias)
{
    for (struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state != SUB_PENDING && sub->alias == alias)
            return sub;
    return NULL;
}

bool moq_subscriptions_pending(const struct moq_session *s)
{
    for (const struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state == SUB_PENDING)
            return true;
    return false;
}

/* Our side of the request ends in order; the peer's is no longer read. */
static void end_request(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    if (!sub->request)
        return;
    s->quic.write(s->quic.ctx, sub->request->id, NULL, 0, true);
    moq_stream_drain(s, sub->request);
    sub->request = NULL;
}

static void reject(struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct moq_session *s = sub->session;
    bury(sub);
    if (s->handler.on_rejected)
        s->handler.on_rejected(s->user, sub, code, reason);
    moq_receive_settle_orphans(s);
}

static void done(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    discard_streams(sub, MOQ_STREAM_CANCELLED);
    bury(sub);
    if (s->handler.on_done)
        s->handler.on_done(s->user, sub, sub->status, sub->reason);
    moq_receive_settle_orphans(s);
}

static uint8_t publisher_priority(struct moq_bytes properties)
{
    struct moq_reader r = moq_reader_of(properties.bytes, properties.len);
    struct moq_kvp kvp = { 0 };
    while (moq_kvp_read(&r, &kvp) > 0)
        if (kvp.type == PROPERTY_PUBLISHER_PRIORITY && kvp.value <= UINT8_MAX)
            return (uint8_t)kvp.value;
    return MOQ_DEFAULT_PRIORITY;
}

static void on_subscribe_ok(struct moq_subscription *sub, const struct moq_msg_subscribe_ok *m)
{
    struct moq_session *s = sub->session;
    const struct moq_subscription *other = moq_subscription_by_alias(s, m->alias);
    if (other && other->state == SUB_ESTABLISHED) {
        moq_session_fail(s, MOQ_DUPLICATE_TRACK_ALIAS, "alias of another subscription");
        return;
    }
    if (moq_kvp_has_mandatory(m->properties)) {
        moq_request_abort(s, sub->request, MOQ_STREAM_CANCELLED);
        sub->request = NULL;
        reject(sub, UNSUPPORTED_EXTENSION, "track has a mandatory property we do not know");
        return;
    }
    sub->state = SUB_ESTABLISHED;
    sub->alias = m->alias;
    sub->default_priority = publisher_priority(m->properties);
    bool has_largest = (m->params.has & MOQ_HAS_LARGEST) != 0;
    if (s->handler.on_subscribed)
        s->handler.on_subscribed(s->user, sub, has_largest ? &m->params.largest : NULL);
    if (sub->state == SUB_ESTABLISHED && sub->update_wanted && s->state == SESSION_OPEN)
        send_update(sub);
    moq_receive_settle_orphans(s);
}

static void on_request_error(struct moq_subscription *sub, const struct moq_msg_request_error *m)
{
    struct moq_session *s = sub->session;
    if (s->server && m->redirect_uri.len > 0) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "redirect with a URI from a client");
        return;
    }
    if (sub->state == SUB_ESTABLISHED) { /* an update failed; PUBLISH_DONE follows */
        sub->updates_unanswered--;
        return;
    }
    moq_reason_copy(sub->reason, m->reason);
    end_request(sub);
    reject(sub, m->code, sub->reason);
}

static void finish_when_received(struct moq_subscription *sub)
{
    if (sub->state == SUB_DONE && !sub->streams.head && sub->streams_seen >= sub->streams_announced)
        done(sub);
}

static void on_publish_done(struct moq_subscription *sub, const struct moq_msg_publish_done *m)
{
    uint64_t ms = sub->options.delivery_timeout_ms;
    uint64_t wait = (ms < DELIVERY_TIMEOUT_MS_MAX ? ms : DELIVERY_TIMEOUT_MS_MAX) * US_PER_MS;
    wait = wait > MOQ_DONE_WAIT_US ? wait : MOQ_DONE_WAIT_US;
    sub->state = SUB_DONE;
    sub->status = m->status;
    sub->streams_announced = m->stream_count;
    sub->deadline = sub->session->now + wait;
    sub->hard_deadline = sub->deadline + MOQ_DONE_HARD_US;
    moq_reason_copy(sub->reason, m->reason);
    end_request(sub);
    finish_when_received(sub);
}

void moq_subscription_on_message(struct moq_subscription *sub, const struct moq_message *m)
{
    bool pending = sub->state == SUB_PENDING, asked = sub->updates_unanswered > 0;
    if (pending && m->type == MOQ_MSG_SUBSCRIBE_OK)
        on_subscribe_ok(sub, &m->subscribe_ok);
    else if ((pending || asked) && m->type == MOQ_MSG_REQUEST_ERROR)
        on_request_error(sub, &m->request_error);
    else if (asked && m->type == MOQ_MSG_REQUEST_OK && m->request_ok.properties.len == 0)
        sub->updates_unanswered--;
    else if (!pending && m->type == MOQ_MSG_PUBLISH_DONE)
        on_publish_done(sub, &m->publish_done);
    else
        moq_session_fail(sub->session, MOQ_PROTOCOL_VIOLATION,
                         "message not allowed on our subscription");
}

void moq_subscription_on_fin(struct moq_subscription *sub)
{
    if (sub->state == SUB_PENDING) {
        moq_session_fail(sub->session, MOQ_PROTOCOL_VIOLATION, "request ended without an answer");
        return;
    }
    end_request(sub);
    sub->status = MOQ_DONE_INTERNAL_ERROR;
    snprintf(sub->reason, sizeof sub->reason, "request stream ended without PUBLISH_DONE");
    done(sub);
}

void moq_subscription_on_abort(struct moq_subscription *sub, uint64_t code)
{
    moq_request_abort(sub->session, sub->request, MOQ_STREAM_CANCELLED);
    sub->request = NULL;
    snprintf(sub->reason, sizeof sub->reason, "request cancelled by the publisher, code 0x%llx",
             (unsigned long long)code);
    if (sub->state == SUB_PENDING) {
        reject(sub, code == MOQ_STREAM_EXCESSIVE_LOAD ? MOQ_REQ_EXCESSIVE_LOAD : MOQ_REQ_INTERNAL,
               sub->reason);
        return;
    }
    sub->status = MOQ_DONE_INTERNAL_ERROR;
    done(sub);
}

void moq_subscription_on_stream_end(struct moq_subscription *sub)
{
    finish_when_received(sub);
}

/* ---- time ---- */

static struct moq_subscription *find_overdue(struct moq_session *s)
{
    for (struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state == SUB_DONE && s->now >= sub->deadline &&
            (!sub->streams.head || s->now >= sub->hard_deadline))
            return sub;
    return NULL;
}

void moq_subscriptions_tick(struct moq_session *s)
{
    struct moq_subscription *sub;
    while (s->state == SESSION_OPEN && (sub = find_overdue(s))) /* each turn ends one */
        done(sub);
}
