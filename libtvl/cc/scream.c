/*
 * scream.c - SCReAM version 2 (draft-johansson-ccwg-rfc8298bis-screamv2) for real-time video: a
 * window that keeps the queue below 60 ms, so that a picture arrives while it is of use.
 *
 *     queue = RTT - RTTmin                      what a sender can see without the peer's clock
 *     mean  + (queue - mean) / 4 when it rises, at once when it falls: a link that pauses is not
 * full v     = (mean - 30 ms) / 30 ms, in [0, 1]             a mark that is made up from delay each
 * 25 ms with v > 0             W (1 - v / 2 * 25 ms / RTT), so that a round trip adds up each round
 * trip with CE marks     0.8 W with loss         0.7 W without         + max(s, 1/4) (1 datagram +
 * 2 % of W s c) s: [0.1, 1], small near where it last shrank; c: [0, 1], the share of 100 round
 *                     trips since the last loss or mark
 *
 * Its target of 60 ms does not follow competing flows (the draft's 4.1.1.1, optional): beside
 * loss-based ones it gets next to nothing, and a sender with deadlines had better use another path.
 * Nor is RTTmin measured anew; of several such flows those that came last take the queue of the
 * others for the way.
 *
 * The draft's rate adaptation belongs to the encoder and is not here: the application reads the
 * path's rate.
 */
#include "all.h"

#include <math.h>

#include "window.h"

/* The draft's section 4.1.1 */
#define QUEUE_TARGET 60000.0 /* us */
#define QUEUE_MARK (QUEUE_TARGET / 2)
#define QUEUE_GAIN 0.25    /* of the mean, upwards; downwards it follows at once */
#define RTT_VIRTUAL 25000u /* us: as often the queue is looked at, or once a round trip */
#define LOSS_BETA 0.7
#define ECN_BETA 0.8
#define GROWTH 0.02       /* of the window, beside one datagram, per round trip */
#define CALM_ROUNDS 100.0 /* after a loss or mark, until all of it is taken */
#define NEAR_SLOPE 8.0
#define NEAR_LEAST 0.1 /* of that, at the window where it last shrank, */
#define NEAR_STEP 0.25 /* and of the datagram */
#define INFLEXION_ROUNDS 10u
#define HEADROOM 1.5        /* of the window over what was in flight: pictures differ in size */
#define PACING_HEADROOM 1.5 /* pictures are sent in bursts of one size or another */

struct scream {
    struct tvl_window w;
    double queue;     /* us, mean */
    double inflexion; /* bytes: the window where it went wrong; 0: none */
    tvl_time looked_at, inflexion_at, congested_at, srtt; /* 0: never */
};
_Static_assert(sizeof(struct scream) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static void scream_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct scream *s = cc;

    *s = (struct scream){ .looked_at = now };
    tvl_window_init(&s->w, datagram_bytes, now);
}

/* [0, 1] */
static double made_up_marks(const struct scream *s)
{
    const double v = (s->queue - QUEUE_MARK) / (QUEUE_TARGET - QUEUE_MARK);

    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static void note_inflexion(struct scream *s, tvl_time now)
{
    if (s->inflexion_at && now - s->inflexion_at <= INFLEXION_ROUNDS * s->srtt)
        return;
    s->inflexion_at = now;
    s->inflexion = (double)s->w.cwnd;
}

/* True: the window was reduced, or is not to grow. */
static bool look(struct scream *s, const struct tvl_cc_ack *ack)
{
    const tvl_time every = ack->srtt < RTT_VIRTUAL ? ack->srtt : RTT_VIRTUAL;
    const double queue = ack->rtt > ack->rtt_min ? (double)(ack->rtt - ack->rtt_min) : 0;

    if (ack->rtt == 0 || ack->now - s->looked_at < every)
        return s->queue > QUEUE_MARK;
    s->looked_at = ack->now;
    s->queue = queue < s->queue ? queue : s->queue + QUEUE_GAIN * (queue - s->queue);
    const double v = made_up_marks(s);

    if (v <= 0)
        return false;
    note_inflexion(s, ack->now);
    /* what comes of it is seen a round trip later: so much less each time */
    const double rounds = ack->srtt > RTT_VIRTUAL ? (double)ack->srtt / RTT_VIRTUAL : 1;
    const tvl_time recovery_from = s->w.recovery_from;

    tvl_window_shrink(&s->w, (1 - v / 2 / rounds) * (double)s->w.cwnd, ack->now);
    s->w.recovery_from = recovery_from; /* delay needs no round trip without growth */
    return true;
}

/* How much of the growth is wise at this distance from where it went wrong. */
static double near(const struct scream *s)
{
    const double away = ((double)s->w.cwnd - s->inflexion) / (s->inflexion > 0 ? s->inflexion : 1);
    const double scale = s->inflexion > 0 ? NEAR_SLOPE * away * NEAR_SLOPE * away : 1;

    return scale < NEAR_LEAST ? NEAR_LEAST : scale > 1 ? 1 : scale;
}

/* How much of the multiplicative growth is wise so soon after a loss or mark. */
static double calm(const struct scream *s, tvl_time now)
{
    const tvl_time round = s->srtt > RTT_VIRTUAL ? s->srtt : RTT_VIRTUAL;
    const double rounds = (double)(now - s->congested_at) / (double)round;

    return s->congested_at == 0 || rounds > CALM_ROUNDS ? 1 : rounds / CALM_ROUNDS;
}

static void scream_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct scream *s = cc;
    struct tvl_cc_ack used = *ack;

    s->srtt = ack->srtt;
    used.app_limited =
        ack->app_limited && HEADROOM * (double)ack->sent_in_flight < (double)s->w.cwnd;
    if (look(s, ack) || !tvl_window_on_ack(&s->w, &used, 1))
        return;
    const double scale = near(s);
    const double step = (scale < NEAR_STEP ? NEAR_STEP : scale) *
                        (s->w.datagram + GROWTH * (double)s->w.cwnd * scale * calm(s, ack->now));

    tvl_window_grow(&s->w, sqrt(ack->growth) * step * (double)ack->bytes / (double)s->w.cwnd);
}

static void scream_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct scream *s = cc;
    const double keep = loss->bytes ? LOSS_BETA : ECN_BETA;

    if (!tvl_window_on_loss(&s->w, loss, LOSS_BETA))
        return;
    s->congested_at = loss->now;
    note_inflexion(s, loss->now);
    tvl_window_shrink(&s->w, keep * (double)s->w.cwnd, loss->now);
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
    s->looked_at = from->now;
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
