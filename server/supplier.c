/* supplier.c - see supplier.h. */
#include "supplier.h"

#include <string.h>

#include "log.h"

#define PERCENT 100u

void supplier_init(struct supplier *s, struct encoder_orders *orders,
                   const struct svc_stream_info *info, struct tracks *tracks,
                   const uint32_t bitrate_bps[SVC_SPATIAL_MAX], uint64_t latency_us)
{
    *s = (struct supplier){ .orders = orders, .info = info, .tracks = tracks };
    s->next.n_spatial = info->n_spatial;
    s->next.audio_bps = info->has_audio ? info->audio_bitrate_bps : 0;
    s->next.latency_us = (uint32_t)latency_us;
    memcpy(s->next.configured_bps, bitrate_bps, sizeof s->next.configured_bps);
}

/* ---- the best viewer ---- */

/* Lowest spatial layers that it takes; 0: none. */
static uint8_t taken(const struct viewer *v, const struct tracks *tracks)
{
    uint8_t n = 0;
    for (size_t i = 0; i < tracks->n; i++) {
        const struct track *t = &tracks->track[i];
        if (t->kind == TRACK_LAYER && t->layer.spatial >= n && viewer_takes(v, i))
            n = (uint8_t)(t->layer.spatial + 1);
    }
    return n;
}

static uint64_t rate_bps(const struct viewer *v)
{
    struct tvl_conn_stats stats;
    tvl_conn_get_stats(viewer_conn(v), &stats);
    return stats.sure_bps;
}

/* By `percent` of the rate where both have the same layers. */
static bool is_better(const struct viewer *v, const struct viewer *than, unsigned percent)
{
    int top = viewer_top(v), other = viewer_top(than);
    return top != other ? top > other : rate_bps(v) > rate_bps(than) / PERCENT * percent;
}

/* NULL: nobody takes anything. */
static struct viewer *choose(const struct supplier *s, struct viewer *const *viewers, size_t n,
                             tvl_time now)
{
    struct viewer *kept = NULL, *best = NULL;
    for (size_t i = 0; i < n; i++) {
        struct viewer *v = viewers[i];
        if (taken(v, s->tracks) == 0)
            continue;
        if (s->has_best && viewer_id(v) == s->best)
            kept = v;
        bool young = now - viewer_since(v) < SUPPLIER_YOUNG_US;
        if (!best || (!young && is_better(v, best, PERCENT)))
            best = v;
    }
    return kept && !is_better(best, kept, SUPPLIER_BETTER_PERCENT) ? kept : best;
}

/* ---- what is known of it ---- */

static void add_counts(struct supply_input *sum, const struct track *t,
                       const struct viewer_count *c)
{
    uint64_t dropped =
        c->fate[VIEWER_DROP_RATE] + c->fate[VIEWER_DROP_QUEUE] + c->fate[VIEWER_DROP_FULL];
    if (t->kind != TRACK_LAYER)
        return;
    if (t->layer.temporal > 0) {
        sum->thinned[t->layer.spatial] += (uint32_t)(dropped + c->fate[VIEWER_EXPIRED]);
        return;
    }
    sum->offered[t->layer.spatial] = (uint32_t)c->offered;
    sum->sent[t->layer.spatial] = (uint32_t)c->fate[VIEWER_SENT];
    sum->dropped[t->layer.spatial] = (uint32_t)dropped;
    sum->expired[t->layer.spatial] = (uint32_t)c->fate[VIEWER_EXPIRED];
}

static void differ(uint32_t *out, const uint32_t *now, const uint32_t *before)
{
    for (unsigned i = 0; i < SVC_SPATIAL_MAX; i++)
        out[i] = now[i] - before[i];
}

/* Since the last decision; totals are kept for the next. */
static void take_counts(struct supplier *s, const struct viewer *v, bool same,
                        struct supply_input *in)
{
    struct supply_input sum = { 0 };
    for (size_t i = 0; i < s->tracks->n; i++)
        add_counts(&sum, &s->tracks->track[i], viewer_count(v, i));
    if (!same)
        s->base = sum;
    differ(in->offered, sum.offered, s->base.offered);
    differ(in->sent, sum.sent, s->base.sent);
    differ(in->dropped, sum.dropped, s->base.dropped);
    differ(in->expired, sum.expired, s->base.expired);
    differ(in->thinned, sum.thinned, s->base.thinned);
    s->base = sum;
}

static void take_paths(const struct viewer *v, struct supply_input *in)
{
    struct tvl_path_stats paths[TVL_PATHS_MAX];
    size_t n = tvl_paths(viewer_conn(v), paths, TVL_PATHS_MAX);
    in->rate_bps = rate_bps(v);
    in->delivered_bps = 0;
    in->paths = 0;
    for (size_t i = 0; i < n; i++) {
        in->paths += paths[i].state == TVL_PATH_UP;
        in->delivered_bps += paths[i].delivery_bps;
    }
}

static uint32_t queue_us(const struct viewer *v)
{
    uint64_t bytes = tvl_backlog(viewer_conn(v), UINT64_MAX), rate = rate_bps(v);
    uint64_t us = bytes == 0 ? 0 : rate ? bytes * 8 * 1000000 / rate : UINT32_MAX;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* ---- what is told ---- */

static void account(struct supplier *s, tvl_time now)
{
    for (unsigned i = 0; i < s->wanted; i++) {
        struct supplier_told *t = &s->told[i];
        uint64_t us = s->decided_at ? now - s->decided_at : 0;
        uint32_t told = s->now.bitrate_bps[i];
        if (us == 0)
            continue;
        t->min_bps = t->us == 0 || told < t->min_bps ? told : t->min_bps;
        t->sum += us * told;
        t->us += us;
    }
}

static void order(struct supplier *s, const struct supply_decision *d)
{
    if (d->reason != SUPPLY_SAME && d->reason != SUPPLY_PROOF)
        log_line(LOG_INFO, "encoder: %u spatial layers, %u %u %u %u bit/s: %s", d->n_spatial,
                 d->bitrate_bps[0], d->bitrate_bps[1], d->bitrate_bps[2], d->bitrate_bps[3],
                 supply_reason_text((enum supply_reason)d->reason));
    if (memcmp(d->bitrate_bps, s->now.bitrate_bps, sizeof d->bitrate_bps) != 0) {
        encoder_orders_rates(s->orders, d->bitrate_bps);
        tracks_need(s->tracks, s->info, d->bitrate_bps);
    }
    encoder_orders_top(s->orders, d->n_spatial);
    s->now = *d;
    for (unsigned i = 0; i < SVC_SPATIAL_MAX; i++)
        s->told[i].now_bps = d->bitrate_bps[i];
}

void supplier_decide(struct supplier *s, struct viewer *const *viewers, size_t n, tvl_time now)
{
    struct supply_input in = s->next;
    struct supply_decision out;
    if (!s->orders)
        return;
    struct viewer *best = choose(s, viewers, n, now);
    bool same = best && s->has_best && viewer_id(best) == s->best;
    for (size_t i = 0; i < n; i++) {
        uint8_t takes = taken(viewers[i], s->tracks);
        in.wanted = takes > in.wanted ? takes : in.wanted;
    }
    in.now_us = (int64_t)now;
    in.queue_us = same && in.queue_us != UINT32_MAX ? in.queue_us : 0;
    if (best) {
        in.who = viewer_id(best);
        take_paths(best, &in);
        take_counts(s, best, same, &in);
    }
    account(s, now);
    sender_supply(&s->sender, s->log, &in, &out);
    order(s, &out);
    s->wanted = in.wanted;
    s->decided_at = now;
    s->has_best = best != NULL;
    s->best = in.who;
    s->next.queue_us = UINT32_MAX;
}

static void sample_queue(struct supplier *s, struct viewer *const *viewers, size_t n)
{
    for (size_t i = 0; s->has_best && i < n; i++) {
        if (viewer_id(viewers[i]) != s->best)
            continue;
        uint32_t us = queue_us(viewers[i]);
        s->next.queue_us = us < s->next.queue_us ? us : s->next.queue_us;
    }
}

void supplier_tick(struct supplier *s, struct viewer *const *viewers, size_t n, tvl_time now)
{
    if (!s->orders)
        return;
    sample_queue(s, viewers, n);
    if (s->decided_at == 0 || now - s->decided_at >= SUPPLY_PERIOD_US)
        supplier_decide(s, viewers, n, now);
}
