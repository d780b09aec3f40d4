/*
 * newreno.c - NewReno, RFC 9002 section 7 (RFC 6582):
 *   slow start:           cwnd += bytes acknowledged, until the first loss
 *   congestion avoidance: cwnd += one datagram per cwnd of bytes acknowledged
 *   loss or ECN mark:     cwnd /= 2, once per round trip, never below two datagrams
 *   persistent congestion: cwnd = two datagrams
 */
#include <tvl/cc.h>

/* RFC 9002 7.2: ten datagrams at start, at most max(14720 bytes, two datagrams). */
#define INITIAL_DATAGRAMS 10u
#define INITIAL_BYTES_MAX 14720u
#define MIN_DATAGRAMS 2u /* RFC 9002 7.2 kMinimumWindow: with one, a delayed ACK stalls the path */

struct newreno {
    uint64_t cwnd, ssthresh; /* bytes */
    uint64_t acked;          /* bytes since the last step in congestion avoidance */
    tvl_time recovery_from;  /* losses of packets sent before this are the same event */
    uint32_t mss;
};
_Static_assert(sizeof(struct newreno) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void newreno_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    uint64_t cwnd = (uint64_t)INITIAL_DATAGRAMS * datagram_bytes;

    (void)now;
    if (cwnd > INITIAL_BYTES_MAX)
        cwnd = INITIAL_BYTES_MAX;
    if (cwnd < (uint64_t)MIN_DATAGRAMS * datagram_bytes)
        cwnd = (uint64_t)MIN_DATAGRAMS * datagram_bytes;
    *(struct newreno *)cc = (struct newreno){
        .cwnd = cwnd,
        .ssthresh = UINT64_MAX,
        .mss = datagram_bytes,
    };
}

static void newreno_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct newreno *r = cc;

    if (ack->app_limited || ack->sent_at < r->recovery_from)
        return;
    if (r->cwnd < r->ssthresh) {
        r->cwnd += ack->bytes;
        return;
    }
    r->acked += ack->bytes;
    if (r->acked >= r->cwnd) {
        r->acked -= r->cwnd;
        r->cwnd += r->mss;
    }
}

static void newreno_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct newreno *r = cc;
    const uint64_t cwnd_min = (uint64_t)MIN_DATAGRAMS * r->mss;

    if (loss->persistent) { /* overrides the period: RFC 9002 7.6.2 */
        r->cwnd = cwnd_min;
        r->recovery_from = 0;
        r->acked = 0;
        return;
    }
    if (loss->sent_at < r->recovery_from)
        return;
    r->recovery_from = loss->now;
    r->cwnd = r->cwnd / 2 > cwnd_min ? r->cwnd / 2 : cwnd_min;
    r->ssthresh = r->cwnd;
    r->acked = 0;
}

static struct tvl_cc_limit newreno_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct newreno *)cc)->cwnd };
}

extern const struct tvl_cc_ops tvl_cc_newreno;
const struct tvl_cc_ops tvl_cc_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .limit = newreno_limit,
};
