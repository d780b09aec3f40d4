/*
 * broadcast.c - see broadcast.h.
 *
 *     start, catalog --object--> tracks --all done--> ended
 */
#include "broadcast.h"

#include "early.h"
#include "edition.h"
#include "log.h"
#include "offer.h"
#include "shift.h"

#include <moq/loc.h>
#include <moq/moq.h>
#include <moq/moq_tvl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512
#define JOIN_WAIT_US \
    80000 /* and a round trip, for a live key picture, before what is kept is asked for */
#define LOOK_US 15000000 /* how often it is asked how far back the server goes */

struct track {
    struct broadcast *broadcast;
    enum subscription_kind kind;
    size_t number; /* in the catalog */
    struct svc_layer layer;
    struct moq_subscription *sub; /* NULL: over */
    struct moq_subscribe_options options;
    char name[MSF_NAME_MAX];
};

struct broadcast {
    struct broadcast_config cfg;
    struct moq_tvl glue;
    struct moq_session *moq;
    tvl_time now; /* of the event under way */
    struct broadcast_times times;
    struct msf_catalog catalog;
    bool have_catalog;
    uint64_t edition;                /* its group */
    struct edition *next;            /* waits for its time; NULL: none */
    struct moq_fetch *catalog_fetch; /* of one published before; NULL: none */
    struct track catalog_track, session_track, track[MSF_TRACKS_MAX];
    bool sender_silent; /* it does not say how it serves us */
    size_t n_tracks, n_live;
    bool closing, over; /* by us; by anything */
    struct offer offer; /* of a peer that called */
    bool ending;        /* a track ended in order */
    bool going_away;    /* a track ended for want of the server, not of the broadcast */
    bool warned_properties;
    struct shift *shift; /* NULL: the server keeps nothing */
    bool shifted;        /* what is shown comes from there, the live tracks are not sent */
    bool tail;           /* from there still, but the live tracks are sent again */
    struct early early;  /* live units from then on whose key picture has not come yet */
    bool joined;         /* a picture came, or was asked for from the window ... */
    bool joining;        /* ... unasked, to begin with */
    int64_t position;    /* media time that is shown, us */
    int64_t live_pts;    /* of the newest live unit, us, when `live_at` was now; 0: none */
    tvl_time live_at, looked_at;
};

/* ---- ends ---- */

static void fault_for_now(struct broadcast *b, enum broadcast_fault what, const char *why,
                          double later_s)
{
    if (b->over || b->closing)
        return;
    b->over = true;
    if (b->cfg.server && !b->offer.taken)
        return;
    b->cfg.handler->on_fault(b->cfg.user, what, why, later_s);
}

static void fault(struct broadcast *b, enum broadcast_fault what, const char *why)
{
    fault_for_now(b, what, why, -1);
}

static void track_over(struct broadcast *b, struct track *t)
{
    if (t->sub)
        b->n_live--;
    t->sub = NULL;
    if (b->n_tracks == 0 || b->n_live > 0 || b->over || b->closing)
        return;
    if (b->going_away) {
        fault(b, BROADCAST_BROKEN, "the server is going away");
        return;
    }
    b->over = true;
    b->cfg.handler->on_end(b->cfg.user);
}

/* ---- catalog and tracks ---- */

static int subscribe(struct broadcast *b, struct track *t, const char *name)
{
    struct moq_name full;
    t->broadcast = b;
    snprintf(t->name, sizeof t->name, "%s", name);
    int result = moq_name_from_text(&full, b->cfg.uri->ns, name);
    if (result == 0)
        result = moq_subscribe(b->moq, &full, &t->options, t, &t->sub);
    if (result != 0)
        log_text(LOG_LEVEL_INFO, "cannot ask for track %s: %s", name, moq_strerror(result));
    return result;
}

static int ask_for_catalog(struct broadcast *b)
{
    struct moq_subscribe_options *o = &b->catalog_track.options;
    moq_subscribe_options_init(o);
    o->priority = SUBSCRIPTION_PRIORITY_CATALOG;
    o->filter = MOQ_FILTER_NONE; /* the catalog as it stands, not only its next edition */
    return subscribe(b, &b->catalog_track, MSF_CATALOG_TRACK);
}

/* ---- a publisher that called ---- */

static struct offer_terms terms_of(const struct broadcast *b)
{
    return (struct offer_terms){ b->cfg.uri->ns, b->cfg.handler->may_publish, b->cfg.user };
}

static void on_request(void *user, struct moq_request *r, const struct moq_name *name)
{
    struct broadcast *b = user;
    const struct offer_terms terms = terms_of(b);
    char why[OFFER_REASON_MAX];
    if (!b->cfg.server)
        (void)moq_request_reject(r, MOQ_REQ_NOT_SUPPORTED, "");
    else if (offer_request(&b->offer, b->moq, r, name, &terms, why) == OFFER_OF_USE)
        b->cfg.handler->on_offered(b->cfg.user, b);
    else
        b->cfg.handler->on_refused(b->cfg.user, b, why);
}

/* What runs goes on; what has not begun never will. */
static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    struct broadcast *b = user;
    (void)code;
    (void)reason;
    if (offer_withdrawn(&b->offer, r) && b->n_tracks == 0)
        fault(b, BROADCAST_BROKEN, "the publisher has taken its namespace back");
}

int broadcast_take(struct broadcast *b)
{
    const int result = offer_take(&b->offer);
    return result != 0 ? result : ask_for_catalog(b);
}

void broadcast_refuse(struct broadcast *b, uint64_t code, const char *why)
{
    offer_refuse(&b->offer, code, why);
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct broadcast *b = user;
    const struct offer_terms terms = terms_of(b);
    (void)path;
    (void)authority;
    b->times.setup = b->now;
    if (b->cfg.server)
        offer_setup(&b->offer, b->moq, &terms);
}

static bool wanted(const struct broadcast *b, const struct track *t)
{
    if (b->cfg.paused || (b->shifted && !b->tail))
        return false;
    if (b->cfg.handler->is_wanted && !b->cfg.handler->is_wanted(b->cfg.user, t->number))
        return false;
    return t->kind != SUBSCRIPTION_VIDEO ||
           (t->layer.spatial <= b->cfg.top.spatial && t->layer.temporal <= b->cfg.top.temporal);
}

/* The one that is subscribed to under that name and for that; NULL: none. */
static struct track *track_for(struct broadcast *b, const struct subscription_item *item)
{
    for (size_t i = 0; i < b->n_tracks; i++)
        if (b->track[i].sub && b->track[i].kind == item->kind &&
            strcmp(b->track[i].name, b->catalog.tracks[item->track].name) == 0)
            return &b->track[i];
    return NULL;
}

/* A place of one that is over, or the next; NULL: all are taken. */
static struct track *free_track(struct broadcast *b)
{
    for (size_t i = 0; i < b->n_tracks; i++)
        if (!b->track[i].sub)
            return &b->track[i];
    return b->n_tracks < MSF_TRACKS_MAX ? &b->track[b->n_tracks] : NULL;
}

static void subscribe_tracks(struct broadcast *b, const struct subscription_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct subscription_item *item = &plan->item[i];
        struct track *t = free_track(b);
        if (!t || track_for(b, item))
            continue;
        t->kind = item->kind;
        t->number = item->track;
        t->layer = item->layer;
        moq_subscribe_options_init(&t->options);
        t->options.priority = item->priority;
        t->options.filter = MOQ_FILTER_NEXT_GROUP;
        t->options.forward = wanted(b, t);
        if (subscribe(b, t, b->catalog.tracks[item->track].name) == 0) {
            b->n_tracks += t == &b->track[b->n_tracks];
            b->n_live++;
        }
    }
}

static bool is_base(const struct track *t)
{
    return t->kind == SUBSCRIPTION_VIDEO && t->layer.spatial == 0 && t->layer.temporal == 0;
}

static void open_shift(struct broadcast *b);

/* Of the subscriptions those that the new edition still has; `kept` numbers and layers are its. */
static void drop_tracks(struct broadcast *b, const struct subscription_plan *plan)
{
    bool kept[MSF_TRACKS_MAX] = { false };
    for (size_t i = 0; i < plan->n; i++) {
        struct track *t = track_for(b, &plan->item[i]);
        if (!t)
            continue;
        t->number = plan->item[i].track;
        t->layer = plan->item[i].layer;
        kept[t - b->track] = true;
    }
    for (size_t i = 0; i < b->n_tracks; i++) {
        if (!b->track[i].sub || kept[i])
            continue;
        moq_unsubscribe(b->track[i].sub);
        b->track[i].sub = NULL;
        b->n_live--;
    }
}

/* Not while what is kept is given out: its tracks are those of before. */
static void take_edition(struct broadcast *b)
{
    struct edition *e = b->next;
    if (!e || b->over || b->closing || (b->shift && !shift_is_idle(b->shift)))
        return;
    b->next = NULL;
    b->edition = e->group;
    b->catalog = e->catalog;
    drop_tracks(b, &e->plan);
    b->cfg.handler->on_catalog(b->cfg.user, &b->catalog, &e->plan);
    subscribe_tracks(b, &e->plan);
    open_shift(b);
    free(e);
}

static void follow_catalog(struct broadcast *b, const struct moq_object *obj)
{
    if (!b->cfg.follow || obj->group <= (b->next ? b->next->group : b->edition))
        return;
    struct edition *e = edition_read(obj, &b->cfg.wish);
    if (!e)
        return;
    free(b->next);
    b->next = e;
    take_edition(b);
}

static void take_catalog(struct broadcast *b, const struct moq_object *obj)
{
    char why[200], line[LINE_MAX_BYTES];
    struct subscription_plan plan;
    if (obj->object != 0 || obj->status != 0)
        return;
    if (b->have_catalog) {
        follow_catalog(b, obj);
        return;
    }
    if (msf_catalog_read(&b->catalog, (const char *)obj->payload.bytes, obj->payload.len, why,
                         sizeof why) != 0) {
        snprintf(line, sizeof line, "the catalog is not understood: %s", why);
        fault(b, BROADCAST_WRONG, line);
        return;
    }
    b->have_catalog = true;
    b->edition = obj->group;
    b->times.catalog = b->now;
    if (subscription_decide(&plan, &b->catalog, &b->cfg.wish, why, sizeof why) != 0) {
        fault(b, BROADCAST_WRONG, why);
        return;
    }
    b->cfg.handler->on_catalog(b->cfg.user, &b->catalog, &plan);
    subscribe_tracks(b, &plan);
    open_shift(b);
    if (b->cfg.start && b->shift && broadcast_seek(b, b->cfg.start_pts) != 0)
        log_text(LOG_LEVEL_INFO, "the place to begin at cannot be asked for");
    broadcast_ask_sender(b, b->cfg.ask_sender);
}

/* ---- how the sender serves us ---- */

static void ask_for_session_track(struct broadcast *b)
{
    struct track *t = &b->session_track;
    const char *name = NULL;
    for (size_t i = 0; i < b->catalog.n_tracks && !name; i++)
        if (strcmp(b->catalog.tracks[i].packaging, SENDER_PACKAGING) == 0)
            name = b->catalog.tracks[i].name;
    moq_subscribe_options_init(&t->options);
    t->options.priority = SUBSCRIPTION_PRIORITY_SESSION;
    t->options.filter = MOQ_FILTER_NEXT_GROUP;
    b->sender_silent = !name || subscribe(b, t, name) != 0;
    if (b->sender_silent)
        b->cfg.handler->on_sender(b->cfg.user, &(struct sender_view){ .silent = true });
}

static void session_track_over(struct broadcast *b)
{
    b->session_track.sub = NULL;
    b->sender_silent = true;
    b->cfg.handler->on_sender(b->cfg.user, &(struct sender_view){ .silent = true });
}

static void forward(struct track *t, bool wanted);

void broadcast_ask_sender(struct broadcast *b, bool ask)
{
    b->cfg.ask_sender = ask;
    if (!b->have_catalog || b->sender_silent || b->over || b->closing)
        return;
    if (b->session_track.sub)
        forward(&b->session_track, ask);
    else if (ask)
        ask_for_session_track(b);
}

/* What a relay passes on of its own session is not about ours. */
static void take_session(struct broadcast *b, const struct moq_object *obj)
{
    uint8_t id[TVL_ORIGINAL_ID_MAX];
    struct sender_view v;
    const int result = sender_view_read(&v, (const char *)obj->payload.bytes, obj->payload.len, id,
                                        tvl_conn_original_id(b->glue.conn, id));
    if (result == 0 && b->cfg.ask_sender)
        b->cfg.handler->on_sender(b->cfg.user, &v);
    if (result != SENDER_OTHERS)
        return;
    moq_unsubscribe(b->session_track.sub);
    session_track_over(b);
}

/* ---- objects ---- */

static void take_layer(struct broadcast *b, const struct track *t, const struct moq_object *obj,
                       const struct loc_properties *p, int64_t pts)
{
    struct svc_unit unit = { .bytes = obj->payload.bytes,
                             .len = obj->payload.len,
                             .picture = p->picture,
                             .pts = pts,
                             .layer = t->layer,
                             .captured = p->captured <= INT64_MAX ? (int64_t)p->captured : 0,
                             .encode_us = p->encode_us <= UINT32_MAX ? (uint32_t)p->encode_us : 0 };
    if (!p->has_picture || p->dependencies_len == 0 ||
        svc_deps_decode(&unit.deps, p->picture, p->dependencies, p->dependencies_len) != 0) {
        if (!b->warned_properties)
            log_text(LOG_LEVEL_WARN,
                     "track %s: objects without picture number and dependencies "
                     "are left out",
                     t->name);
        b->warned_properties = true;
        return;
    }
    unit.key = unit.layer.spatial == 0 && unit.deps.n_reads == 0;
    if (b->times.first_unit == 0)
        b->times.first_unit = b->now;
    b->cfg.handler->on_unit(b->cfg.user, t->number, &unit);
}

static void deliver(struct broadcast *b, const struct track *t, const struct moq_object *obj)
{
    struct loc_properties p;
    int64_t pts;
    if (obj->status != 0 || obj->payload.len == 0 ||
        loc_properties_decode(&p, obj->properties.bytes, obj->properties.len) != 0 ||
        !loc_media_time(&p, &pts))
        return;
    if (t->kind == SUBSCRIPTION_AUDIO) {
        b->cfg.handler->on_sound(b->cfg.user, t->number, obj->payload.bytes, obj->payload.len, pts);
        return;
    }
    if (t->kind == SUBSCRIPTION_DATA) {
        if (b->cfg.handler->on_data)
            b->cfg.handler->on_data(
                b->cfg.user,
                &(struct broadcast_data){ .track = t->number,
                                          .number = obj->group << 16 | (obj->object & 0xffff),
                                          .bytes = obj->payload.bytes,
                                          .len = obj->payload.len,
                                          .pts = pts });
        return;
    }
    if (!b->shifted && pts > b->live_pts) { /* the last of the past may still come */
        b->live_pts = pts;
        b->live_at = b->now;
    }
    take_layer(b, t, obj, &p, pts);
}

static void give_early(void *user, size_t track, const struct moq_object *obj)
{
    struct broadcast *b = user;
    if (!b->closing && !b->over && !b->cfg.paused)
        deliver(b, &b->track[track], obj);
}

static void on_object(void *user, struct moq_subscription *sub, const struct moq_object *obj)
{
    struct broadcast *b = user;
    const struct track *t = moq_subscription_user(sub);
    if (b->closing || b->over)
        return;
    if (t == &b->catalog_track) {
        take_catalog(b, obj);
        return;
    }
    if (t == &b->session_track) {
        take_session(b, obj);
        return;
    }
    if (b->tail && is_base(t) && obj->object == 0)
        shift_live_key(b->shift, obj->group);
    if (b->shifted && b->tail && t->kind == SUBSCRIPTION_VIDEO)
        early_put(&b->early, (size_t)(t - b->track), obj);
    if (b->shifted && (!b->tail || t->kind == SUBSCRIPTION_VIDEO))
        return; /* on its way when the past was asked for; or not to be decoded before a key picture
                 */
    b->joined = b->joined || is_base(t);
    deliver(b, t, obj);
    if (t->kind == SUBSCRIPTION_VIDEO && !b->shifted)
        early_give(&b->early, obj->group, give_early, b);
}

static void on_object_lost(void *user, struct moq_subscription *sub, uint64_t group,
                           uint64_t object, uint64_t code)
{
    struct broadcast *b = user;
    const struct track *t = moq_subscription_user(sub);
    (void)group;
    (void)object;
    (void)code;
    if (t != &b->catalog_track && t != &b->session_track && t->kind == SUBSCRIPTION_VIDEO &&
        !b->closing && !b->over)
        b->cfg.handler->on_given_up(b->cfg.user, t->layer);
}

/* ---- the past ---- */

static void forward_wanted(struct broadcast *b);

static void on_past_object(void *user, size_t track, const struct moq_object *obj)
{
    struct broadcast *b = user;
    if (track < b->n_tracks && !b->closing && !b->over && !b->cfg.paused)
        deliver(b, &b->track[track], obj);
}

static void on_tail(void *user)
{
    struct broadcast *b = user;
    b->tail = true;
    forward_wanted(b);
}

static void on_caught_up(void *user)
{
    struct broadcast *b = user;
    b->shifted = b->tail = false;
    if (!b->joining)
        b->cfg.handler->on_live(b->cfg.user, NULL);
}

static void on_past_failed(void *user, const char *why)
{
    struct broadcast *b = user;
    b->shifted = b->tail = false;
    forward_wanted(b);
    if (!b->joining) /* else there is nothing yet: it comes live */
        b->cfg.handler->on_live(b->cfg.user, why);
    early_give(&b->early, 0, give_early, b);
}

static int64_t pts_of(void *user, size_t track, const struct moq_object *obj)
{
    struct loc_properties p;
    int64_t pts;
    (void)user;
    (void)track;
    if (loc_properties_decode(&p, obj->properties.bytes, obj->properties.len) != 0 ||
        !loc_media_time(&p, &pts))
        return -1;
    return pts;
}

static const struct shift_handler shift_handler = {
    .on_object = on_past_object,
    .on_tail = on_tail,
    .on_over = on_caught_up,
    .on_failed = on_past_failed,
    .pts_of = pts_of,
};

static void open_shift(struct broadcast *b)
{
    struct shift_track track[MSF_TRACKS_MAX];
    const char *timeline = shift_timeline_of(&b->catalog, "video");
    const char *of_sound = shift_timeline_of(&b->catalog, "audio");
    if (!timeline || b->over ||
        (!b->shift && shift_new(&b->shift, b->moq, b->cfg.uri->ns, &shift_handler, b) != 0))
        return;
    shift_set_timelines(b->shift, timeline, of_sound);
    for (size_t i = 0; i < b->n_tracks; i++) {
        const struct track *t = &b->track[i];
        track[i] = (struct shift_track){ .sound = t->kind == SUBSCRIPTION_AUDIO,
                                         .base = is_base(t),
                                         .priority = t->options.priority };
        memcpy(track[i].name, t->name, sizeof track[i].name);
    }
    shift_set_tracks(b->shift, track, b->n_tracks);
    b->looked_at = b->now;
    shift_look(b->shift);
}

/* Of a catalog that was published before we came a relay sends nothing by itself: it is fetched. */
static void on_subscribed(void *user, struct moq_subscription *sub,
                          const struct moq_location *largest)
{
    struct broadcast *b = user;
    struct moq_fetch_options o;
    if (moq_subscription_user(sub) != &b->catalog_track || !largest || b->have_catalog ||
        b->closing || b->over)
        return;
    moq_fetch_options_init(&o);
    o.kind = MOQ_FETCH_RELATIVE;
    o.join = sub;
    if (moq_fetch(b->moq, NULL, &o, b, &b->catalog_fetch) < 0)
        b->catalog_fetch = NULL; /* the next edition will come */
}

static void on_fetch_object(void *user, struct moq_fetch *f, const struct moq_object *obj)
{
    struct broadcast *b = user;
    if (f == b->catalog_fetch) {
        if (!b->closing && !b->over)
            take_catalog(b, obj);
        return;
    }
    if (b->shift)
        shift_on_object(b->shift, f, obj);
}

static void on_fetch_done(void *user, struct moq_fetch *f, bool whole, uint64_t code)
{
    struct broadcast *b = user;
    if (f == b->catalog_fetch) {
        b->catalog_fetch = NULL;
        return;
    }
    (void)whole;
    (void)code;
    if (b->shift)
        shift_on_done(b->shift, f);
}

static void on_fetch_refused(void *user, struct moq_fetch *f, uint64_t code, const char *reason)
{
    struct broadcast *b = user;
    if (f == b->catalog_fetch) {
        b->catalog_fetch = NULL;
        return;
    }
    if (b->shift)
        shift_on_refused(b->shift, f, code, reason);
}

bool broadcast_has_window(const struct broadcast *b)
{
    return b && b->shift;
}

int broadcast_seek(struct broadcast *b, int64_t pts_us)
{
    if (!b->shift)
        return MOQ_ERR_STATE;
    early_drop(&b->early);
    b->shifted = true;
    b->tail = false;
    b->joined = true;
    b->joining = false;
    b->position = pts_us < INT64_MAX ? pts_us : 0;
    forward_wanted(b);
    const int result = shift_seek(b->shift, pts_us);
    if (result != 0) {
        b->shifted = false;
        forward_wanted(b);
    }
    return result;
}

void broadcast_live(struct broadcast *b)
{
    if (b->shift)
        shift_stop(b->shift);
    b->shifted = b->tail = false;
    forward_wanted(b);
}

void broadcast_set_position(struct broadcast *b, int64_t pts_us)
{
    b->position = pts_us;
}

bool broadcast_is_live(const struct broadcast *b)
{
    return b && !b->shifted;
}

bool broadcast_reach(const struct broadcast *b, int64_t *oldest_us, int64_t *live_us)
{
    int64_t newest;
    if (!b || !b->shift || !shift_window(b->shift, oldest_us, &newest))
        return false;
    *live_us = b->live_at ? b->live_pts + (int64_t)(b->now - b->live_at) : newest;
    return true;
}

/* The newest key picture that is kept, until a live one comes; the live tracks are sent meanwhile.
 */
static void join(struct broadcast *b)
{
    b->joined = b->joining = true;
    b->shifted = b->tail = true;
    if (shift_seek(b->shift, INT64_MAX) != 0)
        b->shifted = b->tail = false;
}

/* Now and then: how far back it goes; and whoever waits for a key picture may have one that is
 * kept. */
static void tick_shift(struct broadcast *b, tvl_time now)
{
    if (!b->shift || b->over || b->closing)
        return;
    if (now - b->looked_at >= LOOK_US) {
        b->looked_at = now;
        shift_look(b->shift);
    }
    const tvl_time round_trip = b->times.catalog - b->times.began;
    if (!b->joined && !b->cfg.paused && now - b->times.catalog >= JOIN_WAIT_US + round_trip)
        join(b);
    if (!b->cfg.paused)
        shift_tick(b->shift, b->position, now);
}

/* ---- answers ---- */

static bool has_other_video(const struct broadcast *b, const struct track *than)
{
    for (size_t i = 0; i < b->n_tracks; i++)
        if (&b->track[i] != than && b->track[i].sub && is_base(&b->track[i]))
            return true;
    return false;
}

static void on_rejected(void *user, struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct broadcast *b = user;
    struct track *t = moq_subscription_user(sub);
    char line[LINE_MAX_BYTES];
    uint64_t after_ms;
    snprintf(line, sizeof line, "the server refuses \"%.100s\" track %s: %.200s (0x%llx)",
             b->cfg.uri->ns, t->name, *reason ? reason : "no reason given",
             (unsigned long long)code);
    const double later_s = moq_subscription_may_retry(sub, &after_ms) ? (double)after_ms / 1e3 : -1;
    if (t == &b->catalog_track) {
        t->sub = NULL;
        fault_for_now(b, subscription_may_come(code) ? BROADCAST_ABSENT : BROADCAST_REFUSED, line,
                      later_s);
        return;
    }
    if (t == &b->session_track) {
        log_text(LOG_LEVEL_INFO, "%s", line);
        session_track_over(b);
        return;
    }
    log_text(LOG_LEVEL_WARN, "%s", line);
    if (is_base(t) && !has_other_video(b, t))
        fault_for_now(b, subscription_may_come(code) ? BROADCAST_ABSENT : BROADCAST_REFUSED, line,
                      later_s);
    track_over(b, t);
}

static bool is_end(uint64_t status)
{
    return status == MOQ_DONE_TRACK_ENDED || status == MOQ_DONE_SUBSCRIPTION_ENDED;
}

static void on_done(void *user, struct moq_subscription *sub, uint64_t status, const char *reason)
{
    struct broadcast *b = user;
    struct track *t = moq_subscription_user(sub);
    log_text(LOG_LEVEL_INFO, "track %s is over: status 0x%llx %s", t->name,
             (unsigned long long)status, reason);
    if (t == &b->catalog_track) {
        t->sub = NULL;
        return;
    }
    if (t == &b->session_track) {
        session_track_over(b);
        return;
    }
    b->going_away = b->going_away || !is_end(status);
    b->ending = b->ending || is_end(status);
    track_over(b, t);
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct broadcast *b = user;
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof line, "the session broke: %.200s (0x%llx)",
             *reason ? reason : "no reason given", (unsigned long long)code);
    if (code != MOQ_NO_ERROR)
        fault(b, BROADCAST_BROKEN, line);
}

static const struct moq_handler moq_handler = {
    .on_setup = on_setup,
    .on_closed = on_closed,
    .on_subscribed = on_subscribed,
    .on_object = on_object,
    .on_object_lost = on_object_lost,
    .on_rejected = on_rejected,
    .on_done = on_done,
    .on_fetch_object = on_fetch_object,
    .on_fetch_done = on_fetch_done,
    .on_fetch_refused = on_fetch_refused,
    .on_request = on_request,
    .on_request_end = on_request_end,
};

/* ---- life ---- */

int broadcast_new(struct broadcast **out, const struct broadcast_config *cfg, struct tvl_conn *conn)
{
    char path[URI_NAMESPACE_MAX + 1];
    struct moq_quic quic;
    struct moq_session_config moq = { .server = cfg->server,
                                      .authority = cfg->uri->authority,
                                      .path = path,
                                      .implementation = cfg->implementation,
                                      .token.value = cfg->token };
    struct broadcast *b = calloc(1, sizeof *b);
    if (!b)
        return MOQ_ERR_NOMEM;
    b->cfg = *cfg;
    snprintf(path, sizeof path, "/%s", cfg->uri->ns);
    moq_tvl_init(&b->glue, conn, &quic);
    int result = moq_session_new(&b->moq, &moq, &quic, &moq_handler, b);
    if (result == 0)
        result = moq_session_start(b->moq);
    if (result == 0 && !cfg->server)
        result = ask_for_catalog(b); /* ahead of the server's SETUP: a round trip less */
    if (result != 0) {
        broadcast_free(b);
        return result;
    }
    *out = b;
    return 0;
}

void broadcast_free(struct broadcast *b)
{
    if (!b)
        return;
    b->closing = true;
    shift_free(b->shift);
    b->shift = NULL;
    moq_session_free(b->moq);
    early_drop(&b->early);
    free(b->next);
    free(b);
}

void broadcast_close(struct broadcast *b, tvl_time now)
{
    b->closing = true;
    b->glue.now = now;
    moq_session_close(b->moq, MOQ_NO_ERROR, "");
}

void broadcast_event(struct broadcast *b, const struct tvl_event *ev, tvl_time now)
{
    b->now = now;
    if (b->times.began == 0)
        b->times.began = now;
    moq_tvl_on_event(&b->glue, b->moq, ev, now);
}

void broadcast_tick(struct broadcast *b, tvl_time now)
{
    b->now = b->glue.now = now;
    moq_session_tick(b->moq, now);
    tick_shift(b, now);
    take_edition(b);
}

/* ---- wishes ---- */

static void forward(struct track *t, bool wanted)
{
    struct moq_subscribe_options o = t->options;
    if (!t->sub || o.forward == wanted)
        return;
    o.forward = wanted;
    int result = moq_subscription_update(t->sub, &o);
    if (result == 0)
        t->options = o;
    else
        log_text(LOG_LEVEL_WARN, "track %s: %s", t->name, moq_strerror(result));
}

static void forward_wanted(struct broadcast *b)
{
    for (size_t i = 0; i < b->n_tracks; i++)
        forward(&b->track[i], wanted(b, &b->track[i]));
}

void broadcast_ask(struct broadcast *b, struct svc_layer top)
{
    b->cfg.top = top;
    forward_wanted(b);
}

void broadcast_ask_key(struct broadcast *b, size_t base)
{
    for (size_t i = 0; i < b->n_tracks; i++) {
        const struct track *t = &b->track[i];
        struct moq_subscribe_options o = t->options;
        if (!is_base(t) || !t->sub || !o.forward ||
            (base != BROADCAST_EVERY_VIDEO && base != t->number) ||
            !moq_has_dynamic_groups(moq_subscription_properties(t->sub)))
            continue;
        o.has_new_group = true;
        o.new_group = 0;
        if (moq_subscription_update(t->sub, &o) != 0)
            log_text(LOG_LEVEL_INFO, "no new group can be asked for");
    }
}

void broadcast_pause(struct broadcast *b, bool paused)
{
    b->cfg.paused = paused;
    forward_wanted(b);
}

const struct broadcast_times *broadcast_times(const struct broadcast *b)
{
    return &b->times;
}

bool broadcast_ending(const struct broadcast *b)
{
    return b && b->ending && !b->going_away;
}
