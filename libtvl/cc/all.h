/* all.h - the controllers that libtvl brings, for all.c. */
#ifndef TVL_CC_ALL_H
#define TVL_CC_ALL_H

#include <tvl/cc.h>

extern const struct tvl_cc_ops tvl_cc_newreno;
extern const struct tvl_cc_ops tvl_cc_cubic;
extern const struct tvl_cc_ops tvl_cc_compound;
extern const struct tvl_cc_ops tvl_cc_westwood;
extern const struct tvl_cc_ops tvl_cc_veno;
extern const struct tvl_cc_ops tvl_cc_hybla;
extern const struct tvl_cc_ops tvl_cc_bbr;
extern const struct tvl_cc_ops tvl_cc_copa;
extern const struct tvl_cc_ops tvl_cc_scream;
extern const struct tvl_cc_ops tvl_cc_prague;

#endif
