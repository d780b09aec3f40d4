/* relay.c - see relay.h. */
#include "relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "log.h"

#define NS_TEXT_MAX 512

struct publisher { /* of a namespace or a track */
    unsigned worker;
    uint64_t session;
    const struct relay_local *local; /* NULL: a session */
};

struct space { /* a namespace that is published */
    LIST_ENTRY(space) link;
    struct relay_kept name;
    struct publisher by;
    bool ours; /* a broadcast of our own: listed only */
};

enum track_state { TRACK_ASKED, TRACK_ON };

struct relay_track {
    LIST_ENTRY(relay_track) link;
    uint64_t id; /* as its subscribers know it */
    uint64_t up; /* as its publisher does: changes with it */
    struct relay_kept name, properties;
    struct publisher by;
    enum track_state state;
    bool offered;                /* by PUBLISH: it stays when nobody follows */
    uint64_t anew_at;            /* us, a new group was asked for; 0: never */
    uint32_t followers, waiting; /* a bit for each worker */
    bool has_largest;
    struct moq_location largest;
    struct cached {
        struct media *media; /* a reference */
        bool ended;          /* its subgroup has ended in order behind it */
    } * cache;               /* of the newest group, in order of arrival; NULL: nothing yet */
    size_t n_cache, cache_bytes;
};

struct wait {
    LIST_ENTRY(wait) link;
    struct relay_kept name;
    unsigned worker;
    uint64_t until; /* us; 0: not set yet */
    uint64_t wait_us;
};

struct relay {
    struct relay_host host;
    LIST_HEAD(, space) spaces;
    LIST_HEAD(, relay_track) tracks;
    LIST_HEAD(, wait) waits;
    size_t n_spaces, n_tracks, n_waits;
    uint64_t last_id, now; /* us, of the last tick */
    uint64_t objects, bytes;
};

static uint32_t bit(unsigned worker)
{
    return UINT32_C(1) << worker;
}

static bool same_publisher(const struct publisher *a, const struct publisher *b)
{
    return a->local == b->local && (a->local || a->session == b->session);
}

/* ---- what goes to workers ---- */

static struct relay_note *note_for(enum relay_note_kind kind, const struct relay_kept *name,
                                   const struct relay_kept *properties)
{
    struct moq_name full;
    struct moq_bytes p = { 0 };
    if (name)
        relay_name_of(name, &full);
    if (properties)
        p = (struct moq_bytes){ properties->bytes, properties->len };
    struct relay_note *n = relay_note_new(kind, name ? &full : NULL, properties ? &p : NULL);
    if (!n)
        log_line(LOG_ERROR, "relay: out of memory");
    return n;
}

static void post(const struct relay *r, unsigned worker, struct relay_note *n)
{
    if (n)
        r->host.post(r->host.user, worker, n);
}

static void refuse(const struct relay *r, unsigned worker, const struct relay_kept *name,
                   uint64_t code, const char *reason)
{
    struct relay_note *n = note_for(RELAY_REFUSED, name, NULL);
    if (!n)
        return;
    n->code = code;
    snprintf(n->reason, sizeof n->reason, "%s", reason);
    post(r, worker, n);
}

static void tell_listed(const struct relay *r, const struct space *s, unsigned worker, bool there)
{
    struct relay_note *n = note_for(RELAY_LISTED, &s->name, NULL);
    if (!n)
        return;
    n->forward = there;
    n->ours = s->ours;
    post(r, worker, n);
}

static void post_media(const struct relay *r, unsigned worker, uint64_t id, struct media *m,
                       bool ended)
{
    struct relay_note *n = note_for(RELAY_MEDIA, NULL, NULL);
    if (!n)
        return;
    n->id = id;
    n->media = media_ref(m);
    n->forward = ended;
    post(r, worker, n);
}

static void forward(const struct relay *r, const struct relay_track *t, bool on)
{
    struct relay_note *n = t->by.local ? NULL : note_for(RELAY_FORWARD, NULL, NULL);
    if (!n)
        return;
    n->id = t->up;
    n->session = t->by.session;
    n->forward = on;
    post(r, t->by.worker, n);
}

/* Several workers may ask at once. */
static void anew(const struct relay *r, struct relay_track *t)
{
    const uint64_t group = t->has_largest ? t->largest.group + 1 : 0;
    if (t->anew_at != 0 && r->now - t->anew_at < RELAY_ANEW_APART_US)
        return;
    t->anew_at = r->now;
    if (t->by.local) {
        if (t->by.local->anew)
            t->by.local->anew(t->by.local->user, t->up, group);
        return;
    }
    struct relay_note *n = note_for(RELAY_ANEW, NULL, NULL);
    if (!n)
        return;
    n->id = t->up;
    n->session = t->by.session;
    n->number = group;
    post(r, t->by.worker, n);
}

/* The newest group follows, for who asks for it. */
static void show(const struct relay *r, struct relay_track *t, unsigned worker)
{
    struct relay_note *n = note_for(RELAY_SHOWN, &t->name, &t->properties);
    if (!n)
        return;
    n->id = t->id;
    n->has_largest = t->has_largest;
    n->largest = t->largest;
    if (!t->followers && t->offered)
        forward(r, t, true);
    t->followers |= bit(worker);
    post(r, worker, n);
    for (size_t i = 0; i < t->n_cache; i++)
        post_media(r, worker, t->id, t->cache[i].media, t->cache[i].ended);
}

/* ---- tracks ---- */

static void forget_cache(struct relay_track *t)
{
    while (t->n_cache > 0)
        media_unref(t->cache[--t->n_cache].media);
    t->cache_bytes = 0;
}

static void remove_track(struct relay *r, struct relay_track *t)
{
    LIST_REMOVE(t, link);
    r->n_tracks--;
    forget_cache(t);
    free(t->cache);
    free(t->name.bytes);
    free(t->properties.bytes);
    free(t);
}

/* It is over for who follows, refused for who waits. */
static void end_track(struct relay *r, struct relay_track *t, uint64_t status, uint64_t code,
                      const char *reason)
{
    for (unsigned i = 0; i < r->host.workers; i++) {
        if ((t->waiting & bit(i)) != 0)
            refuse(r, i, &t->name, code, reason);
        struct relay_note *n =
            (t->followers & bit(i)) != 0 ? note_for(RELAY_OVER, NULL, NULL) : NULL;
        if (!n)
            continue;
        n->id = t->id;
        n->code = status;
        snprintf(n->reason, sizeof n->reason, "%s", reason);
        post(r, i, n);
    }
    remove_track(r, t);
}

static struct relay_track *find_track(const struct relay *r, uint64_t id)
{
    struct relay_track *t;
    LIST_FOREACH(t, &r->tracks, link)
    {
        if (t->id == id)
            return t;
    }
    return NULL;
}

static struct relay_track *find_up(const struct relay *r, uint64_t up)
{
    struct relay_track *t;
    LIST_FOREACH(t, &r->tracks, link)
    {
        if (t->up == up)
            return t;
    }
    return NULL;
}

static struct relay_track *find_named(const struct relay *r, const uint8_t *name, size_t len)
{
    struct relay_track *t;
    LIST_FOREACH(t, &r->tracks, link)
    {
        if (relay_kept_is(&t->name, name, len))
            return t;
    }
    return NULL;
}

static struct relay_track *add_track(struct relay *r, const uint8_t *name, size_t len,
                                     const struct publisher *by)
{
    if (r->n_tracks >= RELAY_TRACKS_MAX)
        return NULL;
    struct relay_track *t = calloc(1, sizeof *t);
    if (!t || relay_keep(&t->name, name, len) < 0) {
        free(t);
        return NULL;
    }
    t->id = t->up = ++r->last_id;
    t->by = *by;
    LIST_INSERT_HEAD(&r->tracks, t, link);
    r->n_tracks++;
    return t;
}

static void pull(const struct relay *r, const struct relay_track *t)
{
    if (t->by.local) {
        struct moq_name name;
        relay_name_of(&t->name, &name);
        t->by.local->pull(t->by.local->user, t->up, &name);
        return;
    }
    struct relay_note *n = note_for(RELAY_PULL, &t->name, NULL);
    if (!n)
        return;
    n->id = t->up;
    n->session = t->by.session;
    post(r, t->by.worker, n);
}

static void drop(const struct relay *r, const struct relay_track *t)
{
    if (t->by.local) {
        t->by.local->drop(t->by.local->user, t->up);
        return;
    }
    struct relay_note *n = note_for(RELAY_DROP, NULL, NULL);
    if (!n)
        return;
    n->id = t->up;
    n->session = t->by.session;
    post(r, t->by.worker, n);
}

/* ---- namespaces ---- */

/* The longest one that begins `name`, and is not of our own; NULL: none. */
static struct space *find_space(const struct relay *r, const struct moq_name *name)
{
    struct space *s, *best = NULL;
    size_t longest = 0;
    LIST_FOREACH(s, &r->spaces, link)
    {
        struct moq_name ns;
        relay_name_of(&s->name, &ns);
        if (!s->ours && moq_name_begins(name, &ns) && (!best || ns.n_ns > longest)) {
            best = s;
            longest = ns.n_ns;
        }
    }
    return best;
}

static struct space *find_exact(const struct relay *r, const uint8_t *name, size_t len, bool ours)
{
    struct space *s;
    LIST_FOREACH(s, &r->spaces, link)
    {
        if (s->ours == ours && relay_kept_is(&s->name, name, len))
            return s;
    }
    return NULL;
}

static struct space *add_space(struct relay *r, const uint8_t *name, size_t len,
                               const struct publisher *by, bool ours)
{
    struct space *s = r->n_spaces < RELAY_NAMESPACES_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s || relay_keep(&s->name, name, len) < 0) {
        free(s);
        return NULL;
    }
    s->by = *by;
    s->ours = ours;
    for (unsigned i = 0; i < r->host.workers && !find_exact(r, name, len, ours); i++)
        tell_listed(r, s, i, true);
    LIST_INSERT_HEAD(&r->spaces, s, link); /* before older ones of that name */
    r->n_spaces++;
    return s;
}

static void remove_space(struct relay *r, struct space *s)
{
    LIST_REMOVE(s, link);
    r->n_spaces--;
    for (unsigned i = 0; i < r->host.workers && !find_exact(r, s->name.bytes, s->name.len, s->ours);
         i++)
        tell_listed(r, s, i, false);
    free(s->name.bytes);
    free(s);
}

/* ---- wants ---- */

static void want(struct relay *r, unsigned worker, const struct relay_kept *name, uint64_t wait_us)
{
    struct relay_track *t = find_named(r, name->bytes, name->len);
    struct moq_name full;
    char ns[NS_TEXT_MAX];
    relay_name_of(name, &full);
    if (t && t->state == TRACK_ON) {
        show(r, t, worker);
        return;
    }
    const struct space *s = t ? NULL : find_space(r, &full);
    if (s) {
        t = add_track(r, name->bytes, name->len, &s->by);
        if (!t) {
            refuse(r, worker, name, MOQ_REQ_EXCESSIVE_LOAD, "no room for another track");
            return;
        }
        t->waiting = bit(worker);
        pull(r, t); /* may end it at once */
        return;
    }
    if (t) {
        t->waiting |= bit(worker);
        return;
    }
    if (moq_namespace_text(&full, ns, sizeof ns) && r->host.ours(r->host.user, ns)) {
        post(r, worker, note_for(RELAY_OURS, name, NULL));
        return;
    }
    struct wait *w = wait_us > 0 && r->n_waits < RELAY_WAITS_MAX ? calloc(1, sizeof *w) : NULL;
    if (!w || relay_keep(&w->name, name->bytes, name->len) < 0) {
        free(w);
        refuse(r, worker, name, MOQ_REQ_DOES_NOT_EXIST, "nobody publishes it here");
        return;
    }
    w->worker = worker;
    w->wait_us = wait_us;
    LIST_INSERT_HEAD(&r->waits, w, link);
    r->n_waits++;
}

static struct relay_kept take_wait(struct relay *r, struct wait *w)
{
    struct relay_kept name = w->name;
    LIST_REMOVE(w, link);
    r->n_waits--;
    free(w);
    return name;
}

/* Something new is published: is it what some wait for? */
static void settle_waits(struct relay *r)
{
    struct wait *w, *next;
    for (w = LIST_FIRST(&r->waits); w; w = next) {
        struct moq_name name;
        next = LIST_NEXT(w, link);
        relay_name_of(&w->name, &name);
        if (!find_space(r, &name) && !find_named(r, w->name.bytes, w->name.len))
            continue;
        const unsigned worker = w->worker;
        struct relay_kept kept = take_wait(r, w);
        want(r, worker, &kept, 0);
        free(kept.bytes);
    }
}

void relay_tick(struct relay *r, uint64_t now_us)
{
    struct wait *w, *next;
    r->now = now_us;
    for (w = LIST_FIRST(&r->waits); w; w = next) {
        next = LIST_NEXT(w, link);
        if (w->until == 0)
            w->until = now_us + w->wait_us;
        if (now_us < w->until)
            continue;
        const unsigned worker = w->worker;
        struct relay_kept kept = take_wait(r, w);
        refuse(r, worker, &kept, MOQ_REQ_TIMEOUT, "nobody has published it in time");
        free(kept.bytes);
    }
}

/* ---- publishers ---- */

static void answer(const struct relay *r, unsigned worker, const struct relay_note *asked,
                   uint64_t id, uint64_t code, const char *reason)
{
    struct relay_note *n = note_for(RELAY_ANSWER, NULL, NULL);
    if (!n)
        return;
    n->session = asked->session;
    n->number = asked->number;
    n->id = id;
    n->code = code;
    snprintf(n->reason, sizeof n->reason, "%s", reason);
    post(r, worker, n);
}

/* Why it may not be published: 0, or a REQUEST_ERROR code. */
static uint64_t refusal(const struct relay *r, const struct relay_note *n, const char **reason)
{
    const struct relay_kept kept = { n->name, n->name_len };
    struct moq_name name;
    char ns[NS_TEXT_MAX];
    relay_name_of(&kept, &name);
    *reason = "a namespace as none of ours may be";
    if (!moq_namespace_text(&name, ns, sizeof ns))
        return MOQ_REQ_NOT_SUPPORTED;
    *reason = "no client may publish there";
    if (!r->host.publishable(r->host.user, ns))
        return MOQ_REQ_UNINTERESTED;
    *reason = "the server has a broadcast of that name";
    return r->host.ours(r->host.user, ns) ? MOQ_REQ_UNINTERESTED : 0;
}

/* From now on `by` is asked for it, and no longer who was before. */
static void take_over(struct relay *r, struct relay_track *t, const struct publisher *by)
{
    drop(r, t);
    t->by = *by;
    t->up = ++r->last_id;
    t->offered = false;
}

static void take_over_all(struct relay *r, const struct space *s)
{
    struct relay_track *t, *next;
    for (t = LIST_FIRST(&r->tracks); t; t = next) {
        struct moq_name name;
        next = LIST_NEXT(t, link);
        relay_name_of(&t->name, &name);
        if (t->offered || same_publisher(&t->by, &s->by) || find_space(r, &name) != s)
            continue;
        take_over(r, t, &s->by);
        pull(r, t);
    }
}

static void read_announce(struct relay *r, unsigned worker, const struct relay_note *n)
{
    const struct publisher by = { .worker = worker, .session = n->session };
    const char *reason;
    uint64_t code = refusal(r, n, &reason);
    const struct space *s = code == 0 ? add_space(r, n->name, n->name_len, &by, false) : NULL;
    if (code == 0 && !s) {
        code = MOQ_REQ_EXCESSIVE_LOAD;
        reason = "no room for another namespace";
    }
    answer(r, worker, n, 0, code == 0 ? RELAY_ACCEPTED : code, code == 0 ? "" : reason);
    if (code != 0)
        return;
    take_over_all(r, s);
    settle_waits(r);
}

static void read_offer(struct relay *r, unsigned worker, const struct relay_note *n)
{
    const struct publisher by = { .worker = worker, .session = n->session };
    const char *reason;
    uint64_t code = refusal(r, n, &reason);
    struct relay_track *t = code == 0 ? find_named(r, n->name, n->name_len) : NULL;
    if (t)
        take_over(r, t, &by);
    else if (code == 0)
        t = add_track(r, n->name, n->name_len, &by);
    if (code == 0 && !t) {
        code = MOQ_REQ_EXCESSIVE_LOAD;
        reason = "no room for another track";
    }
    answer(r, worker, n, t ? t->up : 0, code == 0 ? RELAY_ACCEPTED : code, code == 0 ? "" : reason);
    if (!t)
        return;
    t->offered = true;
    if (t->followers)
        forward(r, t, true);
    relay_on(r, t->up, n->has_largest ? &n->largest : NULL,
             (struct moq_bytes){ n->properties, n->properties_len });
    settle_waits(r);
}

static void end_publisher(struct relay *r, const struct publisher *by, uint64_t status,
                          const char *reason)
{
    struct space *s, *next_space;
    struct relay_track *t, *next;
    for (s = LIST_FIRST(&r->spaces); s; s = next_space) {
        next_space = LIST_NEXT(s, link);
        if (!s->ours && same_publisher(&s->by, by))
            remove_space(r, s);
    }
    for (t = LIST_FIRST(&r->tracks); t; t = next) {
        next = LIST_NEXT(t, link);
        if (same_publisher(&t->by, by))
            end_track(r, t, status, MOQ_REQ_DOES_NOT_EXIST, reason);
    }
}

static void left(struct relay *r, struct relay_track *t, unsigned worker)
{
    t->followers &= ~bit(worker);
    t->waiting &= ~bit(worker);
    if (t->followers || t->waiting)
        return;
    if (t->offered) {
        forward(r, t, false);
        forget_cache(t); /* it would have a hole */
        return;
    }
    drop(r, t);
    remove_track(r, t);
}

/* ---- a track runs ---- */

void relay_on(struct relay *r, uint64_t id, const struct moq_location *largest,
              struct moq_bytes properties)
{
    struct relay_track *t = find_up(r, id);
    if (!t || t->state == TRACK_ON)
        return; /* gone; or another publisher of what runs */
    t->state = TRACK_ON;
    t->has_largest = largest != NULL;
    if (largest)
        t->largest = *largest;
    if (relay_keep(&t->properties, properties.bytes, properties.len) < 0)
        log_line(LOG_ERROR, "relay: out of memory");
    const uint32_t waiting = t->waiting;
    t->waiting = 0;
    for (unsigned i = 0; i < r->host.workers; i++)
        if ((waiting & bit(i)) != 0)
            show(r, t, i);
}

void relay_off(struct relay *r, uint64_t id, uint64_t code, const char *reason)
{
    struct relay_track *t = find_up(r, id);
    if (t)
        end_track(r, t, t->state == TRACK_ON ? code : MOQ_DONE_TRACK_ENDED, code, reason);
}

void relay_lost(struct relay *r, uint64_t id, const char *reason)
{
    struct relay_track *t = find_up(r, id);
    if (t)
        end_track(r, t, MOQ_DONE_INTERNAL_ERROR, MOQ_REQ_TIMEOUT, reason);
}

static void to_cache(struct relay_track *t, struct media *m)
{
    const uint64_t group = m->object.moq.group;
    if (t->n_cache > 0 && group < t->cache[0].media->object.moq.group)
        return;
    if (t->n_cache > 0 && group > t->cache[0].media->object.moq.group)
        forget_cache(t);
    const size_t bytes = m->object.moq.payload.len + m->object.moq.properties.len;
    if (!t->cache)
        t->cache = calloc(RELAY_CACHE_OBJECTS_MAX, sizeof *t->cache);
    if (!t->cache || t->n_cache == RELAY_CACHE_OBJECTS_MAX ||
        t->cache_bytes + bytes > RELAY_CACHE_MAX)
        return;
    t->cache[t->n_cache++] = (struct cached){ .media = media_ref(m) };
    t->cache_bytes += bytes;
}

static void take_media(struct relay *r, struct relay_track *t, struct media *m)
{
    const struct moq_object *o = &m->object.moq;
    if (!t->has_largest || o->group > t->largest.group ||
        (o->group == t->largest.group && o->object > t->largest.object))
        t->largest = (struct moq_location){ o->group, o->object };
    t->has_largest = true;
    to_cache(t, m);
    r->objects++;
    r->bytes += o->payload.len;
    for (unsigned i = 0; i < r->host.workers; i++)
        if ((t->followers & bit(i)) != 0)
            post_media(r, i, t->id, m, false);
}

void relay_media(struct relay *r, uint64_t id, const struct moq_object *obj)
{
    struct relay_track *t = find_up(r, id);
    if (!t)
        return;
    const struct object o = { .moq = *obj };
    struct media *m = media_new(id, &o, NULL);
    if (m)
        take_media(r, t, m);
    else
        log_line(LOG_ERROR, "relay: out of memory");
    media_unref(m);
}

void relay_subgroup_end(struct relay *r, uint64_t id, uint64_t group, uint64_t subgroup, bool whole)
{
    struct relay_track *t = find_up(r, id);
    for (size_t i = t ? t->n_cache : 0; i-- > 0;) {
        const struct moq_object *obj = &t->cache[i].media->object.moq;
        if (obj->group != group || obj->subgroup != subgroup)
            continue;
        t->cache[i].ended = whole;
        break;
    }
    for (unsigned i = 0; t && i < r->host.workers; i++) {
        struct relay_note *n =
            (t->followers & bit(i)) != 0 ? note_for(RELAY_END, NULL, NULL) : NULL;
        if (!n)
            continue;
        n->id = t->id;
        n->largest = (struct moq_location){ group, subgroup };
        n->forward = whole;
        post(r, i, n);
    }
}

/* ---- letters ---- */

static void read_of_track(struct relay *r, unsigned worker, struct relay_note *n)
{
    const bool of_subscribers = n->kind == RELAY_LEFT || n->kind == RELAY_ANEW;
    struct relay_track *t = of_subscribers ? find_track(r, n->id) : find_up(r, n->id);
    if (!t)
        return;
    if (n->kind == RELAY_LEFT)
        left(r, t, worker);
    else if (n->kind == RELAY_ANEW)
        anew(r, t);
    else if (t->by.local || t->by.worker != worker)
        return;
    else if (n->kind == RELAY_ON)
        relay_on(r, n->id, n->has_largest ? &n->largest : NULL,
                 (struct moq_bytes){ n->properties, n->properties_len });
    else if (n->kind == RELAY_OFF)
        relay_off(r, n->id, n->code, n->reason);
    else if (n->kind == RELAY_MEDIA)
        take_media(r, t, n->media);
    else if (n->kind == RELAY_END)
        relay_subgroup_end(r, n->id, n->largest.group, n->largest.object, n->forward);
}

void relay_read(struct relay *r, unsigned worker, struct relay_note *n)
{
    const struct publisher by = { .worker = worker, .session = n->session };
    const struct relay_kept name = { n->name, n->name_len };
    const uint64_t wait_ms = n->wait_ms < RELAY_WAIT_MS_MAX ? n->wait_ms : RELAY_WAIT_MS_MAX;
    struct space *s;
    switch (n->kind) {
    case RELAY_ANNOUNCE:
        read_announce(r, worker, n);
        break;
    case RELAY_OFFER:
        read_offer(r, worker, n);
        break;
    case RELAY_WITHDRAW:
        LIST_FOREACH(s, &r->spaces, link)
        {
            if (!s->ours && relay_kept_is(&s->name, n->name, n->name_len) &&
                same_publisher(&s->by, &by))
                break;
        }
        if (s)
            remove_space(r, s);
        break;
    case RELAY_GONE:
        end_publisher(r, &by, MOQ_DONE_INTERNAL_ERROR, "its publisher has gone");
        break;
    case RELAY_WANT:
        want(r, worker, &name, wait_ms * 1000);
        break;
    default:
        read_of_track(r, worker, n);
    }
}

/* ---- on the main loop ---- */

int relay_publish(struct relay *r, const struct moq_name *ns, const struct relay_local *local)
{
    const struct publisher by = { .local = local };
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    const int len = moq_name_pack(ns, packed, sizeof packed);
    if (len < 0 || !add_space(r, packed, (size_t)len, &by, false))
        return -1;
    settle_waits(r);
    return 0;
}

void relay_unpublish(struct relay *r, const struct relay_local *local, const char *reason)
{
    const struct publisher by = { .local = local };
    end_publisher(r, &by, MOQ_DONE_TRACK_ENDED, reason);
}

void relay_list_ours(struct relay *r, const char *ns, bool there)
{
    struct moq_name name;
    uint8_t packed[MOQ_NAME_PACKED_MAX];
    int len = moq_name_from_text(&name, ns, "");
    len = len < 0 ? len : moq_name_pack(&name, packed, sizeof packed);
    if (len < 0)
        return;
    struct space *s = find_exact(r, packed, (size_t)len, true);
    if (there && !s)
        (void)add_space(r, packed, (size_t)len, &(struct publisher){ 0 }, true);
    else if (!there && s)
        remove_space(r, s);
}

void relay_counts(const struct relay *r, struct relay_count *out)
{
    const struct relay_track *t;
    *out = (struct relay_count){ .namespaces = r->n_spaces,
                                 .tracks = r->n_tracks,
                                 .waiting = r->n_waits,
                                 .objects = r->objects,
                                 .bytes = r->bytes };
    LIST_FOREACH(t, &r->tracks, link)
    {
        out->running += t->state == TRACK_ON && t->followers;
    }
}

struct relay *relay_new(const struct relay_host *host)
{
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->host = *host;
    LIST_INIT(&r->spaces);
    LIST_INIT(&r->tracks);
    LIST_INIT(&r->waits);
    return r;
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    while (!LIST_EMPTY(&r->tracks))
        remove_track(r, LIST_FIRST(&r->tracks));
    while (!LIST_EMPTY(&r->waits)) {
        struct relay_kept name = take_wait(r, LIST_FIRST(&r->waits));
        free(name.bytes);
    }
    while (!LIST_EMPTY(&r->spaces)) {
        struct space *s = LIST_FIRST(&r->spaces);
        LIST_REMOVE(s, link);
        free(s->name.bytes);
        free(s);
    }
    free(r);
}
