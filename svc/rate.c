/* rate.c - the controller of rate.h. */
#include "rate.h"

#include <math.h>

#define QUANTIZER_MIN 4
#define QUANTIZER_MAX 63
#define SLOPE 0.11 /* log2 bits per quantizer step, fitted at 20 to 50 */
#define STEPS 4    /* of the cascade, per temporal layer */
#define LEARN 0.35 /* weight of the newest unit in the cost of its kind */
#define FINER_MAX \
    2.0 /* quantizer steps per unit: where a scene stands still the finer costs most */
#define COARSER_MAX 4.0
#define WINDOW_S 2.0
#define AHEAD_SHARE 0.1 /* of the window */
#define AIM_MIN 0.3     /* never aim below this share of the target, however much is overspent */
#define AIM_MAX 1.7
#define DUE_MAX 0.7  /* of the target: loans never take more */
#define DEBT_MAX 2.0 /* times what is spent in the pictures ahead */
#define SAVED_MAX 0.5
#define CUT 1.0         /* octaves off what was expected: the scene is another */
#define LUMP 2.0        /* times what a picture may spend: what is more is lent */
#define FLOOR_BPP 0.004 /* bits per pixel: fewer say nothing about another quantizer */
#define LUMP_S 0.35     /* of the rate: more at once comes too late for the viewer */
#define START_MAX 6.0   /* quantizer steps per unit before much is learnt */

/* Bits per pixel at GUESS_QUANTIZER for a first guess, by kind; replaced by the first unit. */
#define GUESS_QUANTIZER 36
static const double guess_bpp[SVC_RATE_KINDS] = { 0.4, 0.15, 0.08, 0.04, 0.03 };

static int offset_of(enum svc_rate_kind kind)
{
    return kind > SVC_RATE_T0 ? STEPS * (kind - SVC_RATE_T0) : 0;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

void svc_rate_init(struct svc_rate *rc, const struct svc_rate_config *cfg)
{
    const double window = clamp(WINDOW_S * cfg->fps, 8, SVC_RATE_WINDOW_MAX - 1);

    *rc = (struct svc_rate){ .cfg = *cfg,
                             .bits_per_picture = cfg->target_bps / cfg->fps,
                             .window = (unsigned)lround(window) };
    rc->ahead = (unsigned)lround(rc->window * AHEAD_SHARE);
    if (cfg->key_interval && cfg->key_interval < rc->window)
        rc->window = cfg->key_interval;
    for (int k = 0; k < SVC_RATE_KINDS; k++)
        rc->cost[k] = log2(guess_bpp[k] * cfg->pixels) + SLOPE * GUESS_QUANTIZER;
}

/* Bits at quantizer 0 of an ordinary unit of the kind, its place in the cascade counted. */
static double bits_of(const struct svc_rate *rc, enum svc_rate_kind kind)
{
    return exp2(rc->cost[kind] - SLOPE * offset_of(kind));
}

/* The same, mean of the temporal layers. */
static double bits_mean(const struct svc_rate *rc)
{
    double sum = 0;

    for (unsigned t = 0; t < rc->cfg.structure.n_temporal; t++)
        sum += svc_structure_share(&rc->cfg.structure, t) *
               bits_of(rc, (enum svc_rate_kind)(SVC_RATE_T0 + t));
    return sum;
}

uint8_t svc_rate_cascade(uint8_t quantizer, enum svc_rate_kind kind)
{
    return (uint8_t)clamp(quantizer + offset_of(kind), 0, 63);
}

/* What the next picture may spend. */
static double allowance(const struct svc_rate *rc)
{
    const double due = rc->due[rc->pictures % SVC_RATE_WINDOW_MAX];

    return rc->bits_per_picture - fmin(due, DUE_MAX * rc->bits_per_picture);
}

/* Quantizer of temporal layer 0 at which the debt is paid in time. */
static double quantizer_wished(const struct svc_rate *rc)
{
    const double each = allowance(rc);

    if (!rc->started) /* the first picture is a key picture, whose loan begins with the next */
        return log2((bits_mean(rc) + bits_of(rc, SVC_RATE_KEY) / rc->window) /
                    rc->bits_per_picture) /
               SLOPE;
    return log2(bits_mean(rc) /
                clamp(each - rc->debt / rc->ahead, each * AIM_MIN, each * AIM_MAX)) /
           SLOPE;
}

/* The least quantizer at which a unit by itself takes no more than LUMP_S of the layer's rate. */
static double quantizer_bearable(const struct svc_rate *rc, enum svc_rate_kind kind)
{
    return log2(exp2(rc->cost[kind]) / (LUMP_S * rc->cfg.target_bps)) / SLOPE;
}

uint8_t svc_rate_quantizer(struct svc_rate *rc, enum svc_rate_kind kind)
{
    double wish = rc->started && kind < SVC_RATE_T0 ? rc->quantizer : quantizer_wished(rc);

    if (rc->started && rc->learnt[SVC_RATE_T0])
        wish = clamp(wish, rc->quantizer - FINER_MAX, rc->quantizer + COARSER_MAX);
    else if (rc->started)
        wish = clamp(wish, rc->quantizer - START_MAX, rc->quantizer + START_MAX);
    rc->quantizer = clamp(wish, QUANTIZER_MIN, QUANTIZER_MAX);
    double exact = rc->quantizer + offset_of(kind);

    if (kind < SVC_RATE_T0 || rc->cut)
        exact = fmax(exact, quantizer_bearable(rc, rc->cut ? SVC_RATE_KEY : kind));
    if (!rc->started) /* the others begin where it ended */
        rc->quantizer = clamp(exact, QUANTIZER_MIN, QUANTIZER_MAX);
    rc->started = true;
    exact = clamp(exact, QUANTIZER_MIN, QUANTIZER_MAX);
    const double whole = round(clamp(exact + rc->rounded, QUANTIZER_MIN, QUANTIZER_MAX));

    rc->rounded = clamp(rc->rounded + exact - whole, -0.5, 0.5);
    return (uint8_t)whole;
}

static void learn(struct svc_rate *rc, enum svc_rate_kind kind, double cost)
{
    const double off = cost - rc->cost[kind];
    const bool first = !rc->learnt[kind];

    rc->cost[kind] += first ? off : LEARN * off;
    rc->learnt[kind] = true;
    for (int k = 0; k < SVC_RATE_KINDS; k++) /* what is only guessed moves along */
        if (first && !rc->learnt[k])
            rc->cost[k] += off / 2;
    if (first || fabs(off) <= CUT || kind < SVC_RATE_T0)
        return;
    for (int k = SVC_RATE_T0; k < SVC_RATE_KINDS; k++)
        rc->cost[k] += k == (int)kind ? (1 - LEARN) * off : off / 2;
}

/* To be paid by the pictures after this one that a window holds with it. */
static void lend(struct svc_rate *rc, double bits)
{
    const unsigned payers = rc->window > 1 ? rc->window - 1 : 1;

    for (unsigned i = 1; i <= payers; i++)
        rc->due[(rc->pictures + i) % SVC_RATE_WINDOW_MAX] += bits / payers;
}

/* The picture is done, `over` bits beyond its share. */
static void book(struct svc_rate *rc, double over)
{
    const double due = rc->due[rc->pictures % SVC_RATE_WINDOW_MAX];
    const double most = rc->bits_per_picture * rc->ahead;

    rc->debt += over + due - (rc->bits_per_picture - allowance(rc)); /* what exceeds DUE_MAX */
    rc->debt = clamp(rc->debt, -SAVED_MAX * most, DEBT_MAX * most);
    rc->due[rc->pictures++ % SVC_RATE_WINDOW_MAX] = 0;
}

void svc_rate_coded(struct svc_rate *rc, enum svc_rate_kind kind, uint8_t quantizer, size_t bytes)
{
    const double bits = 8.0 * (double)(bytes ? bytes : 1);
    const bool lump = kind < SVC_RATE_T0 || rc->cut;
    const double fair = (lump ? 1 : bits_of(rc, kind) / bits_mean(rc)) * allowance(rc);
    const double lent = fmax(0, bits - fair - (lump ? 0 : LUMP * rc->bits_per_picture));

    if (!rc->cut)
        learn(rc, kind, log2(fmax(bits, FLOOR_BPP * rc->cfg.pixels)) + SLOPE * quantizer);
    rc->cut &= kind > SVC_RATE_T0;
    if (lent > 0)
        lend(rc, lent);
    book(rc, bits - lent - fair);
}

void svc_rate_cut(struct svc_rate *rc)
{
    rc->cut = true;
    for (int k = SVC_RATE_T0; k < SVC_RATE_KINDS; k++)
        rc->learnt[k] = false;
}

void svc_rate_skipped(struct svc_rate *rc)
{
    book(rc, 0);
}

void svc_rate_retarget(struct svc_rate *rc, double target_bps)
{
    const double ratio = target_bps / rc->cfg.target_bps;

    rc->cfg.target_bps = target_bps;
    rc->bits_per_picture *= ratio;
    rc->debt *= ratio;
    for (unsigned i = 0; i < SVC_RATE_WINDOW_MAX; i++)
        rc->due[i] *= ratio;
}

double svc_rate_part(const struct svc_structure *st, unsigned temporal)
{
    double sum = 0, own = 0;

    for (unsigned t = 0; t < st->n_temporal; t++) {
        const double bits = svc_structure_share(st, t) * guess_bpp[SVC_RATE_T0 + t];

        sum += bits;
        own = t == temporal ? bits : own;
    }
    return own / sum;
}
