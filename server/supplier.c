/* supplier.c - see supplier.h. */
#include "supplier.h"

#include <string.h>

#include "log.h"

#define PERCENT 100u

void supplier_init(struct supplier *s, struct encoder_orders *orders,
                   const struct svc_stream_info *info, const uint32_t bitrate_bps[SVC_SPATIAL_MAX],
                   uint64_t latency_us)
{
    *s = (struct supplier){ .orders = orders, .info = info };
    s->next.n_spatial = info->n_spatial;
    s->next.audio_bps = info->has_audio ? info->audio_bitrate_bps : 0;
    s->next.latency_us = (uint32_t)latency_us;
    s->next.queue_us = UINT32_MAX;
    memcpy(s->next.configured_bps, bitrate_bps, sizeof s->next.configured_bps);
}

/* ---- the best viewer ---- */

bool supplier_is_better(const struct supplier_viewer *v, const struct supplier_viewer *than,
                        unsigned percent)
{
    return v->top != than->top ? v->top > than->top
                               : v->rate_bps > than->rate_bps / PERCENT * percent;
}

const struct supplier_viewer *supplier_choose(const struct supplier_viewer *v, size_t n,
                                              uint64_t kept)
{
    const struct supplier_viewer *last = NULL, *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (v[i].takes == 0)
            continue;
        if (kept && v[i].id == kept)
            last = &v[i];
        const bool young = v[i].age_us < SUPPLIER_YOUNG_US;
        if (!best || (!young && supplier_is_better(&v[i], best, PERCENT)))
            best = &v[i];
    }
    return last && !supplier_is_better(best, last, SUPPLIER_BETTER_PERCENT) ? last : best;
}

/* ---- what is known of it ---- */

static void differ(uint32_t *out, const uint32_t *now, const uint32_t *before)
{
    for (unsigned i = 0; i < SVC_SPATIAL_MAX; i++)
        out[i] = now[i] - before[i];
}

/* Since the last decision; totals are kept for the next. */
static void take_counts(struct supplier *s, const struct supply_input *sum, bool same,
                        struct supply_input *in)
{
    if (!same)
        s->base = *sum;
    differ(in->offered, sum->offered, s->base.offered);
    differ(in->sent, sum->sent, s->base.sent);
    differ(in->dropped, sum->dropped, s->base.dropped);
    differ(in->expired, sum->expired, s->base.expired);
    differ(in->thinned, sum->thinned, s->base.thinned);
    s->base = *sum;
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

static bool order(struct supplier *s, const struct supply_decision *d)
{
    if (d->reason != SUPPLY_SAME && d->reason != SUPPLY_PROOF)
        log_line(LOG_INFO, "encoder: %u spatial layers, %u %u %u %u bit/s: %s", d->n_spatial,
                 d->bitrate_bps[0], d->bitrate_bps[1], d->bitrate_bps[2], d->bitrate_bps[3],
                 supply_reason_text((enum supply_reason)d->reason));
    const bool others = memcmp(d->bitrate_bps, s->now.bitrate_bps, sizeof d->bitrate_bps) != 0;
    if (others)
        encoder_orders_rates(s->orders, d->bitrate_bps);
    encoder_orders_top(s->orders, d->n_spatial);
    s->now = *d;
    for (unsigned i = 0; i < SVC_SPATIAL_MAX; i++)
        s->told[i].now_bps = d->bitrate_bps[i];
    return others;
}

bool supplier_decide(struct supplier *s, const struct supplier_viewer *v, size_t n, uint8_t wanted,
                     tvl_time now)
{
    struct supply_input in = s->next;
    struct supply_decision out;
    if (!s->orders)
        return false;
    const struct supplier_viewer *best = supplier_choose(v, n, s->has_best ? s->best : 0);
    const bool same = best && s->has_best && best->id == s->best;
    in.wanted = wanted;
    in.now_us = (int64_t)now;
    in.queue_us = same && in.queue_us != UINT32_MAX ? in.queue_us : 0;
    if (best) {
        in.who = best->id;
        in.rate_bps = best->rate_bps;
        in.delivered_bps = best->delivered_bps;
        in.paths = best->paths;
        take_counts(s, &best->sum, same, &in);
    }
    account(s, now);
    sender_supply(&s->sender, s->log, &in, &out);
    const bool others = order(s, &out);
    s->wanted = in.wanted;
    s->decided_at = now;
    s->has_best = best != NULL;
    s->best = in.who;
    s->next.queue_us = UINT32_MAX;
    return others;
}

void supplier_hear(struct supplier *s, const struct supplier_viewer *v)
{
    if (s->orders && s->has_best && v->takes > 0 && v->id == s->best &&
        v->queue_us < s->next.queue_us)
        s->next.queue_us = v->queue_us;
}

bool supplier_tick(struct supplier *s, const struct supplier_viewer *v, size_t n, uint8_t wanted,
                   tvl_time now)
{
    return s->orders && (s->decided_at == 0 || now - s->decided_at >= SUPPLY_PERIOD_US) &&
           supplier_decide(s, v, n, wanted, now);
}
