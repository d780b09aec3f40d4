/* viewer.c - see viewer.h. */
#include "viewer.h"

#include <stdio.h>
#include <stdlib.h>

#include "held.h"
#include "log.h"
#include "wire.h"

struct viewer {
    const struct broadcast *b;
    struct tvl_conn *conn;
    struct moq_session *moq;
    struct wire wire;
    struct moq_sending *sending[TRACKS_MAX]; /* NULL: not subscribed */
    struct sender sender;
    enum policy_protection protection[TRACKS_MAX]; /* as the transport was told */
    struct viewer_count count[TRACKS_MAX];
    tvl_time since;
    bool setup, closing;
    tvl_time delay_us[TRACKS_MAX]; /* from offer to acknowledgement, of the last that came */
    uint8_t missed;                /* lowest spatial layer it lost; SVC_SPATIAL_MAX: none */
    struct held held;
};

/* ---- subscriptions ---- */

static bool is_our_name(const struct broadcast *b, const struct moq_name *name)
{
    struct moq_name ours, asked = *name;
    if (moq_name_from_text(&ours, b->ns, MSF_CATALOG_TRACK) < 0)
        return false;
    asked.track = ours.track;
    return moq_name_equal(&ours, &asked);
}

static void send_catalog(struct viewer *v, struct moq_sending *s)
{
    struct moq_object obj = {
        .group = v->b->catalog_group,
        .payload = { (const uint8_t *)v->b->catalog, v->b->catalog_len },
    };
    int result = moq_object_write(s, &obj, 0);
    if (result < 0)
        log_line(LOG_WARN, "viewer %llu: the catalog was not sent: %s",
                 (unsigned long long)viewer_id(v), moq_strerror(result));
}

static int accept_track(struct viewer *v, struct moq_sending *s, size_t track)
{
    const struct broadcast *b = v->b;
    bool catalog = b->tracks->track[track].kind == TRACK_CATALOG;
    /* The catalog is constant: whoever asks gets it now, so nothing counts as published before. */
    const struct moq_location *largest =
        !catalog && b->has_largest[track] ? &b->largest[track] : NULL;
    int result = moq_accept(s, largest, (struct moq_bytes){ 0 });
    if (result < 0)
        return result;
    v->sending[track] = s;
    moq_sending_set_user(s, &v->sending[track]);
    if (catalog)
        send_catalog(v, s);
    else
        b->on_watched(b->user, &b->tracks->track[track]);
    return 0;
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct viewer *v = user;
    (void)o;
    int track = -1;
    if (is_our_name(v->b, name))
        track = tracks_find(v->b->tracks, (const char *)name->track.bytes, name->track.len);
    if (track < 0) {
        moq_reject(s, MOQ_REQ_DOES_NOT_EXIST, "no such track here");
        return;
    }
    if (v->sending[track]) {
        moq_reject(s, MOQ_REQ_DUPLICATE_SUBSCRIPTION, "subscribed already");
        return;
    }
    if (accept_track(v, s, (size_t)track) < 0)
        moq_reject(s, MOQ_REQ_INTERNAL, "cannot accept");
}

static void on_cancelled(void *user, struct moq_sending *s)
{
    (void)user;
    struct moq_sending **place = moq_sending_user(s);
    if (place && *place == s)
        *place = NULL;
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct viewer *v = user;
    (void)path;
    (void)authority;
    v->setup = true;
    log_line(LOG_INFO, "viewer %llu: session is up", (unsigned long long)viewer_id(v));
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct viewer *v = user;
    v->closing = true;
    for (size_t i = 0; i < TRACKS_MAX; i++)
        v->sending[i] = NULL;
    log_line(code == MOQ_NO_ERROR ? LOG_INFO : LOG_WARN, "viewer %llu: session over (0x%llx) %s",
             (unsigned long long)viewer_id(v), (unsigned long long)code, reason ? reason : "");
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_closed = on_closed,
    .on_subscribe = on_subscribe,
    .on_cancelled = on_cancelled,
};

/* ---- events ---- */

static void expired(struct viewer *v, uint64_t stream, tvl_time now)
{
    const struct wire_flight *f = wire_end(&v->wire, stream);
    if (!f)
        return;
    const struct track *t = &v->b->tracks->track[f->track];
    v->count[f->track].fate[VIEWER_EXPIRED]++;
    if (t->kind != TRACK_LAYER)
        return;
    sender_lost(&v->sender, v->b->policy_log, t->layer, f->picture, now);
    if (t->layer.temporal == 0 && t->layer.spatial < v->missed)
        v->missed = t->layer.spatial;
}

static void arrived(struct viewer *v, uint64_t stream, tvl_time now)
{
    const struct wire_flight *f = wire_end(&v->wire, stream);
    if (f)
        v->delay_us[f->track] = now - f->at;
}

/* Something arrives: help will, too. */
static void tell_missed(struct viewer *v)
{
    if (v->missed < SVC_SPATIAL_MAX)
        v->b->on_missed(v->b->user, v, v->missed);
    v->missed = SVC_SPATIAL_MAX;
}

void viewer_on_event(struct viewer *v, const struct tvl_event *ev, tvl_time now)
{
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        v->wire.tvl.now = now;
        if (moq_session_start(v->moq) < 0)
            viewer_close(v, "cannot start the session", now);
        break;
    case TVL_EVENT_PATH:
        if (ev->path.state == TVL_PATH_UP)
            sender_path_up(&v->sender, v->b->policy_log, now);
        break;
    case TVL_EVENT_CONTROLLER:
        log_line(LOG_INFO, "viewer %llu: path %u: %s -> %s: %s", (unsigned long long)viewer_id(v),
                 ev->controller.id, ev->controller.from, ev->controller.to, ev->controller.reason);
        break;
    case TVL_EVENT_STREAM_EXPIRED:
        held_lost(&v->held, ev->stream.id);
        expired(v, ev->stream.id, now);
        break;
    case TVL_EVENT_STREAM_ACKED:
        held_acked(&v->held, ev->stream.id);
        arrived(v, ev->stream.id, now);
        tell_missed(v);
        break;
    default:
        break;
    }
    moq_tvl_on_event(&v->wire.tvl, v->moq, ev, now);
}

void viewer_tick(struct viewer *v, tvl_time now)
{
    v->wire.tvl.now = now;
    moq_session_tick(v->moq, now);
}

/* ---- objects ---- */

static void protect(struct viewer *v, size_t track, enum policy_protection wanted)
{
    static const enum tvl_flow_protection how[] = { [POLICY_PLAIN] = TVL_FLOW_UNPROTECTED,
                                                    [POLICY_RESCUE] = TVL_FLOW_RESCUE,
                                                    [POLICY_REPAIR] = TVL_FLOW_REPAIR };
    const struct tvl_flow_config flow = { .protection = how[wanted] };

    if (v->protection[track] == wanted)
        return;
    v->protection[track] = wanted;
    (void)tvl_flow_set(v->conn, v->b->tracks->track[track].flow, &flow);
}

static struct policy_order judge(struct viewer *v, size_t track, const struct svc_unit *unit,
                                 tvl_time now)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(v->conn, &stats);
    const struct track *before = track > 0 ? &v->b->tracks->track[track - 1] : NULL;
    uint64_t above = before && before->kind == TRACK_LAYER ? before->needed_bps : 0;
    const int t0 = tracks_of_layer(v->b->tracks, (struct svc_layer){ unit->layer.spatial, 0 });
    struct policy_view view = { .delay_us = t0 >= 0 ? v->delay_us[t0] : 0,
                                .now = now,
                                .rate_bps = stats.rate_bps,
                                .sure_bps = stats.sure_bps,
                                .backlog_bytes = wire_backlog(&v->wire, track),
                                .budget_us = v->b->latency_us,
                                .needed_bps = v->b->tracks->track[track].needed_bps,
                                .above_bps = above,
                                .loss_ppm = (uint32_t)(stats.loss * 1e6) };
    return sender_judge(&v->sender, v->b->policy_log, &view, unit);
}

static const enum viewer_fate fate_of_verdict[] = {
    [POLICY_SEND] = VIEWER_SENT,
    [POLICY_DROP_BROKEN] = VIEWER_DROP_BROKEN,
    [POLICY_DROP_RATE] = VIEWER_DROP_RATE,
    [POLICY_DROP_QUEUE] = VIEWER_DROP_QUEUE,
};

void viewer_offer(struct viewer *v, const struct object *obj, const struct svc_unit *unit,
                  tvl_time now)
{
    struct moq_sending *s = v->sending[obj->track];
    if (!s || v->closing || !moq_sending_options(s)->forward)
        return;
    bool base = unit && unit->layer.spatial == 0 && unit->layer.temporal == 0;
    if (unit && !base && !policy_begun(&v->sender.policy))
        return; /* still before its first key picture */
    v->wire.tvl.now = now;
    struct policy_order order = { .lifetime_us = policy_sound_lifetime(v->b->latency_us),
                                  .protection = POLICY_RESCUE };
    if (unit)
        order = judge(v, obj->track, unit, now);
    protect(v, obj->track, order.protection);
    if (order.refresh && unit->layer.spatial < v->missed)
        v->missed = unit->layer.spatial;
    enum viewer_fate fate = fate_of_verdict[order.verdict];
    if (fate == VIEWER_SENT) {
        int result = moq_object_write(s, &obj->moq, order.lifetime_us);
        if (result == MOQ_ERR_STATE)
            return; /* before the group that the viewer asked to begin with */
        if (result < 0)
            fate = VIEWER_DROP_FULL;
    }
    struct viewer_count *c = &v->count[obj->track];
    c->offered++;
    c->fate[fate]++;
    if (fate != VIEWER_SENT)
        return;
    c->bytes += obj->moq.payload.len;
    wire_note(&v->wire, obj->track, v->b->tracks->track[obj->track].flow, unit ? unit->picture : 0);
    if (!unit)
        return;
    sender_sent(&v->sender, v->b->policy_log, unit, now);
    held_sent(&v->held, v->wire.last_stream, unit);
}

/* ---- life ---- */

int viewer_new(struct viewer **out, const struct broadcast *b, struct tvl_conn *conn, tvl_time now)
{
    static const struct moq_session_config cfg = { .server = true,
                                                   .implementation = "svc-server " TVL_VERSION };
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return -1;
    struct moq_quic quic;
    v->b = b;
    v->conn = conn;
    v->since = now;
    v->missed = SVC_SPATIAL_MAX;
    wire_init(&v->wire, conn, &quic);
    v->wire.tvl.now = now;
    if (moq_session_new(&v->moq, &cfg, &quic, &handler, v) < 0) {
        free(v);
        return -1;
    }
    v->sender.who = tvl_conn_id(conn);
    *out = v;
    return 0;
}

void viewer_free(struct viewer *v)
{
    if (!v)
        return;
    moq_session_free(v->moq);
    wire_fini(&v->wire);
    held_fini(&v->held);
    free(v);
}

void viewer_done(struct viewer *v, const char *reason)
{
    for (size_t i = 0; i < TRACKS_MAX; i++) {
        struct moq_sending *s = v->sending[i];
        v->sending[i] = NULL;
        if (s)
            moq_done(s, MOQ_DONE_TRACK_ENDED, reason);
    }
}

void viewer_close(struct viewer *v, const char *reason, tvl_time now)
{
    v->closing = true;
    v->wire.tvl.now = now;
    if (v->setup)
        moq_session_close(v->moq, MOQ_NO_ERROR, reason);
    else
        tvl_close(v->conn, MOQ_NO_ERROR, reason, now);
}

uint64_t viewer_id(const struct viewer *v)
{
    return tvl_conn_id(v->conn);
}

const struct tvl_conn *viewer_conn(const struct viewer *v)
{
    return v->conn;
}

const struct viewer_count *viewer_count(const struct viewer *v, size_t track)
{
    return &v->count[track];
}

bool viewer_wants(const struct viewer *v, size_t track)
{
    return v->sending[track] != NULL;
}

bool viewer_takes(const struct viewer *v, size_t track)
{
    return v->sending[track] && !v->closing && moq_sending_options(v->sending[track])->forward;
}

const struct svc_tracker *viewer_holds(const struct viewer *v)
{
    return &v->held.known;
}

int viewer_top(const struct viewer *v)
{
    return policy_top(&v->sender.policy);
}

tvl_time viewer_since(const struct viewer *v)
{
    return v->since;
}
