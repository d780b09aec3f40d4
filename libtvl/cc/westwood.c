/*
 * westwood.c - TCP Westwood+ (Grieco, Mascolo, "Performance evaluation and comparison of Westwood+,
 * New Reno and Vegas TCP congestion control", ACM CCR 34(2), 2004): after a loss, what the path was
 * delivering is the window, not a half.
 *
 *     b   = 7/8 b + 1/8 (bytes acknowledged in a round trip / its time), one sample a round trip
 *     loss: W = max(b, newest sample) RTTmin;   growth as NewReno
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
    tvl_time round_from;        /* a packet sent after this ends the round */
    uint64_t sample_bytes;
    double bytes_per_us; /* mean; 0: none yet */
    double newest;       /* the newest sample */
};
_Static_assert(sizeof(struct westwood) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void westwood_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct westwood *v = cc;

    *v = (struct westwood){ .sample_from = now, .round_from = now };
    tvl_window_init(&v->w, datagram_bytes, now);
}

static void measure(struct westwood *v, const struct tvl_cc_ack *ack)
{
    const tvl_time took = ack->now - v->sample_from;

    v->base = ack->rtt_min;
    v->sample_bytes += ack->bytes;
    if (ack->sent_at < v->round_from)
        return; /* whole round trips only: what is sent in bunches comes once in each */
    v->round_from = ack->now;
    if (took < SAMPLE_TIME_MIN)
        return;
    const double sample = (double)v->sample_bytes / (double)took;

    v->sample_from = ack->now;
    v->sample_bytes = 0;
    v->newest = sample;
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
    /* The formula above has the rate at the loss. The mean lags behind a window that climbs, the
     * more the shorter its climb is; a sample of a whole round trip knows no bunched answers. */
    const double rate = v->newest > v->bytes_per_us ? v->newest : v->bytes_per_us;
    double kept = v->base ? rate * (double)v->base : cwnd / 2;

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
    v->sample_from = v->round_from = from->now;
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
