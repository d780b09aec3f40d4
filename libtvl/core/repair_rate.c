/* repair_rate.c - see repair_rate.h. */
#include "repair_rate.h"

#define PRIOR_PACKETS 50.0
#define PRIOR_LOST 0.1
#define MOST 32 /* symbols */

double tvl_repair_loss(double packets, double lost)
{
    return (lost + PRIOR_LOST) / (packets + PRIOR_PACKETS);
}

struct losses { /* probability that so many are lost; what is above `most` is left out */
    double p[MOST + 1];
};

/* Of `units` in a row. */
static void chain(const struct tvl_repair_leg *leg, unsigned units, unsigned most,
                  struct losses *out)
{
    const double leave = leg->burst > 1 ? 1 / leg->burst : 1;
    const double loss = leg->loss < 1 ? leg->loss : 1;
    const double enter = loss < 1 ? (loss * leave < 1 - loss ? loss * leave / (1 - loss) : 1) : 1;
    struct losses good = { { 0 } }, bad = { { 0 } };

    good.p[0] = 1 - loss; /* the state before the first, long run */
    bad.p[0] = loss;
    for (unsigned i = 0; i < units; i++)
        for (unsigned k = most + 1; k-- > 0;) {
            const double g = good.p[k], b = bad.p[k];

            good.p[k] = g * (1 - enter) + b * leave;
            if (k < most)
                bad.p[k + 1] = g * enter + b * (1 - leave);
            bad.p[k] = 0;
        }
    for (unsigned k = 0; k <= most; k++)
        out->p[k] = good.p[k] + bad.p[k];
}

static void add(struct losses *sum, const struct losses *more, unsigned most)
{
    struct losses s = { { 0 } };

    for (unsigned i = 0; i <= most; i++)
        for (unsigned j = 0; i + j <= most; j++)
            s.p[i + j] += sum->p[i] * more->p[j];
    *sum = s;
}

/* Probability that more are lost than there are symbols. */
static double failure(const struct tvl_repair_leg *leg, size_t n, size_t via, unsigned symbols)
{
    struct losses all = { { 1 } }, one;
    double repaired = 0;

    for (size_t i = 0; i < n; i++) {
        chain(&leg[i], leg[i].units + (i == via ? symbols : 0), symbols, &one);
        add(&all, &one, symbols);
    }
    for (unsigned k = 0; k <= symbols; k++)
        repaired += all.p[k];
    return 1 - repaired;
}

unsigned tvl_repair_symbols(const struct tvl_repair_leg *leg, size_t n, size_t via, unsigned most)
{
    unsigned symbols = 0;

    most = most < MOST ? most : MOST;
    while (symbols < most && failure(leg, n, via, symbols) > TVL_REPAIR_TARGET)
        symbols++;
    return symbols;
}
