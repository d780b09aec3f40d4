/* budget.c - the plan of budget.h, and how it is kept to. */
#include "budget.h"

#include <math.h>
#include <stdlib.h>

#define QUANTIZER_MIN 4
#define QUANTIZER_MAX 63
#define SLOPE 0.105 /* log2 bits per quantizer step, above 36 */
/* What a picture usually takes: smaller ones have more to a pixel. Of the same clips. */
#define USUAL_BITS 38.0 /* times the root of its pixels, */
#define USUAL_QUANTIZER 36
#define FIRST_MIN 10
#define FIRST_MAX 55 /* the cascade goes 8 further */
#define WINDOW_S 2.0
#define PEAK_PLANNED 1.35 /* times the target: what is coded differs from what was planned */
#define PEAK_BRAKED 1.45  /* times the target: seen coming, all is coarser */
#define LUMP_S 0.35       /* of the rate, as rate.c has it */
#define ROUNDS 12         /* of planning; each has fewer windows to mend */
#define HALVINGS 24       /* of the quantizer's range: to 4e-6 of a step */
#define LATELY_S 4.0      /* what of late means */
#define PRIOR_S 0.5       /* of the target: weight of the belief that bits turn out as expected */
#define HORIZON_S 1.0     /* debts are never to be paid sooner */
#define DEBT_MAX 0.4      /* of what is planned for what is to come */
#define TURN_MAX 2.0      /* octaves that bits may turn out otherwise */
#define MOVE_MAX 0.5      /* quantizer steps per picture */
#define AHEAD_SHARE 0.2   /* of the window, for which the peak is seen coming */
#define BRAKE_MAX 12.0    /* quantizer steps */

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Octaves of bits that a quantizer saves, and back. As measured over three clips, L3T2. */
static const struct {
    double quantizer, octaves;
} knots[] = { { 0, 0 },     { 10, 1.2 },   { 16, 1.74 },
              { 24, 2.34 }, { 36, 3.336 }, { QUANTIZER_MAX, 3.336 + 27 * SLOPE } };
#define N_KNOTS (sizeof knots / sizeof knots[0])

static double octaves(double quantizer)
{
    size_t k = 1;

    while (k + 1 < N_KNOTS && quantizer > knots[k].quantizer)
        k++;
    return knots[k].octaves + (quantizer - knots[k].quantizer) *
                                  (knots[k].octaves - knots[k - 1].octaves) /
                                  (knots[k].quantizer - knots[k - 1].quantizer);
}

static double quantizer_of(double oct)
{
    size_t k = 1;

    while (k + 1 < N_KNOTS && oct > knots[k].octaves)
        k++;
    return knots[k].quantizer + (oct - knots[k].octaves) *
                                    (knots[k].quantizer - knots[k - 1].quantizer) /
                                    (knots[k].octaves - knots[k - 1].octaves);
}

uint8_t svc_budget_first_quantizer(double target_bps, double fps, uint32_t pixels)
{
    const double usual = USUAL_BITS * sqrt(pixels) * fps;

    return (uint8_t)lround(clamp(quantizer_of(octaves(USUAL_QUANTIZER) + log2(usual / target_bps)),
                                 FIRST_MIN, FIRST_MAX));
}

static double bits_at(const struct svc_budget *b, double bits, double quantizer)
{
    return bits * exp2(octaves(b->first_quantizer) - octaves(quantizer));
}

/* ---- the plan ---- */

/* Every picture at `level` or, where it may not be so fine, at its own bound: bits of the file. */
static double lay(struct svc_budget *b, const double *bound, double level)
{
    double sum = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct svc_budget_picture *p = &b->plan[i];

        p->quantizer = clamp(fmax(level, bound[i]), QUANTIZER_MIN, QUANTIZER_MAX);
        p->want = bits_at(b, p->bits, p->quantizer);
        sum += p->want;
    }
    return sum;
}

static double total(const struct svc_budget *b)
{
    return b->bits_second * (double)b->n / b->fps;
}

static void level_out(struct svc_budget *b, const double *bound)
{
    double low = QUANTIZER_MIN, high = QUANTIZER_MAX;

    for (int i = 0; i < HALVINGS; i++) {
        const double mid = (low + high) / 2;

        if (lay(b, bound, mid) > total(b))
            low = mid;
        else
            high = mid;
    }
    lay(b, bound, high);
}

/* Bounds so that no window of two seconds exceeds its peak. False: none did. */
static bool bound_windows(const struct svc_budget *b, double *bound)
{
    const double most = PEAK_PLANNED * WINDOW_S * b->bits_second;
    bool found = false;
    double sum = 0;

    for (size_t end = 0; end < b->n; end++) {
        const size_t begin = end + 1 > b->window ? end + 1 - b->window : 0;

        sum += b->plan[end].want - (begin ? b->plan[begin - 1].want : 0);
        if (sum <= most * 1.001)
            continue;
        found = true;
        for (size_t i = begin; i <= end; i++)
            bound[i] =
                fmax(bound[i], quantizer_of(octaves(b->plan[i].quantizer) + log2(sum / most)));
    }
    return found;
}

static int make_plan(struct svc_budget *b)
{
    double *bound = calloc(b->n, sizeof *bound);

    if (!bound)
        return SVC_ERR_NOMEM;
    for (size_t i = 0; i < b->n; i++)
        bound[i] = quantizer_of(octaves(b->first_quantizer) +
                                log2(b->plan[i].bits / (LUMP_S * b->bits_second)));
    level_out(b, bound);
    for (int i = 0; i < ROUNDS && bound_windows(b, bound); i++)
        level_out(b, bound);
    free(bound);
    return 0;
}

int svc_budget_init(struct svc_budget *b, const struct svc_budget_config *cfg)
{
    const struct svc_first_pass *first = cfg->first;

    *b = (struct svc_budget){ .n = first->n,
                              .bits_second = cfg->target_bps,
                              .fps = cfg->fps,
                              .window = (unsigned)lround(
                                  clamp(WINDOW_S * cfg->fps, 2, SVC_RATE_WINDOW_MAX - 1)),
                              .first_quantizer = first->quantizer[cfg->spatial],
                              .keep = exp(-1 / (LATELY_S * cfg->fps)),
                              .expected = PRIOR_S * cfg->target_bps,
                              .turned = PRIOR_S * cfg->target_bps };
    b->plan = calloc(b->n, sizeof *b->plan);
    if (!b->plan)
        return SVC_ERR_NOMEM;
    for (size_t i = 0; i < b->n; i++)
        b->plan[i].bits = 8.0 * fmax(1, first->bytes[i][cfg->spatial]);
    if (make_plan(b) < 0) {
        svc_budget_fini(b);
        return SVC_ERR_NOMEM;
    }
    for (size_t i = 0; i < b->n; i++)
        b->left += b->plan[i].want;
    b->debt = b->left - total(b); /* what no quantizer could bring about, by the first pass */
    return 0;
}

void svc_budget_fini(struct svc_budget *b)
{
    free(b->plan);
    *b = (struct svc_budget){ 0 };
}

/* ---- the second pass ---- */

static const struct svc_budget_picture *picture(const struct svc_budget *b, size_t i)
{
    return &b->plan[i < b->n ? i : b->n - 1];
}

/* Octaves that bits turn out above what the first pass said. */
static double turn(const struct svc_budget *b)
{
    return clamp(log2(b->turned / b->expected), -TURN_MAX, TURN_MAX);
}

/* Quantizer steps by which all that is to come has to move. */
static double move(const struct svc_budget *b)
{
    const double horizon = fmax(b->left, HORIZON_S * b->bits_second);
    const double debt = clamp(b->debt / horizon, -DEBT_MAX, DEBT_MAX);

    return (turn(b) - log2(1 - debt)) / SLOPE;
}

/* Quantizer steps more, lest the two seconds that end soon exceed their peak. */
static double brake(const struct svc_budget *b, double moved)
{
    const unsigned ahead = (unsigned)ceil(b->window * AHEAD_SHARE);
    double most = PEAK_BRAKED * WINDOW_S * b->bits_second, coming = 0;

    for (unsigned i = 1; i <= b->window - ahead && i <= b->at; i++)
        most -= b->spent[(b->at - i) % SVC_RATE_WINDOW_MAX];
    for (unsigned i = 0; i < ahead; i++)
        coming += picture(b, b->at + i)->want;
    coming *= exp2(turn(b) - SLOPE * moved);
    return clamp(log2(coming / fmax(most, 1)) / SLOPE, 0, BRAKE_MAX);
}

uint8_t svc_budget_quantizer(struct svc_budget *b, enum svc_rate_kind kind)
{
    const int cascade = svc_rate_cascade(0, kind);

    b->moved += clamp(move(b) - b->moved, -MOVE_MAX, MOVE_MAX);
    const double exact = clamp(picture(b, b->at)->quantizer + b->moved + brake(b, b->moved),
                               QUANTIZER_MIN, QUANTIZER_MAX);
    const double whole = round(clamp(exact + b->rounded, QUANTIZER_MIN, QUANTIZER_MAX));

    b->rounded = clamp(b->rounded + exact - whole, -0.5, 0.5);
    b->chosen = whole;
    return (uint8_t)clamp(whole + cascade, QUANTIZER_MIN, QUANTIZER_MAX);
}

static void book(struct svc_budget *b, double bits)
{
    b->debt += bits - picture(b, b->at)->want;
    if (b->at < b->n)
        b->left -= picture(b, b->at)->want;
    b->spent[b->at++ % SVC_RATE_WINDOW_MAX] = bits;
}

void svc_budget_coded(struct svc_budget *b, size_t bytes)
{
    const double bits = 8.0 * (double)bytes;

    b->expected = b->keep * b->expected + bits_at(b, picture(b, b->at)->bits, b->chosen);
    b->turned = b->keep * b->turned + bits;
    book(b, bits);
}

void svc_budget_skipped(struct svc_budget *b)
{
    b->debt += picture(b, b->at)->want;
    book(b, 0);
}
