/* rate.c - the controller of rate.h. */
#include "rate.h"

#include <math.h>

#define QUANTIZER_MIN 4
#define QUANTIZER_MAX 62
#define SLOPE 0.11 /* log2 bits per quantizer step, fitted at 20 to 50 */
#define STEPS 4    /* of the cascade, per temporal layer */
#define LEARN 0.25 /* weight of the newest unit in the cost of its kind */
#define FINER_MAX \
    1.0 /* quantizer steps per unit: where a scene stands still the finer costs most */
#define COARSER_MAX 2.0
#define WINDOW_S 2.0
#define AHEAD_SHARE 0.25 /* of the window */
#define AIM_MIN 0.3      /* never aim below this share of the target, however much is overspent */
#define AIM_MAX 1.7
#define CUT 1.0 /* octaves off what was expected: the scene is another */

/* Bits per pixel at GUESS_QUANTIZER for a first guess, by kind; replaced by the first unit. */
#define GUESS_QUANTIZER 36
static const double guess_bpp[SVC_RATE_KINDS] = { 0.25, 0.15, 0.07, 0.03, 0.02 };

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
    const double window = clamp(WINDOW_S * cfg->fps, 8, SVC_RATE_WINDOW_MAX);

    *rc = (struct svc_rate){ .cfg = *cfg,
                             .bits_per_picture = cfg->target_bps / cfg->fps,
                             .window = (unsigned)lround(window) };
    rc->ahead = (unsigned)lround(rc->window * AHEAD_SHARE);
    for (unsigned i = 0; i < SVC_RATE_WINDOW_MAX; i++)
        rc->spent[i] = (uint32_t)lround(rc->bits_per_picture);
    for (int k = 0; k < SVC_RATE_KINDS; k++)
        rc->cost[k] = log2(guess_bpp[k] * cfg->pixels) + SLOPE * (GUESS_QUANTIZER + offset_of(k));
}

/* The kind of the picture `ahead` pictures after the next one. */
static enum svc_rate_kind kind_ahead(const struct svc_rate *rc, unsigned ahead)
{
    uint64_t since = rc->since_key + ahead;

    if (rc->cfg.key_interval)
        since %= rc->cfg.key_interval;
    if (since == 0)
        return SVC_RATE_KEY;
    return (enum svc_rate_kind)(SVC_RATE_T0 + svc_structure_temporal(&rc->cfg.structure, since));
}

/* Bits of what is to come, at quantizer 0; `next` is the kind of the first. */
static double bits_ahead(const struct svc_rate *rc, enum svc_rate_kind next)
{
    double sum = exp2(rc->cost[next] - SLOPE * offset_of(next));

    for (unsigned i = 1; i < rc->ahead; i++) {
        const enum svc_rate_kind k = kind_ahead(rc, i);

        sum += exp2(rc->cost[k] - SLOPE * offset_of(k));
    }
    return sum;
}

/* Bits that the window has left for what is to come. */
static double budget(const struct svc_rate *rc)
{
    double left = rc->bits_per_picture * rc->window;

    for (unsigned i = 1; i <= rc->window - rc->ahead; i++)
        left -= rc->spent[(rc->pictures - i) % SVC_RATE_WINDOW_MAX];
    return left;
}

uint8_t svc_rate_cascade(uint8_t quantizer, enum svc_rate_kind kind)
{
    int q = quantizer + offset_of(kind);
    return (uint8_t)(q > 63 ? 63 : q);
}

uint8_t svc_rate_quantizer(struct svc_rate *rc, enum svc_rate_kind kind)
{
    const double bits = bits_ahead(rc, kind);
    /* A key picture ahead is no reason to save before it: the window has held one all along. */
    const double even = rc->bits_per_picture * rc->ahead;
    const double lump = bits / (rc->ahead * exp2(rc->cost[SVC_RATE_T0]));
    const double most = even * AIM_MAX * (lump > 1 ? lump : 1);
    double wish = log2(bits / clamp(budget(rc), even * AIM_MIN, most)) / SLOPE;

    if (rc->started)
        wish = clamp(wish, rc->quantizer - FINER_MAX, rc->quantizer + COARSER_MAX);
    rc->started = rc->learnt[SVC_RATE_T0];
    rc->quantizer = clamp(wish, QUANTIZER_MIN, QUANTIZER_MAX);
    return (uint8_t)lround(clamp(rc->quantizer + offset_of(kind), QUANTIZER_MIN, QUANTIZER_MAX));
}

static void learn(struct svc_rate *rc, enum svc_rate_kind kind, double cost)
{
    const double off = cost - rc->cost[kind];

    if (!rc->learnt[kind]) {
        rc->cost[kind] = cost;
    } else if (fabs(off) > CUT && kind >= SVC_RATE_T0) {
        for (int k = 0; k < SVC_RATE_KINDS; k++)
            rc->cost[k] += k == (int)kind ? off : k >= SVC_RATE_T0 ? off / 2 : 0;
    } else {
        rc->cost[kind] += LEARN * off;
    }
    rc->learnt[kind] = true;
}

static void book(struct svc_rate *rc, enum svc_rate_kind kind, double bits)
{
    rc->spent[rc->pictures++ % SVC_RATE_WINDOW_MAX] = (uint32_t)bits;
    rc->since_key = kind == SVC_RATE_KEY ? 1 : rc->since_key + 1;
}

void svc_rate_coded(struct svc_rate *rc, enum svc_rate_kind kind, uint8_t quantizer, size_t bytes)
{
    const double bits = 8.0 * (double)(bytes ? bytes : 1);

    learn(rc, kind, log2(bits) + SLOPE * quantizer);
    book(rc, kind, bits);
}

void svc_rate_skipped(struct svc_rate *rc, enum svc_rate_kind kind)
{
    const double bits = exp2(rc->cost[kind] - SLOPE * (rc->quantizer + offset_of(kind)));

    book(rc, kind, clamp(bits, 0, rc->bits_per_picture * AIM_MAX));
}

void svc_rate_retarget(struct svc_rate *rc, double target_bps)
{
    rc->cfg.target_bps = target_bps;
    rc->bits_per_picture = target_bps / rc->cfg.fps;
    for (unsigned i = 0; i < SVC_RATE_WINDOW_MAX; i++)
        rc->spent[i] = (uint32_t)lround(rc->bits_per_picture);
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
