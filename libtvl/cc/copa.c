/*
 * copa.c - Copa (Arun, Balakrishnan, "Copa: Practical Delay-Based Congestion Control for the
 * Internet", NSDI 2018): aim at a rate that is the reciprocal of the delay one causes.
 *
 *     dq     = RTTstanding - RTTmin     RTTstanding: shortest of half a round trip, RTTmin: of 10 s
 *     target = 1 / (delta dq)           datagrams a second
 *     W     += or -= v / (delta W)      per datagram acknowledged, towards the target; v doubles
 *                                       each round trip once three have gone the same way
 *     paced at 2 W / RTTstanding
 *
 *     delta is 1/2: a queue of about two datagrams. A queue that has not been nearly empty for five
 *     round trips belongs to somebody who fills it; then 1 / delta grows and is halved as NewReno's
 *     window.
 *
 * Two things are not in the paper. RTTstanding is the least of few samples where the window is
 * small, and RTTmin that of thousands: on a path with jitter their distance is no queue, and what
 * it is expected to be is taken off. Where a link keeps order, late packets hold up those behind
 * them and more jitter remains than can be told from a queue; Copa leaves a part of such a link
 * (Arun et al., "Starvation in End-to-End Congestion Control", SIGCOMM 2022). And a rival that does
 * not go is doubted now and then: the queue may be Copa's own, which with a small delta never runs
 * dry.
 */
#include "all.h"

#include <math.h>

#include "window.h"

#define DELTA 0.5 /* the paper's default mode */
#define RTT_MIN_WINDOW                                                          \
    10000000u /* us, and at least as many round trips as it takes to drain what \
                 slow start left in the queue of a satellite: */
#define RTT_MIN_ROUNDS 40
#define UNSEEN 2          /* datagrams in the queue that are always there while we send */
#define EMPTY_ROUNDS 5    /* round trips within which our own queue runs dry */
#define DRAIN_ROUNDS 16   /* what slow start left behind is ours, and takes so long to go */
#define NEARLY_EMPTY 0.1  /* of the span of delays seen lately */
#define VELOCITY_ROUNDS 3 /* in one direction, before it grows */
#define VELOCITY_MAX 65536.0
#define INVERSE_DELTA_MAX 64.0 /* no more than so many ordinary flows */
#define APART_GAIN (1.0 / 16)
#define NOISE_MAX 0.125 /* of the shortest round trip: more would be blind to real queues */
#define PATIENCE 32     /* round trips with a rival before the first doubt, doubled each time: */
#define PATIENCE_MAX 512
#define SLOTS 4

/* The least of the last span, in SLOTS steps. */
struct lowest {
    tvl_time slot[SLOTS], began[SLOTS];
    unsigned at;
};

struct copa {
    struct tvl_window w; /* its slow start is not used: ssthresh is 0 once that is over */
    struct lowest standing, ever;
    tvl_time round_from, round_max, round_min;
    tvl_time before;     /* the last sample */
    double apart;        /* us, mean distance of two samples in a row */
    unsigned samples, n; /* of this round so far; within half of the last */
    tvl_time seen_max[EMPTY_ROUNDS], seen_min[EMPTY_ROUNDS];
    double velocity, inverse_delta;
    uint64_t round_cwnd;         /* bytes at the beginning of the round */
    unsigned drained_by;         /* round by which the queue is gone that slow start has left */
    unsigned doubt_at, patience; /* round in which, and rounds after which to doubt the rival */
    unsigned rounds, same;       /* round trips so far; in one direction */
    bool up, lost;
};
_Static_assert(sizeof(struct copa) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

/* ---- delays ---- */

static void lowest_take(struct lowest *l, tvl_time rtt, tvl_time now, tvl_time span)
{
    if (l->slot[l->at] == 0 || now - l->began[l->at] > span / SLOTS) {
        l->at = l->slot[l->at] == 0 ? l->at : (l->at + 1) % SLOTS;
        l->slot[l->at] = rtt;
        l->began[l->at] = now;
    } else if (rtt < l->slot[l->at]) {
        l->slot[l->at] = rtt;
    }
}

static tvl_time lowest_get(const struct lowest *l, tvl_time now, tvl_time span)
{
    tvl_time least = l->slot[l->at];

    for (unsigned i = 0; i < SLOTS; i++)
        if (l->slot[i] && now - l->began[i] <= span && l->slot[i] < least)
            least = l->slot[i];
    return least;
}

static tvl_time long_window(const struct tvl_cc_ack *ack)
{
    return ack->srtt > RTT_MIN_WINDOW / RTT_MIN_ROUNDS ? RTT_MIN_ROUNDS * ack->srtt
                                                       : RTT_MIN_WINDOW;
}

static void take_rtt(struct copa *c, const struct tvl_cc_ack *ack)
{
    if (ack->rtt == 0)
        return;
    if (c->before) {
        const double by = (double)ack->rtt - (double)c->before;

        c->apart += APART_GAIN * ((by < 0 ? -by : by) - c->apart);
    }
    c->before = ack->rtt;
    c->samples++;
    lowest_take(&c->standing, ack->rtt, ack->now, ack->srtt / 2);
    lowest_take(&c->ever, ack->rtt, ack->now, long_window(ack));
    if (c->round_max == 0 || ack->rtt > c->round_max)
        c->round_max = ack->rtt;
    if (c->round_min == 0 || ack->rtt < c->round_min)
        c->round_min = ack->rtt;
}

/* us. The least of n samples of a jitter in [0, J] is J / (n + 1) in the mean, and two samples in a
 * row are J / 3 apart. */
static double noise_of(const struct copa *c, tvl_time rtt_min)
{
    const double noise = 3 * c->apart / (c->n + 1);
    const double most = NOISE_MAX * (double)rtt_min;

    return noise < most ? noise : most;
}

/* Has the queue been nearly empty within the last EMPTY_ROUNDS? Its own oscillation empties it. */
static bool ran_empty(const struct copa *c, tvl_time rtt_min)
{
    tvl_time high = 0, low = UINT64_MAX;

    if (c->w.ssthresh != 0 || c->rounds < EMPTY_ROUNDS)
        return true;
    for (unsigned i = 0; i < EMPTY_ROUNDS; i++) {
        high = c->seen_max[i] > high ? c->seen_max[i] : high;
        low = c->seen_min[i] < low ? c->seen_min[i] : low;
    }
    const double unseen = UNSEEN * (double)rtt_min * c->w.datagram / (double)c->w.cwnd; /* us */
    const double nearly = NEARLY_EMPTY * (double)(high - rtt_min);

    return (double)low - (double)rtt_min <= (nearly > unseen ? nearly : unseen);
}

/* ---- rounds ---- */

static void compete(struct copa *c)
{
    if (c->inverse_delta <= 1 / DELTA)
        c->doubt_at = c->rounds + c->patience;
    if (c->rounds >= c->doubt_at) { /* is it our own queue? then it goes */
        c->drained_by = c->rounds + DRAIN_ROUNDS;
        c->patience = c->patience < PATIENCE_MAX ? 2 * c->patience : PATIENCE_MAX;
        c->inverse_delta = 1 / DELTA;
    } else if (c->lost) {
        c->inverse_delta = c->inverse_delta / 2 > 1 / DELTA ? c->inverse_delta / 2 : 1 / DELTA;
    } else if (c->inverse_delta < INVERSE_DELTA_MAX) {
        c->inverse_delta += 1;
    }
}

static void set_mode(struct copa *c, tvl_time rtt_min)
{
    const bool empty = ran_empty(c, rtt_min);

    if (empty)
        c->patience = PATIENCE;
    if (empty || c->rounds < c->drained_by)
        c->inverse_delta = 1 / DELTA;
    else
        compete(c);
    c->lost = false;
}

static void end_round(struct copa *c, const struct tvl_cc_ack *ack, tvl_time rtt_min)
{
    const bool up = c->w.cwnd > c->round_cwnd;

    c->seen_max[c->rounds % EMPTY_ROUNDS] = c->round_max;
    c->seen_min[c->rounds % EMPTY_ROUNDS] = c->round_min;
    c->rounds++;
    c->n = c->samples / 2;
    c->samples = 0;
    c->same = up == c->up ? c->same + 1 : 0;
    c->up = up;
    if (c->same < VELOCITY_ROUNDS)
        c->velocity = 1;
    else if (c->velocity < VELOCITY_MAX)
        c->velocity *= 2;
    set_mode(c, rtt_min);
    c->round_cwnd = c->w.cwnd;
    c->round_from = ack->now;
    c->round_max = c->round_min = 0;
}

/* ---- the window ---- */

static void copa_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct copa *c = cc;

    *c = (struct copa){
        .round_from = now, .velocity = 1, .inverse_delta = 1 / DELTA, .patience = PATIENCE
    };
    tvl_window_init(&c->w, datagram_bytes, now);
    c->round_cwnd = c->w.cwnd;
}

/* `aim`: datagrams in the queue; `queued`: share of the window that stands there [0, 1]. */
static void move(struct copa *c, const struct tvl_cc_ack *ack, bool up, double aim, double queued)
{
    const double least = (double)TVL_WINDOW_MIN * c->w.datagram;
    const double cwnd = (double)c->w.cwnd;
    const double slow = aim * c->w.datagram * (double)ack->bytes / cwnd;
    double step = c->velocity * slow;

    /* no faster than slow start, in either direction */
    step = step < (double)ack->bytes ? step : (double)ack->bytes;
    /* What stands in the queue is seen a round trip late: a velocity that takes more than half of
     * it in one round trip empties the path before the next look. */
    if (!up && step > slow && step > queued / 2 * (double)ack->bytes)
        step = queued / 2 * (double)ack->bytes > slow ? queued / 2 * (double)ack->bytes : slow;
    if (up)
        tvl_window_grow(&c->w, step);
    else
        c->w.cwnd = (uint64_t)(cwnd - step > least ? cwnd - step : least);
    if (up != c->up && c->velocity > 1) { /* the target was passed */
        c->velocity = 1;
        c->same = 0;
    }
}

static void copa_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct copa *c = cc;

    take_rtt(c, ack);
    const tvl_time standing = lowest_get(&c->standing, ack->now, ack->srtt / 2);
    const tvl_time rtt_min = lowest_get(&c->ever, ack->now, long_window(ack));

    if (standing == 0)
        return;
    const double above = (double)(standing - rtt_min), noise = noise_of(c, rtt_min); /* us */
    const double queued = above > noise ? above - noise : 0;
    const double rate = (double)c->w.cwnd / c->w.datagram / (double)standing;
    const double aim = c->inverse_delta * sqrt(ack->growth);
    const bool up = rate * queued <= aim;

    if (!up && c->w.ssthresh != 0) { /* slow start is over for good */
        c->w.ssthresh = 0;
        c->drained_by = c->rounds + DRAIN_ROUNDS;
    }
    if (!ack->app_limited || !up) {
        if (c->w.ssthresh != 0 && up)
            tvl_window_grow(&c->w, (double)ack->bytes);
        else
            move(c, ack, up, aim, queued / (double)standing);
    }
    if (ack->sent_at >= c->round_from)
        end_round(c, ack, rtt_min);
}

static void copa_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct copa *c = cc;

    c->lost = true;
    if (loss->persistent) {
        c->w.cwnd = (uint64_t)TVL_WINDOW_MIN * c->w.datagram;
        c->velocity = 1;
    }
}

static struct tvl_cc_limit copa_limit(const void *cc)
{
    const struct copa *c = cc;
    const tvl_time standing = c->standing.slot[c->standing.at];
    const double bps = standing ? (double)c->w.cwnd * 8e6 / (double)standing : 0;

    return (struct tvl_cc_limit){ .cwnd = c->w.cwnd,
                                  .pacing_bps = (uint64_t)(2 * bps),
                                  .rate_bps = (uint64_t)bps };
}

static void copa_save(const void *cc, struct tvl_cc_learnt *out)
{
    const struct copa *c = cc;

    tvl_window_save(&c->w, out);
    if (c->w.ssthresh == 0)
        out->ssthresh = c->w.cwnd;
}

static void copa_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct copa *c = cc;

    tvl_window_load(&c->w, from);
    c->w.ssthresh = from->ssthresh == UINT64_MAX ? UINT64_MAX : 0;
    c->round_cwnd = c->w.cwnd;
    if (from->rtt_min)
        lowest_take(&c->ever, from->rtt_min, from->now, RTT_MIN_WINDOW);
    if (from->srtt)
        lowest_take(&c->standing, from->srtt, from->now, from->srtt / 2);
}

static const char *copa_state(const void *cc)
{
    const struct copa *c = cc;

    return c->w.ssthresh ? "slow_start" : "congestion_avoidance";
}

const struct tvl_cc_ops tvl_cc_copa = {
    .name = "copa",
    .init = copa_init,
    .on_ack = copa_on_ack,
    .on_loss = copa_on_loss,
    .on_mtu = tvl_window_on_mtu,
    .limit = copa_limit,
    .save = copa_save,
    .load = copa_load,
    .state = copa_state,
};
