/*
 * truth.c - the path model of a transfer against the link it went over: its rate, delay, buffer,
 * losses and jitter are known there.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "verbs.h"

#define LOSS_OFF 0.3 /* share: a few thousand packets say no more */
#define RATE_OFF 0.08
#define MS 1000.0 /* us */

static const struct row {
    const char *path, *cc;
    bool fills;        /* the controller fills the buffer: then it is seen */
    double congestive; /* share of loss events, within 0.2; negative: none in the last 10 s */
} rows[] = {
    { "20mbit-80ms", "cubic", true, 1 },   { "100mbit-20ms", "cubic", true, 1 },
    { "20mbit-200ms", "copa", false, -1 }, { "loss-1%", "bbr", false, 0 },
    { "loss-3%", "copa", false, 0 },       { "loss-bursts", "bbr", false, 0 },
    { "shallow-10ms", "cubic", true, 1 },  { "deep-1s", "cubic", true, -1 },
    { "marks-1ms", "prague", false, -1 },
};

static bool wrong(const char *what, double is, double should, double off)
{
    if (fabs(is - should) <= off)
        return false;
    printf("    %s is %g, not %g\n", what, is, should);
    return true;
}

static double true_loss(const struct vlink_config *c)
{
    double loss = c->loss_ppm / 1e6;

    if (c->ge) /* share of time in the bad state, times its loss */
        loss += (double)c->ge_p_ppm / (c->ge_p_ppm + c->ge_r_ppm) * c->ge_bad_ppm / 1e6;
    return loss;
}

static bool judge(const struct row *row, const struct vlink_config *c,
                  const struct tvl_path_model *m)
{
    const double loss = true_loss(c), rtt = 2e-3 * (double)c->delay_ns;
    bool bad = false;

    bad |= wrong("capacity", (double)m->capacity_bps, (double)c->rate_bps,
                 RATE_OFF * (double)c->rate_bps);
    bad |= wrong("shortest round trip, us", (double)m->rtt_min, rtt, 2 * MS);
    if (row->fills)
        bad |= wrong("buffer, us", (double)m->buffer, (double)c->queue_ns / 1e3,
                     0.1 * (double)c->queue_ns / 1e3);
    if (loss > 0)
        bad |= wrong("loss", m->loss, loss, LOSS_OFF * loss);
    if (row->congestive >= 0)
        bad |= wrong("congestive share", m->loss_congestive, row->congestive, 0.2);
    if (c->ge)
        bad |= wrong("burst", m->loss_burst, 1.8, 0.4);
    bad |= wrong("jitter, us", (double)m->jitter, 0, 1 * MS);
    bad |= wrong("marks", m->marked > 0, c->mark_ns > 0, 0);
    bad |= !m->ecn;
    return !bad;
}

int truth_show(const struct cc_paths *paths, uint64_t seed)
{
    int bad = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cc_path *p = paths_find(paths, rows[i].path);
        const struct flow_job job = {
            .cc = rows[i].cc, .link = &p->link, .seed = seed, .span = 15000000
        };
        const struct run_result r = flow_run(&job);

        printf("%s %s over %s\n", r.whole ? "    " : "broken", job.cc, p->name);
        bad += !r.whole || !judge(&rows[i], &p->link, &r.model);
    }
    printf("%d of %zu models wrong\n", bad, sizeof rows / sizeof rows[0]);
    return bad ? 1 : 0;
}
