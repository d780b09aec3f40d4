/* relay_side.c - see relay_side.h; who subscribes to what others publish. */
#include "relay_side_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

void relay_side_post(const struct relay_side *side, struct relay_note *n)
{
    if (!n)
        log_line(LOG_ERROR, "relay: out of memory");
    side->host.post(side->host.user, n);
}

/* ---- tracks that are followed here ---- */

static void forget_cache(struct relay_track *t)
{
    while (t->n_cache > 0)
        media_unref(t->cache[--t->n_cache].media);
    t->cache_bytes = 0;
}

static void remove_track(struct relay_track *t)
{
    LIST_REMOVE(t, link);
    relay_layers_unref(t->layers);
    forget_cache(t);
    free(t->cache);
    free(t->name.bytes);
    free(t->properties.bytes);
    free(t);
}

static void remove_sending(struct relay_sending *s)
{
    LIST_REMOVE(s, of_track);
    LIST_REMOVE(s, of_member);
    free(s);
}

/* One is less: with the last one the track is left. */
static void left(struct relay_side *side, struct relay_track *t)
{
    if (!LIST_EMPTY(&t->sendings) || t->id == 0)
        return; /* an answer that is still to come finds nobody */
    struct relay_note *n = relay_note_new(RELAY_LEFT, NULL, NULL);
    if (n)
        n->id = t->id;
    relay_side_post(side, n);
    remove_track(t);
}

static struct relay_track *find_track(const struct relay_side *side, uint64_t id)
{
    struct relay_track *t;
    LIST_FOREACH(t, &side->tracks, link)
    {
        if (t->id == id && id != 0)
            return t;
    }
    return NULL;
}

static struct relay_track *find_named(const struct relay_side *side, const uint8_t *name,
                                      size_t len)
{
    struct relay_track *t;
    LIST_FOREACH(t, &side->tracks, link)
    {
        if (relay_kept_is(&t->name, name, len))
            return t;
    }
    return NULL;
}

/* ---- layers ---- */

static void set_layers(struct relay_track *t, struct relay_layers *l)
{
    struct moq_name name;
    relay_name_of(&t->name, &name);
    struct relay_layers *of = relay_layers_with(l, name.track.bytes, name.track.len);
    l = of ? of : l;
    relay_layers_ref(l); /* may be what it has */
    relay_layers_unref(t->layers);
    t->layers = l;
    t->index = l ? tracks_find(&l->tracks, (const char *)name.track.bytes, name.track.len) : -1;
}

static bool same_namespace(const struct relay_track *a, const struct relay_track *b)
{
    struct moq_name x, y;
    relay_name_of(&a->name, &x);
    relay_name_of(&b->name, &y);
    x.track = y.track;
    return moq_name_equal(&x, &y);
}

/* A new track learns the layers of its namespace, if its catalog is followed here. */
static void learn_layers(const struct relay_side *side, struct relay_track *t)
{
    const struct relay_track *other;
    struct moq_name name;
    relay_name_of(&t->name, &name);
    t->index = -1;
    t->catalog = name.track.len == strlen(MSF_CATALOG_TRACK) &&
                 memcmp(name.track.bytes, MSF_CATALOG_TRACK, name.track.len) == 0;
    LIST_FOREACH(other, &side->tracks, link)
    {
        if (other != t && other->layers && same_namespace(other, t)) {
            set_layers(t, other->layers);
            if (t->index >= 0)
                return; /* else it may be of another video */
        }
    }
}

static void take_catalog(const struct relay_side *side, struct relay_track *t,
                         const struct moq_bytes *json)
{
    struct relay_track *other;
    if (t->layers && relay_layers_are(t->layers, json->bytes, json->len))
        return;
    struct relay_layers *l = relay_layers_read(json->bytes, json->len);
    LIST_FOREACH(other, &side->tracks, link)
    {
        if (same_namespace(other, t))
            set_layers(other, l);
    }
    relay_layers_unref(l);
}

/* NULL: too many. */
static struct relay_thin *thin_of(struct relay_member *m, struct relay_layers *layers)
{
    struct relay_thin *t;
    LIST_FOREACH(t, &m->thins, link)
    {
        if (t->layers == layers)
            return t;
    }
    t = m->n_thins < RELAY_THINS_MAX ? relay_thin_new(layers, m->n_thins, m->session) : NULL;
    if (!t)
        return NULL;
    m->n_thins++;
    LIST_INSERT_HEAD(&m->thins, t, link);
    return t;
}

void relay_stream_ended(struct relay_member *m, const struct wire_flight *f, bool expired,
                        uint64_t now)
{
    struct relay_thin *t;
    LIST_FOREACH(t, &m->thins, link)
    {
        if (RELAY_THIN_WATCH + t->number == f->watch) {
            relay_thin_ended(t, f, expired, now);
            return;
        }
    }
}

/* ---- objects to subscribers ---- */

/* The publisher may be able to help. */
static void ask_anew(const struct relay_side *side, struct relay_track *t, uint64_t now)
{
    if (!t->dynamic || (t->anew_at != 0 && now - t->anew_at < RELAY_ANEW_APART_US))
        return;
    t->anew_at = now;
    struct relay_note *n = relay_note_new(RELAY_ANEW, NULL, NULL);
    if (n)
        n->id = t->id;
    relay_side_post(side, n);
}

static void send_one(struct relay_sending *s, const struct moq_object *obj)
{
    struct relay_track *t = s->track;
    struct relay_member *m = s->member;
    if (!s->accepted || !moq_sending_options(s->sending)->forward)
        return;
    struct relay_thin *thin = m->wire && t->index >= 0 ? thin_of(m, t->layers) : NULL;
    if (m->wire)
        m->wire->tvl.now = clock_now_us();
    if (thin) {
        if (relay_thin_offer(thin, m->wire, s->sending, (size_t)t->index, obj))
            ask_anew(m->side, t, m->wire->tvl.now);
    } else if (tvl_backlog(s->member->conn, UINT64_MAX) > RELAY_BACKLOG_MAX)
        moq_subgroup_end(s->sending, obj->group, obj->subgroup, false);
    else
        (void)moq_object_relay(s->sending, obj, 0); /* what does not fit or is not wanted is lost */
}

static struct moq_object object_of(const struct cached *c)
{
    struct moq_object obj = c->media->object.moq;
    obj.more = obj.more && !c->ended;
    return obj;
}

static void accept_one(struct relay_sending *s)
{
    const struct relay_track *t = s->track;
    const struct moq_bytes properties = { t->properties.bytes, t->properties.len };
    const bool all = moq_sending_options(s->sending)->filter == MOQ_FILTER_NONE;
    /* Who has no filter gets the newest group at once: nothing of it counts as published before. */
    const bool tell = t->has_largest && !(all && t->n_cache > 0);
    if (moq_accept(s->sending, tell ? &t->largest : NULL, properties) < 0) {
        moq_reject(s->sending, MOQ_REQ_INTERNAL, "cannot accept");
        remove_sending(s);
        return;
    }
    s->accepted = true;
    for (size_t i = 0; i < t->n_cache; i++) {
        const struct moq_object obj = object_of(&t->cache[i]);
        send_one(s, &obj);
    }
}

static void to_cache(struct relay_track *t, const struct media *m, bool ended)
{
    const uint64_t group = m->object.moq.group;
    const size_t bytes = m->object.moq.payload.len + m->object.moq.properties.len;
    if (t->n_cache > 0 && group < t->cache[0].media->object.moq.group)
        return;
    if (t->n_cache > 0 && group > t->cache[0].media->object.moq.group)
        forget_cache(t);
    if (!t->cache)
        t->cache = calloc(RELAY_CACHE_OBJECTS_MAX, sizeof *t->cache);
    if (!t->cache || t->n_cache == RELAY_CACHE_OBJECTS_MAX ||
        t->cache_bytes + bytes > RELAY_CACHE_MAX)
        return;
    t->cache[t->n_cache++] =
        (struct cached){ .media = media_ref((struct media *)(uintptr_t)m), .ended = ended };
    t->cache_bytes += bytes;
}

static void read_media(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_track(side, n->id);
    struct relay_sending *s;
    if (!t)
        return;
    const struct cached c = { .media = n->media, .ended = n->forward };
    const struct moq_object obj = object_of(&c);
    if (!t->has_largest || obj.group > t->largest.group ||
        (obj.group == t->largest.group && obj.object > t->largest.object))
        t->largest = (struct moq_location){ obj.group, obj.object };
    t->has_largest = true;
    to_cache(t, n->media, n->forward);
    if (t->catalog && obj.object == 0)
        take_catalog(side, t, &obj.payload);
    LIST_FOREACH(s, &t->sendings, of_track)
    {
        send_one(s, &obj);
    }
}

static void read_end(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_track(side, n->id);
    struct relay_sending *s;
    if (!t)
        return;
    for (size_t i = t->n_cache; i-- > 0;) {
        const struct moq_object *obj = &t->cache[i].media->object.moq;
        if (obj->group != n->largest.group || obj->subgroup != n->largest.object)
            continue;
        t->cache[i].ended = n->forward;
        break;
    }
    LIST_FOREACH(s, &t->sendings, of_track)
    {
        if (s->accepted)
            moq_subgroup_end(s->sending, n->largest.group, n->largest.object, n->forward);
    }
}

/* ---- subscribers ---- */

/* Whether somebody else publishes it, as far as is known here. */
static bool is_listed(const struct relay_side *side, const struct moq_name *name)
{
    const struct listed *l;
    LIST_FOREACH(l, &side->listed, link)
    {
        struct moq_name ns;
        relay_name_of(&l->name, &ns);
        if (!l->ours && moq_name_begins(name, &ns))
            return true;
    }
    return false;
}

static struct relay_track *want(struct relay_side *side, const struct moq_name *name,
                                uint64_t wait_ms)
{
    struct relay_track *t = calloc(1, sizeof *t);
    struct relay_note *n = relay_note_new(RELAY_WANT, name, NULL);
    if (!t || !n || relay_keep_name(&t->name, name) < 0) {
        free(t);
        relay_note_free(n);
        return NULL;
    }
    LIST_INIT(&t->sendings);
    LIST_INSERT_HEAD(&side->tracks, t, link);
    learn_layers(side, t);
    n->wait_ms = wait_ms;
    relay_side_post(side, n);
    return t;
}

bool relay_subscribe(struct relay_member *m, struct moq_sending *s, const struct moq_name *name,
                     const struct moq_subscribe_options *o, uint64_t until_ms)
{
    struct relay_side *side = m->side;
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    const int len = moq_name_pack(name, packed, sizeof packed);
    struct relay_track *t = len < 0 ? NULL : find_named(side, packed, (size_t)len);
    if (!t && !is_listed(side, name) && o->rendezvous_ms == 0)
        return false;
    struct relay_sending *sending = calloc(1, sizeof *sending);
    if (!t && sending)
        t = want(side, name, o->rendezvous_ms);
    if (!t || !sending) {
        free(sending);
        moq_reject(s, MOQ_REQ_INTERNAL, "out of memory");
        return true;
    }
    *sending = (struct relay_sending){ .track = t,
                                       .member = m,
                                       .sending = s,
                                       .until_ms = until_ms,
                                       .forward = moq_sending_options(s)->forward };
    LIST_INSERT_HEAD(&t->sendings, sending, of_track);
    LIST_INSERT_HEAD(&m->sendings, sending, of_member);
    moq_sending_set_user(s, NULL); /* not what viewer.c takes it for */
    if (t->id != 0)
        accept_one(sending);
    return true;
}

static struct relay_sending *find_sending(const struct relay_member *m, const struct moq_sending *s)
{
    struct relay_sending *sending;
    LIST_FOREACH(sending, &m->sendings, of_member)
    {
        if (sending->sending == s)
            return sending;
    }
    return NULL;
}

bool relay_sending_name(const struct relay_member *m, const struct moq_sending *s,
                        struct moq_name *out)
{
    const struct relay_sending *sending = find_sending(m, s);
    if (sending)
        relay_name_of(&sending->track->name, out);
    return sending != NULL;
}

/* Forward on again is as good as a new subscription; a new group may be asked for. */
void relay_updated(struct relay_member *m, const struct moq_sending *sending,
                   const struct moq_subscribe_options *o)
{
    struct relay_sending *s = find_sending(m, sending);
    struct relay_track *t = s ? s->track : NULL;
    if (!t || t->id == 0)
        return;
    const bool on = o->forward && !s->forward;
    const bool base = t->index >= 0 &&
                      t->index == tracks_of_layer(&t->layers->tracks, (struct svc_layer){ 0, 0 });
    const bool asked = o->has_new_group &&
                       (o->new_group == 0 || !t->has_largest || t->largest.group < o->new_group);
    s->forward = o->forward;
    if ((on && base) || asked)
        ask_anew(m->side, t, clock_now_us());
}

void relay_grant(struct relay_member *m, const struct moq_sending *s, uint64_t until_ms)
{
    struct relay_sending *sending = find_sending(m, s);
    if (sending && until_ms > sending->until_ms)
        sending->until_ms = until_ms;
}

void relay_expire(struct relay_member *m, uint64_t now_ms)
{
    static const char reason[] = "the token has expired";
    struct relay_sending *s, *next;
    for (s = LIST_FIRST(&m->sendings); s; s = next) {
        struct relay_track *t = s->track;
        struct moq_sending *sending = s->sending;
        const bool accepted = s->accepted;
        next = LIST_NEXT(s, of_member);
        if (s->until_ms > now_ms)
            continue;
        remove_sending(s);
        if (accepted)
            (void)moq_done(sending, MOQ_DONE_UNAUTHORIZED, reason);
        else
            (void)moq_reject(sending, MOQ_REQ_EXPIRED_AUTH_TOKEN, reason);
        left(m->side, t);
    }
}

bool relay_cancelled(struct relay_member *m, struct moq_sending *s)
{
    struct relay_sending *sending = find_sending(m, s);
    if (!sending)
        return false;
    struct relay_track *t = sending->track;
    remove_sending(sending);
    left(m->side, t);
    return true;
}

static void read_shown(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_named(side, n->name, n->name_len);
    struct relay_sending *s, *next;
    if (!t || t->id != 0)
        return;
    t->id = n->id;
    t->has_largest = n->has_largest;
    t->largest = n->largest;
    if (relay_keep(&t->properties, n->properties, n->properties_len) < 0)
        log_line(LOG_ERROR, "relay: out of memory");
    t->dynamic =
        moq_has_dynamic_groups((struct moq_bytes){ t->properties.bytes, t->properties.len });
    for (s = LIST_FIRST(&t->sendings); s; s = next) {
        next = LIST_NEXT(s, of_track);
        accept_one(s);
    }
    left(side, t); /* if all have left meanwhile */
}

static void read_refused(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_named(side, n->name, n->name_len);
    if (!t || t->id != 0)
        return;
    while (!LIST_EMPTY(&t->sendings)) {
        struct relay_sending *s = LIST_FIRST(&t->sendings);
        struct moq_sending *sending = s->sending;
        remove_sending(s);
        moq_reject(sending, n->code, n->reason);
    }
    remove_track(t);
}

static void read_ours(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_named(side, n->name, n->name_len);
    struct moq_name name;
    if (!t || t->id != 0)
        return;
    relay_name_of(&t->name, &name);
    while (!LIST_EMPTY(&t->sendings)) {
        struct relay_sending *s = LIST_FIRST(&t->sendings);
        struct moq_sending *sending = s->sending;
        struct relay_member *m = s->member;
        const uint64_t until_ms = s->until_ms;
        remove_sending(s);
        side->host.ours(side->host.user, m, sending, &name, until_ms);
    }
    remove_track(t);
}

static void read_over(struct relay_side *side, const struct relay_note *n)
{
    struct relay_track *t = find_track(side, n->id);
    if (!t)
        return;
    while (!LIST_EMPTY(&t->sendings)) {
        struct relay_sending *s = LIST_FIRST(&t->sendings);
        struct moq_sending *sending = s->sending;
        remove_sending(s);
        (void)moq_done(sending, n->code, n->reason);
    }
    remove_track(t);
}

/* ---- FETCH of the newest group ---- */

static int by_object(const void *a, const void *b)
{
    const struct media *x = *(struct media *const *)a, *y = *(struct media *const *)b;
    return x->object.moq.object < y->object.moq.object ? -1 : 1;
}

static bool in_range(const struct moq_object *obj, const struct moq_fetch_options *o)
{
    const struct moq_location s = o->start, e = o->end;
    const bool from = obj->group > s.group || (obj->group == s.group && obj->object >= s.object);
    const bool to = obj->group < e.group ||
                    (obj->group == e.group && (e.object == 0 || obj->object < e.object));
    return from && to && obj->status == 0;
}

static void write_cached(const struct relay_track *t, struct moq_fetch *f,
                         const struct moq_fetch_options *o)
{
    struct media *sorted[RELAY_CACHE_OBJECTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < t->n_cache; i++)
        if (in_range(&t->cache[i].media->object.moq, o))
            sorted[n++] = t->cache[i].media;
    qsort(sorted, n, sizeof sorted[0], by_object);
    for (size_t i = 0; i < n; i++)
        (void)moq_fetch_write(f, &sorted[i]->object.moq); /* one that came twice is out of order */
}

/* What is older than the newest group nobody here knows; the draft has a word for that. */
static void answer_fetch(const struct relay_track *t, struct moq_fetch *f,
                         const struct moq_fetch_options *o)
{
    const uint64_t group = t->n_cache > 0 ? t->cache[0].media->object.moq.group : 0;
    const bool older = o->start.group < group, up = o->order == MOQ_ORDER_ASCENDING;
    struct moq_location end = { t->largest.group, t->largest.object + 1 };
    if (o->end.group < end.group ||
        (o->end.group == end.group && o->end.object != 0 && o->end.object < end.object))
        end = o->end;
    if (moq_fetch_accept(f, false, end,
                         (struct moq_bytes){ t->properties.bytes, t->properties.len }) < 0) {
        (void)moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "no such range");
        return;
    }
    if (older && up)
        (void)moq_fetch_write_unknown(f, (struct moq_location){ group - 1, UINT64_MAX });
    write_cached(t, f, o);
    if (older && !up)
        (void)moq_fetch_write_unknown(f, o->start);
    (void)moq_fetch_end(f);
}

bool relay_fetch(struct relay_member *m, struct moq_fetch *f, const struct moq_name *name,
                 const struct moq_fetch_options *o)
{
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    const int len = moq_name_pack(name, packed, sizeof packed);
    const struct relay_track *t = len < 0 ? NULL : find_named(m->side, packed, (size_t)len);
    if (!t)
        return false;
    if (t->id == 0 || !t->has_largest || o->start.group > t->largest.group)
        (void)moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "nothing is there yet");
    else
        answer_fetch(t, f, o);
    return true;
}

void relay_answer_status(const struct relay_side *side, struct moq_request *r,
                         const struct moq_name *name)
{
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    const int len = moq_name_pack(name, packed, sizeof packed);
    const struct relay_track *t = len < 0 ? NULL : find_named(side, packed, (size_t)len);
    if (t && t->id != 0)
        (void)moq_track_status(r, t->has_largest ? &t->largest : NULL,
                               (struct moq_bytes){ t->properties.bytes, t->properties.len });
    else
        (void)moq_request_reject(r, MOQ_REQ_NOT_SUPPORTED, "nobody watches it: subscribe");
}

/* ---- life ---- */

void relay_side_read(struct relay_side *side, const struct relay_note *n)
{
    static void (*const reads[])(struct relay_side *, const struct relay_note *) = {
        [RELAY_ANSWER] = relay_read_answer,
        [RELAY_PULL] = relay_read_of_publisher,
        [RELAY_FORWARD] = relay_read_of_publisher,
        [RELAY_DROP] = relay_read_of_publisher,
        [RELAY_ANEW] = relay_read_of_publisher,
        [RELAY_SHOWN] = read_shown,
        [RELAY_REFUSED] = read_refused,
        [RELAY_OURS] = read_ours,
        [RELAY_OVER] = read_over,
        [RELAY_LISTED] = relay_read_listed,
        [RELAY_MEDIA] = read_media,
        [RELAY_END] = read_end,
    };
    if ((size_t)n->kind < sizeof reads / sizeof reads[0] && reads[n->kind])
        reads[n->kind](side, n);
}

void relay_join(struct relay_side *side, struct relay_member *m, uint64_t session,
                struct moq_session *moq, struct tvl_conn *conn, void *user)
{
    *m = (struct relay_member){
        .side = side, .session = session, .moq = moq, .conn = conn, .user = user
    };
    LIST_INIT(&m->sendings);
    LIST_INIT(&m->pulled);
    LIST_INIT(&m->requests);
    LIST_INIT(&m->thins);
    LIST_INSERT_HEAD(&side->members, m, link);
}

void relay_part(struct relay_member *m)
{
    if (!m->side)
        return;
    struct relay_side *side = m->side;
    while (!LIST_EMPTY(&m->sendings)) {
        struct relay_track *t = LIST_FIRST(&m->sendings)->track;
        remove_sending(LIST_FIRST(&m->sendings));
        left(side, t);
    }
    while (!LIST_EMPTY(&m->thins)) {
        struct relay_thin *t = LIST_FIRST(&m->thins);
        LIST_REMOVE(t, link);
        relay_thin_free(t);
    }
    while (!LIST_EMPTY(&m->pulled))
        relay_remove_pulled(LIST_FIRST(&m->pulled));
    while (!LIST_EMPTY(&m->requests))
        relay_remove_request(LIST_FIRST(&m->requests));
    LIST_REMOVE(m, link);
    if (m->published) {
        struct relay_note *n = relay_note_new(RELAY_GONE, NULL, NULL);
        if (n)
            n->session = m->session;
        relay_side_post(side, n);
    }
    m->side = NULL;
}

struct relay_side *relay_side_new(const struct relay_side_host *host)
{
    struct relay_side *side = calloc(1, sizeof *side);
    if (!side)
        return NULL;
    side->host = *host;
    LIST_INIT(&side->members);
    LIST_INIT(&side->tracks);
    LIST_INIT(&side->listed);
    return side;
}

void relay_side_free(struct relay_side *side)
{
    if (!side)
        return;
    while (!LIST_EMPTY(&side->members))
        relay_part(LIST_FIRST(&side->members));
    while (!LIST_EMPTY(&side->tracks))
        remove_track(LIST_FIRST(&side->tracks));
    while (!LIST_EMPTY(&side->listed)) {
        struct listed *l = LIST_FIRST(&side->listed);
        LIST_REMOVE(l, link);
        free(l->name.bytes);
        free(l);
    }
    free(side);
}
