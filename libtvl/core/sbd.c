/* sbd.c - see sbd.h. Names in brackets are the RFC's. */
#include "sbd.h"

#include <assert.h>
#include <stdlib.h>

/* RFC 8382 2.2 */
#define SKEW_CONGESTED 0.1  /* [c_s] */
#define SKEW_HYSTERESIS 0.3 /* [c_h] */
#define LOSS_HEAVY 0.05     /* [p_l] a bottleneck by itself */
#define SWINGS_APART 0.1    /* [p_f] */
#define SPREAD_APART 0.1    /* [p_mad] of the larger */
#define SKEW_APART 0.15     /* [p_s] */
#define LOSS_APART 0.1      /* [p_d] of the larger */
#define SWING_OUT 0.7 /* [p_v] of the variability: as far from the mean it counts as a swing */

/* Ours. A delay that stands still has no skew either, and a queue of which nothing is seen cannot
 * be shared: clocks and batching alone spread round trips by as much. */
#define SPREAD_LEAST 200.0 /* us */
#define TOGETHER 0.5       /* of the variance in common; twins stay below, see the test */

static const struct tvl_sbd_interval *ago(const struct tvl_sbd *s, unsigned i) /* 1: the newest */
{
    return &s->past[(s->number - i) % TVL_SBD_N];
}

static double mean_of(const struct tvl_sbd_interval *i)
{
    return i->samples ? (double)i->delay_sum / i->samples : 0;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* RFC 8382 4.2: full weight for the newest F of M, then less and less. */
static double weight(unsigned i)
{
    return i <= TVL_SBD_F ? TVL_SBD_M - TVL_SBD_F + 1 : TVL_SBD_M - i + 1;
}

struct recent { /* weighted sums of the last M intervals */
    double skew, spread, samples;
};

static struct recent recent_of(const struct tvl_sbd *s)
{
    struct recent r = { .samples = 0 };

    for (unsigned i = 1; i <= least(s->count, TVL_SBD_M); i++) {
        r.skew += weight(i) * ago(s, i)->skew;
        r.spread += weight(i) * (double)ago(s, i)->spread_sum;
        r.samples += weight(i) * ago(s, i)->samples;
    }
    return r;
}

static double long_mean(const struct tvl_sbd *s)
{
    double sum = 0;
    unsigned n = 0;

    for (unsigned i = 1; i <= least(s->count, TVL_SBD_M); i++) {
        sum += mean_of(ago(s, i));
        n += ago(s, i)->samples > 0;
    }
    return n ? sum / n : 0;
}

/* Did the interval just over lie beyond the mean, on the other side than the last that did? */
static int8_t swing_of(struct tvl_sbd *s, const struct tvl_sbd_interval *i, double spread)
{
    int8_t side = 0;

    if (i->samples == 0 || s->mean <= 0)
        return 0;
    if (mean_of(i) > s->mean + SWING_OUT * spread)
        side = 1;
    else if (mean_of(i) < s->mean - SWING_OUT * spread)
        side = -1;
    if (side == 0 || side == s->side)
        return 0;
    s->side = side;
    return side;
}

bool tvl_sbd_roll(struct tvl_sbd *s, tvl_time now)
{
    const uint64_t number = now / TVL_SBD_T;

    if (s->number == 0 || number - s->number > TVL_SBD_N) {
        *s = (struct tvl_sbd){ .number = number }; /* what was before is too old to say anything */
        return true;
    }
    if (number == s->number)
        return false;
    while (s->number < number) {
        const struct recent r = recent_of(s);

        s->now.swing = swing_of(s, &s->now, r.samples > 0 ? r.spread / r.samples : 0);
        s->past[s->number % TVL_SBD_N] = s->now;
        s->now = (struct tvl_sbd_interval){ .samples = 0 };
        s->number++;
        s->count += s->count < TVL_SBD_N;
        s->mean = long_mean(s);
    }
    s->had_bottleneck = tvl_sbd_summary(s).bottleneck;
    return true;
}

void tvl_sbd_sample(struct tvl_sbd *s, tvl_time delay, tvl_time now)
{
    (void)tvl_sbd_roll(s, now);
    const double d = (double)delay;
    const double before = s->count && ago(s, 1)->samples ? mean_of(ago(s, 1)) : s->mean;

    s->now.samples++;
    s->now.delay_sum += delay;
    if (before > 0)
        s->now.spread_sum += (uint64_t)(d > before ? d - before : before - d);
    if (s->mean > 0)
        s->now.skew += (d < s->mean) - (d > s->mean);
}

void tvl_sbd_packets(struct tvl_sbd *s, uint64_t acked, uint64_t lost, tvl_time now)
{
    (void)tvl_sbd_roll(s, now);
    s->now.packets += (uint32_t)(acked + lost);
    s->now.lost += (uint32_t)lost;
}

struct tvl_sbd_summary tvl_sbd_summary(const struct tvl_sbd *s)
{
    const struct recent r = recent_of(s);
    struct tvl_sbd_summary out = { .skew = 0 };
    uint64_t packets = 0, lost = 0;
    unsigned swings = 0;

    if (s->count == 0 || r.samples <= 0)
        return out;
    for (unsigned i = 1; i <= s->count; i++) {
        packets += ago(s, i)->packets;
        lost += ago(s, i)->lost;
        swings += ago(s, i)->swing != 0;
    }
    out.skew = r.skew / r.samples;
    out.spread = r.spread / r.samples;
    out.swings = (double)swings / s->count;
    out.loss = packets ? (double)lost / (double)packets : 0;
    if (s->count < TVL_SBD_F || out.spread < SPREAD_LEAST)
        return out;
    out.bottleneck = out.skew < SKEW_CONGESTED || out.loss > LOSS_HEAVY ||
                     (out.skew < SKEW_HYSTERESIS && s->had_bottleneck);
    return out;
}

/* ---- do they go together? ---- */

/* Squared, with its sign: no root is needed. `b` is `shift` intervals later. */
static double correlation_at(const struct tvl_sbd *a, const struct tvl_sbd *b, int shift)
{
    const unsigned most = least(a->count, b->count);
    double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    unsigned n = 0;

    for (unsigned i = 2; i < most; i++) {
        const struct tvl_sbd_interval *x = ago(a, i), *y = ago(b, (unsigned)((int)i + shift));
        const double u = mean_of(x), v = mean_of(y);

        if (x->samples == 0 || y->samples == 0)
            continue;
        n++;
        sa += u;
        sb += v;
        saa += u * u;
        sbb += v * v;
        sab += u * v;
    }
    if (n < TVL_SBD_F / 2)
        return 0;
    const double cov = sab - sa * sb / n, va = saa - sa * sa / n, vb = sbb - sb * sb / n;

    if (va <= 0 || vb <= 0)
        return 0;
    return cov * (cov > 0 ? cov : -cov) / (va * vb);
}

double tvl_sbd_correlation(const struct tvl_sbd *a, const struct tvl_sbd *b)
{
    double best = -1;

    for (int shift = -1; shift <= 1; shift++) {
        const double c = correlation_at(a, b, shift);

        best = c > best ? c : best;
    }
    return best;
}

/* ---- groups, RFC 8382 3.3 ---- */

struct member {
    const struct tvl_sbd *path;
    struct tvl_sbd_summary is;
    size_t index;
    double by; /* what they are parted by */
    unsigned group;
};

static int compare(const void *x, const void *y)
{
    const struct member *a = x, *b = y;

    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return (a->by < b->by) - (a->by > b->by); /* descending */
}

/* Part each group where neighbours are further apart than `apart`, absolute or of the larger. */
static void part(struct member *m, size_t n, double apart, bool of_larger)
{
    unsigned old = 0, next = 0;

    qsort(m, n, sizeof *m, compare);
    for (size_t i = 0; i < n; i++) {
        const double limit = i == 0 ? 0 : apart * (of_larger ? m[i - 1].by : 1.0);

        if (i == 0 || m[i].group != old || m[i - 1].by - m[i].by > limit)
            next++;
        old = m[i].group;
        m[i].group = next;
    }
}

/* Whoever does not go together with the first of its group leaves, to a group of those like it. */
static void part_unlike(struct member *m, size_t n)
{
    unsigned next = 0;

    for (size_t i = 0; i < n; i++)
        next = m[i].group > next ? m[i].group : next;
    for (size_t i = 0; i < n; i++) {
        const unsigned mine = m[i].group;
        bool split = false;

        for (size_t k = i + 1; k < n; k++)
            if (m[k].group == mine && tvl_sbd_correlation(m[i].path, m[k].path) < TOGETHER) {
                m[k].group = next + 1;
                split = true;
            }
        next += split;
    }
}

static size_t with_bottleneck(const struct tvl_sbd *const *path, size_t n, struct member *m)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const struct tvl_sbd_summary is = tvl_sbd_summary(path[i]);

        if (is.bottleneck)
            m[count++] = (struct member){ .path = path[i], .is = is, .index = i };
    }
    return count;
}

void tvl_sbd_group(const struct tvl_sbd *const *path, size_t n, unsigned *group)
{
    struct member m[TVL_PATHS_MAX];
    unsigned next = 0;

    assert(n <= TVL_PATHS_MAX);
    for (size_t i = 0; i < n; i++)
        group[i] = 0;
    const size_t count = with_bottleneck(path, n, m);

    for (size_t i = 0; i < count; i++)
        m[i].by = m[i].is.swings;
    part(m, count, SWINGS_APART, false);
    for (size_t i = 0; i < count; i++)
        m[i].by = m[i].is.spread;
    part(m, count, SPREAD_APART, true);
    for (size_t i = 0; i < count; i++)
        m[i].by = m[i].is.skew;
    part(m, count, SKEW_APART, false);
    for (size_t i = 0; i < count; i++) /* too little loss is too little to compare by */
        m[i].by = m[i].is.loss > LOSS_HEAVY ? m[i].is.loss : 0;
    part(m, count, LOSS_APART, true);
    part_unlike(m, count);
    for (size_t i = 0; i < count; i++) {
        bool first = group[m[i].index] == 0, any = false;

        for (size_t k = i + 1; first && k < count; k++)
            if (m[k].group == m[i].group) {
                group[m[k].index] = next + 1;
                any = true;
            }
        if (any)
            group[m[i].index] = ++next;
    }
}
