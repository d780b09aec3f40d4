/* flow.c - see flow.h. */
#include "flow.h"

#include <assert.h>
#include <stdlib.h>

#define STEPS_BITS 2 /* 2^2 steps per doubling */
#define STEPS (1u << STEPS_BITS)
#define BUCKETS (28 * STEPS) /* up to 2^29 us, nine minutes; above counts as that */

struct tvl_flow {
    struct tvl_flow_stats stats; /* margin_mean and margin_p10 are made when asked for */
    int64_t margin_sum;
    uint32_t bucket[BUCKETS];
};

/* Buckets 0 to 3 hold one value each; above, a bucket is a quarter of its power of two. */
static unsigned bucket_of(tvl_time margin)
{
    if (margin < STEPS)
        return (unsigned)margin;
    const unsigned power = 63 - (unsigned)__builtin_clzll(margin);
    const unsigned step = (unsigned)(margin >> (power - STEPS_BITS)) & (STEPS - 1);
    const unsigned i = (power - STEPS_BITS + 1) * STEPS + step;

    return i < BUCKETS ? i : BUCKETS - 1;
}

/* The smallest margin that goes into the bucket. */
static int64_t bucket_floor(unsigned i)
{
    if (i < STEPS)
        return i;
    return (int64_t)(STEPS + i % STEPS) << (i / STEPS - 1);
}

static struct tvl_flow *flow_of(struct tvl_flows *t, uint32_t flow)
{
    assert(flow < TVL_FLOWS_MAX);
    if (!t->flow)
        t->flow = calloc(TVL_FLOWS_MAX, sizeof *t->flow);
    if (t->flow && !t->flow[flow])
        t->flow[flow] = calloc(1, sizeof **t->flow);
    return t->flow ? t->flow[flow] : NULL;
}

void tvl_flows_fini(struct tvl_flows *t)
{
    for (unsigned i = 0; t->flow && i < TVL_FLOWS_MAX; i++)
        free(t->flow[i]);
    free(t->flow);
    t->flow = NULL;
}

static void count_margin(struct tvl_flow *f, tvl_time margin)
{
    const int64_t m = margin < INT64_MAX ? (int64_t)margin : INT64_MAX;

    if (f->stats.in_time == 0 || m < f->stats.margin_min)
        f->stats.margin_min = m;
    f->margin_sum = f->margin_sum > INT64_MAX - m ? INT64_MAX : f->margin_sum + m;
    f->bucket[bucket_of(margin)]++;
}

void tvl_flows_count(struct tvl_flows *t, uint32_t flow, enum tvl_flow_end end, uint64_t bytes,
                     tvl_time margin)
{
    struct tvl_flow *f = flow_of(t, flow);

    if (!f)
        return;
    f->stats.streams++;
    switch (end) {
    case TVL_FLOW_IN_TIME:
        count_margin(f, margin);
        f->stats.in_time++;
        f->stats.bytes_in_time += bytes;
        break;
    case TVL_FLOW_EXPIRED:
        f->stats.expired++;
        f->stats.bytes_expired += bytes;
        break;
    case TVL_FLOW_OTHERWISE:
        break;
    }
}

static int64_t tenth(const struct tvl_flow *f)
{
    const uint64_t rank = f->stats.in_time / 10;
    uint64_t below = 0;
    unsigned i = 0;

    while (i < BUCKETS - 1 && (below += f->bucket[i]) <= rank)
        i++;
    return bucket_floor(i);
}

void tvl_flows_get(const struct tvl_flows *t, uint32_t flow, struct tvl_flow_stats *out)
{
    const struct tvl_flow *f = t->flow ? t->flow[flow] : NULL;

    *out = (struct tvl_flow_stats){ .streams = 0 };
    if (!f)
        return;
    *out = f->stats;
    if (out->in_time == 0)
        return;
    out->margin_mean = f->margin_sum / (int64_t)out->in_time;
    out->margin_p10 = tenth(f);
    if (out->margin_p10 < out->margin_min)
        out->margin_p10 = out->margin_min; /* the first bucket starts below it */
}
