/*
 * veno.c - TCP Veno (Fu, Liew, "TCP Veno: TCP enhancement for transmission over wireless access
 * networks", IEEE JSAC 21(2), 2003): is this loss congestion, or the radio?
 *
 *     N = W (1 - RTTmin / RTT)    datagrams of ours in the queue
 *     N < 3   + 1 datagram a round trip; a loss is the radio's: 4/5
 *     else    + 1 every second round trip; a loss is congestion: 1/2
 *
 *     W = sqrt(9 / (2 p)) datagrams for random, sqrt(3 / (4 p)) for congestive losses
 */
#include "all.h"

#include "window.h"

#define QUEUED_MAX 3.0     /* datagrams, the paper's beta */
#define KEEP_RANDOM 0.8    /* the paper's 4/5 */
#define KEEP_CONGESTED 0.5 /* as NewReno */
#define ROUND_SAMPLES 3    /* of a round trip before it is judged: fewer are delayed ones' */

struct veno {
    struct tvl_window w;
    tvl_time round_from;            /* a packet sent after this ends the round */
    tvl_time round_rtt, base;       /* us, smallest of this round so far, and ever */
    tvl_time newest[ROUND_SAMPLES]; /* us, ring of the last samples */
    unsigned samples, taken;        /* of this round; ever */
    bool queued;                    /* more than QUEUED_MAX in the last round */
};
_Static_assert(sizeof(struct veno) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void veno_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct veno *v = cc;

    *v = (struct veno){ .round_from = now };
    tvl_window_init(&v->w, datagram_bytes, now);
}

static bool is_queue(const struct veno *v, tvl_time rtt)
{
    const double datagrams = (double)v->w.cwnd / v->w.datagram;

    return datagrams * (1 - (double)v->base / (double)rtt) >= QUEUED_MAX;
}

/* By the least of the last samples. A round trip's least says what was in the queue a round trip
 * ago: after one that doubled the window, nothing. */
static bool queued_now(const struct veno *v)
{
    tvl_time least = v->newest[0];

    for (unsigned i = 1; i < ROUND_SAMPLES; i++)
        least = v->newest[i] < least ? v->newest[i] : least;
    return v->taken >= ROUND_SAMPLES && is_queue(v, least);
}

static void judge(struct veno *v, const struct tvl_cc_ack *ack)
{
    if (ack->rtt) {
        v->samples++;
        v->newest[v->taken++ % ROUND_SAMPLES] = ack->rtt;
        if (v->round_rtt == 0 || ack->rtt < v->round_rtt)
            v->round_rtt = ack->rtt;
        if (v->base == 0 || ack->rtt < v->base)
            v->base = ack->rtt;
    }
    if (ack->rtt_min && ack->rtt_min < v->base)
        v->base = ack->rtt_min;
    if (ack->sent_at < v->round_from)
        return;
    if (v->samples >= ROUND_SAMPLES)
        v->queued = is_queue(v, v->round_rtt);
    v->round_from = ack->now;
    v->round_rtt = 0;
    v->samples = 0;
}

static void veno_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct veno *v = cc;

    judge(v, ack);
    if (tvl_window_on_ack(&v->w, ack, 1))
        tvl_window_add(&v->w, ack, v->queued ? 0.5 : 1);
}

static void veno_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct veno *v = cc;
    const bool congested =
        v->queued || queued_now(v) || v->w.cwnd < v->w.ssthresh || loss->bytes == 0;
    const double keep = congested ? KEEP_CONGESTED : KEEP_RANDOM;

    if (tvl_window_on_loss(&v->w, loss, KEEP_CONGESTED))
        tvl_window_shrink(&v->w, keep * (double)v->w.cwnd, loss->now);
}

static void veno_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct veno *v = cc;

    tvl_window_load(&v->w, from);
    v->base = from->rtt_min;
}

const struct tvl_cc_ops tvl_cc_veno = {
    .name = "veno",
    .init = veno_init,
    .on_ack = veno_on_ack,
    .on_loss = veno_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = veno_load,
    .state = tvl_window_state,
};
