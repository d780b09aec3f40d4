/*
 * swap.c - what a change of the controller in mid-transfer costs: ten of them on 50 Mbit/s, 40 ms,
 * and for each the bytes that the link carried in the two round trips after it, against those of
 * the same run without it. Both runs are the same up to there, to the bit.
 */
#include <tvl/cc.h>

#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "verbs.h"

#define MS 1000000u /* ns */
#define RTT 40000u  /* us */
#define SWAPS 10u
#define APART 4000000u /* us between two */
#define DIP_MAX 0.05

struct watch { /* bytes carried at the beginning and the end of a window */
    tvl_time from, to;
    uint64_t at_from, at_to;
};

static void on_sample(void *user, const struct flow_sample *s)
{
    struct watch *w = user;

    if (s->at <= w->from)
        w->at_from = s->carried;
    if (s->at <= w->to)
        w->at_to = s->carried;
}

/* With the first `swaps` of them; bytes in the two round trips after number `after`. 0: broken. */
static uint64_t carried(unsigned swaps, unsigned after, uint64_t seed)
{
    const struct vlink_config link = { .rate_bps = 50000000,
                                       .delay_ns = RTT / 2 * 1000,
                                       .queue_ns = 40 * (uint64_t)MS,
                                       .overhead_bytes = VLINK_OVERHEAD_BYTES };
    struct watch w = { .from = APART * after, .to = APART * after + 2 * RTT };
    struct flow_job job = { .cc = tvl_cc_all[0]->name,
                            .link = &link,
                            .seed = seed,
                            .span = APART * after + 10 * RTT,
                            .every = 1000,
                            .sample = on_sample,
                            .user = &w,
                            .swaps = swaps };

    for (unsigned i = 0; i < swaps; i++) {
        unsigned n = 0;

        while (tvl_cc_all[n])
            n++;
        job.swap_at[i] = APART * (i + 1);
        job.swap_to[i] = tvl_cc_all[(i + 1) % n]->name;
    }
    const struct run_result r = flow_run(&job);

    if (!r.whole)
        fprintf(stderr, "swap: a transfer with %u swaps was not whole\n", swaps);
    return r.whole ? w.at_to - w.at_from : 0;
}

int swap_show(uint64_t seed)
{
    double most = 0;

    printf("swap\tto\tcarried\twithout\tdip\n");
    for (unsigned i = 1; i <= SWAPS; i++) {
        const uint64_t with = carried(i, i, seed), without = carried(i - 1, i, seed);
        const double dip = without ? 1 - (double)with / (double)without : 1;
        unsigned n = 0;

        while (tvl_cc_all[n])
            n++;
        most = dip > most ? dip : most;
        printf("%u\t%s\t%llu\t%llu\t%.4f\n", i, tvl_cc_all[i % n]->name, (unsigned long long)with,
               (unsigned long long)without, dip);
        fflush(stdout);
    }
    fprintf(stderr, "largest dip in two round trips %.4f\n", most);
    return most < DIP_MAX ? 0 : 1;
}
