/*
 * skew.h - how far a sender's media time is from our clock, while both drift and ways change:
 *
 *     running time = media time + offset
 *
 * After Fober, Orlarey and Letz, "Real Time Clock Skew Estimation over Network Delays" (GRAME,
 * TR-050601, 2005), as GStreamer's rtpjitterbuffer does it: of all arrivals those of the least
 * (arrival - media time) waited least on their way, so the least of a window tells the offset, and
 * what is used follows it slowly. Pure: no clock, no allocation; all times in microseconds.
 *
 *     begin --SKEW_SETTLE_US: the least so far--> settled: slewed towards the least of
 * SKEW_WINDOW_US beyond `bound`: set at once (SKEW_RESYNCED)
 */
#ifndef GST_SKEW_H
#define GST_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#define SKEW_SETTLE_US 150000  /* nothing is to be given out before that: the offset may jump */
#define SKEW_WINDOW_US 2000000 /* that the least is of */
#define SKEW_BUCKETS 20        /* it is kept in */
#define SKEW_TAU_US 4000000    /* time constant of the slew ... */
#define SKEW_SLEW_MAX 0.01     /* ... but never faster: 10 ms a second, which nobody hears */
#define SKEW_HOLD_US 1000000   /* from one resync to the next, at least */
#define SKEW_JUMP_US 10000000  /* off at once: it is another media time */

struct skew {
    int64_t bound_us; /* (0, SKEW_JUMP_US]; the owner's to set, at any time */
    bool began, settled;
    double offset;                /* us */
    int64_t began_at, last_at;    /* arrivals */
    int64_t filled_from;          /* since then there was no hole as long as the window */
    int64_t set_at;               /* settled or resynced */
    int64_t number[SKEW_BUCKETS]; /* which stretch of time a bucket is for */
    int64_t least[SKEW_BUCKETS];  /* arrival - media time there */
};

void skew_init(struct skew *s, int64_t bound_us);
/* Forgets all but the bound. */
void skew_reset(struct skew *s);

enum skew_result {
    SKEW_FOLLOWED,
    SKEW_RESYNCED, /* the offset was set anew: what follows does not join on */
    SKEW_JUMPED,   /* nothing was changed: the media time began anew; the owner resets */
};
/* Something came at `arrival` (the pipeline's running time) that was made at `media`. */
enum skew_result skew_put(struct skew *s, int64_t arrival, int64_t media);
/* Nothing counts before the first skew_put. */
int64_t skew_offset(const struct skew *s);
/* Whether the first offset is found by `now`; else when it will be, in *rest_us. */
bool skew_is_settled(const struct skew *s, int64_t now, int64_t *rest_us);

#endif
