/* limit.c - see limit.h. */
#include "limit.h"

#include <stdio.h>

#define PPM 1000000u

static const char *const way_names[VLINK_WAYS] = { "up", "down" };

static uint64_t rate_of(const struct vlink_config *c)
{
    return c->trace ? vlink_trace_mean_bps(c->trace) : c->rate_bps;
}

int vlink_limit_check(const struct vlink_way_config *c, const struct vlink_limit *parent,
                      enum vlink_way way, char *why, size_t why_size)
{
    uint64_t rate = rate_of(&c->config);
    if (c->given & VLINK_GIVEN_RATE && parent->rate_bps && (!rate || rate > parent->rate_bps)) {
        char asked[32] = "unlimited";
        if (rate)
            snprintf(asked, sizeof asked, "%.6g Mbit/s", (double)rate / 1e6);
        snprintf(why, why_size,
                 "%s: a rate of %s is more than the parent's link has (%.6g Mbit/s); ask for less, "
                 "or inherit it",
                 way_names[way], asked, (double)parent->rate_bps / 1e6);
        return -1;
    }
    if (c->given & VLINK_GIVEN_DELAY && c->config.delay_ns < parent->delay_ns) {
        snprintf(why, why_size,
                 "%s: a delay of %.6g ms is less than the parent's link has (%.6g ms); ask for "
                 "more, or inherit it",
                 way_names[way], (double)c->config.delay_ns / 1e6, (double)parent->delay_ns / 1e6);
        return -1;
    }
    if (c->given & VLINK_GIVEN_LOSS && c->config.loss_ppm < parent->loss_ppm) {
        snprintf(why, why_size,
                 "%s: a loss of %.6g %% is less than the parent's link has (%.6g %%); ask for "
                 "more, or inherit it",
                 way_names[way], c->config.loss_ppm / 1e4, parent->loss_ppm / 1e4);
        return -1;
    }
    return 0;
}

struct vlink_limit vlink_limit_of(const struct vlink_way_config *c,
                                  const struct vlink_limit *parent)
{
    struct vlink_limit l = { .down = c->config.down,
                             .rate_bps = rate_of(&c->config),
                             .delay_ns = c->config.delay_ns,
                             .loss_ppm = c->config.loss_ppm };
    if (!parent)
        return l;
    l.down = l.down || parent->down;
    if (!l.rate_bps || (parent->rate_bps && parent->rate_bps < l.rate_bps))
        l.rate_bps = parent->rate_bps;
    if (l.delay_ns < parent->delay_ns)
        l.delay_ns = parent->delay_ns;
    if (l.loss_ppm < parent->loss_ppm)
        l.loss_ppm = parent->loss_ppm;
    return l;
}

/* Loss x after the parent's p comes to 1 - (1 - p)(1 - x) = `total`. */
static uint32_t own_loss(uint32_t total, uint32_t parent)
{
    if (total <= parent)
        return 0;
    return (uint32_t)(((uint64_t)(total - parent) * PPM + (PPM - parent) / 2) / (PPM - parent));
}

void vlink_limit_split(const struct vlink_way_config *c, const struct vlink_limit *parent,
                       struct vlink_config *serve, struct vlink_config *air)
{
    *serve = (struct vlink_config){ .down = c->config.down,
                                    .rate_bps = c->config.rate_bps,
                                    .trace = c->config.trace,
                                    .overhead_bytes = c->config.overhead_bytes };
    *air = c->config;
    air->rate_bps = 0;
    air->trace = NULL;
    air->overhead_bytes = 0;
    air->queue_bytes = air->queue_ns = air->mark_ns = 0;
    if (!parent)
        return;
    air->delay_ns = air->delay_ns > parent->delay_ns ? air->delay_ns - parent->delay_ns : 0;
    air->loss_ppm = own_loss(c->config.loss_ppm, parent->loss_ppm);
}
