/* relay_publisher.c - see relay_side.h; who publishes, and who asks which namespaces there are. */
#include "relay_side_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* ---- publishers: namespaces ---- */

static struct relay_request *add_request(struct relay_member *m, struct moq_request *r,
                                         const struct moq_name *name)
{
    struct relay_request *request = calloc(1, sizeof *request);
    if (!request || relay_keep_name(&request->name, name) < 0) {
        free(request);
        return NULL;
    }
    request->member = m;
    request->number = ++m->side->last_number;
    request->request = r;
    moq_request_set_user(r, request);
    LIST_INSERT_HEAD(&m->requests, request, link);
    return request;
}

void relay_remove_request(struct relay_request *r)
{
    LIST_REMOVE(r, link);
    free(r->name.bytes);
    free(r);
}

static void ask(struct relay_member *m, enum relay_note_kind kind, uint64_t number,
                const struct moq_name *name)
{
    struct relay_note *n = relay_note_new(kind, name, NULL);
    if (n) {
        n->session = m->session;
        n->number = number;
    }
    m->published = m->publishes = true;
    relay_side_post(m->side, n);
}

static void list_to(struct moq_request *r)
{
    const struct relay_request *request = moq_request_user(r);
    const struct listed *l;
    LIST_FOREACH(l, &request->member->side->listed, link)
    {
        struct moq_name ns;
        relay_name_of(&l->name, &ns);
        (void)moq_namespace(r, &ns, true); /* one that does not begin so is not told */
    }
}

void relay_request(struct relay_member *m, struct moq_request *r, const struct moq_name *name)
{
    const enum moq_request_kind kind = moq_request_kind(r);
    struct relay_request *request;
    if (kind == MOQ_REQUEST_TRACK_STATUS) {
        relay_answer_status(m->side, r, name);
        return;
    }
    if (kind == MOQ_REQUEST_SUBSCRIBE_TRACKS) {
        moq_request_reject(r, MOQ_REQ_NOT_SUPPORTED, "subscribe instead");
        return;
    }
    request = add_request(m, r, name);
    if (!request) {
        moq_request_reject(r, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    if (kind == MOQ_REQUEST_PUBLISH_NAMESPACE)
        ask(m, RELAY_ANNOUNCE, request->number, name);
    else if (moq_request_accept(r) == 0)
        list_to(r);
}

void relay_request_end(struct relay_member *m, struct moq_request *r)
{
    struct relay_request *request = moq_request_user(r);
    if (!request)
        return;
    if (moq_request_kind(r) == MOQ_REQUEST_PUBLISH_NAMESPACE) {
        struct moq_name name;
        relay_name_of(&request->name, &name);
        ask(m, RELAY_WITHDRAW, request->number, &name);
    }
    relay_remove_request(request);
}

void relay_read_listed(struct relay_side *side, const struct relay_note *n)
{
    struct listed *l;
    struct relay_member *m;
    struct moq_name ns;
    LIST_FOREACH(l, &side->listed, link)
    {
        if (l->ours == n->ours && relay_kept_is(&l->name, n->name, n->name_len))
            break;
    }
    if (n->forward == (l != NULL))
        return;
    if (n->forward) {
        l = calloc(1, sizeof *l);
        if (!l || relay_keep(&l->name, n->name, n->name_len) < 0) {
            free(l);
            return;
        }
        l->ours = n->ours;
        LIST_INSERT_HEAD(&side->listed, l, link);
    }
    relay_name_of(&l->name, &ns);
    LIST_FOREACH(m, &side->members, link)
    {
        struct relay_request *r;
        LIST_FOREACH(r, &m->requests, link)
        {
            if (moq_request_kind(r->request) == MOQ_REQUEST_SUBSCRIBE_NAMESPACE)
                (void)moq_namespace(r->request, &ns, n->forward);
        }
    }
    if (n->forward)
        return;
    LIST_REMOVE(l, link);
    free(l->name.bytes);
    free(l);
}

bool relay_describe(const struct relay_member *m, char *ns, size_t size)
{
    const struct relay_request *r;
    const struct relay_sending *s = LIST_FIRST(&m->sendings);
    struct moq_name name = { 0 };
    bool publishes = !LIST_EMPTY(&m->pulled);
    if (s)
        relay_name_of(&s->track->name, &name);
    LIST_FOREACH(r, &m->requests, link)
    {
        if (moq_request_kind(r->request) != MOQ_REQUEST_PUBLISH_NAMESPACE)
            continue;
        relay_name_of(&r->name, &name);
        publishes = true;
    }
    if (!moq_namespace_text(&name, ns, size))
        ns[0] = '\0';
    return publishes;
}

bool relay_takes(const struct relay_member *m, const struct moq_name *ns)
{
    const struct relay_sending *s;
    LIST_FOREACH(s, &m->sendings, of_member)
    {
        struct moq_name name;
        relay_name_of(&s->track->name, &name);
        name.track = ns->track;
        if (moq_name_equal(&name, ns))
            return true;
    }
    return false;
}

/* ---- publishers: tracks ---- */

static struct relay_pulled *add_pulled(struct relay_member *m, uint64_t id)
{
    struct relay_pulled *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->member = m;
    p->id = id;
    moq_subscribe_options_init(&p->options);
    LIST_INSERT_HEAD(&m->pulled, p, link);
    return p;
}

void relay_remove_pulled(struct relay_pulled *p)
{
    LIST_REMOVE(p, link);
    free(p);
}

static void tell_off(struct relay_member *m, uint64_t id, uint64_t code, const char *reason)
{
    struct relay_note *n = relay_note_new(RELAY_OFF, NULL, NULL);
    if (n) {
        n->id = id;
        n->code = code;
        snprintf(n->reason, sizeof n->reason, "%s", reason);
    }
    relay_side_post(m->side, n);
}

static struct relay_member *find_member(const struct relay_side *side, uint64_t session)
{
    struct relay_member *m;
    LIST_FOREACH(m, &side->members, link)
    {
        if (m->session == session)
            return m;
    }
    return NULL;
}

static struct relay_pulled *find_pulled(const struct relay_member *m, uint64_t id)
{
    struct relay_pulled *p;
    LIST_FOREACH(p, &m->pulled, link)
    {
        if (p->id == id)
            return p;
    }
    return NULL;
}

/* All that comes: who subscribes later may have another filter. */
static void pull(struct relay_member *m, const struct relay_note *n)
{
    const struct relay_kept packed = { n->name, n->name_len };
    struct relay_pulled *p = add_pulled(m, n->id);
    struct moq_name name;
    relay_name_of(&packed, &name);
    int rc = p ? 0 : MOQ_ERR_NOMEM;
    if (p) {
        p->options.filter = MOQ_FILTER_NONE;
        rc = moq_subscribe(m->moq, &name, &p->options, p, &p->sub);
    }
    if (rc == 0)
        return;
    tell_off(m, n->id, MOQ_REQ_INTERNAL, moq_strerror(rc));
    if (p)
        relay_remove_pulled(p);
}

void relay_read_of_publisher(struct relay_side *side, const struct relay_note *n)
{
    struct relay_member *m = find_member(side, n->session);
    struct relay_pulled *p = m && n->kind != RELAY_PULL ? find_pulled(m, n->id) : NULL;
    if (m && n->kind == RELAY_PULL)
        pull(m, n);
    else if (p && n->kind == RELAY_DROP) {
        struct moq_subscription *sub = p->sub;
        relay_remove_pulled(p);
        moq_unsubscribe(sub);
    } else if (p && n->kind == RELAY_FORWARD && p->options.forward != n->forward) {
        p->options.forward = n->forward;
        (void)moq_subscription_update(p->sub, &p->options);
    } else if (p && n->kind == RELAY_ANEW) {
        struct moq_subscribe_options o = p->options;
        o.has_new_group = true;
        o.new_group = n->number;
        (void)moq_subscription_update(p->sub, &o);
    }
}

void relay_offered(struct relay_member *m, struct moq_subscription *sub,
                   const struct moq_name *name, const struct moq_publish_options *o)
{
    struct relay_pulled *p = add_pulled(m, 0);
    struct relay_note *n = relay_note_new(RELAY_OFFER, name, &o->properties);
    if (!p || !n) {
        if (p)
            relay_remove_pulled(p);
        relay_note_free(n);
        moq_publish_reject(sub, MOQ_REQ_INTERNAL, "out of memory");
        return;
    }
    p->sub = sub;
    p->number = ++m->side->last_number;
    moq_subscription_set_user(sub, p);
    n->session = m->session;
    n->number = p->number;
    n->has_largest = o->has_largest;
    n->largest = o->largest;
    m->published = m->publishes = true;
    relay_side_post(m->side, n);
}

/* To a PUBLISH: nothing is wanted before somebody subscribes. */
static void answer_offer(struct relay_pulled *p, const struct relay_note *n)
{
    struct moq_subscription *sub = p->sub;
    if (n->code != RELAY_ACCEPTED) {
        relay_remove_pulled(p);
        moq_publish_reject(sub, n->code, n->reason);
        return;
    }
    p->id = n->id;
    p->options.filter = MOQ_FILTER_NONE;
    p->options.forward = false;
    if (moq_publish_accept(sub, &p->options) < 0) {
        tell_off(p->member, p->id, MOQ_DONE_INTERNAL_ERROR, "cannot be accepted");
        relay_remove_pulled(p);
    }
}

void relay_read_answer(struct relay_side *side, const struct relay_note *n)
{
    struct relay_member *m = find_member(side, n->session);
    struct relay_pulled *p;
    struct relay_request *r;
    if (!m)
        return;
    LIST_FOREACH(p, &m->pulled, link)
    {
        if (p->number == n->number) {
            answer_offer(p, n);
            return;
        }
    }
    LIST_FOREACH(r, &m->requests, link)
    {
        if (r->number == n->number)
            break;
    }
    if (!r)
        return;
    if (n->code == RELAY_ACCEPTED) {
        (void)moq_request_accept(r->request);
        return;
    }
    struct moq_request *request = r->request;
    relay_remove_request(r);
    moq_request_reject(request, n->code, n->reason);
}

void relay_subscribed(struct moq_subscription *sub, const struct moq_location *largest)
{
    const struct relay_pulled *p = moq_subscription_user(sub);
    const struct moq_bytes properties = moq_subscription_properties(sub);
    struct relay_note *n = relay_note_new(RELAY_ON, NULL, &properties);
    if (n) {
        n->id = p->id;
        n->has_largest = largest != NULL;
        if (largest)
            n->largest = *largest;
    }
    relay_side_post(p->member->side, n);
}

void relay_rejected(struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct relay_pulled *p = moq_subscription_user(sub);
    tell_off(p->member, p->id, code, reason);
    relay_remove_pulled(p);
}

void relay_done(struct moq_subscription *sub, uint64_t status, const char *reason)
{
    struct relay_pulled *p = moq_subscription_user(sub);
    if (p->id != 0)
        tell_off(p->member, p->id, status, reason);
    relay_remove_pulled(p);
}

void relay_object(struct moq_subscription *sub, const struct moq_object *obj)
{
    const struct relay_pulled *p = moq_subscription_user(sub);
    const struct object o = { .moq = *obj };
    struct relay_note *n = relay_note_new(RELAY_MEDIA, NULL, NULL);
    if (n) {
        n->id = p->id;
        n->media = media_new(p->id, &o, NULL);
    }
    if (!n || !n->media) {
        log_line(LOG_ERROR, "relay: out of memory");
        relay_note_free(n);
        return;
    }
    relay_side_post(p->member->side, n);
}

void relay_subgroup_ended(struct moq_subscription *sub, uint64_t group, uint64_t subgroup,
                          bool whole)
{
    const struct relay_pulled *p = moq_subscription_user(sub);
    struct relay_note *n = relay_note_new(RELAY_END, NULL, NULL);
    if (n) {
        n->id = p->id;
        n->largest = (struct moq_location){ group, subgroup };
        n->forward = whole;
    }
    relay_side_post(p->member->side, n);
}
