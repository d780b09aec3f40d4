/*
 * window.h - what all controllers have in common whose only model is a window: slow start with
 * HyStart++ (RFC 9406), no growth in recovery or without demand, one reduction per round trip,
 * starting over after persistent congestion (RFC 9002 7.6), and what they pass on to a successor.
 *
 *     on_ack    if (tvl_window_on_ack(w, ack))  grow by the controller's own law
 *     on_loss   if (tvl_window_on_loss(w, loss, keep))  shrink by it
 *
 * A controller begins with a struct tvl_window in its state and can then use the functions below in
 * its struct tvl_cc_ops as they are.
 */
#ifndef TVL_CC_WINDOW_H
#define TVL_CC_WINDOW_H

#include <tvl/cc.h>

#define TVL_WINDOW_FIRST 10 /* datagrams, RFC 9002 7.2 */
#define TVL_WINDOW_MIN 2    /* datagrams, RFC 9002 7.2 kMinimumWindow */

struct tvl_window {
    uint64_t cwnd, ssthresh; /* bytes; UINT64_MAX: no loss yet */
    uint64_t w_max;          /* bytes, before the last reduction; 0: none yet */
    double owed;             /* bytes of growth, less than one */
    double harsher;          /* of the loss event being answered, as in struct tvl_cc_loss */
    tvl_time recovery_from;  /* losses of packets sent before this are the same event */
    tvl_time collapsed_from; /* newest packet of the last persistent congestion; 0: none */
    uint32_t datagram;
    /* HyStart++ */
    tvl_time round_from;            /* a packet sent after this ends the round */
    tvl_time round_rtt, before_rtt; /* us, smallest of this round and of the one before; 0: none */
    tvl_time css_rtt;               /* us, at the entry of CSS; 0: not in it */
    unsigned samples, css_rounds;
};

void tvl_window_init(void *w, uint32_t datagram_bytes, tvl_time now);

/* False: nothing is to be done, or slow start has done it, `boost` times as fast as RFC 9002's. */
bool tvl_window_on_ack(struct tvl_window *w, const struct tvl_cc_ack *ack, double boost);
/* Grow by so many bytes; fractions are kept for the next time. */
void tvl_window_grow(struct tvl_window *w, double bytes);
/* Reno's step, one datagram per round trip, times `factor` and what the path may take of it. */
void tvl_window_add(struct tvl_window *w, const struct tvl_cc_ack *ack, double factor);

/* True: a new loss event, and the controller shall call tvl_window_shrink. False: the same event as
 * before; or persistent congestion, which is done with: ssthresh is `keep` of the window. */
bool tvl_window_on_loss(struct tvl_window *w, const struct tvl_cc_loss *loss, double keep);
/* To `bytes`, or below where the path is coupled; at least two datagrams; and into recovery. */
void tvl_window_shrink(struct tvl_window *w, double bytes, tvl_time now);

void tvl_window_on_mtu(void *w, uint32_t datagram_bytes);
struct tvl_cc_limit tvl_window_limit(const void *w);
void tvl_window_save(const void *w, struct tvl_cc_learnt *out);
void tvl_window_load(void *w, const struct tvl_cc_learnt *from);
const char *tvl_window_state(const void *w);

#endif
