/* publisher.c - see publisher.h. */
#include "publisher.h"

#include "log.h"
#include "object.h"
#include "way.h"

#include <moq/loc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_TRACKS (TRACKS_MAX + PUBLISHER_OPAQUE_MAX)
#define SENDINGS_MAX (2 * ALL_TRACKS)
#define PRIORITY_OPAQUE 100
_Static_assert(ALL_TRACKS <= TVL_FLOWS_MAX, "a flow for each track");

struct sending {
    struct moq_sending *sending; /* NULL: free */
    int track;                   /* index as in struct publisher; -1: not described yet */
    char name[MSF_NAME_MAX];
};

struct publisher_caller {
    struct publisher *publisher;
    struct publisher_caller *next;
    struct way way;
    struct moq_session *moq;
    bool server, refused;
    char reason[256];
    struct sending sending[SENDINGS_MAX];
};

struct publisher {
    struct publisher_config cfg;
    char ns[MOQ_FULL_NAME_MAX + 1];
    bool described, ended;
    struct tracks tracks;
    struct publisher_opaque opaque[PUBLISHER_OPAQUE_MAX]; /* track numbers from tracks.n */
    size_t n_opaque;
    uint64_t opaque_group[PUBLISHER_OPAQUE_MAX];
    struct object_counter counter;
    char catalog[TRACKS_CATALOG_JSON_MAX];
    size_t catalog_len;
    uint64_t catalog_group;
    struct moq_location largest[ALL_TRACKS];
    bool has_largest[ALL_TRACKS];
    struct track_counts counts;
    uint32_t flow[ALL_TRACKS]; /* of each track */
    uint64_t left_out;         /* beside what is in `counts`: of no track */
    struct publisher_caller *callers;
    tvl_time refreshed_at[SVC_SPATIAL_MAX]; /* 0: never */
};

/* ---- tracks ---- */

static int find_track(const struct publisher *p, const char *name)
{
    const int i = tracks_find(&p->tracks, name, strlen(name));
    if (i >= 0)
        return i;
    for (size_t k = 0; k < p->n_opaque; k++)
        if (strcmp(p->opaque[k].name, name) == 0)
            return (int)(p->tracks.n + k);
    return -1;
}

static bool is_catalog(const struct publisher *p, int track)
{
    return track >= 0 && (size_t)track < p->tracks.n &&
           p->tracks.track[track].kind == TRACK_CATALOG;
}

static bool is_base(const struct publisher *p, int track)
{
    const struct track *t = (size_t)track < p->tracks.n ? &p->tracks.track[track] : NULL;
    return t && t->kind == TRACK_LAYER && t->layer.spatial == 0 && t->layer.temporal == 0;
}

static struct moq_object catalog_object(const struct publisher *p)
{
    return (struct moq_object){ .group = p->catalog_group,
                                .payload = { (const uint8_t *)p->catalog, p->catalog_len } };
}

/* ---- who subscribes ---- */

static void key_wanted(const struct publisher *p)
{
    if (p->cfg.on_key_wanted)
        p->cfg.on_key_wanted(p->cfg.user);
}

static void answer(struct publisher_caller *c, struct sending *s)
{
    const struct publisher *p = c->publisher;
    struct moq_sending *sending = s->sending;
    s->track = find_track(p, s->name);
    if (s->track < 0 || p->ended) {
        s->sending = NULL;
        moq_reject(sending, MOQ_REQ_DOES_NOT_EXIST, p->ended ? "it has ended" : "no such track");
        return;
    }
    const bool catalog = is_catalog(p, s->track);
    const struct moq_location in_catalog = { p->catalog_group, 0 };
    const struct moq_location *largest = catalog                    ? &in_catalog
                                         : p->has_largest[s->track] ? &p->largest[s->track]
                                                                    : NULL;
    if (moq_accept(sending, largest, MOQ_DYNAMIC_GROUPS) < 0)
        return;
    const struct moq_object obj = catalog_object(p);
    if (catalog)
        (void)moq_object_write(sending, &obj, 0);
    if (is_base(p, s->track))
        key_wanted(p);
}

static bool is_ours(const struct publisher *p, const struct moq_name *name)
{
    struct moq_name ours;
    if (moq_name_from_text(&ours, p->ns, "") < 0)
        return false;
    ours.track = name->track;
    return moq_name_equal(&ours, name);
}

static void on_subscribe(void *user, struct moq_sending *sending, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct publisher_caller *c = user;
    struct sending *s = NULL;
    (void)o;
    for (size_t i = 0; i < SENDINGS_MAX && !s; i++)
        if (!c->sending[i].sending)
            s = &c->sending[i];
    if (!is_ours(c->publisher, name) || name->track.len >= MSF_NAME_MAX) {
        moq_reject(sending, MOQ_REQ_DOES_NOT_EXIST, "no such track");
        return;
    }
    if (!s) {
        moq_reject(sending, MOQ_REQ_EXCESSIVE_LOAD, "too many tracks");
        return;
    }
    *s = (struct sending){ .sending = sending, .track = -1 };
    memcpy(s->name, name->track.bytes, name->track.len);
    moq_sending_set_user(sending, s);
    if (c->publisher->described)
        answer(c, s);
}

static void on_update(void *user, struct moq_sending *sending,
                      const struct moq_subscribe_options *o)
{
    const struct publisher_caller *c = user;
    const struct sending *s = moq_sending_user(sending);
    if (s && s->track >= 0 && o->has_new_group &&
        (o->new_group == 0 || c->publisher->counter.group < o->new_group))
        key_wanted(c->publisher);
}

static void on_cancelled(void *user, struct moq_sending *sending)
{
    struct sending *s = moq_sending_user(sending);
    (void)user;
    if (s)
        s->sending = NULL;
}

/* The catalog is all of the past that there is. */
static void on_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o)
{
    const struct publisher *p = ((struct publisher_caller *)user)->publisher;
    const bool catalog = is_ours(p, name) && name->track.len == strlen(MSF_CATALOG_TRACK) &&
                         memcmp(name->track.bytes, MSF_CATALOG_TRACK, name->track.len) == 0;
    if (!catalog || !p->described || o->start.group > p->catalog_group) {
        moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "nothing of it is kept here");
        return;
    }
    const struct moq_object obj = catalog_object(p);
    if (moq_fetch_accept(f, false, (struct moq_location){ p->catalog_group, 1 },
                         (struct moq_bytes){ 0 }) == 0 &&
        moq_fetch_write(f, &obj) == 0)
        (void)moq_fetch_end(f);
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct publisher_caller *c = user;
    struct moq_request *request;
    struct moq_name ns;
    (void)path;
    (void)authority;
    if (c->server)
        return;
    int rc = moq_name_from_text(&ns, c->publisher->ns, "");
    if (rc == 0)
        rc = moq_request(c->moq, MOQ_REQUEST_PUBLISH_NAMESPACE, &ns, NULL, &request);
    if (rc < 0)
        log_text(LOG_LEVEL_WARN, "PUBLISH_NAMESPACE: %s", moq_strerror(rc));
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    struct publisher_caller *c = user;
    (void)r;
    c->refused = true;
    snprintf(c->reason, sizeof c->reason, "the relay does not take \"%.80s\": %.100s (0x%llx)",
             c->publisher->ns, *reason ? reason : "no reason given", (unsigned long long)code);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_subscribe = on_subscribe,
    .on_update = on_update,
    .on_cancelled = on_cancelled,
    .on_fetch = on_fetch,
    .on_request_end = on_request_end,
};

/* ---- what is written ---- */

static struct track_count *count_of(struct publisher *p, int track)
{
    return &p->counts.of[p->flow[track]];
}

/* 0, or what is wrong: MOQ_ERR_STATE is not wanted. */
static int write_object(struct publisher_caller *c, const struct sending *s,
                        const struct moq_object *obj, uint64_t lifetime_us)
{
    struct track_count *count = count_of(c->publisher, s->track);
    const bool full = tvl_backlog(c->way.wire.tvl.conn, UINT64_MAX) > PUBLISHER_BACKLOG_MAX;
    const int rc = full ? MOQ_ERR_FULL : moq_object_write(s->sending, obj, lifetime_us);
    count->written += rc == 0;
    count->bytes += rc == 0 ? obj->payload.len : 0;
    count->left_out += rc != 0 && rc != MOQ_ERR_STATE; /* not wanted is not lost */
    return rc;
}

static bool takes(const struct sending *s, int track)
{
    return s->sending && s->track == track && moq_sending_options(s->sending)->forward;
}

static void write_to(struct publisher_caller *c, int track, const struct moq_object *obj,
                     uint64_t lifetime_us)
{
    way_aim(&c->way, c->publisher->flow[track], POLICY_RESCUE);
    for (size_t i = 0; i < SENDINGS_MAX; i++)
        if (takes(&c->sending[i], track))
            (void)write_object(c, &c->sending[i], obj, lifetime_us);
}

/* As the policy says; told to it once, however many subscriptions there are to the track. */
static void write_unit(struct publisher_caller *c, int track, const struct moq_object *obj,
                       const struct svc_unit *unit, uint64_t budget_us)
{
    const struct tracks *t = &c->publisher->tracks;
    struct policy_order order = { .verdict = POLICY_DROP_BROKEN };
    bool judged = false, sent = false;
    for (size_t i = 0; i < SENDINGS_MAX; i++) {
        if (!takes(&c->sending[i], track))
            continue;
        if (!judged) {
            order = way_judge(&c->way, t, (size_t)track, unit, budget_us);
            way_aim(&c->way, c->publisher->flow[track], order.protection);
        }
        judged = true;
        if (order.verdict != POLICY_SEND) {
            count_of(c->publisher, track)->left_out++;
            continue;
        }
        if (write_object(c, &c->sending[i], obj, order.lifetime_us) == 0 && !sent) {
            way_sent(&c->way, unit);
            sent = true;
        }
    }
}

static void note_largest(struct publisher *p, int track, const struct moq_object *obj)
{
    p->largest[track] = (struct moq_location){ obj->group, obj->object };
    p->has_largest[track] = true;
}

void publisher_time(struct publisher *p, tvl_time now)
{
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        c->way.wire.tvl.now = now;
}

void publisher_packet(struct publisher *p, const struct svc_packet *packet)
{
    const uint64_t budget_us = (uint64_t)p->cfg.latency_ms * 1000;
    struct object o;
    if (!p->described || p->ended || object_make(&p->counter, &p->tracks, packet, &o) < 0) {
        p->left_out++;
        return;
    }
    o.moq.properties.bytes = o.properties;
    note_largest(p, (int)o.track, &o.moq);
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        if (packet->kind == SVC_VIDEO)
            write_unit(c, (int)o.track, &o.moq, &packet->unit, budget_us);
        else
            write_to(c, (int)o.track, &o.moq, policy_sound_lifetime(budget_us));
}

void publisher_opaque_packet(struct publisher *p, size_t which, const uint8_t *bytes, size_t len,
                             int64_t pts_us)
{
    const struct loc_properties loc = { .has_timestamp = true,
                                        .timestamp = pts_us > 0 ? (uint64_t)pts_us : 0,
                                        .timescale = TRACKS_TIMESCALE };
    uint8_t properties[OBJECT_PROPERTIES_MAX];
    const int n = loc_properties_encode(&loc, properties, sizeof properties);
    if (!p->described || p->ended || which >= p->n_opaque || n < 0 || len > MOQ_OBJECT_MAX) {
        p->left_out++;
        return;
    }
    const int track = (int)(p->tracks.n + which);
    const struct moq_object obj = { .group = p->opaque_group[which]++,
                                    .priority = PRIORITY_OPAQUE,
                                    .properties = { properties, (size_t)n },
                                    .payload = { bytes, len } };
    note_largest(p, track, &obj);
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        write_to(c, track, &obj, (uint64_t)p->cfg.latency_ms * 1000 * PUBLISHER_OPAQUE_LIVES);
}

/* ---- what was lost ---- */

/* What all who have begun are known to hold. */
static struct svc_tracker held_in_common(const struct publisher *p)
{
    struct svc_tracker held = { 0 };
    bool any = false;
    for (const struct publisher_caller *c = p->callers; c; c = c->next) {
        if (!policy_begun(&c->way.policy))
            continue;
        const struct svc_tracker *k = &c->way.held.known;
        for (unsigned i = 0; i < SVC_SLOTS && any; i++)
            held.slot[i].valid = held.slot[i].valid && k->slot[i].valid &&
                                 held.slot[i].spatial == k->slot[i].spatial &&
                                 held.slot[i].picture == k->slot[i].picture;
        held = any ? held : *k;
        any = true;
    }
    return held;
}

/* Something arrives at `c`: help will, too. */
static void ask_for_missed(struct publisher_caller *c, tvl_time now)
{
    struct publisher *p = c->publisher;
    const unsigned spatial = way_missed(&c->way);
    if (spatial >= SVC_SPATIAL_MAX || !p->cfg.on_missed ||
        (p->refreshed_at[spatial] &&
         now - p->refreshed_at[spatial] < PUBLISHER_REFRESH_APART_US)) /* asked for once more then */
        return;
    for (unsigned s = spatial; s < SVC_SPATIAL_MAX; s++)
        p->refreshed_at[s] = now;
    c->way.missed = SVC_SPATIAL_MAX;
    const struct svc_tracker held = held_in_common(p);
    p->cfg.on_missed(p->cfg.user, spatial, &held);
}

void publisher_end(struct publisher *p)
{
    p->ended = true;
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        for (size_t i = 0; i < SENDINGS_MAX; i++) {
            struct moq_sending *s = c->sending[i].sending;
            c->sending[i].sending = NULL;
            if (s && c->sending[i].track >= 0)
                (void)moq_done(s, MOQ_DONE_TRACK_ENDED, "the broadcast has ended");
            else if (s)
                moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "it has ended");
        }
}

void publisher_counts(const struct publisher *p, struct track_counts *out)
{
    *out = p->counts;
    for (const struct publisher_caller *c = p->callers; c; c = c->next)
        track_counts_add(out, c->way.wire.tvl.conn);
}

struct publisher_stats publisher_stats(const struct publisher *p)
{
    struct publisher_stats sum = { .left_out = p->left_out };
    struct track_counts counts;
    publisher_counts(p, &counts);
    for (size_t i = 0; i < counts.n; i++) {
        sum.written += counts.of[i].written;
        sum.bytes += counts.of[i].bytes;
        sum.left_out += counts.of[i].left_out;
        sum.expired += counts.of[i].expired;
    }
    return sum;
}

/* ---- what it consists of ---- */

static void add_opaque(struct msf_catalog *c, const struct publisher_opaque *o, uint32_t latency_ms)
{
    struct msf_track *t = &c->tracks[c->n_tracks++];
    memcpy(t->name, o->name, sizeof t->name);
    memcpy(t->codec, o->codec, sizeof t->codec);
    snprintf(t->packaging, sizeof t->packaging, "loc");
    snprintf(t->role, sizeof t->role, "data");
    t->is_live = true;
    t->target_latency_ms = latency_ms;
    t->render_group = 1;
    t->timescale = TRACKS_TIMESCALE;
}

static void end_sending(struct sending *s, const char *why)
{
    struct moq_sending *sending = s->sending;
    s->sending = NULL;
    (void)moq_done(sending, MOQ_DONE_TRACK_ENDED, why);
}

/* The tracks have other numbers now; each keeps, by its name, how far it has come. An opaque one
 * that is new begins above all that were there: the name may have been another's. */
static void number_tracks(struct publisher *p, const struct tracks *t,
                          const struct publisher_opaque *opaque, size_t n_opaque)
{
    const struct publisher old = *p;
    uint64_t next = 0;
    for (size_t i = 0; i < PUBLISHER_OPAQUE_MAX; i++)
        next = old.opaque_group[i] > next ? old.opaque_group[i] : next;
    p->tracks = *t;
    p->n_opaque = n_opaque;
    if (n_opaque > 0)
        memcpy(p->opaque, opaque, n_opaque * sizeof *opaque);
    for (size_t i = 0; i < t->n + n_opaque; i++) {
        const char *name = i < t->n ? t->track[i].name : opaque[i - t->n].name;
        const int was = old.described ? find_track(&old, name) : -1;
        p->flow[i] = track_counts_flow(&p->counts, name, is_base(p, (int)i));
        p->has_largest[i] = was >= 0 && old.has_largest[was];
        if (was >= 0)
            p->largest[i] = old.largest[was];
        if (i >= t->n)
            p->opaque_group[i - t->n] =
                was >= (int)old.tracks.n ? old.opaque_group[(size_t)was - old.tracks.n] : next;
    }
}

void publisher_set_latency(struct publisher *p, uint32_t latency_ms)
{
    p->cfg.latency_ms = latency_ms;
}

int publisher_describe(struct publisher *p, const struct svc_stream_info *info,
                       const struct publisher_opaque *opaque, size_t n_opaque, uint64_t now_ms)
{
    struct msf_catalog *c = calloc(1, sizeof *c);
    struct tracks t;
    if (!c)
        return MOQ_ERR_NOMEM;
    tracks_init(&t, info, false);
    tracks_catalog(&t, info, p->cfg.latency_ms, now_ms, c);
    c->n_tracks--; /* the session's track, which is the server's */
    for (size_t i = 0; i < n_opaque && i < PUBLISHER_OPAQUE_MAX; i++)
        add_opaque(c, &opaque[i], p->cfg.latency_ms);
    const int len = msf_catalog_write(c, p->catalog, sizeof p->catalog);
    free(c);
    if (len < 0)
        return len;
    p->catalog_len = (size_t)len;
    number_tracks(p, &t, opaque, n_opaque < PUBLISHER_OPAQUE_MAX ? n_opaque : PUBLISHER_OPAQUE_MAX);
    p->catalog_group += p->described;
    p->described = true;
    const struct moq_object obj = catalog_object(p);
    for (struct publisher_caller *each = p->callers; each; each = each->next)
        for (size_t i = 0; i < SENDINGS_MAX; i++) {
            struct sending *s = &each->sending[i];
            if (s->sending && s->track < 0)
                answer(each, s);
            else if (s->sending && find_track(p, s->name) < 0)
                end_sending(s, "it is no part of the broadcast any more");
            else if (s->sending && strcmp(s->name, MSF_CATALOG_TRACK) == 0)
                (void)moq_object_write(s->sending, &obj, 0);
            else if (s->sending)
                s->track = find_track(p, s->name); /* its number may be another now */
        }
    return 0;
}

bool publisher_described(const struct publisher *p)
{
    return p->described;
}

/* ---- life ---- */

int publisher_new(struct publisher **out, const struct publisher_config *cfg)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return MOQ_ERR_NOMEM;
    p->cfg = *cfg;
    snprintf(p->ns, sizeof p->ns, "%s", cfg->ns);
    p->cfg.ns = p->ns;
    p->catalog_group = cfg->first_group;
    object_counter_init(&p->counter, cfg->first_group);
    for (size_t i = 0; i < PUBLISHER_OPAQUE_MAX; i++)
        p->opaque_group[i] = cfg->first_group;
    *out = p;
    return 0;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    while (p->callers)
        publisher_remove(p->callers);
    free(p);
}

int publisher_add(struct publisher *p, struct tvl_conn *conn, const struct publisher_end *end,
                  struct publisher_caller **out)
{
    struct moq_session_config cfg = { .server = end->server,
                                      .authority = end->authority,
                                      .path = end->path ? end->path : "",
                                      .implementation = end->implementation,
                                      .token.value = end->token };
    struct moq_quic quic;
    struct publisher_caller *c = calloc(1, sizeof *c);
    if (!c)
        return MOQ_ERR_NOMEM;
    c->publisher = p;
    c->server = end->server;
    way_init(&c->way, conn, &quic);
    int rc = moq_session_new(&c->moq, &cfg, &quic, &handler, c);
    if (rc == 0)
        rc = moq_session_start(c->moq);
    if (rc != 0) {
        moq_session_free(c->moq);
        way_fini(&c->way);
        free(c);
        return rc;
    }
    c->next = p->callers;
    p->callers = c;
    *out = c;
    return 0;
}

void publisher_remove(struct publisher_caller *c)
{
    if (!c)
        return;
    struct publisher_caller **at = &c->publisher->callers;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
    track_counts_add(&c->publisher->counts, c->way.wire.tvl.conn);
    moq_session_free(c->moq);
    way_fini(&c->way);
    free(c);
}

void publisher_caller_event(struct publisher_caller *c, const struct tvl_event *ev, tvl_time now)
{
    moq_tvl_on_event(&c->way.wire.tvl, c->moq, ev, now);
    way_event(&c->way, ev, now);
    if (ev->type == TVL_EVENT_STREAM_ACKED)
        ask_for_missed(c, now);
}

void publisher_caller_tick(struct publisher_caller *c, tvl_time now)
{
    c->way.wire.tvl.now = now;
    moq_session_tick(c->moq, now);
}

void publisher_caller_close(struct publisher_caller *c, tvl_time now)
{
    c->way.wire.tvl.now = now;
    moq_session_close(c->moq, MOQ_NO_ERROR, "");
}

const char *publisher_caller_refused(const struct publisher_caller *c)
{
    return c->refused ? c->reason : NULL;
}

size_t publisher_caller_tracks(const struct publisher_caller *c)
{
    size_t n = 0;
    for (size_t i = 0; i < SENDINGS_MAX; i++)
        n += c->sending[i].sending && c->sending[i].track >= 0;
    return n;
}
