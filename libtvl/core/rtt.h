/*
 * rtt.h - the round-trip time of one path: RFC 9002 section 5.
 *
 * Pure arithmetic on four numbers. All times in us. Zero-initialised is "no sample yet"; then the
 * estimates are RFC 9002 6.2.2's initial 333 ms.
 */
#ifndef TVL_CORE_RTT_H
#define TVL_CORE_RTT_H

#include <tvl/tvl.h>

#define TVL_RTT_INITIAL 333000u   /* us, RFC 9002 6.2.2 kInitialRtt */
#define TVL_RTT_GRANULARITY 1000u /* us, RFC 9002 6.1.2 kGranularity */

struct tvl_rtt {
    tvl_time latest, min, smoothed, var; /* us; all 0 before the first sample */
    tvl_time first_sample_at;            /* 0: none yet (RFC 9002 7.6.2 needs it) */
};

static inline bool tvl_rtt_known(const struct tvl_rtt *r)
{
    return r->smoothed != 0;
}

/* Smoothed round trip, or the initial guess. */
static inline tvl_time tvl_rtt_srtt(const struct tvl_rtt *r)
{
    return tvl_rtt_known(r) ? r->smoothed : TVL_RTT_INITIAL;
}

static inline tvl_time tvl_rtt_var(const struct tvl_rtt *r)
{
    return tvl_rtt_known(r) ? r->var : TVL_RTT_INITIAL / 2;
}

/*
 * One sample, and the delay the peer says it held the acknowledgement back (already limited to its
 * max_ack_delay; 0 in the Initial space). RFC 9002 5.2, 5.3.
 */
static inline void tvl_rtt_update(struct tvl_rtt *r, tvl_time sample, tvl_time ack_delay,
                                  tvl_time now)
{
    if (sample == 0)
        sample = 1; /* 0 means "none" everywhere; a real path is never this fast */
    r->latest = sample;
    if (!tvl_rtt_known(r)) {
        r->min = r->smoothed = sample;
        r->var = sample / 2;
        r->first_sample_at = now;
        return;
    }
    if (sample < r->min)
        r->min = sample;
    const tvl_time adjusted = sample >= r->min + ack_delay ? sample - ack_delay : sample;
    const tvl_time diff = r->smoothed > adjusted ? r->smoothed - adjusted : adjusted - r->smoothed;
    r->var = (3 * r->var + diff) / 4;
    r->smoothed = (7 * r->smoothed + adjusted) / 8;
    if (r->smoothed == 0)
        r->smoothed = 1;
}

/* The path was silent: samples of what waited meanwhile say nothing of it. As after a first sample
 * of the least there was. */
static inline void tvl_rtt_renew(struct tvl_rtt *r)
{
    r->smoothed = r->min;
    r->var = r->min / 2;
}

/* srtt + max(4 rttvar, granularity): RFC 9002 6.2.1 without max_ack_delay and backoff. */
static inline tvl_time tvl_rtt_pto_base(const struct tvl_rtt *r)
{
    const tvl_time spread = 4 * tvl_rtt_var(r);

    return tvl_rtt_srtt(r) + (spread > TVL_RTT_GRANULARITY ? spread : TVL_RTT_GRANULARITY);
}

/* RFC 9002 6.1.2: 9/8 of the larger of latest and smoothed, at least the granularity. */
static inline tvl_time tvl_rtt_loss_delay(const struct tvl_rtt *r)
{
    const tvl_time srtt = tvl_rtt_srtt(r);
    const tvl_time d = (r->latest > srtt ? r->latest : srtt) * 9 / 8;

    return d > TVL_RTT_GRANULARITY ? d : TVL_RTT_GRANULARITY;
}

#endif
