/*
 * compound.c - Compound TCP (Tan, Song, Zhang, Sridharan, "A compound TCP approach for high-speed
 * and long distance networks", INFOCOM 2006; draft-sridharan-tcpm-ctcp): a loss window as NewReno's
 * and a delay window beside it that fills an empty path fast and yields to a queue.
 *
 *     W = cwnd + dwnd
 *     diff = W (1 - RTTmin / RTT)    datagrams of ours in the queue
 *     each round trip:  diff < 30   dwnd += max(W^k / 8 - 1, 0)     k = 3/4
 *                       else        dwnd -= diff                    but never below 0
 *     loss:             cwnd / 2, dwnd = W / 2 - cwnd / 2
 *
 *     1 / p = 8 (1 - 2^-(2 - k)) W^(2 - k) / (2 - k) packets between two losses of an empty path,
 *     when the window just before one is W: it follows p^-0.8, NewReno's p^-0.5
 */
#include "all.h"

#include <math.h>

#include "window.h"

/* The draft's section 3 */
#define ALPHA 0.125
#define BETA 0.5
#define K 0.75
#define QUEUED_MAX 30.0 /* datagrams, gamma */
#define ZETA 1.0
#define LOW_WINDOW 38.0 /* datagrams, section 3.4: below it the delay window rests, as NewReno */

struct compound {
    struct tvl_window w; /* cwnd is the whole window; dwnd is part of it */
    double dwnd;         /* bytes */
    double gain; /* bytes a round trip it grows by now, spread: in one piece it is a burst */
    tvl_time round_from; /* a packet sent after this ends the round */
    tvl_time round_rtt;  /* us, smallest of this round; 0: none yet */
};
_Static_assert(sizeof(struct compound) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void compound_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct compound *c = cc;

    *c = (struct compound){ .round_from = now };
    tvl_window_init(&c->w, datagram_bytes, now);
}

/* Once a round trip: what the delay window gains or gives back, bytes. */
static double step(const struct compound *c, const struct tvl_cc_ack *ack)
{
    const double window = (double)c->w.cwnd / c->w.datagram;
    const double queued = window * (1 - (double)ack->rtt_min / (double)c->round_rtt);
    double change = ALPHA * pow(window, K) - 1;

    if (window < LOW_WINDOW)
        return 0;
    if (queued < QUEUED_MAX)
        change = change > 0 ? change * ack->growth : 0;
    else
        change = -ZETA * queued;
    change *= c->w.datagram;
    return change < -c->dwnd ? -c->dwnd : change;
}

static void compound_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct compound *c = cc;
    const bool ended = ack->sent_at >= c->round_from;

    if (ack->rtt && (c->round_rtt == 0 || ack->rtt < c->round_rtt))
        c->round_rtt = ack->rtt;
    if (tvl_window_on_ack(&c->w, ack, 1)) {
        tvl_window_add(&c->w, ack, 1);
        if (ended && c->round_rtt) {
            const double change = step(c, ack);

            c->gain = change > 0 ? change : 0;
            if (change < 0) {
                c->dwnd += change;
                c->w.cwnd -= (uint64_t)-change;
            }
        }
        const double share = c->gain * (double)ack->bytes / (double)c->w.cwnd;

        c->dwnd += share;
        tvl_window_grow(&c->w, share);
    }
    if (ended) {
        c->round_from = ack->now;
        c->round_rtt = 0;
    }
}

static void compound_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct compound *c = cc;
    const double whole = (double)c->w.cwnd;

    c->gain = 0;
    if (tvl_window_on_loss(&c->w, loss, BETA)) {
        tvl_window_shrink(&c->w, (1 - BETA) * whole, loss->now);
        c->dwnd *= 0.5; /* W (1 - beta) less half of the loss window */
    } else if (loss->persistent) {
        c->dwnd = 0;
    }
}

const struct tvl_cc_ops tvl_cc_compound = {
    .name = "compound",
    .init = compound_init,
    .on_ack = compound_on_ack,
    .on_loss = compound_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = tvl_window_load,
    .state = tvl_window_state,
};
