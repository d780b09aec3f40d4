/*
 * prague.c - Prague (draft-briscoe-iccrg-prague-congestion-control): for paths whose bottleneck
 * marks early and finely (L4S, RFC 9330 to 9332). Packets are ECT(1); the answer to marks is as
 * large as their share, so the queue stays at about a millisecond.
 *
 *     alpha = 15/16 alpha + 1/16 (share of packets marked), once a round trip
 *     a round trip with marks:  W (1 - alpha / 2)
 *     without:                  + 1 datagram per 25 ms, as if no round trip were shorter
 *     loss:                     W / 2, as NewReno; on a path that marks not at all it is NewReno
 *
 *     W = 2 / p datagrams for a share p of packets marked (step marking: DCTCP, RFC 8257)
 */
#include "all.h"

#include "window.h"

#define GAIN (1.0 / 16) /* the draft's g */
#define BETA 0.5
#define RTT_VIRTUAL 25000u /* us, the draft's reference: flows of unlike RTT share alike */

struct prague {
    struct tvl_window w;
    double alpha;        /* [0, 1] */
    tvl_time round_from; /* a packet sent after this ends the round */
    bool cut;            /* in this round, for marks: once in each, as RFC 8257 3.3 */
    uint64_t packets, marked;
};
_Static_assert(sizeof(struct prague) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void prague_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct prague *p = cc;

    *p = (struct prague){ .round_from = now, .alpha = 1 }; /* cautious until it is known */
    tvl_window_init(&p->w, datagram_bytes, now);
}

static void count_marks(struct prague *p, const struct tvl_cc_ack *ack)
{
    p->packets += ack->packets;
    p->marked += ack->marked;
    if (ack->sent_at < p->round_from || p->packets == 0)
        return;
    p->alpha += GAIN * ((double)p->marked / (double)p->packets - p->alpha);
    p->packets = p->marked = 0;
    p->round_from = ack->now;
    p->cut = false;
}

static void prague_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct prague *p = cc;
    const double ratio = (double)ack->srtt / RTT_VIRTUAL;

    if (ack->marked && !p->cut) {
        /* at the first mark of a round trip, not at its end; growth goes on meanwhile, so it is no
         * recovery */
        const tvl_time recovery_from = p->w.recovery_from;

        tvl_window_shrink(&p->w, (double)p->w.cwnd * (1 - p->alpha / 2), ack->now);
        p->w.recovery_from = recovery_from;
        p->cut = true;
    }
    count_marks(p, ack);
    if (tvl_window_on_ack(&p->w, ack, 1) && ack->marked == 0)
        tvl_window_add(&p->w, ack, ratio < 1 ? ratio * ratio : 1);
}

static void prague_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct tvl_window *w = cc;

    if (tvl_window_on_loss(w, loss, BETA))
        tvl_window_shrink(w, BETA * (double)w->cwnd, loss->now);
}

const struct tvl_cc_ops tvl_cc_prague = {
    .name = "prague",
    .init = prague_init,
    .on_ack = prague_on_ack,
    .on_loss = prague_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = tvl_window_limit,
    .save = tvl_window_save,
    .load = tvl_window_load,
    .state = tvl_window_state,
    .l4s = true,
};
