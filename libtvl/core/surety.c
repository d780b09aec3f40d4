/* surety.c - see surety.h. */
#include "surety.h"

#define LOSS_GAIN 0.01
#define SWING_GAIN (1.0 / 32)

static bool is_queued(const struct tvl_surety_news *n)
{
    const tvl_time share = n->rtt_min / TVL_SURETY_QUEUED_SHARE;

    return n->flight >= TVL_SURETY_FLIGHT &&
           n->rtt > n->rtt_min + (share > TVL_SURETY_QUEUED ? share : TVL_SURETY_QUEUED);
}

static void take_sample(struct tvl_surety *s, double sample, bool queued)
{
    s->queued = queued;
    if (s->capacity_bps == 0) {
        s->capacity_bps = sample;
        return;
    }
    if (sample < s->capacity_bps && !queued)
        return;
    const double off = (sample - s->capacity_bps) / s->capacity_bps;
    const double deviation = off < 0 ? -off : off;

    s->swing += ((deviation < 1 ? deviation : 1) - s->swing) * SWING_GAIN;
    s->capacity_bps += (sample - s->capacity_bps) / 2;
}

static void take_rtt(struct tvl_surety *s, double rtt, tvl_time now)
{
    const double dt = s->rtt_at ? (double)(now - s->rtt_at) : 0;
    const double part = dt / (dt + TVL_SURETY_MEMORY);
    const double above = s->usual > 0 && rtt > s->usual ? rtt - s->usual : 0;

    s->spread += (above - s->spread) * (above > s->spread && part < 0.25 ? 0.25 : part);
    s->usual = s->usual == 0 || rtt < s->usual ? rtt : s->usual + (rtt - s->usual) * part;
    s->rtt = (tvl_time)rtt;
    s->rtt_at = now;
}

void tvl_surety_acked(struct tvl_surety *s, const struct tvl_surety_news *news)
{
    for (uint64_t i = 0; i < news->packets; i++)
        s->loss -= s->loss * LOSS_GAIN;
    if (news->rtt == 0)
        return;
    take_rtt(s, (double)news->rtt, news->now);
    if (news->sample_bps > 0)
        take_sample(s, (double)news->sample_bps, is_queued(news));
}

void tvl_surety_lost(struct tvl_surety *s)
{
    s->loss += (1 - s->loss) * LOSS_GAIN;
}

void tvl_surety_restart(struct tvl_surety *s)
{
    *s = (struct tvl_surety){ .loss = s->loss };
}
