/*
 * flow.h - how the streams of one purpose fared against their deadlines.
 *
 * A stream with a deadline is counted once, when its sending part is over: in time with the margin
 * that was left when its last byte was acknowledged, expired, or otherwise ended (reset, stopped).
 * Margins go into a histogram of four steps per doubling, so a quantile is known to a quarter.
 *
 * Memory: nothing until the first stream with a deadline ends; then about half a KiB per flow used.
 */
#ifndef TVL_CORE_FLOW_H
#define TVL_CORE_FLOW_H

#include <tvl/tvl.h>

struct tvl_flow; /* private */

struct tvl_flows { /* a zeroed struct is an empty table */
    struct tvl_flow **flow;
};

enum tvl_flow_end { TVL_FLOW_IN_TIME, TVL_FLOW_EXPIRED, TVL_FLOW_OTHERWISE };

void tvl_flows_fini(struct tvl_flows *t);
/* A stream of `flow` [0, TVL_FLOWS_MAX) with a deadline is over; `margin` in us, for IN_TIME only.
 * Without memory the stream is not counted. */
void tvl_flows_count(struct tvl_flows *t, uint32_t flow, enum tvl_flow_end end, uint64_t bytes,
                     tvl_time margin);
void tvl_flows_get(const struct tvl_flows *t, uint32_t flow, struct tvl_flow_stats *out);

#endif
