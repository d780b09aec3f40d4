/* receive.c - subgroup streams and datagrams that come in: found their subscription, cut into
 * objects, handed on. Data may overtake the SUBSCRIBE_OK or PUBLISH that names its alias; such
 * streams wait as orphans while any subscription of ours is unanswered, and for a moment where the
 * peer may publish. */
#include "session.h"

static void attach(struct moq_session *s, struct moq_stream *st, struct moq_subscription *sub)
{
    moq_stream_set_kind(s, st, STREAM_DATA);
    st->subscription = sub;
    moq_stream_list_add(&sub->streams, st);
    sub->streams_seen++;
    if (!st->subgroup.header.has_priority)
        st->subgroup.header.priority = sub->default_priority;
}

size_t moq_receive_new_uni(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                           size_t len)
{
    uint64_t type;
    moq_vi64_decode(&type, bytes, len);
    if (type == MOQ_STREAM_PADDING) {
        moq_stream_discard(s, st, MOQ_STREAM_CANCELLED);
        return len;
    }
    if (type == MOQ_STREAM_FETCH)
        return moq_fetch_new_stream(s, st, bytes, len);
    int used = moq_subgroup_header_parse(&st->subgroup.header, bytes, len);
    if (used < 0)
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "unknown stream type");
    if (used <= 0)
        return 0;
    struct moq_subscription *sub = moq_subscription_by_alias(s, st->subgroup.header.alias);
    if (sub) {
        attach(s, st, sub);
        return (size_t)used + moq_receive_data(s, st, bytes + used, len - (size_t)used);
    }
    if (!moq_subscriptions_pending(s) && !s->handler.on_publish) {
        /* left over from a subscription that is gone */
        moq_stream_discard(s, st, MOQ_STREAM_CANCELLED);
        return len;
    }
    moq_stream_set_kind(s, st, STREAM_ORPHAN);
    st->since = s->now;
    moq_stream_set_early(s, st, true);
    moq_stream_list_add(&s->orphans, st);
    return (size_t)used;
}

/* The publisher's fault in what it publishes: not the session's, but this subscription is over. */
static void malformed_track(struct moq_session *s, struct moq_subscription *sub)
{
    moq_subscription_cancel(sub, MOQ_STREAM_MALFORMED_TRACK);
    if (s->handler.on_done)
        s->handler.on_done(s->user, sub, MOQ_STREAM_MALFORMED_TRACK, "malformed track");
}

static void deliver(struct moq_session *s, struct moq_subscription *sub,
                    const struct moq_object *obj)
{
    if (moq_kvp_has_mandatory(obj->properties)) /* track properties have no place on an object */
        malformed_track(s, sub);
    else if (s->handler.on_object)
        s->handler.on_object(s->user, sub, obj);
}

size_t moq_receive_data(struct moq_session *s, struct moq_stream *st, const uint8_t *bytes,
                        size_t len)
{
    size_t used = 0;
    st->need = 0;
    while (used < len && !st->dead && s->state == SESSION_OPEN) {
        struct moq_object obj;
        bool has_previous = st->subgroup.any;
        uint64_t previous = st->subgroup.last;
        int n = moq_subgroup_object_parse(&st->subgroup, bytes + used, len - used, &obj, &st->need);
        if (n == MOQ_ERR_FULL)
            moq_receive_give_up(s, st, MOQ_STREAM_EXCESSIVE_LOAD);
        else if (n < 0)
            moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "malformed object");
        if (n <= 0)
            break;
        st->need = 0;
        used += (size_t)n;
        obj.first = st->subgroup.header.first_object && !has_previous;
        obj.has_previous = has_previous;
        obj.previous = has_previous ? previous : 0;
        obj.end_of_group = st->subgroup.header.end_of_group;
        obj.more = st->more = !(st->fin && used == len);
        deliver(s, st->subscription, &obj);
    }
    return used;
}

static void tell_subgroup_end(struct moq_session *s, const struct moq_stream *st, bool whole)
{
    const struct moq_subgroup_header *h = &st->subgroup.header;
    struct moq_subscription *sub = st->subscription;
    if (st->more && sub->state != SUB_GONE && s->handler.on_subgroup_end)
        s->handler.on_subgroup_end(s->user, sub, h->group, h->subgroup, whole);
}

void moq_receive_on_fin(struct moq_session *s, struct moq_stream *st)
{
    struct moq_subscription *sub = st->subscription;
    moq_stream_kill(s, st);
    tell_subgroup_end(s, st, true);
    moq_subscription_on_stream_end(sub);
}

/*
 * Which object a broken stream was about: the one that had begun, or the first of a stream that
 * showed none (our senders put its ID into the subgroup ID). After whole objects nobody can tell
 * whether another was to come; then there is nothing to report.
 */
static bool lost_object(const struct moq_subgroup *sg, uint64_t *id)
{
    *id = sg->has_next ? sg->next : sg->header.subgroup;
    return sg->has_next || !sg->any;
}

static void report_end(struct moq_session *s, const struct moq_stream *st, uint64_t code)
{
    struct moq_subscription *sub = st->subscription;
    const struct moq_subgroup *sg = &st->subgroup;
    uint64_t id;
    if (lost_object(sg, &id) && s->handler.on_object_lost)
        s->handler.on_object_lost(s->user, sub, sg->header.group, id, code);
    tell_subgroup_end(s, st, false);
    moq_subscription_on_stream_end(sub);
}

void moq_receive_on_reset(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    moq_stream_kill(s, st);
    report_end(s, st, code);
}

void moq_receive_give_up(struct moq_session *s, struct moq_stream *st, uint64_t code)
{
    moq_stream_discard(s, st, code);
    report_end(s, st, code);
}

/* The next orphan that need not wait any longer, or NULL. */
static struct moq_stream *find_settled(struct moq_session *s, struct moq_subscription **sub)
{
    bool pending = moq_subscriptions_pending(s);
    for (struct moq_stream *st = s->orphans.head; st; st = st->next) {
        *sub = moq_subscription_by_alias(s, st->subgroup.header.alias);
        bool publish = s->handler.on_publish && s->now < st->since + MOQ_ORPHAN_WAIT_US;
        if (*sub || (!pending && !publish))
            return st;
    }
    return NULL;
}

void moq_receive_settle_orphans(struct moq_session *s)
{
    struct moq_subscription *sub;
    struct moq_stream *st;
    while (s->state == SESSION_OPEN && (st = find_settled(s, &sub))) { /* one orphan less a turn */
        if (!sub) {
            moq_stream_discard(s, st, MOQ_STREAM_CANCELLED);
            continue;
        }
        moq_stream_list_remove(st);
        moq_stream_set_early(s, st, false);
        attach(s, st, sub);
        moq_session_feed(s, st, NULL, 0);
    }
}

void moq_session_on_datagram(struct moq_session *s, const uint8_t *bytes, size_t len)
{
    if (s->state != SESSION_OPEN)
        return; /* unreliable anyway: not kept for SETUP or SUBSCRIBE_OK */
    moq_session_enter(s);
    struct moq_datagram d;
    if (moq_datagram_parse(&d, bytes, len) < 0) {
        moq_session_fail(s, MOQ_PROTOCOL_VIOLATION, "malformed datagram");
    } else if (!d.padding) {
        struct moq_subscription *sub = moq_subscription_by_alias(s, d.alias);
        d.obj.datagram = true;
        d.obj.end_of_group = d.end_of_group;
        if (sub && !d.has_priority)
            d.obj.priority = sub->default_priority;
        if (sub)
            deliver(s, sub, &d.obj);
    }
    moq_session_leave(s);
}
