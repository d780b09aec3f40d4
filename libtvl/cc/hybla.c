/*
 * hybla.c - TCP Hybla (Caini, Firrincieli, "TCP Hybla: a TCP enhancement for heterogeneous
 * networks", Int. J. Satellite Communications 22, 2004): a long round trip shall not cost rate.
 *
 *     rho = max(RTT / RTT0, 1)    slow start: + (2^rho - 1) per datagram acknowledged
 *                                 avoidance:  + rho^2 / W per datagram acknowledged
 *     loss: half, as NewReno
 *     with a queue: + 1/4 per datagram acknowledged; + W / 16 a round trip at most
 *
 * so the rate grows as that of a NewReno whose round trip is RTT0:
 *
 *     W = rho sqrt(3 / (2 p)) datagrams,  rate = sqrt(3 / (2 p)) / RTT0
 */
#include "all.h"

#include <math.h>

#include "window.h"

#define RTT0 25000u /* us: the paper's reference, a wired neighbour of satellite links */
#define BETA 0.5
/* In slow start the first feedback comes a whole round trip later whatever was sent; beyond four
 * times per round trip no buffer takes what it overshoots. */
#define BOOST_MAX 3.0
/* A path with a queue carries all it can, and a loss is noticed a round trip late: growth is what
 * is lost then. So it is slower with a queue, of an eighth of the shortest round trip: */
#define QUEUED_RTT 8
#define QUEUED_BOOST 0.25        /* as HyStart++'s CSS_GROWTH_DIVISOR */
#define QUEUED_GROWTH (1.0 / 16) /* of the window per round trip, at least one datagram */
#define RHO_MAX 40.0             /* a round trip of 1 s; more is a queue, not a way */

/* By the shortest round trip: a queue of our own making must not speed us up. */
static double rho_of(const struct tvl_cc_ack *ack)
{
    const double rho = (double)ack->rtt_min / RTT0;

    return rho < 1 ? 1 : rho > RHO_MAX ? RHO_MAX : rho;
}

/* The newest sample says more than the round trip's least, which HyStart++ goes by: at this speed a
 * round trip that begins without a queue ends with several windows in it. */
static bool queued(const struct tvl_cc_ack *ack)
{
    return ack->rtt > ack->rtt_min + ack->rtt_min / QUEUED_RTT;
}

static void hybla_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct tvl_window *w = cc;
    const double rho = rho_of(ack);
    const double boost = exp2(rho) - 1;
    double step = rho * rho; /* datagrams per round trip */

    if (!tvl_window_on_ack(w, ack,
                           queued(ack)         ? QUEUED_BOOST
                           : boost < BOOST_MAX ? boost
                                               : BOOST_MAX))
        return;
    if (queued(ack)) {
        const double most = QUEUED_GROWTH * (double)w->cwnd / w->datagram;

        step = step < most ? step : most > 1 ? most : 1;
    }
    tvl_window_add(w, ack, step);
}

static void hybla_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct tvl_window *w = cc;

    if (tvl_window_on_loss(w, loss, BETA))
        tvl_window_shrink(w, BETA * (double)w->cwnd, loss->now);
}

const struct tvl_cc_ops tvl_cc_hybla = {
    .name = "hybla",
    .init = tvl_window_init,
    .on_ack = hybla_on_ack,
    .on_loss = hybla_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = tvl_window_load,
    .state = tvl_window_state,
};
