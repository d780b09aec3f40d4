/* watch.c - see watch.h. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "timeline.h"
#include "window.h"

/* In a log of decisions each watch of a session, and each run that it sees, is somebody else. */
#define NUMBER (UINT64_C(1) << 32)
#define RUN (UINT64_C(1) << 40)
#define WATCHES_APART (TVL_FLOWS_MAX / TRACKS_MAX) /* whose flows are counted apart */

static const struct track *track_of(const struct watch *w, size_t track)
{
    return &w->view->tracks.track[track];
}

static uint32_t flow_of(const struct watch *w, size_t track)
{
    return w->number % WATCHES_APART * TRACKS_MAX + track_of(w, track)->flow;
}

/* ---- life ---- */

struct watch *watch_new(const struct watch_way *way, void *owner, uint8_t number, const char *ns,
                        tvl_time now)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->way = way;
    w->owner = owner;
    w->number = number;
    w->since = now;
    w->missed = SVC_SPATIAL_MAX;
    w->sender.who = way->id + number * NUMBER;
    snprintf(w->ns, sizeof w->ns, "%s", ns);
    LIST_INIT(&w->subscriptions);
    return w;
}

static void free_held(struct watch *w)
{
    if (w->held)
        held_fini(w->held);
    free(w->held);
    w->held = NULL;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    watch_forget(w);
    watch_part(w);
    view_unref(w->view);
    free_held(w);
    free(w);
}

/* What was known of another run of the broadcast is of no use for this one. */
static void adopt(struct watch *w, struct view *view)
{
    if (w->view == view)
        return;
    if (w->view) {
        wire_forget(w->way->wire, w->number);
        memset(w->count, 0, sizeof w->count);
        memset(w->delay_us, 0, sizeof w->delay_us);
        memset(w->rank, 0, sizeof w->rank);
        w->sender = (struct sender){ .who = w->sender.who + RUN };
        w->missed = SVC_SPATIAL_MAX;
        free_held(w);
    }
    view_unref(w->view);
    w->view = view_ref(view);
    if (view->coded && !w->held)
        w->held = calloc(1, sizeof *w->held); /* without: nothing is known */
}

void watch_join(struct watch *w, struct follow *f)
{
    w->follow = f;
    LIST_INSERT_HEAD(&f->watches, w, link);
    f->n_watches++;
    if (f->view)
        adopt(w, f->view);
}

void watch_part(struct watch *w)
{
    if (!w->follow)
        return;
    LIST_REMOVE(w, link);
    w->follow->n_watches--;
    w->follow = NULL;
}

/* ---- subscriptions ---- */

static void drop(struct subscription *sub)
{
    if (sub->track >= 0)
        sub->watch->of_track[sub->track] = NULL;
    LIST_REMOVE(sub, link);
    free(sub);
}

static void reject(struct subscription *sub, uint64_t code, const char *reason)
{
    moq_sending_set_user(sub->sending, NULL);
    (void)moq_reject(sub->sending, code, reason);
    drop(sub);
}

static void send_catalog(const struct watch *w, struct moq_sending *s)
{
    const struct moq_object obj = {
        .group = w->view->catalog_group,
        .payload = { (const uint8_t *)w->view->catalog, w->view->catalog_len },
    };
    wire_aim(w->way->wire, 0);
    const int result = moq_object_write(s, &obj, 0);
    if (result < 0)
        log_line(LOG_WARN, "viewer %llu: the catalog was not sent: %s",
                 (unsigned long long)w->way->id, moq_strerror(result));
}

/* Group numbers of a timeline are times: whoever asks again later gets a later group. */
static char *make_timeline(const struct watch *w, size_t track, struct moq_object *out)
{
    size_t len;
    char *json = timeline_make(w->view->window, track_of(w, track)->of, &len);
    if (json)
        *out = (struct moq_object){ .group = clock_wall_ms(),
                                    .payload = { (const uint8_t *)json, len } };
    return json;
}

static void send_timeline(const struct watch *w, size_t track)
{
    struct moq_object obj;
    char *json = make_timeline(w, track, &obj);
    const int result = json ? moq_object_write(w->of_track[track]->sending, &obj, 0) : 0;
    if (!json || result < 0)
        log_line(LOG_WARN, "viewer %llu: the timeline was not sent: %s",
                 (unsigned long long)w->way->id, json ? moq_strerror(result) : "out of memory");
    free(json);
}

void watch_fetch(struct watch *w, struct past *past, struct moq_fetch *f, const char *name,
                 const struct moq_fetch_options *o)
{
    const int track = tracks_find(&w->view->tracks, name, strlen(name));
    struct moq_object obj = { .group = w->view->catalog_group,
                              .payload = { (const uint8_t *)w->view->catalog,
                                           w->view->catalog_len } };
    char *json = NULL;
    if (track < 0) {
        moq_fetch_reject(f, MOQ_REQ_DOES_NOT_EXIST, "no such track here");
        return;
    }
    const enum track_kind kind = track_of(w, (size_t)track)->kind;
    if (kind == TRACK_TIMELINE)
        json = make_timeline(w, (size_t)track, &obj);
    if (kind == TRACK_TIMELINE && !json)
        moq_fetch_reject(f, MOQ_REQ_INTERNAL, "out of memory");
    else if (kind == TRACK_CATALOG || kind == TRACK_TIMELINE)
        past_give_one(f, o, &obj);
    else
        past_begin(past, f, w->view->window, (size_t)track, o);
    free(json);
}

/* The track's number, or -1: it was refused, and `sub` is gone. */
static int answer(struct watch *w, struct subscription *sub)
{
    const int track = tracks_find(&w->view->tracks, sub->name, strlen(sub->name));
    if (track < 0) {
        reject(sub, MOQ_REQ_DOES_NOT_EXIST, "no such track here");
        return -1;
    }
    if (w->of_track[track]) {
        reject(sub, MOQ_REQ_DUPLICATE_SUBSCRIPTION, "subscribed already");
        return -1;
    }
    const bool catalog = track_of(w, (size_t)track)->kind == TRACK_CATALOG;
    /* The catalog is constant: whoever asks gets it now, so nothing counts as published before. */
    const struct moq_location *largest =
        !catalog && w->follow->has_largest[track] ? &w->follow->largest[track] : NULL;
    const bool coded = w->view->coded && track_of(w, (size_t)track)->kind == TRACK_LAYER;
    if (moq_accept(sub->sending, largest, coded ? MOQ_DYNAMIC_GROUPS : (struct moq_bytes){ 0 }) <
        0) {
        reject(sub, MOQ_REQ_INTERNAL, "cannot accept");
        return -1;
    }
    sub->track = track;
    w->of_track[track] = sub;
    if (catalog)
        send_catalog(w, sub->sending);
    else if (track_of(w, (size_t)track)->kind == TRACK_TIMELINE)
        send_timeline(w, (size_t)track);
    return track;
}

static uint64_t all_bytes(const struct watch *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < TRACKS_MAX; i++)
        bytes += w->count[i].bytes;
    return bytes;
}

uint64_t watch_bytes(const struct watch *w)
{
    const uint64_t bytes = all_bytes(w); /* another run counts anew */
    return bytes >= w->bytes_before ? bytes - w->bytes_before : bytes;
}

void watch_grant(struct watch *w, uint64_t until_ms, tvl_time now)
{
    if (watch_is_idle(w)) {
        w->until_ms = 0;
        w->granted_at = now;
        w->bytes_before = all_bytes(w);
    }
    if (until_ms > w->until_ms)
        w->until_ms = until_ms;
}

int watch_subscribe(struct watch *w, struct moq_sending *s, const struct moq_bytes *name)
{
    struct subscription *sub = calloc(1, sizeof *sub);
    if (!sub || name->len >= sizeof sub->name) {
        free(sub);
        (void)moq_reject(s, sub ? MOQ_REQ_DOES_NOT_EXIST : MOQ_REQ_INTERNAL, "no such track here");
        return -1;
    }
    memcpy(sub->name, name->bytes, name->len);
    sub->watch = w;
    sub->sending = s;
    sub->track = -1;
    sub->forward = moq_sending_options(s)->forward;
    LIST_INSERT_HEAD(&w->subscriptions, sub, link);
    moq_sending_set_user(s, sub);
    return w->follow && w->follow->view ? answer(w, sub) : -1;
}

uint32_t watch_shown(struct watch *w)
{
    uint32_t accepted = 0;
    adopt(w, w->follow->view);
    for (struct subscription *sub = LIST_FIRST(&w->subscriptions), *next; sub; sub = next) {
        next = LIST_NEXT(sub, link);
        const int track = sub->track < 0 ? answer(w, sub) : -1;
        accepted |= track >= 0 ? 1u << track : 0;
    }
    return accepted;
}

void watch_refuse(struct watch *w, uint64_t code, const char *reason)
{
    for (struct subscription *sub = LIST_FIRST(&w->subscriptions), *next; sub; sub = next) {
        next = LIST_NEXT(sub, link);
        reject(sub, code, reason);
    }
}

void watch_cancelled(struct subscription *sub)
{
    drop(sub);
}

void watch_forget(struct watch *w)
{
    while (!LIST_EMPTY(&w->subscriptions))
        drop(LIST_FIRST(&w->subscriptions));
}

void watch_done(struct watch *w, uint64_t status, const char *reason)
{
    for (struct subscription *sub = LIST_FIRST(&w->subscriptions), *next; sub; sub = next) {
        next = LIST_NEXT(sub, link);
        if (sub->track < 0) {
            reject(sub, MOQ_REQ_DOES_NOT_EXIST, reason);
            continue;
        }
        moq_sending_set_user(sub->sending, NULL);
        (void)moq_done(sub->sending, status, reason);
        drop(sub);
    }
}

bool watch_is_idle(const struct watch *w)
{
    return LIST_EMPTY(&w->subscriptions);
}

/* ---- objects ---- */

static void protect(struct watch *w, size_t track, enum policy_protection wanted)
{
    static const enum tvl_flow_protection how[] = { [POLICY_PLAIN] = TVL_FLOW_UNPROTECTED,
                                                    [POLICY_RESCUE] = TVL_FLOW_RESCUE,
                                                    [POLICY_REPAIR] = TVL_FLOW_REPAIR };
    const struct tvl_flow_config flow = { .protection = how[wanted] };

    if (w->protection[track] == wanted)
        return;
    w->protection[track] = wanted;
    (void)tvl_flow_set(w->way->conn, flow_of(w, track), &flow);
}

/* Bytes queued that go before the next object of the track. */
static uint64_t backlog(const struct watch *w, size_t track)
{
    for (size_t i = track + 1; i-- > 0;) /* no object yet: what goes before is the track before */
        if (w->rank[i])
            return tvl_backlog(w->way->conn, w->rank[i]);
    return 0;
}

static struct policy_order judge(struct watch *w, size_t track, const struct svc_unit *unit,
                                 uint64_t budget_us, tvl_time now)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(w->way->conn, &stats);
    const struct track *before = track > 0 ? track_of(w, track - 1) : NULL;
    const uint64_t above =
        before && before->kind == TRACK_LAYER ? w->follow->needed_bps[track - 1] : 0;
    const int t0 = tracks_of_layer(&w->view->tracks, (struct svc_layer){ unit->layer.spatial, 0 });
    const struct policy_view view = { .delay_us = t0 >= 0 ? w->delay_us[t0] : 0,
                                      .now = now,
                                      .rate_bps = stats.rate_bps,
                                      .sure_bps = stats.sure_bps,
                                      .backlog_bytes = backlog(w, track),
                                      .budget_us = budget_us,
                                      .needed_bps = w->follow->needed_bps[track],
                                      .above_bps = above,
                                      .loss_ppm = (uint32_t)(stats.loss * 1e6) };
    return sender_judge(&w->sender, w->way->policy_log, &view, unit);
}

static const enum watch_fate fate_of_verdict[] = {
    [POLICY_SEND] = WATCH_SENT,
    [POLICY_DROP_BROKEN] = WATCH_DROP_BROKEN,
    [POLICY_DROP_RATE] = WATCH_DROP_RATE,
    [POLICY_DROP_QUEUE] = WATCH_DROP_QUEUE,
};

/* It went out on the wire's last stream. */
static void note(struct watch *w, const struct media *m, tvl_time now)
{
    const size_t track = m->object.track;
    const struct svc_unit *unit = m->has_unit ? &m->unit : NULL;

    w->count[track].bytes += m->object.moq.payload.len;
    w->rank[track] = w->way->wire->last_rank;
    wire_note(w->way->wire, w->number, track, unit ? unit->picture : 0);
    if (!unit)
        return;
    sender_sent(&w->sender, w->way->policy_log, unit, now);
    if (w->held)
        held_sent(w->held, w->way->wire->last_stream, unit);
}

void watch_offer(struct watch *w, const struct media *m, tvl_time now)
{
    const size_t track = m->object.track;
    const struct svc_unit *unit = m->has_unit ? &m->unit : NULL;
    if (!watch_takes(w, track))
        return;
    const bool base = unit && unit->layer.spatial == 0 && unit->layer.temporal == 0;
    if (unit && !base && !policy_begun(&w->sender.policy))
        return; /* still before its first key picture */
    w->way->wire->tvl.now = now;
    const uint64_t budget_us = shed_budget(now - m->at, w->view->latency_us);
    struct policy_order order = { .lifetime_us = policy_sound_lifetime(budget_us),
                                  .protection = POLICY_RESCUE };
    if (unit)
        order = judge(w, track, unit, budget_us, now);
    protect(w, track, order.protection);
    if (order.refresh && unit->layer.spatial < w->missed)
        w->missed = unit->layer.spatial;
    enum watch_fate fate = fate_of_verdict[order.verdict];
    if (fate == WATCH_SENT) {
        wire_aim(w->way->wire, flow_of(w, track));
        const int result =
            moq_object_write(w->of_track[track]->sending, &m->object.moq, order.lifetime_us);
        if (result == MOQ_ERR_STATE)
            return; /* before the group that the viewer asked to begin with */
        if (result < 0)
            fate = WATCH_DROP_FULL;
    }
    w->count[track].offered++;
    w->count[track].fate[fate]++;
    if (fate == WATCH_SENT)
        note(w, m, now);
}

void watch_expired(struct watch *w, const struct wire_flight *f, uint64_t stream, tvl_time now)
{
    const struct track *t = track_of(w, f->track);
    if (w->held)
        held_lost(w->held, stream);
    w->count[f->track].fate[WATCH_EXPIRED]++;
    if (t->kind != TRACK_LAYER)
        return;
    sender_lost(&w->sender, w->way->policy_log, t->layer, f->picture, now);
    if (t->layer.temporal == 0 && t->layer.spatial < w->missed)
        w->missed = t->layer.spatial;
}

void watch_acked(struct watch *w, const struct wire_flight *f, uint64_t stream, tvl_time now)
{
    if (w->held)
        held_acked(w->held, stream);
    w->delay_us[f->track] = now - f->at;
}

void watch_path_up(struct watch *w, tvl_time now)
{
    sender_path_up(&w->sender, w->way->policy_log, now);
}

uint8_t watch_take_missed(struct watch *w)
{
    const uint8_t missed = w->missed;
    w->missed = SVC_SPATIAL_MAX;
    return missed;
}

/* ---- what is known of it ---- */

bool watch_takes(const struct watch *w, size_t track)
{
    return w->of_track[track] && moq_sending_options(w->of_track[track]->sending)->forward;
}

int watch_top(const struct watch *w)
{
    return policy_top(&w->sender.policy);
}

const struct svc_tracker *watch_holds(const struct watch *w)
{
    return w->held ? &w->held->known : NULL;
}

static void add_counts(struct supply_input *sum, const struct track *t, const struct watch_count *c)
{
    const uint64_t dropped =
        c->fate[WATCH_DROP_RATE] + c->fate[WATCH_DROP_QUEUE] + c->fate[WATCH_DROP_FULL];
    if (t->kind != TRACK_LAYER)
        return;
    if (t->layer.temporal > 0) {
        sum->thinned[t->layer.spatial] += (uint32_t)(dropped + c->fate[WATCH_EXPIRED]);
        return;
    }
    sum->offered[t->layer.spatial] = (uint32_t)c->offered;
    sum->sent[t->layer.spatial] = (uint32_t)c->fate[WATCH_SENT];
    sum->dropped[t->layer.spatial] = (uint32_t)dropped;
    sum->expired[t->layer.spatial] = (uint32_t)c->fate[WATCH_EXPIRED];
}

static uint32_t queue_us(const struct watch *w, uint64_t rate_bps)
{
    const uint64_t bytes = tvl_backlog(w->way->conn, UINT64_MAX);
    const uint64_t us = bytes == 0 ? 0 : rate_bps ? bytes * 8 * 1000000 / rate_bps : UINT32_MAX;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void watch_summary(const struct watch *w, tvl_time now, struct supplier_viewer *out)
{
    struct tvl_conn_stats stats;
    struct tvl_path_stats paths[TVL_PATHS_MAX];
    *out = (struct supplier_viewer){ .id = w->way->id, .top = watch_top(w) };
    if (!w->view)
        return;
    for (size_t i = 0; i < w->view->tracks.n; i++) {
        const struct track *t = track_of(w, i);
        if (t->kind == TRACK_LAYER && t->layer.spatial >= out->takes && watch_takes(w, i))
            out->takes = (uint8_t)(t->layer.spatial + 1);
        add_counts(&out->sum, t, &w->count[i]);
    }
    tvl_conn_get_stats(w->way->conn, &stats);
    out->age_us = now - w->since;
    out->rate_bps = stats.sure_bps;
    out->queue_us = queue_us(w, stats.sure_bps);
    const size_t n = tvl_paths(w->way->conn, paths, TVL_PATHS_MAX);
    for (size_t i = 0; i < n; i++) {
        out->paths += paths[i].state == TVL_PATH_UP;
        out->delivered_bps += paths[i].delivery_bps;
    }
}

static void describe(const struct watch *w, size_t track, struct snapshot_track *out)
{
    const struct watch_count *c = &w->count[track];
    struct tvl_flow_stats flow = { 0 };
    (void)tvl_flow_get_stats(w->way->conn, flow_of(w, track), &flow);
    *out = (struct snapshot_track){ .track = (uint8_t)track,
                                    .subscribed = w->of_track[track] != NULL,
                                    .takes = watch_takes(w, track),
                                    .offered = c->offered,
                                    .sent = c->fate[WATCH_SENT],
                                    .bytes = c->bytes,
                                    .dropped_broken = c->fate[WATCH_DROP_BROKEN],
                                    .dropped_rate = c->fate[WATCH_DROP_RATE],
                                    .dropped_queue = c->fate[WATCH_DROP_QUEUE],
                                    .dropped_full = c->fate[WATCH_DROP_FULL],
                                    .expired = c->fate[WATCH_EXPIRED],
                                    .delay_us = w->delay_us[track],
                                    .margin_min_us = flow.margin_min,
                                    .margin_p10_us = flow.margin_p10 };
}

void watch_snapshot(const struct watch *w, struct snapshot_session *out)
{
    snprintf(out->ns, sizeof out->ns, "%.*s", (int)sizeof out->ns - 1, w->ns);
    out->top = watch_top(w);
    out->n_tracks = 0;
    for (size_t i = 0; w->view && i < w->view->tracks.n; i++)
        describe(w, i, &out->track[out->n_tracks++]);
}
