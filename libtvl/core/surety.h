/*
 * surety.h - how sure a path is: what it delivers at most, how much that swings, what it loses.
 *
 * Capacity is the largest delivery rate seen lately: a sample above it raises it at once; one below
 * it counts only while packets wait in the path's queue, for then the path had more to carry than
 * it could; without a queue the sender was the limit, and what was seen before still holds.
 *
 *     sample >= capacity, or queued    capacity += (sample - capacity) / 2
 *     swing  += (|sample - capacity| / capacity - swing) / 32      of samples that count
 *     loss   += (lost ? 1 : 0 - loss) / 100                        per packet
 *
 * A round trip below the usual one becomes the usual one at once, for the path's queue has gone;
 * one above it is a surprise that fades with time, not with the number of packets: a path that is
 * asked seldom must not be doubted for longer than a busy one.
 *
 *     part    = dt / (dt + 200 ms), dt since the sample before
 *     usual   += (rtt - usual) * part
 *     spread  += (max(rtt - usual, 0) - spread) * max(part, rtt > usual ? 1/4 : 0)
 *
 * Pure arithmetic; zero-initialised is "nothing is known".
 */
#ifndef TVL_CORE_SURETY_H
#define TVL_CORE_SURETY_H

#include <tvl/tvl.h>

#define TVL_SURETY_MEMORY 200000.0 /* us */
#define TVL_SURETY_QUEUED 5000u    /* us over the least round trip that mean a queue, */
#define TVL_SURETY_QUEUED_SHARE 8  /* or a share of it, if that is more, with so much in flight: */
#define TVL_SURETY_FLIGHT 5000u    /* bytes; how long a lone packet takes says nothing of more */

struct tvl_surety {
    double capacity_bps, swing, loss;
    double usual, spread; /* us; usual 0: no sample yet */
    tvl_time rtt, rtt_at; /* the newest sample */
    bool queued;          /* at the newest sample: it carries no more than that */
};

struct tvl_surety_news { /* packets were acknowledged */
    tvl_time now;
    uint64_t packets;
    uint64_t sample_bps;   /* as tvl_rate_finish() gives it; 0: no sample */
    tvl_time rtt, rtt_min; /* us, of the newest; 0: no sample */
    uint64_t flight;       /* bytes in flight as the newest left, itself included */
};
void tvl_surety_acked(struct tvl_surety *s, const struct tvl_surety_news *news);
void tvl_surety_lost(struct tvl_surety *s); /* one packet */
/* The path leads elsewhere, or was away. */
void tvl_surety_restart(struct tvl_surety *s);

#endif
