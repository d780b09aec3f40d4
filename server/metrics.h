/*
 * metrics.h - a snapshot in the text format of Prometheus, version 0.0.4: base units, every metric
 * with HELP and TYPE, also where it has no sample. No label grows with the number of viewers. Pure.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "process_stats.h"
#include "snapshot.h"

#define METRICS_CODES_MAX 600

struct metrics_control {                  /* of the control interface itself */
    uint64_t requests[METRICS_CODES_MAX]; /* answered, by HTTP status */
    size_t streams;                       /* of events, now */
};

/* To be freed; NULL: no memory. */
char *metrics_text(const struct snapshot *s, const struct metrics_control *c,
                   const struct process_stats *p, size_t *len);

#endif
