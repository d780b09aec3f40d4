/*
 * newreno.c - NewReno as RFC 9002 section 7 has it: double per round trip until the first loss
 * (slow start), then one datagram per round trip (congestion avoidance); halve once per round trip
 * in which something was lost; start over after persistent congestion.
 *
 *     W = sqrt(3 / (2 p)) datagrams on average, for a share p of packets lost (Mathis 1997)
 */
#include "all.h"
#include "window.h"

#define BETA 0.5 /* RFC 9002 7.3.2 kLossReductionFactor */

static void newreno_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    if (tvl_window_on_ack(cc, ack, 1))
        tvl_window_add(cc, ack, 1);
}

static void newreno_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct tvl_window *w = cc;

    if (tvl_window_on_loss(w, loss, BETA))
        tvl_window_shrink(w, BETA * (double)w->cwnd, loss->now);
}

const struct tvl_cc_ops tvl_cc_newreno = {
    .name = "newreno",
    .init = tvl_window_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = tvl_window_load,
    .state = tvl_window_state,
};
