/*
 * scream.c - SCReAM version 2 (draft-johansson-ccwg-rfc8298bis-screamv2) for real-time video: a
 * window that keeps the queue below 60 ms, so that a picture arrives while it is of use.
 *
 *     queue = RTT - RTTmin                          what a sender can see without the peer's clock
 *     v     = (mean queue - 30 ms) / 30 ms, in [0, 1]    a mark that is made up from delay
 *     each round trip with v > 0        W (1 - v / 2)
 *                     with CE marks     0.8 W
 *                     with loss         0.7 W
 *     without         + (1 datagram + 2 % of W) s   s: [0.2, 1], small near where it last shrank
 *
 * The draft's rate adaptation belongs to the encoder and is not here: the application reads the
 * path's rate.
 */
#include "all.h"

#include "window.h"

/* The draft's section 4.1.1 */
#define QUEUE_TARGET 60000.0 /* us */
#define QUEUE_MARK (QUEUE_TARGET / 2)
#define QUEUE_GAIN 0.25 /* of the mean, per sample */
#define LOSS_BETA 0.7
#define ECN_BETA 0.8
#define GROWTH 0.02    /* of the window, beside one datagram, per round trip */
#define NEAR_LEAST 0.2 /* of that growth, at the window where it last shrank */
#define NEAR_SLOPE 4.0
#define PACING_HEADROOM 1.5 /* pictures are sent in bursts of one size or another */

struct scream {
    struct tvl_window w;
    double queue;     /* us, mean */
    double inflexion; /* bytes: the window before it last shrank; 0: none */
    tvl_time cut_at, srtt;
    bool fresh; /* `queue` knows what came of the last cut */
};
_Static_assert(sizeof(struct scream) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void scream_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct scream *s = cc;

    *s = (struct scream){ .cut_at = now };
    tvl_window_init(&s->w, datagram_bytes, now);
}

static double made_up_marks(const struct scream *s)
{
    const double v = (s->queue - QUEUE_MARK) / (QUEUE_TARGET - QUEUE_MARK);

    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static void cut(struct scream *s, double keep, tvl_time now)
{
    const tvl_time recovery_from = s->w.recovery_from;

    s->inflexion = (double)s->w.cwnd;
    tvl_window_shrink(&s->w, keep * (double)s->w.cwnd, now);
    s->w.recovery_from = recovery_from; /* delay needs no round trip without growth */
    s->cut_at = now;
    s->fresh = false;
}

/* How much of the growth is wise at this distance from where it went wrong. */
static double near(const struct scream *s)
{
    const double away = ((double)s->w.cwnd - s->inflexion) / (s->inflexion > 0 ? s->inflexion : 1);
    const double scale = s->inflexion > 0 ? NEAR_SLOPE * away * NEAR_SLOPE * away : 1;

    return scale < NEAR_LEAST ? NEAR_LEAST : scale > 1 ? 1 : scale;
}

static void scream_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct scream *s = cc;

    s->srtt = ack->srtt;
    if (ack->rtt) {
        const double queue = ack->rtt > ack->rtt_min ? (double)(ack->rtt - ack->rtt_min) : 0;

        /* what was measured before the last cut must not cause the next */
        if (!s->fresh && ack->sent_at > s->cut_at) {
            s->queue = queue;
            s->fresh = true;
        }
        s->queue += QUEUE_GAIN * (queue - s->queue);
    }
    const double v = made_up_marks(s);

    if (v > 0 && ack->sent_at > s->cut_at) {
        cut(s, 1 - v / 2, ack->now);
        return;
    }
    if (v > 0 || !tvl_window_on_ack(&s->w, ack, 1))
        return;
    const double step = s->w.datagram + GROWTH * (double)s->w.cwnd;

    tvl_window_grow(&s->w, near(s) * ack->growth * step * (double)ack->bytes / (double)s->w.cwnd);
}

static void scream_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct scream *s = cc;
    const double keep = loss->bytes ? LOSS_BETA : ECN_BETA;

    if (!tvl_window_on_loss(&s->w, loss, LOSS_BETA))
        return;
    s->inflexion = (double)s->w.cwnd;
    tvl_window_shrink(&s->w, keep * (double)s->w.cwnd, loss->now);
    s->cut_at = loss->now;
    s->fresh = false;
}

static struct tvl_cc_limit scream_limit(const void *cc)
{
    const struct scream *s = cc;
    const double bps = s->srtt ? (double)s->w.cwnd * 8e6 / (double)s->srtt : 0;

    return (struct tvl_cc_limit){ .cwnd = s->w.cwnd,
                                  .pacing_bps = (uint64_t)(PACING_HEADROOM * bps),
                                  .rate_bps = (uint64_t)bps };
}

static void scream_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct scream *s = cc;

    tvl_window_load(&s->w, from);
    s->srtt = from->srtt;
    s->queue = from->srtt > from->rtt_min ? (double)(from->srtt - from->rtt_min) : 0;
    s->inflexion = (double)from->w_max;
    s->cut_at = from->now;
}

const struct tvl_cc_ops tvl_cc_scream = {
    .name = "scream",
    .init = scream_init,
    .on_ack = scream_on_ack,
    .on_loss = scream_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = scream_limit,
    .save = tvl_window_save,
    .load = scream_load,
    .state = tvl_window_state,
};
