/* all.h - the controllers that libtvl brings, for all.c. */
#ifndef TVL_CC_ALL_H
#define TVL_CC_ALL_H

#include <tvl/cc.h>

extern const struct tvl_cc_ops tvl_cc_newreno;
extern const struct tvl_cc_ops tvl_cc_cubic;
extern const struct tvl_cc_ops tvl_cc_bbr;

#endif
