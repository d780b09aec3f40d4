/*
 * cubic.c - CUBIC, RFC 9438, with HyStart++, RFC 9406:
 *   slow start:  cwnd doubles per round trip until a loss, or until the round trip grows; then five
 *                rounds at a quarter of that (CSS), and on to congestion avoidance
 *   avoidance:   cwnd follows W(t) = C (t - K)^3 + W_max, t since the last reduction,
 *                or what Reno would have by now (W_est), whichever is larger
 *   loss or mark: W_max = cwnd (less when it was below the last W_max: fast convergence),
 *                cwnd *= 0.7, once per round trip, never below two datagrams
 *
 *       SLOW_START --RTT grew--> CSS --five rounds--> AVOIDANCE
 *           ^  \                  |  \                  |
 *           |   +------loss------/----+------loss------>+ (again)
 *           +----RTT fell back---+
 *
 * Windows are in bytes, times in us, the cubic itself in ms; integers only, so that every machine
 * computes the same.
 */
#include <tvl/cc.h>

/* RFC 9002 7.2: ten datagrams at start, at most max(14720 bytes, two datagrams). */
#define INITIAL_DATAGRAMS 10u
#define INITIAL_BYTES_MAX 14720u
#define MIN_DATAGRAMS 2u /* RFC 9002 7.2 kMinimumWindow */

/* beta = 0.7 and C = 0.4, RFC 9438 4.6 and 5.1: fair to Reno where Reno works, quick elsewhere. */
#define BETA_NUM 7u
#define BETA_DEN 10u
#define C_NUM 2
#define C_DEN 5
/* Reno's growth that gives a flow with beta = 0.7 Reno's mean rate: 3 (1 - beta) / (1 + beta),
 * RFC 9438 4.3. */
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
#define T_MAX_MS 100000     /* keeps t^3 in 64 bits; the window is past any link by then */
#define DIFF_MAX (1u << 30) /* bytes below W_max: the same for K */

/* RFC 9406 4.3, its recommended values. */
#define RTT_THRESH_MIN 4000u  /* us: less is noise */
#define RTT_THRESH_MAX 16000u /* us: more is a queue for certain */
#define RTT_DIVISOR 8u
#define RTT_SAMPLES 8u /* per round, before its minimum is believed */
#define CSS_DIVISOR 4u
#define CSS_ROUNDS 5u

enum phase { SLOW_START, CSS, AVOIDANCE };

struct cubic {
    enum phase phase;
    uint32_t mss;
    uint64_t cwnd, ssthresh;
    tvl_time recovery_from; /* losses of packets sent before this are the same event */

    uint64_t w_max;       /* where the cubic's inflection lies */
    uint64_t w_last_max;  /* cwnd before the last reduction, for fast convergence */
    uint64_t w_est;       /* Reno's window */
    uint64_t cwnd_prior;  /* cwnd at the last reduction: Reno's growth changes there */
    uint64_t est_acked;   /* bytes towards w_est's next datagram */
    uint64_t grow_acked;  /* byte fractions towards cwnd's next step */
    tvl_time epoch;       /* when t was 0; TVL_TIME_NEVER: none begun */
    tvl_time k_ms;
    tvl_time seen;        /* last acknowledgement: idle time does not count into t */

    tvl_time round_from;      /* a packet sent then or later ends the round */
    tvl_time round_min, last_round_min, css_baseline; /* us; TVL_TIME_NEVER: none */
    uint32_t round_samples, css_rounds;
};
_Static_assert(sizeof(struct cubic) <= TVL_CC_STATE_MAX, "raise TVL_CC_STATE_MAX");

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Integer cube root, rounded down. */
static uint64_t cube_root(uint64_t x)
{
    uint64_t root = 0;

    for (int bit = 20; bit >= 0; bit--) {
        const uint64_t next = root | (uint64_t)1 << bit;

        if (next * next * next <= x)
            root = next;
    }
    return root;
}

static void cubic_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    const uint64_t cwnd_min = (uint64_t)MIN_DATAGRAMS * datagram_bytes;
    const uint64_t cwnd = min_u64((uint64_t)INITIAL_DATAGRAMS * datagram_bytes, INITIAL_BYTES_MAX);

    *(struct cubic *)cc = (struct cubic){
        .mss = datagram_bytes,
        .cwnd = max_u64(cwnd, cwnd_min),
        .ssthresh = UINT64_MAX,
        .epoch = TVL_TIME_NEVER,
        .seen = now,
        .round_from = now,
        .round_min = TVL_TIME_NEVER,
        .last_round_min = TVL_TIME_NEVER,
        .css_baseline = TVL_TIME_NEVER,
    };
}

/* ---- slow start ---- */

static void next_round(struct cubic *c, tvl_time now)
{
    c->last_round_min = c->round_min;
    c->round_min = TVL_TIME_NEVER;
    c->round_samples = 0;
    c->round_from = now;
    if (c->phase == CSS)
        c->css_rounds++;
}

/* RFC 9406 4.2 */
static void watch_rtt(struct cubic *c, const struct tvl_cc_ack *ack)
{
    if (ack->sent_at >= c->round_from)
        next_round(c, ack->now);
    if (ack->rtt != 0) {
        c->round_min = min_u64(c->round_min, ack->rtt);
        c->round_samples++;
    }
    if (c->round_samples < RTT_SAMPLES || c->round_min == TVL_TIME_NEVER)
        return;
    if (c->phase == CSS) {
        if (c->round_min < c->css_baseline) { /* it was jitter */
            c->phase = SLOW_START;
            c->css_baseline = TVL_TIME_NEVER;
        }
        return;
    }
    if (c->last_round_min == TVL_TIME_NEVER)
        return;
    const tvl_time thresh =
        max_u64(RTT_THRESH_MIN, min_u64(c->last_round_min / RTT_DIVISOR, RTT_THRESH_MAX));

    if (c->round_min >= c->last_round_min + thresh) {
        c->phase = CSS;
        c->css_baseline = c->round_min;
        c->css_rounds = 0;
    }
}

static void slow_start(struct cubic *c, const struct tvl_cc_ack *ack)
{
    watch_rtt(c, ack);
    c->cwnd += c->phase == CSS ? ack->bytes / CSS_DIVISOR : ack->bytes;
    if (c->phase == CSS && c->css_rounds >= CSS_ROUNDS)
        c->ssthresh = c->cwnd;
    if (c->cwnd >= c->ssthresh)
        c->phase = AVOIDANCE;
}

/* ---- congestion avoidance ---- */

static void begin_epoch(struct cubic *c, tvl_time now)
{
    if (c->w_max < c->cwnd) /* no reduction led here: start at the inflection, RFC 9438 4.8 */
        c->w_max = c->cwnd;
    const uint64_t diff = min_u64(c->w_max - c->cwnd, DIFF_MAX);

    /* K = cbrt(diff / (C mss)) seconds; in ms the radicand takes 10^9. */
    c->k_ms = cube_root(diff * (1000000000u / C_NUM * C_DEN) / c->mss);
    c->epoch = now;
    c->w_est = c->cwnd;
    c->est_acked = c->grow_acked = 0;
}

/* W(t), bytes. */
static uint64_t w_cubic(const struct cubic *c, tvl_time t)
{
    int64_t d = (int64_t)min_u64(t / 1000, 1u << 30) - (int64_t)c->k_ms;

    if (d > T_MAX_MS)
        d = T_MAX_MS;
    if (d < -T_MAX_MS)
        d = -T_MAX_MS;
    const int64_t w =
        (int64_t)c->w_max + d * d * d / 1000 * (int64_t)c->mss / 1000000 * C_NUM / C_DEN;

    return w > 0 ? (uint64_t)w : 0;
}

/* RFC 9438 4.3: w_est += alpha * acked / cwnd datagrams; alpha is 1 above the old window. */
static void grow_reno(struct cubic *c, uint64_t bytes)
{
    c->est_acked += c->w_est >= c->cwnd_prior ? bytes : bytes * ALPHA_NUM / ALPHA_DEN;
    while (c->est_acked >= c->cwnd) {
        c->est_acked -= c->cwnd;
        c->w_est += c->mss;
    }
}

static void avoid(struct cubic *c, const struct tvl_cc_ack *ack)
{
    if (c->epoch == TVL_TIME_NEVER)
        begin_epoch(c, ack->now);
    const tvl_time t = ack->now - c->epoch;

    grow_reno(c, ack->bytes);
    if (w_cubic(c, t) < c->w_est) { /* Reno-friendly region */
        c->cwnd = max_u64(c->cwnd, c->w_est);
        return;
    }
    const uint64_t target = min_u64(w_cubic(c, t + ack->srtt), c->cwnd + c->cwnd / 2);

    if (target <= c->cwnd)
        return;
    /* (target - cwnd) / cwnd bytes per byte acknowledged; the rest is kept for the next. */
    c->grow_acked += (target - c->cwnd) * ack->bytes;
    const uint64_t step = c->grow_acked / c->cwnd;

    c->grow_acked -= step * c->cwnd;
    c->cwnd += step;
}

/* ---- the four verbs ---- */

/* Time in which the window was not used does not make it larger: RFC 9438 5.8. */
static void stand_still(struct cubic *c, tvl_time now)
{
    if (c->epoch != TVL_TIME_NEVER && now > c->seen)
        c->epoch += now - c->seen;
    c->seen = now;
}

static void cubic_on_sent(void *cc, const struct tvl_cc_sent *sent)
{
    if (sent->in_flight == sent->bytes) /* after idling */
        stand_still(cc, sent->now);
}

static void cubic_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    struct cubic *c = cc;

    if (ack->app_limited) {
        stand_still(c, ack->now);
        return;
    }
    c->seen = ack->now;
    if (ack->sent_at < c->recovery_from)
        return;
    if (c->phase == AVOIDANCE)
        avoid(c, ack);
    else
        slow_start(c, ack);
}

static void cubic_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    struct cubic *c = cc;
    const uint64_t cwnd_min = (uint64_t)MIN_DATAGRAMS * c->mss;

    if (loss->sent_at >= c->recovery_from) {
        c->recovery_from = loss->now;
        c->cwnd_prior = c->cwnd;
        /* Fast convergence, RFC 9438 4.7: below the last maximum someone else needs room. */
        c->w_max = c->cwnd < c->w_last_max ? c->cwnd * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN)
                                           : c->cwnd;
        c->w_last_max = c->cwnd;
        c->ssthresh = max_u64(c->cwnd * BETA_NUM / BETA_DEN, cwnd_min);
        c->cwnd = c->ssthresh;
        c->phase = AVOIDANCE;
        c->epoch = TVL_TIME_NEVER;
    }
    if (loss->persistent) { /* RFC 9002 7.6.2, RFC 9438 4.8 */
        c->cwnd = cwnd_min;
        c->recovery_from = 0;
        c->w_max = 0;
        c->epoch = TVL_TIME_NEVER;
        c->phase = c->cwnd < c->ssthresh ? SLOW_START : AVOIDANCE;
        c->round_min = c->last_round_min = c->css_baseline = TVL_TIME_NEVER;
        c->round_samples = c->css_rounds = 0;
        c->round_from = loss->now;
    }
}

static struct tvl_cc_limit cubic_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct cubic *)cc)->cwnd };
}

extern const struct tvl_cc_ops tvl_cc_cubic;
const struct tvl_cc_ops tvl_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_sent = cubic_on_sent,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .limit = cubic_limit,
};
