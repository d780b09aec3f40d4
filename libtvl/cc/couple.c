/*
 * couple.c - the couplings: how much of its own growth a path may take that shares its bottleneck
 * with others of its connection. All are written for NewReno, which grows by 1/w_r per datagram
 * acknowledged; what they grow by, divided by that, is the factor. With x_p = w_p / rtt_p:
 *
 *     LIA    RFC 6356 3. No more than the best path alone, however many there are.
 *            factor = min(1, w_r max_p(w_p / rtt_p^2) / (sum_p x_p)^2)
 *
 *     OLIA   draft-khalili-mptcp-congestion-control-05; Khalili et al., "MPTCP is not
 *            Pareto-optimal", CoNEXT 2012. LIA without its tie to the window, and a term that
 *            moves traffic from the paths with the largest windows to the best ones.
 *            factor = x_r^2 / (sum_p x_p)^2 + a_r
 *            a_r    = 1 / (n |B \ M|)   for a best path without a largest window,
 *                    -1 / (n |M|)       for one of the largest windows, while there are such paths
 *                     0                 else
 *            B: largest l^2 / rtt, l the bytes between the last two losses or since the last one
 *
 *     BALIA  draft-walid-mptcp-congestion-control-04; Peng, Walid, Hwang, Low, "Multipath TCP:
 *            Analysis, Design, and Implementation", ToN 2016. Between the two in friendliness and
 *            in the speed of its answer.
 *            factor = (x_r / sum_p x_p)^2 (1 + a_r) / 2 (4 + a_r) / 5     a_r = max_p x_p / x_r
 *            and a loss takes min(a_r, 1.5) times the usual.
 */
#include <string.h>

#include "all.h"

#define BALIA_HARSHEST 1.5 /* draft-walid-mptcp-congestion-control-04 3.1 */

static double rate(const struct tvl_couple_path *p) /* x_p: bytes/us */
{
    return (double)p->cwnd / (double)p->rtt;
}

static double rates(const struct tvl_couple_path *path, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += rate(&path[i]);
    return sum;
}

static double within(double factor)
{
    return factor < 0 ? 0 : factor > 1 ? 1 : factor;
}

static void lia(struct tvl_couple_path *path, size_t n)
{
    const double sum = rates(path, n);
    double best = 0;

    for (size_t i = 0; i < n; i++) {
        const double b = rate(&path[i]) / (double)path[i].rtt;

        best = b > best ? b : best;
    }
    for (size_t i = 0; i < n; i++) {
        path[i].growth = within((double)path[i].cwnd * best / (sum * sum));
        path[i].harsher = 0;
    }
}

static double quality(const struct tvl_couple_path *p) /* l^2 / rtt */
{
    const double l = (double)(p->between > p->since ? p->between : p->since);

    return l * l / (double)p->rtt;
}

static void olia(struct tvl_couple_path *path, size_t n)
{
    const double sum = rates(path, n);
    unsigned largest = 0, neglected = 0; /* |M|, |B \ M| */
    uint64_t window = 0;
    double best = 0;

    for (size_t i = 0; i < n; i++) {
        window = path[i].cwnd > window ? path[i].cwnd : window;
        best = quality(&path[i]) > best ? quality(&path[i]) : best;
    }
    for (size_t i = 0; i < n; i++) {
        largest += path[i].cwnd == window;
        neglected += path[i].cwnd < window && quality(&path[i]) >= best;
    }
    for (size_t i = 0; i < n; i++) {
        const double share = rate(&path[i]) / sum;
        double moved = 0;

        if (neglected > 0 && path[i].cwnd == window)
            moved = -1.0 / ((double)n * largest);
        else if (neglected > 0 && quality(&path[i]) >= best)
            moved = 1.0 / ((double)n * neglected);
        path[i].growth = within(share * share + moved);
        path[i].harsher = 0;
    }
}

static void balia(struct tvl_couple_path *path, size_t n)
{
    const double sum = rates(path, n);
    double best = 0;

    for (size_t i = 0; i < n; i++)
        best = rate(&path[i]) > best ? rate(&path[i]) : best;
    for (size_t i = 0; i < n; i++) {
        const double share = rate(&path[i]) / sum, a = best / rate(&path[i]);

        path[i].growth = within(share * share * (1 + a) / 2 * (4 + a) / 5);
        path[i].harsher = (a < BALIA_HARSHEST ? a : BALIA_HARSHEST) - 1;
    }
}

static const struct tvl_couple_ops all[] = {
    { .name = "lia", .couple = lia },
    { .name = "olia", .couple = olia },
    { .name = "balia", .couple = balia },
};

const struct tvl_couple_ops *const tvl_couple_all[] = { &all[0], &all[1], &all[2], NULL };

const struct tvl_couple_ops *tvl_couple_find(const char *name)
{
    for (size_t i = 0; tvl_couple_all[i]; i++)
        if (strcmp(tvl_couple_all[i]->name, name) == 0)
            return tvl_couple_all[i];
    return NULL;
}
