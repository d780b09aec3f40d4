/*
 * profiles.c - sixteen pairs of links over which two paths together must not lose to one of them.
 *
 * The pairs are the environments of mqvpn's published sweep (its report of 2026-06-18, section
 * 3.3): delay is one way, as netem on both ends makes it, rate and loss hold both ways, and the
 * transfer is 20 MiB on one stream. Where netem draws jitter from a normal distribution vlink draws
 * it evenly with the same standard deviation (sigma * sqrt 3 either way, at most the delay), and in
 * order. netem's queue of 1000 packets is kept.
 */
#include "bonding.h"

#define TRANSFER_BYTES (20u << 20)
#define QUEUE_BYTES 1500000u /* 1000 full packets, netem's default */
#define TOLERANCE 0.98       /* below this share of the best single path counts as below it */

#define PATH(mbit, ms, sigma_ms, lost_ppm)                                                         \
    {                                                                                              \
        .rate_bps = (uint64_t)(mbit)*MBIT, .delay_ns = (ms) * (uint64_t)MS,                        \
        .jitter_ns = (uint64_t)((sigma_ms)*1.732 < (ms) ? (sigma_ms)*1.732 * MS : (ms)*1.0 * MS),  \
        .loss_ppm = (lost_ppm), .queue_bytes = QUEUE_BYTES, .overhead_bytes = VLINK_OVERHEAD_BYTES \
    }

const struct profile profiles[] = {
    /*                   rate Mbit/s, delay ms, jitter sigma ms, loss ppm; the same for B */
    { "baseline", { PATH(50, 20, 0, 0), PATH(50, 20, 0, 0) } },
    { "rtt_40", { PATH(50, 20, 0, 0), PATH(50, 40, 0, 0) } },
    { "rtt_70", { PATH(50, 20, 0, 0), PATH(50, 70, 0, 0) } },
    { "rtt_120", { PATH(50, 20, 0, 0), PATH(50, 120, 0, 0) } },
    { "rtt_320", { PATH(50, 20, 0, 0), PATH(50, 320, 0, 0) } },
    { "jit_5", { PATH(50, 20, 5, 0), PATH(50, 20, 5, 0) } },
    { "jit_20", { PATH(50, 20, 20, 0), PATH(50, 20, 20, 0) } },
    { "loss_05", { PATH(50, 20, 0, 5000), PATH(50, 20, 0, 5000) } },
    { "loss_2", { PATH(50, 20, 0, 20000), PATH(50, 20, 0, 20000) } },
    { "bw_4to1", { PATH(50, 20, 0, 0), PATH(12, 20, 0, 0) } },
    { "bw_10to1", { PATH(100, 20, 0, 0), PATH(10, 20, 0, 0) } },
    { "dual_lte", { PATH(40, 30, 5, 5000), PATH(25, 45, 8, 5000) } },
    { "fiber_lte", { PATH(300, 8, 0, 0), PATH(30, 40, 8, 5000) } },
    { "lte_starlink", { PATH(40, 35, 8, 0), PATH(100, 50, 25, 10000) } },
    { "lte_geo", { PATH(40, 35, 0, 0), PATH(20, 320, 20, 5000) } },
    { "congested", { PATH(20, 50, 20, 20000), PATH(15, 60, 25, 20000) } },
    { NULL, { { .down = true } } },
};

struct outcome {
    struct spread single[2], both;
    double resent;
};

static double run_one(const struct plan *plan, const struct profile *p, uint64_t seed,
                      uint64_t skip, double *resent)
{
    const struct net_config cfg = { .cc = plan->cc,
                                    .sched = plan->sched,
                                    .links = 2,
                                    .link = { p->link[0], p->link[1] },
                                    .seed = seed,
                                    .skip = skip,
                                    .pki = plan->pki };
    const struct transfer t = { .bytes = TRANSFER_BYTES, .limit = 600000000 };
    const struct transferred r = transfer_run(&cfg, &t);

    *resent = r.resent_share;
    return r.goodput_bps / 1e6;
}

static struct outcome measure(const struct plan *plan, const struct profile *p)
{
    static const uint64_t skips[] = { 2, 1, 0 }; /* A alone, B alone, both */
    struct outcome o;
    struct spread *to[] = { &o.single[0], &o.single[1], &o.both };

    for (unsigned k = 0; k < 3; k++) {
        double v[PLAN_SEEDS_MAX];
        unsigned n = 0;

        for (; n < plan->seeds && n < PLAN_SEEDS_MAX; n++)
            v[n] = run_one(plan, p, n + 1, skips[k], &o.resent);
        *to[k] = spread_of(v, n);
    }
    return o;
}

unsigned profiles_below_best(const struct plan *plan, FILE *json)
{
    unsigned below = 0;

    printf("%-14s %8s %8s %8s  %s\n", "Mbit/s", "A", "B", "both", "both over best (min seed..max)");
    for (const struct profile *p = profiles; p->name; p++) {
        const struct outcome o = measure(plan, p);
        const double best =
            o.single[0].median > o.single[1].median ? o.single[0].median : o.single[1].median;
        const bool bad = best == 0 || o.both.median < TOLERANCE * best;
        const double times = best > 0 ? o.both.median / best : 0;

        below += bad;
        printf("%-14s %8.2f %8.2f %8.2f  %.2f (%.2f..%.2f) resent %.3f%s\n", p->name,
               o.single[0].median, o.single[1].median, o.both.median, times,
               best > 0 ? o.both.min / best : 0, best > 0 ? o.both.max / best : 0, o.resent,
               bad ? "  BELOW" : "");
        fflush(stdout);
        if (json)
            fprintf(json, "%s\"profile_%s_over_best\": %.3f", p == profiles ? "" : ", ", p->name,
                    times);
    }
    return below;
}
