/* publisher.c - see publisher.h. */
#include "publisher.h"

#include "log.h"
#include "object.h"
#include "way.h"

#include <moq/loc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_TRACKS (MSF_TRACKS_MAX + 1) /* the catalog is in none */
#define CATALOG_JSON_MAX 49152          /* bytes; a layer needs about 400 */
#define SENDINGS_MAX (2 * ALL_TRACKS)
#define PRIORITY_OPAQUE 100
_Static_assert(PUBLISHER_VIDEOS_MAX <= WAY_VIDEOS_MAX, "a way for each video");

struct sending {
    struct moq_sending *sending; /* NULL: free */
    int track;                   /* index in `track` of the publisher; -1: not described yet */
    char name[MSF_NAME_MAX];
};

struct publisher_caller {
    struct publisher *publisher;
    struct publisher_caller *next;
    struct way way;
    struct moq_session *moq;
    bool server, accepted, refused, for_now;
    char reason[256];
    struct sending sending[SENDINGS_MAX];
};

enum published_kind { OF_CATALOG, OF_SOUND, OF_LAYER, OF_OPAQUE };

struct published { /* a track */
    enum published_kind kind;
    uint8_t of; /* OF_SOUND, OF_LAYER: number of its sound or video; OF_OPAQUE: its place */
    bool base;  /* OF_LAYER: its video's base layer */
    char name[MSF_NAME_MAX];
    uint32_t flow;  /* of the transport, as in tracks.h */
    uint64_t group; /* OF_OPAQUE: of the next packet */
    bool has_largest;
    struct moq_location largest;
};

struct publisher {
    struct publisher_config cfg;
    char ns[MOQ_FULL_NAME_MAX + 1];
    bool described, ended;
    struct published track[ALL_TRACKS]; /* catalog, sounds, videos' layers, opaque ones */
    size_t n_tracks;
    struct tracks layers[PUBLISHER_VIDEOS_MAX]; /* n 0: there is none */
    int first_layer[PUBLISHER_VIDEOS_MAX];      /* in `track`; layers[].track[1] is that */
    int sound[PUBLISHER_SOUNDS_MAX];            /* in `track`; -1: there is none */
    int first_opaque;
    size_t n_opaque;
    uint64_t opaque_next; /* above the groups of all opaque tracks so far */
    struct object_counter counter[PUBLISHER_VIDEOS_MAX]; /* by number, also when it was gone */
    uint64_t sound_group[PUBLISHER_SOUNDS_MAX];          /* of the next packet; likewise */
    uint32_t sound_bps[PUBLISHER_SOUNDS_MAX];
    char catalog[CATALOG_JSON_MAX];
    size_t catalog_len;
    uint64_t catalog_group;
    struct track_counts counts;
    uint64_t left_out; /* beside what is in `counts`: of no track */
    struct publisher_caller *callers;
    tvl_time refreshed_at[PUBLISHER_VIDEOS_MAX][SVC_SPATIAL_MAX]; /* 0: never */
};

/* ---- tracks ---- */

static int find_in(const struct published *track, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(track[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int find_track(const struct publisher *p, const char *name)
{
    return find_in(p->track, p->n_tracks, name);
}

static struct moq_object catalog_object(const struct publisher *p)
{
    return (struct moq_object){ .group = p->catalog_group,
                                .payload = { (const uint8_t *)p->catalog, p->catalog_len } };
}

/* ---- who subscribes ---- */

static void key_wanted(const struct publisher *p, const struct published *t)
{
    if (t->kind == OF_LAYER && t->base && p->cfg.on_key_wanted)
        p->cfg.on_key_wanted(p->cfg.user, t->of);
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
    const struct published *t = &p->track[s->track];
    const bool catalog = t->kind == OF_CATALOG;
    const struct moq_location in_catalog = { p->catalog_group, 0 };
    const struct moq_location *largest = catalog          ? &in_catalog
                                         : t->has_largest ? &t->largest
                                                          : NULL;
    if (moq_accept(sending, largest, MOQ_DYNAMIC_GROUPS) < 0)
        return;
    const struct moq_object obj = catalog_object(p);
    if (catalog)
        (void)moq_object_write(sending, &obj, 0);
    key_wanted(p, t);
}

/* Index of a video's base layer. */
static int base_of(const struct publisher *p, size_t video)
{
    return p->first_layer[video] + tracks_of_layer(&p->layers[video], (struct svc_layer){ 0, 0 }) -
           1;
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
    const struct published *t = s && s->track >= 0 ? &c->publisher->track[s->track] : NULL;
    if (t && t->kind == OF_LAYER && o->has_new_group &&
        (o->new_group == 0 || c->publisher->counter[t->of].group < o->new_group))
        key_wanted(c->publisher, &c->publisher->track[base_of(c->publisher, t->of)]);
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

static void on_request_ok(void *user, struct moq_request *r)
{
    (void)r;
    ((struct publisher_caller *)user)->accepted = true;
}

static void on_request_end(void *user, struct moq_request *r, uint64_t code, const char *reason)
{
    struct publisher_caller *c = user;
    (void)r;
    c->refused = true;
    c->for_now = c->accepted || code == MOQ_REQ_INTERNAL || code == MOQ_REQ_TIMEOUT ||
                 code == MOQ_REQ_GOING_AWAY || code == MOQ_REQ_EXCESSIVE_LOAD;
    snprintf(c->reason, sizeof c->reason, "the relay does not take \"%.80s\": %.100s (0x%llx)",
             c->publisher->ns, *reason ? reason : "no reason given", (unsigned long long)code);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_subscribe = on_subscribe,
    .on_update = on_update,
    .on_cancelled = on_cancelled,
    .on_fetch = on_fetch,
    .on_request_ok = on_request_ok,
    .on_request_end = on_request_end,
};

/* ---- what is written ---- */

static struct track_count *count_of(struct publisher *p, int track)
{
    return &p->counts.of[p->track[track].flow];
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

static bool takes_any(const struct sending *s)
{
    return s->sending && s->track >= 0 && moq_sending_options(s->sending)->forward;
}

static bool takes(const struct sending *s, int track)
{
    return takes_any(s) && s->track == track;
}

static void write_to(struct publisher_caller *c, int track, const struct moq_object *obj,
                     uint64_t lifetime_us)
{
    way_aim(&c->way, c->publisher->track[track].flow, POLICY_RESCUE);
    for (size_t i = 0; i < SENDINGS_MAX; i++)
        if (takes(&c->sending[i], track))
            (void)write_object(c, &c->sending[i], obj, lifetime_us);
}

/* The layer's place in the tracks of its video. */
static size_t place_of(const struct publisher *p, int track)
{
    return (size_t)(track - p->first_layer[p->track[track].of]) + 1;
}

/* What this connection takes that goes before a layer of a video, or with it: the sounds, and of
 * the other videos what is not above that layer. */
static uint64_t beside_bps(const struct publisher_caller *c, size_t video, struct svc_layer layer)
{
    const struct publisher *p = c->publisher;
    uint64_t most[PUBLISHER_VIDEOS_MAX] = { 0 }, sum = 0;
    for (size_t i = 0; i < SENDINGS_MAX; i++) {
        const struct sending *s = &c->sending[i];
        const struct published *t = takes_any(s) ? &p->track[s->track] : NULL;
        if (t && t->kind == OF_SOUND)
            sum += p->sound_bps[t->of];
        if (!t || t->kind != OF_LAYER || t->of == video)
            continue;
        const struct track *other = &p->layers[t->of].track[place_of(p, s->track)];
        if (other->layer.spatial <= layer.spatial && other->layer.temporal <= layer.temporal &&
            other->needed_bps > most[t->of])
            most[t->of] = other->needed_bps;
    }
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        sum += most[i];
    return sum;
}

/* A base layer on flow 0 is looked after by the scheduler, unasked. */
static enum policy_protection protection_of(const struct published *t,
                                            const struct policy_order *order)
{
    const bool alone = t->base && t->flow != 0 && order->protection == POLICY_PLAIN;
    return alone ? POLICY_RESCUE : order->protection;
}

/* As the policy says; told to it once, however many subscriptions there are to the track. */
static void write_unit(struct publisher_caller *c, int track, const struct moq_object *obj,
                       const struct svc_unit *unit)
{
    const struct publisher *p = c->publisher;
    const size_t video = p->track[track].of;
    struct policy_order order = { .verdict = POLICY_DROP_BROKEN };
    bool judged = false, sent = false;
    for (size_t i = 0; i < SENDINGS_MAX; i++) {
        if (!takes(&c->sending[i], track))
            continue;
        if (!judged) {
            const struct way_unit u = { .video = video,
                                        .tracks = &p->layers[video],
                                        .track = place_of(p, track),
                                        .beside_bps = beside_bps(c, video, unit->layer),
                                        .unit = unit };
            order = way_judge(&c->way, &u, (uint64_t)p->cfg.latency_ms * 1000);
            way_aim(&c->way, p->track[track].flow, protection_of(&p->track[track], &order));
        }
        judged = true;
        if (order.verdict != POLICY_SEND) {
            count_of(c->publisher, track)->left_out++;
            continue;
        }
        if (write_object(c, &c->sending[i], obj, order.lifetime_us) == 0 && !sent) {
            way_sent(&c->way, video, unit);
            sent = true;
        }
    }
}

static void note_largest(struct publisher *p, int track, const struct moq_object *obj)
{
    p->track[track].largest = (struct moq_location){ obj->group, obj->object };
    p->track[track].has_largest = true;
}

void publisher_time(struct publisher *p, tvl_time now)
{
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        c->way.wire.tvl.now = now;
}

/* The object that a packet is, and its track; -1: of none that there is. */
static int object_of(struct publisher *p, size_t which, const struct svc_packet *packet,
                     struct object *o)
{
    if (!p->described || p->ended)
        return -1;
    if (packet->kind != SVC_VIDEO) {
        const int track = which < PUBLISHER_SOUNDS_MAX ? p->sound[which] : -1;
        if (track < 0 || object_sound(p->sound_group[which], TRACKS_PRIORITY_AUDIO, packet, o) < 0)
            return -1;
        p->sound_group[which]++;
        return track;
    }
    if (which >= PUBLISHER_VIDEOS_MAX || p->layers[which].n == 0 ||
        object_make(&p->counter[which], &p->layers[which], packet, o) < 0)
        return -1;
    return p->first_layer[which] + (int)o->track - 1;
}

void publisher_packet(struct publisher *p, size_t which, const struct svc_packet *packet)
{
    struct object o;
    const int track = object_of(p, which, packet, &o);
    if (track < 0) {
        p->left_out++;
        return;
    }
    o.moq.properties.bytes = o.properties;
    note_largest(p, track, &o.moq);
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        if (packet->kind == SVC_VIDEO)
            write_unit(c, track, &o.moq, &packet->unit);
        else
            write_to(c, track, &o.moq, policy_sound_lifetime((uint64_t)p->cfg.latency_ms * 1000));
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
    const int track = p->first_opaque + (int)which;
    const struct moq_object obj = { .group = p->track[track].group++,
                                    .priority = PRIORITY_OPAQUE,
                                    .properties = { properties, (size_t)n },
                                    .payload = { bytes, len } };
    if (obj.group >= p->opaque_next)
        p->opaque_next = obj.group + 1;
    note_largest(p, track, &obj);
    for (struct publisher_caller *c = p->callers; c; c = c->next)
        write_to(c, track, &obj, (uint64_t)p->cfg.latency_ms * 1000 * PUBLISHER_OPAQUE_LIVES);
}

/* ---- what was lost ---- */

/* What all who have begun are known to hold of a video. */
static struct svc_tracker held_in_common(const struct publisher *p, size_t video)
{
    struct svc_tracker held = { 0 };
    bool any = false;
    for (const struct publisher_caller *c = p->callers; c; c = c->next) {
        const struct way_video *v = &c->way.video[video];
        if (!policy_begun(&v->policy))
            continue;
        const struct svc_tracker *k = &v->held.known;
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
static void ask_for_missed(struct publisher_caller *c, size_t video, tvl_time now)
{
    struct publisher *p = c->publisher;
    tvl_time *refreshed_at = p->refreshed_at[video];
    const unsigned spatial = way_missed(&c->way, video);
    if (spatial >= SVC_SPATIAL_MAX || !p->cfg.on_missed ||
        (refreshed_at[spatial] &&
         now - refreshed_at[spatial] < PUBLISHER_REFRESH_APART_US)) /* asked for once more then */
        return;
    for (unsigned s = spatial; s < SVC_SPATIAL_MAX; s++)
        refreshed_at[s] = now;
    c->way.video[video].missed = SVC_SPATIAL_MAX;
    const struct svc_tracker held = held_in_common(p, video);
    p->cfg.on_missed(p->cfg.user, video, spatial, &held);
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

static void note(struct msf_track *t, const struct publisher_note *n)
{
    memcpy(t->label, n->label, sizeof t->label);
    memcpy(t->lang, n->lang, sizeof t->lang);
}

static void add_opaque(struct msf_catalog *c, const struct publisher_opaque *o, uint32_t latency_ms)
{
    if (c->n_tracks == MSF_TRACKS_MAX)
        return;
    struct msf_track *t = &c->tracks[c->n_tracks++];
    memcpy(t->name, o->name, sizeof t->name);
    memcpy(t->codec, o->codec, sizeof t->codec);
    memcpy(t->caps, o->caps, sizeof t->caps);
    note(t, &o->note);
    snprintf(t->packaging, sizeof t->packaging, "loc");
    snprintf(t->role, sizeof t->role, "data");
    t->is_live = true;
    t->target_latency_ms = latency_ms;
    t->render_group = 1;
    t->timescale = TRACKS_TIMESCALE;
}

static void sound_name(char *out, size_t number)
{
    snprintf(out, MSF_NAME_MAX, "a%zu", number);
}

static void add_sound(struct msf_catalog *c, size_t number, const struct publisher_sound *s,
                      uint32_t latency_ms)
{
    const struct svc_stream_info info = { .audio_rate = s->rate,
                                          .audio_channels = s->channels,
                                          .audio_bitrate_bps = s->bitrate_bps };
    char name[MSF_NAME_MAX];
    sound_name(name, number);
    struct msf_track *t = tracks_catalog_sound(name, &info, latency_ms, c);
    if (t)
        note(t, &s->note);
}

static void add_video(struct msf_catalog *c, size_t number, const struct publisher_video *v,
                      uint32_t latency_ms)
{
    struct tracks t;
    const size_t first = c->n_tracks;
    tracks_init_video(&t, &v->info, (uint8_t)number);
    tracks_catalog_layers(&t, &v->info, latency_ms, c);
    for (size_t i = first; i < c->n_tracks; i++)
        note(&c->tracks[i], &v->note);
}

static size_t opaque_of(const struct publisher_tracks *what)
{
    return what->n_opaque < PUBLISHER_OPAQUE_MAX ? what->n_opaque : PUBLISHER_OPAQUE_MAX;
}

/* In the order in which number_tracks has them. */
static void make_catalog(struct msf_catalog *c, const struct publisher_tracks *what,
                         uint32_t latency_ms)
{
    for (size_t i = 0; i < PUBLISHER_SOUNDS_MAX; i++)
        if (what->sound[i].channels)
            add_sound(c, i, &what->sound[i], latency_ms);
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        if (what->video[i].info.n_spatial)
            add_video(c, i, &what->video[i], latency_ms);
    for (size_t i = 0; i < opaque_of(what); i++)
        add_opaque(c, &what->opaque[i], latency_ms);
}

static size_t count_tracks(const struct publisher_tracks *what)
{
    size_t n = opaque_of(what);
    for (size_t i = 0; i < PUBLISHER_SOUNDS_MAX; i++)
        n += what->sound[i].channels > 0;
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        n += (size_t)what->video[i].info.n_spatial * what->video[i].info.n_temporal;
    return n;
}

static void end_sending(struct sending *s, const char *why)
{
    struct moq_sending *sending = s->sending;
    s->sending = NULL;
    (void)moq_done(sending, MOQ_DONE_TRACK_ENDED, why);
}

static struct published *add_track(struct publisher *p, enum published_kind kind, size_t of,
                                   const char *name)
{
    struct published *t = &p->track[p->n_tracks];
    *t = (struct published){ .kind = kind, .of = (uint8_t)of };
    snprintf(t->name, sizeof t->name, "%s", name);
    p->n_tracks++;
    return t;
}

static void add_layers(struct publisher *p, size_t video, const struct svc_stream_info *info)
{
    struct tracks *layers = &p->layers[video];
    tracks_init_video(layers, info, (uint8_t)video);
    p->first_layer[video] = (int)p->n_tracks;
    for (size_t i = 1; i < layers->n; i++) {
        struct published *t = add_track(p, OF_LAYER, video, layers->track[i].name);
        t->base = layers->track[i].layer.spatial == 0 && layers->track[i].layer.temporal == 0;
    }
}

/* Of several videos' base layers the one that was there first. */
static bool has_flow_0(const struct publisher *p, const char *name)
{
    const char *has = p->counts.of[0].name;
    return !*has || strcmp(has, name) == 0;
}

/* The tracks have other numbers now; each keeps, by its name, how far it has come. An opaque one
 * that is new begins above all that were there: the name may have been another's. */
static void number_tracks(struct publisher *p, const struct publisher_tracks *what)
{
    struct published old[ALL_TRACKS];
    const size_t n_old = p->n_tracks;
    memcpy(old, p->track, n_old * sizeof old[0]);
    p->n_tracks = 0;
    add_track(p, OF_CATALOG, 0, MSF_CATALOG_TRACK);
    for (size_t i = 0; i < PUBLISHER_SOUNDS_MAX; i++) {
        char name[MSF_NAME_MAX];
        sound_name(name, i);
        p->sound[i] = what->sound[i].channels ? (int)p->n_tracks : -1;
        p->sound_bps[i] = what->sound[i].bitrate_bps;
        if (what->sound[i].channels)
            add_track(p, OF_SOUND, i, name);
    }
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++) {
        p->layers[i].n = 0;
        if (what->video[i].info.n_spatial)
            add_layers(p, i, &what->video[i].info);
    }
    p->first_opaque = (int)p->n_tracks;
    p->n_opaque = opaque_of(what);
    for (size_t i = 0; i < p->n_opaque; i++)
        add_track(p, OF_OPAQUE, i, what->opaque[i].name)->group = p->opaque_next;
    for (size_t i = 0; i < p->n_tracks; i++) {
        struct published *t = &p->track[i];
        const int was = find_in(old, n_old, t->name);
        t->flow = track_counts_flow(&p->counts, t->name, t->base && has_flow_0(p, t->name));
        if (was < 0)
            continue;
        t->has_largest = old[was].has_largest;
        t->largest = old[was].largest;
        if (t->kind == OF_OPAQUE)
            t->group = old[was].group;
    }
}

/* The catalog is another one: who subscribes is told so. */
static void tell_callers(struct publisher *p)
{
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
}

void publisher_set_latency(struct publisher *p, uint32_t latency_ms)
{
    p->cfg.latency_ms = latency_ms;
}

int publisher_describe(struct publisher *p, const struct publisher_tracks *what, uint64_t now_ms)
{
    if (count_tracks(what) > MSF_TRACKS_MAX)
        return MOQ_ERR_ARG;
    struct msf_catalog *c = calloc(1, sizeof *c);
    char *json = malloc(CATALOG_JSON_MAX);
    int rc = MOQ_ERR_NOMEM;
    if (!c || !json)
        goto out;
    c->generated_at_ms = now_ms;
    make_catalog(c, what, p->cfg.latency_ms);
    rc = msf_catalog_write(c, json, CATALOG_JSON_MAX);
    if (rc < 0)
        goto out;
    p->catalog_len = (size_t)rc;
    memcpy(p->catalog, json, p->catalog_len + 1);
    number_tracks(p, what);
    p->catalog_group += p->described;
    p->described = true;
    tell_callers(p);
    rc = 0;
out:
    free(json);
    free(c);
    return rc;
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
    p->opaque_next = cfg->first_group;
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        object_counter_init(&p->counter[i], cfg->first_group);
    for (size_t i = 0; i < PUBLISHER_SOUNDS_MAX; i++)
        p->sound_group[i] = cfg->first_group;
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
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX && ev->type == TVL_EVENT_STREAM_ACKED; i++)
        ask_for_missed(c, i, now);
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

const char *publisher_caller_refused(const struct publisher_caller *c, bool *for_now)
{
    *for_now = c->for_now;
    return c->refused ? c->reason : NULL;
}

bool publisher_caller_accepted(const struct publisher_caller *c)
{
    return c->accepted || publisher_caller_tracks(c) > 0;
}

size_t publisher_caller_tracks(const struct publisher_caller *c)
{
    size_t n = 0;
    for (size_t i = 0; i < SENDINGS_MAX; i++)
        n += c->sending[i].sending && c->sending[i].track >= 0;
    return n;
}
