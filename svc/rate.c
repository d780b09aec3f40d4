/* rate.c - the controller of rate.h. */
#include "rate.h"

#include <math.h>

#define QUANTIZER_MIN 4
#define QUANTIZER_MAX 62
#define SLOPE 0.11   /* log2 bits per quantizer step, fitted at 20 to 50 */
#define STEPS 4      /* of the cascade, per temporal layer */
#define LEARN 0.25   /* weight of the newest unit in the cost of its kind */
#define STEP_MAX 2.0 /* quantizer steps per unit: jumps are visible */
#define HORIZON_MIN_S 2.0
#define FLOOR_SHARE 0.3 /* never aim below this share of the target, however much is overspent */
#define CEIL_SHARE 1.7

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
    *rc = (struct svc_rate){ .bits_per_picture = cfg->target_bps / cfg->fps, .fps = cfg->fps };
    double least = HORIZON_MIN_S * cfg->fps;
    rc->horizon = cfg->key_interval > least ? cfg->key_interval : least;
    if (cfg->key_interval)
        rc->share[SVC_RATE_KEY] = 1.0 / cfg->key_interval;
    for (unsigned t = 0; t < cfg->structure.n_temporal; t++)
        rc->share[SVC_RATE_T0 + t] = svc_structure_share(&cfg->structure, t);
    rc->share[SVC_RATE_T0] = fmax(0, rc->share[SVC_RATE_T0] - rc->share[SVC_RATE_KEY]);
    for (int k = 0; k < SVC_RATE_KINDS; k++)
        rc->cost[k] = log2(guess_bpp[k] * cfg->pixels) + SLOPE * (GUESS_QUANTIZER + offset_of(k));
}

static double mean_bits(const struct svc_rate *rc, double quantizer)
{
    double sum = 0;
    for (int k = 0; k < SVC_RATE_KINDS; k++)
        sum += rc->share[k] * exp2(rc->cost[k] - SLOPE * (quantizer + offset_of(k)));
    return sum;
}

uint8_t svc_rate_cascade(uint8_t quantizer, enum svc_rate_kind kind)
{
    int q = quantizer + offset_of(kind);
    return (uint8_t)(q > 63 ? 63 : q);
}

uint8_t svc_rate_quantizer(struct svc_rate *rc, enum svc_rate_kind kind)
{
    double aim = rc->bits_per_picture + rc->saved_bits / rc->horizon;
    aim = clamp(aim, FLOOR_SHARE * rc->bits_per_picture, CEIL_SHARE * rc->bits_per_picture);
    double wish = log2(mean_bits(rc, 0) / aim) / SLOPE;
    if (rc->started)
        wish = clamp(wish, rc->quantizer - STEP_MAX, rc->quantizer + STEP_MAX);
    rc->started = rc->learnt[SVC_RATE_T0];
    rc->quantizer = clamp(wish, QUANTIZER_MIN, QUANTIZER_MAX);
    double q = clamp(rc->quantizer + offset_of(kind), QUANTIZER_MIN, QUANTIZER_MAX);
    return (uint8_t)lround(q);
}

void svc_rate_coded(struct svc_rate *rc, enum svc_rate_kind kind, uint8_t quantizer, size_t bytes)
{
    double bits = 8.0 * (double)(bytes ? bytes : 1);
    double cost = log2(bits) + SLOPE * quantizer;
    rc->cost[kind] = rc->learnt[kind] ? rc->cost[kind] + LEARN * (cost - rc->cost[kind]) : cost;
    rc->learnt[kind] = true;
    rc->saved_bits += rc->bits_per_picture - bits;
}

void svc_rate_retarget(struct svc_rate *rc, double target_bps)
{
    rc->bits_per_picture = target_bps / rc->fps;
    rc->saved_bits = 0;
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
