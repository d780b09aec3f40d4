/* way.c - see way.h. */
#include "way.h"

#include <string.h>

#define TEMPORAL_BITS                                                            \
    4 /* of the number that a flight has as its track: the layer, not the track, \
         whose number changes with the catalog */
_Static_assert(SVC_TEMPORAL_MAX <= 1 << TEMPORAL_BITS, "a layer in a byte");

void way_init(struct way *w, struct tvl_conn *conn, struct moq_quic *out)
{
    memset(w, 0, sizeof *w);
    wire_init(&w->wire, conn, out);
    for (size_t i = 0; i < WAY_VIDEOS_MAX; i++)
        w->video[i].missed = SVC_SPATIAL_MAX;
}

void way_fini(struct way *w)
{
    for (size_t i = 0; i < WAY_VIDEOS_MAX; i++)
        held_fini(&w->video[i].held);
    wire_fini(&w->wire);
}

void way_aim(struct way *w, uint32_t flow, enum policy_protection protection)
{
    static const enum tvl_flow_protection how[] = { [POLICY_PLAIN] = TVL_FLOW_UNPROTECTED,
                                                    [POLICY_RESCUE] = TVL_FLOW_RESCUE,
                                                    [POLICY_REPAIR] = TVL_FLOW_REPAIR };
    const struct tvl_flow_config flow_cfg = { .protection = how[protection] };
    wire_aim(&w->wire, flow);
    if (w->protection[flow] == protection)
        return;
    w->protection[flow] = (uint8_t)protection;
    (void)tvl_flow_set(w->wire.tvl.conn, flow, &flow_cfg);
}

/* Bytes queued that go before the next unit of the layer. */
static uint64_t backlog(const struct way *w, const struct way_video *v, struct svc_layer of)
{
    const unsigned n = of.spatial * SVC_TEMPORAL_MAX + of.temporal + 1u;
    for (unsigned i = n; i-- > 0;) /* none of it yet: what goes before is the layer before */
        if (v->rank[i / SVC_TEMPORAL_MAX][i % SVC_TEMPORAL_MAX])
            return tvl_backlog(w->wire.tvl.conn,
                               v->rank[i / SVC_TEMPORAL_MAX][i % SVC_TEMPORAL_MAX]);
    return 0;
}

struct policy_order way_judge(struct way *w, const struct way_unit *u, uint64_t budget_us)
{
    struct tvl_conn_stats stats;
    struct way_video *v = &w->video[u->video];
    const struct svc_layer l = u->unit->layer;
    const struct track *own = &u->tracks->track[u->track];
    const struct track *before = u->track > 0 ? own - 1 : NULL;
    tvl_conn_get_stats(w->wire.tvl.conn, &stats);
    const struct policy_view view = { .delay_us = v->delay_us[l.spatial],
                                      .now = w->wire.tvl.now,
                                      .rate_bps = stats.rate_bps,
                                      .sure_bps = stats.sure_bps,
                                      .backlog_bytes = backlog(w, v, l),
                                      .budget_us = budget_us,
                                      .needed_bps = own->needed_bps + u->beside_bps,
                                      .above_bps = before && before->kind == TRACK_LAYER
                                                       ? before->needed_bps + u->beside_bps
                                                       : 0,
                                      .loss_ppm = (uint32_t)(stats.loss * 1e6) };
    struct policy_order order = policy_judge(&v->policy, &view, u->unit);
    if ((l.spatial > 0 || l.temporal > 0) && !policy_begun(&v->policy)) {
        order.verdict = POLICY_DROP_BROKEN; /* still before its first picture */
        order.refresh = false;
    }
    if (order.refresh && l.spatial < v->missed)
        v->missed = l.spatial;
    return order;
}

void way_sent(struct way *w, size_t video, const struct svc_unit *unit)
{
    const struct svc_layer l = unit->layer;
    struct way_video *v = &w->video[video];
    v->rank[l.spatial][l.temporal] = w->wire.last_rank;
    wire_note(&w->wire, (uint8_t)video, (size_t)l.spatial << TEMPORAL_BITS | l.temporal,
              unit->picture);
    policy_sent(&v->policy, unit, w->wire.tvl.now);
    held_sent(&v->held, w->wire.last_stream, unit);
}

static void expired(struct way_video *v, const struct wire_flight *f, struct svc_layer l,
                    tvl_time now)
{
    policy_lost(&v->policy, l, f->picture, now);
    if (l.temporal == 0 && l.spatial < v->missed)
        v->missed = l.spatial;
}

static void stream_ended(struct way *w, uint64_t stream, bool arrived, tvl_time now)
{
    const struct wire_flight *f = wire_end(&w->wire, stream);
    if (!f)
        return;
    struct way_video *v = &w->video[f->watch];
    const struct svc_layer l = { .spatial = f->track >> TEMPORAL_BITS,
                                 .temporal = f->track & ((1u << TEMPORAL_BITS) - 1) };
    if (arrived)
        held_acked(&v->held, stream);
    else
        held_lost(&v->held, stream);
    if (!arrived)
        expired(v, f, l, now);
    else if (l.temporal == 0)
        v->delay_us[l.spatial] = now - f->at;
}

void way_event(struct way *w, const struct tvl_event *ev, tvl_time now)
{
    if (ev->type == TVL_EVENT_STREAM_ACKED || ev->type == TVL_EVENT_STREAM_EXPIRED)
        stream_ended(w, ev->stream.id, ev->type == TVL_EVENT_STREAM_ACKED, now);
    else if (ev->type == TVL_EVENT_PATH && ev->path.state == TVL_PATH_UP)
        for (size_t i = 0; i < WAY_VIDEOS_MAX; i++)
            policy_path_up(&w->video[i].policy, now);
}

/* What has been taken up since is not missed any more. */
unsigned way_missed(struct way *w, size_t video)
{
    struct way_video *v = &w->video[video];
    if (v->missed < SVC_SPATIAL_MAX && v->policy.spatial[v->missed].admitted &&
        !v->policy.spatial[v->missed].failed)
        v->missed = SVC_SPATIAL_MAX;
    return v->missed;
}
