/*
 * sbd.h - which paths share a bottleneck: RFC 8382.
 *
 * A queue that several paths share makes all of them late in the same way. Per path and interval of
 * 350 ms a few sums are kept, from which four statistics follow:
 *
 *     skewness      most samples later than the mean: the queue is full most of the time (3.2.1)
 *     variability   mean distance from the interval's mean (3.2.2)
 *     frequency     how often the delay swings across its mean (3.2.3)
 *     loss          share of packets (3.2.4)
 *
 * Skewness and loss say whether a path has a bottleneck, and those that have one are parted
 * wherever two neighbours in order differ in a statistic by more than the RFC's threshold.
 *
 * Two things are not in the RFC. It takes one-way delays, QUIC has round trips: so queues of the
 * way back count as well, and the acknowledgement delay the peer reports is taken off by the
 * caller. And it hears of the flows by report, while here one clock has measured all: paths that
 * look alike are parted after all when their delays do not rise and fall together, as twins on two
 * links of one kind do not. Their correlation is taken over the interval means, shifted by at most
 * one interval, since their round trips differ.
 *
 * Pure; integers and doubles, no allocation; 50 intervals are remembered, whatever happens.
 */
#ifndef TVL_CORE_SBD_H
#define TVL_CORE_SBD_H

#include <tvl/tvl.h>

#define TVL_SBD_T 350000u /* us, the interval; this and below: RFC 8382 2.2 */
#define TVL_SBD_N 50      /* intervals for frequency and loss */
#define TVL_SBD_M 30      /* intervals for skewness and variability */
#define TVL_SBD_F 20      /* of them with full weight (4.2); fewer are not judged */

struct tvl_sbd_interval {
    uint64_t delay_sum;  /* us, of all samples */
    uint64_t spread_sum; /* us, distances from the mean of the interval before */
    uint32_t samples;
    int32_t skew; /* samples below the long mean less those above it */
    uint32_t packets, lost;
    int8_t swing; /* side of the mean it crossed to: -1, 1; 0: none */
};

struct tvl_sbd {                             /* of one path; zeroed: nothing known */
    struct tvl_sbd_interval past[TVL_SBD_N]; /* ring by number */
    struct tvl_sbd_interval now;
    uint64_t number;     /* of `now` on the common clock: time / TVL_SBD_T */
    unsigned count;      /* of `past` [0, TVL_SBD_N] */
    double mean;         /* us, of the last TVL_SBD_M intervals */
    int8_t side;         /* of the last swing */
    bool had_bottleneck; /* at the end of the last interval */
};

struct tvl_sbd_summary {
    double skew;     /* [-1, 1] */
    double spread;   /* us */
    double swings;   /* per interval [0, 1] */
    double loss;     /* [0, 1] */
    bool bottleneck; /* RFC 8382 3.3.1 */
};

/* `delay` us of a round trip that ended at `now`. */
void tvl_sbd_sample(struct tvl_sbd *s, tvl_time delay, tvl_time now);
/* Packets whose fate has become known. */
void tvl_sbd_packets(struct tvl_sbd *s, uint64_t acked, uint64_t lost, tvl_time now);
/* End the intervals that are over. True: there were some. */
bool tvl_sbd_roll(struct tvl_sbd *s, tvl_time now);
struct tvl_sbd_summary tvl_sbd_summary(const struct tvl_sbd *s);
/* [-1, 1]: share of the variance that the delays of two paths have in common (the correlation's
 * square, with its sign); 0: not known. Both rolled to one time. */
double tvl_sbd_correlation(const struct tvl_sbd *a, const struct tvl_sbd *b);

/* group[i] of path i: 0 when it has no bottleneck or shares it with none, else equal to those it
 * shares it with, [1, n / 2]. `n` [0, TVL_PATHS_MAX]; all rolled to one time. */
void tvl_sbd_group(const struct tvl_sbd *const *path, size_t n, unsigned *group);

#endif
