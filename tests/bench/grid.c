/*
 * grid.c - made-up paths, drawn at random: what a factorial grid of the same size would leave out
 * between its lines. See paths.h. Every figure is uniform in its logarithm.
 *
 *     rate   0.3 to 200 Mbit/s        round trip 10 to 600 ms       buffer 5 to 1000 ms
 *     loss     none of half of them; random, or in bursts of two to eight, 0.01 to 5 %
 *     jitter   of a fifth, 1 to 15 ms      marks at 1 to 5 ms of a sixth
 *     rate that varies, of two fifths: steps of 0.1 to 3 s, now and then a fade
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "paths.h"
#include "rng.h"

#define MS 1000000u /* ns */
#define RATE_LEAST 0.3e6
#define RATE_MOST 200e6
#define VARYING_MOST 50e6   /* of a rate that varies: a table of opportunities grows with it */
#define VARYING_MS 30000.0  /* after which it repeats */
#define QUEUE_LEAST 15000.0 /* bytes: ten packets */
#define SPAN 20u            /* s */
#define SPAN_LONG 40u       /* of round trips above: */
#define LONG_MS 200.0

static double draw(struct vlink_rng *r) /* [0, 1) */
{
    return (double)(vlink_rng_next(r) >> 11) * 0x1p-53;
}

static double draw_between(struct vlink_rng *r, double low, double high)
{
    return low * pow(high / low, draw(r));
}

/* Opportunities of VLINK_TRACE_BYTES at a rate that steps around `mean`. False: no memory. */
static bool vary(struct vlink_trace *t, struct vlink_rng *r, double mean)
{
    const double hold = draw_between(r, 100, 3000), sway = draw_between(r, 0.1, 0.8);
    const double fade = draw(r) < 0.3 ? 0.1 : 0;
    const size_t most = (size_t)(4 * mean / 8e3 / VLINK_TRACE_BYTES * VARYING_MS) + 2;
    double now = 0, until = 0, gap = 1;
    size_t n = 0;

    t->ms = malloc(most * sizeof *t->ms);
    while (t->ms && now < VARYING_MS && n + 1 < most) {
        if (now >= until) {
            double rate = mean * exp(sway * (draw(r) + draw(r) + draw(r) - 1.5) * 2);

            rate = draw(r) < fade ? mean / 10 : rate > 3 * mean ? 3 * mean : rate;
            gap = VLINK_TRACE_BYTES * 8e3 / rate;
            until = now + hold * (0.5 + draw(r));
        }
        now += gap;
        t->ms[n++] = (uint32_t)now;
    }
    if (!t->ms)
        return false;
    t->ms[n++] = (uint32_t)now + 1;
    t->n = n;
    return true;
}

static void draw_losses(struct vlink_config *c, struct vlink_rng *r)
{
    const double kind = draw(r), loss = draw_between(r, 1e-4, 0.05), burst = draw_between(r, 2, 8);

    if (kind < 0.25) {
        c->loss_ppm = (uint32_t)(loss * 1e6);
    } else if (kind < 0.5) { /* all are lost in the bad state, which lasts for `burst` packets */
        c->ge = true;
        c->ge_bad_ppm = 1000000;
        c->ge_r_ppm = (uint32_t)(1e6 / burst);
        c->ge_p_ppm = (uint32_t)(loss / (1 - loss) / burst * 1e6);
    }
}

static bool draw_path(struct cc_path *p, struct vlink_rng *r)
{
    const double rate = draw_between(r, RATE_LEAST, RATE_MOST), rtt = draw_between(r, 10, 600);
    const double buffer = draw_between(r, 5, 1000), jitter = draw_between(r, 1, 15);
    const bool varies = draw(r) < 0.4;
    struct vlink_config *c = &p->link;

    *c = (struct vlink_config){ .rate_bps = (uint64_t)rate,
                                .delay_ns = (uint64_t)(rtt / 2 * MS),
                                .overhead_bytes = VLINK_OVERHEAD_BYTES };
    draw_losses(c, r);
    if (draw(r) < 0.2)
        c->jitter_ns = (uint64_t)((jitter < rtt / 4 ? jitter : rtt / 4) * MS);
    if (draw(r) < 1.0 / 6)
        c->mark_ns = (uint64_t)(draw_between(r, 1, 5) * MS);
    p->span_s = rtt > LONG_MS ? SPAN_LONG : SPAN;
    const double mean = varies && rate > VARYING_MOST ? VARYING_MOST : rate;

    c->queue_bytes = (uint64_t)fmax(mean / 8e3 * buffer, QUEUE_LEAST);
    if (!varies)
        return true;
    c->trace = &p->trace;
    return vary(&p->trace, r, mean);
}

bool paths_add_grid(struct cc_paths *p, uint64_t seed)
{
    struct vlink_rng r;

    vlink_rng_init(&r, seed, GRID_VERSION);
    for (unsigned i = 0; i < GRID_PATHS && p->n < PATHS_MAX; i++) {
        struct cc_path *path = &p->path[p->n++];

        *path = (struct cc_path){ .kind = "grid", .variant = "" };
        snprintf(path->name, sizeof path->name, "grid-%u", i);
        if (!draw_path(path, &r))
            return false;
    }
    return true;
}
