/* subscriber.c - struct moq_subscription: what we receive, from SUBSCRIBE or the peer's PUBLISH to
 * the last stream after PUBLISH_DONE. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTY_PUBLISHER_PRIORITY 0x0e
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
    moq_kept_name_fini(&sub->name);
    free(sub->properties);
    free(sub->reason);
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
    if (to->has_new_group) {
        p.has |= MOQ_HAS_NEW_GROUP;
        p.new_group = to->new_group;
    }
    return p;
}

/* All that differs from what leaving every parameter out means: for SUBSCRIBE and PUBLISH_OK. */
static struct moq_params params_from_nothing(const struct moq_subscribe_options *o)
{
    struct moq_subscribe_options absent;
    moq_subscribe_options_init(&absent);
    absent.filter = MOQ_FILTER_NONE;
    absent.start = o->filter == MOQ_FILTER_NONE ? o->start : absent.start;
    absent.end_group = o->filter == MOQ_FILTER_NONE ? o->end_group : 0;
    struct moq_params p = params_between(&absent, o);
    if (o->group_order != 0) {
        p.has |= MOQ_HAS_GROUP_ORDER;
        p.group_order = o->group_order;
    }
    return p;
}

static struct moq_subscription *add(struct moq_session *s, const struct moq_name *name)
{
    struct moq_subscription *sub = calloc(1, sizeof *sub);
    if (!sub || moq_name_keep(&sub->name, name) < 0) {
        free(sub);
        return NULL;
    }
    sub->session = s;
    moq_subscribe_options_init(&sub->options);
    sub->wanted = sub->options;
    sub->default_priority = MOQ_DEFAULT_PRIORITY;
    sub->next = s->subscriptions;
    s->subscriptions = sub;
    s->n_subscriptions++;
    return sub;
}

int moq_subscribe(struct moq_session *s, const struct moq_name *name,
                  const struct moq_subscribe_options *o, void *user, struct moq_subscription **out)
{
    int rc = moq_request_allowed(s);
    if (rc < 0)
        return rc;
    if (!moq_name_valid(name) || !options_valid(o))
        return MOQ_ERR_ARG;
    if (s->n_subscriptions >= MOQ_REQUESTS_MAX)
        return MOQ_ERR_FULL;
    struct moq_message m = { .type = MOQ_MSG_SUBSCRIBE,
                             .subscribe = { .name = *name, .params = params_from_nothing(o) } };
    if (o->rendezvous_ms > 0) {
        m.subscribe.params.has |= MOQ_HAS_RENDEZVOUS_TIMEOUT;
        m.subscribe.params.rendezvous_timeout_ms = o->rendezvous_ms;
    }
    moq_session_enter(s);
    struct moq_subscription *sub = add(s, name);
    rc = MOQ_ERR_NOMEM;
    if (!sub)
        goto out;
    sub->options = sub->wanted = *o;
    sub->options.has_new_group = sub->wanted.has_new_group = false;
    sub->user = user;
    sub->request = moq_request_begin(s, STREAM_SUBSCRIPTION, &m, &rc);
    if (!sub->request) {
        bury(sub);
        goto out;
    }
    sub->request->subscription = sub;
    sub->request_id = m.subscribe.request_id;
    *out = sub;
out:
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
    sub->wanted.has_new_group = false; /* asked for once */
    sub->options = sub->wanted;
    return 0;
}

bool moq_subscription_may_retry(const struct moq_subscription *sub, uint64_t *after_ms)
{
    *after_ms = sub->retry_ms_plus_1 > 0 ? sub->retry_ms_plus_1 - 1 : 0;
    return sub->retry_ms_plus_1 > 0;
}

int moq_subscription_update(struct moq_subscription *sub, const struct moq_subscribe_options *o)
{
    struct moq_session *s = sub->session;
    if (s->state != SESSION_OPEN || sub->state == SUB_DONE || sub->state == SUB_GONE ||
        sub->state == SUB_OFFERED)
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

void moq_subscription_set_user(struct moq_subscription *sub, void *user)
{
    sub->user = user;
}

struct moq_bytes moq_subscription_properties(const struct moq_subscription *sub)
{
    return (struct moq_bytes){ .bytes = sub->properties, .len = sub->properties_len };
}

/* ---- being answered ---- */

struct moq_subscription *moq_subscription_by_alias(struct moq_session *s, uint64_t alias)
{
    for (struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state != SUB_PENDING && sub->state != SUB_OFFERED && sub->alias == alias)
            return sub;
    return NULL;
}

bool moq_subscriptions_pending(const struct moq_session *s)
{
    for (const struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state == SUB_PENDING || sub->state == SUB_OFFERED)
            return true;
    return false;
}

/* Our side of the request ends in order; the peer's is no longer read. */
static void end_request(struct moq_subscription *sub)
{
    if (!sub->request)
        return;
    moq_request_finish(sub->session, sub->request);
    sub->request = NULL;
}

static void reject(struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct moq_session *s = sub->session;
    bury(sub);
    if (s->handler.on_rejected)
        s->handler.on_rejected(s->user, sub, code, reason ? reason : "");
    moq_receive_settle_orphans(s);
}

static void done(struct moq_subscription *sub)
{
    struct moq_session *s = sub->session;
    discard_streams(sub, MOQ_STREAM_CANCELLED);
    bury(sub);
    if (s->handler.on_done)
        s->handler.on_done(s->user, sub, sub->status, sub->reason ? sub->reason : "");
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

static int keep_properties(struct moq_subscription *sub, struct moq_bytes properties)
{
    sub->default_priority = publisher_priority(properties);
    if (properties.len == 0)
        return 0;
    sub->properties = malloc(properties.len);
    if (!sub->properties)
        return MOQ_ERR_NOMEM;
    memcpy(sub->properties, properties.bytes, properties.len);
    sub->properties_len = properties.len;
    return 0;
}

/* Whether another subscription of the peer's tracks has this alias. */
static bool alias_taken(const struct moq_session *s, const struct moq_subscription *but,
                        uint64_t alias)
{
    for (const struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub != but && sub->alias == alias &&
            (sub->state == SUB_ESTABLISHED || sub->state == SUB_OFFERED))
            return true;
    return false;
}

static void on_subscribe_ok(struct moq_subscription *sub, const struct moq_msg_subscribe_ok *m)
{
    struct moq_session *s = sub->session;
    if (alias_taken(s, sub, m->alias)) {
        moq_session_fail(s, MOQ_DUPLICATE_TRACK_ALIAS, "alias of another subscription");
        return;
    }
    if (moq_kvp_has_mandatory(m->properties)) {
        moq_request_abort(s, sub->request, MOQ_STREAM_CANCELLED);
        sub->request = NULL;
        reject(sub, MOQ_REQ_UNSUPPORTED_EXTENSION, "track has a mandatory property we do not know");
        return;
    }
    if (keep_properties(sub, m->properties) < 0) {
        moq_session_fail(s, MOQ_INTERNAL_ERROR, "out of memory");
        return;
    }
    sub->state = SUB_ESTABLISHED;
    sub->alias = m->alias;
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
    sub->reason = moq_reason_keep(m->reason);
    sub->retry_ms_plus_1 = m->retry_ms_plus_1;
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
    bool offered = sub->state == SUB_OFFERED;
    uint64_t ms = sub->options.delivery_timeout_ms;
    uint64_t wait = (ms < DELIVERY_TIMEOUT_MS_MAX ? ms : DELIVERY_TIMEOUT_MS_MAX) * US_PER_MS;
    wait = wait > MOQ_DONE_WAIT_US ? wait : MOQ_DONE_WAIT_US;
    sub->state = SUB_DONE;
    sub->status = m->status;
    sub->streams_announced = m->stream_count;
    sub->deadline = sub->session->now + wait;
    sub->hard_deadline = sub->deadline + MOQ_DONE_HARD_US;
    sub->reason = moq_reason_keep(m->reason);
    end_request(sub);
    if (offered) { /* never taken: what waits for it is dropped */
        done(sub);
        return;
    }
    finish_when_received(sub);
}

void moq_subscription_on_message(struct moq_subscription *sub, const struct moq_message *m)
{
    bool pending = sub->state == SUB_PENDING, asked = sub->updates_unanswered > 0;
    if (pending && m->type == MOQ_MSG_SUBSCRIBE_OK)
        on_subscribe_ok(sub, &m->subscribe_ok);
    else if ((pending || asked) && m->type == MOQ_MSG_REQUEST_ERROR)
        on_request_error(sub, &m->request_error);
    else if (asked && m->type == MOQ_MSG_REQUEST_OK && m->request_ok.properties.len == 0 &&
             moq_params_within(&m->request_ok.params, MOQ_HAS_EXPIRES | MOQ_HAS_LARGEST))
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
    sub->reason = moq_reason_keep(moq_bytes_of("request stream ended without PUBLISH_DONE"));
    done(sub);
}

void moq_subscription_on_abort(struct moq_subscription *sub, uint64_t code)
{
    moq_request_abort(sub->session, sub->request, MOQ_STREAM_CANCELLED);
    sub->request = NULL;
    char text[64];
    snprintf(text, sizeof text, "request cancelled by the publisher, code 0x%llx",
             (unsigned long long)code);
    sub->reason = moq_reason_keep(moq_bytes_of(text));
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

/* ---- PUBLISH ---- */

static struct moq_subscription *find_name(const struct moq_session *s, const struct moq_name *name)
{
    for (struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state != SUB_DONE && moq_kept_name_is(&sub->name, name))
            return sub;
    return NULL;
}

/* Why it is refused without the application's having a say: 0, or a REQUEST_ERROR code. */
static uint64_t refusal_of(const struct moq_session *s, const struct moq_msg_publish *m,
                           const char **reason)
{
    const struct moq_subscription *same = find_name(s, &m->name);
    *reason = "not wanted";
    if (!s->handler.on_publish)
        return MOQ_REQ_UNINTERESTED;
    *reason = "reserved namespace";
    if (moq_name_reserved(&m->name))
        return MOQ_REQ_DOES_NOT_EXIST;
    *reason = "subscribed already";
    if (same && same->state != SUB_PENDING) /* a pending one gives way: see moq_publish_accept */
        return MOQ_REQ_DUPLICATE_SUBSCRIPTION;
    *reason = "track has a mandatory property we do not know";
    if (moq_kvp_has_mandatory(m->properties))
        return MOQ_REQ_UNSUPPORTED_EXTENSION;
    *reason = "too many subscriptions";
    return s->n_subscriptions >= MOQ_REQUESTS_MAX ? MOQ_REQ_EXCESSIVE_LOAD : 0;
}

void moq_subscription_on_publish(struct moq_session *s, struct moq_stream *st,
                                 const struct moq_msg_publish *m)
{
    if (alias_taken(s, NULL, m->alias)) {
        moq_session_fail(s, MOQ_DUPLICATE_TRACK_ALIAS, "alias of another subscription");
        return;
    }
    const char *reason;
    uint64_t code = refusal_of(s, m, &reason);
    if (code != 0) {
        moq_request_refuse(s, st, code, reason);
        return;
    }
    struct moq_subscription *sub = add(s, &m->name);
    if (!sub || keep_properties(sub, m->properties) < 0) {
        if (sub)
            bury(sub);
        moq_request_refuse(s, st, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    sub->state = SUB_OFFERED;
    sub->request = st;
    sub->request_id = m->request_id;
    sub->alias = m->alias;
    moq_stream_set_kind(s, st, STREAM_SUBSCRIPTION);
    st->subscription = sub;
    const struct moq_params *p = &m->params;
    struct moq_publish_options o = { .forward = (p->has & MOQ_HAS_FORWARD) == 0 || p->forward != 0,
                                     .has_largest = (p->has & MOQ_HAS_LARGEST) != 0,
                                     .largest = p->largest,
                                     .expires_ms = p->expires_ms,
                                     .properties = m->properties };
    sub->options.forward = o.forward;
    s->handler.on_publish(s->user, sub, &m->name, &o);
}

/* Our own SUBSCRIBE that crossed the PUBLISH ends before PUBLISH_OK ("Subscriptions"). */
static void give_way(struct moq_session *s, const struct moq_subscription *to)
{
    for (struct moq_subscription *sub = s->subscriptions; sub; sub = sub->next)
        if (sub->state == SUB_PENDING && sub->name.len == to->name.len &&
            memcmp(sub->name.bytes, to->name.bytes, to->name.len) == 0) {
            moq_request_abort(s, sub->request, MOQ_STREAM_CANCELLED);
            sub->request = NULL;
            reject(sub, MOQ_REQ_DUPLICATE_SUBSCRIPTION, "the peer publishes it");
            return;
        }
}

int moq_publish_accept(struct moq_subscription *sub, const struct moq_subscribe_options *o)
{
    struct moq_session *s = sub->session;
    if (sub->state != SUB_OFFERED || s->state != SESSION_OPEN)
        return MOQ_ERR_STATE;
    if (!options_valid(o))
        return MOQ_ERR_ARG;
    moq_session_enter(s);
    give_way(s, sub);
    struct moq_message ok = { .type = MOQ_MSG_REQUEST_OK,
                              .request_ok = { .params = params_from_nothing(o) } };
    int rc = moq_session_send(s, sub->request->id, &ok, false);
    if (rc == 0) {
        sub->state = SUB_ESTABLISHED;
        sub->options = sub->wanted = *o;
        sub->options.has_new_group = sub->wanted.has_new_group = false;
        for (; sub->updates_owed > 0; sub->updates_owed--)
            moq_request_ok(s, sub->request);
        moq_receive_settle_orphans(s);
    }
    moq_session_leave(s);
    return rc;
}

int moq_publish_reject(struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct moq_session *s = sub->session;
    if (sub->state != SUB_OFFERED)
        return MOQ_ERR_STATE;
    moq_session_enter(s);
    moq_request_refuse(s, sub->request, code, reason);
    sub->request = NULL;
    bury(sub);
    moq_receive_settle_orphans(s);
    moq_session_leave(s);
    return 0;
}

void moq_subscription_on_update(struct moq_subscription *sub,
                                const struct moq_msg_request_update *m)
{
    struct moq_session *s = sub->session;
    if (!moq_params_within(&m->params, MOQ_HAS_TOKEN))
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "update not allowed from a publisher");
    else if (sub->state == SUB_ESTABLISHED)
        moq_request_ok(s, sub->request);
    else if (++sub->updates_owed > MOQ_UPDATES_MAX)
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "too many updates before an answer");
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
