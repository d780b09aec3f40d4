/* source.c - see source.h. */
#include "source.h"

#include "gather.h"
#include "interfaces.h"
#include "layer_meta.h"
#include "net_log.h"
#include "path_stats.h"
#include "skew.h"

#include <string.h>

#define GST_CAT_DEFAULT tvl_debug_category()
#define LOOK_S 0.25       /* how often paths are looked at */
#define LAYER_PICTURES 15 /* of the same best layer in a row: then it is said */
#define LATE_UNITS 16     /* of pictures in a row, over LATE_US: their numbers began anew */
#define LATE_US 500000

struct layer_count {
    guint64 received, late, delivered, bytes;
};

struct source {
    struct source_config cfg;
    struct ev_loop *loop;
    struct session_to to;
    struct path_spec paths[SESSION_PATHS_MAX];
    struct session *session; /* NULL: it could not be set up */
    struct interfaces_watch *watch;
    ev_timer look, due;
    struct gather gather[SOURCE_SLOTS];
    char name[SOURCE_SLOTS][MSF_NAME_MAX];  /* "": free */
    gint8 slot[MSF_TRACKS_MAX];             /* by number in the catalog; -1: none */
    struct svc_layer layer[MSF_TRACKS_MAX]; /* likewise, of the layers */
    size_t base[SUBSCRIPTION_VIDEOS_MAX];   /* by slot: of its base layer in the catalog */
    uint8_t n_layers[SUBSCRIPTION_VIDEOS_MAX];
    guint unwanted, fresh;               /* slots, as bit sets */
    guint latency_ms, target_latency_ms; /* that is kept; of the catalog, 0: it does not say */
    gboolean playing, over;
    gboolean found; /* a catalog has come */
    guint looks;    /* until then */
    struct skew skew;
    struct {
        guint units;  /* late ones of pictures in a row ... */
        gint64 since; /* ... from then on, monotonic time */
    } late[SUBSCRIPTION_VIDEOS_MAX];
    gboolean joined;                /* the catalog came over this connection */
    gboolean discont[SOURCE_SLOTS]; /* what follows does not join on */
    struct session_path path[SESSION_PATHS_MAX];
    size_t n_paths;
    struct best { /* spatial layer told; that of the last pictures; how many */
        guint told, seen, times;
    } best[SUBSCRIPTION_VIDEOS_MAX];
    struct layer_count count[SUBSCRIPTION_VIDEOS_MAX][SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    struct layer_count other_count[SOURCE_SLOTS]; /* of sounds and data */
    guint64 interruptions, resyncs;
    gint64 key_asked_at[SUBSCRIPTION_VIDEOS_MAX]; /* 0: never */
};

static void drop_buffer(void *item)
{
    gst_buffer_unref(item);
}

/* Running time in us; -1: not playing. */
static gint64 now_us(const struct source *s)
{
    const GstClockTime now = s->playing ? s->cfg.handler->now(s->cfg.user) : GST_CLOCK_TIME_NONE;
    return GST_CLOCK_TIME_IS_VALID(now) ? (gint64)(now / GST_USECOND) : -1;
}

static void begin_anew(struct source *s)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        gather_reset(&s->gather[slot]);
        s->discont[slot] = TRUE;
    }
    skew_reset(&s->skew);
    memset(s->late, 0, sizeof s->late);
    ev_timer_stop(s->loop, &s->due);
}

static void failed(struct source *s, const char *why)
{
    if (s->over)
        return;
    s->over = TRUE;
    s->cfg.handler->on_failed(s->cfg.user, why);
}

/* ---- onto the clock ---- */

/* Media time up to which everything is due now. */
static gint64 due_pts(const struct source *s, gint64 now)
{
    const guint margin = MIN(SOURCE_MARGIN_MS, s->latency_ms / 4);
    return now - skew_offset(&s->skew) - (gint64)(s->latency_ms - margin) * 1000;
}

/* False: it is not playing. */
static gboolean anchor(struct source *s, gint64 pts)
{
    const gint64 now = now_us(s);
    if (now < 0)
        return FALSE;
    const gint64 before = skew_offset(&s->skew);
    const enum skew_result result = skew_put(&s->skew, now, pts);
    if (result == SKEW_JUMPED) {
        GST_INFO("media time jumps by %.1f s", (double)(pts + before - now) / 1e6);
        begin_anew(s);
        (void)skew_put(&s->skew, now, pts);
    } else if (result == SKEW_RESYNCED) {
        GST_INFO("all comes %+.0f ms later: times are set anew",
                 (double)(skew_offset(&s->skew) - before) / 1e3);
        s->resyncs++;
        for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
            s->discont[slot] = TRUE;
    }
    return TRUE;
}

static void stamp(const struct source *s, GstBuffer *b)
{
    const gint64 at = (gint64)GST_BUFFER_OFFSET(b) + skew_offset(&s->skew);
    GST_BUFFER_OFFSET(b) = GST_BUFFER_OFFSET_NONE;
    GST_BUFFER_PTS(b) = at > 0 ? (GstClockTime)at * GST_USECOND : 0;
    GST_BUFFER_DTS(b) = GST_BUFFER_PTS(b);
}

static void told_layer(struct source *s, guint slot, guint spatial)
{
    struct best *best = &s->best[slot];
    best->times = spatial == best->seen ? best->times + 1 : 1;
    best->seen = spatial;
    if (best->times < LAYER_PICTURES || spatial == best->told)
        return;
    best->told = spatial;
    s->cfg.handler->on_layer(s->cfg.user, slot, spatial);
}

static gboolean is_video(guint slot)
{
    return slot < SOURCE_SOUND;
}

static void give(struct source *s, guint slot, const struct gather_picture *p)
{
    guint last = 0;
    for (guint l = 0; l < GATHER_LAYERS_MAX; l++)
        if (p->item[l])
            last = l;
    for (guint l = 0; l <= last; l++) {
        GstBuffer *b = p->item[l];
        if (!b)
            continue;
        const TvlLayerMeta *m = tvl_buffer_get_layer_meta(b);
        struct layer_count *count =
            is_video(slot) ? &s->count[slot][m->spatial][m->temporal] : &s->other_count[slot];
        count->delivered++;
        stamp(s, b);
        if (is_video(slot) && l == last)
            GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_MARKER);
        if (s->discont[slot])
            GST_BUFFER_FLAG_SET(b, GST_BUFFER_FLAG_DISCONT);
        s->discont[slot] = FALSE;
        s->cfg.handler->on_buffer(s->cfg.user, slot, b);
    }
    if (is_video(slot))
        told_layer(s, slot, last);
}

/* Gives out what is whole or due at `pts`; result: when more will be due. */
static gint64 give_until(struct source *s, gint64 pts)
{
    struct gather_picture p;
    gint64 due = INT64_MAX;
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        while (gather_next(&s->gather[slot], pts, &p))
            give(s, slot, &p);
        due = MIN(due, gather_due(&s->gather[slot]));
    }
    return due;
}

/* Gives out what is whole or due, and sees to the time when more will be. */
static void give_due(struct source *s)
{
    const gint64 now = now_us(s);
    gint64 next;
    if (now < 0 || !s->skew.began)
        return;
    if (skew_is_settled(&s->skew, now, &next)) {
        const gint64 pts = due_pts(s, now);
        const gint64 due = give_until(s, pts);
        if (due == INT64_MAX) {
            ev_timer_stop(s->loop, &s->due);
            return;
        }
        next = due - pts;
    }
    ev_timer_stop(s->loop, &s->due);
    ev_timer_set(&s->due, next > 0 ? (double)next / 1e6 : 0, 0);
    ev_timer_start(s->loop, &s->due);
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    give_due(timer->data);
}

/* Another publisher took the broadcast over at a relay: nothing tells of it but that its pictures
 * count from their own beginning. */
static void look_for_restart(struct source *s, guint slot, enum gather_result result)
{
    const gint64 now = g_get_monotonic_time();
    guint videos = 0;
    if (result != GATHER_LATE) {
        s->late[slot].units = 0;
        return;
    }
    if (s->late[slot].units++ == 0)
        s->late[slot].since = now;
    if (s->late[slot].units < LATE_UNITS || now - s->late[slot].since < LATE_US)
        return;
    GST_INFO("the pictures' numbers began anew");
    for (guint i = 0; i < SUBSCRIPTION_VIDEOS_MAX; i++)
        videos += s->n_layers[i] > 0;
    if (videos > 1) { /* the others may go on as they are */
        gather_reset(&s->gather[slot]);
        s->discont[slot] = TRUE;
        s->late[slot].units = 0;
    } else {
        begin_anew(s);
    }
    session_ask_key(s->session, s->base[slot]);
}

static void take(struct source *s, guint slot, uint64_t number, unsigned layer, bool key,
                 gint64 pts, GstBuffer *b, struct layer_count *count)
{
    GST_BUFFER_OFFSET(b) = (guint64)pts; /* until stamp() knows better */
    count->received++;
    count->bytes += gst_buffer_get_size(b);
    const enum gather_result result = gather_put(&s->gather[slot], number, layer, key, pts, b);
    if (result != GATHER_TAKEN) {
        count->late++;
        gst_buffer_unref(b);
    }
    if (is_video(slot))
        look_for_restart(s, slot, result);
    give_due(s);
}

/* ---- what the session tells ---- */

static void on_connected(void *user)
{
    (void)user;
}

static const guint first_slot[] = { [SUBSCRIPTION_VIDEO] = SOURCE_VIDEO,
                                    [SUBSCRIPTION_AUDIO] = SOURCE_SOUND,
                                    [SUBSCRIPTION_DATA] = SOURCE_DATA };
static const guint n_slots[] = { [SUBSCRIPTION_VIDEO] = SUBSCRIPTION_VIDEOS_MAX,
                                 [SUBSCRIPTION_AUDIO] = SUBSCRIPTION_SOUNDS_MAX,
                                 [SUBSCRIPTION_DATA] = SOURCE_DATA_MAX };

/* The one that it had, or a free one; -1: none is left. */
static gint8 slot_of(struct source *s, enum subscription_kind kind, const char *name)
{
    const guint first = first_slot[kind], end = first + n_slots[kind];
    for (guint i = first; i < end; i++)
        if (strcmp(s->name[i], name) == 0)
            return (gint8)i;
    for (guint i = first; i < end; i++)
        if (!*s->name[i]) {
            g_strlcpy(s->name[i], name, sizeof s->name[i]);
            s->fresh |= 1u << i;
            s->unwanted &= ~(1u << i);
            return (gint8)i;
        }
    GST_WARNING("no pad is left for track %s", name);
    return -1;
}

/* Slots whose track is in the catalog no more are free. */
static void free_slots(struct source *s, const struct msf_catalog *c)
{
    for (guint i = 0; i < SOURCE_SLOTS; i++) {
        if (!*s->name[i] || msf_track_find(c, s->name[i]) >= 0)
            continue;
        s->name[i][0] = '\0';
        gather_reset(&s->gather[i]);
        s->discont[i] = TRUE;
        s->other_count[i] = (struct layer_count){ 0 };
        if (is_video(i)) {
            memset(s->count[i], 0, sizeof s->count[i]);
            s->best[i] = (struct best){ 0 };
            s->key_asked_at[i] = 0;
        }
    }
}

static void find_slots(struct source *s, struct source_tracks *t)
{
    free_slots(s, t->catalog);
    memset(s->slot, -1, sizeof s->slot);
    memset(s->n_layers, 0, sizeof s->n_layers);
    s->fresh = 0;
    for (size_t i = 0; i < t->plan->n; i++) {
        const struct subscription_item *item = &t->plan->item[i];
        const struct msf_track *base = &t->catalog->tracks[item->base];
        const gint8 slot = slot_of(s, item->kind, base->name);
        s->slot[item->track] = slot;
        s->layer[item->track] = item->layer;
        if (slot < 0)
            continue;
        t->slot[slot] = base;
        if (!is_video((guint)slot))
            continue;
        s->base[slot] = item->base;
        s->n_layers[slot] = MAX(s->n_layers[slot], (uint8_t)(item->layer.spatial + 1));
    }
    t->fresh = s->fresh;
}

/* A picture is whole with so many layers. */
static void count_layers(struct source *s)
{
    for (guint i = 0; i < SUBSCRIPTION_VIDEOS_MAX; i++)
        s->gather[i].n_layers = MIN(s->n_layers[i], (uint8_t)(s->cfg.top[i].spatial + 1));
}

/* Beyond what is kept nothing is in time: that is the bound of what is only followed slowly. */
static void find_latency(struct source *s)
{
    s->latency_ms = s->cfg.latency_ms      ? s->cfg.latency_ms
                    : s->target_latency_ms ? s->target_latency_ms
                                           : SOURCE_LATENCY_DEFAULT;
    s->skew.bound_us = (gint64)MAX(s->latency_ms, SOURCE_BOUND_LEAST_MS) * 1000;
}

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    struct source *s = user;
    const guint latency = s->latency_ms;
    s->target_latency_ms = 0;
    for (size_t i = 0; i < p->n && !s->target_latency_ms; i++)
        s->target_latency_ms = c->tracks[p->item[i].track].target_latency_ms;
    find_latency(s);
    s->joined = TRUE;
    struct source_tracks tracks = { .catalog = c, .plan = p };
    s->found = TRUE;
    find_slots(s, &tracks);
    count_layers(s);
    s->cfg.handler->on_tracks(s->cfg.user, &tracks);
    if (s->latency_ms != latency)
        s->cfg.handler->on_latency(s->cfg.user, s->latency_ms);
    if (!s->playing)
        session_pause(s->session);
}

/* Its slot, if it is to be given out; -1: not. */
static gint8 wanted_slot(const struct source *s, size_t track)
{
    const gint8 slot = s->slot[track];
    return slot >= 0 && !(s->unwanted >> slot & 1) ? slot : -1;
}

static bool is_wanted(void *user, size_t track)
{
    const struct source *s = user;
    const gint8 slot = wanted_slot(s, track);
    const struct svc_layer l = s->layer[track];
    return slot >= 0 && (!is_video((guint)slot) || (l.spatial <= s->cfg.top[slot].spatial &&
                                                    l.temporal <= s->cfg.top[slot].temporal));
}

static void on_unit(void *user, size_t track, const struct svc_unit *u)
{
    struct source *s = user;
    const gint8 slot = wanted_slot(s, track);
    if (s->over || slot < 0 || u->layer.spatial >= SVC_SPATIAL_MAX ||
        u->layer.temporal >= SVC_TEMPORAL_MAX || !anchor(s, u->pts))
        return;
    GstBuffer *b = gst_buffer_new_memdup(u->bytes, u->len);
    tvl_buffer_add_unit_meta(b, u);
    take(s, (guint)slot, u->picture, u->layer.spatial, u->key, u->pts, b,
         &s->count[slot][u->layer.spatial][u->layer.temporal]);
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    struct source *s = user;
    const gint8 slot = wanted_slot(s, track);
    if (s->over || slot < 0 || pts < 0 || !anchor(s, pts))
        return;
    take(s, (guint)slot, (uint64_t)pts, 0, false, pts, gst_buffer_new_memdup(opus, len),
         &s->other_count[slot]);
}

static void on_data(void *user, const struct broadcast_data *d)
{
    struct source *s = user;
    const gint8 slot = wanted_slot(s, d->track);
    if (s->over || slot < 0 || d->pts < 0 || !anchor(s, d->pts))
        return;
    take(s, (guint)slot, d->number, 0, false, d->pts, gst_buffer_new_memdup(d->bytes, d->len),
         &s->other_count[slot]);
}

static void on_note(void *user, const char *what)
{
    (void)user;
    GST_INFO("%s", what);
}

static void on_interrupted(void *user, const char *why)
{
    struct source *s = user;
    if (!s->joined)
        return; /* it has not begun */
    s->joined = FALSE;
    s->interruptions++;
    give_until(s, INT64_MAX); /* nothing more will complete it */
    begin_anew(s);
    s->cfg.handler->on_interrupted(s->cfg.user, why);
}

static void on_caller(void *user, enum session_caller what, const char *address, const char *why)
{
    struct source *s = user;
    s->cfg.handler->on_caller(s->cfg.user, what, address, why);
}

static void on_restart(void *user)
{
    begin_anew(user);
}

static void on_end(void *user)
{
    struct source *s = user;
    if (s->over)
        return;
    give_until(s, INT64_MAX);
    s->over = TRUE;
    s->cfg.handler->on_end(s->cfg.user);
}

static void on_failed(void *user, int exit_code, const char *why)
{
    (void)exit_code;
    failed(user, why);
}

static const struct session_handler session_handler = { .on_connected = on_connected,
                                                        .on_catalog = on_catalog,
                                                        .on_unit = on_unit,
                                                        .on_sound = on_sound,
                                                        .is_wanted = is_wanted,
                                                        .on_data = on_data,
                                                        .on_note = on_note,
                                                        .on_interrupted = on_interrupted,
                                                        .on_caller = on_caller,
                                                        .on_restart = on_restart,
                                                        .on_end = on_end,
                                                        .on_failed = on_failed };

/* ---- paths and figures ---- */

static const struct session_path *path_called(const struct session_path *path, size_t n,
                                              const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(path[i].name, name) == 0)
            return &path[i];
    return NULL;
}

static gboolean is_up(const struct session_path *p)
{
    return p && !p->off && p->stats.state == TVL_PATH_UP && p->stats.validated;
}

static void look_at_paths(struct source *s)
{
    struct session_path now[SESSION_PATHS_MAX];
    const size_t n = MIN(session_paths(s->session, now, SESSION_PATHS_MAX), SESSION_PATHS_MAX);
    for (size_t i = 0; i < n; i++)
        if (is_up(&now[i]) && !is_up(path_called(s->path, s->n_paths, now[i].name)))
            s->cfg.handler->on_path(s->cfg.user, now[i].name, TRUE);
    for (size_t i = 0; i < s->n_paths; i++)
        if (is_up(&s->path[i]) && !is_up(path_called(now, n, s->path[i].name)))
            s->cfg.handler->on_path(s->cfg.user, s->path[i].name, FALSE);
    memcpy(s->path, now, n * sizeof now[0]);
    s->n_paths = n;
}

static void append(GValue *array, GstStructure *item)
{
    GValue v = G_VALUE_INIT;
    g_value_init(&v, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&v, item);
    gst_value_array_append_and_take_value(array, &v);
}

static void append_layer(GValue *array, const struct layer_count *c, const char *name, guint slot)
{
    static const char *const kinds[] = { "svc", "audio", "data" };
    const enum subscription_kind kind = is_video(slot)       ? SUBSCRIPTION_VIDEO
                                        : slot < SOURCE_DATA ? SUBSCRIPTION_AUDIO
                                                             : SUBSCRIPTION_DATA;
    gchar pad[16];
    if (!c->received)
        return;
    g_snprintf(pad, sizeof pad, "%s_%u", kinds[kind], slot - first_slot[kind]);
    append(array, gst_structure_new("layer", "name", G_TYPE_STRING, name, "pad", G_TYPE_STRING, pad,
                                    "units-received", G_TYPE_UINT64, c->received, "units-late",
                                    G_TYPE_UINT64, c->late, "units-delivered", G_TYPE_UINT64,
                                    c->delivered, "bytes", G_TYPE_UINT64, c->bytes, NULL));
}

static void append_layers(GValue *array, const struct source *s, guint slot)
{
    for (guint sp = 0; sp < SVC_SPATIAL_MAX; sp++)
        for (guint t = 0; t < SVC_TEMPORAL_MAX; t++) {
            gchar name[16];
            g_snprintf(name, sizeof name, "s%ut%u", sp, t);
            append_layer(array, &s->count[slot][sp][t], name, slot);
        }
}

static GstStructure *stats_of(const struct source *s)
{
    struct session_status status;
    GValue paths = G_VALUE_INIT, layers = G_VALUE_INIT;
    g_value_init(&paths, GST_TYPE_ARRAY);
    g_value_init(&layers, GST_TYPE_ARRAY);
    session_get_status(s->session, &status);
    for (size_t i = 0; i < s->n_paths; i++)
        tvl_path_stats_append(&paths, s->path[i].name, NULL, &s->path[i].stats);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (is_video(slot))
            append_layers(&layers, s, slot);
        else
            append_layer(&layers, &s->other_count[slot],
                         slot < SOURCE_DATA ? "audio" : s->name[slot], slot);
    GstStructure *out = gst_structure_new(
        "tvl-stats", "state", G_TYPE_STRING, session_state_word(status.state), "interruptions",
        G_TYPE_UINT64, s->interruptions, "resyncs", G_TYPE_UINT64, s->resyncs, "latency-ms",
        G_TYPE_UINT, s->latency_ms, "reason", G_TYPE_STRING, status.reason, NULL);
    gst_structure_take_value(out, "paths", &paths);
    gst_structure_take_value(out, "layers", &layers);
    return out;
}

static void look_for_broadcast(struct source *s)
{
    struct session_status status;
    char why[SESSION_REASON_MAX];
    if (s->found || s->over || s->cfg.listen || ++s->looks < (guint)(TVL_AWAY_S / LOOK_S))
        return;
    s->found = TRUE; /* or said that it is not */
    session_get_status(s->session, &status);
    g_snprintf(why, sizeof why, "%s", status.reason);
    if (!*why)
        g_snprintf(why, sizeof why, "no answer from %s", s->to.uri.authority);
    s->cfg.handler->on_away(s->cfg.user, why);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct source *s = timer->data;
    (void)loop;
    (void)events;
    if (!s->session)
        return;
    look_at_paths(s);
    look_for_broadcast(s);
    s->cfg.handler->on_stats(s->cfg.user, stats_of(s));
}

/* ---- life ---- */

static void on_network(void *user)
{
    struct source *s = user;
    if (s->session)
        session_network_changed(s->session);
}

/* What of them is asked for is is_wanted's to say. */
static const struct svc_layer all_layers = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };

static gboolean open_session(struct source *s, char *why, size_t why_size)
{
    struct session_config cfg = { .loop = s->loop,
                                  .reconnect_s = s->cfg.settings.reconnect_s,
                                  .editions = true,
                                  .listen = s->cfg.listen,
                                  .keep = s->cfg.keep,
                                  .patient = s->cfg.settings.reconnect_s != 0,
                                  .awaits = true,
                                  .handler = &session_handler,
                                  .user = s,
                                  .wish = { .max_spatial =
                                                -1, /* what is not asked for is not sent */
                                            .max_temporal = -1,
                                            .audio = s->cfg.audio,
                                            .all_kinds = true } };
    if (!tvl_settings_to(&s->cfg.settings, &s->to, why, why_size))
        return FALSE;
    const int n = tvl_settings_paths(&s->cfg.settings, s->paths, why, why_size);
    if (n < 0)
        return FALSE;
    cfg.to = s->to;
    cfg.paths = s->paths;
    cfg.n_paths = (size_t)n;
    if (n == 0 && !cfg.listen) {
        cfg.n_paths = interfaces_find(&s->to.uri, s->paths, SESSION_PATHS_MAX);
        cfg.follow = true;
        cfg.find_paths = interfaces_find;
        s->watch = interfaces_watch_new(s->loop, on_network, s);
    }
    if (session_new(&s->session, &cfg, why, why_size) != 0)
        return FALSE;
    session_ask(s->session, all_layers);
    return TRUE;
}

static void on_start(void *user, struct ev_loop *loop)
{
    struct source *s = user;
    char why[300] = "";
    s->loop = loop;
    ev_timer_init(&s->look, on_look, LOOK_S, LOOK_S);
    ev_timer_init(&s->due, on_due, 0, 0);
    s->look.data = s->due.data = s;
    ev_timer_start(loop, &s->look);
    if (!open_session(s, why, sizeof why))
        failed(s, why);
}

static void on_stop(void *user)
{
    struct source *s = user;
    s->over = TRUE;
    if (s->session)
        session_close(s->session);
}

static void source_free(struct source *s)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        gather_reset(&s->gather[slot]);
    tvl_settings_clear(&s->cfg.settings);
    if (s->cfg.user_gone)
        s->cfg.user_gone(s->cfg.user);
    g_free(s);
}

static void on_free(void *user)
{
    struct source *s = user;
    ev_timer_stop(s->loop, &s->look);
    ev_timer_stop(s->loop, &s->due);
    interfaces_watch_free(s->watch);
    session_free(s->session);
    source_free(s);
}

static const struct tvl_link_ops link_ops = { on_start, on_stop, on_free };

struct tvl_link *source_start(struct source_config *cfg)
{
    struct source *s = g_new0(struct source, 1);
    s->cfg = *cfg;
    skew_init(&s->skew, SKEW_JUMP_US);
    find_latency(s);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        gather_init(&s->gather[slot], is_video(slot) ? 1 : 0, drop_buffer);
    struct tvl_link *l = tvl_link_new("tvlsrc", &link_ops, s);
    if (!l)
        source_free(s);
    return l;
}

static void play(void *user, void *data)
{
    struct source *s = user;
    const gboolean on = GPOINTER_TO_INT(data);
    if (s->playing == on)
        return;
    s->playing = on;
    begin_anew(s);
    if (!s->session || s->over)
        return;
    if (on)
        session_live(s->session);
    else
        session_pause(s->session);
}

void source_play(struct tvl_link *l, gboolean on)
{
    tvl_link_post(l, play, GINT_TO_POINTER(on), NULL);
}

static void ask_again(struct source *s)
{
    if (s->session)
        session_ask(s->session, all_layers);
}

static void ask(void *user, void *data)
{
    struct source *s = user;
    memcpy(s->cfg.top, data, sizeof s->cfg.top);
    count_layers(s);
    ask_again(s);
}

void source_ask(struct tvl_link *l, const struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX])
{
    tvl_link_post(l, ask, g_memdup2(top, SUBSCRIPTION_VIDEOS_MAX * sizeof *top), g_free);
}

static void choose(void *user, void *data)
{
    struct source *s = user;
    const guint unwanted = ~GPOINTER_TO_UINT(data) & SOURCE_ALL_SLOTS,
                other = unwanted ^ s->unwanted;
    s->unwanted = unwanted;
    for (guint i = 0; i < SOURCE_SLOTS; i++)
        if (other >> i & 1) {
            gather_reset(&s->gather[i]);
            s->discont[i] = TRUE;
        }
    if (other)
        ask_again(s);
    for (guint i = 0; i < SUBSCRIPTION_VIDEOS_MAX && s->session; i++)
        if ((other & ~unwanted) >> i & 1 && *s->name[i])
            session_ask_key(s->session, s->base[i]); /* it begins with one */
    s->cfg.handler->on_selected(s->cfg.user, ~unwanted & SOURCE_ALL_SLOTS);
}

void source_select(struct tvl_link *l, guint slots)
{
    tvl_link_post(l, choose, GUINT_TO_POINTER(slots), NULL);
}

static void ask_key(void *user, void *data)
{
    struct source *s = user;
    const guint slot = GPOINTER_TO_UINT(data);
    const gint64 now = g_get_monotonic_time();
    gint64 *asked_at = &s->key_asked_at[slot];
    if (!s->session || s->over || !*s->name[slot] ||
        (*asked_at && now - *asked_at < SOURCE_KEY_WAIT_MS * 1000))
        return;
    *asked_at = now;
    session_ask_key(s->session, s->base[slot]);
}

void source_ask_key(struct tvl_link *l, guint slot)
{
    if (is_video(slot))
        tvl_link_post(l, ask_key, GUINT_TO_POINTER(slot), NULL);
}

static void change_latency(void *user, void *data)
{
    struct source *s = user;
    const guint before = s->latency_ms;
    s->cfg.latency_ms = GPOINTER_TO_UINT(data);
    find_latency(s);
    if (s->over || s->latency_ms == before)
        return;
    s->cfg.handler->on_latency(s->cfg.user, s->latency_ms);
    give_due(s);
}

void source_set_latency(struct tvl_link *l, guint latency_ms)
{
    tvl_link_post(l, change_latency, GUINT_TO_POINTER(latency_ms), NULL);
}

static void flush(void *user, void *data)
{
    (void)data;
    begin_anew(user);
}

void source_flush(struct tvl_link *l)
{
    tvl_link_post(l, flush, NULL, NULL);
}
