/*
 * timing.h - a CSV file with one row per shown picture: when it was where. With the project's test
 * clip the number that is read back from the surface on the screen says which picture that is, so
 * that the delay from capture to display is measured, not computed.
 */
#ifndef CLIENT_TIMING_H
#define CLIENT_TIMING_H

#include "delay.h"

#include <stddef.h>

struct timing_row {
    uint64_t picture;
    int64_t pts_us;
    int time_code;   /* read from the screen; -1: none is readable */
    int64_t wall_us; /* to add to the stamps for us since 1970 */
    struct delay_stamps at;
    unsigned spatial;  /* highest layer in it */
    double av_skew_ms; /* what is heard, behind what is shown; NaN: nothing is heard */
};

struct timing;
/* 0, or -1 with one line in `why`. */
int timing_open(struct timing **out, const char *file, char *why, size_t why_size);
void timing_add(struct timing *t, const struct timing_row *row);
/* NULL allowed. 0, or -1: not all could be written. */
int timing_close(struct timing *t);

#endif
