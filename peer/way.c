/* way.c - see way.h. */
#include "way.h"

#include <string.h>

#define TEMPORAL_BITS 4 /* of the number that a flight has as its track: the layer, not the track, \
                           whose number changes with the catalog */
_Static_assert(SVC_TEMPORAL_MAX <= 1 << TEMPORAL_BITS, "a layer in a byte");

void way_init(struct way *w, struct tvl_conn *conn, struct moq_quic *out)
{
    memset(w, 0, sizeof *w);
    wire_init(&w->wire, conn, out);
    w->missed = SVC_SPATIAL_MAX;
}

void way_fini(struct way *w)
{
    held_fini(&w->held);
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
static uint64_t backlog(const struct way *w, struct svc_layer of)
{
    const unsigned n = of.spatial * SVC_TEMPORAL_MAX + of.temporal + 1u;
    for (unsigned i = n; i-- > 0;) /* none of it yet: what goes before is the layer before */
        if (w->rank[i / SVC_TEMPORAL_MAX][i % SVC_TEMPORAL_MAX])
            return tvl_backlog(w->wire.tvl.conn, w->rank[i / SVC_TEMPORAL_MAX][i % SVC_TEMPORAL_MAX]);
    return 0;
}

struct policy_order way_judge(struct way *w, const struct tracks *t, size_t track,
                              const struct svc_unit *unit, uint64_t budget_us)
{
    struct tvl_conn_stats stats;
    const struct svc_layer l = unit->layer;
    const struct track *before = track > 0 ? &t->track[track - 1] : NULL;
    tvl_conn_get_stats(w->wire.tvl.conn, &stats);
    const struct policy_view view = { .delay_us = w->delay_us[l.spatial],
                                      .now = w->wire.tvl.now,
                                      .rate_bps = stats.rate_bps,
                                      .sure_bps = stats.sure_bps,
                                      .backlog_bytes = backlog(w, l),
                                      .budget_us = budget_us,
                                      .needed_bps = t->track[track].needed_bps,
                                      .above_bps = before && before->kind == TRACK_LAYER
                                                       ? before->needed_bps
                                                       : 0,
                                      .loss_ppm = (uint32_t)(stats.loss * 1e6) };
    struct policy_order order = policy_judge(&w->policy, &view, unit);
    if ((l.spatial > 0 || l.temporal > 0) && !policy_begun(&w->policy)) {
        order.verdict = POLICY_DROP_BROKEN; /* still before its first picture */
        order.refresh = false;
    }
    if (order.refresh && l.spatial < w->missed)
        w->missed = l.spatial;
    return order;
}

void way_sent(struct way *w, const struct svc_unit *unit)
{
    const struct svc_layer l = unit->layer;
    w->rank[l.spatial][l.temporal] = w->wire.last_rank;
    wire_note(&w->wire, 0, (size_t)l.spatial << TEMPORAL_BITS | l.temporal, unit->picture);
    policy_sent(&w->policy, unit, w->wire.tvl.now);
    held_sent(&w->held, w->wire.last_stream, unit);
}

static void expired(struct way *w, const struct wire_flight *f, struct svc_layer l, tvl_time now)
{
    policy_lost(&w->policy, l, f->picture, now);
    if (l.temporal == 0 && l.spatial < w->missed)
        w->missed = l.spatial;
}

static void stream_ended(struct way *w, uint64_t stream, bool arrived, tvl_time now)
{
    const struct wire_flight *f = wire_end(&w->wire, stream);
    if (!f)
        return;
    const struct svc_layer l = { .spatial = f->track >> TEMPORAL_BITS,
                                 .temporal = f->track & ((1u << TEMPORAL_BITS) - 1) };
    if (arrived)
        held_acked(&w->held, stream);
    else
        held_lost(&w->held, stream);
    if (!arrived)
        expired(w, f, l, now);
    else if (l.temporal == 0)
        w->delay_us[l.spatial] = now - f->at;
}

void way_event(struct way *w, const struct tvl_event *ev, tvl_time now)
{
    if (ev->type == TVL_EVENT_STREAM_ACKED || ev->type == TVL_EVENT_STREAM_EXPIRED)
        stream_ended(w, ev->stream.id, ev->type == TVL_EVENT_STREAM_ACKED, now);
    else if (ev->type == TVL_EVENT_PATH && ev->path.state == TVL_PATH_UP)
        policy_path_up(&w->policy, now);
}

/* What has been taken up since is not missed any more. */
unsigned way_missed(struct way *w)
{
    if (w->missed < SVC_SPATIAL_MAX && w->policy.spatial[w->missed].admitted &&
        !w->policy.spatial[w->missed].failed)
        w->missed = SVC_SPATIAL_MAX;
    return w->missed;
}
