/*
 * hybla.c - TCP Hybla (Caini, Firrincieli, "TCP Hybla: a TCP enhancement for heterogeneous
 * networks", Int. J. Satellite Communications 22, 2004): a long round trip shall not cost rate.
 *
 *     rho = max(RTT / RTT0, 1)    slow start: + (2^rho - 1) per datagram acknowledged
 *                                 avoidance:  + rho^2 / W per datagram acknowledged
 *     loss: half, as NewReno
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
/* In slow start the first feedback comes a whole round trip later whatever was sent; beyond eight
 * times per round trip no buffer takes what it overshoots. */
#define BOOST_MAX 7.0
#define RHO_MAX 40.0 /* a round trip of 1 s; more is a queue, not a way */

/* By the shortest round trip: a queue of our own making must not speed us up. */
static double rho_of(const struct tvl_cc_ack *ack)
{
    const double rho = (double)ack->rtt_min / RTT0;

    return rho < 1 ? 1 : rho > RHO_MAX ? RHO_MAX : rho;
}

static void hybla_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    const double rho = rho_of(ack);
    const double boost = exp2(rho) - 1;

    if (tvl_window_on_ack(cc, ack, boost < BOOST_MAX ? boost : BOOST_MAX))
        tvl_window_add(cc, ack, rho * rho);
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
