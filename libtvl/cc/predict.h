/*
 * predict.h - the response functions behind tvl_predict() of <tvl/select.h>: a controller's mean
 * window on an otherwise endless path that loses (or, for Prague, marks) packets at random.
 */
#ifndef TVL_CC_PREDICT_H
#define TVL_CC_PREDICT_H

#include <tvl/cc.h>

struct tvl_response_path {
    double p;              /* (0, 1): share of packets lost; of packets marked for "prague-marks" */
    tvl_time rtt, rtt_min; /* us, rtt at least rtt_min; apart, a queue that is not ours */
};

/* Datagrams; INFINITY: it does not answer random losses of this share. `cc` is a controller's name,
 * or "prague-marks". Negative: no such controller. */
double tvl_response_window(const char *cc, const struct tvl_response_path *path);

#endif
