/*
 * cubic.c - CUBIC (RFC 9438) with HyStart++ (RFC 9406).
 *
 *   slow start: double per round trip; when the round trip grows, slower (CSS), then stop
 *   loss:       remember the window as W_max, go to 0.7 of it
 *   after it:   W(t) = C (t - K)^3 + W_max, with K the time at which W(t) is W_max again: fast
 *               towards the old window, slow around it, fast beyond; never slower than Reno.
 *
 * Coupled (tvl_cc_ack.growth g below 1), it slows down in time, not in the last step, which the
 * target would make up for: Reno's average window goes with the root of its growth and CUBIC's with
 * the fourth root of C (RFC 9438 5.1), so C g^2 and alpha g give both the same share.
 *
 * Windows are in bytes, the cubic in datagrams and seconds as in the RFC.
 */
#include "all.h"

#include <math.h>

#include "window.h"

#define C 0.4    /* RFC 9438 5: fair to Reno where Reno does well, scalable elsewhere */
#define BETA 0.7 /* RFC 9438 4.6 */
#define ALPHA (3 * (1 - BETA) / (1 + BETA)) /* RFC 9438 4.3: Reno's average at this beta */
#define GROWTH_MAX 1.5 /* RFC 9438 4.2: target at most this much above the window */

struct cubic {
    struct tvl_window w;
    uint64_t w_max; /* bytes: where the cubic is flat */
    double w_est;   /* bytes, what Reno would have */
    double k;       /* s */
    double c;       /* C of this epoch */
    tvl_time epoch; /* start of the current growth; 0: none */
    tvl_time last_ack;
};
_Static_assert(sizeof(struct cubic) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void cubic_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct cubic *c = cc;

    *c = (struct cubic){ .last_ack = now };
    tvl_window_init(&c->w, datagram_bytes, now);
}

static void begin_epoch(struct cubic *c, tvl_time now, double growth)
{
    const double gap = c->w_max > c->w.cwnd ? (double)(c->w_max - c->w.cwnd) / c->w.datagram : 0;

    c->epoch = now;
    c->c = C * growth * growth;
    c->k = c->c > 0 ? cbrt(gap / c->c) : 0;
    c->w_est = (double)c->w.cwnd;
    if (c->w_max < c->w.cwnd)
        c->w_max = c->w.cwnd;
}

static double window_at(const struct cubic *c, tvl_time at)
{
    const double t = (double)(at - c->epoch) / 1e6 - c->k;

    return (c->c * t * t * t) * c->w.datagram + (double)c->w_max;
}

static void avoid(struct cubic *c, const struct tvl_cc_ack *ack)
{
    if (c->epoch == 0)
        begin_epoch(c, ack->now, ack->growth);
    const double cwnd = (double)c->w.cwnd;
    const double share = (double)ack->bytes / cwnd;
    double target = window_at(c, ack->now + ack->srtt);

    target = target < cwnd ? cwnd : target;
    target = target > GROWTH_MAX * cwnd ? GROWTH_MAX * cwnd : target;
    c->w_est += ack->growth * (c->w_est < (double)c->w_max ? ALPHA : 1.0) * c->w.datagram * share;
    const double grown = cwnd + (target - cwnd) * share;
    const double next = grown > c->w_est ? grown : c->w_est;

    if (next > cwnd)
        tvl_window_grow(&c->w, next - cwnd);
}

static void cubic_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct cubic *c = cc;

    if (ack->app_limited && c->epoch)
        c->epoch += ack->now - c->last_ack; /* time without demand is not time to grow in */
    c->last_ack = ack->now;
    if (tvl_window_on_ack(&c->w, ack, 1))
        avoid(c, ack);
}

static void cubic_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct cubic *c = cc;
    const double cwnd = (double)c->w.cwnd;

    if (tvl_window_on_loss(&c->w, loss, BETA)) {
        /* fast convergence, RFC 9438 4.7: a shrinking share leaves room to the newcomer */
        c->w_max = c->w.cwnd < c->w_max ? (uint64_t)(cwnd * (1 + BETA) / 2) : c->w.cwnd;
        tvl_window_shrink(&c->w, BETA * cwnd, loss->now);
        c->epoch = 0;
    } else if (loss->persistent) {
        c->w_max = c->w.w_max;
        c->epoch = 0;
    }
}

static void cubic_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct cubic *c = cc;

    tvl_window_load(&c->w, from);
    c->w_max = from->w_max;
    c->last_ack = from->now;
}

static const char *cubic_state(const void *cc)
{
    const struct cubic *c = cc;

    return c->w.cwnd >= c->w.ssthresh && c->epoch == 0 ? "recovery" : tvl_window_state(&c->w);
}

const struct tvl_cc_ops tvl_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = cubic_load,
    .state = cubic_state,
};
