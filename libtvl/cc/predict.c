/*
 * predict.c - what every controller makes of a path, by published formulas.
 *
 * A window law has a response function, its mean window W(p) for a share p of packets lost at
 * random, and a shape: which part `keep` of the window a loss leaves, and how it climbs back. A
 * path of capacity C, round trip R and buffer B holds C (R + B) before it loses by itself, so that
 * the window's peak is the smaller of what W(p) allows and that. Between `keep` of the peak and the
 * peak the path carries min(W / R, C) and queues the rest: Appenzeller, Keslassy, McKeown, "Sizing
 * Router Buffers", SIGCOMM 2004, section 2, with each controller's own shape.
 *
 * The laws, one function each below: PFTK (RFC 5348 3.1), CUBIC (RFC 9438 5), Compound (Tan et al.
 * 2006), Westwood+ (Grieco, Mascolo 2004), Veno (Fu, Liew 2003), Hybla (Caini, Firrincieli 2004),
 * Prague (RFC 9332 appendix A.1, RFC 9331). Those that hold a model instead: BBR
 * (draft-ietf-ccwg-bbr), Copa (Arun, Balakrishnan 2018), SCReAM (rfc8298bis-screamv2).
 */
#include "predict.h"

#include <math.h>
#include <string.h>
#include <tvl/select.h>

#define STEPS 48         /* of a climb, when it is summed up */
#define SCREAM_STEPS 240 /* of SCReAM's, each so much of the window: */
#define SCREAM_STEP 0.015
#define LOSS_LEAST 1e-9   /* below it losses are never met: 1 / p must stay finite */
#define EXTRA_LEAST 500.0 /* us: a round trip varies by that much on any path */

/* ---- response functions: datagrams ---- */

/* RFC 5348 3.1 with b = 1 and t_RTO = 4 R, times R. */
static double newreno_window(double p, const struct tvl_response_path *path)
{
    (void)path;
    return 1 / (sqrt(2 * p / 3) + 12 * sqrt(3 * p / 8) * p * (1 + 32 * p * p));
}

/* RFC 9438 5, equation 6 (C = 0.4, beta = 0.7), and 4.3: Reno's region has AVG_AIMD(alpha, 0.7) =
 * sqrt(3 / (2 p)), to which PFTK's second term belongs as well. At every moment the larger of two
 * windows holds, so that where the two are alike the mean is above either: the fourth root of the
 * sum of their fourth powers. */
static double cubic_window(double p, const struct tvl_response_path *path)
{
    const double rtt = (double)path->rtt / 1e6;
    const double cubic = 1.054 * pow(rtt, 0.75) / pow(p, 0.75);
    const double reno = newreno_window(p, path);

    return pow(pow(cubic, 4) + pow(reno, 4), 0.25);
}

/* Tan et al. 2006, section IV: from W / 2 to W by alpha W^k a round trip. Packets between two
 * losses: 1 / p = (1 - 2^-(2 - k)) W^(2 - k) / (alpha (2 - k)); round trips:
 * (1 - 2^-(1 - k)) W^(1 - k) / (alpha (1 - k)). Below 38 datagrams the delay window rests (the
 * draft's 3.4), and it is NewReno. */
static double compound_window(double p, const struct tvl_response_path *path)
{
    const double k = 0.75, alpha = 0.125, low = 38;
    const double peak = pow(alpha * (2 - k) / (p * (1 - pow(2, -(2 - k)))), 1 / (2 - k));
    const double rounds = (1 - pow(2, -(1 - k))) * pow(peak, 1 - k) / (alpha * (1 - k));
    const double mean = 1 / (p * rounds), reno = newreno_window(p, path);

    return peak / 2 < low || mean < reno ? reno : mean;
}

/* Grieco, Mascolo 2004, equation 7: rate = sqrt((1 - p) / (p R (R - Rmin))), R and Rmin in s. */
static double westwood_window(double p, const struct tvl_response_path *path)
{
    const double extra = (double)(path->rtt - path->rtt_min);
    const double reno = newreno_window(p, path);
    const double westwood =
        sqrt((1 - p) * (double)path->rtt / (p * (extra > EXTRA_LEAST ? extra : EXTRA_LEAST)));

    return westwood > reno ? westwood : reno;
}

/* Fu, Liew 2003, section III: with fewer than 3 datagrams queued a loss leaves 4/5 and the climb is
 * Reno's, sqrt(9 / (2 p)); else half of the climb, sqrt(3 / (4 p)). */
static double veno_window(double p, const struct tvl_response_path *path)
{
    const double random = sqrt(9 / (2 * p));
    const double queued = random * (1 - (double)path->rtt_min / (double)path->rtt);

    return queued < 3 ? random : sqrt(3 / (4 * p));
}

/* Caini, Firrincieli 2004, equation 8: rho times Reno's, rho = max(R / 25 ms, 1). */
static double hybla_window(double p, const struct tvl_response_path *path)
{
    const double rho = (double)path->rtt_min / 25000;

    return (rho < 1 ? 1 : rho > 40 ? 40 : rho) * newreno_window(p, path);
}

/* Without marks it is Reno with the growth of a round trip of 25 ms at least (draft-briscoe-iccrg-
 * prague-congestion-control 2.4.4). */
static double prague_window(double p, const struct tvl_response_path *path)
{
    const double ratio = (double)path->rtt / 25000;

    return (ratio < 1 ? ratio : 1) * newreno_window(p, path);
}

/* RFC 9332 appendix A.1, RFC 8257: W = 2 / p, where every round trip has a mark; it has one with a
 * chance of 1 - exp(-p W), and x = p W is found by iteration. The growth as above. */
static double prague_marks_window(double p, const struct tvl_response_path *path)
{
    const double ratio = (double)path->rtt / 25000;

    const double all = ratio < 1 ? 2 * ratio * ratio : 2;
    double x = 2;

    for (unsigned i = 0; i < 20; i++)
        x = (x + all / (1 - exp(-x))) / 2;
    return x / p;
}

/* draft-johansson-ccwg-rfc8298bis-screamv2 4.1.2.2, summed up for want of a closed form: from 0.7
 * of the last peak by max(s, 1/4) (1 + 2 % of W s c) a round trip, where c is the share of 100
 * round trips (of 25 ms at least) since the loss, and s = clamp((8 (W - peak) / peak)^2, 0.1, 1).
 * The packets between two losses are exponential with mean 1 / p; the peak that stays where it is,
 * in the mean, is found by halving. Result: mean of next peak / peak - 1. */
static double scream_drift(double p, double peak, tvl_time rtt, double *rounds)
{
    const double calm = rtt < 25000 ? (double)rtt / 25000 : 1;
    double packets = 0, alive = 1, drift = 0, w = 0.7 * peak, since = 1;

    *rounds = 1; /* the round trip in which nothing grows */
    packets = w;
    alive = exp(-p * packets);
    drift = (1 - alive) * (0.7 - 1);
    for (unsigned i = 0; i < SCREAM_STEPS && alive > 1e-4; i++) {
        const double away = w / peak - 1;
        const double near = 64 * away * away;
        const double s = near < 0.1 ? 0.1 : near > 1 ? 1 : near;
        const double c = calm * since < 100 ? calm * since / 100 : 1;
        const double took = SCREAM_STEP * w / ((s < 0.25 ? 0.25 : s) * (1 + 0.02 * w * s * c));

        since += took;
        packets += took * w;
        const double left = exp(-p * packets);

        *rounds += took * (alive + left) / 2;
        drift += (alive - left) * (w / peak - 1);
        alive = left;
        w *= 1 + SCREAM_STEP;
    }
    return drift + alive * (w / peak - 1);
}

static double scream_window(double p, const struct tvl_response_path *path)
{
    double low = 1, high = 1e7, rounds = 1;

    while (high / low > 1.01) {
        const double middle = sqrt(low * high);

        if (scream_drift(p, middle, path->rtt, &rounds) > 0)
            low = middle;
        else
            high = middle;
    }
    return 1 / (p * rounds);
}

/* ---- one row a controller ---- */

enum climb { LINEAR, CONCAVE, SLOW_WITH_QUEUE };

struct law {
    const char *name, *formula;
    double (*window)(double p, const struct tvl_response_path *path); /* NULL: a model instead */
    double keep; /* of the window after a loss; 0: what the path itself holds (Westwood+) */
    enum climb climb;
    /* instead, where there is capacity and the law allows it: rate and queue from the model */
    void (*model)(const struct tvl_path_model *m, uint32_t datagram, struct tvl_prediction *out);
};

/* draft-ietf-ccwg-bbr 5.5.10 (BBR.LossThresh 2 %) and 5.3.3.6: the queue of a cruising flow is that
 * of its probes, a quarter of a round trip at their peak; mean over a cycle measured as 0.15. */
static void bbr_model(const struct tvl_path_model *m, uint32_t datagram, struct tvl_prediction *out)
{
    const double random = m->loss * (1 - m->loss_congestive);
    const double c = (double)m->capacity_bps;
    const tvl_time queue = m->rtt_min * 15 / 100;

    (void)datagram;
    out->rate_bps = (uint64_t)(random > 0.02 ? 0.7 * c * 0.02 / random : c * (1 - random));
    out->queue = m->buffer && m->buffer < queue ? m->buffer : queue;
    if (random > 0.02)
        out->queue = 0;
}

/* Arun, Balakrishnan 2018, 2.2 and 3: a queue of 1 / (delta rate) seconds, 1.25 of that on average
 * while it swings; delta = 1/2; losses are not looked at. */
static void copa_model(const struct tvl_path_model *m, uint32_t datagram,
                       struct tvl_prediction *out)
{
    const double c = (double)m->capacity_bps;

    out->rate_bps = (uint64_t)(c * (1 - m->loss * (1 - m->loss_congestive)));
    out->queue = (tvl_time)(1.25 * 2 * datagram * 8e6 / c);
}

/* screamv2 4.1.2.1: it yields from half of the target of 60 ms on; a smaller buffer loses first. */
static void scream_model(const struct tvl_path_model *m, uint32_t datagram,
                         struct tvl_prediction *out)
{
    (void)datagram;
    out->rate_bps = m->capacity_bps;
    out->queue = 28000;
    if (m->buffer > 0 && m->buffer < out->queue)
        out->queue = m->buffer * 4 / 5;
}

/* RFC 9331 4.3, RFC 9332 2.5: the step at 1 ms is where the queue of a path with marks stays. */
static void prague_model(const struct tvl_path_model *m, uint32_t datagram,
                         struct tvl_prediction *out)
{
    (void)datagram;
    out->rate_bps = m->capacity_bps;
    out->queue = 1000;
}

static const struct law laws[] = {
    { "newreno", "PFTK (RFC 5348 3.1)", newreno_window, 0.5, LINEAR, NULL },
    { "cubic", "RFC 9438 5", cubic_window, 0.7, CONCAVE, NULL },
    { "compound", "Tan et al. 2006 IV", compound_window, 0.5, LINEAR, NULL },
    { "westwood", "Grieco, Mascolo 2004 (7)", westwood_window, 0, LINEAR, NULL },
    { "veno", "Fu, Liew 2003 III", veno_window, 0.5, SLOW_WITH_QUEUE, NULL },
    { "hybla", "Caini, Firrincieli 2004 (8)", hybla_window, 0.5, LINEAR, NULL },
    { "prague", "RFC 9332 A.1, RFC 9331", prague_window, 0.5, LINEAR, prague_model },
    { "scream", "screamv2 4.1.2", scream_window, 0.7, LINEAR, scream_model },
    { "bbr", "draft-ietf-ccwg-bbr 5", NULL, 0, LINEAR, bbr_model },
    { "copa", "Arun, Balakrishnan 2018 2.2", NULL, 0, LINEAR, copa_model },
    { "prague-marks", "RFC 9332 A.1", prague_marks_window, 0.5, LINEAR, NULL },
};

static const struct law *find(const char *cc)
{
    for (size_t i = 0; cc && i < sizeof laws / sizeof laws[0]; i++)
        if (strcmp(laws[i].name, cc) == 0)
            return &laws[i];
    return NULL;
}

double tvl_response_window(const char *cc, const struct tvl_response_path *path)
{
    const struct law *l = find(cc);

    if (!l)
        return -1;
    return l->window ? l->window(path->p > LOSS_LEAST ? path->p : LOSS_LEAST, path) : INFINITY;
}

/* ---- the shape of a climb, in units of what the path holds without a queue ---- */

struct climbed {
    double rate;   /* [0, 1] of the capacity, mean over time */
    double window; /* mean over time */
    double queue;  /* in round trips without a queue, mean over time */
};

/* From `keep` of the peak to the peak. A step of a linear climb takes a round trip a datagram. */
static struct climbed climb(const struct law *l, double keep, double peak)
{
    struct climbed sum = { .rate = 0 };
    double time = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        const double u = (i + 0.5) / STEPS;
        const double left = l->climb == CONCAVE ? (1 - u) * (1 - u) * (1 - u) : 1 - u;
        const double w = peak * (1 - (1 - keep) * left);
        double took = l->climb == CONCAVE || w < 1 ? 1 : w;

        if (l->climb == SLOW_WITH_QUEUE && w > 1)
            took *= 2;
        time += took;
        sum.rate += took * (w < 1 ? w : 1);
        sum.window += took * w;
        sum.queue += took * (w > 1 ? w - 1 : 0);
    }
    return (struct climbed){ sum.rate / time, sum.window / time, sum.queue / time };
}

static void by_law(const struct law *l, const struct tvl_path_model *m, uint32_t datagram,
                   struct tvl_prediction *out)
{
    const double c = (double)m->capacity_bps;
    const double holds = c * (double)m->rtt_min / 8e6 / datagram; /* datagrams */
    const double full = 1 + (double)m->buffer / (double)m->rtt_min;
    /* What the queue of the controller in force adds to the round trip is not the path's: what is,
     * is seen in neighbouring samples. */
    /* RFC 5348 5.2: what counts is loss events; a burst is one */
    const double burst = m->loss_burst > 1 ? m->loss_burst : 1;
    const struct tvl_response_path path = { .p = m->loss * (1 - m->loss_congestive) / burst,
                                            .rtt = m->rtt_min + m->jitter,
                                            .rtt_min = m->rtt_min };
    const double mean = tvl_response_window(l->name, &path) / holds;
    double keep = l->keep > 0 ? l->keep : 1 / full;

    /* Veno takes a loss with an empty queue for the radio's; Westwood+ goes to what was delivered
     */
    if (mean < 1 && l->climb == SLOW_WITH_QUEUE)
        keep = 0.8;
    if (mean < 1 && l->keep == 0)
        keep = 1;
    const double peak = mean / climb(l, keep, 1e-6).window * 1e-6;
    struct climbed k = climb(l, keep, peak < full ? peak : full);

    if (peak < 1) { /* it never fills the path: the response function itself */
        k.rate = mean;
        k.queue = 0;
    }
    out->rate_bps = (uint64_t)(c * (k.rate < 1 ? k.rate : 1) * (1 - path.p));
    out->queue = (tvl_time)(k.queue * (double)m->rtt_min);
}

int tvl_predict(const char *cc, const struct tvl_path_model *m, uint32_t datagram_bytes,
                struct tvl_prediction *out)
{
    const struct law *l = find(cc);

    if (!l || !tvl_cc_find(cc))
        return TVL_ERR_ARG;
    if (m->rtt_min == 0 || m->capacity_bps == 0)
        return TVL_ERR_STATE;
    out->formula = l->formula;
    if (!l->model || (l->model == prague_model && m->marked <= 0)) {
        by_law(l, m, datagram_bytes, out);
        return 0;
    }
    l->model(m, datagram_bytes, out);
    if (l->window) { /* a loss is answered as well */
        struct tvl_prediction lossy;

        by_law(l, m, datagram_bytes, &lossy);
        if (lossy.rate_bps < out->rate_bps * 19 / 20 && m->loss * (1 - m->loss_congestive) > 0)
            *out = (struct tvl_prediction){ lossy.rate_bps,
                                            lossy.queue < out->queue ? lossy.queue : out->queue,
                                            l->formula };
    }
    return 0;
}
