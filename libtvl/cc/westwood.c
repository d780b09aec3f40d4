/*
 * westwood.c - TCP Westwood+ (Grieco, Mascolo, "Performance evaluation and comparison of Westwood+,
 * New Reno and Vegas TCP congestion control", ACM CCR 34(2), 2004): after a loss, what the path was
 * delivering is the window, not a half.
 *
 *     b   = 7/8 b + 1/8 (bytes acknowledged in a round trip / its time), one sample a round trip
 *     loss: W = b RTTmin;   growth as NewReno
 *     slow start doubles the rate in each sample, and a mean lags behind by two of them: there b is
 *     the newest sample, so that its end leaves the window at what the path delivers
 *
 *     rate = sqrt((1 - p) / (p RTT (RTT - RTTmin))) datagrams a second: a random loss costs no more
 *     than the queue
 */
#include "all.h"

#include "window.h"

#define FILTER 0.125           /* the paper's alpha = 7/8 */
#define SAMPLE_TIME_MIN 50000u /* us: the paper's lower bound of a sample's time */

struct westwood {
    struct tvl_window w;
    tvl_time sample_from, base; /* us; shortest round trip */
    uint64_t sample_bytes;
    double bytes_per_us; /* 0: none yet */
};
_Static_assert(sizeof(struct westwood) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void westwood_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct westwood *v = cc;

    *v = (struct westwood){ .sample_from = now };
    tvl_window_init(&v->w, datagram_bytes, now);
}

static void measure(struct westwood *v, const struct tvl_cc_ack *ack)
{
    const tvl_time span = ack->srtt > SAMPLE_TIME_MIN ? ack->srtt : SAMPLE_TIME_MIN;
    const tvl_time took = ack->now - v->sample_from;

    v->base = ack->rtt_min;
    v->sample_bytes += ack->bytes;
    if (took < span)
        return;
    const double sample = (double)v->sample_bytes / (double)took;

    v->sample_from = ack->now;
    v->sample_bytes = 0;
    if (ack->app_limited && sample < v->bytes_per_us)
        return; /* that was the application's rate, not the path's */
    v->bytes_per_us = v->bytes_per_us > 0 && v->w.cwnd >= v->w.ssthresh
                          ? v->bytes_per_us + FILTER * (sample - v->bytes_per_us)
                          : sample;
}

static void westwood_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct westwood *v = cc;

    measure(v, ack);
    if (tvl_window_on_ack(&v->w, ack, 1))
        tvl_window_add(&v->w, ack, 1);
}

static void westwood_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct westwood *v = cc;
    const double cwnd = (double)v->w.cwnd;
    double kept = v->base ? v->bytes_per_us * (double)v->base : cwnd / 2;

    kept = kept < cwnd ? kept : cwnd; /* a loss is no reason to grow */
    if (tvl_window_on_loss(&v->w, loss, kept / cwnd))
        tvl_window_shrink(&v->w, kept, loss->now);
}

static void westwood_save(const void *cc, struct tvl_cc_learnt *out)
{
    const struct westwood *v = cc;

    tvl_window_save(&v->w, out);
    if (v->bytes_per_us > 0)
        out->rate_bps = (uint64_t)(v->bytes_per_us * 8e6);
}

static void westwood_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct westwood *v = cc;

    tvl_window_load(&v->w, from);
    v->base = from->rtt_min;
    v->bytes_per_us = (double)from->rate_bps / 8e6;
}

const struct tvl_cc_ops tvl_cc_westwood = {
    .name = "westwood",
    .init = westwood_init,
    .on_ack = westwood_on_ack,
    .on_loss = westwood_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = westwood_save,
    .load = westwood_load,
    .state = tvl_window_state,
};
