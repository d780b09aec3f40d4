/* surety.c - see surety.h. */
#include "surety.h"

#define LOSS_GAIN 0.01
#define SWING_GAIN (1.0 / 32)

static bool is_queued(tvl_time rtt, tvl_time rtt_min)
{
    const tvl_time share = rtt_min / TVL_SURETY_QUEUED_SHARE;

    return rtt > rtt_min + (share > TVL_SURETY_QUEUED ? share : TVL_SURETY_QUEUED);
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
    s->capacity_bps += (sample - s->capacity_bps) / (off < 0 ? 8 : 2);
}

void tvl_surety_acked(struct tvl_surety *s, uint64_t packets, uint64_t sample_bps, tvl_time rtt,
                      tvl_time rtt_min)
{
    for (uint64_t i = 0; i < packets; i++)
        s->loss -= s->loss * LOSS_GAIN;
    if (sample_bps > 0 && rtt > 0)
        take_sample(s, (double)sample_bps, is_queued(rtt, rtt_min));
}

void tvl_surety_lost(struct tvl_surety *s)
{
    s->loss += (1 - s->loss) * LOSS_GAIN;
}

void tvl_surety_restart(struct tvl_surety *s)
{
    *s = (struct tvl_surety){ .loss = s->loss };
}
