/*
 * cubic.c - CUBIC (RFC 9438) with HyStart++ (RFC 9406).
 *
 *   slow start: double per round trip; when the round trip grows, slower (CSS), then stop
 *   loss:       remember the window as W_max, go to 0.7 of it
 *   after it:   W(t) = C (t - K)^3 + W_max, with K the time at which W(t) is W_max again: fast
 *               towards the old window, slow around it, fast beyond; never slower than Reno.
 *
 * Windows are in bytes, the cubic in datagrams and seconds as in the RFC.
 */
#include "all.h"

#include <math.h>

#define WINDOW_FIRST 10 /* datagrams, RFC 9002 7.2 */
#define WINDOW_MIN 2    /* datagrams */
#define C 0.4           /* RFC 9438 5: fair to Reno where Reno does well, scalable elsewhere */
#define BETA 0.7        /* RFC 9438 4.6 */
#define ALPHA (3 * (1 - BETA) / (1 + BETA)) /* RFC 9438 4.3: Reno's average at this beta */
#define GROWTH_MAX 1.5 /* RFC 9438 4.2: target at most this much above the window */

/* HyStart++, RFC 9406 4.3 */
#define RTT_THRESH_MIN 4000u  /* us */
#define RTT_THRESH_MAX 16000u /* us */
#define RTT_DIVISOR 8
#define RTT_SAMPLES 8
#define CSS_DIVISOR 4
#define CSS_ROUNDS 5

struct cubic {
    uint64_t cwnd, ssthresh; /* bytes */
    uint64_t w_max;          /* bytes, window before the last reduction */
    double w_est;            /* bytes, what Reno would have */
    double k;                /* s */
    tvl_time epoch;          /* start of the current growth; 0: none */
    tvl_time recovery_from;  /* losses of packets sent before this are the same event */
    tvl_time last_ack;
    tvl_time round_from;            /* a packet sent after this ends the round */
    tvl_time round_rtt, before_rtt; /* us, smallest of this round and of the one before; 0: none */
    tvl_time css_rtt;               /* us, at the entry of CSS; 0: not in it */
    unsigned samples, css_rounds;
    uint32_t datagram;
};
_Static_assert(sizeof(struct cubic) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void cubic_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    *(struct cubic *)cc = (struct cubic){
        .cwnd = (uint64_t)WINDOW_FIRST * datagram_bytes,
        .ssthresh = UINT64_MAX,
        .round_from = now,
        .last_ack = now,
        .datagram = datagram_bytes,
    };
}

/* ---- slow start ---- */

static void next_round(struct cubic *c, tvl_time now)
{
    c->round_from = now;
    c->before_rtt = c->round_rtt;
    c->round_rtt = 0;
    c->samples = 0;
    if (c->css_rtt && ++c->css_rounds >= CSS_ROUNDS)
        c->ssthresh = c->cwnd;
}

static void watch_delay(struct cubic *c, tvl_time rtt)
{
    tvl_time thresh = c->before_rtt / RTT_DIVISOR;

    if (rtt == 0)
        return;
    c->samples++;
    if (c->round_rtt == 0 || rtt < c->round_rtt)
        c->round_rtt = rtt;
    if (c->samples < RTT_SAMPLES || c->before_rtt == 0)
        return;
    thresh = thresh < RTT_THRESH_MIN ? RTT_THRESH_MIN : thresh;
    thresh = thresh > RTT_THRESH_MAX ? RTT_THRESH_MAX : thresh;
    if (c->css_rtt == 0 && c->round_rtt >= c->before_rtt + thresh) {
        c->css_rtt = c->round_rtt;
        c->css_rounds = 0;
    } else if (c->css_rtt && c->round_rtt < c->css_rtt) {
        c->css_rtt = 0; /* a false alarm */
    }
}

static void slow_start(struct cubic *c, const struct tvl_cc_ack *ack)
{
    if (ack->sent_at >= c->round_from)
        next_round(c, ack->now);
    watch_delay(c, ack->rtt);
    c->cwnd += c->css_rtt ? ack->bytes / CSS_DIVISOR : ack->bytes;
}

/* ---- congestion avoidance ---- */

static void begin_epoch(struct cubic *c, tvl_time now)
{
    const double gap = c->w_max > c->cwnd ? (double)(c->w_max - c->cwnd) / c->datagram : 0;

    c->epoch = now;
    c->k = cbrt(gap / C);
    c->w_est = (double)c->cwnd;
    if (c->w_max < c->cwnd)
        c->w_max = c->cwnd;
}

static double window_at(const struct cubic *c, tvl_time at)
{
    const double t = (double)(at - c->epoch) / 1e6 - c->k;

    return (C * t * t * t) * c->datagram + (double)c->w_max;
}

static void avoid(struct cubic *c, const struct tvl_cc_ack *ack)
{
    if (c->epoch == 0)
        begin_epoch(c, ack->now);
    const double cwnd = (double)c->cwnd;
    const double share = (double)ack->bytes / cwnd;
    double target = window_at(c, ack->now + ack->srtt);

    target = target < cwnd ? cwnd : target;
    target = target > GROWTH_MAX * cwnd ? GROWTH_MAX * cwnd : target;
    c->w_est += (c->w_est < (double)c->w_max ? ALPHA : 1.0) * c->datagram * share;
    const double grown = cwnd + (target - cwnd) * share;

    c->cwnd = (uint64_t)(grown > c->w_est ? grown : c->w_est);
}

static void cubic_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct cubic *c = cc;

    if (ack->app_limited && c->epoch)
        c->epoch += ack->now - c->last_ack; /* time without demand is not time to grow in */
    c->last_ack = ack->now;
    if (ack->app_limited || (c->recovery_from && ack->sent_at <= c->recovery_from))
        return;
    if (c->cwnd < c->ssthresh)
        slow_start(c, ack);
    else
        avoid(c, ack);
}

/* ---- loss ---- */

static void cubic_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct cubic *c = cc;
    const uint64_t least = (uint64_t)WINDOW_MIN * c->datagram;

    if (loss->persistent) {
        c->ssthresh = (uint64_t)(BETA * (double)c->cwnd);
        c->ssthresh = c->ssthresh > least ? c->ssthresh : least;
        c->w_max = c->cwnd;
        c->cwnd = least;
        c->epoch = 0;
        c->css_rtt = c->round_rtt = c->before_rtt = 0; /* slow start begins afresh */
        c->samples = 0;
        return;
    }
    if (c->recovery_from && loss->sent_at <= c->recovery_from)
        return;
    c->recovery_from = loss->now;
    /* fast convergence, RFC 9438 4.7: a shrinking share leaves room to the newcomer */
    c->w_max = c->cwnd < c->w_max ? (uint64_t)((double)c->cwnd * (1 + BETA) / 2) : c->cwnd;
    c->cwnd = (uint64_t)(BETA * (double)c->cwnd);
    c->cwnd = c->cwnd > least ? c->cwnd : least;
    c->ssthresh = c->cwnd;
    c->epoch = 0;
    c->css_rtt = 0;
}

static void cubic_on_mtu(void *cc, uint32_t datagram_bytes)
{
    struct cubic *c = cc;
    const uint64_t least = (uint64_t)WINDOW_MIN * datagram_bytes;

    c->datagram = datagram_bytes;
    if (c->cwnd < least)
        c->cwnd = least;
}

static struct tvl_cc_limit cubic_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct cubic *)cc)->cwnd };
}

static const char *cubic_state(const void *cc)
{
    const struct cubic *c = cc;

    if (c->cwnd < c->ssthresh)
        return c->css_rtt ? "conservative_slow_start" : "slow_start";
    return c->epoch == 0 ? "recovery" : "congestion_avoidance";
}

const struct tvl_cc_ops tvl_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_mtu = cubic_on_mtu,
    .limit = cubic_limit,
    .state = cubic_state,
};
