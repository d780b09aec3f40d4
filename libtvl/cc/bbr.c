/*
 * bbr.c - BBR version 3 (draft-ietf-ccwg-bbr): a model of the path instead of a reaction to loss.
 *
 *   bw       the fastest delivery of the last two probing cycles
 *   min_rtt  the shortest round trip of the last ten seconds
 *   send at gain * bw, with at most gain * bw * min_rtt in flight; probe for more now and then, and
 *   drain what that queued. Loss lowers two bounds: the long-term one when probing loses more than
 *   2 % of a round trip's flight, the short-term one for the rest of a cycle. Random loss below
 *   that costs no rate.
 *
 *          +---> STARTUP ------+   x 2.77 until three round trips bring no quarter more,
 *          |        |          |   or lose too much
 *          |      DRAIN -------+   x 0.5 until no more than bw * min_rtt is in flight
 *          |        |          |
 *          +---> DOWN ---------+   x 0.9 until the queue of the probe is gone
 *          |  |   CRUISE ------+   x 1 for 2 to 3 s, or 63 round trips
 *          |  |   REFILL ------+   x 1 for one round trip, without the short-term bounds
 *          |  +-- UP ----------+   x 1.25 until bw grows no more, or too much is lost
 *          |                   |
 *          +---- PROBE_RTT <---+   half of it in flight for 200 ms, when min_rtt is 5 s old
 *
 * The draft knows no coupled paths; what they give up is between probes, see COUPLED_YIELD.
 *
 * Names follow the draft's. Rates are in bits/s, volumes in bytes. An ECN mark counts as a loss:
 * the draft has no answer of its own to it.
 */
#include "all.h"

#include <math.h>
#include <string.h>

#define INFINITE UINT64_MAX
#define WINDOW_FIRST 10 /* datagrams, RFC 9002 7.2 */
#define PIPE_MIN 4      /* datagrams: two under way each way when every other is acknowledged */

#define STARTUP_GAIN 2.77 /* 4 ln 2: doubles the rate per round trip */
#define DRAIN_GAIN 0.5    /* empties within a round trip what STARTUP queued */
#define DOWN_GAIN 0.9     /* the least that still makes two flows converge, after UP_GAIN */
#define UP_GAIN 1.25
#define CWND_GAIN 2.0 /* room for delayed and bunched acknowledgements */
#define CWND_GAIN_UP 2.25
#define CWND_GAIN_PROBE_RTT 0.5
#define PACING_MARGIN 0.99 /* a little below bw: queues shrink on average */

#define LOSS_THRESHOLD 0.02 /* of a flight: more means that the bottleneck's queue is full */
#define BETA 0.7            /* never reacts more sharply than CUBIC */
#define HEADROOM 0.15       /* of the long-term bound, left to newcomers while cruising */

#define FULL_BW_GROWTH 1.25 /* less growth per round trip is a plateau */
#define FULL_BW_ROUNDS 3    /* of plateau: the receiver may be opening its window */
#define FULL_LOSS_RUNS 6    /* separate losses in a round trip that end STARTUP */
#define DRAIN_ROUNDS 3      /* at most: bw may have been overestimated */
/* Coupled to n - 1 others it is given 1 / n^2 of its growth, for as NewReno it would then have 1 /
 * n of the rate. Here each probes from f bw to 1.25 bw, and of a full path of capacity C it finds
 * bw = C / 4 / (1.25 - f); n of them have n f bw, half of C for f = 2.5 / (2 + n): 0.63, 0.5, 0.42.
 * This times 1 - 1 / n is given up between probes: */
#define COUPLED_YIELD 0.75
#define RENO_ROUNDS 63 /* between probes: leaves Reno time to use 25 Mbit/s at 30 ms */
#define UP_ROUNDS_MAX 30

#define MIN_RTT_WINDOW 10000000u /* us */
#define PROBE_RTT_EVERY 5000000u /* us; the same for all flows, so that they drain together */
#define PROBE_RTT_TIME 200000u   /* us: flows of unlike RTT overlap, and it costs 2 % */
#define RTT_SAME 32 /* as short as before, when no more than this part longer: no queue */
#define PROBE_WAIT_LEAST 2000000u  /* us between probes, and up to ... */
#define PROBE_WAIT_SPREAD 1000000u /* us more at random */
#define EXTRA_ACKED_ROUNDS 5       /* per slot of two: 5 to 10 round trips are remembered */
#define NO_RTT_NOMINAL 1000u       /* us: until a round trip is known, as fast as a near peer */
#define QUANTUM_TIME 2000u         /* us of sending the host may let go at once */
#define QUANTUM_MAX 65536u         /* bytes */

enum phase { STARTUP, DRAIN, DOWN, CRUISE, REFILL, UP, PROBE_RTT };

enum acks { /* what acknowledgements tell of a probe for bandwidth */
            ACKS_INIT,
            ACKS_REFILLING,
            ACKS_STARTING,
            ACKS_FEEDBACK,
            ACKS_STOPPING,
};

struct max_pair { /* a maximum over the current and the previous period */
    uint64_t now, before;
};

struct bbr {
    /* what the host is told */
    uint64_t cwnd, pacing_bps;
    /* model */
    struct max_pair max_bw;                 /* bits/s, by probing cycle */
    uint64_t bw, bw_short;                  /* bits/s: in force; bound from losses of this cycle */
    uint64_t inflight_long, inflight_short; /* bytes: bounds from losses; INFINITE: none */
    struct max_pair extra_acked;            /* bytes acknowledged beyond what bw explains */
    tvl_time min_rtt, min_rtt_at;           /* us; 0: none yet */
    tvl_time probe_rtt_min, probe_rtt_min_at;
    /* round trips, counted in packets */
    uint64_t round_end; /* delivered bytes */
    uint64_t rounds, drain_from;
    /* the last round trip */
    uint64_t bw_latest, inflight_latest, loss_round_end;
    /* plateau */
    uint64_t full_bw;
    /* aggregation of acknowledgements */
    tvl_time extra_from;
    uint64_t extra_delivered, extra_round;
    /* probing */
    tvl_time cycle_at, probe_wait, probe_rtt_done_at;
    uint64_t up_acked, up_step; /* bytes acknowledged per datagram of growth */
    uint64_t ignore_to;         /* samples sent before this much was delivered say little */
    /* undo */
    uint64_t prior_cwnd, undo_bw_short, undo_inflight_short, undo_inflight_long;
    uint64_t lost_number; /* of the last lost packet */
    double share; /* (0, 1] of bw, between probes: less than 1 where it is coupled to others */
    uint32_t random;
    uint32_t lost_standing; /* packets lost and not taken back, in this episode */
    uint32_t datagram;
    uint8_t phase, acks, undo_phase;
    uint8_t full_rounds, up_rounds, rounds_since_up, loss_runs;
    bool round_start, loss_round_start, loss_in_round;
    bool full_now, full_reached, probe_sample, too_high, precautionary;
    bool idle_restart, probe_rtt_round_done, probe_rtt_expired, rtt_known;
};
_Static_assert(sizeof(struct bbr) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t times(double gain, uint64_t x)
{
    return (uint64_t)(gain * (double)x);
}

static uint64_t peak(const struct max_pair *m)
{
    return larger(m->now, m->before);
}

/* ---- derived quantities ---- */

static uint64_t bdp_of(const struct bbr *b, uint64_t bw)
{
    return (uint64_t)((double)bw * (double)b->min_rtt / 8e6);
}

static uint64_t pipe_min(const struct bbr *b)
{
    return (uint64_t)PIPE_MIN * b->datagram;
}

static uint64_t first_window(const struct bbr *b)
{
    return (uint64_t)WINDOW_FIRST * b->datagram;
}

/* What the host may send in one go must fit as well. */
static uint64_t quantised(const struct bbr *b, uint64_t volume)
{
    const uint64_t quantum = b->pacing_bps / 8 * QUANTUM_TIME / 1000000;

    volume = larger(volume, smaller(quantum, QUANTUM_MAX));
    volume = larger(volume, pipe_min(b));
    return b->phase == UP ? volume + 2 * b->datagram : volume;
}

static uint64_t inflight_at(const struct bbr *b, uint64_t bw, double gain)
{
    return quantised(b, b->min_rtt ? times(gain, bdp_of(b, bw)) : first_window(b));
}

static uint64_t with_headroom(const struct bbr *b)
{
    if (b->inflight_long == INFINITE)
        return INFINITE;
    const uint64_t head = larger(b->datagram, times(HEADROOM, b->inflight_long));

    return larger(b->inflight_long > head ? b->inflight_long - head : 0, pipe_min(b));
}

static uint64_t target_inflight(const struct bbr *b)
{
    return smaller(bdp_of(b, b->bw), b->cwnd);
}

static bool probing_bw(const struct bbr *b)
{
    return b->phase == STARTUP || b->phase == REFILL || b->phase == UP;
}

static bool in_probe_bw(const struct bbr *b)
{
    return b->phase >= DOWN && b->phase <= UP;
}

static double pacing_gain(const struct bbr *b)
{
    static const double gain[] = { [STARTUP] = STARTUP_GAIN,
                                   [DRAIN] = DRAIN_GAIN,
                                   [DOWN] = DOWN_GAIN,
                                   [CRUISE] = 1,
                                   [REFILL] = 1,
                                   [UP] = UP_GAIN,
                                   [PROBE_RTT] = 1 };

    return b->phase == DOWN || b->phase == CRUISE ? b->share * gain[b->phase] : gain[b->phase];
}

static double cwnd_gain(const struct bbr *b)
{
    return b->phase == UP ? CWND_GAIN_UP : b->phase == PROBE_RTT ? CWND_GAIN_PROBE_RTT : CWND_GAIN;
}

/* xorshift: keeps flows from probing in step, no more is asked of it. */
static uint32_t draw(struct bbr *b, uint32_t below)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 17;
    b->random ^= b->random << 5;
    return b->random % below;
}

/* ---- resets ---- */

static void start_round(struct bbr *b, uint64_t delivered)
{
    b->round_end = delivered;
}

static void reset_full_bw(struct bbr *b)
{
    b->full_bw = 0;
    b->full_rounds = 0;
    b->full_now = false;
}

static void reset_congestion(struct bbr *b)
{
    b->loss_in_round = false;
    b->loss_runs = 0;
    b->bw_latest = b->inflight_latest = 0;
}

static void reset_short_term(struct bbr *b)
{
    b->bw_short = b->inflight_short = INFINITE;
}

static void save_cwnd(struct bbr *b)
{
    b->prior_cwnd =
        b->loss_in_round || b->phase == PROBE_RTT ? larger(b->prior_cwnd, b->cwnd) : b->cwnd;
}

static void bbr_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    struct bbr *b = cc;

    memset(b, 0, sizeof *b);
    b->datagram = datagram_bytes;
    b->share = 1;
    b->cwnd = first_window(b);
    b->pacing_bps = times(STARTUP_GAIN, b->cwnd * 8 * 1000000 / NO_RTT_NOMINAL);
    b->min_rtt_at = b->probe_rtt_min_at = b->extra_from = b->cycle_at = now;
    b->inflight_long = b->up_step = INFINITE;
    b->random = (uint32_t)now * 2654435761u | 1;
    b->undo_phase = PROBE_RTT; /* none: that state is never returned to */
    b->phase = STARTUP;
    reset_short_term(b);
}

/* ---- changes of phase ---- */

static void enter_down(struct bbr *b, uint64_t delivered, tvl_time now)
{
    reset_congestion(b);
    b->up_step = INFINITE;
    b->rounds_since_up = (uint8_t)draw(b, 2);
    b->probe_wait = PROBE_WAIT_LEAST + draw(b, PROBE_WAIT_SPREAD);
    b->cycle_at = now;
    b->acks = ACKS_STOPPING;
    start_round(b, delivered);
    b->phase = DOWN;
}

static void enter_refill(struct bbr *b, uint64_t delivered)
{
    reset_short_term(b);
    b->up_rounds = 0;
    b->up_acked = 0;
    b->precautionary = false;
    b->acks = ACKS_REFILLING;
    start_round(b, delivered);
    b->phase = REFILL;
}

static void raise_slope(struct bbr *b)
{
    b->up_step = larger(b->cwnd >> b->up_rounds, b->datagram);
    if (b->up_rounds < UP_ROUNDS_MAX)
        b->up_rounds++;
}

static void enter_up(struct bbr *b, const struct tvl_cc_ack *a)
{
    b->acks = ACKS_STARTING;
    start_round(b, a->delivered);
    reset_full_bw(b);
    b->full_bw = a->delivery_bps;
    b->phase = UP;
    raise_slope(b);
}

/* ---- loss ---- */

static bool too_high(uint64_t lost, uint64_t in_flight)
{
    return (double)lost > LOSS_THRESHOLD * (double)in_flight;
}

static void note_loss(struct bbr *b, uint64_t delivered)
{
    if (!b->loss_in_round) {
        b->loss_round_end = delivered;
        save_cwnd(b);
        b->undo_phase = PROBE_RTT;
        b->undo_bw_short = b->bw_short;
        b->undo_inflight_short = b->inflight_short;
        b->undo_inflight_long = b->inflight_long;
        b->lost_standing = 0;
        b->loss_runs = 0;
    }
    b->loss_in_round = true;
}

/* The flight at which the losses passed the threshold, possibly within this packet. */
static uint64_t inflight_at_loss(const struct tvl_cc_packet *p)
{
    const double before = (double)p->sent_in_flight - (double)p->bytes;
    const double lost_before = (double)(p->lost - p->sent_lost) - (double)p->bytes;
    const double prefix = (LOSS_THRESHOLD * before - lost_before) / (1 - LOSS_THRESHOLD);

    return before + prefix > 0 ? (uint64_t)(before + prefix) : 0;
}

static void on_too_high(struct bbr *b, uint64_t in_flight, bool app_limited, uint64_t delivered,
                        tvl_time now)
{
    b->too_high = true;
    b->probe_sample = false; /* one reaction per probe */
    if (!app_limited)
        b->inflight_long = larger(in_flight, times(BETA, target_inflight(b)));
    if (b->phase == UP) {
        b->undo_phase = UP;
        enter_down(b, delivered, now);
    }
}

static void bbr_on_packet_lost(void *cc, const struct tvl_cc_packet *p)
{
    struct bbr *b = cc;

    note_loss(b, p->delivered);
    b->lost_standing++;
    if (b->loss_runs < UINT8_MAX && p->number != b->lost_number + 1)
        b->loss_runs++;
    b->lost_number = p->number;
    if (b->probe_sample && too_high(p->lost - p->sent_lost, p->sent_in_flight))
        on_too_high(b, inflight_at_loss(p), p->app_limited, p->delivered, p->now);
}

static void bbr_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct bbr *b = cc;

    if (loss->bytes == 0) { /* marks instead of losses: the queue is too long all the same */
        b->loss_in_round = true;
        if (b->probe_sample)
            on_too_high(b, loss->in_flight, false, b->round_end, loss->now);
    }
    if (loss->persistent) { /* nothing got through for long: begin with little, keep the model */
        save_cwnd(b);
        b->cwnd = pipe_min(b);
    }
}

/* All that was lost in this episode came after all: be as before. */
static void undo(struct bbr *b, uint64_t delivered)
{
    b->cwnd = larger(b->cwnd, b->prior_cwnd);
    b->loss_in_round = false;
    reset_full_bw(b);
    b->bw_short = larger(b->bw_short, b->undo_bw_short);
    b->inflight_short = larger(b->inflight_short, b->undo_inflight_short);
    b->inflight_long = larger(b->inflight_long, b->undo_inflight_long);
    if (b->undo_phase == STARTUP && b->phase != STARTUP) {
        b->full_reached = false;
        if (b->phase != PROBE_RTT)
            b->phase = STARTUP;
    } else if (b->undo_phase == UP && b->phase != UP && b->phase != PROBE_RTT) {
        enter_refill(b, delivered);
    }
    b->undo_phase = PROBE_RTT;
}

static void bbr_on_packet_spurious(void *cc, const struct tvl_cc_packet *p)
{
    struct bbr *b = cc;

    if (b->lost_standing > 0 && --b->lost_standing == 0)
        undo(b, p->delivered);
}

/* ---- the model ---- */

static void update_latest(struct bbr *b, const struct tvl_cc_ack *a)
{
    b->loss_round_start = false;
    b->bw_latest = larger(b->bw_latest, a->delivery_bps);
    b->inflight_latest = larger(b->inflight_latest, a->delivered - a->sent_delivered);
    if (a->sent_delivered >= b->loss_round_end) {
        b->loss_round_end = a->delivered;
        b->loss_round_start = true;
    }
}

static void update_round(struct bbr *b, const struct tvl_cc_ack *a)
{
    b->round_start = a->sent_delivered >= b->round_end;
    if (!b->round_start)
        return;
    start_round(b, a->delivered);
    b->rounds++;
    if (b->rounds_since_up < UINT8_MAX)
        b->rounds_since_up++;
}

static void update_congestion(struct bbr *b, const struct tvl_cc_ack *a, bool app_limited)
{
    update_round(b, a);
    if (a->delivery_bps > 0 && (a->delivery_bps >= peak(&b->max_bw) || !app_limited))
        b->max_bw.now = larger(b->max_bw.now, a->delivery_bps);
    if (!b->loss_round_start)
        return;
    if (!probing_bw(b) && b->loss_in_round && too_high(a->lost - a->sent_lost, a->sent_in_flight)) {
        b->bw_short = b->bw_short == INFINITE ? peak(&b->max_bw) : b->bw_short;
        b->inflight_short = b->inflight_short == INFINITE ? b->cwnd : b->inflight_short;
        b->bw_short = larger(times(1 / PACING_MARGIN, b->bw_latest), times(BETA, b->bw_short));
        b->inflight_short = larger(b->inflight_latest, times(BETA, b->inflight_short));
    }
}

static void update_aggregation(struct bbr *b, const struct tvl_cc_ack *a)
{
    uint64_t expected = (uint64_t)((double)b->bw * (double)(a->now - b->extra_from) / 8e6);

    if (b->extra_delivered <= expected) {
        b->extra_delivered = 0;
        b->extra_from = a->now;
        expected = 0;
    }
    b->extra_delivered += a->bytes;
    const uint64_t extra = smaller(b->extra_delivered - expected, b->cwnd);
    const uint64_t span = b->full_reached ? EXTRA_ACKED_ROUNDS : 1;

    if (b->round_start && b->rounds >= b->extra_round + span) {
        b->extra_acked.before = b->full_reached ? b->extra_acked.now : 0;
        b->extra_acked.now = 0;
        b->extra_round = b->rounds;
    }
    b->extra_acked.now = larger(b->extra_acked.now, extra);
}

static void check_full_bw(struct bbr *b, const struct tvl_cc_ack *a, bool app_limited)
{
    if (b->full_now || !b->round_start || app_limited || a->delivery_bps == 0)
        return;
    if ((double)a->delivery_bps >= FULL_BW_GROWTH * (double)b->full_bw) {
        reset_full_bw(b);
        b->full_bw = a->delivery_bps;
        return;
    }
    b->full_rounds++;
    b->full_now = b->full_rounds >= FULL_BW_ROUNDS;
    b->full_reached = b->full_reached || b->full_now;
}

static void check_startup(struct bbr *b, const struct tvl_cc_ack *a)
{
    if (b->phase != STARTUP)
        return;
    if (b->loss_round_start && b->loss_in_round && b->loss_runs >= FULL_LOSS_RUNS &&
        too_high(a->lost - a->sent_lost, a->sent_in_flight)) {
        b->undo_phase = STARTUP;
        b->full_reached = true;
        b->inflight_long = larger(bdp_of(b, peak(&b->max_bw)), b->inflight_latest);
    }
    if (b->full_reached) {
        b->phase = DRAIN;
        b->drain_from = b->rounds;
    }
}

static void check_drain(struct bbr *b, const struct tvl_cc_ack *a)
{
    if (b->phase == DRAIN && (a->in_flight_after <= inflight_at(b, b->bw, 1) ||
                              b->rounds > b->drain_from + DRAIN_ROUNDS))
        enter_down(b, a->delivered, a->now);
}

static void grow_long_term(struct bbr *b, const struct tvl_cc_ack *a, bool cwnd_limited)
{
    if (!cwnd_limited || b->cwnd < b->inflight_long)
        return;
    b->up_acked += a->bytes;
    if (b->up_acked >= b->up_step) {
        const uint64_t steps = b->up_acked / b->up_step;

        b->up_acked -= steps * b->up_step;
        b->inflight_long += steps * b->datagram;
    }
    if (b->round_start)
        raise_slope(b);
}

/* True: the phase was changed. */
static bool adapt_long_term(struct bbr *b, const struct tvl_cc_ack *a, bool app_limited,
                            bool cwnd_limited)
{
    if (b->acks == ACKS_STARTING && b->round_start)
        b->acks = ACKS_FEEDBACK;
    if (b->acks == ACKS_STOPPING && b->round_start) {
        b->probe_sample = false;
        b->acks = ACKS_INIT;
        if (in_probe_bw(b) && !app_limited) {
            b->max_bw.before = b->max_bw.now;
            b->max_bw.now = 0;
        }
        if (in_probe_bw(b) && b->precautionary && !b->too_high) {
            enter_refill(b, a->delivered);
            return true;
        }
    }
    if (b->inflight_long == INFINITE || too_high(a->lost - a->sent_lost, a->sent_in_flight))
        return false;
    b->inflight_long = larger(b->inflight_long, a->sent_in_flight);
    if (b->phase == UP)
        grow_long_term(b, a, cwnd_limited);
    return false;
}

static bool probe_is_due(const struct bbr *b, tvl_time now)
{
    const uint64_t reno = target_inflight(b) / b->datagram;

    return now > b->cycle_at + b->probe_wait || b->rounds_since_up >= smaller(reno, RENO_ROUNDS);
}

static bool probe_is_over(struct bbr *b, const struct tvl_cc_ack *a, bool cwnd_limited)
{
    if (b->too_high && a->in_flight_after >= b->inflight_long) {
        b->precautionary = true;
        return true;
    }
    if (cwnd_limited && b->cwnd >= b->inflight_long) {
        reset_full_bw(b); /* the bound holds bw down: that is no plateau */
        b->full_bw = a->delivery_bps;
        return false;
    }
    return b->full_now;
}

static void update_phase(struct bbr *b, const struct tvl_cc_ack *a, bool app_limited)
{
    const bool cwnd_limited = a->in_flight + b->datagram > b->cwnd;

    if (!b->full_reached || adapt_long_term(b, a, app_limited, cwnd_limited))
        return;
    switch (b->phase) {
    case DOWN:
    case CRUISE:
        if (probe_is_due(b, a->now))
            enter_refill(b, a->delivered);
        else if (b->phase == DOWN && a->in_flight_after <= with_headroom(b) &&
                 a->in_flight_after <= inflight_at(b, peak(&b->max_bw), 1))
            b->phase = CRUISE;
        break;
    case REFILL:
        if (b->round_start) {
            b->probe_sample = true;
            enter_up(b, a);
        }
        break;
    case UP:
        if (probe_is_over(b, a, cwnd_limited)) {
            b->too_high = false;
            enter_down(b, a->delivered, a->now);
        }
        break;
    default:
        break;
    }
}

/* ---- the shortest round trip ---- */

static void update_min_rtt(struct bbr *b, const struct tvl_cc_ack *a)
{
    const tvl_time known = b->probe_rtt_min;

    b->probe_rtt_expired = a->now > b->probe_rtt_min_at + PROBE_RTT_EVERY;
    if (a->rtt > 0 && (known == 0 || a->rtt < known || b->probe_rtt_expired)) {
        b->probe_rtt_min = a->rtt;
        b->probe_rtt_min_at = a->now;
    } else if (a->rtt > 0 && a->rtt <= known + known / RTT_SAME) {
        b->probe_rtt_min_at = a->now;
    }
    if (b->probe_rtt_min && (b->min_rtt == 0 || b->probe_rtt_min < b->min_rtt ||
                             a->now > b->min_rtt_at + MIN_RTT_WINDOW)) {
        b->min_rtt = b->probe_rtt_min;
        b->min_rtt_at = b->probe_rtt_min_at;
    }
}

static uint64_t probe_rtt_cwnd(const struct bbr *b)
{
    return larger(times(CWND_GAIN_PROBE_RTT, bdp_of(b, b->bw)), pipe_min(b));
}

static void check_probe_rtt_done(struct bbr *b, uint64_t delivered, tvl_time now)
{
    if (b->probe_rtt_done_at == 0 || now <= b->probe_rtt_done_at)
        return;
    b->probe_rtt_min_at = now; /* the next is due from here */
    b->cwnd = larger(b->cwnd, b->prior_cwnd);
    reset_short_term(b);
    if (b->full_reached) {
        enter_down(b, delivered, now);
        b->phase = CRUISE; /* there is no queue to drain */
    } else {
        b->phase = STARTUP;
    }
}

static void check_probe_rtt(struct bbr *b, const struct tvl_cc_ack *a)
{
    if (b->phase != PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        save_cwnd(b);
        b->phase = PROBE_RTT;
        b->probe_rtt_done_at = 0;
        b->acks = ACKS_STOPPING;
        start_round(b, a->delivered);
    }
    if (b->phase == PROBE_RTT) {
        b->ignore_to = a->delivered + a->in_flight_after;
        if (b->probe_rtt_done_at == 0) {
            if (a->in_flight_after <= probe_rtt_cwnd(b)) {
                b->probe_rtt_done_at = a->now + PROBE_RTT_TIME;
                b->probe_rtt_round_done = false;
                start_round(b, a->delivered);
            }
        } else {
            b->probe_rtt_round_done = b->probe_rtt_round_done || b->round_start;
            if (b->probe_rtt_round_done)
                check_probe_rtt_done(b, a->delivered, a->now);
        }
    }
    b->idle_restart = false;
}

/* ---- what follows for the host ---- */

static void set_pacing(struct bbr *b, double gain)
{
    const uint64_t rate = times(gain * PACING_MARGIN, b->bw);

    if (b->full_reached || rate > b->pacing_bps)
        b->pacing_bps = rate;
}

/* The first round trip tells how fast the first window may leave. */
static void first_pacing(struct bbr *b, tvl_time rtt)
{
    if (b->rtt_known || rtt == 0)
        return;
    b->rtt_known = true;
    b->pacing_bps = times(STARTUP_GAIN, b->cwnd * 8 * 1000000 / rtt);
}

static void set_cwnd(struct bbr *b, const struct tvl_cc_ack *a)
{
    const uint64_t volume = b->min_rtt ? times(cwnd_gain(b), bdp_of(b, b->bw)) : first_window(b);
    const uint64_t most = quantised(b, volume + peak(&b->extra_acked));
    uint64_t cap = INFINITE;

    if (b->full_reached)
        b->cwnd = smaller(b->cwnd + a->bytes, most);
    else if (b->cwnd < most || a->delivered < first_window(b))
        b->cwnd += a->bytes;
    b->cwnd = larger(b->cwnd, pipe_min(b));
    if (b->phase == PROBE_RTT)
        b->cwnd = smaller(b->cwnd, probe_rtt_cwnd(b));
    if (b->phase == CRUISE || b->phase == PROBE_RTT)
        cap = with_headroom(b);
    else if (in_probe_bw(b))
        cap = b->inflight_long;
    cap = larger(smaller(cap, b->inflight_short), pipe_min(b));
    b->cwnd = smaller(b->cwnd, cap);
}

static void bbr_on_ack(void *cc, const struct tvl_cc_ack *a)
{
    struct bbr *b = cc;
    const bool app_limited = a->app_limited || a->sent_delivered < b->ignore_to;

    b->share = 1 - COUPLED_YIELD * (1 - sqrt(a->growth));
    first_pacing(b, a->rtt);
    update_latest(b, a);
    update_congestion(b, a, app_limited);
    update_aggregation(b, a);
    check_full_bw(b, a, app_limited);
    check_startup(b, a);
    if (b->loss_round_start)
        b->loss_in_round = false;
    b->bw = smaller(peak(&b->max_bw), b->bw_short);
    check_drain(b, a);
    update_phase(b, a, app_limited);
    update_min_rtt(b, a);
    check_probe_rtt(b, a);
    if (b->loss_round_start) {
        b->bw_latest = a->delivery_bps;
        b->inflight_latest = a->delivered - a->sent_delivered;
    }
    b->bw = smaller(peak(&b->max_bw), b->bw_short);
    set_pacing(b, pacing_gain(b));
    set_cwnd(b, a);
}

static void bbr_on_sent(void *cc, const struct tvl_cc_sent *s)
{
    struct bbr *b = cc;

    if (s->in_flight != s->bytes || !s->app_limited)
        return;
    b->idle_restart = true; /* the queue is empty: min_rtt is measured by the way */
    b->extra_from = s->now;
    if (in_probe_bw(b))
        set_pacing(b, b->share);
    else if (b->phase == PROBE_RTT)
        check_probe_rtt_done(b, b->round_end, s->now);
}

static void bbr_on_mtu(void *cc, uint32_t datagram_bytes)
{
    struct bbr *b = cc;

    b->datagram = datagram_bytes;
    b->cwnd = larger(b->cwnd, pipe_min(b));
}

static struct tvl_cc_limit bbr_limit(const void *cc)
{
    const struct bbr *b = cc;

    return (struct tvl_cc_limit){ .cwnd = b->cwnd,
                                  .pacing_bps = b->pacing_bps,
                                  .rate_bps = times(b->share, b->bw) };
}

/* A window for those who know no rate: the path filled, and a little in its queue. */
static void bbr_save(const void *cc, struct tvl_cc_learnt *out)
{
    const struct bbr *b = cc;
    const uint64_t bw = peak(&b->max_bw);

    if (b->min_rtt == 0 || bw == 0)
        return;
    out->rate_bps = bw;
    out->rtt_min = b->min_rtt;
    out->cwnd = larger(times(UP_GAIN, bdp_of(b, bw)), pipe_min(b));
    out->ssthresh = b->full_reached ? out->cwnd : INFINITE;
    out->w_max = b->inflight_long == INFINITE ? 0 : b->inflight_long;
}

static void bbr_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct bbr *b = cc;

    b->cwnd = larger(from->cwnd, pipe_min(b));
    if (from->rate_bps == 0 || from->rtt_min == 0)
        return;
    b->rtt_known = true;
    b->min_rtt = b->probe_rtt_min = from->rtt_min;
    b->max_bw.now = b->bw = from->rate_bps;
    b->full_reached = from->ssthresh != INFINITE;
    if (b->full_reached) {
        enter_down(b, 0, from->now);
        b->acks = ACKS_INIT; /* no probe is under way whose echo would be awaited */
    }
    b->pacing_bps = times(pacing_gain(b), b->bw);
}

static const char *bbr_state(const void *cc)
{
    static const char *const name[] = {
        [STARTUP] = "startup",     [DRAIN] = "drain",         [DOWN] = "probe_down",
        [CRUISE] = "probe_cruise", [REFILL] = "probe_refill", [UP] = "probe_up",
        [PROBE_RTT] = "probe_rtt"
    };

    return name[((const struct bbr *)cc)->phase];
}

const struct tvl_cc_ops tvl_cc_bbr = {
    .name = "bbr",
    .init = bbr_init,
    .on_sent = bbr_on_sent,
    .on_ack = bbr_on_ack,
    .on_loss = bbr_on_loss,
    .on_packet_lost = bbr_on_packet_lost,
    .on_packet_spurious = bbr_on_packet_spurious,
    .on_mtu = bbr_on_mtu,
    .limit = bbr_limit,
    .save = bbr_save,
    .load = bbr_load,
    .state = bbr_state,
};
