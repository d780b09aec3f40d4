/*
 * pace.h - keeps a live encoder in time: measured against what a picture lasts it is told to work
 * faster before it falls behind, and to work better again once that is proven to fit.
 *
 *     level  0          1 ..              then               last
 *            as opened  faster speeds     temporal layers    spatial layers
 *                       (speed_max)       off, top first     off, top first
 *
 * Down one level: in a window of half a second the pictures took more than HIGH of their time, or
 * the encoder is late and what it does takes longer than it may. Up one level: for as long as
 * `hold` every window says that the level above would need less than LOW; what a level costs
 * against the next one was measured on the way down. An ascent that fails doubles `hold`, so that
 * nothing swings. Pure: times are inputs, all microseconds; a value type, no allocation.
 */
#ifndef SVC_PACE_H
#define SVC_PACE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SVC_PACE_LEVELS_MAX 16
#define SVC_PACE_HOLD_MIN_US 2000000  /* proof before an ascent */
#define SVC_PACE_HOLD_MAX_US 64000000 /* after ascents that failed */

struct svc_pace_orders { /* what the encoder is to do: svc_encoder_set_speed, _temporal, _top */
    uint8_t speed, n_temporal, n_spatial;
};

struct svc_pace_config {
    uint32_t period_us;          /* a picture lasts [1000, 1000000] */
    struct svc_pace_orders best; /* as the encoder was opened: level 0 */
    uint8_t speed_max;           /* the fastest, at least best.speed; one level each */
};

struct svc_pace { /* its members are its own; svc_pace_init begins */
    struct svc_pace_config cfg;
    uint8_t level, n_levels;
    double cost[SVC_PACE_LEVELS_MAX]; /* of a level over the one below it, [1, 4] */
    double load;                      /* of the last window */
    double before;                    /* load when it last went down; 0: measured since */
    uint64_t busy_us;                 /* of the window that is under way, */
    uint32_t pictures, late_row;      /* how many it has; late ones in a row */
    uint64_t rose_at, proven_since;   /* 0: not so */
    uint64_t hold_us;
    uint64_t downs, ups;
};

/* False: out of range. */
bool svc_pace_init(struct svc_pace *p, const struct svc_pace_config *cfg);
/*
 * A picture is done, at `now_us` of any monotonic clock (not 0): it kept the encoder busy for
 * `busy_us` (0: it was left out by our order) and was begun `late_us` after it was due. Pictures
 * that were left out for want of time are not told. True: other orders from the next picture on.
 */
bool svc_pace_picture(struct svc_pace *p, uint64_t now_us, uint64_t busy_us, uint64_t late_us);
struct svc_pace_orders svc_pace_orders(const struct svc_pace *p);
/* Share of its time that the encoder needed in the last window, [0, ...); 1 is the limit. */
double svc_pace_load(const struct svc_pace *p);

#ifdef __cplusplus
}
#endif

#endif
