/*
 * newreno.c - NewReno as RFC 9002 section 7 has it: double per round trip until the first loss
 * (slow start), then one datagram per round trip (congestion avoidance); halve once per round trip
 * in which something was lost; start over after persistent congestion.
 */
#include "all.h"

#define WINDOW_FIRST 10 /* datagrams, RFC 9002 7.2 */
#define WINDOW_MIN 2    /* datagrams, RFC 9002 7.2 kMinimumWindow */

struct newreno {
    uint64_t cwnd, ssthresh; /* bytes */
    uint64_t acked;          /* bytes since the last step in congestion avoidance */
    tvl_time recovery_from;  /* losses of packets sent before this are the same event */
    uint32_t datagram;
};
_Static_assert(sizeof(struct newreno) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void newreno_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    (void)now;
    *(struct newreno *)cc = (struct newreno){
        .cwnd = (uint64_t)WINDOW_FIRST * datagram_bytes,
        .ssthresh = UINT64_MAX,
        .datagram = datagram_bytes,
    };
}

static void newreno_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct newreno *r = cc;

    if (ack->app_limited || (r->recovery_from && ack->sent_at <= r->recovery_from))
        return;
    if (r->cwnd < r->ssthresh) {
        r->cwnd += ack->bytes;
        return;
    }
    r->acked += ack->bytes;
    if (r->acked >= r->cwnd) {
        r->acked -= r->cwnd;
        r->cwnd += r->datagram;
    }
}

static void newreno_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct newreno *r = cc;
    const uint64_t least = (uint64_t)WINDOW_MIN * r->datagram;

    if (loss->persistent) {
        r->cwnd = least;
        r->acked = 0;
        return;
    }
    if (r->recovery_from && loss->sent_at <= r->recovery_from)
        return;
    r->recovery_from = loss->now;
    r->cwnd = r->cwnd / 2 > least ? r->cwnd / 2 : least;
    r->ssthresh = r->cwnd;
    r->acked = 0;
}

static void newreno_on_mtu(void *cc, uint32_t datagram_bytes)
{
    struct newreno *r = cc;
    const uint64_t least = (uint64_t)WINDOW_MIN * datagram_bytes;

    r->datagram = datagram_bytes;
    if (r->cwnd < least)
        r->cwnd = least;
}

static struct tvl_cc_limit newreno_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct newreno *)cc)->cwnd };
}

static const char *newreno_state(const void *cc)
{
    const struct newreno *r = cc;

    return r->cwnd < r->ssthresh ? "slow_start" : "congestion_avoidance";
}

const struct tvl_cc_ops tvl_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_mtu = newreno_on_mtu,
    .limit = newreno_limit,
    .state = newreno_state,
};
