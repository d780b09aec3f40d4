/* all.h - the schedulers that libtvl brings, for all.c. */
#ifndef TVL_SCHED_ALL_H
#define TVL_SCHED_ALL_H

#include <tvl/sched.h>

extern const struct tvl_sched_ops tvl_sched_blest;
extern const struct tvl_sched_ops tvl_sched_ecf;
extern const struct tvl_sched_ops tvl_sched_layered;
extern const struct tvl_sched_ops tvl_sched_minrtt;
extern const struct tvl_sched_ops tvl_sched_redundant;
extern const struct tvl_sched_ops tvl_sched_roundrobin;
extern const struct tvl_sched_ops tvl_sched_weighted;

#endif
