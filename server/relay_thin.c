/* relay_thin.c - see relay_thin.h. */
#include "relay_thin.h"

#include <moq/loc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ---- */

static bool is_layer(const struct msf_track *t)
{
    return t->has_spatial_id && strcmp(t->role, "video") == 0 && t->spatial_id < SVC_SPATIAL_MAX &&
           t->temporal_id < SVC_TEMPORAL_MAX;
}

static bool is_sound(const struct msf_track *t)
{
    return strcmp(t->role, "audio") == 0;
}

static bool is_base(const struct msf_track *t)
{
    return is_layer(t) && t->spatial_id == 0 && t->temporal_id == 0;
}

/* The base layer that a layer leans on; of one that leans on nothing, the first. -1: none. */
static int base_of(const struct msf_catalog *c, size_t track)
{
    const uint64_t closure = msf_track_closure(c, track);
    if (is_base(&c->tracks[track]))
        return (int)track;
    for (size_t i = 0; i < c->n_tracks; i++)
        if (is_base(&c->tracks[i]) && (c->tracks[track].n_depends == 0 || (closure >> i & 1) != 0))
            return (int)i;
    return -1;
}

/* Bits/s of the track and of all that it leans on, beside the largest sound: of several a viewer
 * takes one. */
static uint64_t needed_bps(const struct msf_catalog *c, size_t track)
{
    const uint64_t closure = msf_track_closure(c, track);
    uint64_t sum = 0, sound = 0;
    for (size_t i = 0; i < c->n_tracks; i++) {
        sum += (closure >> i & 1) != 0 ? c->tracks[i].bitrate : 0;
        if (is_sound(&c->tracks[i]) && c->tracks[i].bitrate > sound)
            sound = c->tracks[i].bitrate;
    }
    return sum + sound;
}

static int order(const void *a, const void *b)
{
    const struct track *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind == TRACK_AUDIO ? -1 : 1;
    if (x->layer.spatial != y->layer.spatial)
        return x->layer.spatial < y->layer.spatial ? -1 : 1;
    return x->layer.temporal < y->layer.temporal ? -1 : 1;
}

static struct track *take_track(struct relay_layers *l, const struct msf_track *m,
                                enum track_kind kind)
{
    struct track *t = &l->tracks.track[l->tracks.n++];
    *t = (struct track){ .kind = kind };
    snprintf(t->name, sizeof t->name, "%s", m->name);
    if (m->target_latency_ms > 0)
        l->latency_us = m->target_latency_ms * UINT64_C(1000);
    return t;
}

/* The layers of the video with that base layer; then the sounds, as far as there is room: of
 * others all goes. */
static void take_tracks(struct relay_layers *l, const struct msf_catalog *c, size_t base,
                        bool sounds)
{
    for (size_t i = 0; i < c->n_tracks && l->tracks.n < TRACKS_MAX; i++) {
        const struct msf_track *m = &c->tracks[i];
        if (!is_layer(m) || base_of(c, i) != (int)base)
            continue;
        struct track *t = take_track(l, m, TRACK_LAYER);
        t->layer = (struct svc_layer){ m->spatial_id, m->temporal_id };
        t->needed_bps = needed_bps(c, i);
    }
    for (size_t i = 0; i < c->n_tracks && sounds && l->tracks.n < TRACKS_MAX; i++)
        if (is_sound(&c->tracks[i]))
            take_track(l, &c->tracks[i], TRACK_AUDIO);
    qsort(l->tracks.track, l->tracks.n, sizeof l->tracks.track[0], order);
}

/* From the video with the `from`-th track or a later one as its base layer on. NULL: there is none,
 * or no memory. */
static struct relay_layers *read_from(const struct msf_catalog *c, size_t from, const uint8_t *json,
                                      size_t len)
{
    while (from < c->n_tracks && !is_base(&c->tracks[from]))
        from++;
    struct relay_layers *l = from < c->n_tracks ? calloc(1, sizeof *l + len) : NULL;
    if (!l)
        return NULL;
    l->refs = 1;
    l->latency_us = RELAY_THIN_LATENCY_US;
    l->json_len = len;
    if (len > 0)
        memcpy(l->json, json, len);
    take_tracks(l, c, from, json != NULL);
    l->next = read_from(c, from + 1, NULL, 0); /* MSF_TRACKS_MAX deep at most */
    return l;
}

struct relay_layers *relay_layers_read(const uint8_t *json, size_t len)
{
    struct msf_catalog *c = malloc(sizeof *c);
    struct relay_layers *l = NULL;
    if (c && len <= MSF_CATALOG_MAX && msf_catalog_read(c, (const char *)json, len, NULL, 0) == 0)
        l = read_from(c, 0, json, len);
    free(c);
    return l;
}

struct relay_layers *relay_layers_with(struct relay_layers *l, const uint8_t *name, size_t len)
{
    while (l && tracks_find(&l->tracks, (const char *)name, len) < 0)
        l = l->next;
    return l;
}

struct relay_layers *relay_layers_ref(struct relay_layers *l)
{
    if (l)
        l->refs++;
    return l;
}

void relay_layers_unref(struct relay_layers *l)
{
    while (l && --l->refs == 0) {
        struct relay_layers *next = l->next;
        free(l);
        l = next;
    }
}

bool relay_layers_are(const struct relay_layers *l, const uint8_t *json, size_t len)
{
    return l->json_len == len && memcmp(l->json, json, len) == 0;
}

/* ---- what goes ---- */

/* False: it does not say what it leans on. */
static bool unit_of(const struct track *t, const struct moq_object *obj, struct svc_unit *out)
{
    struct loc_properties p;
    *out = (struct svc_unit){ .bytes = obj->payload.bytes, .len = obj->payload.len };
    if (t->kind != TRACK_LAYER ||
        loc_properties_decode(&p, obj->properties.bytes, obj->properties.len) < 0 ||
        !p.has_picture ||
        svc_deps_decode(&out->deps, p.picture, p.dependencies, p.dependencies_len) < 0)
        return false;
    out->picture = p.picture;
    out->layer = t->layer;
    out->key = p.has_marking && p.independent && t->layer.spatial == 0 && t->layer.temporal == 0;
    return true;
}

static uint64_t backlog(const struct relay_thin *t, const struct tvl_conn *conn, size_t track)
{
    for (size_t i = track + 1; i-- > 0;)
        if (t->rank[i])
            return tvl_backlog(conn, t->rank[i]);
    return 0;
}

static struct policy_order judge(struct relay_thin *t, const struct wire *wire, size_t track,
                                 const struct svc_unit *unit)
{
    const struct tracks *tracks = &t->layers->tracks;
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(wire->tvl.conn, &stats);
    const struct track *before = track > 0 ? &tracks->track[track - 1] : NULL;
    const int t0 = tracks_of_layer(tracks, (struct svc_layer){ unit->layer.spatial, 0 });
    const struct policy_view view = {
        .now = wire->tvl.now,
        .rate_bps = stats.rate_bps,
        .sure_bps = stats.sure_bps,
        .backlog_bytes = backlog(t, wire->tvl.conn, track),
        .budget_us = t->layers->latency_us,
        .needed_bps = tracks->track[track].needed_bps,
        .above_bps = before && before->kind == TRACK_LAYER ? before->needed_bps : 0,
        .delay_us = t0 >= 0 ? t->delay_us[t0] : 0,
        .loss_ppm = (uint32_t)(stats.loss * 1e6),
    };
    return sender_judge(&t->sender, NULL, &view, unit);
}

bool relay_thin_offer(struct relay_thin *t, struct wire *wire, struct moq_sending *s, size_t track,
                      const struct moq_object *obj)
{
    const struct track *of = &t->layers->tracks.track[track];
    struct svc_unit unit;
    struct policy_order order = { .verdict = POLICY_SEND };
    const bool judged = unit_of(of, obj, &unit);
    if (of->kind == TRACK_AUDIO)
        order.lifetime_us = policy_sound_lifetime(t->layers->latency_us);
    const bool base = judged && unit.layer.spatial == 0 && unit.layer.temporal == 0;
    if (judged && !base && !policy_begun(&t->sender.policy))
        order.verdict = POLICY_DROP_BROKEN;
    else if (judged)
        order = judge(t, wire, track, &unit);
    if (order.verdict != POLICY_SEND) {
        moq_subgroup_end(s, obj->group, obj->subgroup, false);
        return order.refresh;
    }
    const uint64_t last = wire->last_stream;
    if (moq_object_relay(s, obj, order.lifetime_us) < 0)
        return false; /* before what it asked to begin with, or no stream to be had */
    if (judged)
        sender_sent(&t->sender, NULL, &unit, wire->tvl.now);
    if (wire->last_stream == last)
        return false; /* not alone on its stream: its fate is not heard of */
    t->rank[track] = wire->last_rank;
    wire_note(wire, (uint8_t)(RELAY_THIN_WATCH + t->number), track, judged ? unit.picture : 0);
    return false;
}

void relay_thin_ended(struct relay_thin *t, const struct wire_flight *f, bool expired, uint64_t now)
{
    const struct track *of = &t->layers->tracks.track[f->track];
    if (!expired)
        t->delay_us[f->track] = now - f->at;
    else if (of->kind == TRACK_LAYER)
        sender_lost(&t->sender, NULL, of->layer, f->picture, now);
}

struct relay_thin *relay_thin_new(struct relay_layers *layers, uint8_t number, uint64_t session)
{
    struct relay_thin *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->layers = relay_layers_ref(layers);
    t->number = number;
    t->sender.who = session;
    return t;
}

void relay_thin_free(struct relay_thin *t)
{
    if (!t)
        return;
    relay_layers_unref(t->layers);
    free(t);
}
