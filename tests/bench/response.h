/*
 * response.h - one controller alone on a path without end that loses or marks packets at random:
 * its rate against the published response function.
 */
#ifndef BENCH_RESPONSE_H
#define BENCH_RESPONSE_H

#include <stdbool.h>
#include <tvl/tvl.h>

struct response_job {
    const char *cc;
    double p;        /* share of packets lost, or marked */
    tvl_time rtt;    /* us */
    bool marks;      /* marked instead of lost */
    unsigned events; /* losses to watch, after those of the beginning */
    uint64_t seed;
};

struct response {
    double window;  /* datagrams, mean: rate times round trip */
    double formula; /* the same by tvl_response_window; INFINITY: it does not answer losses */
    double ratio;
};

struct response response_run(const struct response_job *job);

/* Ratios of every controller with a response function over a grid of RTT 20 to 600 ms and p 1e-5
 * (`thin`: 1e-4) to 1e-2. `each` may be NULL. False: no controller had any. */
struct response_spread {
    double min, max;
    const char *min_cc, *max_cc;
};
bool response_grid(bool thin,
                   void (*each)(const struct response_job *job, const struct response *r),
                   struct response_spread *out);

#endif
