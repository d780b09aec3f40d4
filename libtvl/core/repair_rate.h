/*
 * repair_rate.h - how many repair symbols a block of units wants, for the loss that is measured.
 *
 * Packets of one path are lost as in Gilbert's model: a state in which none is and one in which all
 * are (E. N. Gilbert, "Capacity of a burst-noise channel", 1960), with the measured share of loss
 * and length of bursts. Of the units on each path and the symbols on theirs the distribution of how
 * many are lost is computed exactly; the answer is the least number of symbols with which more are
 * lost than there are symbols with a probability below TVL_REPAIR_TARGET. Pure arithmetic.
 */
#ifndef TVL_CORE_REPAIR_RATE_H
#define TVL_CORE_REPAIR_RATE_H

#include <stddef.h>

#define TVL_REPAIR_TARGET                                                  \
    1e-3 /* of blocks that cannot be repaired: beyond it, others fail more \
          */

struct tvl_repair_leg { /* what of a block goes over one path */
    unsigned units;     /* in a row, [0, 64] */
    double loss;        /* share of packets, [0, 1] */
    double burst;       /* packets lost in a row, mean, >= 1 */
};

/*
 * Symbols for units over `n` legs, sent over the path of leg[via] behind its units. Never more than
 * `most`, which is the answer where even that many are too few.
 */
unsigned tvl_repair_symbols(const struct tvl_repair_leg *leg, size_t n, size_t via, unsigned most);

/*
 * Loss by what was counted: `lost` of `packets`. Little is known of a path at first: it counts as
 * if a tenth of a packet in fifty had been lost before. So it gets one symbol a block at first, and
 * none once it has lost nothing for a thousand packets or two.
 */
double tvl_repair_loss(double packets, double lost);

#endif
